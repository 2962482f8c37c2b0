//! Buffers that came back while others still held them.

use std::time::Instant;

use dmaflow_core::heap::Exporter;

use super::Inner;
use super::class::SizeClass;
use super::shelf::Kept;

/// How many are looked at on behalf of one request: each look reads a file.
const LOOKS: usize = 4;

impl<E: Exporter> Inner<E> {
    /// Keeps a buffer, for which there is room, until others let go of it.
    pub(super) fn wait_for_others(&self, class: SizeClass, kept: Kept) {
        self.figures.waiting.add(kept.buffer.len());
        let since = kept.since;
        self.shelves.lock(class).waiting.push_back(kept);
        self.expect_expiry(since);
        self.ring();
    }

    /// Looks at some of those that wait for longest, in turn.
    pub(super) fn look_at_waiting(&self, class: SizeClass) {
        let taken: Vec<_> = {
            let mut shelf = self.shelves.lock(class);
            let some = shelf.waiting.len().min(LOOKS);
            shelf.waiting.drain(..some).collect()
        };
        self.look_at(class, taken);
    }

    /// Looks at all that wait.
    pub(super) fn look_at_all_waiting(&self) {
        for class in self.shelves.classes() {
            let taken: Vec<_> = self.shelves.lock(class).waiting.drain(..).collect();
            self.look_at(class, taken);
        }
    }

    /// No lock is held while the kernel is asked.
    fn look_at(&self, class: SizeClass, taken: Vec<Kept>) {
        for mut kept in taken {
            if !kept.buffer.is_alone() {
                self.shelves.lock(class).waiting.push_back(kept);
                continue;
            }
            let len = kept.buffer.len();
            self.figures.waiting.sub(len);
            if self.figures.kept.bytes() > self.limit() {
                // There was room for it before memory became scarce.
                self.figures.kept.sub(len);
                self.reclaimed(kept);
            } else {
                // The oldest are first on the shelf.
                kept.since = Instant::now();
                self.shelve(class, kept);
            }
        }
    }

    /// Gives those back to the exporter that wait and for which `may` holds, so that their
    /// memory is free once others let go.
    pub(super) fn let_waiting_go(&self, may: impl Fn(&Kept) -> bool) {
        for class in self.shelves.classes() {
            let gone: Vec<_> = {
                let mut shelf = self.shelves.lock(class);
                let all = shelf.waiting.drain(..);
                let (gone, stays): (Vec<_>, Vec<_>) = all.partition(|kept| may(kept));
                shelf.waiting.extend(stays);
                gone
            };
            for kept in gone {
                let len = kept.buffer.len();
                self.figures.waiting.sub(len);
                self.figures.kept.sub(len);
                self.exporter.release(kept.buffer, kept.owner);
            }
        }
    }

    /// Since when the buffer waits that does so for longest.
    pub(super) fn oldest_waiting(&self) -> Option<Instant> {
        let oldest = |class| {
            let shelf = self.shelves.lock(class);
            shelf.waiting.iter().map(|kept| kept.since).min()
        };
        self.shelves.classes().filter_map(oldest).min()
    }
}
