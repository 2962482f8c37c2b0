//! Streams that are kept in memory, and the pictures that decoders make of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Bed, Choice, Counter, Sink, Source, SourcePlan, StageError, Stopper, WakeOnRelease,
};
use dmaflow_core::time::{Clock, Timestamp};

use super::rows;

/// The units of a compressed stream.
#[derive(Clone, Debug)]
pub(super) struct Clip {
    pub(super) layout: Layout,
    pub(super) units: Vec<Vec<u8>>,
}

/// Plays a clip, as often as is asked.
pub(super) struct Player {
    clip: Clip,
    times: usize,
    next: usize,
    pool: Option<FramePool>,
    bed: Arc<Bed>,
}

impl Player {
    pub(super) fn new(clip: &Clip, times: usize) -> Self {
        Self {
            clip: clip.clone(),
            times,
            next: 0,
            pool: None,
            bed: Arc::default(),
        }
    }
}

impl Source for Player {
    fn device(&self) -> String {
        "a clip".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(vec![self.clip.layout.format()])
    }
    fn size(&mut self) -> Result<Option<(u32, u32)>, StageError> {
        Ok(Some((self.clip.layout.width(), self.clip.layout.height())))
    }
    fn configure(&mut self, _format: Format) -> Result<SourcePlan, StageError> {
        Ok(SourcePlan {
            layout: self.clip.layout.clone(),
            rate: None,
            min_buffers: 1,
            choices: Vec::new(),
        })
    }
    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        let wake = WakeOnRelease(Arc::downgrade(&self.bed));
        pool.on_release(wake).map_err(StageError::failed)?;
        self.pool = Some(pool.clone());
        Ok(())
    }
    fn detach(&mut self) {
        self.pool = None;
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.bed.clear();
        self.next = 0;
        Ok(Arc::<Bed>::clone(&self.bed))
    }
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        let pool = self.pool.as_ref().unwrap();
        let units = &self.clip.units;
        if self.next >= units.len() * self.times {
            return Ok(None);
        }
        let mut frame = loop {
            if self.bed.is_stopped() {
                return Ok(None);
            }
            let free = pool.acquire();
            if let Some(frame) = free.or_else(|| self.bed.sleep_until(|| pool.acquire())) {
                break frame;
            }
        };
        let unit = &units[self.next % units.len()];
        let mut bytes = frame.buffers()[0].write(CpuUse::Draw).unwrap();
        bytes[..unit.len()].copy_from_slice(unit);
        drop(bytes);
        frame.set_meta(FrameMeta {
            sequence: self.next as u64,
            bytes_used: Some(u32::try_from(unit.len()).unwrap()),
            ..FrameMeta::default()
        });
        self.next += 1;
        Ok(Some(frame))
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// What a [`Taker`] does with frames.
type Take = Box<dyn FnMut(&Frame) + Send>;

/// A sink that looks at frames.
pub(super) struct Taker {
    take: Take,
    formats: Option<Vec<Format>>,
}

/// What was taken, while it is, and afterwards.
pub(super) type Taken<T> = Arc<Mutex<Vec<T>>>;

impl Taker {
    /// Keeps the bytes of a stream.
    pub(super) fn units() -> (Self, Taken<Vec<u8>>) {
        let taken = Taken::default();
        let to = Arc::clone(&taken);
        let take = move |frame: &Frame| {
            let len = frame.meta().bytes_used.unwrap() as usize;
            let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
            to.lock().unwrap().push(bytes[..len].to_vec());
        };
        (Self::new(take, None), taken)
    }

    /// Tells pictures by their sequence and by what is to be seen of them.
    pub(super) fn pictures() -> (Self, Taken<(u64, u64)>) {
        let taken = Taken::default();
        let to = Arc::clone(&taken);
        let take = move |frame: &Frame| {
            let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
            let mut hasher = DefaultHasher::new();
            for row in rows(frame.layout(), &bytes) {
                row.hash(&mut hasher);
            }
            let told = (frame.meta().sequence, hasher.finish());
            to.lock().unwrap().push(told);
        };
        let formats = vec![Format::NV12, Format::XRGB8888];
        (Self::new(take, Some(formats)), taken)
    }

    fn new(take: impl FnMut(&Frame) + Send + 'static, formats: Option<Vec<Format>>) -> Self {
        Self {
            take: Box::new(take),
            formats,
        }
    }
}

impl Sink for Taker {
    fn device(&self) -> String {
        "a taker".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(self.formats.clone())
    }
    fn attach(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn detach(&mut self) {}
    fn frames_held(&self) -> usize {
        1
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        (self.take)(&frame);
        Ok(Clock::Monotonic.now())
    }
    fn flips(&mut self, _flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}
