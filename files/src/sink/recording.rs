//! The file, or the files, at work.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use dmaflow_containers::mp4::{Mp4Muxer, Mp4Options};
use dmaflow_containers::raw::sidecar_of;
use dmaflow_containers::rotate::{Rotate, RotateAt, files_by};
use dmaflow_containers::{ContainerError, Format as FileFormat, Muxer, Output, Track};

use super::clock::units;
use super::config::{FileSinkConfig, Rotation};
use crate::error::FileError;

/// What is written to: one file after the other, whose times begin with 0, or one alone.
#[derive(Debug)]
pub(super) struct Recording {
    files: Rotate,
    is_one: bool,
    /// Whether there is a file at work.
    is_open: bool,
}

/// How each file is made.
#[derive(Clone, Debug)]
struct Make {
    format: FileFormat,
    track: Track,
    fragment: Option<Duration>,
}

impl Make {
    /// Into a file that is not there yet.
    fn create(&self, path: &Path) -> Result<Box<dyn Muxer>, ContainerError> {
        match self.fragment {
            Some(fragment) => {
                let file = File::create_new(path).map_err(|source| ContainerError::Write {
                    written: 0,
                    whole: 0,
                    source,
                })?;
                self.fragmented(Output::file(file), fragment)
            }
            None => dmaflow_containers::create(path, self.format, &self.track),
        }
    }

    fn write(&self, output: Output) -> Result<Box<dyn Muxer>, ContainerError> {
        match self.fragment {
            Some(fragment) => self.fragmented(output, fragment),
            None => dmaflow_containers::write(self.format, &self.track, output),
        }
    }

    fn fragmented(
        &self,
        output: Output,
        fragment: Duration,
    ) -> Result<Box<dyn Muxer>, ContainerError> {
        let options = Mp4Options { fragment };
        Ok(Box::new(Mp4Muxer::new(&self.track, output, options)?))
    }
}

impl Recording {
    /// Begins the file that a configuration names, or has several begun as packets come.
    pub(super) fn begin(
        config: &FileSinkConfig,
        format: FileFormat,
        track: Track,
    ) -> Result<Self, FileError> {
        let path = &config.path;
        let make = Make {
            format,
            track,
            fragment: config.fragment,
        };
        let there = fs::symlink_metadata(path).ok();
        let is_other = there.is_some_and(|there| !there.is_file());
        if is_other && config.is_of_several() {
            return Err(FileError::NoFile { path: path.clone() });
        }
        // What was begun before, by this stage or the one in its place, is not written over.
        let goes_on = config.lasting.begin() && !is_other;
        if config.is_of_several() || goes_on {
            let (folder, names) = config.names()?;
            let opener = files_by(folder, names, move |path| make.create(path));
            let files = Rotate::new(format, rotate_at(config.rotate), opener);
            return Ok(Self::new(files, false));
        }
        let muxer = match is_other {
            // A pipe, or whatever a link leads to.
            true => {
                let file = File::options()
                    .write(true)
                    .open(path)
                    .map_err(failed(path))?;
                make.write(Output::pipe(file))
            }
            false => {
                remove_any(path).map_err(failed(path))?;
                if format == FileFormat::Raw {
                    remove_any(&sidecar_of(path)).map_err(failed(path))?;
                }
                make.create(path)
            }
        };
        let mut one = Some(muxer.map_err(wrong(path))?);
        let open = move |_opening| one.take().ok_or(ContainerError::Broken { written: 0 });
        let files = Rotate::new(format, RotateAt::default(), Box::new(open));
        Ok(Self::new(files, true))
    }

    const fn new(files: Rotate, is_one: bool) -> Self {
        Self {
            files,
            is_one,
            is_open: false,
        }
    }

    /// Whether nothing can be written behind its end.
    pub(super) const fn is_one(&self) -> bool {
        self.is_one
    }

    /// Whether the next packet goes on with a file, and need not be a key.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Where packets go, which come now.
    pub(super) const fn muxer(&mut self) -> &mut dyn Muxer {
        self.is_open = true;
        &mut self.files
    }

    /// Ends the file at work.
    pub(super) fn end(&mut self) -> Result<(), ContainerError> {
        self.is_open = false;
        self.files.finish()
    }

    /// Bytes of all files.
    pub(super) fn written(&self) -> u64 {
        self.files.written()
    }

    /// Files that were begun.
    pub(super) const fn files(&self) -> u64 {
        self.files.files()
    }
}

fn rotate_at(rotation: Option<Rotation>) -> RotateAt {
    let rotation = rotation.unwrap_or_default();
    RotateAt {
        bytes: rotation.bytes,
        duration: rotation.time.map(units),
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FileError {
    move |source| FileError::Create {
        path: path.to_owned(),
        source,
    }
}

pub(super) fn wrong(path: &Path) -> impl Fn(ContainerError) -> FileError {
    move |source| FileError::Container {
        path: path.to_owned(),
        source,
    }
}

/// Removes a file that may be there.
fn remove_any(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _gone => Ok(()),
    }
}
