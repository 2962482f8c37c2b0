//! What is wrong with a stream, and where.

use thiserror::Error;

/// A stream that cannot be read, and where: counted from the first byte of what was given.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("bit {bit} (byte {}): {what}: {trouble}", bit / 8)]
pub struct StreamError {
    /// Bits before the value that is wrong.
    pub bit: u64,
    /// The value, as its specification calls it.
    pub what: &'static str,
    /// What is wrong with it.
    pub trouble: Trouble,
}

/// What is wrong with a value of a stream.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Trouble {
    /// The data ends before it.
    #[error("the data ends before it")]
    Ends,
    /// Its specification does not allow it.
    #[error("{found} is not allowed")]
    NotAllowed {
        /// The value.
        found: i64,
    },
    /// It names something that the stream has not brought, such as a parameter set.
    #[error("number {found} has not been seen")]
    Unknown {
        /// The number by which it is named.
        found: i64,
    },
    /// Its specification allows it, but it is not supported here.
    #[error("{found} is not supported")]
    Unsupported {
        /// The value.
        found: i64,
    },
}

impl StreamError {
    /// The same, of data that begins so many bytes further on in what was given.
    #[must_use]
    pub const fn after(mut self, bytes: u64) -> Self {
        self.bit += bytes * 8;
        self
    }
}
