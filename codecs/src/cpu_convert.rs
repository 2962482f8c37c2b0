//! A converter for pipelines that allow copies: the CPU reads frames of one format and writes
//! those of another.
//!
//! Nothing is allocated per frame; a frame costs two pairs of `DMA_BUF_IOCTL_SYNC` a buffer, and
//! its pixels' way through the CPU, which the pools' counters tell of: what was read as copied,
//! what was written as drawn.

mod conversion;
mod error;

pub use error::CpuConvertError;

use std::sync::Arc;

use dmaflow_core::dma_buf::{CpuRead, CpuUse};
use dmaflow_core::format::{Colour, Encoding, Family, Format, Range};
use dmaflow_core::frame::{Frame, FramePool, PoolId};
use dmaflow_core::layout::{Layout, MAX_PLANES, Modifier};
use dmaflow_core::stage::{
    Bed, Choice, Counter, DeviceKey, SourcePlan, StageError, Stopper, Transform, WakeOnRelease,
};
use dmaflow_v4l2::aligned_layout;

use conversion::{Conversion, Planes};
use error::refusal;

/// What people call it.
const NAME: &str = "CPU converter";

/// A converter that copies: the CPU makes frames of another format.
///
/// It reads YUYV, UYVY, YVYU, VYUY, NV12, NV21, YUV420, YVU420 and RGB with 24 and 32 bits, and
/// makes XRGB8888, XBGR8888, RGB888 and BGR888 of all of them, NV12 of RGB. Sizes are kept. Colour
/// encoding and range of what comes in are respected; where its source left them open they are
/// BT.601 and limited, and so is the NV12 that it makes. Luma below black counts as black.
#[derive(Debug, Default)]
pub struct CpuConverter {
    setup: Option<Setup>,
    /// Pools that it may be given frames of.
    known: Vec<PoolId>,
    output: Option<FramePool>,
    bed: Arc<Bed>,
}

/// What was agreed on.
#[derive(Debug)]
struct Setup {
    conversion: Conversion,
    reads: Layout,
    writes: Layout,
}

impl CpuConverter {
    /// A converter that is to be told of what to make what.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The formats that it takes.
    pub fn inputs() -> impl Iterator<Item = Format> {
        Format::all().filter(|&input| Self::outputs(input).next().is_some())
    }

    /// The formats that it makes of frames of a format.
    pub fn outputs(input: Format) -> impl Iterator<Item = Format> {
        Format::all().filter(move |&output| Conversion::of(input, output).is_some())
    }

    fn setup(&self) -> Result<&Setup, CpuConvertError> {
        let setup = self.setup.as_ref();
        setup.ok_or(CpuConvertError::Phase {
            missing: "configure it",
        })
    }

    /// Waits for a frame to write into; `None` after it was stopped.
    fn free_frame(&self) -> Result<Option<Frame>, CpuConvertError> {
        let Some(pool) = &self.output else {
            return Err(CpuConvertError::Phase {
                missing: "attach the output's pool",
            });
        };
        while !self.bed.is_stopped() {
            let frame = pool.acquire();
            let frame = frame.or_else(|| self.bed.sleep_until(|| pool.acquire()));
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }
}

impl Setup {
    fn new(reads: &Layout, output: Format) -> Result<Self, CpuConvertError> {
        let input = reads.format();
        let conversion =
            Conversion::of(input, output).ok_or(CpuConvertError::NoConversion { input, output })?;
        let writes = aligned_layout(output, reads.width(), reads.height())?;
        let setup = Self {
            conversion,
            writes: writes.with_colour(colour_of(reads, output)),
            reads: reads.clone(),
        };
        setup.check(reads)?;
        Ok(setup)
    }

    /// Says why frames cannot be converted that lie so.
    fn check(&self, found: &Layout) -> Result<(), CpuConvertError> {
        // Each frame's own colours count.
        let picture = |of: &Layout| (of.format(), of.width(), of.height());
        if picture(found) != picture(&self.reads) {
            return Err(CpuConvertError::OtherLayout {
                expected: self.reads.to_string(),
                found: found.to_string(),
            });
        }
        let limited = found.colour().range == Some(Range::Limited);
        let why = if found.modifier() != Modifier::LINEAR {
            "the pixels do not lie in rows"
        } else if !has_whole_rows(found) {
            "the last row's padding is missing"
        } else if found.format().family() == Family::Rgb
            && self.writes.format().family() == Family::Yuv
            && limited
        {
            "the library makes YUV of RGB of full range only"
        } else {
            return Ok(());
        };
        let found = found.to_string();
        Err(CpuConvertError::Input { found, why })
    }

