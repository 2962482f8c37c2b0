//! A built-in camera, which draws its pictures.

mod number;
mod pace;
mod painter;
mod pixels;

pub use number::read_frame_number;

use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{CpuUse, DmaBuf, DmaBufError};
use dmaflow_core::format::Format;
use dmaflow_core::frame::{CaptureStamp, Frame, FrameMeta, FramePool, PoolError, StampPoint};
use dmaflow_core::layout::LayoutError;
use dmaflow_core::stage::{
    Bed, Counter, DeviceKey, ImportRefused, Source, SourcePlan, StageError, Stopper, WakeOnRelease,
};
use dmaflow_core::time::{Clock, Rate};
use dmaflow_v4l2::aligned_layout;

use pace::Pace;
use painter::Painter;

/// What the test source draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestSrcConfig {
    /// The pixel format: XRGB8888, NV12 or YUYV.
    pub format: Format,
    /// Pixels a row, 80 or more.
    pub width: u32,
    /// Rows, 16 or more.
    pub height: u32,
    /// Frames a second; `None` draws as soon as a frame is free.
    pub rate: Option<Rate>,
    /// How many frames to deliver before the stream ends; `None` is without end.
    pub frames: Option<u64>,
}

impl Default for TestSrcConfig {
    /// XRGB8888 at 640×480, 30 frames a second, without end.
    fn default() -> Self {
        Self {
            format: Format::XRGB8888,
            width: 640,
            height: 480,
            rate: Rate::new(30, 1),
            frames: None,
        }
    }
}

