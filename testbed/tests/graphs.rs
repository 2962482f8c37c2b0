//! Graphs on real drivers: what is put in where two ends share no format.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "graphs/copies.rs"]
mod copies;

use dmaflow_core::format::Format;
use dmaflow_core::stage::Sink;
use dmaflow_core::time::Rate;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_pipelines::{AnyStage, Builder, Limits, QueuePolicy};
use dmaflow_testbed::{Board, DmaBufs, open_files};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

fn vivid(format: Format, rate: u32) -> AnyStage {
    let config = V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(format),
        size: Some((640, 480)),
        rate: Rate::new(rate, 1),
        ..V4l2SrcConfig::default()
    };
    AnyStage::source(V4l2Src::open(config).unwrap())
}

fn vkms() -> KmsSink {
    let config = KmsSinkConfig {
        card: Some("vkms".to_owned()),
        ..KmsSinkConfig::default()
    };
    KmsSink::open(config).unwrap()
}

#[test]
fn a_converter_is_put_in_where_the_display_cannot_take_the_camera() {
    let name = "a_converter_is_put_in_where_the_display_cannot_take_the_camera";
    let Some(board) = Board::for_test(name) else {
        return;
    };
    if !board.is(&["pc"]) {
        return;
    }
    let (buffers, files) = (DmaBufs::now(), open_files());
    let taken = vkms().formats().unwrap().unwrap();
    let both = ["RGB888", "BGR888"].map(|name| name.parse::<Format>().unwrap());
    // The driver of newer kernels takes them as they are, and no converter is wanted.
    let Some(format) = both.into_iter().find(|format| !taken.contains(format)) else {
        assert!(board.kernel >= (6, 13), "{taken:?}");
        return;
    };
    let mut graph = Builder::new();
    let camera = graph.add("camera", vivid(format, 10));
    let screen = graph.add("screen", AnyStage::sink(vkms()));
    graph.connect(camera, screen, QueuePolicy::FIFO);
    let mut pipeline = graph.prepare(&dmaflow_heaps::registry()).unwrap();
    let agreed = pipeline.agreement();
    assert!(agreed.zero_copy, "{agreed:?}");
    let mut choices = agreed.choices.iter();
    let put_in = choices.find(|(_stage, choice)| choice.what == "converter");
    let (stage, put_in) = put_in.unwrap();
    let device = agreed.devices.iter().find(|(known, _)| known == stage);
    let said = format!("{:?}: {}", device.unwrap(), put_in.chosen);
    let why = [
        "vim2m",
        "put in: `camera` offers",
        "`screen` takes",
        "no format in common",
    ];
    for part in why.into_iter().chain([format.name()]) {
        assert!(said.contains(part), "{part} in {said}");
    }
    let formats: Vec<_> = (agreed.pools.iter())
        .map(|pool| pool.plan.layout.format().name())
        .collect();
    assert_eq!(formats, [format.name(), "RGB565"]);
    let limits = Limits {
        frames: Some(10),
        ..Limits::default()
    };
    let report = pipeline.run(limits).unwrap();
    assert_eq!(report.unaccounted(), 0, "{report:?}");
    assert!(report.shown > 0, "{report:?}");
    assert_eq!(report.cpu.copied, 0);
    drop(pipeline);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}
