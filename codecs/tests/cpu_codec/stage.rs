//! A codec with pools of its own, without a pipeline.

use dmaflow_codecs::{CpuCodec, CpuCodecKind};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameMeta, FramePool};
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Transform;

pub(crate) fn memfd() -> Heap {
    dmaflow_heaps::registry().open("memfd").unwrap()
}

/// A codec that is set up and runs.
pub(crate) struct Running {
    pub(crate) codec: CpuCodec,
    pub(crate) input: FramePool,
    pub(crate) output: FramePool,
    sequence: u64,
}

impl Running {
    pub(crate) fn new(kind: CpuCodecKind, reads: &Layout, output: Format) -> Self {
        Self::of(CpuCodec::new(kind), reads, output)
    }

    pub(crate) fn of(mut codec: CpuCodec, reads: &Layout, output: Format) -> Self {
        let plan = codec.configure(reads, output).unwrap();
        let input = FramePool::allocate(&memfd(), reads, 1).unwrap();
        let output = FramePool::allocate(&memfd(), &plan.layout, 1).unwrap();
        codec.attach_input(&input).unwrap();
        codec.attach_output(&output).unwrap();
        codec.start().unwrap();
        Self {
            codec,
            input,
            output,
            sequence: 0,
        }
    }

    /// A frame that holds these bytes.
    pub(crate) fn frame(&mut self, bytes: &[u8]) -> Frame {
        let mut frame = self.input.acquire().unwrap();
        let mut into = frame.buffers()[0].write(CpuUse::Draw).unwrap();
        into[..bytes.len()].copy_from_slice(bytes);
        drop(into);
        self.sequence += 1;
        frame.set_meta(FrameMeta {
            sequence: self.sequence,
            bytes_used: Some(u32::try_from(bytes.len()).unwrap()),
            ..FrameMeta::default()
        });
        frame
    }

    /// What comes out for these bytes.
    pub(crate) fn give(&mut self, bytes: &[u8]) -> Option<Frame> {
        let frame = self.frame(bytes);
        let mut made = None;
        let mut send = |frame| made = Some(frame);
        self.codec.transform(frame, &mut send).unwrap();
        if let Some(made) = &made {
            assert_eq!(made.meta().sequence, self.sequence);
        }
        made
    }

    /// The bytes of what comes out.
    pub(crate) fn picture(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let made = self.give(bytes)?;
        let len = made.layout().buffer_lens()[0] as usize;
        let bytes = made.buffers()[0].read(CpuUse::Inspect).unwrap();
        Some(bytes[..len].to_vec())
    }

    pub(crate) fn damaged(&self) -> u64 {
        let counters = self.codec.counters();
        let mut damaged = counters.iter().filter(|counter| counter.name == "damaged");
        damaged.next().unwrap().count
    }
}
