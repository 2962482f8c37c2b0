//! A file as a sink of frames.

mod clock;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dmaflow_containers::raw::sidecar_of;
use dmaflow_containers::{Codec, Format as FileFormat, Muxer, Output, Packet, Plane, Track};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, Counter, DeviceKey, Sink, StageError};
use dmaflow_core::time::{Clock, Timestamp};

use crate::codec::{codec_of, holds, is_key};
use crate::error::FileError;
use clock::{MediaClock, TIMESCALE};

/// Which file is written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSinkConfig {
    /// The file; one that is there is written anew.
    pub path: PathBuf,
    /// What it is to be; what its name says, without it.
    pub format: Option<FileFormat>,
}

impl FileSinkConfig {
    /// A file that is what its name says.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path, format: None }
    }

    fn format(&self) -> Result<FileFormat, FileError> {
        let extension = self
            .path
            .extension()
            .and_then(|extension| extension.to_str());
        let said = self.format.or_else(|| FileFormat::of_extension(extension?));
        said.ok_or_else(|| FileError::NoFormat {
            path: self.path.clone(),
        })
    }
}

/// A sink that writes compressed frames, or pictures, into a file.
///
/// What has been written plays, however the run ends. Frames of a stream that come before the
/// first from which decoding can begin are not written, and counted.
#[derive(Debug)]
pub struct FileSink {
    config: FileSinkConfig,
    format: FileFormat,
    /// How frames come, once a pool is there.
    layout: Option<Layout>,
    muxer: Option<Box<dyn Muxer>>,
    clock: MediaClock,
    written: u64,
    bytes: u64,
    before_key: u64,
    flipped: Vec<Timestamp>,
}

impl FileSink {
    /// Writes nothing yet.
    ///
    /// # Errors
    /// [`FileError::NoFormat`].
    pub fn new(config: FileSinkConfig) -> Result<Self, FileError> {
        Ok(Self {
            format: config.format()?,
            config,
            layout: None,
            muxer: None,
            clock: MediaClock::default(),
            written: 0,
            bytes: 0,
            before_key: 0,
            flipped: Vec::new(),
        })
    }

    fn wrong(&self) -> impl FnOnce(dmaflow_containers::ContainerError) -> FileError + '_ {
        |source| FileError::Container {
            path: self.config.path.clone(),
            source,
        }
    }

    fn track(&self, layout: &Layout) -> Result<Track, FileError> {
        let format = layout.format();
        let codec = codec_of(format).ok_or(FileError::NotInFiles(format))?;
        let planes = layout.planes().iter().map(|plane| Plane {
            offset: plane.offset,
            stride: plane.stride,
        });
        Ok(Track {
            size: Some((layout.width(), layout.height())),
            planes: planes.collect(),
            ..Track::new(codec, TIMESCALE)
        })
    }

    fn create(&self, layout: &Layout) -> Result<Box<dyn Muxer>, FileError> {
        let track = self.track(layout)?;
        let path = &self.config.path;
        let failed = |source| FileError::Create {
            path: path.clone(),
            source,
        };
        let muxer = match fs::symlink_metadata(path) {
            // A pipe, or whatever a link leads to.
            Ok(there) if !there.is_file() => {
                let file = File::options().write(true).open(path).map_err(failed)?;
                dmaflow_containers::write(self.format, &track, Output::pipe(file))
            }
            there => {
                if there.is_ok() {
                    fs::remove_file(path).map_err(failed)?;
                }
                if self.format == FileFormat::Raw {
                    remove_any(&sidecar_of(path)).map_err(failed)?;
                }
                dmaflow_containers::create(path, self.format, &track)
            }
        };
        muxer.map_err(self.wrong())
    }

    fn write(&mut self, frame: &Frame) -> Result<(), FileError> {
        let slot = frame.slot();
        let buffer = frame.buffers().first().ok_or(FileError::NotAttached)?;
        let purpose = match frame.layout().planes() {
            [] => CpuUse::Stream,
            _ => CpuUse::Copy,
        };
        let bytes = buffer
            .read(purpose)
            .map_err(|source| FileError::Reach { slot, source })?;
        let meta = frame.meta();
        let layout = self.layout.as_ref().ok_or(FileError::NotAttached)?;
        let used = match layout.planes() {
            [] => meta.bytes_used.map_or(bytes.len(), |used| used as usize),
            _ => picture_bytes(layout),
        };
        let data = bytes.get(..used).unwrap_or(&bytes);
        let codec = codec_of(layout.format()).ok_or(FileError::NotInFiles(layout.format()))?;
        let key = match codec {
            Codec::Raw(_) | Codec::Mjpeg => true,
            codec => meta.flags.key || is_key(codec, data),
        };
        if self.muxer.is_none() {
            if !key {
                self.before_key += 1;
                return Ok(());
            }
            self.muxer = Some(self.create(layout)?);
        }
        let at = meta.capture.map(|stamp| stamp.at).or(meta.dequeued);
        let times = self
            .clock
            .times(at.unwrap_or_else(|| Clock::Monotonic.now()));
        let packet = Packet {
            len: data.len(),
            presented: times.presented,
            decoded: times.decoded,
            duration: times.duration,
            key,
            offset: 0,
        };
        if let Some(muxer) = &mut self.muxer {
            let wrote = muxer.write(&packet, &[data]);
            self.bytes = muxer.written();
            wrote.map_err(self.wrong())?;
        }
        self.written += 1;
        Ok(())
    }
}

