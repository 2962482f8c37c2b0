//! What a heap's server and its clients say to each other.
//!
//! A message is one packet of a `SOCK_SEQPACKET` socket, so that it comes whole or not at all:
//! [`REQUEST_LEN`] bytes from the client, [`REPLY_LEN`] from the server, little-endian, the rest
//! zero. Every request but [`Ask::Release`] has one reply with its serial number; a dma-buf
//! comes with the reply that tells of it. A reply with serial number 0 says why the server
//! hangs up.
//!
//! Nothing here does I/O: a message is bytes in and a value out, or the reason why not.

mod fields;
mod info;
mod label;
mod reply;
mod request;

pub use label::{LABEL_MOST, Label};
pub use reply::{Answer, Figures, REPLY_LEN, Refusal, Reply, Whose};
pub use request::{Ask, REQUEST_LEN, Request};

/// The version of the protocol. A server hangs up on any other.
pub const VERSION: u16 = 1;

/// How each message begins.
const MAGIC: [u8; 4] = *b"dmfh";

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Who the client is, and what the heap is.
    Hello,
    /// A buffer is wanted.
    Allocate,
    /// A buffer is no longer used.
    Release,
    /// How much could be had.
    Available,
    /// Who has how much.
    Stats,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Hello,
        Self::Allocate,
        Self::Release,
        Self::Available,
        Self::Stats,
    ];

    const fn number(self) -> u16 {
        match self {
            Self::Hello => 1,
            Self::Allocate => 2,
            Self::Release => 3,
            Self::Available => 4,
            Self::Stats => 5,
        }
    }

    fn find(number: u16) -> Result<Self, Malformed> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.number() == number)
            .ok_or(Malformed::Kind(number))
    }
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is longer or shorter than every message is.
    #[error("a message of {got} bytes; each has {wanted}")]
    Length {
        /// How many bytes came.
        got: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// It begins otherwise than messages do.
    #[error("not a message of a heap")]
    Magic,
    /// It is of another version.
    #[error("version {theirs} of the protocol; this is version {VERSION}")]
    Version {
        /// The other side's version.
        theirs: u16,
    },
    /// There is no such kind of message.
    #[error("a message of unknown kind {0}")]
    Kind(u16),
    /// Something else than zero stands where nothing is defined.
    #[error("bytes that mean nothing are not zero")]
    Unused,
    /// A text is no UTF-8, is too long, or has control characters in it.
    #[error("a text that cannot be shown")]
    Text,
    /// A field holds what it cannot hold.
    #[error("the field `{0}` cannot be so")]
    Field(&'static str),
}

#[cfg(test)]
mod tests;
