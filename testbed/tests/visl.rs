//! What a stateless decoder is told, in the kernel's own words: visl decodes nothing, and traces
//! every control of every request. Streams are those that `cargo xtask streams` makes.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it compared"
)]

#[path = "visl/av1.rs"]
mod av1;
#[path = "visl/gstreamer.rs"]
mod gstreamer;
#[path = "visl/hevc.rs"]
mod hevc;
#[path = "visl/reference.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};

use dmaflow_testbed::{Board, ControlTrace, DmaBufs, Modules, Run, TracedControl, dmaflow};

/// The most differences that are told of a stream.
const TOLD: usize = 20;

/// The streams with this ending, where the environment says they are.
fn streams(ending: &str) -> Vec<PathBuf> {
    let directory = std::env::var_os("DMAFLOW_STREAMS");
    let directory = directory.expect("DMAFLOW_STREAMS names what `cargo xtask streams` made");
    let files = fs::read_dir(directory).unwrap();
    let mut streams: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    streams.retain(|path| path.extension().is_some_and(|found| found == ending));
    streams.sort();
    assert!(!streams.is_empty(), "no streams of {ending}");
    streams
}

/// Has visl decode a stream, and tells what it was told.
fn decode(trace: &mut ControlTrace, stream: &Path, options: &str) -> Vec<TracedControl> {
    let run = format!(
        "file-src path={} paced=false ! v4l2-decode device=visl {options} ! null-sink queue=block",
        stream.display()
    );
    trace.take().unwrap();
    let run = Run::of(&mut dmaflow(&["run", &run, "--json"]));
    run.assert_went_well();
    for counter in ["damaged", "spoiled", "unreadable", "refused"] {
        let found = run.number(&format!("/counters/v4l2-decode/{counter}"));
        assert_eq!(found, 0, "{counter} of {}", stream.display());
    }
    let told = trace.take().unwrap();
    assert!(
        !told.is_empty(),
        "nothing was traced of {}",
        stream.display()
    );
    told
}

/// The controls that came with each request: the first of them begins it.
fn requests(told: &[TracedControl]) -> Vec<&[TracedControl]> {
    let Some(first) = told.first() else {
        return Vec::new();
    };
    let begins = told
        .iter()
        .enumerate()
        .filter(|(_at, control)| control.name == first.name);
    let begins: Vec<_> = begins.map(|(at, _control)| at).collect();
    let ends = begins.iter().skip(1).copied().chain([told.len()]);
    begins
        .iter()
        .zip(ends)
        .map(|(&begin, end)| &told[begin..end])
        .collect()
}

/// Compares what both were told, and says how many fields that were.
fn compare(stream: &Path, ours: &[&[TracedControl]], peers: &[&[TracedControl]]) -> usize {
    assert_eq!(ours.len(), peers.len(), "requests of {}", stream.display());
    let mut fields = 0;
    let mut differences = Vec::new();
    for (at, (ours, peers)) in ours.iter().zip(peers).enumerate() {
        let names = |told: &[TracedControl]| -> Vec<String> {
            told.iter().map(|control| control.name.clone()).collect()
        };
        assert_eq!(
            names(ours),
            names(peers),
            "request {at} of {}",
            stream.display()
        );
        for (our, peers) in ours.iter().zip(*peers) {
            assert_eq!(our.fields.len(), peers.fields.len(), "{}", our.name);
            for ((field, our_value), (_field, peers_value)) in our.fields.iter().zip(&peers.fields)
            {
                fields += 1;
                if !gstreamer::agrees(ours, &our.name, field, our_value, peers_value) {
                    differences.push(format!(
                        "request {at}, {} {field}: {our_value}, and GStreamer has {peers_value}",
                        our.name
                    ));
                }
            }
        }
    }
    let count = differences.len();
    differences.truncate(TOLD);
    assert!(
        differences.is_empty(),
        "{}: {count} of {fields} fields differ:\n{}",
        stream.display(),
        differences.join("\n")
    );
    fields
}

/// Requests that the kernel has; `None` where it does not count them, before 7.0.
fn kept_requests() -> Option<u64> {
    let media = fs::read_dir("/sys/kernel/debug/media").ok()?;
    let counts = media.flatten().filter_map(|media| {
        let text = fs::read_to_string(media.path().join("requests")).ok()?;
        let counts = text
            .lines()
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Some(counts.sum::<u64>())
    });
    counts.reduce(|sum, count| sum + count)
}

