//! Several clients of one node say whatever they like. Whatever that is: the books balance, no
//! budget is passed, no buffer has two owners, and everything comes back.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Account, Budget, Heap};
use dmaflow_heaps::Memfd;
use dmaflow_heaps::remote::protocol::{Answer, Ask, Label, REQUEST_LEN, Reply, Request, Whose};
use dmaflow_heaps::server::{Node, Peer, Quotas, SessionId};
use libfuzzer_sys::fuzz_target;

const PAGE: u64 = 4096;
const BUDGET: Budget = Budget {
    bytes: Some(24 * PAGE),
    buffers: Some(12),
};
const QUOTAS: Quotas = Quotas {
    user: Budget {
        bytes: Some(12 * PAGE),
        buffers: Some(8),
    },
    client: Budget {
        bytes: Some(8 * PAGE),
        buffers: Some(6),
    },
};
const CLIENTS: usize = 24;

/// Takes what the next deed needs from the input.
struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn word(&mut self) -> Option<u64> {
        Some(u64::from(self.byte()?) << 8 | u64::from(self.byte()?))
    }

    fn bytes(&mut self, most: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(self.0.len().min(most));
        self.0 = rest;
        taken
    }
}

struct Server {
    node: Node,
    account: Account,
    /// Buffers that somebody else has.
    elsewhere: Arc<Mutex<BTreeSet<u64>>>,
    /// What each session has.
    sessions: BTreeMap<SessionId, BTreeSet<u64>>,
}

impl Server {
    fn new() -> Self {
        let heap = Heap::new(Memfd::info(), Memfd);
        heap.set_budget(BUDGET);
        let account = Account::new("the server");
        account.set_budget(BUDGET);
        let elsewhere = Arc::new(Mutex::new(BTreeSet::new()));
        let kernel = Arc::clone(&elsewhere);
        let alone = move |buffer: &DmaBuf| !kernel.lock().unwrap().contains(&buffer.id().inode());
        Self {
            node: Node::with_alone(heap, QUOTAS, &account, 1, alone),
            account,
            elsewhere,
            sessions: BTreeMap::new(),
        }
    }

    fn nth(&self, nth: u8) -> Option<SessionId> {
        let at = usize::from(nth) % self.sessions.len().max(1);
        self.sessions.keys().nth(at).copied()
    }

    fn say(&mut self, id: SessionId, bytes: &[u8]) {
        let outcome = self.node.message(id, bytes);
        let is_over = outcome.over.is_some();
        let lent = outcome.buffer.is_some();
        let reply = outcome
            .reply
            .map(|reply| Reply::parse(&reply[..]).expect("a reply"));
        let request = Request::parse(bytes);
        match (&request, &reply) {
            (Err(_), reply) => assert!(is_over && reply.is_some()),
            (
                Ok(Request {
                    ask: Ask::Release { id: buffer },
                    ..
                }),
                None,
            ) => {
                assert!(self.sessions.get_mut(&id).unwrap().remove(buffer));
            }
            (Ok(request), Some(reply)) if !is_over => {
                assert_eq!(reply.serial, request.serial);
                assert_eq!(reply.kind, request.ask.kind());
            }
            (_, reply) => assert!(is_over && reply.is_some()),
        }
        if let Some(Ok(Answer::Allocated { id: buffer, len })) = reply.map(|it| it.outcome) {
            assert!(lent && !is_over && len % PAGE == 0);
            let mut all = self.sessions.values();
            assert!(!all.any(|held| held.contains(&buffer)), "two owners");
            assert!(!self.elsewhere.lock().unwrap().contains(&buffer));
            self.sessions.get_mut(&id).unwrap().insert(buffer);
        } else {
            assert!(!lent);
        }
        if is_over {
            self.sessions.remove(&id);
        }
    }

    fn ask(&mut self, id: SessionId, ask: Ask) {
        self.say(id, &Request { serial: 3, ask }.encode());
    }

