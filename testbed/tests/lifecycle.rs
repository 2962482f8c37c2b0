//! Beginnings and ends, the violent ones too: nothing is left behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use dmaflow_core::time::Rate;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_pipelines::{Limits, Pipeline};
use dmaflow_testbed::{
    Board, DmaBufs, NodeMode, Run, Running, VIVID_ON_VKMS, dmaflow, dmaflow_as, eventually,
    open_files, reload_vivid, world_readable,
};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};
use nix::sys::signal::Signal;

fn arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["run"], VIVID_ON_VKMS, &["--json"], more].concat()
}

fn short_run() -> Run {
    Run::of(&mut dmaflow(&arguments(&["--frames=15"])))
}

/// Starts an endless run, and waits until the display belongs to it.
fn endless() -> Running {
    let running = Running::start(&mut dmaflow(&arguments(&[])));
    eventually("a framebuffer of dmaflow on the display", || {
        display_state().contains("allocated by = dmaflow")
    });
    running
}

/// The whole atomic state of vkms, as the kernel prints it.
fn display_state() -> String {
    let devices = fs::read_dir("/sys/kernel/debug/dri").unwrap();
    let of_vkms = devices.flatten().map(|entry| entry.path()).find(|path| {
        fs::read_to_string(path.join("name")).is_ok_and(|name| name.starts_with("vkms"))
    });
    fs::read_to_string(of_vkms.unwrap().join("state")).unwrap()
}

/// The lines of the state that say what is lit, without addresses and counters.
fn lit(state: &str) -> Vec<&str> {
    let keys = [
        "crtc=",
        "fb=",
        "enable=",
        "active=",
        "mode:",
        "crtc-pos=",
        "src-pos=",
    ];
    let said = state.lines().map(str::trim);
    said.filter(|line| keys.iter().any(|key| line.starts_with(key)))
        .collect()
}

#[test]
fn ten_runs_in_one_process_leave_nothing() {
    let Some(_board) = Board::for_test("ten_runs_in_one_process_leave_nothing") else {
        return;
    };
    let (buffers, files, display) = (DmaBufs::now(), open_files(), display_state());
    let camera = V4l2Src::open(V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        size: Some((640, 480)),
        rate: Rate::new(30, 1),
        ..V4l2SrcConfig::default()
    })
    .unwrap();
    let screen = KmsSink::open(KmsSinkConfig {
        card: Some("vkms".to_owned()),
        ..KmsSinkConfig::default()
    })
    .unwrap();
    let mut pipeline = Pipeline::link(("camera", camera), ("screen", screen))
        .prepare(&dmaflow_heaps::registry())
        .unwrap();
    let streaming = open_files();
    for _run in 0..10 {
        let limits = Limits {
            frames: Some(15),
            ..Limits::default()
        };
        let report = pipeline.run(limits).unwrap();
        assert_eq!(report.captured, 15);
        assert!(report.shown > 0);
        assert_eq!(report.unaccounted(), 0, "{report:?}");
        assert_eq!(open_files(), streaming);
        assert_eq!(lit(&display_state()), lit(&display));
    }
    drop(pipeline);
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn killed_in_the_middle() {
    let Some(_board) = Board::for_test("killed_in_the_middle") else {
        return;
    };
    let buffers = DmaBufs::now();
    let running = endless();
    assert!(DmaBufs::now().count() > buffers.count());
    running.signal(Signal::SIGKILL);
    assert_eq!(running.ended().status, None);
    buffers.assert_none_since();
    short_run().assert_went_well();
    buffers.assert_none_since();
}

#[test]
fn a_signal_stops_in_order_and_puts_the_display_back() {
    let Some(_board) = Board::for_test("a_signal_stops_in_order_and_puts_the_display_back") else {
        return;
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (buffers, display) = (DmaBufs::now(), display_state());
        let running = endless();
        assert_ne!(lit(&display_state()), lit(&display));
        running.signal(signal);
        running.ended().assert_went_well();
        assert_eq!(lit(&display_state()), lit(&display));
        buffers.assert_none_since();
    }
}

#[test]
fn the_camera_goes_away_and_comes_back() {
    let Some(_board) = Board::for_test("the_camera_goes_away_and_comes_back") else {
        return;
    };
    let (buffers, display) = (DmaBufs::now(), display_state());
    let running = endless();
    let driver = Path::new("/sys/bus/platform/drivers/vivid");
    fs::write(driver.join("unbind"), "vivid.0").unwrap();
    let run = running.ended();
    assert_eq!(run.status, Some(1), "{run:?}");
    assert!(run.messages.contains("is gone"), "{}", run.messages);
    assert_eq!(lit(&display_state()), lit(&display));
    buffers.assert_none_since();
    reload_vivid();
    short_run().assert_went_well();
    buffers.assert_none_since();
}

#[test]
fn another_program_is_master_of_the_card() {
    let Some(_board) = Board::for_test("another_program_is_master_of_the_card") else {
        return;
    };
    let buffers = DmaBufs::now();
    let running = endless();
    let second = short_run();
    assert_eq!(second.status, Some(1), "{second:?}");
    for word in ["master", "dmaflow", &running.pid().to_string()] {
        assert!(
            second.messages.contains(word),
            "{word} in {}",
            second.messages
        );
    }
    running.signal(Signal::SIGINT);
    running.ended().assert_went_well();
    buffers.assert_none_since();
}

#[test]
fn a_full_cma() {
    let Some(_board) = Board::for_test("a_full_cma") else {
        return;
    };
    let buffers = DmaBufs::now();
    let cma = dmaflow_heaps::registry()
        .open("default_cma_region")
        .unwrap();
    let mut hoard = Vec::new();
    for megabytes in [16, 4, 1] {
        hoard.extend(std::iter::from_fn(|| cma.allocate(megabytes << 20).ok()));
    }
    let run = Run::of(&mut dmaflow(&arguments(&[
        "--set=camera.heap=default_cma_region",
        "--frames=15",
    ])));
    assert_eq!(run.status, Some(1), "{run:?}");
    for word in [cma.name(), "full", "cma="] {
        assert!(run.messages.contains(word), "{word} in {}", run.messages);
    }
    drop(hoard);
    short_run().assert_went_well();
    buffers.assert_none_since();
}

#[test]
fn a_heap_node_without_permission() {
    let Some(_board) = Board::for_test("a_heap_node_without_permission") else {
        return;
    };
    let buffers = DmaBufs::now();
    let nodes = ["/dev", "/dev/dri"]
        .iter()
        .flat_map(|directory| fs::read_dir(directory).unwrap().flatten())
        .filter(|node| {
            let name = node.file_name().to_string_lossy().into_owned();
            name.starts_with("video") || name.starts_with("card")
        });
    let _everybodys: Vec<NodeMode> = nodes
        .map(|node| NodeMode::set(&node.path(), 0o666))
        .collect();
    let mut arguments = arguments(&["--set=camera.heap=system", "--frames=15"]);
    let description = world_readable(arguments[1]);
    arguments[1] = &description;
    let run = Run::of(&mut dmaflow_as(65_534, &arguments));
    assert_eq!(run.status, Some(1), "{run:?}");
    for word in [
        "`system`",
        "permission denied",
        "/dev/dma_heap/system",
        "udev",
    ] {
        assert!(run.messages.contains(word), "{word} in {}", run.messages);
    }
    buffers.assert_none_since();
}
