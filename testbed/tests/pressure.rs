//! Memory runs short in a control group: idle caches go, the running pipeline does not notice,
//! and the caches come back.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints its figures"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dmaflow_testbed::{Board, DmaBufs, Run, Running, within};
use nix::sys::signal::Signal;
use serde_json::Value;

const MIB: u64 = 1 << 20;
const CACHES: &str = env!("CARGO_BIN_EXE_idle-caches");
/// Where the kernel begins to reclaim and to slow those down who take more.
const HIGH: u64 = 200 * MIB;
/// Where it kills. Close above, since a group is slowed down the more the further it is above.
const MAX: u64 = 216 * MIB;

/// A control group with limits, removed when dropped.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> Self {
        let root = Path::new("/sys/fs/cgroup");
        if !root.join("cgroup.controllers").exists() {
            let mount = ["-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"];
            let mounted = Command::new("mount").args(mount).status().unwrap();
            assert!(mounted.success());
        }
        fs::write(root.join("cgroup.subtree_control"), "+memory").unwrap();
        let group = Self(root.join(format!("dmaflow-{name}")));
        fs::create_dir(&group.0).unwrap();
        fs::write(group.0.join("memory.high"), HIGH.to_string()).unwrap();
        fs::write(group.0.join("memory.max"), MAX.to_string()).unwrap();
        group
    }

    /// A program that runs in the group from its first instruction on.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        let procs = self.0.join("cgroup.procs");
        let script = format!("echo $$ > {} && exec \"$@\"", procs.display());
        command.args(["-c", &script, "sh", program]).args(arguments);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
        command
    }

    fn current(&self) -> u64 {
        let text = fs::read_to_string(self.0.join("memory.current")).unwrap();
        text.trim().parse().unwrap()
    }

    fn event(&self, name: &str) -> u64 {
        let text = fs::read_to_string(self.0.join("memory.events")).unwrap();
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let (_, count) = lines.find(|(key, _)| *key == name).unwrap();
        count.parse().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Those killed leave a moment after their parent has heard of it.
        for _try in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        println!("{} stays", self.0.display());
    }
}

