//! The display as a stage.

use std::mem;
use std::time::Duration;

use dmaflow_core::Errno;
use dmaflow_core::caps::{Cap, Caps, MemoryNeeds, Set, Strides};
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Choice, Counter, DeviceKey, FLIPS_KEPT, Sink, StageError};
use dmaflow_core::time::{Clock, Timestamp};
use drm::DriverCapability;

use crate::attach::{Attached, formats};
use crate::card::Card;
use crate::config::KmsSinkConfig;
use crate::error::KmsSinkError;
use crate::flip::Events;
use crate::output::Output;
use crate::props::{Request, flags};
use crate::state::Snapshot;
use crate::writeback::{Verified, Verifier};

/// A screen that shows frames where they lie.
///
/// What it showed before is put back by [`Sink::stop`] and when the sink is dropped, also by a
/// panic.
///
/// The kernel takes a commit that does not wait only when the one before has come into view,
/// and refuses it with EBUSY otherwise. So events are read many at once, to know when frames
/// came into view, and waited for only where a frame comes too soon.
///
/// *Needs:* a card with atomic mode setting that no other program controls.
///
/// # Invariants
/// The screen is as it was found while neither `shown` nor `coming` is there. A frame leaves
/// `shown` only when a flip has replaced it, or when the screen was put back.
#[derive(Debug)]
pub struct KmsSink {
    config: KmsSinkConfig,
    before: Snapshot,
    /// A frame that came into view.
    shown: Option<Frame>,
    /// The frame that was committed last, which may be in view or not.
    coming: Option<Frame>,
    /// Whether `coming` is to be compared with what is written back.
    watched: bool,
    attached: Option<Attached>,
    events: Events,
    /// Commits whose flips are still to be read.
    unread: usize,
    /// Flips that nobody has asked for yet.
    flipped: Vec<Timestamp>,
    /// When the commit that set the mode was made and when it was done, until its flip is read.
    lit: Option<(Timestamp, Timestamp)>,
    /// Whether flips are stamped on [`Clock::Monotonic`], as all drivers do since Linux 4.15.
    monotonic: bool,
    verified: Verified,
    output: Output,
}

impl KmsSink {
    /// Takes control of a display; nothing is shown yet.
    ///
    /// # Errors
    /// [`KmsSinkError`], with what to do about it.
    pub fn open(config: KmsSinkConfig) -> Result<Self, KmsSinkError> {
        let output = Output::open(&config)?;
        Ok(Self {
            before: Snapshot::take(&output)?,
            shown: None,
            coming: None,
            watched: false,
            attached: None,
            events: Events::new(),
            unread: 0,
            flipped: Vec::with_capacity(FLIPS_KEPT),
            lit: None,
            monotonic: output.card.capability(DriverCapability::MonotonicTimestamp) != 0,
            verified: Verified::default(),
            config,
            output,
        })
    }

    fn is_idle(&self) -> bool {
        self.shown.is_none() && self.coming.is_none()
    }

    /// Waits until the frame that was committed last is in view, lets the one before it go, and
    /// compares where due.
    #[cold]
    fn settle(&mut self) -> Result<(), KmsSinkError> {
        while self.unread > 0 {
            self.read_flips(Events::wait)?;
        }
        let Some(in_view) = self.coming.take() else {
            return Ok(());
        };
        let frame = self.shown.insert(in_view);
        if mem::take(&mut self.watched)
            && let Some(attached) = &mut self.attached
            && let Some(verifier) = &mut attached.verifier
        {
            verifier.verify(&self.output, frame, &mut self.verified)?;
        }
        Ok(())
    }

    fn read_flips(
        &mut self,
        how: fn(&mut Events, &Card, u32, &mut Vec<Timestamp>) -> Result<usize, KmsSinkError>,
    ) -> Result<(), KmsSinkError> {
        let (known, crtc) = (self.flipped.len(), self.output.crtc.object());
        let count = how(&mut self.events, &self.output.card, crtc, &mut self.flipped)?;
        self.unread = self.unread.saturating_sub(count);
        if !self.monotonic {
            self.flipped[known..].fill(Clock::Monotonic.now());
        }
        // While a mode is set no rows are sent, and the event bears the stamp of a row sent
        // before, or none: the commit that waited for the mode tells better.
        if let Some((committed, lit)) = self.lit.take_if(|_| count > 0)
            && (!self.monotonic || self.flipped[known] < committed)
        {
            self.flipped[known] = lit;
        }
        Ok(())
    }

