//! A heap and those who borrow from it.

mod answer;
mod figures;
mod session;
mod user;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{Account, Budget, Heap};

use crate::remote::protocol::{Kind, Malformed, REPLY_LEN, Refusal, Reply, Request};
use session::Session;
use user::User;

/// How much may be on loan at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// To all clients of a user together.
    pub user: Budget,
    /// To one client.
    pub client: Budget,
}

/// Who is at the other end, as the kernel says (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The user's number.
    pub uid: u32,
    /// The process, 0 where that is of another namespace.
    pub pid: u32,
}

/// One client's connection to one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

/// Whether nobody but the server has a buffer any more.
type Alone = Box<dyn Fn(&DmaBuf) -> bool + Send>;

/// A heap and those who borrow from it: sessions, accounts, and what lingers.
///
/// What a session had when it ended, or released while others still had it, *lingers*: it stays
/// charged to its user and is not used again until [`Node::look_again`] finds it with nobody.
/// Ordinary memory and a driver's own do not tell who has them (see [`DmaBuf::counts_holders`])
/// and do not linger: a memfd is charged by the kernel to whoever writes it, as one of the
/// client's own would be.
///
/// # Invariants
/// Each buffer on loan is one session's or lingers with one user. Every session's user is known.
pub struct Node {
    heap: Heap,
    quotas: Quotas,
    server: Account,
    owner: u32,
    users: BTreeMap<u32, User>,
    sessions: BTreeMap<SessionId, Session>,
    next: u64,
    alone: Alone,
}

/// What a message leads to.
#[derive(Debug, Default)]
pub struct Outcome<'n> {
    /// What the client is to be told.
    pub reply: Option<Box<[u8; REPLY_LEN]>>,
    /// The dma-buf to go with it.
    pub buffer: Option<BorrowedFd<'n>>,
    /// What that one is taken back by, should it not be sent.
    pub lent: Option<Lent>,
    /// Why the session is over; it is forgotten already.
    pub over: Option<Over>,
}

/// A buffer in a reply, see [`Node::not_sent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lent {
    serial: u32,
    id: u64,
}

/// What a session is ended for: no client of ours does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Over {
    /// What it said is no message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It sent descriptors.
    #[error("it sent descriptors")]
    Descriptors,
    /// It said something before its hello, or a second hello.
    #[error("not the time for this message")]
    OutOfTurn,
    /// It released a buffer that it does not have.
    #[error("a buffer was released that the client does not have")]
    NotItsBuffer,
    /// The session had ended.
    #[error("the session has ended")]
    Ended,
}

impl Node {
    /// Lends from a heap.
    ///
    /// What all users have is charged to `server` too. Besides root, the user `owner` may ask
    /// who has how much.
    #[must_use]
    pub fn new(heap: Heap, quotas: Quotas, server: &Account, owner: u32) -> Self {
        let alone = |buffer: &DmaBuf| !buffer.counts_holders() || buffer.is_alone();
        Self::with_alone(heap, quotas, server, owner, alone)
    }

    /// Lends from a heap, with another way to tell whether nobody else has a buffer: for tests.
    #[must_use]
    pub fn with_alone(
        heap: Heap,
        quotas: Quotas,
        server: &Account,
        owner: u32,
        alone: impl Fn(&DmaBuf) -> bool + Send + 'static,
    ) -> Self {
        Self {
            heap,
            quotas,
            server: server.clone(),
            owner,
            users: BTreeMap::new(),
            sessions: BTreeMap::new(),
            next: 0,
            alone: Box::new(alone),
        }
    }

    /// The heap that is lent from.
    #[must_use]
    pub const fn heap(&self) -> &Heap {
        &self.heap
    }

    /// How many clients are connected.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many buffers linger.
    #[must_use]
    pub fn lingering(&self) -> usize {
        self.users.values().map(User::lingering).sum()
    }

