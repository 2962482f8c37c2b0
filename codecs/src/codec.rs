//! A stateful codec: compressed frames of pictures, or pictures of compressed frames.
//!
//! ```text
//!   the stage's thread                                    the outlet's thread
//!   transform: QBUF ──▶ OUTPUT ─┐            ┌─▶ CAPTURE ──DQBUF──▶ links
//!      ▲                        ▼            │       ▲
//!      └── DQBUF when enough ── the device ──┘       └── QBUF, from whoever lets go last
//! ```
//!
//! A device keeps frames, and may change their order: what is known of them goes past it by their
//! stamps. Per frame there are four system calls, two more for each wait (a `VIDIOC_DQBUF` that
//! finds nothing, and `poll`), and no allocation. The sequences are those of
//! `Documentation/userspace-api/media/v4l/dev-decoder.rst` and `dev-encoder.rst`.

mod flow;
mod outlet;
mod passing;
mod pictures;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Choice, Controls, Counter, DeviceKey, Outlet, SourcePlan, StageError, Stopper, Transform,
};
use dmaflow_v4l2::{ControlValue, Events, Function, VideoDevice, candidates, compressed};

use crate::converter::V4l2ConverterConfig;
use crate::error::V4l2ConverterError;
use crate::info::{Choose, ConverterInfo};
use crate::m2m::{M2mDevice, Queues};
use flow::{Counts, Flow, Halt};
use outlet::CodecOutlet;
use passing::Passing;
use pictures::{CurrentPictures, Pictures};

/// Frames that a device has to read from, or has read: one at work, one to go on with.
const IN_WORK: usize = 2;

/// What a codec is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecRole {
    /// Pictures go in, a compressed stream comes out.
    Encoder,
    /// A compressed stream goes in, pictures come out.
    Decoder,
}

impl CodecRole {
    const fn function(self) -> Function {
        match self {
            Self::Encoder => Function::Encoder,
            Self::Decoder => Function::Decoder,
        }
    }
}

/// Which codec, and what it is to do; what is left out, it or its driver chooses.
#[derive(Clone, Debug, PartialEq)]
pub struct V4l2CodecConfig {
    /// What it is to do.
    pub role: CodecRole,
    /// Which device: a path, or the name of a driver, card or bus; otherwise the first that does
    /// it.
    pub device: Option<String>,
    /// The format of what it makes; otherwise the best that the other end takes.
    pub format: Option<Format>,
    /// Controls to set, by name.
    pub controls: Vec<(String, ControlValue)>,
}

impl V4l2CodecConfig {
    /// The first device that does this.
    #[must_use]
    pub const fn new(role: CodecRole) -> Self {
        Self {
            role,
            device: None,
            format: None,
            controls: Vec::new(),
        }
    }
}

/// A hardware codec as a stage, which keeps frames and gives its own at an outlet.
///
/// Frames that the driver marks as damaged are not sent and counted. After an error it must be
/// stopped before it can be started again.
#[derive(Debug)]
pub struct V4l2Codec {
    device: M2mDevice,
    role: CodecRole,
    flow: Option<Arc<Flow>>,
    /// What the device reads, or has read, by the slots of the queue.
    in_work: InWork,
    counts: Arc<Counts>,
}

impl V4l2Codec {
    /// Opens the codec and asks it what it makes of what.
    ///
    /// *Needs:* read and write permission for its node, which the group `video` has.
    ///
    /// # Errors
    /// [`V4l2ConverterError::Device`] when there is no such codec or it cannot be opened;
    /// [`V4l2ConverterError::NothingKnown`].
    pub fn open(config: V4l2CodecConfig) -> Result<Self, V4l2ConverterError> {
        let V4l2CodecConfig {
            role,
            device,
            format,
            controls,
        } = config;
        let asked = V4l2ConverterConfig {
            device,
            format,
            size: None,
            controls,
        };
        let (from, to): (Choose, Choose) = match role {
            CodecRole::Encoder => (candidates, compressed),
            CodecRole::Decoder => (compressed, candidates),
        };
        Ok(Self {
            device: M2mDevice::open(role.function(), asked, from, to)?,
            role,
            flow: None,
            in_work: InWork::default(),
            counts: Arc::default(),
        })
    }

    /// What it can do.
    #[must_use]
    pub const fn info(&self) -> &ConverterInfo {
        &self.device.info
    }

    /// Lets go of a side's frames, which needs the flow to have ended.
    fn end(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "cannot end the flow before letting go of the frames");
        }
    }

    fn begin(&mut self) -> Result<Arc<Flow>, StageError> {
        let Queues { intake, feed } = self.device.queues()?;
        let video = &self.device.video;
        let events = match self.role {
            CodecRole::Encoder => None,
            CodecRole::Decoder => Events::subscribe(video, 0)?,
        };
        let flow = Flow {
            device: Arc::clone(video),
            role: self.role,
            intake: Arc::clone(intake),
            pictures: CurrentPictures::new(Pictures {
                feed: Arc::clone(feed),
                writes: self.device.setup()?.writes.clone(),
            }),
            events,
            passing: Passing::new(),
            counts: Arc::clone(&self.counts),
            stopped: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            finished: AtomicBool::new(false),
        };
        self.in_work = InWork::of(intake.queue().len());
        flow.intake.queue().stream_on()?;
        // Who makes no pictures before it knows what they are like is started then.
        if flow.events.is_none() {
            feed.start()?;
        }
        Ok(Arc::new(flow))
    }
}