/// Removes a file that may be there.
fn remove_any(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _gone => Ok(()),
    }
}

/// The bytes of a picture from the beginning of its buffer, which may be longer.
fn picture_bytes(layout: &Layout) -> usize {
    let planes = layout.planes().iter().zip(layout.format().planes());
    let ends = planes.map(|(plane, info)| {
        let rows = plane.stride.saturating_mul(info.rows(layout.height()));
        plane.offset.saturating_add(rows) as usize
    });
    ends.max().unwrap_or(0)
}

impl Sink for FileSink {
    fn device(&self) -> String {
        format!("file {}", self.config.path.display())
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(DeviceKey::built_in("file-sink", env!("CARGO_PKG_VERSION")))
    }

    fn imports(&self) -> bool {
        false
    }

    /// What the file's format can hold, streams before pictures.
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        let held = |format: &Format| {
            let codec = codec_of(*format);
            codec.is_some_and(|codec| holds(self.format, codec))
        };
        let (streams, pictures): (Vec<_>, Vec<_>) = Format::all()
            .filter(held)
            .partition(|format| format.planes().is_empty());
        Ok(Some([streams, pictures].concat()))
    }

    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.layout = Some(pool.layout().clone());
        Ok(Vec::new())
    }

    fn detach(&mut self) {
        self.layout = None;
    }

    fn frames_held(&self) -> usize {
        0
    }

    fn settles_within(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        self.write(&frame)?;
        let now = Clock::Monotonic.now();
        self.flipped.push(now);
        Ok(now)
    }

    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        flipped.append(&mut self.flipped);
        Ok(())
    }

    /// Writes what the format wants at the end; the next frame begins the file anew.
    fn stop(&mut self) -> Result<(), StageError> {
        self.flipped.clear();
        self.clock = MediaClock::default();
        let Some(mut muxer) = self.muxer.take() else {
            return Ok(());
        };
        let finished = muxer.finish();
        self.bytes = muxer.written();
        finished.map_err(self.wrong())?;
        Ok(())
    }

    /// `written`: frames in the file. `bytes`: of the file. `before_key`: frames that came before
    /// the first from which decoding can begin, and were not written.
    fn counters(&self) -> Vec<Counter> {
        [
            ("written", self.written),
            ("bytes", self.bytes),
            ("before_key", self.before_key),
        ]
        .map(|(name, count)| Counter { name, count })
        .to_vec()
    }
}
