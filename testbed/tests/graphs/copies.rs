//! The CPU between a camera and a display, where a pipeline allows it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmaflow_core::caps::Caps;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::{Encoding, Format};
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, Counter, Sink, StageError};
use dmaflow_core::time::Timestamp;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig, NullSink};
use dmaflow_pipelines::audit::Finding;
use dmaflow_pipelines::{AnyStage, Builder, Limits, PipelineError, QueuePolicy, ZeroCopy};
use dmaflow_testbed::{Board, DmaBufs, open_files};

use super::vivid;

/// What the camera gives and no display of the board takes.
const CAMERA: &str = "UYVY";
const FRAMES: u64 = 4;

/// A picture as somebody was given it.
struct Seen {
    number: u64,
    layout: Layout,
    bytes: Vec<u8>,
}

/// A sink, and what it was given.
struct Recorded<S> {
    sink: S,
    seen: Arc<Mutex<Vec<Seen>>>,
}

fn recorded<S: Sink + 'static>(sink: S) -> (AnyStage, Arc<Mutex<Vec<Seen>>>) {
    let seen = Arc::<Mutex<Vec<Seen>>>::default();
    let kept = Arc::clone(&seen);
    (AnyStage::sink(Recorded { sink, seen }), kept)
}

impl<S: Sink> Sink for Recorded<S> {
    fn device(&self) -> String {
        self.sink.device()
    }
    fn imports(&self) -> bool {
        self.sink.imports()
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        self.sink.formats()
    }
    fn caps(&mut self) -> Result<Caps, StageError> {
        self.sink.caps()
    }
    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.sink.attach(pool)
    }
    fn detach(&mut self) {
        self.sink.detach();
    }
    fn frames_held(&self) -> usize {
        self.sink.frames_held()
    }
    fn settles_within(&self) -> Option<Duration> {
        self.sink.settles_within()
    }
    fn ready(&mut self) -> Result<(), StageError> {
        self.sink.ready()
    }
    fn show(&mut self, frame: Frame) -> Result<Timestamp, StageError> {
        let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
        self.seen.lock().unwrap().push(Seen {
            number: frame.meta().sequence,
            layout: frame.layout().clone(),
            bytes: bytes.to_vec(),
        });
        drop(bytes);
        self.sink.show(frame)
    }
    fn flips(&mut self, flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        self.sink.flips(flipped)
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.sink.stop()
    }
    fn counters(&self) -> Vec<Counter> {
        self.sink.counters()
    }
}

/// Red, green and blue of a pixel of UYVY in limited range, by ITU-R BT.601 or BT.709.
fn expected(of: &Seen, (x, y): (usize, usize)) -> [f64; 3] {
    let (red, blue) = match of.layout.colour().encoding {
        Some(Encoding::Bt709) => (0.2126, 0.0722),
        _ => (0.299, 0.114),
    };
    let at = y * of.layout.planes()[0].stride as usize + x / 2 * 4;
    let [cb, first, cr, second] = [0, 1, 2, 3].map(|byte| f64::from(of.bytes[at + byte]));
    let luma = (if x % 2 == 0 { first } else { second } - 16.0) / 219.0;
    let r = luma + 2.0 * (1.0 - red) * (cr - 128.0) / 224.0;
    let b = luma + 2.0 * (1.0 - blue) * (cb - 128.0) / 224.0;
    let g = (luma - red * r - blue * b) / (1.0 - red - blue);
    [r, g, b].map(|channel| 255.0 * channel.clamp(0.0, 1.0))
}

/// The same of a pixel of XRGB8888.
fn found(made: &Seen, (x, y): (usize, usize)) -> [f64; 3] {
    let at = y * made.layout.planes()[0].stride as usize + x * 4;
    [2, 1, 0].map(|byte| f64::from(made.bytes[at + byte]))
}

