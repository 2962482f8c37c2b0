//! A file as a source of frames.

mod schedule;

use std::path::PathBuf;
use std::sync::Arc;

use dmaflow_containers::{Codec, Demuxer, Format as FileFormat, Packet, ReadOptions};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{CaptureStamp, Frame, FrameFlags, FrameMeta, FramePool, StampPoint};
use dmaflow_core::layout::{Layout, Modifier, PlaneLayout};
use dmaflow_core::stage::{
    Bed, Counter, DeviceKey, Source, SourcePlan, StageError, Stopper, WakeOnRelease,
};
use dmaflow_core::time::{Clock, Rate};

use crate::codec::{format_of, most_bytes, only_codec};
use crate::error::FileError;
use schedule::Schedule;

/// Which file is read, and how; what is left out, the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSrcConfig {
    /// The file.
    pub path: PathBuf,
    /// What it is to hold; anything else is an error then.
    pub codec: Option<Format>,
    /// Width and height of its pictures in pixels, where the file does not say it.
    pub size: Option<(u32, u32)>,
    /// Pictures a second of streams that have no times.
    pub rate: Option<Rate>,
    /// Whether each picture comes at its time; otherwise as soon as there is a free frame.
    pub paced: bool,
}

impl FileSrcConfig {
    /// What is in the file as far as it can be known without a look at it: what it is to be, or
    /// what its name says.
    #[must_use]
    pub fn likely_codec(&self) -> Option<Format> {
        let extension = self
            .path
            .extension()
            .and_then(|extension| extension.to_str());
        let named = || only_codec(FileFormat::of_extension(extension?)?);
        self.codec.or_else(|| format_of(named()?))
    }

    /// A file that is read at its own pace.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self {
            path,
            codec: None,
            size: None,
            rate: None,
            paced: true,
        }
    }
}

/// Packets of a file as compressed frames, or its pictures as frames.
///
/// What the file holds is read straight into the buffers that the next stage imports. A frame's
/// capture stamp is when it is due: the start and its time of presentation. What decoders need
/// before the first picture goes before it, in its frame.
#[derive(Debug)]
pub struct FileSrc {
    config: FileSrcConfig,
    demuxer: Box<dyn Demuxer>,
    format: Format,
    size: (u32, u32),
    pool: Option<FramePool>,
    bed: Arc<Bed>,
    schedule: Option<Schedule>,
    /// Announced, and not read yet.
    next: Option<Packet>,
    sequence: u64,
    cut: u64,
}

impl FileSrc {
    /// Opens the file and reads what it says of itself.
    ///
    /// # Errors
    /// [`FileError::Container`] when it cannot be read, or is no file that is known;
    /// [`FileError::OtherCodec`]; [`FileError::NoSize`].
    pub fn open(config: FileSrcConfig) -> Result<Self, FileError> {
        let path = || config.path.clone();
        let wrong = |source| FileError::Container {
            path: path(),
            source,
        };
        let options = ReadOptions {
            rate: config.rate.map(|rate| (rate.frames(), rate.seconds())),
            ..ReadOptions::default()
        };
        let demuxer = dmaflow_containers::open(&config.path, &options).map_err(wrong)?;
        let track = demuxer.track();
        let format = format_of(track.codec);
        let format = format.filter(|found| config.codec.is_none_or(|asked| asked == *found));
        let format = format.ok_or_else(|| FileError::OtherCodec {
            path: path(),
            asked: config.codec.unwrap_or(Format::XRGB8888),
            found: format!("{:?}", track.codec),
        })?;
        let size = config.size.or(track.size);
        let size = size.ok_or_else(|| FileError::NoSize { path: path() })?;
        Ok(Self {
            demuxer,
            format,
            size,
            config,
            pool: None,
            bed: Arc::default(),
            schedule: None,
            next: None,
            sequence: 0,
            cut: 0,
        })
    }

    fn layout(&self) -> Result<Layout, FileError> {
        let track = self.demuxer.track();
        let layout = match track.codec {
            Codec::Raw(_) => {
                let planes = track.planes.iter().map(|plane| PlaneLayout {
                    buffer: 0,
                    offset: plane.offset,
                    stride: plane.stride,
                });
                let planes: Vec<_> = planes.collect();
                let infos = self.format.planes().iter().zip(&planes);
                let ends = infos.map(|(info, plane)| {
                    plane
                        .stride
                        .saturating_mul(info.rows(self.size.1))
                        .saturating_add(plane.offset)
                });
                let len = ends.max().unwrap_or(0);
                Layout::with_planes(self.format, Modifier::LINEAR, self.size, &planes, &[len])
            }
            codec => Layout::compressed(self.format, self.size, most_bytes(codec, self.size)),
        };
        layout.map_err(|source| FileError::Layout {
            path: self.config.path.clone(),
            source,
        })
    }

