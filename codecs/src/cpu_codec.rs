//! Codecs on the CPU, for machines that have none, and for pipelines that allow copies.
//!
//! A codec reads one frame's buffer under its guard and writes another's under its own; per frame
//! nothing is allocated, and each buffer costs a pair of `DMA_BUF_IOCTL_SYNC`. The pools' counters
//! tell what was read as copied, what was written as drawn.

mod error;
#[cfg(feature = "cpu-h264")]
mod h264;
#[cfg(feature = "cpu-mjpeg")]
mod jpeg;
#[cfg(feature = "cpu-mjpeg")]
mod mjpeg;
mod outlet;
mod work;

pub use error::CpuCodecError;
#[cfg(feature = "cpu-mjpeg")]
pub use jpeg::{JpegError, JpegFault};

use std::sync::Arc;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool, PoolId};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Bed, Choice, ControlValue, Controls, Counter, DeviceKey, Outlet, SourcePlan, StageError,
    Stopper, Transform, WakeOnRelease,
};

use error::refusal;
#[cfg(feature = "cpu-h264")]
use h264::controls::EncoderControls;
use outlet::{CpuOutlet, Halt, Handover};
use work::{Damage, Outcome, Work};

/// Which codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CpuCodecKind {
    /// Pictures of Motion JPEG, as USB cameras send it: baseline, with or without Huffman tables.
    #[cfg(feature = "cpu-mjpeg")]
    MjpegDecoder,
    /// H.264, constrained baseline, of pictures in 4:2:0.
    #[cfg(feature = "cpu-h264")]
    H264Encoder,
    /// H.264 as far as OpenH264 knows it: 4:2:0 with 8 bits, no fields.
    #[cfg(feature = "cpu-h264")]
    H264Decoder,
}

impl CpuCodecKind {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "cpu-mjpeg")]
            Self::MjpegDecoder => mjpeg::NAME,
            #[cfg(feature = "cpu-h264")]
            Self::H264Encoder => h264::encoder::NAME,
            #[cfg(feature = "cpu-h264")]
            Self::H264Decoder => h264::decoder::NAME,
        }
    }

    const fn key(self) -> &'static str {
        match self {
            #[cfg(feature = "cpu-mjpeg")]
            Self::MjpegDecoder => "cpu-mjpeg-decode",
            #[cfg(feature = "cpu-h264")]
            Self::H264Encoder => "cpu-h264-encode",
            #[cfg(feature = "cpu-h264")]
            Self::H264Decoder => "cpu-h264-decode",
        }
    }

    /// The formats that it takes, best first.
    #[must_use]
    pub fn inputs(self) -> Vec<Format> {
        match self {
            #[cfg(feature = "cpu-mjpeg")]
            Self::MjpegDecoder => mjpeg::inputs().collect(),
            #[cfg(feature = "cpu-h264")]
            Self::H264Encoder => h264::encoder::inputs().collect(),
            #[cfg(feature = "cpu-h264")]
            Self::H264Decoder => h264::stream().into_iter().collect(),
        }
    }

    /// The formats that it makes of what it takes, best first.
    #[must_use]
    pub fn outputs(self) -> Vec<Format> {
        match self {
            #[cfg(feature = "cpu-mjpeg")]
            Self::MjpegDecoder => mjpeg::outputs().collect(),
            #[cfg(feature = "cpu-h264")]
            Self::H264Encoder => h264::stream().into_iter().collect(),
            #[cfg(feature = "cpu-h264")]
            Self::H264Decoder => h264::decoder::outputs().collect(),
        }
    }
}

/// A codec that copies: the CPU makes compressed frames of pictures, or pictures of compressed
/// frames.
///
/// Frames that something is wrong with are counted as `damaged`, and nothing is sent for them; the
/// log says what is wrong, and where.
#[derive(Debug)]
pub struct CpuCodec {
    kind: CpuCodecKind,
    /// The format of what it makes, where its user wants one.
    format: Option<Format>,
    /// What is asked of an encoder.
    #[cfg(feature = "cpu-h264")]
    controls: Arc<EncoderControls>,
    setup: Option<Setup>,
    /// Pools that it may be given frames of.
    known: Vec<PoolId>,
    output: Option<FramePool>,
    bed: Arc<Bed>,
    /// Where frames come out of a codec that keeps some, while it runs.
    handover: Option<Arc<Handover>>,
    damaged: u64,
    /// Whether something is wrong with the last frame, which is told once a row.
    in_damage: bool,
}

