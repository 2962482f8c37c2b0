//! Flip events: when a frame came into view.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::stage::FLIPS_KEPT;
use dmaflow_core::time::Timestamp;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::read;

use crate::card::Card;
use crate::error::KmsSinkError;

/// How long a display may take to show a frame before it counts as standing still.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The length of `struct drm_event_vblank`.
const EVENT_LEN: usize = 32;

/// Where events are read into.
#[derive(Debug)]
pub(crate) struct Events(Box<[u8; FLIPS_KEPT * EVENT_LEN]>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Box::new([0; FLIPS_KEPT * EVENT_LEN]))
    }

    /// Adds the flips of a CRTC that have happened, on the clock the card stamps with: when the
    /// frame's first row was sent. Says how many there are.
    pub(crate) fn take(
        &mut self,
        card: &Card,
        crtc: u32,
        flipped: &mut Vec<Timestamp>,
    ) -> Result<usize, KmsSinkError> {
        let before = flipped.len();
        match read(card.as_fd(), self.0.as_mut_slice()) {
            // The kernel gives whole events, and as many as fit.
            Ok(len) => flipped.extend(flips(&self.0[..len], crtc)),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(source) => return Err(failed(card, source)),
        }
        Ok(flipped.len() - before)
    }

    /// The same, and waits for one at least; what has happened costs one system call.
    pub(crate) fn wait(
        &mut self,
        card: &Card,
        crtc: u32,
        flipped: &mut Vec<Timestamp>,
    ) -> Result<usize, KmsSinkError> {
        let mut until = None;
        loop {
            let count = self.take(card, crtc, flipped)?;
            if count > 0 {
                return Ok(count);
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

/// The flips of a CRTC among events, which are `struct drm_event` of `drm.h`, most of them
/// `struct drm_event_vblank`. Drivers that do not say which CRTC it was say 0.
fn flips(bytes: &[u8], crtc: u32) -> impl Iterator<Item = Timestamp> {
    let (mut words, _part_of_a_word) = bytes.as_chunks::<4>();
    std::iter::from_fn(move || {
        let word = |word: &[u8; 4]| u32::from_ne_bytes(*word);
        while let [kind, len, ..] = words {
            let event = words;
            words = words.get((word(len) as usize / 4).max(2)..).unwrap_or(&[]);
            if word(kind) == drm_ffi::DRM_EVENT_FLIP_COMPLETE
                && let [_, _, _user, _data, seconds, micros, _count, on, ..] = event
                && [crtc, 0].contains(&word(on))
            {
                let (seconds, micros) = (u64::from(word(seconds)), u64::from(word(micros)));
                let nanos = seconds * 1_000_000_000 + micros * 1000;
                return Some(Timestamp::from_nanos(nanos));
            }
        }
        None
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
            event(drm_ffi::DRM_EVENT_FLIP_COMPLETE, 5, 0, 0),
        ]
        .concat();
        let found = |crtc| flips(&bytes, crtc).map(Timestamp::as_nanos);
        assert!(found(40).eq([3_000_250_000, 5_000_000_000]));
        assert!(found(41).eq([4_000_000_000, 5_000_000_000]));
    }

    #[test]
    fn broken_events_end_the_list() {
        let mut bytes = event(drm_ffi::DRM_EVENT_FLIP_COMPLETE, 3, 250, 40);
        assert_eq!(flips(&bytes[..20], 40).count(), 0);
        bytes[4] = 0;
        assert!(flips(&bytes, 40).count() <= 1);
        assert_eq!(flips(&[], 40).count(), 0);
    }
}
