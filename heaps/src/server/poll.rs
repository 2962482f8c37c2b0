//! The loop: who is ready has a turn, nobody is waited for.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dmaflow_core::heap::{Account, Heap};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use super::complaints::Complaints;
use super::limits::{Limits, raise_descriptors};
use super::listener::Listener;
use super::node::{Node, Outcome, Over, Quotas, SessionId, last_words};
use super::{Peer, ServeError};
use crate::remote::protocol::{REQUEST_LEN, Refusal};
use crate::remote::{Sent, receive_request, send_reply};

/// How soon what lingers is looked at again, while that finds something, and at last.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How long nobody is let in when there is no room for another descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// Lends heaps through nodes until it is told to stop, in one thread.
///
/// A client is heard once a round, whatever it sends, and one that does not read its replies
/// is dropped: no client makes another wait for longer than its heap takes to allocate.
#[derive(Debug)]
pub struct Server {
    pub(super) nodes: Vec<(Node, Listener)>,
    pub(super) connections: Vec<Connection>,
    pub(super) limits: Limits,
    pub(super) complaints: Complaints,
    account: Account,
    stop: Stop,
    looks: Looks,
    accept_after: Option<Instant>,
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) node: usize,
    pub(super) session: SessionId,
    pub(super) peer: Peer,
    pub(super) is_over: bool,
}

/// Stops a [`Server`] from elsewhere.
#[derive(Clone, Debug)]
pub struct Stop(Arc<OwnedFd>);

impl Stop {
    /// Has the server's loop end.
    pub fn stop(&self) {
        if let Err(errno) = rustix::io::write(&*self.0, &1_u64.to_ne_bytes()) {
            tracing::error!(%errno, "cannot stop the server");
        }
    }
}

/// When to look at what lingers.
#[derive(Debug)]
struct Looks {
    next: Option<Instant>,
    after: Duration,
    seen: usize,
}

impl Looks {
    const IDLE: Self = Self {
        next: None,
        after: FIRST_LOOK,
        seen: 0,
    };

    /// Sets the next look: soon where fewer linger than before or more do, later where nothing
    /// changes, not at all where nothing lingers.
    ///
    /// Only a look that came due moves the next one away: a client whose count changes all the
    /// time must not put it off for everybody.
    fn plan(&mut self, lingering: usize, now: Instant) {
        if lingering == 0 {
            *self = Self::IDLE;
            return;
        }
        let has_changed = lingering != self.seen;
        self.seen = lingering;
        let pending = self.next.filter(|next| *next > now);
        if has_changed {
            self.after = FIRST_LOOK;
        } else if pending.is_none() {
            self.after = (self.after * 2).min(LAST_LOOK);
        }
        let soon = now + self.after;
        self.next = Some(match pending {
            Some(next) if has_changed => next.min(soon),
            Some(next) => next,
            None => soon,
        });
    }
}

/// Who is ready.
struct Ready {
    is_stopped: bool,
    listeners: Vec<bool>,
    connections: Vec<bool>,
}

impl Server {
    /// Makes a server without nodes. This process may open as many files as the system allows
    /// it from now on.
    ///
    /// # Errors
    /// [`ServeError::Os`].
    pub fn new(limits: Limits) -> Result<Self, ServeError> {
        let (limits, budget) = limits.within(raise_descriptors());
        let account = Account::new("the server");
        account.set_budget(budget);
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let stop = eventfd(0, flags).map_err(ServeError::os("make an eventfd"))?;
        Ok(Self {
            nodes: Vec::new(),
            connections: Vec::new(),
            limits,
            complaints: Complaints::new(Instant::now()),
            account,
            stop: Stop(Arc::new(stop)),
            looks: Looks::IDLE,
            accept_after: None,
        })
    }

    /// Lends from a heap to whoever connects to a node.
    pub fn add(&mut self, heap: Heap, quotas: Quotas, listener: Listener) {
        let owner = rustix::process::geteuid().as_raw();
        let node = Node::new(heap, quotas, &self.account, owner);
        self.nodes.push((node, listener));
    }

    /// What stops it.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// Serves until it is told to stop, then removes its nodes and ends all connections.
    ///
    /// # Errors
    /// [`ServeError::Os`] where the system cannot wait for clients.
    pub fn run(mut self) -> Result<(), ServeError> {
        loop {
            let ready = self.wait()?;
            if ready.is_stopped {
                return Ok(());
            }
            self.round(&ready, Instant::now());
        }
    }

    fn round(&mut self, ready: &Ready, now: Instant) {
        for (at, _) in ready.connections.iter().enumerate().filter(|(_, is)| **is) {
            self.hear(at, now);
        }
        self.connections.retain(|connection| !connection.is_over);
        for (at, _) in ready.listeners.iter().enumerate().filter(|(_, is)| **is) {
            self.accept(at, now);
        }
        if self.looks.next.is_some_and(|next| next <= now) {
            for (node, _) in &mut self.nodes {
                node.look_again();
            }
        }
        let lingering = self.nodes.iter().map(|(node, _)| node.lingering()).sum();
        self.looks.plan(lingering, now);
    }

