//! Files as ends of pipelines: `decode`, `encode` and `record`, as far as they need no device.

mod support;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::Stdio;
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