/// The frames that a device reads, by slot.
#[derive(Debug, Default)]
struct InWork {
    frames: Vec<Option<Frame>>,
    count: usize,
}

impl InWork {
    fn of(slots: usize) -> Self {
        Self {
            frames: (0..slots).map(|_slot| None).collect(),
            count: 0,
        }
    }

    fn put(&mut self, slot: usize, frame: Frame) {
        if let Some(place) = self.frames.get_mut(slot)
            && place.replace(frame).is_none()
        {
            self.count += 1;
        }
    }

    fn let_go(&mut self, slot: usize) {
        if self.frames.get_mut(slot).and_then(Option::take).is_some() {
            self.count -= 1;
        }
    }
}

impl Transform for V4l2Codec {
    fn device(&self) -> String {
        self.device.video.to_string()
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(self.device.video.capabilities().key())
    }

    fn controls(&self) -> Option<Arc<dyn Controls>> {
        Some(Arc::<VideoDevice>::clone(&self.device.video))
    }

    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(self.device.input_formats())
    }

    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        Ok(self.device.output_formats(input))
    }

    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError> {
        self.end();
        self.device.configure(input, output)
    }

    fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.stop()?;
        self.device.attach_input(pool)
    }

    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.end();
        self.device.attach_output(pool)
    }

    fn detach_input(&mut self) {
        self.end();
        self.device.intake = None;
    }

    fn detach_output(&mut self) {
        self.end();
        self.device.feed = None;
    }

    fn frames_held(&self) -> usize {
        IN_WORK
    }

    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.stop()?;
        self.counts.clear();
        match self.begin() {
            Ok(flow) => {
                let halt = Halt(Arc::downgrade(&flow));
                self.flow = Some(flow);
                Ok(Arc::new(halt))
            }
            Err(error) => {
                let feed = self.device.feed.as_ref().map(|feed| feed.settle());
                let intake = self.device.intake.as_ref().map(|intake| intake.halt());
                for error in [feed, intake].into_iter().flatten().filter_map(Result::err) {
                    tracing::debug!(%error, "cannot end a flow that did not begin");
                }
                Err(error)
            }
        }
    }

    /// Hands a frame over; waits for the device where it has enough of them.
    fn transform(&mut self, frame: Frame, _send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        let Some(flow) = &self.flow else {
            return Err(self.device.phase("start it"));
        };
        let device = || flow.device.to_string();
        let slot = flow
            .intake
            .slot(&frame)
            .ok_or_else(|| V4l2ConverterError::ForeignFrame { device: device() })?;
        let known = frame.meta();
        let stamp = flow.passing.enter(known);
        let queue = flow.intake.queue();
        if let Err(source) = queue.submit(slot, known.bytes_used, stamp) {
            return match flow.is_stopped() {
                true => Ok(()),
                false => Err(V4l2ConverterError::Queue {
                    device: device(),
                    slot,
                    source,
                }
                .into()),
            };
        }
        self.in_work.put(slot, frame);
        while self.in_work.count >= IN_WORK {
            match queue.dequeue() {
                Ok(read) => self.in_work.let_go(read.slot),
                Err(errno) => return flow.ended(errno),
            }
        }
        Ok(())
    }

    fn outlet(&mut self) -> Option<Box<dyn Outlet>> {
        let flow = Arc::clone(self.flow.as_ref()?);
        Some(Box::new(CodecOutlet::new(flow)))
    }

    fn finish(&mut self) -> Result<(), StageError> {
        let Some(flow) = &self.flow else {
            return Ok(());
        };
        // One at least stays in work from the first frame on.
        if self.in_work.count == 0 {
            // Nothing will come out, and not every driver says so.
            flow.stop();
            return Ok(());
        }
        // Before the mark that tells of it can come out.
        flow.finished.store(true, Ordering::Release);
        // What is told to end before its pictures are set up may forget it with that.
        flow.end_of_input();
        let done = match self.role {
            CodecRole::Encoder => flow.device.drain_encoder(),
            CodecRole::Decoder => flow.device.drain_decoder(),
        };
        done.map_err(StageError::from)
    }

    fn stop(&mut self) -> Result<(), StageError> {
        let Some(flow) = self.flow.take() else {
            return Ok(());
        };
        flow.stopped.store(true, Ordering::Release);
        let mut outcome = Ok(());
        let pictures = flow.pictures.get();
        for ended in [pictures.feed.settle(), flow.intake.halt()] {
            match ended {
                // What is gone has stopped.
                Err(error) if !error.is_gone() => outcome = outcome.and(Err(error.into())),
                _ => {}
            }
        }
        // What comes next begins with what this one ended with.
        self.device.feed = Some(pictures.feed);
        self.device.renewed(pictures.writes);
        // The device reads nothing any more.
        self.in_work = InWork::default();
        outcome
    }

    /// `damaged`: pictures that were not sent. `unknown`: pictures of which the driver does not
    /// say what they were made of. `requeue_failed`: frames that could not be queued again.
    fn counters(&self) -> Vec<Counter> {
        let requeue_failed = self.device.feed.as_ref().map(|feed| feed.requeue_failed());
        [
            ("damaged", self.counts.damaged.load(Ordering::Relaxed)),
            ("unknown", self.counts.unknown.load(Ordering::Relaxed)),
            ("requeue_failed", requeue_failed.unwrap_or_default()),
        ]
        .map(|(name, count)| Counter { name, count })
        .to_vec()
    }
}

impl Drop for V4l2Codec {
    fn drop(&mut self) {
        self.end();
    }
}
