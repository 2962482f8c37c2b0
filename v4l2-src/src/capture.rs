//! A camera, which writes into a pool's frames.
//!
//! Per frame there are two system calls and no allocation: `VIDIOC_DQBUF` on the source's
//! thread, and `VIDIOC_QBUF` on the thread that lets go of the frame last.

mod sequence;
mod setup;
mod signal;
mod stamp;

use std::sync::Arc;
use std::time::Duration;

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::stage::{Controls, Counter, DeviceKey, Source, SourcePlan, StageError, Stopper};
use dmaflow_core::time::{Clock, Rate};
use dmaflow_v4l2::media::{MediaCamera, MediaConfig, MediaSetup};
use dmaflow_v4l2::{
    Candidate, ControlValue, Dequeued, Direction, Feed, Function, V4l2Error, VideoDevice, is_short,
};

use crate::error::V4l2SrcError;
use sequence::Sequence;
use setup::Setup;
use signal::{Signal, Told};
use stamp::StampCheck;

/// What a camera is to deliver; what is left out, it or its driver chooses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct V4l2SrcConfig {
    /// Which camera: a path, or the name of a driver, card or bus; otherwise the first.
    pub device: Option<String>,
    /// Which of its inputs, by name or number; otherwise the one that it is set to.
    pub input: Option<String>,
    /// The pixel format; otherwise the best that the other end of the pipeline takes.
    pub format: Option<Format>,
    /// Width and height in pixels; otherwise what the camera is set to.
    pub size: Option<(u32, u32)>,
    /// Frames a second; otherwise what the camera is set to.
    pub rate: Option<Rate>,
    /// Controls to set, by name: on the camera's node, or on whatever between sensor and node
    /// has them.
    pub controls: Vec<(String, ControlValue)>,
    /// What of the way from the sensor to the camera's node is set by hand; otherwise all of it
    /// is found where it is needed.
    pub media: Option<MediaConfig>,
}

/// What was counted since the last start.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    lost: u64,
    damaged: u64,
    short: u64,
}

impl Counts {
    #[cold]
    fn unusable(&mut self, frame: &Dequeued) {
        if frame.damaged {
            self.damaged += 1;
        } else {
            self.short += 1;
        }
    }
}

/// A camera as a source of frames.
///
/// Frames that the driver marks as damaged, or fills in part, are queued again and counted.
/// Links and formats between a sensor and the camera's node are set up as they are needed, and
/// put back when the source is dropped.
#[derive(Debug)]
pub struct V4l2Src {
    device: Arc<VideoDevice>,
    config: V4l2SrcConfig,
    /// What is behind the node, where it is not all of the camera.
    behind: Option<MediaCamera>,
    /// Its formats that have pixels, as it listed them last; the driver has the last word.
    usable: Vec<Candidate>,
    setup: Option<Setup>,
    /// Of an input whose signal has timings of its own.
    signal: Option<Signal>,
    /// Of a pool whose frames the driver knows.
    feed: Option<Arc<Feed>>,
    /// After the feed: links in use cannot be put back.
    media: Option<MediaSetup>,
    running: bool,
    sequence: Sequence,
    stamps: StampCheck,
    counts: Counts,
}

impl V4l2Src {
    /// Opens the camera. Nothing is set yet.
    ///
    /// *Needs:* read and write permission for its node, which the group `video` has.
    ///
    /// # Errors
    /// [`V4l2SrcError::Device`] when there is no such camera or it cannot be opened;
    /// [`V4l2SrcError::Media`] when no sensor can be linked to it.
    pub fn open(config: V4l2SrcConfig) -> Result<Self, V4l2SrcError> {
        let device = VideoDevice::open_matching(config.device.as_deref(), Function::Camera)?;
        tracing::debug!(%device, "opened");
        let device = Arc::new(device);
        let behind = MediaCamera::behind(&device, config.media.as_ref())?;
        Ok(Self {
            device,
            config,
            behind,
            media: None,
            usable: Vec::new(),
            setup: None,
            signal: None,
            feed: None,
            running: false,
            sequence: Sequence::default(),
            stamps: StampCheck::default(),
            counts: Counts::default(),
        })
    }

