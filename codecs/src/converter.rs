//! A converter, which reads the frames of other stages' pools and writes into those of its own.
//!
//! Per frame there are four system calls and no allocation: `VIDIOC_QBUF` of what goes in and
//! `VIDIOC_DQBUF` of what comes out and of what went in, on the converter's thread, and
//! `VIDIOC_QBUF` of what comes out next, on the thread that lets go of a frame last. A wait is two
//! more: a `VIDIOC_DQBUF` that finds nothing, and `poll`.

use std::sync::{Arc, Weak};

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::{Layout, MAX_PLANES};
use dmaflow_core::stage::{
    Choice, Controls, Counter, DeviceKey, SourcePlan, StageError, Stopper, Transform,
};
use dmaflow_v4l2::{
    ControlValue, Dequeued, Feed, Function, Intake, VideoDevice, candidates, is_short,
};

use crate::error::V4l2ConverterError;
use crate::info::ConverterInfo;
use crate::m2m::{M2mDevice, Queues};

/// What a converter is to do; what is left out, it or its driver chooses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct V4l2ConverterConfig {
    /// Which converter: a path, or the name of a driver, card or bus; otherwise the first.
    pub device: Option<String>,
    /// The pixel format of what it makes; otherwise the best that the other end takes.
    pub format: Option<Format>,
    /// Width and height in pixels of what it makes; otherwise those of what comes in.
    pub size: Option<(u32, u32)>,
    /// Controls to set, by name.
    pub controls: Vec<(String, ControlValue)>,
}

/// What was counted since the last start.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    damaged: u64,
    short: u64,
}

impl Counts {
    /// Whether the driver made a whole picture; counts those that it did not.
    #[inline]
    fn whole(&mut self, dequeued: &Dequeued, damaged: bool, needed: &[u32; MAX_PLANES]) -> bool {
        if damaged {
            self.damaged += 1;
            return false;
        }
        let short = is_short(&dequeued.bytes_used, needed, dequeued.flags);
        self.short += u64::from(short);
        !short
    }
}

/// A hardware converter as a stage: frames of one format or size go in, those of another come
/// out.
///
/// Frames that the driver marks as damaged, or fills in part, are not sent and counted. After an
/// error it must be stopped before it can be started again.
#[derive(Debug)]
pub struct V4l2Converter {
    device: M2mDevice,
    running: bool,
    counts: Counts,
}

