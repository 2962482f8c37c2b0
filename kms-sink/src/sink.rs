//! The display as a stage.

use std::mem;

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::stage::{Choice, Counter, Sink, StageError};
use dmaflow_core::time::{Clock, Timestamp};
use drm::DriverCapability;

use crate::attach::{Attached, formats};
use crate::config::KmsSinkConfig;
use crate::error::KmsSinkError;
use crate::flip::Events;
use crate::output::Output;
use crate::props::flags;
use crate::state::Snapshot;
use crate::writeback::{Verified, Verifier};

/// A screen that shows frames where they lie.
///
/// What it showed before is put back by [`Sink::stop`] and when the sink is dropped, also by a
/// panic.
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
    /// The frame in view.
    shown: Option<Frame>,
    /// The frame that was committed and is not in view yet.
    coming: Option<Frame>,
    /// Whether `coming` is to be compared with what is written back.
    watched: bool,
    attached: Option<Attached>,
    events: Events,
    /// When the last change that waited for the display was done.
    lit: Option<Timestamp>,
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

    /// Waits for the frame on its way, lets the one before it go, and compares where due.
    fn settle(&mut self) -> Result<Option<FrameMeta>, KmsSinkError> {
        let Some(coming) = &mut self.coming else {
            return Ok(None);
        };
        let crtc = self.output.crtc.object();
        let flip = self.events.wait(&self.output.card, crtc)?;
        // While a mode is set no rows are sent, and the event bears the stamp of a row sent
        // before, or none: the commit that waited for the mode tells better.
        let committed = coming.meta.stamps.committed;
        let plausible = self.monotonic && committed.is_none_or(|committed| committed <= flip.at);
        let at = if plausible {
            flip.at
        } else {
            self.lit.unwrap_or_else(|| Clock::Monotonic.now())
        };
        self.lit = None;
        coming.meta.stamps.flipped = Some(at);
        let meta = coming.meta;
        // The one shown before is let go here, and no earlier.
        self.shown = self.coming.take();
        if mem::take(&mut self.watched)
            && let (Some(frame), Some(attached)) = (&self.shown, &mut self.attached)
            && let Some(verifier) = &mut attached.verifier
        {
            verifier.verify(&self.output, frame, &mut self.verified)?;
        }
        Ok(Some(meta))
    }

    /// Commits a frame: the first one with all that it needs, the others alone.
    fn commit(&mut self, frame: &mut Frame) -> Result<(), KmsSinkError> {
        let first = self.is_idle();
        let Some(attached) = &mut self.attached else {
            return Err(KmsSinkError::NotAttached);
        };
        let Some(framebuffer) = attached.framebuffers.get(frame.slot()) else {
            return Err(KmsSinkError::NotAttached);
        };
        let scene = &mut attached.scene;
        let (request, how) = if first {
            // What a run before left unread is not about these frames.
            self.events.discard(&self.output.card)?;
            self.verified = Verified::default();
            attached.verifier.iter_mut().for_each(Verifier::restart);
            (&mut scene.modeset, flags::EVENT | flags::MODESET)
        } else {
            (&mut scene.flip, flags::EVENT | flags::NONBLOCK)
        };
        request.change(scene.framebuffer, framebuffer.id());
        let verifier = attached.verifier.as_mut();
        let mut watching = verifier.and_then(|verifier| verifier.watch(request));
        self.watched = watching.is_some();
        let request = watching.as_mut().unwrap_or(request);

        let card = &self.output.card;
        frame.meta.stamps.committed = Some(Clock::Monotonic.now());
        let mut done = request.commit(card, how);
        if done == Err(Errno::EBUSY) {
            // The kernel is busy with a change that is not ours: a blocking commit waits.
            done = request.commit(card, how & !flags::NONBLOCK);
        }
        if first {
            self.lit = Some(Clock::Monotonic.now());
        }
        done.map_err(|errno| card.refused("a frame", errno))
    }
}

impl Sink for KmsSink {
    fn device(&self) -> String {
        self.output.label()
    }

    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(Some(formats(&self.output, &self.config)))
    }

    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.detach();
        let (attached, choices) = Attached::new(&self.output, &self.config, pool)?;
        self.attached = Some(attached);
        Ok(choices)
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

    fn ready(&mut self) -> Result<Option<FrameMeta>, StageError> {
        Ok(self.settle()?)
    }

    fn show(&mut self, mut frame: Frame) -> Result<(), StageError> {
        self.settle()?;
        self.commit(&mut frame)?;
        self.coming = Some(frame);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        if self.is_idle() {
            return Ok(());
        }
        let settled = self.settle();
        let restored = self.before.restore(&self.output.card);
        (self.shown, self.coming) = (None, None);
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