    /// One deed of somebody's; `None` at the end of the input.
    fn deed(&mut self, input: &mut Input<'_>) -> Option<()> {
        let (what, who) = (input.byte()?, input.byte()?);
        if what % 16 == 0 {
            if self.sessions.len() < CLIENTS {
                let uid = u32::from(who % 4);
                let id = self.node.connect(Peer { uid, pid: 7 });
                self.sessions.insert(id, BTreeSet::new());
                if who < 224 {
                    let program = Label::new(&String::from_utf8_lossy(input.bytes(2)));
                    self.ask(id, Ask::Hello { program });
                }
            }
            return Some(());
        }
        let id = self.nth(who)?;
        match what % 16 {
            1 | 2 => self.say(id, input.bytes(REQUEST_LEN)),
            3 => {
                let len = usize::from(input.byte()?);
                self.say(id, input.bytes(len));
            }
            4..=8 => {
                let (len, odd) = (input.word()?, input.byte()?);
                let label = Label::new(&String::from_utf8_lossy(input.bytes(1)));
                let ask = Ask::Allocate {
                    len: if odd == 255 { len << 48 } else { len },
                    align: if odd == 254 { len } else { 1 },
                    flags: u64::from(odd == 253),
                    label,
                };
                self.ask(id, ask);
            }
            9 | 10 => {
                let (nth, keep) = (input.byte()?, input.byte()?);
                let held = &self.sessions[&id];
                let nth = usize::from(nth) % (held.len() + 1);
                let buffer = held.iter().nth(nth).copied();
                if let Some(buffer) = buffer.filter(|_| keep > 127) {
                    self.elsewhere.lock().unwrap().insert(buffer);
                }
                let id_asked = buffer.unwrap_or(u64::from(keep));
                self.ask(id, Ask::Release { id: id_asked });
            }
            11 => {
                let keep = usize::from(input.byte()?) % 4;
                let held = self.sessions[&id].iter().take(keep);
                self.elsewhere.lock().unwrap().extend(held);
                self.node.hang_up(id);
                self.sessions.remove(&id);
            }
            12 => {
                let mut elsewhere = self.elsewhere.lock().unwrap();
                let nth = usize::from(who) % elsewhere.len().max(1);
                let buffer = elsewhere.iter().nth(nth).copied();
                buffer.map(|buffer| elsewhere.remove(&buffer));
            }
            13 => assert_eq!(self.node.look_again(), self.node.lingering()),
            14 => self.ask(id, Ask::Available),
            _ => {
                let line = u32::from(input.byte()?);
                self.ask(id, Ask::Stats { line });
            }
        }
        Some(())
    }

    fn check(&self) {
        let held: usize = self.sessions.values().map(BTreeSet::len).sum();
        let on_loan = (held + self.node.lingering()) as u64;
        let usage = self.node.heap().stats().usage;
        assert_eq!(usage.live, on_loan);
        assert_eq!(self.account.usage().live, on_loan);
        assert_eq!(self.account.usage().live_bytes, usage.live_bytes);
        assert!(usage.peak_bytes <= BUDGET.bytes.unwrap());
        assert_eq!(self.node.sessions(), self.sessions.len());
        let (mut users, mut clients) = ((0, 0), 0);
        for figures in self.node.figures() {
            let usage = figures.usage;
            let limits = figures.budget;
            assert!(limits.bytes.is_none_or(|most| usage.peak_bytes <= most));
            assert!(limits.buffers.is_none_or(|most| usage.peak <= most));
            match figures.whose {
                Whose::User { .. } => {
                    users = (users.0 + usage.live, users.1 + usage.live_bytes);
                }
                Whose::Client { .. } => clients += usage.live,
                Whose::Heap { .. } | Whose::Pipeline { .. } => {}
            }
        }
        assert_eq!(users, (usage.live, usage.live_bytes));
        assert!(clients >= held as u64 && clients <= on_loan);
    }

    fn end(mut self) {
        for id in std::mem::take(&mut self.sessions).into_keys() {
            self.node.hang_up(id);
        }
        self.check();
        self.elsewhere.lock().unwrap().clear();
        while self.node.look_again() > 0 {}
        self.check();
        assert_eq!(self.node.heap().stats().usage.live, 0);
    }
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fuzz_target!(|bytes: &[u8]| {
    let files = open_files();
    let mut input = Input(bytes);
    let mut server = Server::new();
    while server.deed(&mut input).is_some() {
        server.check();
    }
    server.end();
    assert_eq!(open_files(), files);
});
