//! A server's books, whatever its clients do: sums balance, budgets hold, each buffer has one
//! owner, everything comes back.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "accounting/check.rs"]
mod check;
#[path = "accounting/deeds.rs"]
mod deeds;
#[path = "accounting/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use deeds::{Deed, deeds};
use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Account, Budget, Heap, page_size};
use dmaflow_heaps::Memfd;
use dmaflow_heaps::remote::protocol::{Answer, Ask, Label, REQUEST_LEN, Reply, Request};
use dmaflow_heaps::server::{Node, Peer, Quotas, SessionId};
use proptest::prelude::*;
use world::{Fake, World};

const PER_USER: Budget = Budget {
    bytes: Some(12 * 4096),
    buffers: Some(8),
};
const PER_CLIENT: Budget = Budget {
    bytes: Some(8 * 4096),
    buffers: Some(6),
};
const IN_ALL: Budget = Budget {
    bytes: Some(24 * 4096),
    buffers: None,
};
const SERVER: Budget = Budget {
    bytes: None,
    buffers: Some(14),
};

#[derive(Default)]
struct Client {
    uid: u32,
    held: BTreeMap<u64, u64>,
}

/// A buffer that lingers.
struct Left {
    uid: u32,
    client: SessionId,
    len: u64,
}

/// The server's books beside our own.
struct Pair {
    node: Node,
    server: Account,
    world: Arc<Mutex<World>>,
    clients: BTreeMap<SessionId, Client>,
    /// By id: whose, how long.
    lingering: BTreeMap<u64, Left>,
}

fn within(budget: Budget, (buffers, bytes): (u64, u64), more: u64) -> bool {
    budget.bytes.is_none_or(|most| bytes + more <= most)
        && budget.buffers.is_none_or(|most| buffers < most)
}

