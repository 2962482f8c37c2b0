//! Flip events: when a frame came into view.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::time::Timestamp;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;

use crate::card::Card;
use crate::error::KmsSinkError;

/// How long a display may take to show a frame before it counts as standing still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// A flip, as the kernel told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flip {
    /// When the frame's first row was sent, on the clock the card stamps with.
    pub(crate) at: Timestamp,
    /// The CRTC, or 0 from drivers that do not say.
    crtc: u32,
}

/// Where events are read into.
#[derive(Debug)]
pub(crate) struct Events(Box<[u8; 256]>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Box::new([0; 256]))
    }

    /// Waits for a flip of a CRTC; one that has happened costs one system call.
    pub(crate) fn wait(&mut self, card: &Card, crtc: u32) -> Result<Flip, KmsSinkError> {
        let mut until = None;
        loop {
            if let Some(flip) = self.next(card, crtc)? {
                return Ok(flip);
            }
            let now = Instant::now();
            let until = *until.get_or_insert_with(|| now + PATIENCE);
            if now >= until || !readable(card, until - now)? {
                return Err(KmsSinkError::NoFlip {
                    card: card.label(),
                    waited: PATIENCE,
                });
            }
        }
    }

    /// Forgets what has happened so far.
    pub(crate) fn discard(&mut self, card: &Card) -> Result<(), KmsSinkError> {
        loop {
            match read(card.as_fd(), self.0.as_mut_slice()) {
                Err(Errno::EAGAIN) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(source) => return Err(failed(card, source)),
            }
        }
    }

    /// Reads what has happened; the kernel gives whole events and as many as fit.
    fn next(&mut self, card: &Card, crtc: u32) -> Result<Option<Flip>, KmsSinkError> {
        match read(card.as_fd(), self.0.as_mut_slice()) {
            Ok(len) => Ok(flips(&self.0[..len]).find(|flip| flip.crtc == crtc || flip.crtc == 0)),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(source) => Err(failed(card, source)),
        }
    }
}

/// Waits until an event can be read, or the time is over.
fn readable(card: &Card, patience: Duration) -> Result<bool, KmsSinkError> {
    wait_for(card, patience).map_err(|source| failed(card, source))
}

/// Waits until a descriptor can be read, or the time is over; a signal ends no wait.
pub(crate) fn wait_for(fd: impl AsFd, patience: Duration) -> Result<bool, Errno> {
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn failed(card: &Card, source: Errno) -> KmsSinkError {
    match source {
        Errno::ENODEV => KmsSinkError::Gone { card: card.label() },
        source => KmsSinkError::Query {
            what: "the events",
            card: card.label(),
            source,
        },
    }
}

/// The flips among events, which are `struct drm_event` of `drm.h`, most of them
/// `struct drm_event_vblank`.
fn flips(mut bytes: &[u8]) -> impl Iterator<Item = Flip> {
    std::iter::from_fn(move || {
        loop {
            let number = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
            let (kind, len) = (number(0)?, number(4)? as usize);
            let flip = || {
                let since_start = Duration::new(number(16)?.into(), number(20)?.checked_mul(1000)?);
                Some(Flip {
                    at: since_start.into(),
                    crtc: number(28)?,
                })
            };
            let flip = (kind == drm_ffi::DRM_EVENT_FLIP_COMPLETE).then(flip);
            bytes = bytes.get(len.max(8)..)?;
            if let Some(flip) = flip {
                return flip;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `struct drm_event_vblank` with user data, as the kernel lays it out.
    fn event(kind: u32, seconds: u32, micros: u32, crtc: u32) -> Vec<u8> {
        [kind, 32, 0, 0, seconds, micros, 7, crtc]
            .into_iter()
            .flat_map(u32::to_ne_bytes)
            .collect()
    }

    #[test]
    fn flips_are_found_among_other_events() {
        let bytes = [
            event(drm_ffi::DRM_EVENT_VBLANK, 1, 0, 40),
            event(drm_ffi::DRM_EVENT_FLIP_COMPLETE, 3, 250, 40),
            event(drm_ffi::DRM_EVENT_FLIP_COMPLETE, 4, 0, 41),
        ]
        .concat();
        let found: Vec<_> = flips(&bytes).collect();
        let at = |nanos, crtc| Flip {
            at: Timestamp::from_nanos(nanos),
            crtc,
        };
        assert_eq!(found, [at(3_000_250_000, 40), at(4_000_000_000, 41)]);
    }

    #[test]
    fn broken_events_end_the_list() {
        let mut bytes = event(drm_ffi::DRM_EVENT_FLIP_COMPLETE, 3, 250, 40);
        assert_eq!(flips(&bytes[..20]).count(), 0);
        bytes[4] = 0;
        assert!(flips(&bytes).count() <= 1);
        assert_eq!(flips(&[]).count(), 0);
    }
}
