//! What a file sink is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmaflow_containers::Format as FileFormat;
use dmaflow_containers::before::{Before, KeepBefore};
use dmaflow_containers::rotate::NamePattern;

use super::clock::units;
use super::lasting::Lasting;
use crate::error::FileError;

/// Which file is written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSinkConfig {
    /// The file; one that is there is written anew, unless this sink wrote it. Where several files
    /// are written, their names are made of it: `{number}` and `{time}` in its name become a number
    /// and the time, and without either a number is put in front of the extension, as in
    /// `clip-00001.mp4`. Of these none is written anew: the next number that is free is taken.
    pub path: PathBuf,
    /// What it is to be; what its name says, without it.
    pub format: Option<FileFormat>,
    /// When the next file is begun; one file, without it.
    pub rotate: Option<Rotation>,
    /// What is kept until the recording begins, which then waits for `record` to be set; it begins
    /// at once, without it.
    pub before: Option<KeptBefore>,
    /// How long a fragment of an MP4 file is: what is lost at most when the writing ends without
    /// warning. A second, without it.
    pub fragment: Option<Duration>,
    /// What goes on where the stage is made anew.
    pub lasting: Lasting,
}

/// When the next file is begun: with the first key frame after either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of a file.
    pub bytes: Option<u64>,
    /// Time of a file.
    pub time: Option<Duration>,
}

/// What is kept of the time before a recording begins, always from a key frame on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBefore {
    /// How much time, where the bytes suffice.
    pub time: Duration,
    /// How many bytes at most. So much memory is set aside; the system gives it as it is filled.
    pub bytes: usize,
}

impl KeptBefore {
    /// Bytes that are kept where nobody says how many: half a minute of 1080p as cameras send it.
    pub const USUAL_BYTES: usize = 64 << 20;

    /// The most bytes that can be kept.
    pub const MOST_BYTES: usize = 1 << 30;
}

impl FileSinkConfig {
    /// A file that is what its name says.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            format: None,
            rotate: None,
            before: None,
            fragment: None,
            lasting: Lasting::default(),
        }
    }

    pub(super) fn format(&self) -> Result<FileFormat, FileError> {
        let extension = self.path.extension();
        let extension = extension.and_then(|extension| extension.to_str());
        let said = self.format.or_else(|| FileFormat::of_extension(extension?));
        let format = said.ok_or_else(|| FileError::NoFormat {
            path: self.path.clone(),
        })?;
        if self.fragment.is_some() && format != FileFormat::Mp4 {
            return Err(FileError::NoFragments {
                path: self.path.clone(),
                format,
            });
        }
        Ok(format)
    }

    /// What is kept until the recording begins.
    pub(super) fn kept(&self) -> Result<Option<Before>, FileError> {
        let Some(KeptBefore { time, bytes }) = self.before else {
            return Ok(None);
        };
        if bytes > KeptBefore::MOST_BYTES {
            return Err(FileError::TooMuchKept { bytes });
        }
        Ok(Some(Before::new(KeepBefore {
            bytes,
            duration: units(time),
        })))
    }

    /// Whether one file after the other may be written.
    pub(super) const fn is_of_several(&self) -> bool {
        self.rotate.is_some() || self.before.is_some()
    }

    /// Where files go, and what they are called there.
    pub(super) fn names(&self) -> Result<(PathBuf, NamePattern), FileError> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let parsed = if name.contains('{') {
            NamePattern::parse(&name)
        } else {
            let (stem, extension) = match name.rsplit_once('.') {
                Some((stem, extension)) => (stem, format!(".{extension}")),
                None => (&*name, String::new()),
            };
            NamePattern::parse(&format!("{stem}-{{number}}{extension}"))
        };
        let names = parsed.map_err(|source| FileError::Names {
            path: self.path.clone(),
            source,
        })?;
        Ok((folder.to_owned(), names))
    }
}
