//! Pipelines that are controlled over their sockets, by the program and by clients that mean
//! harm.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{dmaflow, json, output};

const PIPELINE: &str = "test-src name=camera width=80 height=48 rate=200 ! null-sink name=screen \
                        camera. ! null-sink name=record queue=fifo depth=2";

/// A pipeline that runs, with its socket in a directory of its own.
struct Run {
    directory: PathBuf,
    process: Child,
}

impl Run {
    /// With more arguments of `dmaflow run`.
    fn new(name: &str, more: &[&str]) -> Self {
        Self::of(name, PIPELINE, more)
    }

    /// Of another pipeline.
    fn of(name: &str, pipeline: &str, more: &[&str]) -> Self {
        // Not below the target directory, which another user may not enter.
        let directory = std::env::temp_dir().join(format!("ctl-{name}-{}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o755).recursive(true);
        builder.create(&directory).expect("a directory");
        let process = dmaflow(&[&["run", pipeline, "--quiet", "--json"], more].concat())
            .env("XDG_RUNTIME_DIR", &directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dmaflow runs");
        let run = Self { directory, process };
        until(|| run.socket().is_some(), "the socket is there");
        run.shown();
        run
    }

    fn at(name: &str) -> (Self, String) {
        let path = std::env::temp_dir().join(format!("ctl-{name}-{}.sock", std::process::id()));
        let path = path.display().to_string();
        let run = Self::new(name, &["--control", &path]);
        (run, path)
    }

    /// The first socket that is there.
    fn socket(&self) -> Option<PathBuf> {
        let named =
            std::env::temp_dir().join(format!("{}.sock", self.directory.file_name()?.to_str()?));
        let own = fs::read_dir(self.directory.join("dmaflow")).ok();
        let mut own = own.into_iter().flatten();
        let own = own.find_map(|entry| Some(entry.ok()?.path()));
        let socket = own.or_else(|| named.exists().then_some(named))?;
        UnixStream::connect(&socket).ok().map(|_stream| socket)
    }

    /// `dmaflow ctl` that looks where this run is.
    fn ctl(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = dmaflow(&[&["ctl"], arguments].concat());
        command.env("XDG_RUNTIME_DIR", &self.directory);
        let output = command.output().expect("dmaflow runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let status = output.status.code().expect("no signal");
        (status, text(output.stdout), text(output.stderr))
    }

    /// Frames that the screen had so far.
    fn shown(&self) -> u64 {
        let socket = self.socket().expect("a socket");
        let mut shown = None;
        // Others may have all the places for a moment.
        until(
            || {
                let told = Client::new(&socket).try_ask(r#"{"do":"stats"}"#);
                shown = told["ok"]["stages"][1]["shown"].as_u64();
                shown.is_some()
            },
            "an answer",
        );
        shown.expect("a number")
    }

    /// Frames flow, as they did.
    fn flows(&self) {
        let before = self.shown();
        until(|| self.shown() > before + 20, "frames flow");
    }

    /// Ends it; its report.
    fn stop(mut self) -> Value {
        let socket = self.socket().expect("a socket");
        let stop = || Client::new(&socket).try_ask(r#"{"do":"stop"}"#);
        until(|| stop() == json(r#"{"ok":{}}"#), "it stops");
        let mut report = String::new();
        let stdout = self.process.stdout.as_mut().expect("a pipe");
        stdout.read_to_string(&mut report).expect("UTF-8");
        assert!(self.process.wait().expect("its end").success());
        assert!(!socket.exists(), "the socket is removed");
        let report = json(&report);
        assert_eq!(report["frames"]["unaccounted"], 0);
        report
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Most have ended in good order; a test that failed tells more.
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}

struct Client(BufReader<UnixStream>);

impl Client {
    fn new(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("a socket that listens");
        let longest = Some(Duration::from_secs(20));
        stream.set_read_timeout(longest).expect("a timeout");
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("a server");
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        line
    }

    /// The same where there may be no place; `null` then.
    fn try_ask(&mut self, request: &str) -> Value {
        let sent = self
            .0
            .get_mut()
            .write_all(format!("{request}\n").as_bytes());
        let mut line = String::new();
        if sent.is_err() || self.0.read_line(&mut line).is_err() {
            return Value::Null;
        }
        serde_json::from_str(&line).unwrap_or(Value::Null)
    }

    fn ask(&mut self, request: &str) -> Value {
        self.send(format!("{request}\n").as_bytes());
        json(&self.hear())
    }
}

fn until(mut holds: impl FnMut() -> bool, what: &str) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn help_teaches() {
    let (status, help, _) = output(&["ctl", "--help"]);
    assert_eq!(status, 0);
    for word in [
        "list",
        "state",
        "stats",
        "set",
        "queue",
        "select",
        "add",
        "drop",
        "snapshot",
        "graph",
        "stop",
        "Examples:",
        "Exit status",
        "XDG_RUNTIME_DIR",
    ] {
        assert!(help.contains(word), "{word} is not in\n{help}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &["ctl"][..],
        &["ctl", "set", "camera"],
        &["ctl", "set", "camera=1"],
        &["ctl", "queue", "camera", "latest"],
        &["ctl", "queue", "camera->screen", "lifo"],
        &["ctl", "add", "null-sink"],
    ] {
        let (status, stdout, stderr) = output(arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
    let (_, _, told) = output(&["ctl", "queue", "camera->screen", "lifo"]);
    assert!(told.contains("`fifo:3`"), "{told}");
}

#[test]
fn a_run_is_found_by_itself_and_changed() {
    let run = Run::new("found", &[]);
    let (status, listed, _) = run.ctl(&["list"]);
    assert_eq!(status, 0);
    assert!(listed.contains("camera screen record"), "{listed}");
    let (status, state, _) = run.ctl(&["state"]);
    assert_eq!(status, 0);
    for word in [
        "camera->record",
        "fifo of 2",
        "test source",
        "80×48",
        "0 to spare",
    ] {
        assert!(state.contains(word), "{word} is not in\n{state}");
    }
    assert_eq!(run.ctl(&["queue", "camera->record", "latest"]).0, 0);
    let state = json(&run.ctl(&["--json", "state"]).1);
    assert_eq!(state["links"][1]["queue"], "latest");
    let pid = run.process.id().to_string();
    // The program is started by env(1), which becomes it.
    assert_eq!(run.ctl(&[&pid, "drop", "camera->record"]).0, 0);
    let (status, _, told) = run.ctl(&["drop", "camera->screen"]);
    assert_eq!(status, 1);
    assert!(told.contains("last link"), "{told}");
    let (status, seen, _) = run.ctl(&["stats"]);
    assert_eq!(status, 0);
    assert!(seen.contains("camera->screen"), "{seen}");
    assert!(!seen.contains("camera->record"), "{seen}");
    let (status, drawn, _) = run.ctl(&["graph", "--svg"]);
    assert_eq!(status, 0);
    for word in ["<svg", "fps", "has ended"] {
        assert!(drawn.contains(word), "{word} is not in\n{drawn}");
    }
    let (status, _, told) = run.ctl(&["1", "state"]);
    assert_eq!(status, 1);
    assert!(told.contains("ctl list"), "{told}");
    let report = run.stop();
    assert!(report["frames"]["shown"].as_u64().expect("a number") > 100);
}

#[test]
fn sinks_come_and_go_and_pictures_are_taken() {
    let (run, socket) = Run::at("sinks");
    let picture = run.directory.join("now.png").display().to_string();
    let (status, told, _) = run.ctl(&[&socket, "snapshot", "camera", &picture]);
    assert_eq!(status, 0, "{told}");
    assert!(fs::read(&picture).expect("a file").starts_with(b"\x89PNG"));
    let pictures = run.directory.join("{n}.png").display().to_string();
    let sink = format!("picture-sink path={pictures} every=50");
    let (status, told, refused) = run.ctl(&[&socket, "add", &sink, "--from", "camera"]);
    assert_eq!(
        (status, told.as_str()),
        (0, "added picture-sink\n"),
        "{refused}"
    );
    let (status, told, _) = run.ctl(&[&socket, "add", "null-sink", "--from", "camera"]);
    assert_eq!((status, told.as_str()), (0, "added null-sink\n"));
    let (status, _, told) = run.ctl(&[&socket, "add", "null-sink", "--from", "camera"]);
    assert_eq!(status, 1);
    assert!(told.contains("too few frames"), "{told}");
    assert_eq!(run.ctl(&[&socket, "drop", "camera->picture-sink"]).0, 0);
    let again = run.ctl(&[&socket, "add", "null-sink", "--from", "camera"]);
    assert_eq!(again.1, "added null-sink-2\n", "{}", again.2);
    let (status, _, told) = run.ctl(&[&socket, "add", "picture-sink", "--from", "camera"]);
    assert_eq!(status, 1);
    assert!(told.contains("`path` is missing"), "{told}");
    run.flows();
    let report = run.stop();
    let stages = report["stages"].as_array().expect("a list");
    assert_eq!(stages.len(), 7, "{report}");
}

#[test]
fn a_sink_is_added_where_one_of_its_kind_came_with_the_pipeline_and_was_dropped() {
    let line = "test-src name=camera width=80 height=48 rate=200 ! null-sink \
                camera. ! null-sink name=record";
    let run = Run::of("kind", line, &[]);
    let (status, _, refused) = run.ctl(&["drop", "camera->null-sink"]);
    assert_eq!(status, 0, "{refused}");
    let running = || {
        let state = json(&run.ctl(&["--json", "state"]).1);
        state["stages"][1]["running"].as_bool().expect("a stage")
    };
    until(|| !running(), "the branch ends");
    let (status, told, refused) = run.ctl(&["add", "null-sink", "--from", "camera"]);
    assert_eq!(
        (status, told.as_str()),
        (0, "added null-sink-2\n"),
        "{refused}"
    );
    run.stop();
}

#[test]
fn a_watch_goes_on_while_the_pipeline_is_made_anew() {
    let path = std::env::temp_dir().join(format!("ctl-anew-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let waiting = r#"{"error":"it does not run at the moment"}"#;
    let running = r#"{"ok":{"elapsed_s":1.0,"since_s":1.0,"stages":[],"links":[]}}"#;
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let mut client = BufReader::new(stream);
        for answer in [waiting, running, waiting, waiting, running] {
            let mut request = String::new();
            client.read_line(&mut request).expect("a request");
            writeln!(client.get_mut(), "{answer}").expect("a client");
        }
    });
    let socket = path.display().to_string();
    let (status, told, said) = output(&["ctl", &socket, "--json", "stats", "--watch"]);
    server.join().expect("every answer is asked for");
    fs::remove_file(&path).expect("a socket");
    assert_eq!((status, told.lines().count()), (0, 1), "{told}");
    assert_eq!(said.matches("at the moment").count(), 2, "{said}");
}

#[test]
fn clients_that_mean_harm_do_none() {
    let (run, socket) = Run::at("harm");
    let socket = Path::new(&socket);
    let mode = fs::metadata(socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = Client::new(socket);
    for garbage in [
        "garbage",
        "{",
        "[]",
        "null",
        "\"do\"",
        "{\"do\":1}",
        "{\"do\":\"dance\"}",
        "{\"do\":\"drop\"}",
        "{\"do\":\"drop\",\"link\":\"a\"}",
        "{\"do\":\"queue\",\"link\":\"a->b\",\"queue\":\"fifo:0\"}",
        "{\"do\":\"set\",\"stage\":\"camera\",\"control\":\"x\",\"value\":[]}",
        "\u{0}\u{1}\u{2}",
    ] {
        let told = client.ask(garbage);
        assert!(told["error"].is_string(), "{garbage}: {told}");
    }
    let deep = "[".repeat(10_000);
    assert!(client.ask(&deep)["error"].is_string());
    // No UTF-8.
    client.send(b"\xff\xfe\n");
    assert!(json(&client.hear())["error"].is_string());
    // Several in one go, blank lines between them, are answered one by one.
    client.send(b"\n\n{\"do\":\"state\"}\n\n{\"do\":\"state\"}\n");
    for _answer in 0..2 {
        assert!(json(&client.hear())["ok"]["links"].is_array());
    }
    // A line without end is cut short.
    let mut endless = Client::new(socket);
    endless.send(&[b' '; 20_000]);
    let told = endless.hear();
    assert!(told.contains("16 KiB"), "{told}");
    let mut more = String::new();
    // What it sent beyond that was not read, of which it may be told.
    let heard = endless.0.read_line(&mut more);
    assert!(
        !matches!(heard, Ok(1..)),
        "and its client is let go: {more}"
    );
    drop(client);
    // Silent clients take the places there are, and no more.
    let silent: Vec<_> = (0..8)
        .map(|_client| {
            let mut place = None;
            until(
                || {
                    let mut client = Client::new(socket);
                    let is_in = client.try_ask(r#"{"do":"state"}"#)["ok"].is_object();
                    place = is_in.then_some(client);
                    is_in
                },
                "a place",
            );
            place
        })
        .collect();
    let mut ninth = Client::new(socket);
    let told = ninth.hear();
    assert!(told.contains("8 clients are connected"), "{told}");
    // One of them asks and does not read.
    drop(silent);
    until(
        || Client::new(socket).try_ask(r#"{"do":"state"}"#)["ok"].is_object(),
        "places are free again",
    );
    let mut deaf = UnixStream::connect(socket).expect("a socket that listens");
    deaf.set_write_timeout(Some(Duration::from_millis(300)))
        .expect("a timeout");
    for _request in 0..20_000 {
        // Sooner or later nobody reads.
        if deaf.write_all(b"{\"do\":\"state\"}\n").is_err() {
            break;
        }
    }
    run.flows();
    drop(deaf);
    run.stop();
}

#[test]
fn another_user_is_not_let_in() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can be somebody else");
        return;
    }
    let (run, socket) = Run::at("other");
    // Even where the file lets them.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("our file");
    let program = run.directory.join("dmaflow");
    fs::copy(env!("CARGO_BIN_EXE_dmaflow"), &program).expect("a copy");
    let asked = |uid: u32| {
        let mut command = Command::new(&program);
        command.args(["ctl", &socket, "state"]).uid(uid);
        let output = command.current_dir("/").output().expect("dmaflow runs");
        output.status.code()
    };
    assert_eq!(asked(65_534), Some(1), "nobody");
    assert_eq!(asked(0), Some(0), "root");
    run.flows();
    run.stop();
}

#[test]
fn a_dead_runs_socket_is_replaced_and_a_living_ones_is_not() {
    let (mut run, socket) = Run::at("dead");
    let (status, _, told) = output(&["run", PIPELINE, "--control", &socket, "--frames", "1"]);
    assert_eq!(status, 1);
    assert!(told.contains("another run"), "{told}");
    run.process.kill().expect("our process");
    run.process.wait().expect("its end");
    assert!(
        Path::new(&socket).exists(),
        "nobody cleans up after SIGKILL"
    );
    let again = [
        "run",
        PIPELINE,
        "--control",
        &socket,
        "--frames",
        "10",
        "--quiet",
    ];
    let (status, _, told) = output(&again);
    assert_eq!(status, 0, "{told}");
    assert!(!Path::new(&socket).exists());
    fs::write(&socket, "a file").expect("a file");
    let (status, _, told) = output(&again);
    assert_eq!(status, 1);
    assert!(told.contains("is no socket"), "{told}");
    fs::remove_file(&socket).expect("our file");
}

#[test]
fn without_a_socket_nothing_is_found() {
    let (status, _, told) = {
        let mut command = dmaflow(&["ctl", "state"]);
        command.env("XDG_RUNTIME_DIR", "/nonexistent");
        let output = command.output().expect("dmaflow runs");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), output.stdout, told)
    };
    assert_eq!(status, Some(1));
    assert!(told.contains("name the socket"), "{told}");
}
