//! Bytes into a file or pipe, counted.

use std::fmt;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};

use crate::error::ContainerError;

/// Pieces that one system call takes.
const PIECES: usize = 16;

trait WriteSeek: Write + Seek + Send {}
impl<T: Write + Seek + Send> WriteSeek for T {}

enum Kind {
    File(Box<dyn WriteSeek>),
    Pipe(Box<dyn Write + Send>),
}

/// A file or pipe to write to: what is given goes to the system at once, in as few calls as it
/// takes, and is counted. Interrupted and short writes go on where they stopped.
pub struct Output {
    kind: Kind,
    written: u64,
    whole: u64,
    broken: bool,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("written", &self.written)
            .field("whole", &self.whole)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// Into an empty file, from its beginning.
    #[must_use]
    pub fn file(file: impl Write + Seek + Send + 'static) -> Self {
        Self::new(Kind::File(Box::new(file)))
    }

    /// Into what can only be written once.
    #[must_use]
    pub fn pipe(pipe: impl Write + Send + 'static) -> Self {
        Self::new(Kind::Pipe(Box::new(pipe)))
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            written: 0,
            whole: 0,
            broken: false,
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Whether what was written can be changed: whether it is a file.
    #[must_use]
    pub const fn is_seekable(&self) -> bool {
        matches!(self.kind, Kind::File(_))
    }

    /// Writes pieces one behind the other, which together make something whole: a header, a
    /// packet, a fragment.
    ///
    /// # Errors
    /// [`ContainerError::Write`], and after that [`ContainerError::Broken`].
    pub fn write(&mut self, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        self.pass(pieces)?;
        self.whole = self.written;
        Ok(())
    }

    /// Writes what stands before a packet, and its pieces behind that: whole together. One system
    /// call where they are few.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn write_behind(
        &mut self,
        before: &[&[u8]],
        pieces: &[&[u8]],
    ) -> Result<(), ContainerError> {
        let mut all: [&[u8]; PIECES] = [&[]; PIECES];
        let both = before.len().checked_add(pieces.len());
        if let Some(all) = both.and_then(|both| all.get_mut(..both)) {
            for (to, piece) in all.iter_mut().zip(before.iter().chain(pieces)) {
                *to = piece;
            }
            return self.write(all);
        }
        self.pass(before)?;
        self.write(pieces)
    }

    fn pass(&mut self, mut pieces: &[&[u8]]) -> Result<(), ContainerError> {
        if self.broken {
            let written = self.written;
            return Err(ContainerError::Broken { written });
        }
        let mut begun = 0;
        loop {
            while let Some((first, rest)) = pieces.split_first()
                && first.len() == begun
            {
                pieces = rest;
                begun = 0;
            }
            if pieces.is_empty() {
                break;
            }
            let mut slices = [IoSlice::new(&[]); PIECES];
            for (slice, piece) in slices.iter_mut().zip(pieces) {
                *slice = IoSlice::new(piece);
            }
            if let (Some(slice), Some(first)) = (slices.first_mut(), pieces.first()) {
                *slice = IoSlice::new(first.get(begun..).unwrap_or_default());
            }
            let used = slices.get(..pieces.len().min(PIECES)).unwrap_or_default();
            let mut some = self.some(used)?;
            self.written += some as u64;
            while let Some(first) = pieces.first()
                && some > 0
            {
                let of_it = some.min(first.len() - begun);
                some -= of_it;
                begun += of_it;
                if begun == first.len() {
                    pieces = pieces.get(1..).unwrap_or_default();
                    begun = 0;
                }
            }
        }
        Ok(())
    }

    fn some(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, ContainerError> {
        loop {
            let wrote = match &mut self.kind {
                Kind::File(file) => file.write_vectored(slices),
                Kind::Pipe(pipe) => pipe.write_vectored(slices),
            };
            match wrote {
                Ok(some) if some > 0 => {
                    let most = slices.iter().map(|slice| slice.len()).sum();
                    return Ok(some.min(most));
                }
                Ok(_nothing) => return Err(self.failed(io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn failed(&mut self, source: io::Error) -> ContainerError {
        self.broken = true;
        ContainerError::Write {
            written: self.written,
            whole: self.whole,
            source,
        }
    }

    /// Changes what was written already, and says whether that can be: not in a pipe. Also after a
    /// failed write, since it takes no room.
    ///
    /// # Errors
    /// [`ContainerError::Write`].
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> Result<bool, ContainerError> {
        let Kind::File(file) = &mut self.kind else {
            return Ok(false);
        };
        debug_assert!(
            offset + bytes.len() as u64 <= self.written,
            "only what was written is changed"
        );
        let mut patched = file.seek(SeekFrom::Start(offset)).map(|_at| ());
        patched = patched.and_then(|()| file.write_all(bytes));
        let back = file.seek(SeekFrom::Start(self.written)).map(|_at| ());
        match patched.and(back) {
            Ok(()) => Ok(true),
            Err(source) => Err(self.failed(source)),
        }
    }

    /// Hands on what a writer below keeps.
    ///
    /// # Errors
    /// [`ContainerError::Write`].
    pub fn flush(&mut self) -> Result<(), ContainerError> {
        let flushed = match &mut self.kind {
            Kind::File(file) => file.flush(),
            Kind::Pipe(pipe) => pipe.flush(),
        };
        flushed.map_err(|source| self.failed(source))
    }
}