    /// Commits a frame with all that goes with it: the first one with the mode, and one that is
    /// to be compared with an order to write back what is shown.
    #[cold]
    fn commit(&mut self, frame: &Frame) -> Result<Timestamp, KmsSinkError> {
        self.settle()?;
        let first = self.is_idle();
        let card = &self.output.card;
        let Some((attached, framebuffer)) = find(&mut self.attached, frame) else {
            return Err(KmsSinkError::NotAttached);
        };
        let target = attached.scene.framebuffer;
        let (mut request, how) = if first {
            // What a run before left unread is not about these frames.
            self.events.discard(card)?;
            self.verified = Verified::default();
            attached.verifier.iter_mut().for_each(Verifier::restart);
            (
                attached.scene.modeset.clone(),
                flags::EVENT | flags::MODESET,
            )
        } else {
            (Request::default(), flags::EVENT | flags::NONBLOCK)
        };
        request.set(target, framebuffer);
        let verifier = attached.verifier.as_mut();
        self.watched = verifier.is_some_and(|verifier| verifier.watch(&mut request));

        let committed = Clock::Monotonic.now();
        let mut done = request.commit(card, how);
        if done == Err(Errno::EBUSY) {
            // The kernel is busy with a change that is not ours: a blocking commit waits.
            done = request.commit(card, how & !flags::NONBLOCK);
        }
        done.map_err(|errno| card.refused("a frame", errno))?;
        if first {
            self.lit = Some((committed, Clock::Monotonic.now()));
        }
        Ok(committed)
    }

    /// Commits a frame in the place of the one before. Allocates nothing.
    fn flip(&mut self, frame: &Frame) -> Result<Timestamp, KmsSinkError> {
        let Some((attached, framebuffer)) = find(&mut self.attached, frame) else {
            return Err(KmsSinkError::NotAttached);
        };
        let target = attached.scene.framebuffer;
        let mut how = flags::EVENT | flags::NONBLOCK;
        loop {
            let committed = Clock::Monotonic.now();
            match target.commit(&self.output.card, framebuffer, how) {
                Ok(()) => return Ok(committed),
                // The one before is not in view yet. Should the kernel be busy with a change
                // that is not ours, a blocking commit waits for that as well.
                Err(Errno::EBUSY) if how & flags::NONBLOCK != 0 => {
                    self.settle()?;
                    how &= !flags::NONBLOCK;
                }
                Err(errno) => return Err(self.output.card.refused("a frame", errno)),
            }
        }
    }
}

/// The framebuffer of a frame.
fn find<'a>(attached: &'a mut Option<Attached>, frame: &Frame) -> Option<(&'a mut Attached, u64)> {
    let attached = attached.as_mut()?;
    let framebuffer = attached.pools.framebuffer(frame)?;
    Some((attached, framebuffer))
}

impl Sink for KmsSink {
    fn device(&self) -> String {
        self.output.label()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.output.key()
    }

    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(Some(formats(&self.output, &self.config)))
    }

    /// Displays divide strides or round them up without looking, see [`check`](crate::framebuffer::check).
    fn caps(&mut self) -> Result<Caps, StageError> {
        Ok(Caps(vec![Cap {
            formats: Set::Of(formats(&self.output, &self.config)),
            strides: Strides::padded(4, u32::MAX),
            whole_pixels: true,
            memory: MemoryNeeds::of(true),
            ..Cap::any()
        }]))
    }

    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        let attached = match &mut self.attached {
            Some(attached) => {
                attached.add(&self.output, pool)?;
                attached
            }
            none => none.insert(Attached::new(&self.output, &self.config, pool)?),
        };
        Ok(attached.choices())
    }

    fn detach(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "the display was not stopped well");
        }
        self.attached = None;
    }

    /// The frame in view, and the one that was committed.
    fn frames_held(&self) -> usize {
        2
    }

    /// As a rule a commit comes into view with the next refresh. While frames are compared each
    /// is waited for, and each where the card's stamps cannot tell when it came.
    fn settles_within(&self) -> Option<Duration> {
        let attached = self.attached.as_ref()?;
        (self.monotonic && attached.verifier.is_none()).then(|| attached.mode.interval() * 5 / 4)
    }

    fn ready(&mut self) -> Result<(), StageError> {
        Ok(self.settle()?)
    }

    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        let committed = if self.is_idle() || self.config.verify.is_some() {
            self.commit(&frame)?
        } else {
            self.flip(&frame)?
        };
        self.unread += 1;
        // That the kernel took it says that the one before is in view.
        if let Some(in_view) = self.coming.replace(frame) {
            self.shown = Some(in_view);
        }
        Ok(committed)
    }

    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        if self.unread > 0 {
            self.read_flips(Events::take)?;
        }
        flipped.append(&mut self.flipped);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        if self.is_idle() {
            return Ok(());
        }
        let settled = self.settle();
        let restored = self.before.restore(&self.output.card);
        (self.shown, self.coming) = (None, None);
        (self.unread, self.lit) = (0, None);
        self.flipped.clear();
        restored?;
        settled?;
        Ok(())
    }

    fn counters(&self) -> Vec<Counter> {
        match self.config.verify {
            Some(_every) => self.verified.counters(),
            None => Vec::new(),
        }
    }
}

impl Drop for KmsSink {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "the display could not be left as it was found");
        }
    }
}
