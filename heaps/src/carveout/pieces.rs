//! The life of pieces: on loan, waiting for an importer, free.
//!
//! ```text
//!            take                put, nobody else has it
//!   free ───────────▶ on loan ─────────────────────────────▶ free
//!                        │                                    ▲
//!                        └──────▶ waiting ────────────────────┘
//!        put, somebody has it             settle, nobody has it any more
//! ```
//!
//! A free piece that was on loan is *ready* for a while: its dma-buf is kept, and is used when
//! the same place is taken at the same length. It keeps its pages from nobody, and is closed
//! when they are taken otherwise.

use std::collections::{HashMap, VecDeque};

use dmaflow_core::heap::ClientId;

use super::marks::Marks;
use super::space::{Extent, Space};
use crate::clearing::Clearing;

/// How many pieces are kept ready: each costs a descriptor.
pub(super) const MOST_READY: usize = 32;

/// How many waiting pieces an allocation looks at while there is space: each look costs a few
/// system calls.
const LOOKS: usize = 2;

/// What a piece is lent as: a dma-buf, or a test's idea of one.
pub(super) trait Buffer {
    /// What the piece is found by when it comes back.
    fn key(&self) -> u64;
    /// Whether nobody else has it.
    fn is_alone(&self) -> bool;
    /// Whether nobody was shown its memory since it was last renewed.
    fn is_untouched(&self) -> bool;
    /// Begins its next life.
    fn renew(&mut self);
}

/// What is asked for, in pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    pub(super) len: u64,
    pub(super) align: u64,
    pub(super) client: ClientId,
}

/// A piece that is about to be lent.
#[derive(Debug)]
pub(super) struct Taken<B> {
    pub(super) extent: Extent,
    /// What it was lent as before; a new buffer is to be made where there is none.
    pub(super) buffer: Option<B>,
    /// What must be zeroed before anybody sees it.
    pub(super) dirty: Vec<Extent>,
}

#[derive(Debug)]
struct Kept<B> {
    extent: Extent,
    buffer: B,
}

/// # Invariants
/// Every page of the region is in exactly one of: the free space, a piece on loan or about to
/// be, `waiting`. The pieces in `ready` are free, do not overlap, and nobody has them.
#[derive(Debug)]
pub(super) struct Pieces<B> {
    pub(super) space: Space,
    clearing: Clearing,
    marks: Marks,
    lent: HashMap<u64, Extent>,
    waiting: VecDeque<Kept<B>>,
    /// The one that came back last is the last.
    ready: VecDeque<Kept<B>>,
    /// Pages whose buffers were ready and then closed.
    pub(super) shed: u64,
}

impl<B: Buffer> Pieces<B> {
    pub(super) fn new(space: Space, clearing: Clearing) -> Self {
        Self {
            space,
            clearing,
            marks: Marks::default(),
            lent: HashMap::new(),
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            shed: 0,
        }
    }

    /// Takes a piece where the space has it, if need be joined with what was waiting. Another
    /// place is taken only where that saves clearing.
    ///
    /// To take whatever is ready and as long would save more dma-bufs (77 instead of 40 of 100
    /// in `benches/space.rs`), and cost more refusals: three times as many at 70 % full.
    pub(super) fn take(&mut self, want: Want) -> Option<Taken<B>> {
        self.settle(LOOKS);
        let mut extent = self.space.take(want.len, want.align);
        if extent.is_none() && !self.waiting.is_empty() {
            self.settle(usize::MAX);
            extent = self.space.take(want.len, want.align);
        }
        let mut extent = extent?;
        let mut dirty: Vec<_> = self.dirty(extent, want.client).collect();
        if !dirty.is_empty()
            && let Some(other) = self.clean_and_ready(want)
            && self.space.claim(other)
        {
            self.space.give(extent);
            extent = other;
            dirty.clear();
        }
        Some(Taken {
            extent,
            buffer: self.unready(extent),
            dirty,
        })
    }

    /// A ready piece that the client need not have cleared: the last that came.
    fn clean_and_ready(&self, want: Want) -> Option<Extent> {
        let ready = self.ready.iter().rev().map(|kept| kept.extent);
        ready
            .filter(|extent| extent.len == want.len && extent.start.is_multiple_of(want.align))
            .find(|&extent| self.dirty(extent, want.client).next().is_none())
    }

    /// Takes the buffer that was kept of exactly this part, and closes those of others in it.
    fn unready(&mut self, part: Extent) -> Option<B> {
        let same = self.ready.iter().position(|kept| kept.extent == part);
        if let Some(kept) = same.and_then(|same| self.ready.remove(same)) {
            return Some(kept.buffer);
        }
        let before = self.ready();
        self.ready
            .retain(|kept| kept.extent.end() <= part.start || part.end() <= kept.extent.start);
        self.shed += before - self.ready();
        None
    }

    /// What a client must not find in a piece.
    fn dirty(&self, extent: Extent, client: ClientId) -> impl Iterator<Item = Extent> {
        let welcome = match self.clearing {
            Clearing::Always => None,
            Clearing::BetweenClients => Some(client),
        };
        self.marks.of_others(extent, welcome)
    }

    /// Remembers what was zeroed of a piece that is being lent.
    pub(super) fn cleared(&mut self, parts: &[Extent]) {
        for &part in parts {
            self.marks.unmark(part);
        }
    }

    /// Lends a piece that was taken. False where a buffer of this key is on loan already.
    pub(super) fn lend(&mut self, extent: Extent, buffer: &B) -> bool {
        let other = self.lent.insert(buffer.key(), extent);
        if let Some(other) = other {
            self.lent.insert(buffer.key(), other);
        }
        other.is_none()
    }

    /// Frees a piece that was taken and not lent.
    pub(super) fn untake(&mut self, extent: Extent) {
        self.space.give(extent);
    }

    /// Takes a buffer back that a client used; `alone` when nobody else has it. Gives it back
    /// where it is none of ours.
    pub(super) fn put(&mut self, mut buffer: B, client: ClientId, alone: bool) -> Option<B> {
        let Some(extent) = self.lent.remove(&buffer.key()) else {
            return Some(buffer);
        };
        if !buffer.is_untouched() {
            self.marks.mark(extent, client);
        }
        if alone {
            buffer.renew();
            self.free(Kept { extent, buffer });
        } else {
            self.waiting.push_back(Kept { extent, buffer });
        }
        None
    }

    fn free(&mut self, kept: Kept<B>) {
        self.space.give(kept.extent);
        self.ready.push_back(kept);
        if self.ready.len() > MOST_READY
            && let Some(oldest) = self.ready.pop_front()
        {
            self.shed += oldest.extent.len;
        }
    }

    /// Looks at some of the waiting pieces, those first that were not looked at for longest.
    pub(super) fn settle(&mut self, looks: usize) {
        for _look in 0..looks.min(self.waiting.len()) {
            if let Some(mut kept) = self.waiting.pop_front() {
                if kept.buffer.is_alone() {
                    kept.buffer.renew();
                    self.free(kept);
                } else {
                    self.waiting.push_back(kept);
                }
            }
        }
    }

    /// The pages of the pieces that are ready.
    pub(super) fn ready(&self) -> u64 {
        self.ready.iter().map(|kept| kept.extent.len).sum()
    }

    /// The pages of the pieces that wait for an importer.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.iter().map(|kept| kept.extent.len).sum()
    }
}

#[cfg(test)]
mod tests;
