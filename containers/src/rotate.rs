//! One recording in several files: a new one begins with a key packet once the one before is large
//! or long enough.

mod name;

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use name::{NamePattern, PatternError};

use crate::error::ContainerError;
use crate::format::Format;
use crate::open::create;
use crate::packet::{Packet, Track};
use crate::writer::Muxer;

/// When a file is full. A file that is takes packets up to the next key all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotateAt {
    /// Bytes of a file.
    pub bytes: Option<u64>,
    /// Time of a file, in the track's units.
    pub duration: Option<u64>,
}

/// A file to be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Files before it.
    pub number: u64,
    /// When it is begun.
    pub time: SystemTime,
}

/// Begins a file: makes its muxer, of the same track each time.
pub type Open = Box<dyn FnMut(Opening) -> Result<Box<dyn Muxer>, ContainerError> + Send>;

/// Numbers that are tried where files are there already.
const TRIES: u32 = 100_000;

/// Begins files in a directory, by a pattern of names, with numbers from 1 on. A file that is there
/// already is left alone: the next number is taken, which comes behind a name that has none.
#[must_use]
pub fn files(directory: PathBuf, names: NamePattern, format: Format, track: Track) -> Open {
    files_by(directory, names, move |path| create(path, format, &track))
}

/// The same, where `create` makes each file, of which none must be there yet.
#[must_use]
pub fn files_by(
    directory: PathBuf,
    names: NamePattern,
    create: impl Fn(&Path) -> Result<Box<dyn Muxer>, ContainerError> + Send + 'static,
) -> Open {
    let mut next = 1;
    Box::new(move |opening| {
        let mut tries = 0;
        loop {
            let number = next;
            next += 1;
            let opening = Opening { number, ..opening };
            let name = match tries {
                0 => names.name(&opening),
                _another => names.numbered(&opening),
            };
            match create(&directory.join(name)) {
                Err(ContainerError::Write { source, .. })
                    if source.kind() == io::ErrorKind::AlreadyExists && tries < TRIES =>
                {
                    tries += 1;
                }
                created => return created,
            }
        }
    })
}

/// Writes one recording into several files, each of which plays by itself: it begins with a key
/// packet, and its times with 0.
pub struct Rotate {
    open: Open,
    at: RotateAt,
    format: Format,
    file: Option<File>,
    files: u64,
    /// Bytes of files that are finished.
    before: u64,
}

#[derive(Debug)]
struct File {
    muxer: Box<dyn Muxer>,
    /// The time of its first packet.
    begin: i64,
}

impl std::fmt::Debug for Rotate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rotate")
            .field("at", &self.at)
            .field("file", &self.file)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Rotate {
    /// Begins the first file when its first packet comes.
    #[must_use]
    pub fn new(format: Format, at: RotateAt, open: Open) -> Self {
        Self {
            open,
            at,
            format,
            file: None,
            files: 0,
            before: 0,
        }
    }

    /// Files begun so far.
    #[must_use]
    pub const fn files(&self) -> u64 {
        self.files
    }

    fn is_full(&self, file: &File, packet: &Packet) -> bool {
        let large = self
            .at
            .bytes
            .is_some_and(|most| file.muxer.written() >= most);
        let since = packet.decoded.saturating_sub(file.begin);
        let long = self
            .at
            .duration
            .is_some_and(|most| u64::try_from(since).is_ok_and(|since| since >= most));
        large || long
    }

    fn end_file(&mut self) -> Result<(), ContainerError> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        let finished = file.muxer.finish();
        self.before += file.muxer.written();
        finished
    }
}

impl Muxer for Rotate {
    fn format(&self) -> Format {
        self.format
    }

    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let full = self.file.as_ref().map(|file| self.is_full(file, packet));
        if packet.key && full == Some(true) {
            self.end_file()?;
        }
        if self.file.is_none() {
            if !packet.key {
                let (format, what) = (self.format, "begins a file and is no key");
                return Err(ContainerError::Packet { format, what });
            }
            let opening = Opening {
                number: self.files,
                time: SystemTime::now(),
            };
            let muxer = (self.open)(opening)?;
            self.files += 1;
            let begin = packet.decoded.min(packet.presented);
            self.file = Some(File { muxer, begin });
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let packet = Packet {
            presented: packet.presented.saturating_sub(file.begin),
            decoded: packet.decoded.saturating_sub(file.begin),
            ..*packet
        };
        file.muxer.write(&packet, pieces)
    }

    fn written(&self) -> u64 {
        let now = self.file.as_ref().map_or(0, |file| file.muxer.written());
        self.before + now
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        self.end_file()
    }
}
