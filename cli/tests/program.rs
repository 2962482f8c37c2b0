//! The program as its users meet it: words, files, exit statuses.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{dmaflow, json, output};

/// A description in a directory of its own, which is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, description: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("pipeline.toml"), description).expect("a file");
        Self(directory)
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is overwritten some day; a test that failed tells more.
        fs::remove_dir_all(&self.0).ok();
    }
}

const NOTHING_SHOWN: &str = r#"
links = ["pattern -> nothing"]
[stage.pattern]
kind = "test-src"
width = 80
height = 48
rate = 100
[stage.nothing]
kind = "null-sink"
"#;

#[test]
fn help_teaches() {
    let (status, help, _) = output(&["--help"]);
    assert_eq!(status, 0);
    for word in [
        "run",
        "check",
        "decode",
        "encode",
        "record",
        "devices",
        "heaps",
        "doctor",
        "graph",
        "fmt",
        "schema",
        "completions",
        "DMAFLOW_CACHE",
        "Exit status",
        "DMAFLOW_LOG",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
    let (status, help, _) = output(&["run", "--help"]);
    assert_eq!(status, 0);
    for word in [
        "--for",
        "--frames",
        "--set",
        "zero-copy=VALUE",
        "--audit",
        "--json",
        "Examples:",
        "Ctrl-C",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &[][..],
        &["run"],
        &["rum", "file"],
        &["run", "file", "--for", "10"],
        &["run", "file", "--frames", "0"],
        &["completions", "tcl"],
        &["heaps", "probe"],
        &["heaps", "probe", "file", "--camera", "vivid"],
        &["heaps", "probe", "--camera", "vivid", "--size", "0x480"],
        &["decode"],
        &["decode", "a.mp4", "--to", "b.mp4"],
        &["record", "test-src"],
        &["encode", "a.raw", "--codec", "NV12", "-o", "a.mp4"],
    ] {
        let (status, stdout, stderr) = output(arguments);
        assert_eq!(status, 2, "{arguments:?}");
        assert_eq!(stdout, "", "{arguments:?}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
    let (_, _, stderr) = output(&["run", "file", "--for", "10"]);
    assert!(stderr.contains("`10s`"), "{stderr}");
}

#[test]
fn an_audit_follows_the_report() {
    let scratch = Scratch::new("audit", NOTHING_SHOWN);
    let file = scratch.path("pipeline.toml");
    let run = ["run", &file, "--frames=20", "--quiet", "--no-control"];
    let audited = [&run[..], &["--audit"]].concat();
    let (status, text, _) = output(&audited);
    assert_eq!(status, 0, "{text}");
    for part in [
        "Audit: ",
        "kept     buffers at `nothing`",
        "by `pattern`",
        "pattern ──▶ nothing  ",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (status, report, _) = output(&[&audited[..], &["--json"]].concat());
    assert_eq!(status, 0, "{report}");
    let report = json(&report);
    assert_eq!(report["audit"]["kept"], true);
    let pool = &report["audit"]["pools"][0];
    assert_eq!(report["audit"]["links"][0]["taken"], pool["filled"]);
    assert_eq!(pool["cpu"]["opened"], 20);
    // Nobody asked for one.
    let (_, report, _) = output(&[&run[..], &["--json"]].concat());
    let report = json(&report);
    assert!(report.get("audit").is_none());
}

const BRANCHED: &str = r#"
links = [
    "pattern -> screen",
    { from = "pattern", to = "half", queue = "fifo", depth = 2 },
    "half -> pictures",
]
[stage.pattern]
kind = "test-src"
width = 80
height = 48
[stage.half]
kind = "decimate"
every = 2
[stage.screen]
kind = "null-sink"
[stage.pictures]
kind = "picture-sink"
path = "frame-{n}.png"
"#;

#[test]
fn a_description_is_drawn() {
    let scratch = Scratch::new("graph", BRANCHED);
    let file = scratch.path("pipeline.toml");
    let (status, dot, _) = output(&["graph", &file]);
    assert_eq!(status, 0);
    assert!(dot.starts_with("digraph \"pipeline\""), "{dot}");
    assert_eq!(dot.matches(" -> ").count(), 3, "{dot}");
    assert!(dot.contains("fifo, 2 deep"), "{dot}");
    let (_, mermaid, _) = output(&["graph", &file, "--mermaid"]);
    assert!(mermaid.contains("flowchart LR"), "{mermaid}");

    for (name, begins) in [("g.svg", "<svg"), ("g.dot", "digraph"), ("g.mmd", "---")] {
        let path = scratch.path(name);
        let (status, stdout, stderr) = output(&["graph", &file, "-o", &path]);
        assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""));
        let text = fs::read_to_string(&path).expect("it was written");
        assert!(text.starts_with(begins), "{text}");
        for stage in ["pattern", "half", "screen", "pictures"] {
            assert!(text.contains(stage), "{stage} is not in\n{text}");
        }
    }
    let line = "test-src heap=memfd width=640 height=480 ! null-sink";
    let (status, planned, stderr) = output(&["graph", line, "--plan"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    for agreed in [
        "2 frames of heap memfd",
        "640×480 XRGB8888\\nlinear, stride 2560",
    ] {
        assert!(planned.contains(agreed), "{agreed} is not in\n{planned}");
    }
    let (status, _, stderr) = output(&["graph", &file, "-o", &scratch.path("g.txt")]);
    assert_eq!(status, 2);
    assert!(stderr.contains("--svg"), "{stderr}");
    assert_eq!(output(&["graph", &file, "--svg", "--dot"]).0, 2);
    assert_eq!(output(&["graph", "nowhere.toml"]).0, 2);
}

#[test]
fn every_description_of_a_board_is_accepted_offline() {
    let boards = concat!(env!("CARGO_MANIFEST_DIR"), "/../pipelines/boards");
    let mut accepted = 0;
    for entry in fs::read_dir(boards).expect("descriptions of boards") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            continue;
        }
        let ways = ["-camera", "-decode", "-hdmi"];
        let board = ways.iter().find_map(|way| name.split_once(way));
        let (board, _) = board.expect("a file is called like its board");
        let file = path.display().to_string();
        let (status, stdout, stderr) = output(&["check", &file, "--fixture", board]);
        assert_eq!(status, 0, "{name}: {stderr}");
        assert!(stdout.contains(" ──▶ screen   "), "{stdout}");
        let (_, stdout, _) = output(&["check", &file, "--fixture", board, "--json"]);
        let plan = json(&stdout);
        let shown = plan["pools"].as_array().and_then(|pools| pools.last());
        let stride = shown.and_then(|pool| pool["strides"][0].as_u64());
        assert!(stride > Some(0), "{plan}");
        accepted += 1;
    }
    assert!(accepted >= 12, "{accepted} files");
}

#[test]
fn what_a_board_cannot_do_is_refused_offline() {
    let scratch = Scratch::new(
        "offline",
        "links = [\"camera -> screen\"]\n[stage.camera]\nkind = \"v4l2-src\"\n\
         [stage.screen]\nkind = \"kms-sink\"\n",
    );
    let file = scratch.path("pipeline.toml");
    let refused = |arguments: &[&str], status: i32, says: &str| {
        let (ended, stdout, stderr) = output(&[&["check", &file], arguments].concat());
        assert_eq!((ended, stdout.as_str()), (status, ""), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    };
    refused(&["--fixture", "am62-sk"], 2, "did you mean `am62");
    refused(
        &["--fixture", "./nowhere.toml"],
        2,
        "cannot read ./nowhere.toml",
    );
    let set = |value| ["--fixture", "am62x-sk", "--set", value];
    refused(
        &set("camera.device=vivid"),
        1,
        "the board has no camera `vivid`; it has j721e-csi2rx",
    );
    refused(
        &set("camera.format=NV12"),
        1,
        "does not do NV12; it does UYVY",
    );
    refused(
        &set("camera.rate=31"),
        1,
        "does not do 31 frames a second; it does 30 15",
    );
    refused(
        &set("screen.card=vkms"),
        1,
        "the board has no display `vkms`",
    );
    refused(&set("camera.heap=system"), 1, "");
}

#[test]
fn an_unknown_log_level_is_refused() {
    let run = dmaflow(&["devices"]).env("DMAFLOW_LOG", "loud").output();
    let run = run.expect("dmaflow runs");
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("DMAFLOW_LOG=loud"));
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (status, script, _) = output(&["completions", shell]);
        assert_eq!(status, 0);
        assert!(
            script.contains("devices") && script.contains("frames"),
            "{shell}"
        );
    }
}

#[test]
fn what_was_tried_is_told_of_what_cannot_be_made_too() {
    let line = "test-src heap=nowhere ! null-sink";
    let (status, stdout, stderr) = output(&["check", line, "--explain", "--json"]);
    assert_eq!(status, 1, "{stderr}");
    let told = json(&stdout);
    let reason = told["error"].as_str().unwrap_or_default();
    assert!(reason.contains("`nowhere`"), "{stdout}");
    assert!(told["tried"].is_array(), "{stdout}");
    let (_, stdout, _) = output(&["check", line, "--json"]);
    assert!(json(&stdout).get("tried").is_none(), "{stdout}");
}

#[test]
fn a_missing_file_ends_with_2() {
    for command in ["run", "check"] {
        let (status, stdout, stderr) = output(&[command, "nowhere/pipeline.toml"]);
        assert_eq!((status, stdout.as_str()), (2, ""));
        assert!(
            stderr.starts_with("error: cannot read nowhere/pipeline.toml"),
            "{stderr}"
        );
    }
}

#[test]
fn a_wrong_description_is_pointed_at() {
    let wrong = NOTHING_SHOWN.replace("rate", "rat");
    let scratch = Scratch::new("wrong", &wrong);
    let file = scratch.path("pipeline.toml");
    let (status, stdout, stderr) = output(&["check", &file]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(stderr.contains("pipeline.toml:7:1"), "{stderr}");
    assert!(stderr.contains("did you mean `rate`?"), "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "no colours in files: {stderr}");

    let (status, stdout, _) = output(&["run", &file, "--json", "--set", "nothing.queue=lifo"]);
    assert_eq!(status, 2);
    let value = json(&stdout);
    let list = value["diagnostics"].as_array().expect("a list");
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["message"], "unknown key `rat`");
    assert_eq!(list[0]["file"], file);
    assert_eq!(
        (&list[0]["line"], &list[0]["column"]),
        (&7.into(), &1.into())
    );
    assert_eq!(list[1]["file"], "--set");
    assert_eq!(list[1]["column"], 15);
}

#[test]
fn devices_are_listed() {
    let (status, text, _) = output(&["devices"]);
    assert_eq!(status, 0);
    for title in [
        "heaps\n",
        "cameras\n",
        "converters\n",
        "codecs\n",
        "displays\n",
    ] {
        assert!(text.contains(title), "{text}");
    }
    assert!(text.contains("memfd"), "{text}");

    let (status, text, _) = output(&["devices", "codecs"]);
    assert_eq!(status, 0);
    assert!(!text.is_empty());
    let (status, text, _) = output(&["devices", "codecs", "--json"]);
    assert_eq!(status, 0);
    assert!(json(&text)["codecs"].is_array(), "{text}");
    assert_eq!(output(&["devices", "codec"]).0, 2);
    let (status, text, _) = output(&["devices", "--json"]);
    assert_eq!(status, 0);
    let value = json(&text);
    let heaps = value["heaps"].as_array().expect("a list");
    let memfd = heaps
        .iter()
        .find(|heap| heap["name"] == "memfd")
        .expect("memfd");
    assert_eq!(memfd["importable"], false);
    for list in ["cameras", "converters", "codecs", "displays"] {
        assert!(value[list].is_array(), "{text}");
    }
}

#[test]
fn a_check_tells_what_was_chosen() {
    let scratch = Scratch::new("check", NOTHING_SHOWN);
    let file = scratch.path("pipeline.toml");
    let (status, text, stderr) = output(&["check", &file]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(
        text.starts_with("pattern ──▶ nothing   80×48 XRGB8888 linear"),
        "{text}"
    );
    assert!(text.contains("memfd"), "{text}");

    let (status, text, _) = output(&["check", &file, "--json", "--set", "pattern.buffers=7"]);
    assert_eq!(status, 0);
    let value = json(&text);
    assert_eq!(value["heap"], "memfd");
    assert_eq!(value["format"], "XRGB8888");
    assert_eq!(value["buffers"], 7);
}

#[test]
fn a_line_is_as_good_as_a_file() {
    const LINE: &str = "test-src name=pattern width=80 height=48 ! null-sink name=nothing";
    let scratch = Scratch::new("line", NOTHING_SHOWN);
    let file = scratch.path("pipeline.toml");
    let (status, expected, _) = output(&["check", &file, "--set", "pattern.buffers=4"]);
    assert_eq!(status, 0);
    let (status, text, stderr) = output(&[
        "check",
        LINE,
        "--set=pattern.rate=100",
        "--set=pattern.buffers=4",
    ]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(text, expected);
    // The shell may have parted its words.
    let mut words = vec!["check", "--set=pattern.rate=100", "--set=pattern.buffers=4"];
    words.extend(LINE.split(' '));
    assert_eq!(output(&words).1, expected);

    let (status, _, stderr) = output(&["run", "videotestsrc ! autovideosink"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("here it is `test-src`"), "{stderr}");
    let (status, _, stderr) = output(&["doctor", "--set", "pattern.rate=100"]);
    assert_eq!(status, 2);
    assert!(stderr.contains("wants a description"), "{stderr}");
}

#[test]
fn descriptions_are_put_in_order() {
    let scratch = Scratch::new("fmt", "# mine\nversion=1\nlinks = [ 'a -> b' ]");
    let file = scratch.path("pipeline.toml");
    let wild = fs::read_to_string(&file).expect("the file");
    let (status, text, _) = output(&["fmt", "--check", &file]);
    assert_eq!((status, text), (1, format!("{file}\n")));
    assert_eq!(
        fs::read_to_string(&file).expect("the file"),
        wild,
        "only looked at"
    );
    assert_eq!(output(&["fmt", &file]).0, 0);
    let right = "# mine\nversion = 1\nlinks = ['a -> b']\n";
    assert_eq!(fs::read_to_string(&file).expect("the file"), right);
    assert_eq!(output(&["fmt", "--check", &file]).0, 0);
    fs::write(&file, "links = [").expect("written");
    assert_eq!(output(&["fmt", &file]).0, 2);
    assert_eq!(fs::read_to_string(&file).expect("the file"), "links = [");
}

#[test]
fn the_schema_is_json() {
    let (status, text, _) = output(&["schema"]);
    assert_eq!(status, 0);
    let kinds = &json(&text)["definitions"];
    assert_eq!(kinds["kms-sink"]["properties"]["kind"]["const"], "kms-sink");
}

#[test]
fn an_unknown_heap_ends_with_1() {
    let scratch = Scratch::new("heap", NOTHING_SHOWN);
    let file = scratch.path("pipeline.toml");
    let (status, stdout, stderr) = output(&["check", &file, "--set", "pattern.heap=hoard"]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(stderr.contains("`hoard`"), "{stderr}");
    let (status, stdout, _) = output(&["run", &file, "--json", "--set", "pattern.heap=hoard"]);
    assert_eq!(status, 1);
    let error = json(&stdout)["error"].as_str().map(str::to_owned);
    assert!(
        error.is_some_and(|error| error.contains("`hoard`")),
        "{stdout}"
    );
}

#[test]
fn every_captured_frame_is_accounted_for() {
    let scratch = Scratch::new("run", NOTHING_SHOWN);
    let file = scratch.path("pipeline.toml");
    let (status, text, stderr) = output(&["run", &file, "--frames", "30"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(text.starts_with("30 frames captured"), "{text}");
    assert!(text.contains("Bytes copied: 0."), "{text}");

    let arguments = [
        "run",
        &file,
        "--frames",
        "30",
        "--json",
        "--set",
        "nothing.queue=fifo",
    ];
    let (status, text, stderr) = output(&arguments);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let value = json(&text);
    let frames = &value["frames"];
    assert_eq!(frames["captured"], 30);
    assert_eq!(frames["unaccounted"], 0);
    let shown = frames["shown"].as_u64().expect("a number");
    assert!(shown > 0);
    assert_eq!(
        frames["dropped_by"]["superseded"], 0,
        "fifo lets nothing go"
    );
    assert_eq!(value["bytes_copied"], 0);
    assert_eq!(value["latency_us"]["capture_to_flip"]["count"], shown);
    assert!(
        value["first_flip_us"]
            .as_u64()
            .is_some_and(|micros| micros > 0)
    );
}

#[test]
fn the_command_line_says_how_long() {
    let scratch = Scratch::new("limits", &format!("{NOTHING_SHOWN}[run]\nfor = \"1h\"\n"));
    let file = scratch.path("pipeline.toml");
    let (status, text, _) = output(&["run", &file, "--for", "200ms", "--json"]);
    assert_eq!(status, 0);
    assert!(
        json(&text)["elapsed_s"]
            .as_f64()
            .is_some_and(|seconds| seconds >= 0.2)
    );
    let (status, text, _) = output(&["run", &file, "--set", "run.for=200ms", "--json"]);
    assert_eq!(status, 0);
    assert!(
        json(&text)["frames"]["captured"]
            .as_u64()
            .is_some_and(|frames| frames > 0)
    );
}

#[test]
fn pictures_are_written() {
    let scratch = Scratch::new("picture", "");
    let set = format!("picture.path={}", scratch.path("frame-{n}.png"));
    let arguments = [
        "run",
        "examples/built-in.toml",
        "--frames",
        "31",
        "--set",
        &set,
    ];
    let (status, _, stderr) = output(&arguments);
    assert_eq!(status, 0, "{stderr}");
    let pictures: Vec<_> = fs::read_dir(&scratch.0)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "png"))
        .collect();
    assert!(!pictures.is_empty());
    for picture in pictures {
        assert!(
            fs::read(picture)
                .expect("a picture")
                .starts_with(b"\x89PNG\r\n")
        );
    }
}

/// A run without an end of its own, once it has told how it goes.
fn running(file: &str, arguments: &[&str]) -> (Child, BufReader<impl Read + use<>>) {
    let mut command = dmaflow(&["run", file]);
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("dmaflow runs");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("a line");
    assert!(line.starts_with("pattern ▶ nothing   00:01"), "{line}");
    (child, stderr)
}

#[test]
fn signals_end_a_run_in_order() {
    let scratch = Scratch::new("signals", NOTHING_SHOWN);
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (child, _stderr) = running(&scratch.path("pipeline.toml"), &[]);
        let id = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        kill(id, signal).expect("it runs");
        let ended = child.wait_with_output().expect("it ends");
        assert!(ended.status.success(), "{signal}: {ended:?}");
        let report = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(report.contains("frames captured"), "{signal}: {report}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = dmaflow(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dmaflow runs");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_probe_ranks_heaps_and_remembers() {
    let scratch = Scratch::new("probe", NOTHING_SHOWN);
    let file = scratch.path("pipeline.toml");
    let probe = |cache: &str, more: &[&str]| {
        let arguments = [&["heaps", "probe", &file, "--heap=memfd"], more].concat();
        let ended = dmaflow(&arguments).env("DMAFLOW_CACHE", cache).output();
        let Output { status, stdout, .. } = ended.expect("dmaflow runs");
        assert_eq!(status.code(), Some(0));
        String::from_utf8(stdout).expect("UTF-8")
    };
    let cache = scratch.path("cache");
    let text = probe(&cache, &[]);
    assert!(text.starts_with("80×48 XRGB8888 linear"), "{text}");
    assert!(
        text.contains("1  memfd") && text.contains("accepted\n"),
        "{text}"
    );
    assert!(probe(&cache, &[]).contains("accepted, as before\n"));
    assert!(probe(&cache, &["--fresh"]).contains("accepted\n"));
    let again = json(&probe(&cache, &["--json"]));
    assert_eq!(again["best"], "memfd");
    let unasked = again["unopened"].as_array().map(Vec::len);
    assert_eq!(unasked, Some(0), "{again}");
    assert_eq!(again["probes"][0]["ranked"][0]["remembered"], true);
    // Where nothing can be kept, everything is asked.
    for nowhere in ["", "/proc/nowhere"] {
        for _again in 0..2 {
            let value = json(&probe(nowhere, &["--json"]));
            assert_eq!(value["probes"][0]["ranked"][0]["remembered"], false);
        }
    }
}
