//! A thousand rounds of whatever can happen to a camera that streams, in random order: each
//! ends as `docs/failures.md` says, and nothing is left behind.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::stage::{Counter, DeviceKey, Source, SourcePlan, StageError, Stopper};
use dmaflow_core::time::Rate;
use dmaflow_core::with_causes;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig, NullSink};
use dmaflow_pipelines::description::RestartPolicy;
use dmaflow_pipelines::error::{PipelineError, RunFailure};
use dmaflow_pipelines::{
    AnyStage, Builder, HeapRequest, Limits, Maker, Pipeline, PoolRequest, QueuePolicy, Report,
    Supervisor,
};
use dmaflow_testbed::{
    Board, DmaBufs, Run, Running, VIVID_ON_VKMS, dmaflow, eventually, modprobe, open_files,
    reload_vivid,
};
use dmaflow_v4l2::{ControlKind, ControlValue, Function, VideoDevice};
use dmaflow_v4l2_src::{Camera, V4l2Src, V4l2SrcConfig};
use nix::sys::signal::Signal;

/// `DMAFLOW_ROUNDS` asks for more, or fewer.
const ROUNDS: u32 = 1000;
/// Frames of a round, over all its parts.
const FRAMES: u64 = 8;
/// The same where a signal changes: what is in the queue then still comes, until the change is
/// noticed.
const SIGNAL_FRAMES: u64 = 30;
/// The frame at which something happens.
const FATEFUL: u64 = 3;

/// vivid with a webcam, and a second input that behaves like HDMI.
const WITH_HDMI: [&str; 3] = ["vivid", "num_inputs=2", "input_types=0xc"];
const WEBCAM: &str = "0";
const HDMI: &str = "1";
const SIGNAL: &str = "DV Timings Signal Mode";
const TIMINGS: &str = "DV Timings";

/// What happens in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Nothing,
    /// The driver is taken from the device, and given back.
    Unplug,
    Disconnect,
    DamagedFrame,
    /// A fatal error, and no buffers for the next start.
    NoBuffers,
    NoBuffersAtFirst,
    NotQueued,
    NoStart,
    Fatal,
    FramesDropped,
    SequenceWraps,
    StampWraps,
    SignalChanges,
    /// By the entry of vivid's menu.
    SignalGoes(i64),
    NoSignalAtFirst(i64),
}

use Happening::*;

const ALL: [Happening; 19] = [
    Nothing,
    Unplug,
    Disconnect,
    DamagedFrame,
    NoBuffers,
    NoBuffersAtFirst,
    NotQueued,
    NoStart,
    Fatal,
    FramesDropped,
    SequenceWraps,
    StampWraps,
    SignalChanges,
    SignalGoes(1),
    SignalGoes(2),
    SignalGoes(3),
    NoSignalAtFirst(1),
    NoSignalAtFirst(2),
    NoSignalAtFirst(3),
];

impl Happening {
    const fn frames(self) -> u64 {
        match self {
            SignalChanges | SignalGoes(_) => SIGNAL_FRAMES,
            _ => FRAMES,
        }
    }

    const fn is_hdmi(self) -> bool {
        matches!(self, SignalChanges | SignalGoes(_) | NoSignalAtFirst(_))
    }
}

/// What vivid's entry is called in errors.
const fn lost(entry: i64) -> &'static str {
    match entry {
        1 => "no signal",
        2 => "no lock",
        _ => "out of range",
    }
}

/// As another program would.
fn vivid() -> VideoDevice {
    VideoDevice::open_matching(Some("vivid"), Function::Camera).unwrap()
}

fn inject(control: &str, value: i64) {
    let set = vivid().set_control(control, &ControlValue::Integer(value));
    set.unwrap();
}

/// Has the source of vivid's HDMI input send pictures of this size.
fn send(size: &str) {
    let vivid = vivid();
    let controls = vivid.controls().unwrap();
    let timings = controls.iter().find(|control| control.name == TIMINGS);
    let Some(ControlKind::Menu(entries)) = timings.map(|control| &control.kind) else {
        panic!("{controls:?}");
    };
    let entry = entries.iter().find(|(_, name)| name.starts_with(size));
    let entry = ControlValue::Integer(i64::from(entry.unwrap().0));
    vivid.set_control(TIMINGS, &entry).unwrap();
    let selected = ControlValue::Integer(4);
    vivid.set_control(SIGNAL, &selected).unwrap();
}

fn bind(how: &str) {
    let driver = Path::new("/sys/bus/platform/drivers/vivid");
    fs::write(driver.join(how), "vivid.0").unwrap();
}

/// Numbers that look random, the same ones for a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }
}

