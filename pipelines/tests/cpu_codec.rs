//! Pipelines whose frames the CPU encodes and decodes, which they have to allow.

#![cfg(feature = "cpu-h264")]

use std::num::NonZeroUsize;

use dmaflow_codecs::{CpuCodec, CpuCodecKind};
use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::audit::Verdict;
use dmaflow_pipelines::{
    AnyStage, Builder, Limits, Pipeline, PipelineError, QueuePolicy, ZeroCopy,
};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

const FRAMES: u64 = 100;

/// A camera, an encoder, a decoder, and a display that shows nothing.
fn there_and_back(asked: ZeroCopy) -> Result<Pipeline, PipelineError> {
    let mut graph = Builder::new();
    let camera = TestSrc::new(TestSrcConfig {
        format: Format::NV12,
        width: 96,
        height: 64,
        rate: None,
        frames: Some(FRAMES),
    });
    let codec = |kind| AnyStage::transform(CpuCodec::new(kind));
    let camera = graph.add("camera", AnyStage::source(camera));
    let encoder = graph.add("encoder", codec(CpuCodecKind::H264Encoder));
    let decoder = graph.add("decoder", codec(CpuCodecKind::H264Decoder));
    let display = graph.add("display", AnyStage::sink(NullSink::default()));
    let every_frame = QueuePolicy::Block {
        depth: NonZeroUsize::MIN,
    };
    graph.connect(camera, encoder, every_frame);
    graph.connect(encoder, decoder, every_frame);
    graph.connect(decoder, display, every_frame);
    graph.set_zero_copy(asked);
    graph.prepare(&dmaflow_heaps::registry())
}

#[test]
fn every_frame_comes_through_both_and_their_bytes_are_counted() {
    let mut pipeline = there_and_back(ZeroCopy::Allow).unwrap();
    let copies = &pipeline.agreement().copies;
    let told: Vec<_> = copies
        .iter()
        .map(|(stage, how)| format!("{stage}: {how}"))
        .collect();
    assert_eq!(told[0], "encoder: the CPU makes H264 of NV12");
    assert!(told[1].starts_with("decoder: the CPU makes "), "{told:?}");
    pipeline.set_audited(true);
    for _run in 0..2 {
        let report = pipeline.run(Limits::default()).unwrap();
        assert_eq!(
            (report.captured, report.shown, report.unaccounted()),
            (FRAMES, FRAMES, 0)
        );
        // What either read: all of the buffers that it was given.
        let read = |pool: &FramePool| {
            let buffer = pool.buffers().next().unwrap();
            FRAMES * buffer[0].len() as u64
        };
        let [pictures, stream] = [0, 1].map(|pool: usize| read(&pipeline.pools()[pool]));
        let sum = pictures + stream;
        assert_eq!(report.cpu.copied, sum);
        // An audit holds a pipeline to what it would promise without the leave, and says who.
        let findings = report.audit.unwrap().findings;
        let mut copied = findings.iter().filter(|found| found.what == "bytes copied");
        let copied = copied.next().unwrap();
        assert_eq!(copied.verdict, Verdict::Broken);
        let expected = format!("{sum}: {pictures} by `encoder`, {stream} by `decoder`");
        assert_eq!(copied.found, expected);
        let free = |pool: &FramePool| pool.free() == pool.len();
        assert!(pipeline.pools().iter().all(free));
    }
}

#[test]
fn nothing_is_encoded_by_the_cpu_unless_that_is_allowed() {
    let refused = there_and_back(ZeroCopy::default()).map(drop).unwrap_err();
    let why = refused.to_string();
    assert!(
        why.starts_with("stage `encoder` copies: the CPU H.264 encoder does"),
        "{why}"
    );
}