    fn phase(&self, missing: &'static str) -> StageError {
        let device = self.device.to_string();
        V4l2Error::Phase { device, missing }.into()
    }

    /// Has the receiver follow the signal on its input, where it has one with timings.
    fn receive(&mut self) -> Result<(), V4l2SrcError> {
        // Its subscription ends before the next one begins.
        self.signal = None;
        let input = signal::choose_input(&self.device, &self.config)?;
        if let Some(input) = input.filter(|input| input.has_timings) {
            self.signal = Some(Signal::follow(&self.device, input)?);
        }
        Ok(())
    }

    /// What changed, where that is why no frame comes.
    #[cold]
    fn change(&self, errno: Errno) -> Option<StageError> {
        let signal = self.signal.as_ref()?;
        let what = match (signal.told(), errno) {
            (Told::Changed, _) if self.device.is_gone() => return None,
            (Told::Changed, _) => signal
                .change(&self.device)
                .unwrap_or_else(|| "it was away for a moment".to_owned()),
            // The driver may give up before it tells why.
            (Told::Nothing, Errno::EIO) => signal.change(&self.device)?,
            _ => return None,
        };
        Some(StageError::Changed {
            device: self.device.to_string(),
            what,
        })
    }
}

impl Source for V4l2Src {
    fn device(&self) -> String {
        self.device.to_string()
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(self.device.capabilities().key())
    }