/// Why the test source cannot draw what it is to draw.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestSrcError {
    /// It draws a few formats only.
    #[error("the test source cannot draw {asked}; it draws: XRGB8888, NV12, YUYV")]
    Format {
        /// The format asked for.
        asked: Format,
    },
    /// The number would not be readable.
    #[error("the test source cannot draw {width}×{height}: its pictures have 80×16 pixels or more")]
    TooSmall {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// There is no such picture.
    #[error("the test source cannot draw such pictures")]
    Layout(#[from] LayoutError),
    /// The pool's frames look otherwise than it draws.
    #[error("the test source draws into one buffer a frame, and the pool's frames are {found}")]
    OtherLayout {
        /// What the pool has.
        found: String,
    },
    /// The pool cannot be watched.
    #[error("the test source cannot be told when a frame is free")]
    Pool(#[from] PoolError),
    /// A phase was left out.
    #[error("the test source has no frames: attach a pool first")]
    NotAttached,
    /// The CPU cannot write into a frame.
    #[error("the test source cannot draw into frame {slot}")]
    Draw {
        /// Which frame.
        slot: usize,
        /// Why.
        source: DmaBufError,
    },
}

/// A pool to draw into.
#[derive(Debug)]
struct Canvas {
    pool: FramePool,
    painter: Painter,
    /// The number of the picture that is in each frame.
    drawn: Vec<Option<u32>>,
}

/// What was counted since the last start.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    lost: u64,
    late: u64,
}

/// A source that draws colour bars with a moving box and a number ([`read_frame_number`]).
///
/// The picture is drawn in whole once in each frame of the pool, when it is attached. From then
/// on only what changes is drawn, so that the source costs little beside what it feeds. With a
/// rate, picture *n* is due *n* intervals after the start on the monotonic clock; when no frame
/// is free at that time, or the time has passed, the picture is lost and the count goes on, as
/// with a camera. The capture stamp is [`StampPoint::EndOfFrame`]: the moment at which the
/// picture was complete, which is its dequeue stamp too.
#[derive(Debug)]
pub struct TestSrc {
    config: TestSrcConfig,
    canvas: Option<Canvas>,
    bed: Arc<Bed>,
    pace: Option<Pace>,
    sequence: u64,
    delivered: u64,
    counts: Counts,
}

impl TestSrc {
    /// A source that draws so. What cannot be drawn is refused when it is configured.
    #[must_use]
    pub fn new(config: TestSrcConfig) -> Self {
        Self {
            config,
            canvas: None,
            bed: Arc::default(),
            pace: None,
            sequence: 0,
            delivered: 0,
            counts: Counts::default(),
        }
    }

    fn plan(&self) -> Result<SourcePlan, TestSrcError> {
        let TestSrcConfig {
            format,
            width,
            height,
            ..
        } = self.config;
        if !pixels::FORMATS.contains(&format) {
            return Err(TestSrcError::Format { asked: format });
        }
        let layout = aligned_layout(format, width, height)?.with_colour(pixels::colour(format));
        if Painter::new(&layout).is_none() {
            return Err(TestSrcError::TooSmall { width, height });
        }
        Ok(SourcePlan {
            layout,
            rate: self.config.rate,
            min_buffers: 1,
            choices: Vec::new(),
        })
    }

    /// The painter for a pool's frames, if it is the one for what was configured.
    fn painter(&self, pool: &FramePool) -> Result<Painter, TestSrcError> {
        let layout = pool.layout();
        let size = (layout.width(), layout.height());
        let fits = layout.format() == self.config.format
            && size == (self.config.width, self.config.height)
            && layout.buffer_lens().len() == 1;
        Painter::new(layout)
            .filter(|_| fits)
            .ok_or_else(|| TestSrcError::OtherLayout {
                found: layout.to_string(),
            })
    }

    /// Waits until it is time for a picture, and takes a free frame for it.
    fn next_canvas(&mut self) -> Result<Option<Frame>, StageError> {
        let Some(Canvas { pool, .. }) = &self.canvas else {
            return Err(StageError::failed(TestSrcError::NotAttached));
        };
        let over = self
            .config
            .frames
            .is_some_and(|frames| self.delivered >= frames);
        while !over && !self.bed.is_stopped() {
            let Some(pace) = self.pace else {
                let frame = pool.acquire();
                let frame = frame.or_else(|| self.bed.sleep_until(|| pool.acquire()));
                if frame.is_some() && !self.bed.is_stopped() {
                    return Ok(frame);
                }
                continue;
            };
            let now = Clock::Monotonic.now();
            if let Some(early) = pace
                .due(self.sequence)
                .since(now)
                .filter(|time| !time.is_zero())
            {
                self.bed.sleep(early);
                continue;
            }
            let passed = pace.newest(now) - self.sequence;
            self.sequence += passed;
            self.counts.late += passed;
            self.counts.lost += passed;
            if let Some(frame) = pool.acquire() {
                return Ok(Some(frame));
            }
            self.sequence += 1;
            self.counts.lost += 1;
        }
        Ok(None)
    }
}

/// Why the CPU cannot draw into memory of this heap.
fn refusal(heap: &str, error: &DmaBufError) -> ImportRefused {
    let (call, errno) = match error {
        DmaBufError::Map { source, .. } => ("mmap", *source),
        DmaBufError::Sync(errno) => ("DMA_BUF_IOCTL_SYNC", *errno),
        _ => ("CPU access", Errno::EBUSY),
    };
    ImportRefused {
        device: "test source".to_owned(),
        heap: heap.to_owned(),
        call: call.into(),
        errno,
        meaning: "it draws with the CPU, which has no sight of this memory".to_owned(),
        remedy: "use a heap that can be mapped, such as `system` or `memfd`".to_owned(),
    }
}

impl Source for TestSrc {
    fn device(&self) -> String {
        "test source".to_owned()
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(DeviceKey::built_in("test-src", env!("CARGO_PKG_VERSION")))
    }

    fn imports(&self) -> bool {
        false
    }

    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        self.plan()
            .map(|plan| vec![plan.layout.format()])
            .map_err(StageError::failed)
    }

    fn size(&mut self) -> Result<Option<(u32, u32)>, StageError> {
        Ok(Some((self.config.width, self.config.height)))
    }

    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError> {
        self.detach();
        if format != self.config.format {
            return Err(StageError::failed(TestSrcError::Format { asked: format }));
        }
        self.plan().map_err(StageError::failed)
    }

    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.detach();
        let painter = self.painter(pool).map_err(StageError::failed)?;
        for buffer in pool.buffers().flatten() {
            let mut bytes = buffer
                .write(CpuUse::Draw)
                .map_err(|error| StageError::from(refusal(pool.heap().name(), &error)))?;
            painter.background(&mut bytes);
        }
        pool.on_release(WakeOnRelease(Arc::downgrade(&self.bed)))
            .map_err(|error| StageError::failed(TestSrcError::from(error)))?;
        self.canvas = Some(Canvas {
            drawn: vec![None; pool.len()],
            pool: pool.clone(),
            painter,
        });
        Ok(())
    }

    fn detach(&mut self) {
        self.canvas = None;
    }

    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        if self.canvas.is_none() {
            return Err(StageError::failed(TestSrcError::NotAttached));
        }
        self.bed.clear();
        self.sequence = 0;
        self.delivered = 0;
        self.counts = Counts::default();
        let start = Clock::Monotonic.now();
        self.pace = self.config.rate.map(|rate| Pace::new(start, rate));
        Ok(Arc::<Bed>::clone(&self.bed))
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        let Some(mut frame) = self.next_canvas()? else {
            return Ok(None);
        };
        let Some(canvas) = &mut self.canvas else {
            return Err(StageError::failed(TestSrcError::NotAttached));
        };
        let slot = frame.slot();
        let [low_bits, _high_bits] = halves(self.sequence);
        let drawn = draw(
            canvas,
            frame.buffers().first().map(|buffer| &**buffer),
            slot,
            low_bits,
        );
        drawn.map_err(|source| StageError::failed(TestSrcError::Draw { slot, source }))?;
        let complete = Clock::Monotonic.now();
        frame.set_meta(FrameMeta {
            sequence: self.sequence,
            capture: Some(CaptureStamp {
                at: complete,
                clock: Clock::Monotonic,
                point: StampPoint::EndOfFrame,
            }),
            dequeued: Some(complete),
            ..FrameMeta::default()
        });
        self.sequence += 1;
        self.delivered += 1;
        Ok(Some(frame))
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.bed.stop();
        Ok(())
    }

    /// `lost`: pictures that were not drawn. `late`: those of them whose time had passed before
    /// anybody asked; at the time of the others no frame was free.
    fn counters(&self) -> Vec<Counter> {
        [("lost", self.counts.lost), ("late", self.counts.late)]
            .map(|(name, count)| Counter { name, count })
            .to_vec()
    }
}

/// The lower and the upper 32 bits.
fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

fn draw(
    canvas: &mut Canvas,
    buffer: Option<&DmaBuf>,
    slot: usize,
    number: u32,
) -> Result<(), DmaBufError> {
    let (Some(buffer), Some(there)) = (buffer, canvas.drawn.get_mut(slot)) else {
        return Ok(());
    };
    let mut bytes = buffer.write(CpuUse::Draw)?;
    canvas.painter.picture(&mut bytes, number, *there);
    *there = Some(number);
    Ok(())
}

#[cfg(test)]
mod tests;