impl V4l2Converter {
    /// Opens the converter and asks it what it makes of what.
    ///
    /// *Needs:* read and write permission for its node, which the group `video` has.
    ///
    /// # Errors
    /// [`V4l2ConverterError::Device`] when there is no such converter or it cannot be opened;
    /// [`V4l2ConverterError::NothingKnown`].
    pub fn open(config: V4l2ConverterConfig) -> Result<Self, V4l2ConverterError> {
        Ok(Self {
            device: M2mDevice::open(Function::Converter, config, candidates, candidates)?,
            running: false,
            counts: Counts::default(),
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
}

impl Queues<'_> {
    /// Has the device make a picture of a frame, and waits for it; `None` when the flow was
    /// ended. The device is done with the frame then, whatever comes back.
    #[inline]
    fn convert(&self, frame: &Frame) -> Result<Option<Made>, StageError> {
        let Self { intake, feed } = self;
        let device = || intake.queue().device().to_string();
        let slot = intake
            .slot(frame)
            .ok_or_else(|| V4l2ConverterError::ForeignFrame { device: device() })?;
        if let Err(source) = intake.queue().enqueue(slot) {
            let device = device();
            return match feed.is_open() {
                true => Err(V4l2ConverterError::Queue {
                    device,
                    slot,
                    source,
                }
                .into()),
                false => Ok(None),
            };
        }
        let dequeued = match feed.take() {
            Ok(dequeued) => dequeued,
            Err(errno) => return self.interrupted(errno),
        };
        // Whatever comes now, letting go of it queues it again.
        let picture = feed.frame(dequeued.slot);
        match intake.queue().dequeue() {
            Ok(read) => Ok(Some(Made {
                picture,
                damaged: dequeued.damaged || read.damaged,
                dequeued,
            })),
            Err(errno) => self.interrupted(errno),
        }
    }

    /// Takes the frame back that went in, and says why nothing came out.
    #[cold]
    fn interrupted(&self, errno: Errno) -> Result<Option<Made>, StageError> {
        let why = self.feed.ended(errno);
        // Nobody may write into the frame while the device might still read it. What was let go
        // of by an error stays so until the next start.
        for halted in [self.intake.halt(), self.feed.halt()] {
            if let Err(error) = halted {
                // A device that is gone reads nothing any more.
                tracing::debug!(%error, "cannot end the flow");
            }
        }
        why?;
        Ok(None)
    }
}

/// What came out.
struct Made {
    /// `None` where somebody uses it already, which cannot be.
    picture: Option<Frame>,
    dequeued: Dequeued,
    /// The driver marked what came out as damaged, or what went in.
    damaged: bool,
}

/// Ends a converter's flow from another thread.
#[derive(Debug)]
struct Halt {
    intake: Weak<Intake>,
    feed: Weak<Feed>,
}

impl Stopper for Halt {
    fn stop(&self) {
        // The feed's gate first: who is woken then knows why.
        let feed = self.feed.upgrade().map(|feed| feed.halt());
        let intake = self.intake.upgrade().map(|intake| intake.halt());
        for halted in [feed, intake].into_iter().flatten() {
            if let Err(error) = halted {
                // A device that is gone has woken its waiter itself.
                tracing::debug!(%error, "cannot end the flow");
            }
        }
    }
}

impl Transform for V4l2Converter {
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

    fn output_size(&self) -> Option<(u32, u32)> {
        self.device.asked.size
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
        1
    }

    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.stop()?;
        let Queues { intake, feed } = self.device.queues()?;
        let stopper = Halt {
            intake: Arc::downgrade(intake),
            feed: Arc::downgrade(feed),
        };
        let started = intake.queue().stream_on().and_then(|()| feed.start());
        self.counts = Counts::default();
        self.running = true;
        if let Err(error) = started {
            if let Err(error) = self.stop() {
                tracing::debug!(%error, "cannot end a flow that did not begin");
            }
            return Err(error.into());
        }
        Ok(Arc::new(stopper))
    }

    fn transform(&mut self, frame: Frame, send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        let Some(made) = self.device.queues()?.convert(&frame)? else {
            return Ok(());
        };
        let known = frame.meta();
        // Its source can have it back.
        drop(frame);
        let Made {
            picture: Some(mut picture),
            dequeued,
            damaged,
        } = made
        else {
            return Ok(());
        };
        let needed = self.device.setup()?.needed;
        if self.counts.whole(&dequeued, damaged, &needed) {
            picture.set_meta(known);
            send(picture);
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        if !std::mem::take(&mut self.running) {
            return Ok(());
        }
        let Queues { intake, feed } = self.device.queues()?;
        for ended in [feed.settle(), intake.halt()] {
            match ended {
                // What is gone has stopped.
                Err(error) if !error.is_gone() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// `damaged`, `short`: pictures that were not sent. `requeue_failed`: frames that could not
    /// be queued again.
    fn counters(&self) -> Vec<Counter> {
        let requeue_failed = self.device.feed.as_ref().map(|feed| feed.requeue_failed());
        [
            ("damaged", self.counts.damaged),
            ("short", self.counts.short),
            ("requeue_failed", requeue_failed.unwrap_or_default()),
        ]
        .map(|(name, count)| Counter { name, count })
        .to_vec()
    }
}

impl Drop for V4l2Converter {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::frame::{FrameFlags, StampPoint};
    use dmaflow_core::time::Timestamp;
    use dmaflow_v4l2::StampClock;

    #[test]
    fn damaged_and_short_pictures_are_counted_once_and_not_sent() {
        let dequeued = |bytes| Dequeued {
            slot: 0,
            sequence: 0,
            at: Timestamp::default(),
            clock: StampClock::Copied,
            point: StampPoint::EndOfFrame,
            damaged: false,
            flags: FrameFlags::default(),
            bytes_used: [bytes, 0, 0, 0],
        };
        let mut counts = Counts::default();
        let mut whole = |bytes, damaged| counts.whole(&dequeued(bytes), damaged, &[100, 0, 0, 0]);
        assert!(whole(100, false) && whole(0, false));
        assert!(!whole(99, false) && !whole(100, true) && !whole(99, true));
        assert_eq!((counts.damaged, counts.short), (2, 1));
    }

    #[test]
    fn no_such_converter_says_so() {
        let config = V4l2ConverterConfig {
            device: Some("no such converter".to_owned()),
            ..V4l2ConverterConfig::default()
        };
        let error = V4l2Converter::open(config).unwrap_err().to_string();
        assert!(
            error.starts_with("no converter is called `no such converter`"),
            "{error}"
        );
    }
}
