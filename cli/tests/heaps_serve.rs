//! `dmaflow heaps serve` as its users meet it: files, nodes, signals, sockets from systemd.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use dmaflow_core::heap::{Account, Heap};
use dmaflow_heaps::OpenHeap;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use nix::unistd::Pid;
use serde_json::Value;

/// A directory with a file that lends memfds, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("dmaflow-serve-{}-{name}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let nodes = directory.join("nodes");
        let text = format!(
            "directory = \"{}\"\n\
             [heap.camera]\n\
             from = \"memfd\"\n\
             mode = \"0600\"\n\
             budget = \"1MiB\"\n\
             [heap.camera.quota]\n\
             per-uid = \"64KiB\"\n\
             buffers = 9\n",
            nodes.display()
        );
        fs::write(directory.join("heaps.toml"), text).unwrap();
        Self(directory)
    }

    fn file(&self) -> String {
        self.0.join("heaps.toml").to_str().unwrap().to_owned()
    }

    fn node(&self) -> PathBuf {
        self.0.join("nodes/camera")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn serve(arguments: &[&str]) -> Command {
    // Tests may run where signals are ignored, as in the background; the program does not.
    let mut command = Command::new("env");
    command.args(["--default-signal", env!("CARGO_BIN_EXE_dmaflow")]);
    command.args(["heaps", "serve"]).args(arguments);
    command
        .env_remove("DMAFLOW_LOG")
        .env_remove("NOTIFY_SOCKET");
    command
}

fn ended(mut command: Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A server that does not outlive its test.
struct Server(Child);

impl Server {
    /// Starts one and waits until it says what it serves.
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        said.read_line(&mut line).unwrap();
        assert!(line.contains("camera"), "{line}");
        child.stderr = Some(said.into_inner());
        Self(child)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
    }

    fn ends(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn lends(node: &Path) {
    let heap = Heap::open(node).unwrap();
    assert_eq!(heap.name(), "camera");
    let held = heap.allocate(64 << 10).unwrap();
    let error = heap.allocate(1).unwrap_err().to_string();
    assert!(error.contains("`user"), "{error}");
    drop(held);
    assert!(heap.allocate(64 << 10).is_ok());
}

#[test]
fn a_probe_asks_about_the_node_that_a_description_names() {
    let scratch = Scratch::new("probe");
    let _server = Server::start(serve(&[&scratch.file()]));
    let file = scratch.0.join("pipeline.toml");
    let description = format!(
        "links = [\"a -> b\"]\n[stage.a]\nkind = \"test-src\"\nwidth = 80\nheight = 48\n\
         buffers = 2\nheap = \"{}\"\n[stage.b]\nkind = \"null-sink\"\n",
        scratch.node().display()
    );
    fs::write(&file, description).unwrap();
    let mut probe = Command::new(env!("CARGO_BIN_EXE_dmaflow"));
    probe.args(["heaps", "probe", "--json"]).arg(&file);
    probe.env("DMAFLOW_CACHE", "").env_remove("DMAFLOW_LOG");
    let (status, text, said) = ended(probe);
    assert_eq!((status, said.as_str()), (Some(0), ""), "{text}");
    let json: Value = serde_json::from_str(&text).unwrap();
    let ranked = json["probes"][0]["ranked"].as_array().unwrap();
    let ours = ranked.iter().find(|verdict| verdict["heap"] == "camera");
    assert_eq!(ours.unwrap()["accepted"], true, "{text}");
}

#[test]
fn what_is_lent_is_told_by_user_client_and_pipeline() {
    let scratch = Scratch::new("stat");
    let _server = Server::start(serve(&[&scratch.file()]));
    let heap = Heap::open(scratch.node()).unwrap();
    let held = heap.for_account(&Account::new("left eye")).allocate(4096);
    let nodes = scratch.0.join("nodes").display().to_string();
    let stat = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmaflow"));
        command
            .args(["heaps", "stat", "--served", &nodes])
            .args(more);
        ended(command)
    };
    let (status, text, _) = stat(&["--json"]);
    assert_eq!(status, Some(0));
    let json: Value = serde_json::from_str(&text).unwrap();
    let figures = json["served"][0]["figures"].as_array().unwrap();
    let of = |sort: &str| figures.iter().find(|figure| figure["sort"] == sort);
    for sort in ["heap", "user", "client", "pipeline"] {
        let figure = of(sort).unwrap();
        assert_eq!(figure["live"], 1, "{sort}: {figure}");
        assert_eq!(figure["live_bytes"], 4096, "{sort}: {figure}");
    }
    assert_eq!(of("pipeline").unwrap()["name"], "left eye");
    let (_, text, _) = stat(&[]);
    assert!(
        text.contains("nodes/camera") && text.contains("left eye"),
        "{text}"
    );
    drop(held);
}

#[test]
fn what_would_be_served_is_told_without_serving() {
    let scratch = Scratch::new("check");
    let (status, text, _) = ended(serve(&[&scratch.file(), "--check"]));
    assert_eq!(status, Some(0));
    for word in [
        "nodes/camera",
        "from memfd",
        "scattered",
        "0600",
        "9 buffers a user",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let (status, text, _) = ended(serve(&[&scratch.file(), "--check", "--json"]));
    assert_eq!(status, Some(0));
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["heaps"][0]["budget"], 1 << 20);
    assert_eq!(json["heaps"][0]["quota"]["per_uid"], 64 << 10);
    assert!(!scratch.0.join("nodes").exists());
}

#[test]
fn a_pool_is_warm_with_more_buffers_than_files_were_allowed_at_first() {
    let scratch = Scratch::new("prewarm");
    let mut text = fs::read_to_string(scratch.file()).unwrap();
    text.push_str("[heap.camera.pool]\nkeep = \"1MiB\"\n");
    text.push_str("prewarm = { size = \"4KiB\", buffers = 100 }\n");
    fs::write(scratch.file(), text).unwrap();
    let mut command = Command::new("sh");
    let script = "ulimit -S -n 64; exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_dmaflow")]);
    command.args(["heaps", "serve", &scratch.file(), "--check"]);
    let (status, _, said) = ended(command);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn a_wrong_file_is_shown_where_it_is_wrong() {
    let scratch = Scratch::new("wrong");
    let file = scratch.file();
    let cases = [
        (
            "[heap.camera]\nfrom = \"memfd\"\nmoed = \"0600\"\n",
            "did you mean `mode`?",
        ),
        (
            "[heap.camera]\nfrom = \"memfd\"\ngroup = \"nobody knows\"\n",
            "no group",
        ),
    ];
    for (text, word) in cases {
        fs::write(&file, text).unwrap();
        let (status, _, said) = ended(serve(&[&file, "--check"]));
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(word) && said.contains("heaps.toml"), "{said}");
    }
    fs::write(&file, "[heap.camera]\nfrom = \"memdf\"\n").unwrap();
    let (status, _, said) = ended(serve(&[&file]));
    assert_eq!(status, Some(1));
    assert!(
        said.contains("[heap.camera]") && said.contains("there are:"),
        "{said}"
    );
}

