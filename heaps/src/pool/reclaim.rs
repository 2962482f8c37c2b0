//! How a pool shrinks and grows back.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::heap::{ExportError, Exporter, Request};

use super::class::SizeClass;
use super::shelf::{Kept, Shelf};
use super::{Inner, PagePool};
use crate::shrinker::{Bell, Reclaim, Reclaimable};

impl<E: Exporter> Inner<E> {
    /// Gives idle buffers back to the exporter, those that were not prewarmed and the
    /// oldest first, until so many bytes are freed or no more than `floor` are left. Returns how
    /// many were freed.
    pub(super) fn trim(&self, floor: u64, bytes: u64) -> u64 {
        self.look_at_all_waiting();
        let mut freed = 0;
        while freed < bytes && self.figures.cached.bytes() > floor {
            let spare = self.shelves.take_oldest(|shelf| shelf.spare() > 0);
            let Some((_class, kept)) = spare.or_else(|| self.shelves.take_oldest(|_any| true))
            else {
                break;
            };
            freed += kept.buffer.len() as u64;
            self.give_back(kept);
        }
        freed
    }

    /// Allocates what was prewarmed of a class and is gone, `most` bytes of it at most. Returns
    /// how many were allocated.
    pub(super) fn fill(&self, class: SizeClass, most: u64) -> (u64, Result<(), ExportError>) {
        let request = Request {
            len: class.len(),
            align: 1,
            client: self.nobody,
        };
        let mut filled = 0;
        while self.shelves.lock(class).missing() > 0 && !self.is_pressed() {
            if filled + class.len().get() as u64 > most {
                break;
            }
            let buffer = match self.exporter.allocate(&request) {
                Ok(buffer) => buffer,
                Err(error) => return (filled, Err(error)),
            };
            let len = buffer.len();
            if !self.reserve(len) {
                self.exporter.release(buffer, self.nobody);
                return (filled, self.full(len));
            }
            filled += len as u64;
            let kept = Kept {
                buffer,
                owner: self.nobody,
                clean: true,
                align: 1,
                since: Instant::now(),
            };
            self.shelve(class, kept);
        }
        (filled, Ok(()))
    }

    /// Why there is no room for a buffer that was asked for in advance; pressure takes that
    /// room only for a while.
    fn full(&self, len: usize) -> Result<(), ExportError> {
        if self.is_pressed() {
            return Ok(());
        }
        let reason = format!(
            "the pool has no room for another buffer of {len} bytes: it keeps at most {} bytes in \
             {} buffers, and all of it was prewarmed or is held by others; raise the policy's \
             `most` or `ulimit -n`, or prewarm less",
            self.policy.most, self.most_buffers,
        );
        let errno = Errno::ENOSPC;
        Err(ExportError::Refused { errno, reason })
    }

    fn refill(&self, most: u64) -> u64 {
        let mut filled = 0;
        for class in self.shelves.classes() {
            let (bytes, outcome) = self.fill(class, most.saturating_sub(filled));
            filled += bytes;
            if let Err(error) = outcome {
                tracing::debug!(%error, "what was prewarmed does not come back yet");
                // Where the pool itself has no room for a class, another's may still fit.
                if error.errno() != Some(Errno::ENOSPC) {
                    break;
                }
            }
        }
        filled
    }