type Deed = Box<dyn FnOnce() -> Option<JoinHandle<()>> + Send>;

/// Counts the frames of a round, and does something at one of them.
#[derive(Clone, Default)]
struct Fate(Arc<Plan>);

#[derive(Default)]
struct Plan {
    frames: AtomicU64,
    deed: Mutex<Option<Deed>>,
    /// What it began in the background.
    helper: Mutex<Option<JoinHandle<()>>>,
}

impl Fate {
    fn of(deed: Option<Deed>) -> Self {
        let this = Self::default();
        *this.0.deed.lock().unwrap() = deed;
        this
    }

    fn is_done(&self) -> bool {
        self.0.deed.lock().unwrap().is_none()
    }

    /// What it began in the background has ended.
    fn settle(&self) {
        if let Some(helper) = self.0.helper.lock().unwrap().take() {
            helper.join().unwrap();
        }
    }
}

/// vivid, with a fate before one of its frames is waited for. Only so is it sure that vivid's
/// `Disconnect` meets nobody who sleeps in DQBUF without a frame queued, whom nothing would wake.
struct Fated {
    camera: V4l2Src,
    fate: Fate,
}

impl Source for Fated {
    fn device(&self) -> String {
        self.camera.device()
    }
    fn key(&self) -> Option<DeviceKey> {
        self.camera.key()
    }
    fn formats(&mut self) -> Result<Vec<Format>, StageError> {
        self.camera.formats()
    }
    fn configure(&mut self, format: Format) -> Result<SourcePlan, StageError> {
        self.camera.configure(format)
    }
    fn attach(&mut self, pool: &FramePool) -> Result<(), StageError> {
        self.camera.attach(pool)
    }
    fn detach(&mut self) {
        self.camera.detach();
    }
    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.camera.start()
    }
    fn next_frame(&mut self) -> Result<Option<Frame>, StageError> {
        if self.fate.0.frames.fetch_add(1, Ordering::Relaxed) + 1 == FATEFUL
            && let Some(deed) = self.fate.0.deed.lock().unwrap().take()
        {
            *self.fate.0.helper.lock().unwrap() = deed();
        }
        self.camera.next_frame()
    }
    fn stop(&mut self) -> Result<(), StageError> {
        self.camera.stop()
    }
    fn counters(&self) -> Vec<Counter> {
        self.camera.counters()
    }
}

/// A round's pipelines: vivid with a fate, on vkms or nothing.
struct Stage<'h> {
    heaps: &'h HeapRegistry,
    config: V4l2SrcConfig,
    heap: HeapRequest,
    on_display: bool,
    fate: Fate,
    camera: &'h RefCell<Option<Camera>>,
}

impl Maker for Stage<'_> {
    fn make(&mut self) -> Result<Pipeline, PipelineError> {
        let failed = |stage: &str, source| PipelineError::Stage {
            stage: stage.to_owned(),
            source,
        };
        let camera = V4l2Src::open(self.config.clone());
        let camera = camera.map_err(|error| failed("camera", error.into()))?;
        let screen = if self.on_display {
            let screen = KmsSink::open(KmsSinkConfig {
                card: Some("vkms".to_owned()),
                ..KmsSinkConfig::default()
            });
            AnyStage::sink(screen.map_err(|error| failed("screen", StageError::failed(error)))?)
        } else {
            AnyStage::sink(NullSink::default())
        };
        let fated = Fated {
            camera,
            fate: self.fate.clone(),
        };
        let mut graph = Builder::new();
        let camera = graph.add("camera", AnyStage::source(fated));
        let screen = graph.add("screen", screen);
        graph.connect(camera, screen, QueuePolicy::Latest);
        graph.set_pool(
            camera,
            PoolRequest {
                heaps: self.heap.clone(),
                buffers: Some(6),
            },
        );
        let pipeline = graph.prepare(self.heaps)?;
        let (_, key) = pipeline
            .devices()
            .find(|(stage, _)| *stage == "camera")
            .unwrap();
        *self.camera.borrow_mut() = Some(Camera::new(key, None));
        Ok(pipeline)
    }

    fn is_back(&mut self, stage: &str) -> Option<bool> {
        if stage != "camera" {
            return None;
        }
        let camera = self.camera.borrow();
        camera.as_ref().map(|camera| camera.find().is_some())
    }
}

/// How a round ends whose damage did not come about: what is told to vivid between the end of a
/// frame and that of the tick, it forgets (`vivid_thread_vid_cap_tick`).
const LOST: &str = "lost by vivid";

