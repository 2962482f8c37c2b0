//! The display as a stage.

use std::time::Duration;
use std::{mem, slice};

use dmaflow_core::caps::Caps;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::stage::{Choice, Counter, DeviceKey, Sink, StageError, Untold};
use dmaflow_core::time::Timestamp;

use crate::attach::{Attached, caps, formats};
use crate::config::KmsSinkConfig;
use crate::error::KmsSinkError;
use crate::imported::untold;
use crate::output::Wanted;
use crate::props::Request;
use crate::screen::{OnPlane, Screen};
use crate::writeback::{Expected, Verified, Verifier};

/// A screen that shows frames where they lie.
///
/// What it showed before is put back by [`Sink::stop`] and when the sink is dropped, also by a
/// panic.
///
/// *Needs:* a card with atomic mode setting that no other program controls.
///
/// # Invariants
/// The screen is as it was found while no frame is on the plane.
#[derive(Debug)]
pub struct KmsSink {
    config: KmsSinkConfig,
    plane: OnPlane,
    /// Whether the frame committed last is to be compared with what is written back.
    watched: bool,
    attached: Option<Attached>,
    verified: Verified,
    screen: Screen,
}

impl KmsSink {
    /// Takes control of a display; nothing is shown yet.
    ///
    /// # Errors
    /// [`KmsSinkError`], with what to do about it.
    pub fn open(config: KmsSinkConfig) -> Result<Self, KmsSinkError> {
        let screen = Screen::open(Wanted {
            card: config.card.as_deref(),
            connector: config.connector.as_deref(),
            mode: config.mode,
            planes: config.plane.as_slice(),
            writeback: config.verify.is_some(),
        })?;
        Ok(Self {
            plane: OnPlane::default(),
            watched: false,
            attached: None,
            verified: Verified::default(),
            config,
            screen,
        })
    }

    /// Waits until the frame that was committed last is in view, lets the one before it go, and
    /// compares where due.
    #[cold]
    fn settle(&mut self) -> Result<(), KmsSinkError> {
        self.screen.settle(slice::from_mut(&mut self.plane))?;
        if mem::take(&mut self.watched)
            && let Some(frame) = self.plane.shown()
            && let Some(attached) = &mut self.attached
            && let Some(verifier) = &mut attached.verifier
        {
            let expected = Expected {
                frame,
                place: attached.place,
                covered: Vec::new(),
                input: None,
            };
            let card = &self.screen.output.card;
            verifier.verify(card, &[expected], &mut self.verified)?;
        }
        Ok(())
    }

    /// Commits a frame with all that goes with it: the first one with the mode, and one that is
    /// to be compared with an order to write back what is shown.
    #[cold]
    fn commit(&mut self, frame: &Frame) -> Result<Timestamp, KmsSinkError> {
        self.settle()?;
        let first = self.plane.is_empty();
        let Some((attached, framebuffer)) = find(&mut self.attached, frame) else {
            return Err(KmsSinkError::NotAttached);
        };
        let mut request = if first {
            self.verified = Verified::default();
            attached.verifier.iter_mut().for_each(Verifier::restart);
            attached.scene.modeset.clone()
        } else {
            Request::default()
        };
        request.set(attached.framebuffer, framebuffer);
        let verifier = attached.verifier.as_mut();
        let watched = verifier.is_some_and(|verifier| verifier.watch(&mut request));
        let committed = if first {
            self.screen.light(&mut request)?
        } else {
            let plane = slice::from_mut(&mut self.plane);
            self.screen
                .flip(plane, |card, how| request.commit(card, how))?
        };
        self.watched = watched;
        Ok(committed)
    }

    /// Commits a frame in the place of the one before. Allocates nothing.
    fn flip(&mut self, frame: &Frame) -> Result<Timestamp, KmsSinkError> {
        let Some((attached, framebuffer)) = find(&mut self.attached, frame) else {
            return Err(KmsSinkError::NotAttached);
        };
        let target = attached.framebuffer;
        let plane = slice::from_mut(&mut self.plane);
        self.screen
            .flip(plane, |card, how| target.commit(card, framebuffer, how))
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
        self.screen.output.label()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.screen.output.key()
    }

    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(Some(formats(
            &self.screen.output,
            self.config.plane,
            self.config.verify.is_some(),
        )))
    }

    fn caps(&mut self) -> Result<Caps, StageError> {
        let verify = self.config.verify.is_some();
        Ok(caps(&self.screen.output, self.config.plane, verify))
    }

    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        let attached = match &mut self.attached {
            Some(attached) => {
                attached.add(&self.screen.output, pool)?;
                attached
            }
            none => none.insert(Attached::new(&self.screen.output, &self.config, pool)?),
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
        (self.screen.is_monotonic() && attached.verifier.is_none())
            .then(|| attached.mode.interval() * 5 / 4)
    }

    fn ready(&mut self) -> Result<(), StageError> {
        Ok(self.settle()?)
    }

    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        let committed = if self.plane.is_empty() || self.config.verify.is_some() {
            self.commit(&frame)?
        } else {
            self.flip(&frame)?
        };
        self.plane.committed(frame);
        Ok(committed)
    }

    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        self.screen.flips(flipped)
    }

    fn imported(&self) -> Result<Vec<u64>, Untold> {
        let attached = self.attached.as_ref();
        let inodes = attached.map(|attached| attached.pools.inodes());
        inodes.unwrap_or_else(|| Ok(Vec::new())).map_err(untold)
    }

    fn stop(&mut self) -> Result<(), StageError> {
        if self.plane.is_empty() {
            return Ok(());
        }
        let settled = self.settle();
        self.screen.put_back(slice::from_mut(&mut self.plane))?;
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
