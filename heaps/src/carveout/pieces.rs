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
    /// in `benches/space.rs`), and cost three times as many refusals.
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
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    use dmaflow_core::heap::Account;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    const PAGES: u64 = 256;

    #[derive(Debug)]
    struct Fake {
        key: u64,
        others: Rc<Cell<u32>>,
        touched: bool,
    }

    impl Buffer for Fake {
        fn key(&self) -> u64 {
            self.key
        }

        fn is_alone(&self) -> bool {
            self.others.get() == 0
        }

        fn is_untouched(&self) -> bool {
            !self.touched
        }

        fn renew(&mut self) {
            assert!(self.is_alone());
            self.touched = false;
        }
    }

    /// A piece that an importer holds, maybe longer than its owner.
    struct Import {
        others: Rc<Cell<u32>>,
        extent: Extent,
        client: ClientId,
    }

    impl Drop for Import {
        fn drop(&mut self) {
            self.others.set(self.others.get() - 1);
        }
    }

    /// A region with memory that shows who wrote it, and everybody who may see it.
    struct World {
        pieces: Pieces<Fake>,
        clearing: Clearing,
        memory: Vec<Option<ClientId>>,
        loans: Vec<(Fake, Extent, ClientId)>,
        imports: Vec<Import>,
        keys: u64,
    }

    #[expect(clippy::cast_possible_truncation, reason = "256 pages")]
    fn range(extent: Extent) -> std::ops::Range<usize> {
        extent.start as usize..extent.end() as usize
    }

    impl World {
        fn new(clearing: Clearing) -> Self {
            Self {
                pieces: Pieces::new(Space::new(PAGES, 16), clearing),
                clearing,
                memory: vec![
                    None;
                    range(Extent {
                        start: 0,
                        len: PAGES
                    })
                    .len()
                ],
                loans: Vec::new(),
                imports: Vec::new(),
                keys: 0,
            }
        }

        fn seen(&self) -> impl Iterator<Item = Extent> {
            let loans = self.loans.iter().map(|&(_, extent, _)| extent);
            loans.chain(self.imports.iter().map(|import| import.extent))
        }

        fn allocate(&mut self, len: u64, align: u64, client: ClientId) {
            let want = Want { len, align, client };
            let Some(taken) = self.pieces.take(want) else {
                // Everything that nobody sees was joined and is still too little.
                assert!(self.pieces.space.largest(align) < len);
                return;
            };
            let extent = taken.extent;
            assert!(extent.len == len && extent.start.is_multiple_of(align));
            for other in self.seen() {
                let apart = extent.end() <= other.start || other.end() <= extent.start;
                assert!(apart, "{extent:?} is given while {other:?} is in use");
            }
            let buffer = taken.buffer.unwrap_or_else(|| {
                self.keys += 1;
                Fake {
                    key: self.keys,
                    others: Rc::default(),
                    touched: false,
                }
            });
            for &part in &taken.dirty {
                self.memory[range(part)].fill(None);
            }
            self.pieces.cleared(&taken.dirty);
            let ours = Some(client).filter(|_| self.clearing == Clearing::BetweenClients);
            for found in &self.memory[range(extent)] {
                assert!(
                    found.is_none() || *found == ours,
                    "another's memory is shown"
                );
            }
            assert!(self.pieces.lend(extent, &buffer));
            self.loans.push((buffer, extent, client));
        }

        fn check(&self) {
            let lent: u64 = self.loans.iter().map(|(_, extent, _)| extent.len).sum();
            let waiting = self.pieces.waiting();
            assert_eq!(lent + waiting + self.pieces.space.free(), PAGES);
            assert!(self.pieces.ready.len() <= MOST_READY);
            let mut free = self.pieces.space.clone();
            for kept in &self.pieces.ready {
                assert!(free.claim(kept.extent), "{kept:?} is not free");
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Allocate { len: u64, power: u32, who: bool },
        Write(Index),
        Import(Index),
        Release(Index),
        ImporterWrites(Index),
        ImporterLetsGo(Index),
    }

    fn op() -> impl Strategy<Value = Op> {
        let len = prop_oneof![Just(1), Just(8), Just(40), 1..=PAGES];
        let index = any::<Index>;
        prop_oneof![
            4 => (len, 0..=4u32, any::<bool>())
                .prop_map(|(len, power, who)| Op::Allocate { len, power, who }),
            2 => index().prop_map(Op::Write),
            1 => index().prop_map(Op::Import),
            3 => index().prop_map(Op::Release),
            1 => index().prop_map(Op::ImporterWrites),
            1 => index().prop_map(Op::ImporterLetsGo),
        ]
    }

    fn run(clearing: Clearing, ops: &[Op]) {
        let clients = [Account::new("a").client(), Account::new("b").client()];
        let mut world = World::new(clearing);
        for op in ops {
            let loans = world.loans.len();
            let imports = world.imports.len();
            match *op {
                Op::Allocate { len, power, who } => {
                    world.allocate(len, 1 << power, clients[usize::from(who)]);
                }
                Op::Write(which) if loans > 0 => {
                    let (buffer, extent, client) = &mut world.loans[which.index(loans)];
                    buffer.touched = true;
                    world.memory[range(*extent)].fill(Some(*client));
                }
                Op::Import(which) if loans > 0 => {
                    let (buffer, extent, client) = &mut world.loans[which.index(loans)];
                    buffer.touched = true;
                    buffer.others.set(buffer.others.get() + 1);
                    world.imports.push(Import {
                        others: Rc::clone(&buffer.others),
                        extent: *extent,
                        client: *client,
                    });
                }
                Op::Release(which) if loans > 0 => {
                    let (buffer, _, client) = world.loans.swap_remove(which.index(loans));
                    let alone = buffer.is_alone();
                    assert!(world.pieces.put(buffer, client, alone).is_none());
                }
                Op::ImporterWrites(which) if imports > 0 => {
                    let import = &world.imports[which.index(imports)];
                    world.memory[range(import.extent)].fill(Some(import.client));
                }
                Op::ImporterLetsGo(which) if imports > 0 => {
                    drop(world.imports.swap_remove(which.index(imports)));
                }
                _ => {}
            }
            world.check();
        }
        world.imports.clear();
        for (buffer, _, client) in std::mem::take(&mut world.loans) {
            assert!(world.pieces.put(buffer, client, true).is_none());
        }
        world.allocate(PAGES, 1, clients[0]);
        assert_eq!(world.loans.len(), 1, "all that was freed is one piece");
    }

    proptest! {
        #[test]
        fn memory_in_use_is_never_given_and_anothers_never_shown(ops in vec(op(), 1..150)) {
            run(Clearing::Always, &ops);
            run(Clearing::BetweenClients, &ops);
        }
    }

    #[test]
    fn a_buffer_that_is_not_ours_stays_the_callers() {
        let mut pieces = Pieces::new(Space::new(4, 1), Clearing::Always);
        let stranger = Fake {
            key: 7,
            others: Rc::default(),
            touched: true,
        };
        assert!(pieces.put(stranger, ClientId::PROCESS, true).is_some());
        assert_eq!(pieces.space.free(), 4);
    }
}