/// What is to happen while frames flow.
fn deed(happening: Happening) -> Option<Deed> {
    let later = |what: fn()| {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(30));
            what();
        })
    };
    let simply = |control: &'static str, value: i64| -> Deed {
        Box::new(move || {
            inject(control, value);
            None
        })
    };
    Some(match happening {
        Unplug => Box::new(move || {
            bind("unbind");
            Some(later(|| bind("bind")))
        }),
        Disconnect => simply("Disconnect", 1),
        DamagedFrame => simply("Inject V4L2_BUF_FLAG_ERROR", 1),
        NoBuffers => Box::new(|| {
            inject("Inject VIDIOC_REQBUFS Error", 1);
            inject("Inject Fatal Streaming Error", 1);
            None
        }),
        NotQueued => simply("Inject VIDIOC_QBUF Error", 1),
        Fatal => simply("Inject Fatal Streaming Error", 1),
        FramesDropped => simply("Percentage of Dropped Buffers", 40),
        SignalChanges => Box::new(|| {
            send("720x480p");
            None
        }),
        SignalGoes(entry) => Box::new(move || {
            inject(SIGNAL, entry);
            None
        }),
        _ => return None,
    })
}

/// What came of a round.
enum Outcome {
    Unmade(PipelineError),
    Ended(Box<Report>, Option<RunFailure>),
}

struct Bench {
    heaps: HeapRegistry,
    dice: Dice,
    /// Rounds, by what happened and how they ended.
    tally: BTreeMap<(Happening, bool, &'static str), u32>,
    lost: u64,
}

impl Bench {
    #[expect(
        clippy::print_stdout,
        reason = "whoever looks for a defect wants to see the rounds"
    )]
    fn round(&mut self, number: u32) {
        let happening = ALL[self.dice.below(ALL.len())];
        let again = self.dice.below(2) == 0;
        if std::env::var_os("DMAFLOW_TALK").is_some() {
            println!("round {number}: {happening:?}, again: {again}");
        }
        let size = [(320, 180), (640, 360)][self.dice.below(2)];
        let heap = match happening {
            // The same one is tried in another way after it was refused.
            NoBuffersAtFirst => HeapRequest::Names(vec!["system".to_owned()]),
            _ => HeapRequest::Any,
        };
        let config = V4l2SrcConfig {
            device: Some("vivid".to_owned()),
            input: Some(if happening.is_hdmi() { HDMI } else { WEBCAM }.to_owned()),
            format: Some(Format::XRGB8888),
            size: (!happening.is_hdmi()).then_some(size),
            rate: Rate::new(60, 1).filter(|_| !happening.is_hdmi()),
            ..V4l2SrcConfig::default()
        };
        self.prepare(happening);
        let before = Left::now();
        let on_display = self.dice.below(4) == 0;
        let fate = Fate::of(deed(happening));
        let camera = RefCell::new(None);
        let stage = Stage {
            heaps: &self.heaps,
            config,
            heap,
            on_display,
            fate: fate.clone(),
            camera: &camera,
        };
        let outcome = play(stage, happening, again);
        fate.settle();
        if let Outcome::Ended(..) = &outcome {
            assert!(
                fate.is_done(),
                "round {number}: {happening:?} did not happen"
            );
        }
        let ended = self.judge(happening, again, outcome);
        *self.tally.entry((happening, again, ended)).or_default() += 1;
        self.tidy(happening);
        // A thread that was joined is in the kernel's list for a moment more.
        eventually(&format!("end of round {number}, {happening:?}"), || {
            before == Left::now()
        });
        assert!(self.heaps.loans().is_empty(), "{}", self.heaps.loans());
    }

    /// Arms what has to be before a run begins.
    fn prepare(&self, happening: Happening) {
        if happening.is_hdmi() {
            vivid().set_input(HDMI).unwrap();
            send("640x480p");
        }
        match happening {
            NoBuffersAtFirst => inject("Inject VIDIOC_REQBUFS Error", 1),
            SequenceWraps => inject("Wrap Sequence Number", 1),
            StampWraps => inject("Wrap Timestamp", 1),
            NoSignalAtFirst(entry) => inject(SIGNAL, entry),
            _ => {}
        }
    }

    fn tidy(&self, happening: Happening) {
        match happening {
            FramesDropped => inject("Percentage of Dropped Buffers", 0),
            SequenceWraps => inject("Wrap Sequence Number", 0),
            StampWraps => inject("Wrap Timestamp", 0),
            SignalGoes(_) | NoSignalAtFirst(_) => inject(SIGNAL, 0),
            _ => {}
        }
    }

    /// Checks what came of a round against `docs/failures.md`.
    fn judge(&mut self, happening: Happening, again: bool, outcome: Outcome) -> &'static str {
        let (report, failure) = match outcome {
            Outcome::Unmade(error) => {
                let told = with_causes(&error);
                match happening {
                    NoSignalAtFirst(entry) => assert!(told.contains(lost(entry)), "{told}"),
                    _ => panic!("{happening:?}: {told}"),
                }
                return "not made";
            }
            Outcome::Ended(report, failure) => (report, failure),
        };
        let told = failure.as_ref().map(|failure| with_causes(failure));
        let context = format!("{happening:?}, again: {again}, {told:?}, {report:?}");
        assert_eq!(report.unaccounted(), 0, "{context}");
        assert_eq!(report.cpu.copied, 0, "{context}");
        let (restarts, changes) = (report.interruptions.restarts, report.interruptions.changes);
        let counted = |name| report.counter(name).unwrap_or_default();
        self.lost += counted("lost");
        let fails_with = match happening {
            Unplug | Disconnect => Some("is gone"),
            NoBuffers | Fatal => Some("must be stopped and started again"),
            NoStart => Some("VIDIOC_STREAMON"),
            SignalGoes(entry) => Some(lost(entry)),
            _ => None,
        };
        match (fails_with, again) {
            (Some(words), false) => {
                let told = told.unwrap_or_default();
                assert!(told.contains(words), "{context}");
                assert_eq!(restarts + changes, 0, "{context}");
                return "failed";
            }
            (Some(_), true) => {
                assert!(failure.is_none(), "{context}");
                let is_change = matches!(happening, SignalGoes(_));
                let expected = if is_change { (0, 1) } else { (1, 0) };
                // A signal that comes back is one more change, which may come early or late.
                assert_eq!((restarts, changes.min(1)), expected, "{context}");
            }
            (None, _) => {
                assert!(failure.is_none(), "{context}");
                let expected = u64::from(happening == SignalChanges);
                assert_eq!((restarts, changes), (0, expected), "{context}");
            }
        }
        assert_eq!(report.captured, happening.frames(), "{context}");
        assert!(report.shown > 0, "{context}");
        let damaged = counted("damaged");
        if happening == DamagedFrame && damaged == 0 {
            return LOST;
        }
        assert_eq!(damaged, u64::from(happening == DamagedFrame), "{context}");
        // A queue in error refuses frames, and so does a device that is gone.
        if fails_with.is_none() {
            let expected = u64::from(happening == NotQueued);
            assert_eq!(counted("requeue_failed"), expected, "{context}");
        }
        if restarts + changes > 0 {
            "went on"
        } else {
            "went well"
        }
    }
}

