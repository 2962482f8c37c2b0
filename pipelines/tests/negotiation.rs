//! Pipelines of stages on paper: what is agreed on with devices, and what the pools then are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "negotiation/paper.rs"]
mod paper;

use std::collections::BTreeSet;

use dmaflow_core::caps::{Cap, Caps, MemoryNeeds, Set, Split};
use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;
use dmaflow_pipelines::{
    AnyStage, Builder, HeapRequest, Pipeline, PipelineError, PoolRequest, QueuePolicy,
};

use paper::{Camera, Scaler, Screen, TwoPlanes};

/// These stages, each linked to the next.
fn chain(stages: Vec<(&str, AnyStage)>) -> Result<Pipeline, PipelineError> {
    let mut graph = Builder::new();
    let stages = stages.into_iter();
    let stages: Vec<_> = stages.map(|(name, stage)| graph.add(name, stage)).collect();
    for pair in stages.windows(2) {
        graph.connect(pair[0], pair[1], QueuePolicy::Latest);
    }
    graph.prepare(&dmaflow_heaps::registry())
}

fn packed(format: Format, width: u32, height: u32) -> Layout {
    Layout::packed(format, width, height).unwrap()
}

fn screen(caps: impl Into<Caps>) -> AnyStage {
    AnyStage::sink(Screen(caps.into()))
}

fn camera(layouts: Vec<Layout>) -> AnyStage {
    AnyStage::source(Camera(layouts))
}

#[test]
fn a_transform_that_was_asked_for_a_size_scales() {
    let scaled = |size| {
        chain(vec![
            ("camera", camera(vec![packed(Format::XRGB8888, 640, 480)])),
            ("scaler", AnyStage::transform(Scaler(size))),
            ("screen", screen(Caps::any())),
        ])
    };
    let pipeline = scaled((720, 540)).unwrap();
    let layouts = pipeline.pools().iter().map(|pool| pool.layout());
    let sizes: Vec<_> = layouts.map(|of| (of.width(), of.height())).collect();
    assert_eq!(sizes, [(640, 480), (720, 540)]);
    // How far, it tells itself.
    let error = scaled((1920, 540)).map(drop).unwrap_err().to_string();
    assert!(error.contains("it does not scale so far"), "{error}");
}

#[test]
fn a_camera_with_a_buffer_a_plane_is_agreed_on() {
    let apart = Layout::with_buffers(Format::NV12, 1280, 720, &[1280, 1280]).unwrap();
    let pipeline = chain(vec![
        ("camera", camera(vec![apart.clone()])),
        ("screen", screen(Caps::any())),
    ]);
    assert_eq!(*pipeline.unwrap().pool().layout(), apart);
    let together = Cap {
        split: Set::only(Split::Together),
        ..Cap::any()
    };
    let refused = chain(vec![
        ("camera", camera(vec![apart])),
        ("screen", screen(together)),
    ]);
    let error = refused.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("1280 + 1280, 2 buffers, 1382400 bytes instead"),
        "{error}"
    );
}

#[test]
fn a_mixer_refuses_what_does_not_go_together_and_nothing_else() {
    let (rgb, yuv) = (
        packed(Format::XRGB8888, 64, 48),
        packed(Format::NV12, 64, 48),
    );
    let shown = |first: Vec<Layout>, second: Vec<Layout>| {
        let mut graph = Builder::new();
        let first = graph.add("first", camera(first));
        let second = graph.add("second", camera(second));
        let mixer = graph.add("mixer", AnyStage::mixer(TwoPlanes::default()));
        graph.connect(first, mixer.input(0), QueuePolicy::Latest);
        graph.connect(second, mixer.input(1), QueuePolicy::Latest);
        graph.prepare(&dmaflow_heaps::registry())
    };
    let both = || vec![rgb.clone(), yuv.clone()];
    for (first, second) in [(both(), vec![rgb.clone()]), (vec![rgb.clone()], both())] {
        let pipeline = shown(first, second).unwrap();
        let layouts = pipeline.pools().iter().map(|pool| pool.layout().format());
        let formats: BTreeSet<_> = layouts.map(Format::name).collect();
        assert_eq!(formats, ["NV12", "XRGB8888"].into());
    }
    let refused = shown(vec![rgb.clone()], vec![rgb.clone()]);
    let error = refused.map(drop).unwrap_err().to_string();
    assert!(error.contains("too few planes"), "{error}");
}

#[test]
fn a_heap_that_cannot_be_opened_is_no_reason_where_another_is() {
    let refused = |takes: Cap, heaps: [&str; 2]| {
        let mut graph = Builder::new();
        let layout = packed(Format::YUYV, 64, 48);
        let camera = graph.add("camera", camera(vec![layout]));
        let screen = graph.add("screen", screen(takes));
        graph.connect(camera, screen, QueuePolicy::Latest);
        let heaps = HeapRequest::Names(heaps.map(str::to_owned).to_vec());
        let request = PoolRequest {
            heaps,
            ..PoolRequest::default()
        };
        graph.set_pool(camera, request);
        let prepared = graph.prepare(&dmaflow_heaps::registry()).map(drop);
        prepared.unwrap_err().to_string()
    };
    let bayer = Cap {
        formats: Set::only("SRGGB8".parse().unwrap()),
        ..Cap::any()
    };
    let error = refused(bayer, ["absent", "memfd"]);
    assert!(error.contains("no format in common"), "{error}");
    assert!(!error.contains("absent"), "{error}");
    let imports = Cap {
        memory: MemoryNeeds::DEVICE,
        ..Cap::any()
    };
    let error = refused(imports, ["absent", "memfd"]);
    let first = error.find("devices cannot import it").unwrap();
    let then = error.find("heap `absent`: ").unwrap();
    assert!(first < then, "{error}");
}
