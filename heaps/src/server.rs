//! Lends heaps to other processes, each through a node of its own.
//!
//! A [`Node`] is the whole of the thinking: who is connected, who has what, who may have more.
//! It does no I/O but what its heap does. [`Server`] is the loop around nodes: it listens,
//! receives and sends, one message a client a round, and waits for nobody.

mod accept;
mod activation;
mod complaints;
mod limits;
mod listener;
mod node;
mod notify;
mod poll;

pub use activation::inherited;
pub use limits::Limits;
pub use listener::{Access, Listener};
pub use node::{Lent, Node, Outcome, Over, Peer, Quotas, SessionId};
pub use notify::{Said, notify};
pub use poll::{Server, Stop};

use std::path::PathBuf;

use dmaflow_core::Errno;

/// Why a server cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A system call that nobody can do without failed.
    #[error("cannot {doing}: {errno}")]
    Os {
        /// What was to be done.
        doing: &'static str,
        /// What the system says.
        errno: Errno,
    },
    /// A node cannot be made.
    #[error("cannot {doing} {}: {errno}", path.display())]
    Node {
        /// What was to be done.
        doing: &'static str,
        /// The node, or its directory.
        path: PathBuf,
        /// What the system says.
        errno: Errno,
    },
    /// Somebody answers at a node's path.
    #[error("another server is running at {}; stop it first", path.display())]
    Running {
        /// The node.
        path: PathBuf,
    },
    /// Something else lies where a node is to be.
    #[error("{} is there already and no socket; remove it, or serve elsewhere", path.display())]
    InTheWay {
        /// The node.
        path: PathBuf,
    },
    /// Everybody could put another node in its place.
    #[error("everybody may write to {}; serve in a directory of the server's own", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// More sockets were passed than are taken.
    #[error("{count} sockets were passed (LISTEN_FDS), and at most {most} are taken; pass fewer")]
    TooMany {
        /// How many were passed.
        count: u32,
        /// How many are taken.
        most: i32,
    },
    /// What the one who started us left behind is no socket to serve at.
    #[error(
        "the inherited descriptor `{name}` is no listening SOCK_SEQPACKET socket; \
             use ListenSequentialPacket= in the unit"
    )]
    Inherited {
        /// Its name.
        name: String,
    },
}

impl ServeError {
    fn os(doing: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::Os {
            doing,
            errno: self::errno(errno),
        }
    }
}

/// What the system says, as the core calls it.
fn errno(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}