impl Pair {
    fn new() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let heap = Heap::new(Memfd::info(), Fake(Arc::clone(&world)));
        heap.set_budget(IN_ALL);
        let server = Account::new("the server");
        server.set_budget(SERVER);
        let quotas = Quotas {
            user: PER_USER,
            client: PER_CLIENT,
        };
        let kernel = Arc::clone(&world);
        let alone = move |buffer: &DmaBuf| {
            let id = buffer.id().inode();
            !kernel.lock().unwrap().elsewhere.contains(&id)
        };
        let node = Node::with_alone(heap, quotas, &server, 1, alone);
        Self {
            node,
            server,
            world,
            clients: BTreeMap::new(),
            lingering: BTreeMap::new(),
        }
    }

    fn nth(&self, nth: usize) -> Option<SessionId> {
        let all: Vec<_> = self.clients.keys().copied().collect();
        (!all.is_empty()).then(|| all[nth % all.len()])
    }

    /// Buffers and bytes of a user, lingering ones too.
    fn of_user(&self, uid: u32) -> (u64, u64) {
        let clients = self.clients.values().filter(|client| client.uid == uid);
        let held = clients.flat_map(|client| client.held.values());
        let lingering = self.lingering.values();
        let lingering = lingering.filter(|left| left.uid == uid);
        sum(held.chain(lingering.map(|left| &left.len)))
    }

    /// Buffers and bytes of a client, lingering ones too.
    fn of_client(&self, id: SessionId) -> (u64, u64) {
        let lingering = self.lingering.values();
        let lingering = lingering.filter(|left| left.client == id);
        let held = self.clients[&id].held.values();
        sum(held.chain(lingering.map(|left| &left.len)))
    }

    fn of_all(&self) -> (u64, u64) {
        let held = self
            .clients
            .values()
            .flat_map(|client| client.held.values());
        sum(held.chain(self.lingering.values().map(|left| &left.len)))
    }

    fn say(&mut self, id: SessionId, ask: Ask) -> Option<Reply> {
        let outcome = self.node.message(id, &Request { serial: 9, ask }.encode());
        assert_eq!(outcome.over, None);
        let reply = Reply::parse(outcome.reply?.as_slice()).unwrap();
        assert_eq!(reply.serial, 9);
        let lends = matches!(reply.outcome, Ok(Answer::Allocated { .. }));
        assert_eq!(outcome.buffer.is_some(), lends);
        assert_eq!(outcome.lent.is_some(), lends);
        Some(reply)
    }

    /// A message that ends its session, and what the session had.
    fn breaks(&mut self, id: SessionId, bytes: &[u8]) {
        let outcome = self.node.message(id, bytes);
        assert!(outcome.over.is_some() && outcome.buffer.is_none());
        let words = Reply::parse(outcome.reply.unwrap().as_slice()).unwrap();
        assert_eq!((words.serial, words.outcome.is_err()), (0, true));
        assert!(self.node.message(id, bytes).over.is_some());
        self.gone(id);
    }

    fn gone(&mut self, id: SessionId) {
        let client = self.clients.remove(&id).unwrap();
        let elsewhere = self.world.lock().unwrap().elsewhere.clone();
        let left = client.held.into_iter();
        let left = left.filter(|(buffer, _)| elsewhere.contains(buffer));
        let uid = client.uid;
        let left = left.map(|(buffer, len)| {
            (
                buffer,
                Left {
                    uid,
                    client: id,
                    len,
                },
            )
        });
        self.lingering.extend(left);
    }

    /// What the server finds when it looks at what lingers with these users.
    fn looked(&mut self, at: impl Fn(u32) -> bool) {
        let world = self.world.lock().unwrap();
        self.lingering
            .retain(|id, left| !at(left.uid) || world.elsewhere.contains(id));
    }

    /// Whether a client's and its user's own budgets have room for a buffer.
    fn is_within_its_own(&self, id: SessionId, len: u64) -> bool {
        let uid = self.clients[&id].uid;
        within(PER_USER, self.of_user(uid), len) && within(PER_CLIENT, self.of_client(id), len)
    }

    /// Whether budgets and the exporter have room for a buffer now.
    fn has_room(&self, id: SessionId, len: u64) -> (bool, bool) {
        let fits = self.is_within_its_own(id, len)
            && within(IN_ALL, self.of_all(), len)
            && within(SERVER, self.of_all(), len);
        (fits, self.world.lock().unwrap().is_full)
    }

    fn allocate(&mut self, id: SessionId, len: u64, label: u8) {
        let whole = len.next_multiple_of(page_size() as u64);
        // It looks at what lingers where there is no room otherwise, and only then; at others'
        // only where the limit is not the client's own.
        if len > 0 && !self.is_within_its_own(id, whole) {
            let uid = self.clients[&id].uid;
            self.looked(|other| other == uid);
        } else if len > 0 && self.has_room(id, whole) != (true, false) {
            self.looked(|_any| true);
        }
        let (fits, is_full) = self.has_room(id, whole);
        let ask = Ask::Allocate {
            len,
            align: 1,
            flags: 0,
            label: Label::new(&format!("{}", label % 50)),
        };
        match self.say(id, ask).unwrap().outcome {
            Ok(Answer::Allocated {
                len: got,
                id: buffer,
            }) => {
                assert!(fits && !is_full && got == whole && len > 0);
                assert!(!self.lingering.contains_key(&buffer));
                for client in self.clients.values() {
                    assert!(!client.held.contains_key(&buffer), "two owners");
                }
                let client = self.clients.get_mut(&id).unwrap();
                client.held.insert(buffer, got);
            }
            Err(refusal) if len == 0 => assert_eq!(refusal.errno, Errno::EINVAL),
            Err(refusal) if !fits => assert_eq!(refusal.errno, Errno::EDQUOT),
            Err(refusal) => assert!(is_full && refusal.errno == Errno::ENOMEM, "{refusal:?}"),
            Ok(other) => panic!("{other:?}"),
        }
    }

    fn release(&mut self, id: SessionId, nth: usize, keep: bool) {
        let client = self.clients.get_mut(&id).unwrap();
        let Some(buffer) = client.held.keys().nth(nth).copied() else {
            return;
        };
        let (uid, len) = (client.uid, client.held.remove(&buffer).unwrap());
        if keep {
            self.world.lock().unwrap().elsewhere.insert(buffer);
            self.lingering.insert(
                buffer,
                Left {
                    uid,
                    client: id,
                    len,
                },
            );
        }
        assert!(self.say(id, Ask::Release { id: buffer }).is_none());
    }

    fn does(&mut self, deed: Deed) {
        let client = match &deed {
            Deed::Allocate { client, .. }
            | Deed::Wrong { client, .. }
            | Deed::Release { client, .. }
            | Deed::NotTheirs { client }
            | Deed::Garbage { client, .. }
            | Deed::HangUp { client, .. }
            | Deed::Stats { client } => self.nth(*client),
            _ => None,
        };
        match (deed, client) {
            (Deed::Connect { uid }, _) => {
                let id = self.node.connect(Peer { uid, pid: 1 });
                let held = BTreeMap::new();
                self.clients.insert(id, Client { uid, held });
                let program = Label::new("test");
                let said = self.say(id, Ask::Hello { program }).unwrap();
                assert!(matches!(said.outcome, Ok(Answer::Hello(_))));
            }
            (Deed::Allocate { len, label, .. }, Some(id)) => self.allocate(id, len, label),
            (Deed::Wrong { align, flags, .. }, Some(id)) => {
                let align = align | 3;
                let label = Label::default();
                let len = 4096;
                let ask = Ask::Allocate {
                    len,
                    align,
                    flags,
                    label,
                };
                let refusal = self.say(id, ask).unwrap().outcome.unwrap_err();
                assert_eq!(refusal.errno, Errno::EINVAL);
            }
            (Deed::Release { buffer, keep, .. }, Some(id)) => self.release(id, buffer, keep),
            (Deed::NotTheirs { .. }, Some(id)) => {
                let held = &self.clients[&id].held;
                let others = self.world.lock().unwrap().out.clone();
                let theirs = others.into_iter().find(|other| !held.contains_key(other));
                let ask = Ask::Release {
                    id: theirs.unwrap_or(u64::MAX),
                };
                self.breaks(id, &Request { serial: 1, ask }.encode());
            }
            (Deed::Garbage { bytes, .. }, Some(id)) => self.breaks(id, &bytes),
            (Deed::HangUp { keep, .. }, Some(id)) => {
                let held = self.clients[&id].held.keys().take(keep);
                self.world.lock().unwrap().elsewhere.extend(held);
                self.node.hang_up(id);
                self.gone(id);
            }
            (Deed::LetGo { buffer }, _) => {
                let mut world = self.world.lock().unwrap();
                if let Some(id) = world.elsewhere.iter().nth(buffer).copied() {
                    world.elsewhere.remove(&id);
                }
            }
            (Deed::Look, _) => {
                let left = self.node.look_again();
                self.looked(|_any| true);
                assert_eq!(left, self.lingering.len());
            }
            (Deed::Stats { .. }, Some(id)) => {
                let outcome = self.say(id, Ask::Stats { line: 0 }).unwrap().outcome;
                let may = self.clients[&id].uid < 2;
                assert_eq!(outcome.is_ok(), may, "root and the owner, user 1");
            }
            (Deed::Full { is_full }, _) => self.world.lock().unwrap().is_full = is_full,
            (_, None) => {}
        }
        self.check();
    }

    fn ends(mut self) {
        while let Some(id) = self.nth(0) {
            self.node.hang_up(id);
            self.gone(id);
        }
        self.check();
        self.world.lock().unwrap().elsewhere.clear();
        while self.node.look_again() > 0 {}
        self.looked(|_any| true);
        self.check();
        assert!(self.world.lock().unwrap().out.is_empty());
        assert_eq!(self.server.usage().live, 0);
        for figures in self.node.figures() {
            assert_eq!((figures.usage.live, figures.usage.live_bytes), (0, 0));
        }
    }
}