    fn convert(&self, frame: &Frame, made: &Frame) -> Result<(), CpuConvertError> {
        let access = |verb, of: &Frame| {
            let slot = of.slot();
            move |source| CpuConvertError::Access { verb, slot, source }
        };
        let mut guards: [Option<CpuRead<'_>>; MAX_PLANES] = Default::default();
        for (guard, buffer) in guards.iter_mut().zip(frame.buffers()) {
            *guard = Some(buffer.read(CpuUse::Copy).map_err(access("read", frame))?);
        }
        let mut planes: Planes<'_> = [&[]; MAX_PLANES];
        for (index, bytes) in planes.iter_mut().enumerate() {
            *bytes = plane(frame.layout(), index, &guards).unwrap_or_default();
        }
        let Some(buffer) = made.buffers().first() else {
            return Ok(());
        };
        let mut bytes = buffer.write(CpuUse::Draw).map_err(access("write", made))?;
        let len = self.writes.buffer_lens()[0] as usize;
        // The exporter may have rounded it up.
        let into = bytes.get_mut(..len).unwrap_or_default();
        self.conversion
            .run((frame.layout(), &planes), (&self.writes, into))
            .map_err(|source| CpuConvertError::Picture {
                slot: frame.slot(),
                source,
            })
    }
}

/// How the colours are to be understood of what is made.
fn colour_of(reads: &Layout, output: Format) -> Colour {
    match (reads.format().family(), output.family()) {
        (Family::Rgb, Family::Rgb) => reads.colour(),
        (_, Family::Rgb) => Colour {
            encoding: None,
            range: Some(Range::Full),
        },
        _ => Colour {
            encoding: Some(Encoding::Bt601),
            range: Some(Range::Limited),
        },
    }
}

/// Where a plane begins in its buffer, and where its last row's padding ends.
fn span(layout: &Layout, index: usize) -> Option<(usize, usize)> {
    let (plane, info) = (
        layout.planes().get(index)?,
        layout.format().planes().get(index)?,
    );
    let rows = info.rows(layout.height()) as usize;
    let begin = plane.offset as usize;
    Some((begin, begin + plane.stride as usize * rows))
}

/// The library would leave a last row out that has no padding where the others do.
fn has_whole_rows(layout: &Layout) -> bool {
    layout.planes().iter().enumerate().all(|(index, plane)| {
        let len = layout.buffer_lens().get(plane.buffer);
        let end = span(layout, index).map(|(_, end)| end);
        matches!((end, len), (Some(end), Some(&len)) if end <= len as usize)
    })
}

fn plane<'g>(
    layout: &Layout,
    index: usize,
    guards: &'g [Option<CpuRead<'_>>; MAX_PLANES],
) -> Option<&'g [u8]> {
    let (begin, end) = span(layout, index)?;
    let buffer = layout.planes()[index].buffer;
    guards.get(buffer)?.as_deref()?.get(begin..end)
}

impl Transform for CpuConverter {
    fn device(&self) -> String {
        NAME.to_owned()
    }

    fn key(&self) -> Option<DeviceKey> {
        Some(DeviceKey::built_in(
            "cpu-convert",
            env!("CARGO_PKG_VERSION"),
        ))
    }

    fn imports(&self) -> bool {
        false
    }

    fn copies(&self) -> Option<String> {
        Some(match &self.setup {
            Some(Setup { reads, writes, .. }) => {
                format!("the CPU converts {} to {}", reads.format(), writes.format())
            }
            None => "the CPU converts".to_owned(),
        })
    }

    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(Self::inputs().collect())
    }

    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        Ok(Self::outputs(input).collect())
    }

    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError> {
        self.detach_input();
        self.detach_output();
        self.setup = None;
        let setup = Setup::new(input, output)?;
        let mut plan = SourcePlan {
            layout: setup.writes.clone(),
            rate: None,
            min_buffers: 1,
            choices: Vec::new(),
        };
        self.setup = Some(setup);
        plan.choices.extend(self.copies().map(|chosen| Choice {
            what: "copy",
            chosen,
        }));
        Ok(plan)
    }

    fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.setup()?.check(pool.layout())?;
        // Mapped once, before anything flows.
        for buffer in pool.buffers().flatten() {
            let seen = buffer.read(CpuUse::Inspect);
            seen.map_err(|error| refusal(pool.heap().name(), &error))?;
        }
        self.known.push(pool.id());
        Ok(Vec::new())
    }

    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.detach_output();
        let writes = &self.setup()?.writes;
        if pool.layout() != writes {
            return Err(StageError::from(CpuConvertError::OtherLayout {
                expected: writes.to_string(),
                found: pool.layout().to_string(),
            }));
        }
        for buffer in pool.buffers().flatten() {
            let seen = buffer.write(CpuUse::Draw);
            seen.map_err(|error| refusal(pool.heap().name(), &error))?;
        }
        pool.on_release(WakeOnRelease(Arc::downgrade(&self.bed)))
            .map_err(CpuConvertError::from)?;
        self.output = Some(pool.clone());
        Ok(Vec::new())
    }

    fn detach_input(&mut self) {
        self.known.clear();
    }

    fn detach_output(&mut self) {
        self.output = None;
    }

    fn frames_held(&self) -> usize {
        1
    }

    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.setup()?;
        self.bed.clear();
        Ok(Arc::<Bed>::clone(&self.bed))
    }

    fn transform(&mut self, frame: Frame, send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        if !self.known.contains(&frame.pool()) {
            return Err(CpuConvertError::ForeignFrame.into());
        }
        let Some(mut made) = self.free_frame()? else {
            return Ok(());
        };
        self.setup()?.convert(&frame, &made)?;
        made.set_meta(frame.meta());
        // Its source can have it back.
        drop(frame);
        send(made);
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.bed.stop();
        Ok(())
    }

    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}
