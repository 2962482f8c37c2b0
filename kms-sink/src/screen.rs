//! A display under our control: commits, when they came into view, and what was there before.

use dmaflow_core::Errno;
use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{FLIPS_KEPT, StageError};
use dmaflow_core::time::{Clock, Timestamp};
use drm::DriverCapability;

use crate::card::Card;
use crate::error::KmsSinkError;
use crate::flip::Events;
use crate::output::{Output, Wanted};
use crate::props::{Request, flags};
use crate::state::Snapshot;

/// The frames that a plane shows and will show next.
///
/// # Invariants
/// A frame leaves `shown` only when a flip has replaced it, or when the screen was put back.
#[derive(Debug, Default)]
pub(crate) struct OnPlane {
    /// A frame that came into view.
    shown: Option<Frame>,
    /// The frame that was committed last, which may be in view or not.
    coming: Option<Frame>,
}

impl OnPlane {
    /// What was committed last is in view: what it replaced is let go.
    pub(crate) fn in_view(&mut self) {
        if let Some(in_view) = self.coming.take() {
            self.shown = Some(in_view);
        }
    }

    /// A frame was committed, and what was committed before is in view.
    pub(crate) fn committed(&mut self, frame: Frame) {
        if let Some(in_view) = self.coming.replace(frame) {
            self.shown = Some(in_view);
        }
    }

    pub(crate) fn shown(&self) -> Option<&Frame> {
        self.shown.as_ref()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shown.is_none() && self.coming.is_none()
    }
}

/// An output, with what it showed before us.
///
/// The kernel takes a commit that does not wait only when the one before has come into view,
/// and refuses it with EBUSY otherwise. So events are read many at once, to know when frames
/// came into view, and waited for only where a frame comes too soon.
#[derive(Debug)]
pub(crate) struct Screen {
    before: Snapshot,
    events: Events,
    /// Commits whose flips are still to be read.
    unread: usize,
    /// Flips that nobody has asked for yet.
    flipped: Vec<Timestamp>,
    /// When the commit that set the mode was made and when it was done, until its flip is read.
    lit: Option<(Timestamp, Timestamp)>,
    /// Whether flips are stamped on [`Clock::Monotonic`], as all drivers do since Linux 4.15.
    monotonic: bool,
    pub(crate) output: Output,
}

impl Screen {
    /// Takes control of an output; nothing is shown yet.
    pub(crate) fn open(wanted: Wanted<'_>) -> Result<Self, KmsSinkError> {
        let output = Output::open(wanted)?;
        Ok(Self {
            before: Snapshot::take(&output)?,
            events: Events::new(),
            unread: 0,
            flipped: Vec::with_capacity(FLIPS_KEPT),
            lit: None,
            monotonic: output.card.capability(DriverCapability::MonotonicTimestamp) != 0,
            output,
        })
    }

    /// Whether the card's own stamps tell when a commit came into view.
    pub(crate) fn is_monotonic(&self) -> bool {
        self.monotonic
    }

    /// Waits until what was committed last is in view, and lets go of what it replaced.
    #[cold]
    pub(crate) fn settle(&mut self, planes: &mut [OnPlane]) -> Result<(), KmsSinkError> {
        while self.unread > 0 {
            self.read_flips(Events::wait)?;
        }
        planes.iter_mut().for_each(OnPlane::in_view);
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

    /// Commits what sets everything, and waits for it. What was committed before is in view.
    #[cold]
    pub(crate) fn light(&mut self, scene: &mut Request) -> Result<Timestamp, KmsSinkError> {
        let card = &self.output.card;
        // What a run before left unread is not about these frames.
        self.events.discard(card)?;
        let committed = Clock::Monotonic.now();
        scene
            .commit(card, flags::EVENT | flags::MODESET)
            .map_err(|errno| card.refused("a frame", errno))?;
        self.lit = Some((committed, Clock::Monotonic.now()));
        self.unread += 1;
        Ok(committed)
    }

    /// Commits frames in the place of those before. Allocates nothing.
    pub(crate) fn flip(
        &mut self,
        planes: &mut [OnPlane],
        mut commit: impl FnMut(&Card, u32) -> Result<(), Errno>,
    ) -> Result<Timestamp, KmsSinkError> {
        let mut how = flags::EVENT | flags::NONBLOCK;
        loop {
            let committed = Clock::Monotonic.now();
            match commit(&self.output.card, how) {
                Ok(()) => {
                    self.unread += 1;
                    return Ok(committed);
                }
                // The one before is not in view yet. Should the kernel be busy with a change
                // that is not ours, a blocking commit waits for that as well.
                Err(Errno::EBUSY) if how & flags::NONBLOCK != 0 => {
                    self.settle(planes)?;
                    how &= !flags::NONBLOCK;
                }
                Err(errno) => return Err(self.output.card.refused("a frame", errno)),
            }
        }
    }

    /// Adds when what was committed came into view.
    pub(crate) fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        if self.unread > 0 {
            self.read_flips(Events::take)?;
        }
        flipped.append(&mut self.flipped);
        Ok(())
    }

    /// Puts back what was there before, and lets go of all frames.
    pub(crate) fn put_back(&mut self, planes: &mut [OnPlane]) -> Result<(), KmsSinkError> {
        let restored = self.before.restore(&self.output.card);
        planes.fill_with(OnPlane::default);
        (self.unread, self.lit) = (0, None);
        self.flipped.clear();
        restored
    }
}
