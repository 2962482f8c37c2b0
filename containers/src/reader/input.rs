//! Bytes of a file or pipe, counted.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use crate::error::ContainerError;

/// Bytes looked at ahead: few, since what is looked at is copied once more.
const AHEAD: usize = 4096;

trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

enum Kind {
    File(Box<dyn ReadSeek>),
    Pipe(Box<dyn Read + Send>),
}

/// A file or pipe to read from: counts bytes, looks a little ahead, and puts what is wanted
/// straight into the caller's slice. Interrupted system calls are made again.
pub struct Input {
    kind: Kind,
    len: Option<u64>,
    /// Bytes before those that are in `ahead` from `begin` on.
    position: u64,
    ahead: Box<[u8; AHEAD]>,
    begin: usize,
    end: usize,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("len", &self.len)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Input {
    /// The most that can be looked at ahead.
    pub const AHEAD: usize = AHEAD;

    /// From a file, from its beginning to where it ends now.
    ///
    /// # Errors
    /// [`ContainerError::Read`] where it cannot be sought in.
    pub fn file(file: impl Read + Seek + Send + 'static) -> Result<Self, ContainerError> {
        let mut file = Box::new(file);
        let failed = |source| ContainerError::Read { offset: 0, source };
        let len = file.seek(SeekFrom::End(0)).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(Self::new(Kind::File(file), Some(len)))
    }

    /// From what can only be read once, from here to its end.
    #[must_use]
    pub fn pipe(pipe: impl Read + Send + 'static) -> Self {
        Self::new(Kind::Pipe(Box::new(pipe)), None)
    }

    fn new(kind: Kind, len: Option<u64>) -> Self {
        Self {
            kind,
            len,
            position: 0,
            ahead: Box::new([0; AHEAD]),
            begin: 0,
            end: 0,
        }
    }

    /// Bytes before the next one.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Bytes of the file; none of a pipe.
    #[must_use]
    pub const fn len(&self) -> Option<u64> {
        self.len
    }

    /// Whether it is a file without a byte.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.len, Some(0))
    }

    /// Whether it can be sought in: whether it is a file.
    #[must_use]
    pub const fn is_seekable(&self) -> bool {
        self.len.is_some()
    }

    /// Whether so many bytes follow, or may follow in a pipe.
    #[must_use]
    pub fn has(&self, count: u64) -> bool {
        self.len
            .is_none_or(|len| len.saturating_sub(self.position) >= count)
    }

    /// The next bytes, at most [`Input::AHEAD`] of them, without passing over them: fewer than
    /// asked for only at the end.
    ///
    /// # Errors
    /// [`ContainerError::Read`].
    pub fn peek(&mut self, count: usize) -> Result<&[u8], ContainerError> {
        let count = count.min(AHEAD);
        if self.end - self.begin < count {
            self.ahead.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.begin = 0;
            while self.end < count {
                let room = self.ahead.get_mut(self.end..).unwrap_or_default();
                let read = read_some(&mut self.kind, room);
                match read {
                    Ok(0) => break,
                    Ok(some) => self.end += some,
                    Err(source) => {
                        let offset = self.position;
                        return Err(ContainerError::Read { offset, source });
                    }
                }
            }
        }
        let end = self.end.min(self.begin + count);
        Ok(self.ahead.get(self.begin..end).unwrap_or_default())
    }

    /// Passes over bytes that were looked at ahead, at most those.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.begin);
        self.begin += count;
        self.position += count as u64;
    }

    /// Reads until a slice is full or the file ends, and says how many bytes there were. Large
    /// slices are filled by the system, without another copy.
    ///
    /// # Errors
    /// [`ContainerError::Read`].
    pub fn fill(&mut self, into: &mut [u8]) -> Result<usize, ContainerError> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest) {
                Ok(0) => break,
                Ok(some) => filled += some,
                Err(source) => {
                    let offset = self.position;
                    return Err(ContainerError::Read { offset, source });
                }
            }
        }
        Ok(filled)
    }

    /// Passes over bytes, and says how many there were.
    ///
    /// # Errors
    /// [`ContainerError::Read`].
    pub fn skip(&mut self, count: u64) -> Result<u64, ContainerError> {
        if let Some(len) = self.len {
            let count = count.min(len.saturating_sub(self.position));
            self.seek_to(self.position + count)?;
            return Ok(count);
        }
        let mut skipped = 0;
        while skipped < count {
            let wanted = usize::try_from(count - skipped).unwrap_or(AHEAD);
            let there = self.peek(wanted.min(AHEAD))?.len();
            if there == 0 {
                break;
            }
            self.consume(there);
            skipped += there as u64;
        }
        Ok(skipped)
    }

    /// Goes to a place.
    ///
    /// # Errors
    /// [`ContainerError::NotSeekable`]; [`ContainerError::Read`].
    pub fn seek_to(&mut self, offset: u64) -> Result<(), ContainerError> {
        let Kind::File(file) = &mut self.kind else {
            return Err(ContainerError::NotSeekable);
        };
        let first = self.position.wrapping_sub(self.begin as u64);
        let within = offset.wrapping_sub(first);
        match usize::try_from(within) {
            Ok(within) if within <= self.end => self.begin = within,
            _ => {
                let failed = |source| ContainerError::Read { offset, source };
                file.seek(SeekFrom::Start(offset)).map_err(failed)?;
                self.begin = 0;
                self.end = 0;
            }
        }
        self.position = offset;
        Ok(())
    }
}

fn read_some(kind: &mut Kind, into: &mut [u8]) -> io::Result<usize> {
    loop {
        let read = match kind {
            Kind::File(file) => file.read(into),
            Kind::Pipe(pipe) => pipe.read(into),
        };
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What a reader of somebody else's claims is not trusted either.
            read => return read.map(|some| some.min(into.len())),
        }
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let waiting = self.ahead.get(self.begin..self.end).unwrap_or_default();
        let some = if waiting.is_empty() {
            read_some(&mut self.kind, into)?
        } else {
            let some = waiting.len().min(into.len());
            if let (Some(to), Some(from)) = (into.get_mut(..some), waiting.get(..some)) {
                to.copy_from_slice(from);
            }
            self.begin += some;
            some
        };
        if self.begin == self.end {
            self.begin = 0;
            self.end = 0;
        }
        self.position += some as u64;
        Ok(some)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let len = self.len.ok_or(io::ErrorKind::NotSeekable)?;
        let wanted = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(by) => len.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let wanted = wanted.ok_or(io::ErrorKind::InvalidInput)?;
        match self.seek_to(wanted) {
            Ok(()) => Ok(wanted),
            Err(ContainerError::Read { source, .. }) => Err(source),
            Err(other) => Err(io::Error::other(other)),
        }
    }
}