    fn wrong(&self) -> impl FnOnce(dmaflow_containers::ContainerError) -> FileError + '_ {
        |source| FileError::Container {
            path: self.config.path.clone(),
            source,
        }
    }

    /// Waits until it is time for the next packet, and takes a free frame for it.
    fn next_canvas(&mut self) -> Result<Option<(Packet, Frame)>, FileError> {
        if self.next.is_none() {
            let next = self.demuxer.next_packet();
            self.next = next.map_err(self.wrong())?;
        }
        let Some(packet) = self.next else {
            if let Some(cut) = self.demuxer.cut() {
                self.cut += 1;
                tracing::warn!(path = %self.config.path.display(), %cut, "the file is not whole");
            }
            return Ok(None);
        };
        let schedule = self.schedule.get_or_insert_with(|| {
            Schedule::new(
                Clock::Monotonic.now(),
                packet,
                self.demuxer.track().timescale,
            )
        });
        while !self.bed.is_stopped() {
            let due = schedule.decoded(&packet);
            let early = due.since(Clock::Monotonic.now());
            if let Some(early) = early.filter(|time| self.config.paced && !time.is_zero()) {
                self.bed.sleep(early);
                continue;
            }
            let pool = self.pool.as_ref().ok_or(FileError::NotAttached)?;
            let frame = pool.acquire();
            if let Some(frame) = frame.or_else(|| self.bed.sleep_until(|| pool.acquire())) {
                return Ok(Some((packet, frame)));
            }
        }
        Ok(None)
    }

    /// Reads the packet into the frame; how many bytes of it there are.
    fn fill(&mut self, packet: &Packet, frame: &Frame) -> Result<usize, FileError> {
        let slot = frame.slot();
        let buffer = frame.buffers().first().ok_or(FileError::NotAttached)?;
        let purpose = match frame.layout().planes() {
            [] => CpuUse::Stream,
            _ => CpuUse::Draw,
        };
        let mut bytes = buffer
            .write(purpose)
            .map_err(|source| FileError::Reach { slot, source })?;
        let header = match self.sequence {
            0 => &*self.demuxer.track().header,
            _ => &[],
        };
        let (begin, end) = (header.len(), header.len().saturating_add(packet.len));
        let room = bytes.len();
        let too_long = || FileError::TooLong {
            path: self.config.path.clone(),
            offset: packet.offset,
            len: end,
            room,
        };
        let place = bytes.get_mut(..end).ok_or_else(too_long)?;
        let (before, data) = place.split_at_mut(begin);
        before.copy_from_slice(header);
        let read = self.demuxer.read(data);
        drop(bytes);
        read.map_err(self.wrong())?;
        Ok(end)
    }
}

impl Source for FileSrc {
    fn device(&self) -> String {
        format!("file {}", self.config.path.display())
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(DeviceKey::built_in("file-src", env!("CARGO_PKG_VERSION")))
    }

    fn imports(&self) -> bool {
        false
    }

    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(vec![self.format])
    }

    fn size(&mut self) -> Result<Option<(u32, u32)>, StageError> {
        Ok(Some(self.size))
    }

    fn configure(&mut self, _format: Format) -> Result<SourcePlan, StageError> {
        self.detach();
        let rate = self.demuxer.track().rate;
        Ok(SourcePlan {
            layout: self.layout()?,
            rate: rate.and_then(|(frames, seconds)| Rate::new(frames, seconds)),
            min_buffers: 1,
            choices: Vec::new(),
        })
    }

    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.detach();
        pool.on_release(WakeOnRelease(Arc::downgrade(&self.bed)))
            .map_err(FileError::from)?;
        self.pool = Some(pool.clone());
        Ok(())
    }

    fn detach(&mut self) {
        self.pool = None;
    }

    /// From the file's beginning.
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        if self.pool.is_none() {
            return Err(FileError::NotAttached.into());
        }
        if self.sequence > 0 || self.next.is_some() {
            let sought = self.demuxer.seek(i64::MIN);
            sought.map_err(self.wrong())?;
        }
        self.bed.clear();
        (self.next, self.schedule) = (None, None);
        (self.sequence, self.cut) = (0, 0);
        Ok(Arc::<Bed>::clone(&self.bed))
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        let Some((packet, mut frame)) = self.next_canvas()? else {
            return Ok(None);
        };
        self.next = None;
        let bytes = self.fill(&packet, &frame)?;
        let presented = self
            .schedule
            .as_ref()
            .map(|schedule| schedule.presented(&packet));
        let compressed = self.format.planes().is_empty();
        frame.set_meta(FrameMeta {
            sequence: self.sequence,
            capture: presented.map(|at| CaptureStamp {
                at,
                clock: Clock::Monotonic,
                point: StampPoint::EndOfFrame,
            }),
            dequeued: Some(Clock::Monotonic.now()),
            flags: FrameFlags {
                key: packet.key,
                last: false,
            },
            bytes_used: u32::try_from(bytes).ok().filter(|_bytes| compressed),
        });
        self.sequence += 1;
        Ok(Some(frame))
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.bed.stop();
        Ok(())
    }

    /// `cut`: 1 where the file ended in what it had begun.
    fn counters(&self) -> Vec<Counter> {
        vec![Counter {
            name: "cut",
            count: self.cut,
        }]
    }
}
