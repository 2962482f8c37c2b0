//! Stages on paper, that do as they are told.

use std::sync::Arc;

use dmaflow_core::caps::Caps;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Choice, Counter, Mixer, Sink, Source, SourcePlan, StageError, Stopper, Transform,
};
use dmaflow_core::time::Timestamp;
use dmaflow_kms_sink::NullSink;

/// What a device answers that is asked for something that it does not do.
fn refused(why: &str) -> StageError {
    StageError::failed(std::io::Error::other(why.to_owned()))
}

fn plan(layout: Layout) -> SourcePlan {
    SourcePlan {
        layout,
        rate: None,
        min_buffers: 2,
        choices: Vec::new(),
    }
}

/// A device that is never started.
struct Idle;

impl Stopper for Idle {
    fn stop(&self) {}
}

/// A camera whose frames lie in one of these ways, best first.
pub(crate) struct Camera(pub(crate) Vec<Layout>);

impl Source for Camera {
    fn device(&self) -> String {
        "camera".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(self.0.iter().map(Layout::format).collect())
    }
    fn size(&mut self) -> Result<Option<(u32, u32)>, StageError> {
        Ok(self.0.first().map(|of| (of.width(), of.height())))
    }
    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError> {
        let mut known = self.0.iter();
        let found = known.find(|layout| layout.format() == format);
        found
            .cloned()
            .map(plan)
            .ok_or_else(|| refused("no such format"))
    }
    fn attach(&mut self, _pool: &FramePool) -> Result<(), StageError> {
        Ok(())
    }
    fn detach(&mut self) {}
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        Ok(Arc::new(Idle))
    }
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        Ok(None)
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// Takes what its caps say.
pub(crate) struct Screen(pub(crate) Caps);

impl Sink for Screen {
    fn device(&self) -> String {
        "screen".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(None)
    }
    fn caps(&mut self) -> Result<Caps, StageError> {
        Ok(self.0.clone())
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
        NullSink::default().show(frame)
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

/// Makes XRGB8888 of XRGB8888 in a size, if that is not more than twice as large.
pub(crate) struct Scaler(pub(crate) (u32, u32));

impl Transform for Scaler {
    fn device(&self) -> String {
        "scaler".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn copies(&self) -> Option<String> {
        None
    }
    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        Ok(vec![Format::XRGB8888])
    }
    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        Ok(vec![input])
    }
    fn output_size(&self) -> Option<(u32, u32)> {
        Some(self.0)
    }
    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError> {
        let (width, height) = self.0;
        if width > 2 * input.width() || height > 2 * input.height() {
            return Err(refused("it does not scale so far"));
        }
        Ok(plan(
            Layout::packed(output, width, height).map_err(StageError::failed)?,
        ))
    }
    fn attach_input(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn attach_output(&mut self, _pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        Ok(Vec::new())
    }
    fn detach_input(&mut self) {}
    fn detach_output(&mut self) {}
    fn frames_held(&self) -> usize {
        1
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        Ok(Arc::new(Idle))
    }
    fn transform(&mut self, _frame: Frame, _send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// Two planes: one of them shows XRGB8888 alone, the other NV12 alone.
#[derive(Default)]
pub(crate) struct TwoPlanes([Option<Format>; 2]);

impl Mixer for TwoPlanes {
    fn device(&self) -> String {
        "two planes".to_owned()
    }
    fn imports(&self) -> bool {
        false
    }
    fn inputs(&self) -> usize {
        2
    }
    fn formats(&mut self, _input: usize) -> Result<Vec<Format>, StageError> {
        Ok(vec![Format::XRGB8888, Format::NV12])
    }
    fn attach(&mut self, input: usize, pool: &FramePool) -> Result<(), StageError> {
        self.0[input] = Some(pool.layout().format());
        Ok(())
    }
    fn arrange(&mut self) -> Result<Vec<Choice>, StageError> {
        match self.0 {
            [Some(one), Some(other)] if one != other => Ok(Vec::new()),
            _ => Err(refused("too few planes")),
        }
    }
    fn detach(&mut self, input: usize) {
        self.0[input] = None;
    }
    fn frames_held(&self) -> usize {
        1
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, _frames: &mut [Option<Frame>]) -> Result<Timestamp, StageError> {
        Ok(Timestamp::default())
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
