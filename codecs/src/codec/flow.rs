//! A codec's queues while frames flow, and what comes out of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::frame::{Frame, FrameFlags, FrameMeta};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Outlet, StageError, Stopper};
use dmaflow_v4l2::{
    Dequeued, Direction, Event, Events, Feed, FormatRequest, Intake, VideoDevice, same_place,
};

use super::CodecRole;
use super::passing::Passing;
use crate::error::V4l2ConverterError;
use crate::setup::seen;

/// Both queues, for the thread that feeds, the one that takes, and whoever stops both.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) device: Arc<VideoDevice>,
    pub(super) role: CodecRole,
    pub(super) intake: Arc<Intake>,
    pub(super) feed: Arc<Feed>,
    /// Of a decoder: it tells when it has read what its pictures are like.
    pub(super) events: Option<Events>,
    /// How what comes out is agreed to lie.
    pub(super) writes: Layout,
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
    fn add(counter: &AtomicU64) {
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

    /// Waits until a decoder has read what its pictures are like, and has it fill frames if they
    /// are as agreed; whether it does.
    fn begin(&self) -> Result<bool, StageError> {
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
        self.take_up()?;
        let needs = self.device.min_buffers(Direction::Capture).unwrap_or(0);
        let has = self.feed.pool().len();
        if needs > has {
            return Err(V4l2ConverterError::TooFewPictures {
                device: self.device.to_string(),
                needs,
                has,
            }
            .into());
        }
        self.feed.start()?;
        if self.is_stopped() {
            // Perhaps before it was started.
            self.feed.halt()?;
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

    /// Sets what was agreed on again: a decoder that has read what its pictures are like proposes
    /// a format of its own.
    fn take_up(&self) -> Result<(), StageError> {
        self.check_size()?;
        let mut set = None;
        self.feed.renew(|| {
            let asked = FormatRequest::of(&self.writes);
            let asked = asked.map(|asked| self.device.set_format(Direction::Capture, &asked));
            set = asked.transpose()?;
            Ok(())
        })?;
        match set {
            Some(set) if !same_place(&self.seen(set.clone()), &self.writes) => {
                Err(StageError::failed(V4l2ConverterError::OtherPicture {
                    device: self.device.to_string(),
                    agreed: Box::new(self.writes.clone()),
                    found: Box::new(set),
                }))
            }
            _ => Ok(()),
        }
    }

    /// What is agreed to be seen of pictures that lie so.
    fn seen(&self, coded: Layout) -> Layout {
        seen(coded, (self.writes.width(), self.writes.height()))
    }

    /// Whether pictures still are as large as they were agreed to be.
    fn check_size(&self) -> Result<(), StageError> {
        // In a format that need not be one of ours.
        let found = self.device.visible_size()?;
        let agreed = (self.writes.width(), self.writes.height());
        if found == agreed {
            return Ok(());
        }
        // No change that could be agreed on anew: the link says what size there is, and nobody
        // tells it.
        Err(V4l2ConverterError::OtherSize {
            device: self.device.to_string(),
            agreed,
            found,
        }
        .into())
    }

    /// Whether the last frame is the last of all. A decoder ends what it has before pictures of
    /// another kind as well.
    #[cold]
    fn check_end(&self) -> Result<(), StageError> {
        if self.events.is_none() || self.finished.load(Ordering::Acquire) {
            return Ok(());
        }
        self.check_size()?;
        let found = self.device.code(Direction::Capture)?;
        let agreed = FormatRequest::of(&self.writes);
        if agreed.is_none_or(|agreed| agreed.code == found) {
            // The stream says itself that it ends.
            return Ok(());
        }
        Err(StageError::failed(V4l2ConverterError::OtherFormat {
            device: self.device.to_string(),
            agreed: self.writes.format().name(),
            found,
        }))
    }

    /// Why no frame came.
    #[cold]
    fn ended(&self, errno: Errno) -> Result<(), StageError> {
        if self.is_stopped() {
            return Ok(());
        }
        self.feed.ended(errno)?;
        Ok(())
    }

    /// What is known of a picture that was made.
    #[inline]
    fn known(&self, made: &Dequeued) -> FrameMeta {
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
        for halted in [self.feed.halt(), self.intake.halt()] {
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

/// Where what a codec makes comes out.
pub(super) struct CodecOutlet {
    flow: Arc<Flow>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The device may not know yet what its pictures are like.
    Before,
    Flowing,
    /// What was marked as the last one has come out.
    After,
}

impl CodecOutlet {
    pub(super) const fn new(flow: Arc<Flow>) -> Self {
        Self {
            flow,
            state: State::Before,
        }
    }
}

impl Outlet for CodecOutlet {
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        let flow = &*self.flow;
        if self.state == State::Before {
            if !flow.begin()? {
                return Ok(None);
            }
            self.state = State::Flowing;
        }
        while self.state == State::Flowing {
            let made = match flow.feed.take() {
                Ok(made) => made,
                Err(errno) => {
                    flow.ended(errno)?;
                    break;
                }
            };
            if made.flags.last {
                self.state = State::After;
            }
            // Whatever comes now, letting go of it queues it again.
            let Some(mut picture) = flow.feed.frame(made.slot) else {
                continue;
            };
            if made.damaged {
                Counts::add(&flow.counts.damaged);
                continue;
            }
            if made.bytes_used[0] == 0 {
                // Nothing but the mark of the end, or an encoder that left a picture out.
                continue;
            }
            picture.set_meta(flow.known(&made));
            return Ok(Some(picture));
        }
        match self.state == State::After && !flow.is_stopped() {
            true => flow.check_end().map(|()| None),
            false => Ok(None),
        }
    }
}
