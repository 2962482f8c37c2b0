//! What a shrinker asks of a cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::time::Instant;

use dmaflow_core::Errno;
use dmaflow_core::heap::{Contiguity, HeapInfo};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// What a cache holds idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaimable {
    /// Bytes.
    pub idle: u64,
    /// Bytes above the floor: what may be taken.
    pub spare: u64,
    /// Bytes besides those that are kept, and that others still held when last looked at.
    pub waiting: u64,
}

/// A cache that can be shrunk. [`Reclaim::count`] and [`Reclaim::scan`] are what
/// `count_objects` and `scan_objects` are to the kernel's shrinkers (`linux/shrinker.h`).
pub trait Reclaim: Send + Sync {
    /// What is idle.
    fn count(&self) -> Reclaimable;

    /// Frees idle memory down to the floor, until so many bytes are freed; returns how many
    /// were. Memory in use is not touched.
    fn scan(&self, bytes: u64) -> u64;

    /// Memory is scarce from now on, and no more than the floor is to be kept; or that is over.
    fn press(&self, pressed: bool) {
        let _unused = pressed;
    }

    /// Bytes that were asked for in advance and are not there.
    fn missing(&self) -> u64 {
        0
    }

    /// Allocates what is missing, `most` bytes of it at most; returns how many were.
    fn refill(&self, most: u64) -> u64 {
        let _unused = most;
        0
    }

    /// Frees what is idle for too long, and says when the next will be.
    fn expire(&self) -> Option<Instant> {
        None
    }

    /// Whether anything ever becomes too old.
    fn ages(&self) -> bool {
        false
    }

    /// Hands over the bell to [ring](Bell::ring_if_armed) when something becomes idle.
    fn tell(&self, bell: &Bell) {
        let _unused = bell;
    }

    /// Whether the cache is no more, so that it can be forgotten.
    fn is_gone(&self) -> bool {
        false
    }
}

/// How dear it is to get a cache's memory back, the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cost {
    /// Memory that no device imports.
    Memfd,
    /// Pages from anywhere.
    Scattered,
    /// Contiguous pieces, as of huge pages.
    Pieces,
    /// Contiguous buffers.
    Contiguous,
    /// Contiguous buffers of the kernel's CMA: the first to go when that runs low.
    Cma,
}

impl Cost {
    /// What a heap's information tells.
    #[must_use]
    pub fn of(info: &HeapInfo) -> Self {
        match info.contiguity {
            _ if !info.importable => Self::Memfd,
            Contiguity::Scattered => Self::Scattered,
            Contiguity::Pieces(_) => Self::Pieces,
            Contiguity::Contiguous if crate::kernel::is_cma(info) => Self::Cma,
            Contiguity::Contiguous | Contiguity::Unknown => Self::Contiguous,
        }
    }
}

/// Wakes a shrinker that sleeps because there was nothing to look after. Clones are the same.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    event: EventFd,
    armed: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> Result<Self, Errno> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_value_and_flags(0, flags)?;
        let armed = AtomicBool::new(false);
        Ok(Self(Arc::new(Inner { event, armed })))
    }

    /// Wakes the shrinker if it waits for this; costs a look at a flag otherwise.
    pub fn ring_if_armed(&self) {
        // Either this sees that the bell was armed, or whoever armed it sees what became idle.
        fence(Ordering::SeqCst);
        if self.0.armed.load(Ordering::Relaxed) && self.0.armed.swap(false, Ordering::Relaxed) {
            self.ring();
        }
    }

    pub(super) fn ring(&self) {
        if let Err(errno) = self.0.event.write(1) {
            // EAGAIN: it has rung for ages and nobody came.
            tracing::debug!(%errno, "cannot ring a shrinker's bell");
        }
    }

    /// Whoever finds something from now on rings.
    pub(super) fn arm(&self) {
        self.0.armed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// There is nothing to ring for.
    pub(super) fn disarm(&self) {
        self.0.armed.store(false, Ordering::Relaxed);
    }

    /// Makes it quiet again.
    pub(super) fn answer(&self) {
        self.disarm();
        match self.0.event.read() {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => tracing::debug!(%errno, "cannot quieten a shrinker's bell"),
        }
    }

    pub(super) fn event(&self) -> &EventFd {
        &self.0.event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memfd;
    use std::num::NonZeroU64;

    #[test]
    fn memory_costs_what_it_takes_to_find_it() {
        let info = |contiguity| HeapInfo {
            contiguity,
            ..HeapInfo::new("reserved")
        };
        let pieces = Contiguity::Pieces(NonZeroU64::MIN);
        let costs = [
            Cost::of(&Memfd::info()),
            Cost::of(&info(Contiguity::Scattered)),
            Cost::of(&info(pieces)),
            Cost::of(&HeapInfo {
                contiguity: Contiguity::Contiguous,
                ..HeapInfo::new("carve-out")
            }),
            Cost::of(&info(Contiguity::Contiguous)),
        ];
        assert!(costs.is_sorted_by(|one, next| one < next), "{costs:?}");
        assert_eq!(costs[4], Cost::Cma);
    }
}