#[test]
fn a_signal_ends_it_and_removes_the_node() {
    let scratch = Scratch::new("signal");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = Server::start(serve(&[&scratch.file()]));
        let mode = fs::metadata(scratch.node()).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        lends(&scratch.node());
        server.signal(signal);
        assert_eq!(server.ends(), Some(0));
        assert!(!scratch.node().exists());
    }
}

#[test]
fn a_directory_that_it_makes_is_everybodys_to_look_into() {
    let scratch = Scratch::new("umask");
    let mut command = Command::new("sh");
    let script = "umask 0077; exec \"$@\"";
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_dmaflow")]);
    command.args(["heaps", "serve", &scratch.file()]);
    let _server = Server::start(command);
    for (path, mode) in [(scratch.0.join("nodes"), 0o755), (scratch.node(), 0o600)] {
        let found = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode);
    }
}

#[test]
fn a_killed_servers_node_is_taken_over_and_a_living_ones_is_not() {
    let scratch = Scratch::new("stale");
    let server = Server::start(serve(&[&scratch.file()]));
    let (status, _, said) = ended(serve(&[&scratch.file()]));
    assert_eq!(status, Some(1));
    assert!(said.contains("another server is running"), "{said}");
    lends(&scratch.node());
    server.signal(Signal::SIGKILL);
    assert_eq!(server.ends(), None);
    assert!(scratch.node().exists());
    let server = Server::start(serve(&[&scratch.file()]));
    lends(&scratch.node());
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ends(), Some(0));
}

/// A socket that listens at the node, as systemd would have made it.
fn listening(node: &Path, kind: SockType) -> OwnedFd {
    let fd = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None).unwrap();
    fs::create_dir_all(node.parent().unwrap()).unwrap();
    bind(
        std::os::fd::AsRawFd::as_raw_fd(&fd),
        &UnixAddr::new(node).unwrap(),
    )
    .unwrap();
    listen(&fd, Backlog::new(4).unwrap()).unwrap();
    fd
}

