//! Files as ends of pipelines: `decode`, `encode` and `record`, as far as they need no device.

mod support;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{dmaflow, json, output};

/// A directory of a test's own, which is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("files-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        Self(directory)
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.0.join(file)).expect("it was written")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is overwritten some day; a test that failed tells more.
        fs::remove_dir_all(&self.0).ok();
    }
}

const PATTERN: &str = "test-src heap=memfd width=80 height=48 rate=200";
const PICTURE: usize = 80 * 48 * 4;

#[test]
fn help_teaches() {
    for (command, words) in [
        ("decode", ["--to", "--device", "--paced", "--frames"]),
        ("encode", ["--codec", "--control", "--size", "--output"]),
        ("record", ["--from", "--for", "--control", "Ctrl-C"]),
    ] {
        let (status, help, _) = output(&[command, "--help"]);
        assert_eq!(status, 0);
        for word in words
            .into_iter()
            .chain(["Examples:", "devices codecs", "--json"])
        {
            assert!(help.contains(word), "{word} is not in\n{help}");
        }
    }
}

#[test]
fn what_is_recorded_is_decoded_as_it_was() {
    let scratch = Scratch::new("recorded");
    let (first, second) = (scratch.path("a.raw"), scratch.path("b.raw"));
    let record = ["record", PATTERN, "-o", &first, "--frames=20", "--json"];
    let (status, report, stderr) = output(&record);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let report = json(&report);
    assert_eq!(report["counters"]["recording"]["written"], 20, "{report}");
    assert_eq!(scratch.read("a.raw").len(), 20 * PICTURE);
    let (status, report, stderr) = output(&["decode", &first, "--to", &second, "--json"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(json(&report)["frames"]["shown"], 20);
    assert!(scratch.read("a.raw") == scratch.read("b.raw"));
    // A file that is there is written anew.
    let (status, _, stderr) = output(&["encode", &first, "-o", &second, "--frames=3", "-q"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(scratch.read("b.raw") == scratch.read("a.raw")[..3 * PICTURE]);
    let picture = scratch.path("first.png");
    let (status, _, stderr) = output(&["decode", &first, "--to", &picture, "--frames=1", "-q"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(scratch.read("first.png").starts_with(b"\x89PNG"));
}

#[test]
fn a_signal_ends_a_recording_as_a_whole_file() {
    let scratch = Scratch::new("signal");
    let path = scratch.path("a.raw");
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = dmaflow(&["record", PATTERN, "-o", &path, "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let began = Instant::now();
        while fs::metadata(&path).map_or(0, |found| found.len()) < 5 * PICTURE as u64 {
            assert!(began.elapsed() < Duration::from_secs(30), "nothing came");
            thread::sleep(Duration::from_millis(10));
        }
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process"));
        kill(pid, signal).expect("it runs");
        let mut text = String::new();
        let mut stdout = child.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut text).expect("a report");
        assert_eq!(child.wait().expect("an end").code(), Some(0));
        let report = json(&text);
        let written = report["counters"]["recording"]["written"].as_u64();
        let pictures = scratch.read("a.raw").len() / PICTURE;
        assert_eq!(written, Some(pictures as u64), "{report}");
        fs::remove_file(&path).expect("it is there");
    }
}

#[test]
fn a_recording_goes_on_in_the_next_file() {
    let scratch = Scratch::new("rotated");
    let path = scratch.path("a.raw");
    let record = ["record", PATTERN, "-o", &path, "--frames=100", "--json"];
    let rotated = [&record[..], &["--rotate-time=200ms"]].concat();
    for files in [3, 6] {
        let (status, report, stderr) = output(&rotated);
        assert_eq!((status, stderr.as_str()), (0, ""));
        let counters = &json(&report)["counters"]["recording"];
        assert_eq!(counters["written"], 100, "{counters}");
        // Half a second, by the stamps of the source.
        assert_eq!(counters["files"], 3, "{counters}");
        let name = |number| format!("a-{number:05}.raw");
        let pictures = |number| scratch.read(&name(number)).len() / PICTURE;
        let all: usize = (files - 2..=files).map(pictures).sum();
        assert_eq!(all, 100);
        assert!(!PathBuf::from(scratch.path(&name(files + 1))).exists());
    }
    let (status, _, stderr) = output(&[&record[..], &["--fragment=2s"]].concat());
    assert_eq!(status, 1);
    assert!(stderr.contains("no fragments"), "{stderr}");
    assert_eq!(
        output(&[&record[..], &["--before-size=1MiB"]].concat()).0,
        2
    );
}

#[test]
fn a_recording_that_waits_begins_when_it_is_told() {
    let scratch = Scratch::new("waits");
    let path = scratch.path("a.raw");
    let child = dmaflow(&[
        "record",
        PATTERN,
        "-o",
        &path,
        "--before=100ms",
        "--for=20s",
        "--json",
    ])
    .env("XDG_RUNTIME_DIR", &scratch.0)
    .stdout(Stdio::piped())
    .spawn()
    .expect("the program");
    let pid = child.id().to_string();
    let ctl = |words: &[&str]| {
        let told = dmaflow(&[&["ctl", &pid][..], words].concat())
            .env("XDG_RUNTIME_DIR", &scratch.0)
            .output();
        told.expect("the program").status.success()
    };
    let began = Instant::now();
    while !ctl(&["set", "recording.record=true"]) {
        assert!(began.elapsed() < Duration::from_secs(15), "nobody listens");
        thread::sleep(Duration::from_millis(50));
    }
    let first = scratch.path("a-00001.raw");
    while fs::metadata(&first).map_or(0, |found| found.len()) < 30 * PICTURE as u64 {
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "nothing is written"
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert!(ctl(&["stop"]));
    let ended = child.wait_with_output().expect("an end");
    assert!(ended.status.success());
    let report = json(&String::from_utf8(ended.stdout).expect("UTF-8"));
    assert_eq!(report["counters"]["recording"]["files"], 1, "{report}");
    assert!(!PathBuf::from(path).exists());
}

/// A file that may not become longer stands for a disk that is full.
#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let scratch = Scratch::new("full");
    let path = scratch.path("a.raw");
    let limited = |words: &[&str]| {
        let program = env!("CARGO_BIN_EXE_dmaflow");
        // Of 1 KiB each.
        let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"";
        let run = Command::new("bash")
            .args(["-c", script, program])
            .args(words)
            .env("DMAFLOW_CACHE", "")
            .output();
        let run = run.expect("bash");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (run.status.code(), text(run.stdout), text(run.stderr))
    };
    let shown = format!("{PATTERN} ! null-sink");
    let record = ["record", &shown, "-o", &path, "--frames=60", "--json"];
    let (status, report, stderr) = limited(&record);
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("the other stages went on"), "{stderr}");
    let report = json(&report);
    assert_eq!(report["frames"]["unaccounted"], 0, "{report}");
    let written = &report["counters"]["recording"]["written"];
    assert_eq!(*written, 100 * 1024 / PICTURE, "{report}");
    for stage in report["stages"].as_array().expect("stages") {
        let failure = stage["failure"].as_str();
        match stage["stage"].as_str() {
            Some("recording") => {
                assert!(
                    failure.is_some_and(|told| told.contains("plays up to")),
                    "{stage}"
                );
            }
            Some("null-sink") => assert_eq!((&stage["shown"], failure), (&60.into(), None)),
            _ => assert_eq!(failure, None),
        }
    }
    // What is there plays.
    let (status, played, stderr) = output(&["decode", &path, "--to", "null", "--json"]);
    assert_eq!(status, 0);
    assert!(stderr.contains("not whole"), "{stderr}");
    assert_eq!(json(&played)["frames"]["shown"], 100 * 1024 / PICTURE);
    // Alone it is all there is.
    let (status, _, stderr) = limited(&["record", PATTERN, "-o", &path, "--frames=60", "-q"]);
    assert_eq!(status, Some(1));
    assert!(!stderr.contains("went on"), "{stderr}");
}

#[test]
fn what_cannot_be_is_told_before_anything_is_written() {
    let scratch = Scratch::new("refused");
    let path = scratch.path("a.raw");
    assert_eq!(
        output(&["record", PATTERN, "-o", &path, "--frames=2", "-q"]).0,
        0
    );
    let whole = scratch.read("a.raw");
    let nowhere = scratch.path("nowhere/a.raw");
    let nameless = scratch.path("a");
    let y4m = scratch.path("a.y4m");
    let mp4 = scratch.path("a.mp4");
    fs::write(scratch.path("junk.mp4"), "junk").expect("a file");
    let junk = scratch.path("junk.mp4");
    for (arguments, status, words) in [
        (&["encode", &path, "-o", &path][..], 2, "what `file` reads"),
        (&["decode", &path, "--to", &path], 2, "what `file` reads"),
        (
            &["record", PATTERN, "-o", &nowhere],
            2,
            "there is no folder",
        ),
        (&["record", PATTERN, "-o", &nameless], 2, "by its name"),
        (&["record", PATTERN, "-o", &y4m], 1, "no format in common"),
        (&["decode", &nowhere], 2, "No such file"),
        (&["decode", &junk], 1, "byte 0"),
        (
            &["decode", &path, "--device", "hantro"],
            2,
            "leave --device",
        ),
        (&["encode", &path, "-o", &mp4], 1, "there is no encoder"),
        (
            &["record", "test-src ! v4l2-encode", "-o", &y4m],
            2,
            "makes a stream",
        ),
    ] {
        let (ended, stdout, stderr) = output(arguments);
        assert_eq!(
            (ended, stdout.as_str()),
            (status, ""),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
        let (ended, stdout, _) = output(&[arguments, &["--json"]].concat());
        assert_eq!(ended, status, "{arguments:?}");
        let error = json(&stdout)["error"].as_str().map(str::to_owned);
        assert!(error.is_some_and(|error| error.contains(words)), "{stdout}");
    }
    assert!(scratch.read("a.raw") == whole);
    assert!(!PathBuf::from(y4m).exists() && !PathBuf::from(mp4).exists());
}