/// What GStreamer's decoder for these streams tells the driver is what ours does, but for what is
/// known of it.
fn as_gstreamer_has_it(name: &str, ending: &str, options: &str) {
    let Some(_board) = Board::for_test_on(&["rockchip"], name) else {
        return;
    };
    let buffers = DmaBufs::now();
    let modules = Modules::load(&["visl"]);
    let mut trace = ControlTrace::begin().unwrap();
    for stream in streams(ending) {
        let file = stream.file_name().unwrap().display();
        if gstreamer::NOT_TAKEN.contains(&&*file.to_string()) {
            println!("{file}: not taken by GStreamer");
            continue;
        }
        let ours = decode(&mut trace, &stream, options);
        gstreamer::decode(&stream);
        let peers = trace.take().unwrap();
        let (ours, peers) = (requests(&ours), requests(&peers));
        let fields = compare(&stream, &ours, &peers);
        println!("{file}: {} requests, {fields} fields", ours.len());
        within_bounds(&stream, &ours);
    }
    drop(trace);
    println!("requests kept: {:?}", kept_requests());
    assert!(kept_requests().is_none_or(|kept| kept == 0));
    buffers.assert_none_since();
    drop(modules);
}

/// No more references than the stream says that it needs.
fn within_bounds(stream: &Path, requests: &[&[TracedControl]]) {
    for request in requests {
        let number = |field: &str| -> Option<usize> {
            let mut found = request.iter().filter_map(|control| control.value(field));
            found.next().and_then(|value| value.parse().ok())
        };
        let valid = |control: &&TracedControl| {
            control.name.starts_with("v4l2_h264_dpb_entry")
                && control
                    .value("flags")
                    .is_some_and(|flags| flags.contains("VALID"))
        };
        let kept = request.iter().filter(valid).count();
        if let Some(most) = number("max_num_ref_frames") {
            assert!(kept <= most, "{}: {kept} of {most}", stream.display());
        }
    }
}

#[test]
fn h264_by_slices_is_told_as_gstreamer_tells_it() {
    as_gstreamer_has_it(
        "h264_by_slices_is_told_as_gstreamer_tells_it",
        "h264",
        "controls={\"H264 Decode Mode\"=\"Slice-Based\"}",
    );
}

#[test]
fn h264_by_pictures_is_told_as_by_slices() {
    let name = "h264_by_pictures_is_told_as_by_slices";
    let Some(_board) = Board::for_test_on(&["rockchip"], name) else {
        return;
    };
    let modules = Modules::load(&["visl"]);
    let mut trace = ControlTrace::begin().unwrap();
    for stream in streams("h264") {
        let by_slices = "controls={\"H264 Decode Mode\"=\"Slice-Based\"}";
        let by_slices = decode(&mut trace, &stream, by_slices);
        let by_pictures = decode(&mut trace, &stream, "");
        let begins = |request: &&[TracedControl]| {
            let mut told = request.iter();
            told.any(|control| control.value("first_mb_in_slice") == Some("0"))
        };
        // What is of a slice is not set where pictures are told.
        let of_pictures = |request: &[TracedControl]| -> Vec<TracedControl> {
            let of_slices = ["slice_params", "pred_weights", "ref_pic_list"];
            let told = request.iter();
            told.filter(|control| !of_slices.iter().any(|name| control.name.contains(name)))
                .cloned()
                .collect()
        };
        let expected: Vec<_> = requests(&by_slices)
            .into_iter()
            .filter(begins)
            .map(of_pictures)
            .collect();
        let found: Vec<_> = requests(&by_pictures)
            .into_iter()
            .map(of_pictures)
            .collect();
        assert!(found == expected, "{}", stream.display());
        println!("{}: {} pictures", stream.display(), found.len());
    }
    drop(trace);
    drop(modules);
}

#[test]
fn vp8_and_vp9_are_told_as_gstreamer_tells_them() {
    as_gstreamer_has_it("vp8_and_vp9_are_told_as_gstreamer_tells_them", "ivf", "");
}

#[test]
fn mpeg2_is_told_as_gstreamer_tells_it() {
    as_gstreamer_has_it("mpeg2_is_told_as_gstreamer_tells_it", "m2v", "");
}

/// What visl is told of streams is what follows from ffmpeg's trace of their headers.
fn as_ffmpeg_has_it(
    name: &str,
    ending: &str,
    compare: fn(&Path, &Path, &[TracedControl]) -> reference::Compared,
) {
    let Some(_board) = Board::for_test_on(&["rockchip"], name) else {
        return;
    };
    let buffers = DmaBufs::now();
    let modules = Modules::load(&["visl"]);
    let mut trace = ControlTrace::begin().unwrap();
    for stream in streams(ending) {
        let told = decode(&mut trace, &stream, "");
        let headers = stream.with_extension(format!("{ending}.trace"));
        let compared = compare(&stream, &headers, &told);
        println!("{}: {compared:?}", stream.file_name().unwrap().display());
    }
    drop(trace);
    assert!(kept_requests().is_none_or(|kept| kept == 0));
    buffers.assert_none_since();
    drop(modules);
}

#[test]
fn hevc_is_told_as_follows_from_ffmpegs_trace() {
    as_ffmpeg_has_it(
        "hevc_is_told_as_follows_from_ffmpegs_trace",
        "h265",
        hevc::compare,
    );
}

#[test]
fn av1_is_told_as_follows_from_ffmpegs_trace() {
    as_ffmpeg_has_it(
        "av1_is_told_as_follows_from_ffmpegs_trace",
        "obu",
        av1::compare,
    );
}
