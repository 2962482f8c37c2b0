//! Letting clients in, as long as there is room for them.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use dmaflow_core::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::net::{SocketFlags, accept_with};

use super::Peer;
use super::listener::Listener;
use super::poll::{Connection, Server, part};
use crate::remote::protocol::Refusal;

/// How many of one node are let in, or turned away, before others have their turn.
const IN_A_ROUND: usize = 16;

/// What accepting leads to.
enum Accepted {
    Client(OwnedFd, Peer),
    /// That one is gone again.
    Gone,
    /// Nobody waits.
    Nobody,
    /// Nobody can be let in now, whoever waits.
    Later(rustix::io::Errno),
}

impl Server {
    /// Lets in who waits at a node.
    pub(super) fn accept(&mut self, at: usize, now: Instant) {
        for _turn in 0..IN_A_ROUND {
            match self.nodes.get(at).map(|(_, listener)| accept(listener)) {
                Some(Accepted::Client(socket, peer)) => self.admit(at, socket, peer, now),
                Some(Accepted::Gone) => {}
                Some(Accepted::Nobody) | None => return,
                Some(Accepted::Later(errno)) => {
                    let what = format!("nobody can be let in for a while: {errno}");
                    self.complaints.say(now, None, &what);
                    self.pause_accepting(now);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, at: usize, socket: OwnedFd, peer: Peer, now: Instant) {
        let all = self.connections.len();
        let users = self.connections.iter();
        let same_user = users.filter(|known| known.peer.uid == peer.uid).count();
        let most = self.limits.per_user;
        let full = if all >= self.limits.connections {
            Some(format!(
                "{all} clients are connected, as many as may be; try later"
            ))
        } else if same_user >= most {
            Some(format!(
                "user {} has {most} connections, as many as may be",
                peer.uid
            ))
        } else {
            None
        };
        if let Some(reason) = full {
            let errno = Errno::EUSERS;
            part(socket.as_fd(), &Refusal { errno, reason });
            self.complaints
                .say(now, Some(peer), &"too many connections");
            return;
        }
        if let Some((node, _)) = self.nodes.get_mut(at) {
            tracing::debug!(
                uid = peer.uid,
                pid = peer.pid,
                heap = node.heap().name(),
                "a client"
            );
            self.connections.push(Connection {
                session: node.connect(peer),
                socket,
                node: at,
                peer,
                is_over: false,
            });
        }
    }
}

fn accept(listener: &Listener) -> Accepted {
    use rustix::io::Errno;
    match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
        Ok(socket) => match getsockopt(&socket, PeerCredentials) {
            Ok(peer) => {
                let uid = peer.uid();
                let pid = peer.pid().unsigned_abs();
                Accepted::Client(socket, Peer { uid, pid })
            }
            Err(errno) => {
                tracing::debug!(%errno, "a client of whom nothing is known");
                Accepted::Gone
            }
        },
        Err(Errno::AGAIN) => Accepted::Nobody,
        Err(Errno::INTR | Errno::CONNABORTED) => Accepted::Gone,
        Err(errno) => Accepted::Later(errno),
    }
}