    /// Waits for somebody to be ready, or for the next thing to do.
    fn wait(&mut self) -> Result<Ready, ServeError> {
        let now = Instant::now();
        self.accept_after = self.accept_after.filter(|after| *after > now);
        let listening = if self.accept_after.is_some() {
            PollFlags::empty()
        } else {
            PollFlags::IN
        };
        let deadline = self.looks.next.into_iter().chain(self.accept_after).min();
        let wait = deadline.map(|deadline| timespec(deadline.saturating_duration_since(now)));
        let mut fds = vec![PollFd::new(&*self.stop.0, PollFlags::IN)];
        let listeners = self.nodes.iter();
        fds.extend(listeners.map(|(_, listener)| PollFd::new(listener, listening)));
        let clients = self.connections.iter();
        fds.extend(clients.map(|client| PollFd::new(&client.socket, PollFlags::IN)));
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(ServeError::os("wait for clients")(errno)),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(Ready {
            is_stopped: ready.next().unwrap_or_default(),
            listeners: ready.by_ref().take(self.nodes.len()).collect(),
            connections: ready.collect(),
        })
    }

    /// Hears one message of a client.
    fn hear(&mut self, at: usize, now: Instant) {
        let Some(client) = self.connections.get_mut(at) else {
            return;
        };
        let Some((node, _)) = self.nodes.get_mut(client.node) else {
            return;
        };
        let why = hear(client, node);
        if let Heard::Over(why) = why {
            client.is_over = true;
            node.hang_up(client.session);
            if let Some(why) = why {
                self.complaints.say(now, Some(client.peer), &why);
            }
        }
    }

    pub(super) fn pause_accepting(&mut self, now: Instant) {
        self.accept_after = Some(now + PAUSE);
    }
}

/// What hearing a client led to.
enum Heard {
    /// It goes on.
    On,
    /// It is over, by the client's own fault where one is told.
    Over(Option<String>),
}

fn hear(client: &Connection, node: &mut Node) -> Heard {
    // One byte more than a message has, to see one that is longer.
    let mut message = [0; REQUEST_LEN + 1];
    let mut outcome = match receive_request(client.socket.as_fd(), &mut message) {
        Sent::Nothing => return Heard::On,
        Sent::End => return Heard::Over(None),
        Sent::Descriptors => node.end(client.session, Over::Descriptors),
        Sent::Message(len) => {
            let message = message.get(..len).unwrap_or(&message);
            node.message(client.session, message)
        }
    };
    let mut sent = send(client, &outcome);
    if let (Err(errno), Some(lent)) = (sent, outcome.lent)
        && is_our_want(errno)
    {
        tracing::debug!(%errno, "a buffer cannot be sent");
        outcome = node.not_sent(client.session, lent, super::errno(errno));
        sent = send(client, &outcome);
    }
    match (outcome.over, sent) {
        (Some(over), _) => Heard::Over(Some(over.to_string())),
        (None, Ok(())) => Heard::On,
        // It went away meanwhile.
        (None, Err(Errno::PIPE | Errno::CONNRESET)) => Heard::Over(None),
        (None, Err(Errno::AGAIN)) => Heard::Over(Some("it does not read its replies".to_owned())),
        (None, Err(errno)) => Heard::Over(Some(format!("it cannot be replied to: {errno}"))),
    }
}

fn send(client: &Connection, outcome: &Outcome<'_>) -> Result<(), Errno> {
    let reply = outcome.reply.as_ref();
    reply.map_or(Ok(()), |reply| {
        send_reply(client.socket.as_fd(), reply, outcome.buffer)
    })
}

/// Whether a descriptor could not be sent for want of memory, or because too many are on their
/// way already: nothing that this client has done.
const fn is_our_want(errno: Errno) -> bool {
    matches!(errno, Errno::NOBUFS | Errno::NOMEM | Errno::TOOMANYREFS)
}

/// Tells a client why it is hung up on, should it listen.
pub(super) fn part(socket: BorrowedFd<'_>, refusal: &Refusal) {
    if let Err(errno) = send_reply(socket, &last_words(refusal), None) {
        tracing::debug!(%errno, "a client does not hear why it is hung up on");
    }
}

fn timespec(wait: Duration) -> Timespec {
    // A part of a millisecond would only wake us too early.
    let wait = wait + Duration::from_millis(1);
    Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(wait.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_as_long_as_something_lingers() {
        let mut now = Instant::now();
        let mut looks = Looks::IDLE;
        looks.plan(0, now);
        assert_eq!(looks.next, None);
        looks.plan(3, now);
        assert_eq!(looks.next, Some(now + FIRST_LOOK));
        looks.plan(3, now);
        assert_eq!(
            looks.next,
            Some(now + FIRST_LOOK),
            "not put off by other rounds"
        );
        for _look in 0..20 {
            now = looks.next.unwrap();
            looks.plan(3, now);
        }
        assert_eq!(looks.next, Some(now + LAST_LOOK));
        looks.plan(2, now);
        assert_eq!(looks.next, Some(now + FIRST_LOOK));
        looks.plan(0, now);
        assert_eq!(looks.next, None);
    }

    #[test]
    fn a_count_that_keeps_changing_does_not_put_a_look_off() {
        let start = Instant::now();
        let mut looks = Looks::IDLE;
        looks.plan(1, start);
        for millisecond in 1..20 {
            let now = start + Duration::from_millis(millisecond);
            looks.plan(1 + usize::from(millisecond % 2 == 1), now);
            assert_eq!(looks.next, Some(start + FIRST_LOOK));
        }
        let due = start + FIRST_LOOK;
        looks.plan(7, due);
        assert_eq!(looks.next, Some(due + FIRST_LOOK), "it has come due");
    }

    #[test]
    fn a_change_does_not_put_off_a_look_that_was_sooner() {
        let mut now = Instant::now();
        let mut looks = Looks::IDLE;
        looks.plan(3, now);
        for _look in 0..20 {
            now = looks.next.unwrap();
            looks.plan(3, now);
        }
        let later = now + LAST_LOOK - Duration::from_millis(5);
        looks.plan(4, later);
        assert_eq!(looks.next, Some(now + LAST_LOOK), "it was sooner still");
    }
}