fn assert_same_pictures(of_camera: &[Seen], shown: &[Seen]) {
    let mut colours: Vec<[u8; 3]> = Vec::new();
    for made in shown {
        let mut of_camera = of_camera.iter();
        let of = of_camera.find(|of| of.number == made.number).unwrap();
        assert_eq!(made.layout.format(), Format::XRGB8888);
        // An emulated processor looks at some of them.
        for at in (0..480)
            .step_by(5)
            .flat_map(|y| (0..640).step_by(7).map(move |x| (x, y)))
        {
            let (expected, found) = (expected(of, at), found(made, at));
            let same = (expected.iter().zip(found)).all(|(a, b)| (a - b).abs() <= 3.5);
            assert!(
                same,
                "{at:?} of {}: {found:?}, not {expected:?}",
                made.number
            );
            let rough = [0, 1, 2].map(|channel| u8::from(found[channel] > 128.0));
            if !colours.contains(&rough) {
                colours.push(rough);
            }
        }
    }
    assert_eq!(colours.len(), 8, "the camera shows bars of all colours");
}

#[test]
fn the_cpu_converts_where_a_pipeline_allows_it_and_no_device_does() {
    let name = "the_cpu_converts_where_a_pipeline_allows_it_and_no_device_does";
    if Board::for_test_on(&["pc"], name).is_none() {
        return;
    }
    let (buffers, files) = (DmaBufs::now(), open_files());
    let graph = |asked| {
        let config = KmsSinkConfig {
            card: Some("vkms".to_owned()),
            verify: NonZeroU32::new(1),
            ..KmsSinkConfig::default()
        };
        let (screen, shown) = recorded(KmsSink::open(config).unwrap());
        let (aside, of_camera) = recorded(NullSink::default());
        let mut graph = Builder::new();
        let camera = graph.add("camera", vivid(CAMERA.parse().unwrap(), (640, 480), 2));
        let screen = graph.add("screen", screen);
        let aside = graph.add("aside", aside);
        graph.connect(camera, screen, QueuePolicy::FIFO);
        graph.connect(camera, aside, QueuePolicy::FIFO);
        graph.set_zero_copy(asked);
        let prepared = graph.prepare(&dmaflow_heaps::registry());
        (prepared, shown, of_camera)
    };
    let (refused, ..) = graph(ZeroCopy::Require);
    let refused = refused.map(drop).unwrap_err();
    assert!(matches!(refused, PipelineError::Unsolvable(_)), "{refused}");
    let refused = refused.to_string();
    for part in ["no format in common", CAMERA, "zero-copy = \"allow\""] {
        assert!(refused.contains(part), "{part} in {refused}");
    }

    let (prepared, shown, of_camera) = graph(ZeroCopy::Allow);
    let mut pipeline = prepared.unwrap();
    let agreed = pipeline.agreement();
    assert!(!agreed.zero_copy);
    let copies: Vec<_> = agreed.copies.iter().map(|(_stage, how)| how).collect();
    assert_eq!(copies, [&format!("the CPU converts {CAMERA} to XRGB8888")]);
    let limits = Limits {
        frames: Some(FRAMES),
        ..Limits::default()
    };
    pipeline.set_audited(true);
    let report = pipeline.run(limits).unwrap();
    let audit = report.audit.as_ref().unwrap();
    assert!(!audit.is_kept(), "{audit:?}");
    let named = |finding: &Finding| finding.found.contains("converter-1");
    assert!(audit.findings.iter().any(named), "{audit:?}");
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    let shown = std::mem::take(&mut *shown.lock().unwrap());
    let of_camera = std::mem::take(&mut *of_camera.lock().unwrap());
    assert!(!shown.is_empty(), "{report:?}");
    assert_same_pictures(&of_camera, &shown);
    // What differs on the screen is an error.
    let mut counters = report.counters.iter();
    let verified = counters.find(|(_, counter)| counter.name == "verified");
    assert!(verified.unwrap().1.count > 0, "{report:?}");
    // Each frame that was converted was read in whole.
    let camera = pipeline.pools()[0].buffers().next().unwrap();
    let frame: usize = camera.iter().map(|buffer| buffer.len()).sum();
    assert_eq!(report.cpu.copied % frame as u64, 0, "{report:?}");
    assert!(report.cpu.copied >= frame as u64 * shown.len() as u64);
    drop(pipeline);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}
