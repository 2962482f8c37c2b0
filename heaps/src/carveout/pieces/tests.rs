//! Pieces of a region whose memory shows who wrote it.

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