    fn missing(&self) -> u64 {
        let of = |class: SizeClass| self.shelves.lock(class).missing() * class.len().get();
        self.shelves.classes().map(|class| of(class) as u64).sum()
    }

    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.born).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    /// Remembers that a buffer idle since `since` will be too old.
    pub(super) fn expect_expiry(&self, since: Instant) {
        if let Some(due) = self.policy.max_age.and_then(|age| since.checked_add(age)) {
            self.due.fetch_min(self.nanos(due), Ordering::Relaxed);
        }
    }

    pub(super) fn expire_if_due(&self) {
        if let Some(age) = self.policy.max_age {
            let now = Instant::now();
            if self.nanos(now) >= self.due.load(Ordering::Relaxed) {
                self.expire(age, now);
            }
        }
    }

    /// Lets go of what is idle for too long, beyond the floor and what was prewarmed.
    fn expire(&self, age: Duration, now: Instant) {
        // Whoever lays down a buffer from here on says so after this.
        self.due.store(u64::MAX, Ordering::Relaxed);
        self.look_at_all_waiting();
        let old = |since: Instant| now.saturating_duration_since(since) >= age;
        let may = |shelf: &Shelf| {
            let first = shelf.idle.front();
            shelf.spare() > 0 && first.is_some_and(|kept| old(kept.since))
        };
        while self.figures.cached.bytes() > self.policy.floor {
            let Some((_class, kept)) = self.shelves.take_oldest(may) else {
                break;
            };
            self.give_back(kept);
        }
        self.let_waiting_go(|kept| old(kept.since));
        if self.figures.cached.bytes() > self.policy.floor
            && let Some((since, _class)) = self.shelves.oldest(|shelf| shelf.spare() > 0)
        {
            self.expect_expiry(since);
        }
        if let Some(since) = self.oldest_waiting() {
            self.expect_expiry(since);
        }
    }

    /// Tells a sleeping shrinker that there is something to look after.
    pub(super) fn ring(&self) {
        let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = &*bell {
            bell.ring_if_armed();
        }
    }
}

impl<E: Exporter> PagePool<E> {
    /// The pool for a shrinker's list, without keeping it alive.
    #[must_use]
    pub fn weak(&self) -> WeakPool<E> {
        WeakPool(Arc::downgrade(&self.0))
    }
}

/// A pool as long as others keep it. A shrinker forgets it afterwards.
pub struct WeakPool<E: Exporter>(Weak<Inner<E>>);

impl<E: Exporter> Reclaim for PagePool<E> {
    fn count(&self) -> Reclaimable {
        let idle = self.0.figures.cached.bytes();
        Reclaimable {
            idle,
            spare: idle.saturating_sub(self.0.policy.floor),
            waiting: self.0.figures.waiting.bytes(),
        }
    }

    fn scan(&self, bytes: u64) -> u64 {
        self.0.trim(self.0.policy.floor, bytes)
    }

    fn press(&self, pressed: bool) {
        self.0.pressed.store(pressed, Ordering::Relaxed);
        if pressed {
            self.0.look_at_all_waiting();
        }
    }

    fn missing(&self) -> u64 {
        self.0.missing()
    }

    fn refill(&self, most: u64) -> u64 {
        self.0.refill(most)
    }

    fn expire(&self) -> Option<Instant> {
        self.0.expire_if_due();
        let due = self.0.due.load(Ordering::Relaxed);
        (due != u64::MAX).then(|| self.0.born + Duration::from_nanos(due))
    }

    fn ages(&self) -> bool {
        self.0.policy.max_age.is_some()
    }

    fn tell(&self, bell: &Bell) {
        let mut known = self.0.bell.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(bell.clone());
    }
}

impl<E: Exporter> WeakPool<E> {
    fn with<T: Default>(&self, what: impl FnOnce(&PagePool<E>) -> T) -> T {
        let pool = self.0.upgrade().map(PagePool);
        pool.map_or_else(T::default, |pool| what(&pool))
    }
}

impl<E: Exporter> Reclaim for WeakPool<E> {
    fn count(&self) -> Reclaimable {
        self.with(Reclaim::count)
    }

    fn scan(&self, bytes: u64) -> u64 {
        self.with(|pool| pool.scan(bytes))
    }

    fn press(&self, pressed: bool) {
        self.with(|pool| pool.press(pressed));
    }

    fn missing(&self) -> u64 {
        self.with(Reclaim::missing)
    }

    fn refill(&self, most: u64) -> u64 {
        self.with(|pool| pool.refill(most))
    }

    fn expire(&self) -> Option<Instant> {
        self.with(Reclaim::expire)
    }

    fn ages(&self) -> bool {
        self.with(Reclaim::ages)
    }

    fn tell(&self, bell: &Bell) {
        self.with(|pool| pool.tell(bell));
    }

    fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}
