//! A codec's queues while frames flow, and what comes out of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::frame::{FrameFlags, FrameMeta};
use dmaflow_core::stage::{StageError, Stopper};
use dmaflow_v4l2::{Dequeued, Event, Events, Intake, VideoDevice};

use super::CodecRole;
use super::passing::Passing;
use super::pictures::{CurrentPictures, Pictures};
use crate::error::V4l2ConverterError;

/// Both queues, for the thread that feeds, the one that takes, and whoever stops both.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) device: Arc<VideoDevice>,
    pub(super) role: CodecRole,
    pub(super) intake: Arc<Intake>,
    pub(super) pictures: CurrentPictures,
    /// Of a decoder: it tells when it has read what its pictures are like.
    pub(super) events: Option<Events>,
    pub(super) passing: Passing,
    pub(super) counts: Arc<Counts>,
    /// Set before anything is told to stop, so that who is woken knows why.
    pub(super) stopped: AtomicBool,
    /// Pictures are filled; of a decoder, it has read what they are like.
    pub(super) begun: AtomicBool,
    /// It was given all there is.
    pub(super) finished: AtomicBool,
}

/// How long a decoder that has been given all may take to tell what its pictures are like.
const HEADER_WITHIN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(5);

/// What was counted since the last start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) damaged: AtomicU64,
    /// Pictures of frames that never went in, as far as the driver says.
    pub(super) unknown: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        for counter in [&self.damaged, &self.unknown] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

impl Flow {
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Waits until a decoder has read what its pictures are like; whether it has.
    pub(super) fn header_read(&self) -> Result<bool, StageError> {
        let Some(events) = &self.events else {
            return Ok(true);
        };
        let told = events.wait();
        let device = || self.device.to_string();
        match told {
            _ if self.is_stopped() => return Ok(false),
            Some(Event::SourceChange) => {}
            Some(Event::Gone) => return Err(StageError::Gone { device: device() }),
            // It was called off after all had gone in, or cannot be waited for.
            None | Some(Event::EndOfStream) => {
                return Err(V4l2ConverterError::NoHeader { device: device() }.into());
            }
        }
        Ok(true)
    }

    /// Has frames filled; whether nobody has stopped it.
    pub(super) fn fill(&self, pictures: &Pictures) -> Result<bool, StageError> {
        pictures.feed.start()?;
        if self.is_stopped() {
            // Perhaps before it was started.
            pictures.feed.halt()?;
            return Ok(false);
        }
        self.begun.store(true, Ordering::Release);
        Ok(true)
    }

    /// No frame goes in any more. A decoder that has not told yet what its pictures are like is
    /// not waited for without end: no driver says that it found no header.
    pub(super) fn end_of_input(&self) {
        let Some(events) = &self.events else {
            return;
        };
        let patience = Instant::now() + HEADER_WITHIN;
        while !self.begun.load(Ordering::Acquire) && !self.is_stopped() && Instant::now() < patience
        {
            thread::sleep(LOOK);
        }
        events.call_off();
    }

    /// Why no frame came.
    #[cold]
    pub(super) fn ended(&self, errno: Errno) -> Result<(), StageError> {
        if self.is_stopped() {
            return Ok(());
        }
        self.pictures.get().feed.ended(errno)?;
        Ok(())
    }

    /// What is known of a picture that was made.
    #[inline]
    pub(super) fn known(&self, made: &Dequeued) -> FrameMeta {
        let known = self.passing.leave(made.at.as_nanos() / 1000);
        if known.is_none() {
            Counts::add(&self.counts.unknown);
        }
        FrameMeta {
            bytes_used: (self.role == CodecRole::Encoder).then_some(made.bytes_used[0]),
            flags: FrameFlags {
                key: made.flags.key,
                last: false,
            },
            ..known.unwrap_or_default()
        }
    }
}

impl Stopper for Flow {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(events) = &self.events {
            events.call_off();
        }
        for halted in [self.pictures.get().feed.halt(), self.intake.halt()] {
            if let Err(error) = halted {
                // A device that is gone has woken its waiters itself.
                tracing::debug!(%error, "cannot end the flow");
            }
        }
    }
}

/// Stops a flow that there still is, from any thread.
#[derive(Debug)]
pub(super) struct Halt(pub(super) Weak<Flow>);

impl Stopper for Halt {
    fn stop(&self) {
        if let Some(flow) = self.0.upgrade() {
            flow.stop();
        }
    }
}