    /// Begins a client's session.
    pub fn connect(&mut self, peer: Peer) -> SessionId {
        self.forget_idle_users();
        let (server, quotas) = (&self.server, &self.quotas);
        let user = self
            .users
            .entry(peer.uid)
            .or_insert_with(|| User::new(peer.uid, server, quotas));
        let session = Session::new(peer, user, &self.heap, quotas);
        let id = SessionId(self.next);
        self.next += 1;
        self.sessions.insert(id, session);
        id
    }

    /// Takes a message of a client.
    pub fn message(&mut self, id: SessionId, bytes: &[u8]) -> Outcome<'_> {
        let Some(session) = self.sessions.get(&id) else {
            return Outcome {
                over: Some(Over::Ended),
                ..Outcome::default()
            };
        };
        let request = match Request::parse(bytes) {
            Ok(request) => request,
            Err(malformed) => return self.end(id, malformed.into()),
        };
        if session.is_out_of_turn(&request.ask) {
            return self.end(id, Over::OutOfTurn);
        }
        let (serial, kind) = (request.serial, request.ask.kind());
        match self.answer(id, request.ask) {
            Err(over) => self.end(id, over),
            Ok(None) => Outcome::default(),
            Ok(Some((outcome, given))) => {
                let reply = Reply {
                    serial,
                    kind,
                    outcome,
                };
                let session = self.sessions.get(&id);
                Outcome {
                    reply: Some(Box::new(reply.encode())),
                    buffer: session.and_then(|session| Some(session.buffer(given?)?.as_fd())),
                    lent: given.map(|id| Lent { serial, id }),
                    over: None,
                }
            }
        }
    }

    /// Takes back a buffer that could not be sent, and says so instead.
    pub fn not_sent(&mut self, id: SessionId, lent: Lent, errno: Errno) -> Outcome<'static> {
        if let Err(over) = self.take_back(id, lent.id) {
            return self.end(id, over);
        }
        let reply = Reply {
            serial: lent.serial,
            kind: Kind::Allocate,
            outcome: Err(Refusal {
                errno,
                reason: format!("the server cannot send the buffer now: {errno}; try again"),
            }),
        };
        Outcome {
            reply: Some(Box::new(reply.encode())),
            ..Outcome::default()
        }
    }

    /// Ends a session that broke the rules, and says why.
    pub(super) fn end(&mut self, id: SessionId, over: Over) -> Outcome<'static> {
        self.hang_up(id);
        Outcome {
            reply: Some(Box::new(last_words(&Refusal {
                errno: Errno::EPROTO,
                reason: format!("{over}; the server hangs up"),
            }))),
            over: Some(over),
            ..Outcome::default()
        }
    }

    /// Ends a session: what it had goes back to the heap, or lingers.
    pub fn hang_up(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else {
            return;
        };
        let Some(user) = self.users.get_mut(&session.peer().uid) else {
            return;
        };
        for buffer in session.into_buffers() {
            user.take_back(buffer, &self.alone);
        }
    }

    /// Looks again at some of what lingers, and returns how much still does.
    ///
    /// To be called now and then while [`Node::lingering`] is not 0.
    pub fn look_again(&mut self) -> usize {
        for user in self.users.values_mut() {
            user.look_again(&self.alone);
        }
        self.lingering()
    }

    /// Users without sessions and buffers are remembered for their figures, as long as they
    /// are few.
    fn forget_idle_users(&mut self) {
        const MANY: usize = 64;
        if self.users.len() >= MANY {
            let connected = self.sessions.values().map(|session| session.peer().uid);
            let connected: BTreeSet<u32> = connected.collect();
            self.users
                .retain(|uid, user| user.account().usage().live > 0 || connected.contains(uid));
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("heap", &self.heap)
            .field("sessions", &self.sessions.len())
            .field("lingering", &self.lingering())
            .finish_non_exhaustive()
    }
}

/// What a client is told before the server hangs up.
pub(super) fn last_words(refusal: &Refusal) -> [u8; REPLY_LEN] {
    Reply {
        serial: 0,
        kind: Kind::Hello,
        outcome: Err(refusal.clone()),
    }
    .encode()
}
