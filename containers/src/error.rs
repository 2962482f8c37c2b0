//! What is wrong with a file, and where.

use std::fmt;
use std::io;

use dmaflow_bitstream::StreamError;
use thiserror::Error;

use crate::format::Format;

/// A file that cannot be read or written, and where.
#[derive(Debug, Error)]
pub enum ContainerError {
    /// The file holds something else than its format has there.
    #[error("{format}, byte {offset}: {expected} expected, {found} found")]
    Unexpected {
        /// The format it is read as.
        format: Format,
        /// Bytes before it.
        offset: u64,
        /// What has to be there.
        expected: &'static str,
        /// What is there.
        found: Found,
    },
    /// The file holds what its format allows, but it is not supported here.
    #[error("{format}, byte {offset}: {what} {found} is not supported")]
    Unsupported {
        /// The format it is read as.
        format: Format,
        /// Bytes before it.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// What is there.
        found: Found,
    },
    /// Something is longer than was allowed ([`ReadOptions::most`]).
    ///
    /// [`ReadOptions::most`]: crate::ReadOptions::most
    #[error(
        "{format}, byte {offset}: {what} has {found} bytes or more, at most {most} are allowed"
    )]
    TooLong {
        /// The format it is read as.
        format: Format,
        /// Bytes before it.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Its length, or how much of it was looked at.
        found: u64,
        /// What was allowed.
        most: u64,
    },
    /// The compressed data in the file is wrong.
    #[error("{format}, from byte {offset} on")]
    Stream {
        /// The format it is read as.
        format: Format,
        /// Bytes before the data, from which its error counts.
        offset: u64,
        /// What is wrong with it.
        source: StreamError,
    },
    /// The file ended in a packet of which it said that it was longer. Nothing more follows;
    /// what was read before is good.
    #[error(transparent)]
    Cut(#[from] Cut),
    /// The slice is shorter than the packet; nothing was read.
    #[error("a packet of {len} bytes does not fit into {room}")]
    Room {
        /// Bytes of the packet.
        len: usize,
        /// Bytes of the slice.
        room: usize,
    },
    /// There is no packet to read: none was announced, or its data was read already.
    #[error("no packet waits to be read")]
    NoPacket,
    /// What comes through a pipe has no place to go back to.
    #[error("what comes through a pipe cannot be sought in")]
    NotSeekable,
    /// The file has no packet from which decoding can begin.
    #[error("{format}: no key packet to begin with")]
    NoKey {
        /// The format it is read as.
        format: Format,
    },
    /// The system cannot read the file.
    #[error("byte {offset}: cannot read")]
    Read {
        /// Bytes before the place.
        offset: u64,
        /// What it says.
        source: io::Error,
    },
    /// The system cannot write the file. What was written before plays.
    #[error("cannot write after {written} bytes; the file plays up to {whole}")]
    Write {
        /// Bytes that were written in all.
        written: u64,
        /// Bytes of them that hold whole packets.
        whole: u64,
        /// What it says.
        source: io::Error,
    },
    /// Writing failed before: what would follow could not be found again.
    #[error("writing failed before, after {written} bytes")]
    Broken {
        /// Bytes that were written in all.
        written: u64,
    },
    /// The format cannot hold such a track.
    #[error("{format} cannot hold {what}")]
    CannotHold {
        /// The format.
        format: Format,
        /// What it cannot hold.
        what: String,
    },
    /// A packet to write is not what its track or format allows.
    #[error("{format}: a packet {what}")]
    Packet {
        /// The format.
        format: Format,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Neither its content nor its name says what the file is.
    #[error("no known format: it begins with {found}")]
    UnknownFormat {
        /// How it begins.
        found: Found,
    },
}

/// Where the end of a file cuts something that was begun.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the file is cut: {what} from byte {offset} on ends at {end}")]
pub struct Cut {
    /// What is not whole.
    pub what: &'static str,
    /// Bytes of the file before it.
    pub offset: u64,
    /// Bytes of the file.
    pub end: u64,
}

/// What a file holds in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A number.
    Number(u64),
    /// The first of the bytes.
    Bytes([u8; 8], usize),
    /// Text, or what it amounts to.
    Text(String),
    /// Nothing: the file ends.
    End,
}

impl Found {
    /// The first of these bytes.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        let mut first = [0; 8];
        let len = bytes.len().min(first.len());
        for (to, from) in first.iter_mut().zip(bytes) {
            *to = *from;
        }
        if len == 0 {
            return Self::End;
        }
        Self::Bytes(first, len)
    }
}

impl From<u64> for Found {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Found {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Found {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Bytes(bytes, len) => {
                for (at, byte) in bytes.iter().take(*len).enumerate() {
                    let space = if at == 0 { "" } else { " " };
                    write!(f, "{space}{byte:02x}")?;
                }
                Ok(())
            }
            Self::Text(text) => write!(f, "{:?}", text.chars().take(80).collect::<String>()),
            Self::End => f.write_str("the end"),
        }
    }
}