/// Runs a round's pipelines.
fn play(stage: Stage<'_>, happening: Happening, again: bool) -> Outcome {
    let policy = if again {
        RestartPolicy::OnFailure {
            first: Duration::from_millis(5),
            most: Duration::from_millis(100),
            attempts: None,
        }
    } else {
        RestartPolicy::Never
    };
    let mut supervisor = match Supervisor::new(stage, [("camera".to_owned(), policy)]) {
        Ok(supervisor) => supervisor,
        Err(error) => return Outcome::Unmade(error),
    };
    if happening == NoStart {
        inject("Inject VIDIOC_STREAMON Error", 1);
    }
    let returns = matches!(happening, SignalGoes(_)) && again;
    let limits = Limits {
        frames: Some(happening.frames()),
        // Nothing takes so long but what hangs.
        duration: Some(Duration::from_secs(30)),
    };
    let outcome = thread::scope(|scope| {
        if returns {
            scope.spawn(|| {
                let lost = || {
                    let vivid = vivid();
                    let input = vivid.input().ok().flatten();
                    input.is_some_and(|input| vivid.signal(&input).is_err())
                };
                eventually("loss of the signal", lost);
                thread::sleep(Duration::from_millis(60));
                inject(SIGNAL, 4);
            });
        }
        supervisor.run(limits)
    });
    if happening == SignalChanges && outcome.is_ok() {
        let layout = &supervisor.agreement().pool().plan.layout;
        assert_eq!((layout.width(), layout.height()), (720, 480));
    }
    match outcome {
        Ok(report) => Outcome::Ended(Box::new(report), None),
        Err(error) => Outcome::Ended(error.report, Some(error.cause)),
    }
}

/// What a process holds, and what the display shows.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    files: usize,
    threads: usize,
    mappings: usize,
    lit: Vec<String>,
}

impl Left {
    fn now() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let of_buffers = |line: &&str| line.contains("dmabuf") || line.contains("memfd:");
        Self {
            files: open_files(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
            mappings: maps.lines().filter(of_buffers).count(),
            lit: lit(),
        }
    }
}