    fn controls(&self) -> Option<Arc<dyn Controls>> {
        Some(Arc::<VideoDevice>::clone(&self.device))
    }

    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        // What an input offers may depend on its signal; a driver keeps both while it has
        // buffers.
        if self.feed.is_none() {
            self.receive()?;
        }
        let usable = setup::usable(&self.device)?;
        let (behind, config) = (self.behind.as_ref(), &self.config);
        let candidates = setup::candidates(&self.device, &usable, behind, config);
        self.usable = usable;
        let candidates = candidates?;
        Ok(candidates
            .iter()
            .map(|candidate| candidate.format)
            .collect())
    }

    fn size(&mut self) -> Result<Option<(u32, u32)>, StageError> {
        if self.config.size.is_some() {
            return Ok(self.config.size);
        }
        let size = match &self.behind {
            // What the node is set to says nothing of its sensor.
            Some(behind) => behind.size().map_err(V4l2SrcError::from)?,
            None => self.device.size(Direction::Capture)?,
        };
        Ok(Some(size))
    }

    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError> {
        // A driver keeps its format while it has buffers.
        self.detach();
        self.setup = None;
        self.receive()?;
        // What was there before it is what the next one finds.
        self.media = None;
        if self.usable.is_empty() {
            self.usable = setup::usable(&self.device)?;
        }
        let candidate = setup::candidate(&self.device, &self.usable, format)?;
        let (media, choice) = setup::media(self.behind.as_ref(), &self.config, candidate)
            .map_err(StageError::from)?
            .unzip();
        self.media = media;
        let timings = self.signal.as_ref().and_then(Signal::timings);
        let (setup, choices) = setup::configure(
            &self.device,
            self.media.as_mut(),
            &self.config,
            candidate,
            timings,
        )?;
        let choices = choice.into_iter().chain(choices).collect();
        tracing::debug!(device = %self.device, layout = %setup.layout, "configured");
        let plan = SourcePlan {
            layout: setup.layout.clone(),
            rate: setup.rate,
            min_buffers: setup.min_buffers,
            choices,
        };
        self.setup = Some(setup);
        Ok(plan)
    }

    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.detach();
        let Some(setup) = &self.setup else {
            return Err(self.phase("configure it"));
        };
        let feed = Feed::attach(&self.device, &setup.layout, setup.min_buffers, pool)?;
        self.feed = Some(feed);
        Ok(())
    }

    fn detach(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "cannot end the flow before letting go of the frames");
        }
        self.feed = None;
    }

    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.stop()?;
        let Some(feed) = &self.feed else {
            return Err(self.phase("attach a pool"));
        };
        self.sequence = Sequence::default();
        self.stamps = StampCheck::default();
        self.counts = Counts::default();
        let (started, stopper) = (feed.start(), feed.stopper());
        self.running = true;
        let started = started.map_err(StageError::from).and_then(|()| {
            let Some(signal) = &mut self.signal else {
                return Ok(());
            };
            let watched = signal.watch(&self.device, Arc::clone(&stopper));
            watched.map_err(StageError::from)
        });
        if let Err(error) = started {
            if let Err(error) = self.stop() {
                tracing::debug!(%error, "cannot end a flow that did not begin");
            }
            return Err(error);
        }
        Ok(stopper)
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        let (Some(feed), Some(setup)) = (&self.feed, &self.setup) else {
            return Err(self.phase("attach a pool"));
        };
        loop {
            let frame = match feed.take() {
                Ok(frame) => frame,
                Err(errno) => {
                    if let Some(changed) = self.change(errno) {
                        return Err(changed);
                    }
                    feed.ended(errno)?;
                    return Ok(None);
                }
            };
            let dequeued = Clock::Monotonic.now();
            let step = self.sequence.advance(frame.sequence);
            self.counts.lost += step.lost;
            let Some(mut picture) = feed.frame(frame.slot) else {
                // Its last user will have it queued again.
                continue;
            };
            if frame.damaged || is_short(&frame.bytes_used, &setup.needed, frame.flags) {
                // Letting go of it queues it again.
                self.counts.unusable(&frame);
                continue;
            }
            let capture = self
                .stamps
                .check(&frame, dequeued, || Clock::Boottime.now());
            picture.set_meta(FrameMeta {
                sequence: step.number,
                capture,
                dequeued: Some(dequeued),
                flags: frame.flags,
                bytes_used: None,
            });
            return Ok(Some(picture));
        }
    }

    fn stop(&mut self) -> Result<(), StageError> {
        let Some(feed) = self.feed.as_ref().filter(|_| self.running) else {
            return Ok(());
        };
        self.running = false;
        if let Some(signal) = &mut self.signal {
            signal.call_off();
        }
        match feed.settle() {
            // What is gone has stopped.
            Err(error) if !error.is_gone() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// `lost`: gaps in the driver's count. `damaged`, `short`: frames that were queued again.
    /// `requeue_failed`: frames that could not be. `clock_corrected`: stamps of another clock
    /// than they claim. `stamped_ahead`, `stamp_lead_us_max`: stamps after their dequeue, and by
    /// how many microseconds at most.
    fn counters(&self) -> Vec<Counter> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let requeue_failed = self.feed.as_ref().map(|feed| feed.requeue_failed());
        [
            ("lost", self.counts.lost),
            ("damaged", self.counts.damaged),
            ("short", self.counts.short),
            ("requeue_failed", requeue_failed.unwrap_or_default()),
            ("clock_corrected", self.stamps.clock_corrected),
            ("stamped_ahead", self.stamps.ahead),
            ("stamp_lead_us_max", micros(self.stamps.longest_lead)),
        ]
        .map(|(name, count)| Counter { name, count })
        .to_vec()
    }
}

impl Drop for V4l2Src {
    fn drop(&mut self) {
        self.detach();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_such_camera_says_so() {
        let config = V4l2SrcConfig {
            device: Some("no such camera".to_owned()),
            ..V4l2SrcConfig::default()
        };
        let error = V4l2Src::open(config).unwrap_err().to_string();
        assert!(
            error.starts_with("no camera is called `no such camera`"),
            "{error}"
        );
    }
}
