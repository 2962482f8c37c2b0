//! The comparison of visl's traces with ffmpeg's, of traces that were kept.
//!
//! A directory, named by the environment variable `DMAFLOW_VISL_TRACES`, holds streams, and beside
//! each `NAME` what visl traced of it, `NAME.ours`, and ffmpeg's trace of headers, `NAME.trace`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it compared"
)]

#[path = "visl/av1.rs"]
mod av1;
#[path = "visl/hevc.rs"]
mod hevc;
#[path = "visl/reference.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};

use dmaflow_testbed::TracedControl;
use reference::Compared;

/// The streams with one of these endings, what ffmpeg traced of each, and what visl.
fn kept(endings: &[&str]) -> Vec<(PathBuf, PathBuf, Vec<TracedControl>)> {
    let Some(directory) = std::env::var_os("DMAFLOW_VISL_TRACES") else {
        println!("skipped: DMAFLOW_VISL_TRACES names no directory of traces");
        return Vec::new();
    };
    let files = fs::read_dir(directory).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        endings.contains(&&*ending)
    });
    paths.sort();
    assert!(!paths.is_empty(), "no streams of {endings:?}");
    let beside = |path: &Path, ending: &str| {
        let name = path.file_name().unwrap().to_string_lossy();
        path.with_file_name(format!("{name}.{ending}"))
    };
    let read = |path: PathBuf| {
        let told = fs::read_to_string(beside(&path, "ours")).unwrap();
        let trace = beside(&path, "trace");
        (path, trace, TracedControl::all_of(&told))
    };
    paths.into_iter().map(read).collect()
}

type Compare = fn(&Path, &Path, &[TracedControl]) -> Compared;
type Differences = fn(&Path, &Path, &[TracedControl]) -> (Compared, Vec<String>);

fn traces_are_what_ffmpeg_says(endings: &[&str], compare: Compare, differences: Differences) {
    for (stream, trace, told) in kept(endings) {
        let compared = compare(&stream, &trace, &told);
        assert_eq!(compared.controls, told.len());
        println!("{}: {compared:?}", stream.display());
        // Nothing is passed over: whatever is changed of a request is found.
        let last = told
            .iter()
            .rposition(|control| control.name == told[0].name);
        let last = last.unwrap();
        for (at, control) in told.iter().enumerate().skip(last) {
            for field in 0..control.fields.len() {
                let mut changed = told.clone();
                changed[at].fields[field].1.push('1');
                let (_compared, found) = differences(&stream, &trace, &changed);
                assert_eq!(found.len(), 1, "{} {field}: {found:?}", control.name);
            }
        }
        let (_compared, found) = differences(&stream, &trace, &told[..last]);
        assert!(!found.is_empty(), "a request less");
        let twice = [&told[..], &told[last..]].concat();
        let (_compared, found) = differences(&stream, &trace, &twice);
        assert!(!found.is_empty(), "a request more");
    }
}

#[test]
fn hevc_traces_are_what_ffmpeg_says() {
    traces_are_what_ffmpeg_says(&["h265"], hevc::compare, hevc::differences);
}

#[test]
fn av1_traces_are_what_ffmpeg_says() {
    traces_are_what_ffmpeg_says(&["ivf", "obu"], av1::compare, av1::differences);
}
