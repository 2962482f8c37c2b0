//! A camera sends whatever it likes as a picture of Motion JPEG. Either there is a frame, or it is
//! counted as damaged; what comes out is the same each time, and nothing outside of the picture's
//! rows is written.
#![no_main]

use std::cell::RefCell;

use dmaflow_codecs::{CpuCodec, CpuCodecKind};
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::frame::{FrameMeta, FramePool};
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Transform;
use dmaflow_heaps::Memfd;
use libfuzzer_sys::fuzz_target;

const SIZES: [(u32, u32); 4] = [(64, 48), (53, 37), (56, 37), (1, 1)];
const FORMATS: [&str; 5] = ["NV12", "YUYV", "NV24", "YUV420", "XRGB8888"];
const ROOM: usize = 1 << 14;
/// What stands where nothing was written.
const UNTOUCHED: u8 = 0xa5;

struct Stage {
    decoder: CpuCodec,
    input: FramePool,
    output: FramePool,
}

impl Stage {
    fn new(size: (u32, u32), format: &str) -> Self {
        let heap = Heap::new(Memfd::info(), Memfd);
        let mut decoder = CpuCodec::new(CpuCodecKind::MjpegDecoder);
        let reads = Layout::compressed("MJPEG".parse().unwrap(), size, ROOM as u32).unwrap();
        let plan = decoder.configure(&reads, format.parse().unwrap()).unwrap();
        let input = FramePool::allocate(&heap, &reads, 1).unwrap();
        let output = FramePool::allocate(&heap, &plan.layout, 1).unwrap();
        decoder.attach_input(&input).unwrap();
        decoder.attach_output(&output).unwrap();
        decoder.start().unwrap();
        Self {
            decoder,
            input,
            output,
        }
    }

    /// The bytes of the frame that comes out.
    fn decode(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let free = self.output.acquire().unwrap();
        let mut fill = free.buffers()[0].write(CpuUse::Draw).unwrap();
        fill.fill(UNTOUCHED);
        drop(fill);
        drop(free);
        let mut frame = self.input.acquire().unwrap();
        let mut into = frame.buffers()[0].write(CpuUse::Draw).unwrap();
        into[..bytes.len()].copy_from_slice(bytes);
        drop(into);
        frame.set_meta(FrameMeta {
            bytes_used: Some(bytes.len() as u32),
            ..FrameMeta::default()
        });
        let damaged = self.damaged();
        let mut made = None;
        self.decoder.transform(frame, &mut |frame| made = Some(frame)).unwrap();
        assert_eq!(self.damaged() - damaged, u64::from(made.is_none()));
        let made = made?;
        let seen = made.buffers()[0].read(CpuUse::Inspect).unwrap().to_vec();
        Some(seen)
    }

    fn damaged(&self) -> u64 {
        self.decoder.counters()[0].count
    }

    fn check_padding(&self, seen: &mut [u8]) {
        let layout = self.output.layout();
        for (plane, info) in layout.planes().iter().zip(layout.format().planes()) {
            let row = info.row_bytes(layout.width()).unwrap() as usize;
            for y in 0..info.rows(layout.height()) {
                let begin = (plane.offset + y * plane.stride) as usize;
                seen[begin..begin + row].fill(UNTOUCHED);
            }
        }
        assert!(seen.iter().all(|&byte| byte == UNTOUCHED));
    }
}

thread_local! {
    static STAGES: RefCell<Vec<Stage>> = RefCell::new(
        SIZES
            .iter()
            .flat_map(|size| FORMATS.iter().map(|format| Stage::new(*size, format)))
            .collect(),
    );
}

fuzz_target!(|input: &[u8]| {
    let Some((&which, bytes)) = input.split_first() else {
        return;
    };
    if bytes.len() > ROOM {
        return;
    }
    STAGES.with_borrow_mut(|stages| {
        let which = usize::from(which) % stages.len();
        let stage = &mut stages[which];
        let first = stage.decode(bytes);
        assert_eq!(first, stage.decode(bytes));
        if let Some(mut seen) = first {
            stage.check_padding(&mut seen);
        }
    });
});