/// A process that answers a line with a line.
struct Answering {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Answering {
    fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            questions: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// The next answer, or nothing from a process that was killed.
    fn ask(&mut self) -> Option<Value> {
        self.questions.as_mut()?.write_all(b"\n").ok()?;
        let mut line = String::new();
        self.answers.read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// A number of the next answer.
    fn number(&mut self, name: &str) -> u64 {
        let answer = self.ask().unwrap();
        answer[name].as_u64().unwrap()
    }

    fn end(mut self) {
        self.questions = None;
        self.child.wait().unwrap();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Starts a pipeline, and waits until the display is its own.
///
/// Every frame is to be shown. They are small and few, so that the driver that draws them keeps
/// up with its own clock on an emulated processor.
fn pipeline(group: &Group) -> Running {
    let arguments = [
        "run",
        "examples/camera-to-display.toml",
        "--set=camera.device=vivid",
        "--set=camera.width=320",
        "--set=camera.height=180",
        "--set=camera.rate=2",
        "--set=camera.buffers=8",
        "--set=screen.card=vkms",
        "--set=screen.queue=fifo",
        "--json",
    ];
    let mut command = group.command("dmaflow", &arguments);
    let mut pipeline = Running::start(command.stdin(Stdio::null()));
    eventually("framebuffer of dmaflow on the display", || {
        let cards = fs::read_dir("/sys/kernel/debug/dri").unwrap();
        let states = cards.flatten().map(|card| card.path().join("state"));
        let states = states.filter_map(|state| fs::read_to_string(state).ok());
        states
            .into_iter()
            .any(|state| state.contains("allocated by = dmaflow"))
            || pipeline.has_ended()
    });
    let early = pipeline.has_ended();
    assert!(!early, "{:?}", pipeline.ended());
    pipeline
}

/// Sleeps lightly, and sees when the machine lets nobody run.
struct Witness {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u32>>,
}

impl Witness {
    /// A thread for each processor of the board.
    fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let watch = |over: Arc<AtomicBool>| {
            let nap = Duration::from_millis(20);
            let mut pauses = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let asleep = Instant::now();
                thread::sleep(nap);
                let late = asleep.elapsed().saturating_sub(nap);
                if late >= Self::PAUSE {
                    let frames = late.as_millis().div_ceil(Self::LATE.as_millis());
                    pauses += u32::try_from(frames).unwrap();
                }
            }
            pauses
        };
        let threads = (0..2).map(|_processor| {
            let over = Arc::clone(&over);
            thread::spawn(move || watch(over))
        });
        Self {
            threads: threads.collect(),
            over,
        }
    }

    /// How much later than it should a thread must run to be a sign.
    const PAUSE: Duration = Duration::from_millis(100);
    /// Half of the time between two frames: by so much a camera of vivid's must be late to
    /// lose one.
    const LATE: Duration = Duration::from_millis(250);

    /// How many frames a camera would have lost in the pauses there were.
    fn pauses(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        let pauses = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap());
        pauses.map(u64::from).sum()
    }
}

/// What may take longer where memory is short.
fn eventually(what: &str, holds: impl FnMut() -> bool) {
    within(Duration::from_secs(60), what, holds);
}

/// Has a process of the group take more and more, until the caches are at their floor or
/// somebody was killed.
fn squeeze(group: &Group, keeper: &mut Answering) -> (Answering, u64) {
    // Processor time is not what it shall take from the others.
    let mut hog = Answering::start(group.command("nice", &["-n", "19", CACHES, "grow"]));
    let mut taken = 0;
    for _mebibyte in 0..MAX / MIB {
        let Some(has) = hog.ask() else { break };
        taken = has.as_u64().unwrap();
        let state = keeper.ask().unwrap();
        if state["cached"].as_u64() <= state["floor"].as_u64() || group.event("oom_kill") > 0 {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    (hog, taken)
}

/// Prints what a squeeze came to.
fn tell(what: &str, group: &Group, keeper: &mut Answering, taken: u64) {
    let [high, max, kills] = ["high", "max", "oom_kill"].map(|name| group.event(name));
    println!(
        "{what}: {taken} MiB taken of {} used; high {high}, max {max}, oom_kill {kills}; {}",
        group.current() / MIB,
        keeper.ask().unwrap()
    );
}

/// Squeezes the caches of a process that watches its group so, with or without a pipeline
/// beside it, whose run is returned.
fn caches_make_way(watch: &str, with_pipeline: bool) -> Option<Run> {
    let buffers = DmaBufs::now();
    let group = Group::new(watch);
    let pipeline = with_pipeline.then(|| pipeline(&group));
    let before = group.current();
    let mut keeper = Answering::start(group.command(CACHES, &["keep", watch]));
    let prewarmed = keeper.number("prewarmed");
    assert_eq!(keeper.number("cached"), prewarmed);
    let charged = group.current() - before;
    assert!(charged >= prewarmed, "{charged} bytes for {prewarmed}");

    let (mut hog, taken) = squeeze(&group, &mut keeper);
    tell(watch, &group, &mut keeper, taken);
    assert!(keeper.number("cached") <= keeper.number("floor"));
    assert!(hog.ask().is_some());
    assert_eq!(group.event("oom_kill"), 0);

    hog.end();
    eventually("cache", || keeper.number("cached") == prewarmed);
    tell("and after", &group, &mut keeper, 0);
    let run = pipeline.map(|pipeline| {
        pipeline.signal(Signal::SIGINT);
        pipeline.ended()
    });
    assert_eq!(group.event("oom_kill"), 0);
    keeper.end();
    buffers.assert_none_since();
    run
}

#[test]
fn caches_make_way_and_the_pipeline_loses_no_frame() {
    let Some(_board) = Board::for_test("caches_make_way_and_the_pipeline_loses_no_frame") else {
        return;
    };
    let witness = Witness::start();
    let run = caches_make_way("all", true).unwrap();
    let pauses = witness.pauses();
    let camera = &run.json["counters"]["camera"];
    println!(
        "{}, {camera}, the machine's pauses {pauses}",
        run.json["frames"]
    );
    run.assert_went_well();
    for lost in [
        "/frames/dropped_by/superseded",
        "/frames/dropped_by/filtered",
        "/frames/unaccounted",
        "/counters/camera/damaged",
        "/counters/camera/short",
        "/counters/camera/requeue_failed",
    ] {
        assert_eq!(run.number(lost), 0, "{lost}: {}", run.json);
    }
    // The camera is a thread of the kernel's. On a machine that has too much to do it gets no
    // processor in time, and loses frames that no memory would have saved.
    let lost = run.number("/counters/camera/lost");
    assert!(lost <= pauses, "{lost} frames lost: {}", run.json);
}

/// Stalls are told of late, when the kernel has slowed everybody in the group down: the caches
/// make way in time for nobody to be killed.
#[test]
fn caches_make_way_when_tasks_of_the_group_stall() {
    let Some(_board) = Board::for_test("caches_make_way_when_tasks_of_the_group_stall") else {
        return;
    };
    caches_make_way("stalls", false);
}

/// The same with nobody to make room: so the tests above could fail.
#[test]
fn without_a_shrinker_somebody_is_killed() {
    let Some(_board) = Board::for_test("without_a_shrinker_somebody_is_killed") else {
        return;
    };
    let buffers = DmaBufs::now();
    let group = Group::new("nothing");
    let mut keeper = Answering::start(group.command(CACHES, &["keep", "nothing"]));
    let prewarmed = keeper.number("prewarmed");
    let (_hog, taken) = squeeze(&group, &mut keeper);
    tell("nothing", &group, &mut keeper, taken);
    assert_eq!(keeper.number("cached"), prewarmed);
    assert!(group.event("oom_kill") > 0);
    keeper.end();
    buffers.assert_none_since();
}