/// What was agreed on.
#[derive(Debug)]
struct Setup {
    reads: Layout,
    writes: Layout,
    work: Box<dyn Work>,
}

impl CpuCodec {
    /// A codec that is to be told of what to make what.
    #[must_use]
    pub fn new(kind: CpuCodecKind) -> Self {
        Self {
            kind,
            format: None,
            #[cfg(feature = "cpu-h264")]
            controls: Arc::new(EncoderControls::new()),
            setup: None,
            known: Vec::new(),
            output: None,
            bed: Arc::default(),
            handover: None,
            damaged: 0,
            in_damage: false,
        }
    }

    /// The same, which makes frames of this format only.
    #[must_use]
    pub fn with_format(mut self, format: Option<Format>) -> Self {
        self.format = format;
        self
    }

    /// Sets a control by its name, before it begins; while it runs, [`Transform::controls`] does.
    ///
    /// # Errors
    /// [`CpuCodecError::NoControls`] of a codec without any, and what [`Controls::set`] says.
    pub fn set_control(&self, name: &str, value: &ControlValue) -> Result<(), StageError> {
        match self.controls() {
            Some(controls) => controls.set(name, value),
            None => Err(StageError::from(CpuCodecError::NoControls {
                codec: self.kind.name(),
            })),
        }
    }

    const fn phase(&self, missing: &'static str) -> CpuCodecError {
        let codec = self.kind.name();
        CpuCodecError::Phase { codec, missing }
    }

    fn setup(&self) -> Result<&Setup, CpuCodecError> {
        let setup = self.setup.as_ref();
        setup.ok_or_else(|| self.phase("configure it"))
    }

    /// Waits for a frame to write into; `None` after it was stopped.
    fn free_frame(&self) -> Result<Option<Frame>, CpuCodecError> {
        let Some(pool) = &self.output else {
            return Err(self.phase("attach the output's pool"));
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

    #[cold]
    fn count_damage(&mut self, sequence: u64, damage: &Damage) {
        let codec = self.kind.name();
        if self.in_damage {
            tracing::debug!(codec, sequence, %damage, "left a damaged frame out");
        } else {
            tracing::warn!(codec, sequence, %damage, "left a damaged frame out");
        }
        self.damaged += 1;
        self.in_damage = true;
    }
}

/// Whether frames of both are the same to who reads them: of a compressed frame it is all one how
/// much room there is.
fn is_same(found: &Layout, agreed: &Layout) -> bool {
    let picture = |of: &Layout| (of.format(), of.width(), of.height(), of.modifier());
    picture(found) == picture(agreed) && found.planes() == agreed.planes()
}

impl Transform for CpuCodec {
    fn device(&self) -> String {
        self.kind.name().to_owned()
    }

    fn key(&self) -> Option<DeviceKey> {
        let version = env!("CARGO_PKG_VERSION");
        Some(DeviceKey::built_in(self.kind.key(), version))
    }

    fn imports(&self) -> bool {
        false
    }

    fn copies(&self) -> Option<String> {
        Some(match &self.setup {
            Some(Setup { reads, writes, .. }) => {
                format!("the CPU makes {} of {}", writes.format(), reads.format())
            }
            None => format!("the {} does", self.kind.name()),
        })
    }

    fn controls(&self) -> Option<Arc<dyn Controls>> {
        match self.kind {
            #[cfg(feature = "cpu-mjpeg")]
            CpuCodecKind::MjpegDecoder => None,
            #[cfg(feature = "cpu-h264")]
            CpuCodecKind::H264Encoder => Some(Arc::<EncoderControls>::clone(&self.controls)),
            #[cfg(feature = "cpu-h264")]
            CpuCodecKind::H264Decoder => None,
        }
    }

    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(self.kind.inputs())
    }

    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        let mut made = self.kind.outputs();
        let takes = self.kind.inputs().contains(&input);
        made.retain(|made| takes && self.format.is_none_or(|asked| asked == *made));
        Ok(made)
    }

    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError> {
        self.detach_input();
        self.detach_output();
        self.setup = None;
        if !self.output_formats(input.format())?.contains(&output) {
            return Err(StageError::from(CpuCodecError::NoWay {
                codec: self.kind.name(),
                input: input.format(),
                output,
            }));
        }
        let (work, writes) = match self.kind {
            #[cfg(feature = "cpu-mjpeg")]
            CpuCodecKind::MjpegDecoder => mjpeg::set_up(input, output)?,
            #[cfg(feature = "cpu-h264")]
            CpuCodecKind::H264Encoder => h264::encoder::set_up(input, output, &self.controls)?,
            #[cfg(feature = "cpu-h264")]
            CpuCodecKind::H264Decoder => h264::decoder::set_up(input, output)?,
        };
        let mut plan = SourcePlan {
            layout: writes.clone(),
            rate: None,
            min_buffers: 1,
            choices: Vec::new(),
        };
        self.setup = Some(Setup {
            reads: input.clone(),
            writes,
            work,
        });
        plan.choices.extend(self.copies().map(|chosen| Choice {
            what: "copy",
            chosen,
        }));
        Ok(plan)
    }

    fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        let reads = &self.setup()?.reads;
        if !is_same(pool.layout(), reads) {
            return Err(StageError::from(CpuCodecError::OtherLayout {
                codec: self.kind.name(),
                expected: reads.to_string(),
                found: pool.layout().to_string(),
            }));
        }
        // Mapped once, before anything flows.
        for buffer in pool.buffers().flatten() {
            let seen = buffer.read(CpuUse::Inspect);
            seen.map_err(|error| refusal(self.kind.name(), pool.heap().name(), &error))?;
        }
        self.known.push(pool.id());
        Ok(Vec::new())
    }

    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.detach_output();
        let writes = &self.setup()?.writes;
        let codec = self.kind.name();
        if pool.layout() != writes {
            return Err(StageError::from(CpuCodecError::OtherLayout {
                codec,
                expected: writes.to_string(),
                found: pool.layout().to_string(),
            }));
        }
        for buffer in pool.buffers().flatten() {
            let seen = buffer.write(CpuUse::Draw);
            seen.map_err(|error| refusal(codec, pool.heap().name(), &error))?;
        }
        pool.on_release(WakeOnRelease(Arc::downgrade(&self.bed)))
            .map_err(|source| CpuCodecError::Pool { codec, source })?;
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
        self.stop()?;
        let frames = self.output.as_ref().map_or(0, FramePool::len);
        let Some(setup) = &mut self.setup else {
            return Err(self.phase("configure it").into());
        };
        setup.work.begin();
        let keeps = setup.work.keeps();
        (self.damaged, self.in_damage) = (0, false);
        self.bed.clear();
        let bed = Arc::clone(&self.bed);
        if !keeps {
            return Ok(bed);
        }
        let handover = Arc::new(Handover::new(frames));
        self.handover = Some(Arc::clone(&handover));
        Ok(Arc::new(Halt { bed, handover }))
    }

    fn transform(&mut self, frame: Frame, send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        if !self.known.contains(&frame.pool()) {
            let codec = self.kind.name();
            return Err(CpuCodecError::ForeignFrame { codec }.into());
        }
        let Some(mut made) = self.free_frame()? else {
            return Ok(());
        };
        let Some(setup) = &mut self.setup else {
            return Err(self.phase("configure it").into());
        };
        match setup.work.run(&frame, &made)? {
            Outcome::Made(known) => {
                self.in_damage = false;
                made.set_meta(known);
                // Its source can have it back.
                drop(frame);
                match &self.handover {
                    Some(handover) => handover.give(made),
                    None => send(made),
                }
            }
            #[cfg(feature = "cpu-h264")]
            Outcome::LeftOut => {}
            Outcome::Damaged(damage) => self.count_damage(frame.meta().sequence, &damage),
        }
        Ok(())
    }

    fn outlet(&mut self) -> Option<Box<dyn Outlet>> {
        let handover = Arc::clone(self.handover.as_ref()?);
        Some(Box::new(CpuOutlet(handover)))
    }

    fn finish(&mut self) -> Result<(), StageError> {
        let Some(handover) = self.handover.clone() else {
            return Ok(());
        };
        while let Some(mut made) = self.free_frame()? {
            let Some(setup) = &mut self.setup else {
                break;
            };
            let Some(known) = setup.work.flush(&made)? else {
                break;
            };
            made.set_meta(known);
            handover.give(made);
        }
        handover.end();
        Ok(())
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.bed.stop();
        if let Some(handover) = self.handover.take() {
            let bed = Arc::clone(&self.bed);
            Halt { bed, handover }.stop();
        }
        Ok(())
    }

    /// `damaged`: frames that something was wrong with, and that nothing was sent for.
    fn counters(&self) -> Vec<Counter> {
        vec![Counter {
            name: "damaged",
            count: self.damaged,
        }]
    }
}