/// What vkms shows, as the kernel prints it, without addresses and counters.
fn lit() -> Vec<String> {
    let devices = fs::read_dir("/sys/kernel/debug/dri").unwrap();
    let of_vkms = devices.flatten().map(|entry| entry.path()).find(|path| {
        fs::read_to_string(path.join("name")).is_ok_and(|name| name.starts_with("vkms"))
    });
    let state = fs::read_to_string(of_vkms.unwrap().join("state")).unwrap();
    let keys = ["crtc=", "fb=", "enable=", "active=", "mode:", "crtc-pos="];
    let said = state.lines().map(str::trim);
    let said = said.filter(|line| keys.iter().any(|key| line.starts_with(key)));
    said.map(str::to_owned).collect()
}

#[test]
fn a_thousand_rounds_end_as_documented_and_leave_nothing() {
    let name = "a_thousand_rounds_end_as_documented_and_leave_nothing";
    // The profiles differ in what heaps vivid takes; what happens to it is the same.
    if Board::for_test_on(&["pc"], name).is_none() {
        return;
    }
    let given = std::env::var("DMAFLOW_SEED").ok();
    let seed = given.map_or_else(
        || u64::from(std::process::id()) ^ 0x9e37_79b9_7f4a_7c15,
        |text| text.parse().unwrap(),
    );
    let rounds = std::env::var("DMAFLOW_ROUNDS").map_or(ROUNDS, |text| text.parse().unwrap());
    println!("DMAFLOW_SEED={seed}");
    modprobe(&["-r", "vivid"]);
    modprobe(&WITH_HDMI);
    let mut bench = Bench {
        heaps: dmaflow_heaps::registry(),
        dice: Dice(seed),
        tally: BTreeMap::new(),
        lost: 0,
    };
    let buffers = DmaBufs::now();
    let began = Instant::now();
    for round in 0..rounds {
        bench.round(round);
        if round % 100 == 99 {
            buffers.assert_none_since();
            println!("{} rounds in {:.0?}", round + 1, began.elapsed());
        }
    }
    buffers.assert_none_since();
    for ((happening, again, ended), count) in &bench.tally {
        let policy = if *again { "on-failure" } else { "never" };
        println!(
            "{:<20} {policy:<10} {ended:<9} {count:>4}",
            format!("{happening:?}")
        );
    }
    let ended = |wanted: fn(&str) -> bool| -> u32 {
        let of_damage = bench.tally.iter();
        let counts = of_damage.filter(|((happening, _again, ended), _count)| {
            *happening == DamagedFrame && wanted(ended)
        });
        counts.map(|(_round, count)| *count).sum()
    };
    let (lost, all) = (ended(|ended| ended == LOST), ended(|_any| true));
    assert!(
        lost * 10 <= all,
        "{lost} of {all} damaged frames did not come"
    );
    if rounds >= ROUNDS {
        assert!(bench.lost > 0, "no frame was ever dropped");
    }
    drop(bench);
    reload_vivid();
}

#[test]
fn the_program_goes_on_when_the_camera_comes_back() {
    let name = "the_program_goes_on_when_the_camera_comes_back";
    let Some(_board) = Board::for_test(name) else {
        return;
    };
    let (buffers, display) = (DmaBufs::now(), lit());
    let arguments = [
        &["run"],
        VIVID_ON_VKMS,
        &["--json", "--set=camera.restart=on-failure"],
    ]
    .concat();
    let running = Running::start(&mut dmaflow(&arguments));
    eventually("picture on the display", || lit() != display);
    bind("unbind");
    eventually("display as it was", || lit() == display);
    bind("bind");
    eventually("picture again", || lit() != display);
    running.signal(Signal::SIGINT);
    let run: Run = running.ended();
    run.assert_went_well();
    assert_eq!(run.number("/restarts"), 1);
    assert_eq!(run.number("/changes"), 0);
    assert!(run.messages.contains("is gone"), "{}", run.messages);
    assert!(run.messages.contains("trying again in"), "{}", run.messages);
    assert_eq!(lit(), display);

    // A wait is ended by a signal at once.
    let running = Running::start(&mut dmaflow(&arguments));
    eventually("picture on the display", || lit() != display);
    bind("unbind");
    eventually("display as it was", || lit() == display);
    running.signal(Signal::SIGINT);
    let run = running.ended();
    assert_eq!(run.status, Some(0), "{run:?}");
    assert_eq!(run.number("/interruptions/0/tries"), 0, "{}", run.json);
    buffers.assert_none_since();
    bind("bind");
}