fn sum<'n>(lens: impl Iterator<Item = &'n u64>) -> (u64, u64) {
    lens.fold((0, 0), |(count, all), len| (count + 1, all + len))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance(deeds in prop::collection::vec(deeds(), 1..80)) {
        let mut pair = Pair::new();
        for deed in deeds {
            pair.does(deed);
        }
        pair.ends();
    }
}

#[test]
fn what_others_left_is_looked_at_before_a_buffer_is_refused() {
    let mut pair = Pair::new();
    for (nth, uid, allocates, releases) in [(0, 5, 5, 4), (1, 5, 3, 3), (2, 6, 6, 0)] {
        pair.does(Deed::Connect { uid });
        let id = pair.nth(nth).unwrap();
        for _buffer in 0..allocates {
            pair.allocate(id, 4096, 0);
        }
        for _buffer in 0..releases {
            pair.release(id, 0, true);
        }
    }
    assert_eq!(Some(pair.of_all().0), SERVER.buffers, "there is no more");
    pair.world.lock().unwrap().elsewhere.clear();
    pair.does(Deed::Connect { uid: 7 });
    assert_eq!(pair.node.lingering(), 7, "nobody has looked");
    let id = pair.nth(3).unwrap();
    pair.allocate(id, 4096, 0);
    assert_eq!(pair.clients[&id].held.len(), 1);
    assert_eq!(pair.server.usage().failed, 0, "it was one request");
    pair.check();
    pair.ends();
}

#[test]
fn a_buffer_that_cannot_be_sent_goes_back() {
    let mut pair = Pair::new();
    pair.does(Deed::Connect { uid: 5 });
    let id = pair.nth(0).unwrap();
    let ask = Ask::Allocate {
        len: 4096,
        align: 1,
        flags: 0,
        label: Label::default(),
    };
    let outcome = pair.node.message(id, &Request { serial: 7, ask }.encode());
    let lent = outcome.lent.unwrap();
    assert_eq!(pair.server.usage().live, 1);
    let outcome = pair.node.not_sent(id, lent, Errno::ENOBUFS);
    assert!(outcome.buffer.is_none() && outcome.lent.is_none() && outcome.over.is_none());
    let reply = Reply::parse(outcome.reply.unwrap().as_slice()).unwrap();
    let refusal = reply.outcome.unwrap_err();
    assert_eq!((reply.serial, refusal.errno), (7, Errno::ENOBUFS));
    pair.check();
    pair.allocate(id, 4096, 0);
    pair.ends();
}

#[test]
fn a_hello_comes_first_and_once() {
    let mut pair = Pair::new();
    let ask = Ask::Available;
    let early = Request { serial: 1, ask }.encode();
    let id = pair.node.connect(Peer { uid: 5, pid: 1 });
    pair.clients.insert(id, Client::default());
    pair.breaks(id, &early);
    pair.does(Deed::Connect { uid: 5 });
    let id = pair.nth(0).unwrap();
    let program = Label::default();
    let ask = Ask::Hello { program };
    pair.breaks(id, &Request { serial: 2, ask }.encode());
    pair.breaks_not_by_length();
}

impl Pair {
    /// Every length but one is no message.
    fn breaks_not_by_length(mut self) {
        for len in [0, 1, REQUEST_LEN - 1, REQUEST_LEN + 1] {
            self.does(Deed::Connect { uid: 5 });
            let id = self.nth(0).unwrap();
            self.breaks(id, &vec![0; len]);
        }
        self.ends();
    }
}