/// The program, started with a socket as descriptor 3.
fn activated(scratch: &Scratch, socket: OwnedFd, name: &str) -> Command {
    activated_by(scratch, socket, name, 1)
}

/// The program, started with a socket as descriptors 3 and 4, and told of so many.
fn activated_by(scratch: &Scratch, socket: OwnedFd, names: &str, count: u32) -> Command {
    let mut command = Command::new("sh");
    let script =
        format!("exec 3<&0 4<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS={count} exec \"$@\"");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_dmaflow")]);
    command.args(["heaps", "serve", &scratch.file()]);
    command
        .env("LISTEN_FDNAMES", names)
        .stdin(Stdio::from(socket));
    command
}

#[test]
fn a_passed_socket_is_served_and_left_where_it_is() {
    let scratch = Scratch::new("activated");
    // By the descriptor's name, and by the socket's where the descriptor has none.
    for name in ["camera", "unknown", "dmaflow-heaps.socket"] {
        let socket = listening(&scratch.node(), SockType::SeqPacket);
        let manager = scratch.0.join("notify");
        let notified = UnixDatagram::bind(&manager).unwrap();
        let mut command = activated(&scratch, socket, name);
        command.env("NOTIFY_SOCKET", &manager);
        let server = Server::start(command);
        let mut said = [0; 64];
        let len = notified.recv(&mut said).unwrap();
        assert_eq!(&said[..len], b"READY=1");
        lends(&scratch.node());
        server.signal(Signal::SIGTERM);
        assert_eq!(server.ends(), Some(0));
        let len = notified.recv(&mut said).unwrap();
        assert_eq!(&said[..len], b"STOPPING=1");
        assert!(scratch.node().exists(), "it is systemd's");
        fs::remove_file(scratch.node()).unwrap();
        fs::remove_file(manager).unwrap();
    }
}

#[test]
fn a_passed_socket_that_cannot_be_served_is_refused() {
    let scratch = Scratch::new("refused");
    let socket = listening(&scratch.node(), SockType::SeqPacket);
    let (status, _, said) = ended(activated(&scratch, socket, "screen"));
    assert_eq!(status, Some(2));
    assert!(
        said.contains("`screen`") && said.contains("FileDescriptorName="),
        "{said}"
    );
    fs::remove_file(scratch.node()).unwrap();
    let socket = listening(&scratch.node(), SockType::Stream);
    let (status, _, said) = ended(activated(&scratch, socket, "camera"));
    assert_eq!(status, Some(1));
    assert!(said.contains("ListenSequentialPacket="), "{said}");
    fs::remove_file(scratch.node()).unwrap();
    let socket = listening(&scratch.node(), SockType::SeqPacket);
    let (status, _, said) = ended(activated_by(&scratch, socket, "camera:camera", 2));
    assert_eq!(status, Some(2));
    assert!(
        said.contains("more than one") && said.contains("`camera`"),
        "{said}"
    );
    fs::remove_file(scratch.node()).unwrap();
    let socket = listening(&scratch.node(), SockType::SeqPacket);
    let (status, _, said) = ended(activated_by(&scratch, socket, "", 300));
    assert_eq!(status, Some(1));
    assert!(said.contains("300 sockets"), "{said}");
}

#[test]
fn the_example_files_are_what_they_should_be() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("dist/heaps.toml")).unwrap();
    let serving = dmaflow_pipelines::description::serving::Serving::parse(&text, "example");
    let name = &serving.unwrap().heaps[0].name;
    let unit = fs::read_to_string(root.join("dist/systemd/dmaflow-heaps.socket")).unwrap();
    assert!(unit.contains(&format!("FileDescriptorName={name}\n")));
    assert!(unit.contains(&format!(
        "ListenSequentialPacket=/run/dmaflow/heaps/{name}\n"
    )));
}

/// The server says nothing unless it must.
#[test]
fn hostile_words_do_not_fill_the_log() {
    let scratch = Scratch::new("log");
    let mut server = Server::start(serve(&[&scratch.file()]));
    for _client in 0..100 {
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&fd);
        nix::sys::socket::connect(number, &UnixAddr::new(&scratch.node()).unwrap()).unwrap();
        nix::unistd::write(&fd, &[b'\n'; 500]).unwrap();
    }
    lends(&scratch.node());
    server.signal(Signal::SIGTERM);
    let mut log = String::new();
    let mut said = server.0.stderr.take().unwrap();
    said.read_to_string(&mut log).unwrap();
    assert_eq!(server.ends(), Some(0));
    let lines = log.lines().count();
    assert!((1..=9).contains(&lines), "{log}");
}
