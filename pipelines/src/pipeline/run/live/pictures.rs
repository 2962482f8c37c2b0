//! Pictures of what passes.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dmaflow_kms_sink::{PictureSink, PictureSinkConfig};

use super::super::super::graph::OutputId;
use super::super::meters::Meter;
use super::super::roster::Origin;
use super::super::stages::{RunSink, next};
use super::Live;
use super::branches::NewStage;
use crate::QueuePolicy;
use crate::control::{ControlError, Picture, Reply};
use crate::link::Input;

/// What the stage is called in a report that takes pictures for whoever asks.
const NAME: &str = "snapshot";

impl Live<'_, '_, '_> {
    /// Takes a picture of the next frame; the answer comes from the thread that waits for it.
    pub(super) fn snapshot(&mut self, from: &str, path: PathBuf, reply: Reply<Picture>) {
        match self.prepare(from, path) {
            Ok(camera) => {
                let stage = camera.stage;
                let begun = self.begin(stage, move || {
                    camera.take(reply);
                    Ok(())
                });
                if let Err(error) = begun {
                    tracing::warn!(%error, "no picture is taken");
                }
            }
            Err(error) => reply.give(Err(error)),
        }
    }

    fn prepare(&mut self, from: &str, path: PathBuf) -> Result<Snapshot, ControlError> {
        let output = self.seen_at(from)?;
        let domain = self.domain(output);
        let every = NonZeroU64::MIN;
        let config = PictureSinkConfig { path, every };
        let mut sink: Box<dyn RunSink> = Box::new(PictureSink::new(config.clone()));
        self.attach(&mut sink, NAME, (from, domain))?;
        let new = NewStage {
            name: NAME.to_owned(),
            device: None,
            held: 0,
            origin: Origin::Passing,
            controls: None,
        };
        let mut stages = self.roster.stages.iter();
        let known =
            stages.position(|stage| stage.origin == Origin::Passing && stage.name == new.name);
        let stage = known.unwrap_or_else(|| self.enter(new));
        // Each waits for frames of its own.
        self.roster.stages[stage].bell = Arc::default();
        // Of the frames that come, one is taken, and the newest will do.
        let input = self.join(output, stage, QueuePolicy::Latest)?;
        let meter = Arc::clone(&self.roster.stages[stage].meter);
        Ok(Snapshot {
            stage,
            from: from.to_owned(),
            config,
            sink,
            input,
            meter,
        })
    }

    /// The output whose frames a stage has: its own, or the one that leads there.
    fn seen_at(&self, name: &str) -> Result<OutputId, ControlError> {
        let stage = self.stage(name)?;
        if self.roster.stages[stage].orders.is_empty() {
            let mut links = self.roster.live_links();
            if let Some(link) = links.find(|link| link.to.stage == stage) {
                return Ok(link.from);
            }
        }
        self.output(name)
    }
}

/// What takes a picture.
struct Snapshot {
    stage: usize,
    from: String,
    config: PictureSinkConfig,
    sink: Box<dyn RunSink>,
    input: Input,
    meter: Arc<Meter>,
}

impl Snapshot {
    /// Waits for a frame, and writes it for whoever waits still.
    fn take(mut self, reply: Reply<Picture>) {
        let frame = next(&mut self.input);
        // One frame is kept at a time, while the picture is written.
        drop(self.input);
        let Some(frame) = frame else {
            return reply.give(Err(ControlError::Ended));
        };
        count(&self.meter.taken);
        if !reply.is_wanted() {
            return count(&self.meter.filtered);
        }
        let (layout, sequence) = (frame.layout(), frame.meta().sequence);
        let picture = Picture {
            path: self.config.path_of(sequence),
            sequence,
            width: layout.width(),
            height: layout.height(),
        };
        let shown = self.sink.show(frame);
        count(match shown {
            Ok(_) => &self.meter.shown,
            Err(_) => &self.meter.unseen,
        });
        self.sink.detach();
        reply.give(match shown {
            Ok(_when) => Ok(picture),
            Err(source) => Err(ControlError::Stage {
                stage: self.from,
                source,
            }),
        });
    }
}

/// Counts one more, where several threads count.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
