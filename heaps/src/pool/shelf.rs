//! Where idle buffers lie, a shelf for each class of lengths with a lock of its own.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ClientId, Request, page_size};

use super::class::SizeClass;

/// A buffer that nobody has on loan.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) buffer: DmaBuf,
    /// Who used it last: they alone may see what is in it.
    pub(super) owner: ClientId,
    /// Nobody used it since the exporter gave it.
    pub(super) clean: bool,
    /// What its exporter was asked to align it to.
    pub(super) align: usize,
    pub(super) since: Instant,
}

impl Kept {
    pub(super) fn suits(&self, request: &Request) -> bool {
        // Every buffer begins with a page, whatever was asked for.
        let align = self.align.max(page_size());
        self.buffer.len() >= request.len.get() && align >= request.align
    }
}

/// The buffers of one class.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Those that may be given, the oldest first.
    pub(super) idle: VecDeque<Kept>,
    /// Those that others still held when last looked at.
    pub(super) waiting: VecDeque<Kept>,
    /// How many are on loan.
    pub(super) lent: usize,
    /// How many there are to be, on loan or not, whenever memory allows.
    pub(super) prewarmed: usize,
}

impl Shelf {
    /// How many buffers there should be and are not.
    pub(super) fn missing(&self) -> usize {
        let there = self.idle.len() + self.waiting.len() + self.lent;
        self.prewarmed.saturating_sub(there)
    }

    /// How many idle buffers are not there because they were asked for in advance.
    pub(super) fn spare(&self) -> usize {
        let promised = self.prewarmed.saturating_sub(self.lent);
        self.idle.len().saturating_sub(promised)
    }
}

/// A shelf for each class that was ever asked for.
#[derive(Debug)]
pub(super) struct Shelves(Box<[OnceLock<Shelved>]>);

#[derive(Debug)]
struct Shelved {
    class: SizeClass,
    shelf: Mutex<Shelf>,
}

impl Shelved {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        // Whoever panicked did so between whole operations on a shelf.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    pub(super) fn new() -> Self {
        Self(
            (0..SizeClass::COUNT)
                .map(|_class| OnceLock::new())
                .collect(),
        )
    }

    /// The shelf of a class. Nothing that sleeps is done while it is held.
    pub(super) fn lock(&self, class: SizeClass) -> MutexGuard<'_, Shelf> {
        let shelf = Mutex::default();
        let shelved = || Shelved { class, shelf };
        self.0[class.index()].get_or_init(shelved).lock()
    }

    /// The classes that were ever asked for, the shortest first.
    pub(super) fn classes(&self) -> impl Iterator<Item = SizeClass> {
        let used = self.0.iter().filter_map(OnceLock::get);
        used.map(|shelved| shelved.class)
    }

    /// Takes the buffer that is idle for longest, of the shelves for which `may` holds.
    pub(super) fn take_oldest(&self, may: impl Fn(&Shelf) -> bool) -> Option<(SizeClass, Kept)> {
        loop {
            let oldest = self.oldest(&may)?.1;
            let mut shelf = self.lock(oldest);
            // Another may have been quicker; then there is another oldest one.
            if may(&shelf)
                && let Some(kept) = shelf.idle.pop_front()
            {
                return Some((oldest, kept));
            }
        }
    }

    /// Since when the oldest idle buffer is, of the shelves for which `may` holds.
    pub(super) fn oldest(&self, may: impl Fn(&Shelf) -> bool) -> Option<(Instant, SizeClass)> {
        let of = |class| {
            let shelf = self.lock(class);
            let first = shelf.idle.front().filter(|_first| may(&shelf))?;
            Some((first.since, class))
        };
        self.classes()
            .filter_map(of)
            .min_by_key(|&(since, _)| since)
    }

    /// The length of the longest idle buffer.
    pub(super) fn longest_idle(&self) -> u64 {
        let longest = |class| {
            let shelf = self.lock(class);
            shelf.idle.iter().map(|kept| kept.buffer.len()).max()
        };
        let longest = self.classes().filter_map(longest).max();
        longest.unwrap_or_default() as u64
    }
}
