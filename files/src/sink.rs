//! A file as a sink of frames.

mod clock;
mod config;
mod lasting;
mod recording;

use std::sync::Arc;
use std::time::Duration;

use dmaflow_containers::before::Before;
use dmaflow_containers::{Codec, Format as FileFormat, Packet, Plane, Track};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, Controls, Counter, DeviceKey, Sink, StageError};
use dmaflow_core::time::{Clock, Timestamp};

use crate::codec::{codec_of, holds, is_key};
use crate::error::FileError;
use clock::{MediaClock, TIMESCALE};
pub use config::{FileSinkConfig, KeptBefore, Rotation};
pub use lasting::Lasting;
use recording::{Recording, wrong};

/// A sink that writes compressed frames, or pictures, into a file.
///
/// What has been written plays, however the run ends. Frames of a stream that come before the
/// first from which decoding can begin are not written, and counted.
///
/// It has a control, `record`: while that is false nothing is written, the last frames are kept
/// where [`FileSinkConfig::before`] asks for that, and with true they come first in the next file.
///
/// What it cannot write is its own affair ([`Sink::fails_alone`]): a full disk ends the recording,
/// and no other branch.
#[derive(Debug)]
pub struct FileSink {
    config: FileSinkConfig,
    format: FileFormat,
    /// How frames come, once a pool is there.
    layout: Option<Layout>,
    /// How they come in the file at work.
    recorded: Option<Layout>,
    recording: Option<Recording>,
    before: Option<Before>,
    clock: MediaClock,
    written: u64,
    /// Of recordings that have ended.
    ended: Sizes,
    before_key: u64,
    flipped: Vec<Timestamp>,
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    bytes: u64,
    files: u64,
}

impl FileSink {
    /// Writes nothing yet.
    ///
    /// # Errors
    /// [`FileError::NoFormat`], [`FileError::NoFragments`], [`FileError::Names`] and
    /// [`FileError::TooMuchKept`].
    pub fn new(config: FileSinkConfig) -> Result<Self, FileError> {
        if config.is_of_several() {
            config.names()?;
        }
        Ok(Self {
            format: config.format()?,
            before: config.kept()?,
            config,
            layout: None,
            recorded: None,
            recording: None,
            clock: MediaClock::default(),
            written: 0,
            ended: Sizes::default(),
            before_key: 0,
            flipped: Vec::new(),
        })
    }

    fn track(&self) -> Result<Track, FileError> {
        let layout = self.layout.as_ref().ok_or(FileError::NotAttached)?;
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
        if self.recorded != self.layout {
            self.begin_anew()?;
        }
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
        self.pass(&packet, data)
    }

    /// Ends what was recorded of frames that came otherwise: no file holds both.
    #[cold]
    fn begin_anew(&mut self) -> Result<(), FileError> {
        self.end()?;
        if self.recorded.is_some() {
            self.before = self.config.kept()?;
        }
        self.recorded.clone_from(&self.layout);
        Ok(())
    }

    /// Writes a packet, keeps it for later, or lets it go.
    fn pass(&mut self, packet: &Packet, data: &[u8]) -> Result<(), FileError> {
        let waits = self.config.before.is_some();
        if !self.config.lasting.records(!waits) {
            match &mut self.recording {
                Some(one) if one.is_one() => self.end()?,
                Some(several) => several.end().map_err(wrong(&self.config.path))?,
                None => {}
            }
            if let Some(before) = &mut self.before {
                before.push(packet, &[data]);
            }
            return Ok(());
        }
        let is_open = self.recording.as_ref().is_some_and(Recording::is_open);
        let kept = self.before.as_ref().map_or(0, Before::len);
        if !is_open && !packet.key && kept == 0 {
            self.before_key += 1;
            return Ok(());
        }
        let recording = match self.recording.take() {
            Some(recording) => recording,
            None => Recording::begin(&self.config, self.format, self.track()?)?,
        };
        let recording = self.recording.insert(recording);
        if let Some(before) = self.before.as_mut().filter(|_| kept > 0) {
            let drained = before.drain(recording.muxer());
            self.written += (kept - before.len()) as u64;
            drained.map_err(wrong(&self.config.path))?;
        }
        let wrote = recording.muxer().write(packet, &[data]);
        wrote.map_err(wrong(&self.config.path))?;
        self.written += 1;
        Ok(())
    }

    /// Ends the recording.
    fn end(&mut self) -> Result<(), FileError> {
        let Some(mut recording) = self.recording.take() else {
            return Ok(());
        };
        let ended = recording.end();
        self.ended.bytes += recording.written();
        self.ended.files += recording.files();
        ended.map_err(wrong(&self.config.path))
    }

    /// How much was written, all in all.
    fn sizes(&self) -> Sizes {
        let now = self.recording.as_ref();
        Sizes {
            bytes: self.ended.bytes + now.map_or(0, Recording::written),
            files: self.ended.files + now.map_or(0, Recording::files),
        }
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

    fn fails_alone(&self) -> bool {
        true
    }

    fn controls(&self) -> Option<Arc<dyn Controls>> {
        Some(Arc::new(self.config.lasting.clone()))
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
        if let Err(error) = self.write(&frame) {
            // The file plays up to there. That more goes wrong at its end is no news.
            if let Err(again) = self.end() {
                tracing::debug!(error = %again, "the file could not be ended");
            }
            return Err(error.into());
        }
        let now = Clock::Monotonic.now();
        self.flipped.push(now);
        Ok(now)
    }

    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        flipped.append(&mut self.flipped);
        Ok(())
    }

    /// Writes what the format wants at the end; the next frame begins another file.
    fn stop(&mut self) -> Result<(), StageError> {
        self.flipped.clear();
        self.clock = MediaClock::default();
        // Times begin anew, and what was kept is of no use.
        self.before = self.config.kept()?;
        Ok(self.end()?)
    }

    /// `written`: frames in files. `bytes`: of files. `files`: how many were begun. `before_key`:
    /// frames that came before the first from which decoding can begin, and were not written.
    fn counters(&self) -> Vec<Counter> {
        let sizes = self.sizes();
        [
            ("written", self.written),
            ("bytes", sizes.bytes),
            ("files", sizes.files),
            ("before_key", self.before_key),
        ]
        .map(|(name, count)| Counter { name, count })
        .to_vec()
    }
}

#[cfg(test)]
mod tests;
