//! Heaps tried out: rankings, reasons, what is remembered, and that nothing is left.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::heap::{Contiguity, Heap, HeapInfo, HeapRegistry};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, Counter, DeviceKey, ImportRefused, Sink, StageError};
use dmaflow_core::time::{Clock, Timestamp};
use dmaflow_heaps::Memfd;
use dmaflow_pipelines::probe::{Answers, Importer, Probe, Unfit, Wanted, probe};
use dmaflow_pipelines::{HeapRequest, Pipeline, PoolRequest};
use dmaflow_v4l2_src::{TestSrc, TestSrcConfig};

/// A display on paper, and what was asked of it.
#[derive(Clone, Default)]
struct Device {
    name: &'static str,
    /// Whose driver it has, where that matters.
    driver: Option<&'static str>,
    /// The one format that it takes, where it does not take any.
    format: Option<Format>,
    /// The heaps whose buffers it takes.
    takes: Arc<Mutex<Vec<&'static str>>>,
    /// The heaps that it was asked about.
    asked: Arc<Mutex<Vec<String>>>,
    /// The pool that it holds.
    held: Arc<Mutex<Option<FramePool>>>,
}

impl Device {
    fn new(name: &'static str, takes: &[&'static str]) -> Self {
        let device = Self {
            name,
            ..Self::default()
        };
        device.now_takes(takes);
        device
    }

    fn now_takes(&self, takes: &[&'static str]) {
        *self.takes.lock().unwrap() = takes.to_vec();
    }

    /// What it was asked about since this was asked last.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn take(&self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        let heap = pool.heap().name();
        self.asked.lock().unwrap().push(heap.to_owned());
        if self.takes.lock().unwrap().contains(&heap) {
            *self.held.lock().unwrap() = Some(pool.clone());
            return Ok(Vec::new());
        }
        Err(ImportRefused {
            device: self.name.to_owned(),
            heap: heap.to_owned(),
            call: "IMPORT".into(),
            errno: Errno::EINVAL,
            meaning: "it does not like it".to_owned(),
            remedy: "give it another".to_owned(),
        }
        .into())
    }

    fn let_go(&self) {
        *self.held.lock().unwrap() = None;
    }

    fn who(&self) -> DeviceKey {
        DeviceKey {
            driver: self.driver.unwrap_or("paper").to_owned(),
            bus: "desk".to_owned(),
            name: self.name.to_owned(),
        }
    }
}

impl Importer for Device {
    fn device(&self) -> String {
        self.name.to_owned()
    }
    fn key(&self) -> Option<DeviceKey> {
        Some(self.who())
    }
    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.take(pool)
    }
    fn undo(&mut self) {
        self.let_go();
    }
}

/// The same as the end of a pipeline.
struct Screen(Device);

impl Sink for Screen {
    fn device(&self) -> String {
        self.0.name.to_owned()
    }
    fn key(&self) -> Option<DeviceKey> {
        Some(self.0.who())
    }
    fn formats(&mut self) -> Result<Option<Vec<Format>>, StageError> {
        Ok(self.0.format.map(|format| vec![format]))
    }
    fn attach(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.take(pool)
    }
    fn detach(&mut self) {
        self.0.let_go();
    }
    fn frames_held(&self) -> usize {
        1
    }
    fn settles_within(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
    fn ready(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn show(&mut self, _frame: Frame) -> Result<Timestamp, StageError> {
        Ok(Clock::Monotonic.now())
    }
    fn flips(&mut self, _flipped: &mut Vec<Timestamp>) -> Result<(), StageError> {
        Ok(())
    }
    fn stop(&mut self) -> Result<(), StageError> {
        Ok(())
    }
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }
}

/// Heaps that differ in what is said of them: `carved`, `pages` and `more`, in this order.
fn heaps() -> HeapRegistry {
    let mut registry = HeapRegistry::new();
    for (name, contiguity) in [
        ("carved", Contiguity::Contiguous),
        ("pages", Contiguity::Scattered),
        ("more", Contiguity::Scattered),
    ] {
        let info = HeapInfo {
            contiguity,
            ..HeapInfo::new(name)
        };
        registry.register(info, Memfd).unwrap();
    }
    registry
}

fn candidates(registry: &HeapRegistry) -> Vec<Heap> {
    registry.heaps().cloned().collect()
}

fn wanted() -> Wanted {
    Wanted {
        layout: Layout::packed(Format::XRGB8888, 64, 64).unwrap(),
        buffers: 3,
    }
}

fn ranking(probe: &Probe) -> Vec<(&str, bool)> {
    let verdicts = probe.ranked.iter();
    verdicts
        .map(|verdict| (verdict.heap.name(), verdict.is_accepted()))
        .collect()
}

/// A file that goes at the end, with the directory that is its own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        Self(directory.join(format!("{name}-{}", std::process::id())))
    }
    fn answers(&self) -> Answers {
        Answers::at(self.0.join("answers.json"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A device of a driver that maps buffers for the CPU.
struct Mapping(Device);

impl Importer for Mapping {
    fn device(&self) -> String {
        self.0.name.to_owned()
    }
    fn key(&self) -> Option<DeviceKey> {
        let driver = "uvcvideo".to_owned();
        Some(DeviceKey {
            driver,
            ..self.0.who()
        })
    }
    fn import(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.0.take(pool)
    }
    fn undo(&mut self) {
        self.0.let_go();
    }
}

#[test]
fn what_a_driver_would_see_wrongly_is_not_given_to_it() {
    let mut registry = HeapRegistry::new();
    let info = HeapInfo {
        vmap: false,
        ..HeapInfo::new("huge")
    };
    registry.register(info, Memfd).unwrap();
    let heaps = candidates(&registry);
    let mut screen = Device::new("screen", &["huge"]);
    let importers: &mut [&mut dyn Importer] = &mut [&mut screen];
    let found = probe(&heaps, importers, &wanted(), &mut Answers::none());
    assert!(found.best().is_some(), "a device with DMA");
    let mut camera = Mapping(Device::new("camera", &["huge"]));
    let importers: &mut [&mut dyn Importer] = &mut [&mut camera, &mut screen];
    let found = probe(&heaps, importers, &wanted(), &mut Answers::none());
    let Err(Unfit::Refused(refused)) = &found.ranked[0].outcome else {
        panic!("{found:?}");
    };
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].device, "camera");
    let said = refused[0].reason.to_string();
    for part in ["uvcvideo maps buffers for the CPU", "before Linux 6.16"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn every_importer_must_accept_and_every_refusal_is_told() {
    let registry = heaps();
    let mut camera = Device::new("camera", &["carved", "more"]);
    let mut screen = Device::new("screen", &["carved", "pages", "more"]);
    let importers: &mut [&mut dyn Importer] = &mut [&mut camera, &mut screen];
    let heaps = candidates(&registry);
    let found = probe(&heaps, importers, &wanted(), &mut Answers::none());
    let expected = [("more", true), ("carved", true), ("pages", false)];
    assert_eq!(ranking(&found), expected, "scattered first, refused last");
    assert_eq!(found.best().unwrap().heap.name(), "more");
    assert_eq!(found.importers, ["camera", "screen"]);

    camera.now_takes(&["carved"]);
    screen.now_takes(&["more"]);
    let importers: &mut [&mut dyn Importer] = &mut [&mut camera, &mut screen];
    let found = probe(&heaps, importers, &wanted(), &mut Answers::none());
    assert!(found.best().is_none());
    let refusals: Vec<Vec<_>> = found
        .ranked
        .iter()
        .map(|verdict| match &verdict.outcome {
            Err(Unfit::Refused(refused)) => refused.iter().map(|no| no.device.as_str()).collect(),
            other => panic!("{other:?}"),
        })
        .collect();
    // pages, more, carved: who said no.
    assert_eq!(
        refusals,
        [vec!["camera", "screen"], vec!["camera"], vec!["screen"]]
    );
    for heap in registry.heaps() {
        let usage = heap.stats().usage;
        assert_eq!((usage.live, usage.total), (0, 6), "{heap:?}");
    }
    for device in [&camera, &screen] {
        assert!(
            device.held.lock().unwrap().is_none(),
            "{} holds frames",
            device.name
        );
    }
}

#[test]
fn a_heap_without_memory_says_so_and_the_others_are_asked() {
    let registry = heaps();
    registry
        .open("pages")
        .unwrap()
        .set_budget(dmaflow_core::heap::Budget {
            buffers: Some(2),
            ..Default::default()
        });
    let mut camera = Device::new("camera", &["carved", "pages", "more"]);
    let importers: &mut [&mut dyn Importer] = &mut [&mut camera];
    let heaps = candidates(&registry);
    let found = probe(&heaps, importers, &wanted(), &mut Answers::none());
    assert_eq!(
        ranking(&found),
        [("more", true), ("carved", true), ("pages", false)]
    );
    let full = &found.ranked[2];
    assert!(matches!(full.outcome, Err(Unfit::NoBuffers(_))), "{full:?}");
    assert!(full.allocation.is_none() && found.ranked[0].allocation.is_some());
    assert_eq!(registry.open("pages").unwrap().stats().usage.live, 0);
}

#[test]
fn what_is_known_is_not_asked_again() {
    let (registry, scratch) = (heaps(), Scratch::new("known"));
    let mut camera = Device::new("camera", &["carved"]);
    let heaps = candidates(&registry);
    let mut ask = |wanted: &Wanted, answers: &mut Answers| {
        let importers: &mut [&mut dyn Importer] = &mut [&mut camera];
        let found = probe(&heaps, importers, wanted, answers);
        let verdicts = found.ranked.iter();
        let told: Vec<_> = verdicts
            .map(|verdict| format!("{:?}", verdict.outcome))
            .collect();
        (camera.asked().len(), told)
    };
    let allocated = || -> u64 { registry.heaps().map(|heap| heap.stats().usage.total).sum() };
    let (asked, first) = ask(&wanted(), &mut scratch.answers());
    assert_eq!((asked, allocated()), (3, 9));
    let (asked, again) = ask(&wanted(), &mut scratch.answers());
    assert_eq!(
        (asked, allocated()),
        (0, 9),
        "no device and no heap was touched"
    );
    assert_eq!(first, again, "the same ranking for the same reasons");
    let (asked, _) = ask(&wanted(), &mut scratch.answers().fresh());
    assert_eq!(asked, 3);
    let larger = Wanted {
        buffers: 4,
        ..wanted()
    };
    assert_eq!(ask(&larger, &mut scratch.answers()).0, 3);
    assert_eq!(ask(&wanted(), &mut scratch.answers()).0, 0, "both are kept");
}

fn prepared(screen: &Device, heaps: &HeapRegistry, answers: Answers) -> Result<Pipeline, String> {
    let source = TestSrc::new(TestSrcConfig {
        width: 80,
        height: 16,
        ..TestSrcConfig::default()
    });
    Pipeline::link(("source", source), ("screen", Screen(screen.clone())))
        .answers(answers)
        .prepare(heaps)
        .map_err(|error| error.to_string())
}

/// What drivers do not check is checked before they are asked.
#[test]
fn what_a_driver_does_not_say_counts() {
    let registry = heaps();
    let mut screen = Device::new("screen", &["pages", "more", "carved"]);
    prepared(&screen, &registry, Answers::none()).unwrap();
    assert!(!screen.asked().is_empty());
    // Its pictures are of 64 columns.
    screen.driver = Some("rkvdec");
    let error = prepared(&screen, &registry, Answers::none());
    let error = error.err().expect("no width in common");
    assert!(screen.asked().is_empty(), "it would have said yes");
    for part in [
        "`source` offers 80 wide; `screen` takes from 64 by 64 wide",
        "widths by 64 pixels",
        "rkvdec.c",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn negotiation_passes_over_what_was_refused_and_trusts_nothing() {
    let (registry, scratch) = (heaps(), Scratch::new("negotiation"));
    let screen = Device::new("screen", &["more", "carved"]);
    let chosen = |pipeline: &Pipeline| pipeline.agreement().pool().heap.clone();
    let first = prepared(&screen, &registry, scratch.answers()).unwrap();
    assert_eq!(chosen(&first), "more");
    assert_eq!(screen.asked(), ["pages", "more"]);
    drop(first);

    let second = prepared(&screen, &registry, scratch.answers()).unwrap();
    assert_eq!(chosen(&second), "more");
    assert_eq!(screen.asked(), ["more"], "the winner is imported for real");
    let refusals = &second.agreement().refusals;
    assert_eq!(refusals[0].heap.as_deref(), Some("pages"));
    assert!(
        refusals[0]
            .reason
            .to_string()
            .contains("it does not like it")
    );
    drop(second);

    // The device is another one under its old name: nothing that it said counts.
    screen.now_takes(&["pages"]);
    let third = prepared(&screen, &registry, scratch.answers()).unwrap();
    assert_eq!(chosen(&third), "pages");
    assert_eq!(screen.asked(), ["more", "pages"]);
    assert_eq!(third.agreement().refusals.len(), 0);
    drop(third);
    let fourth = prepared(&screen, &registry, scratch.answers()).unwrap();
    assert_eq!(
        (chosen(&fourth).as_str(), screen.asked().len()),
        ("pages", 1)
    );
    drop(fourth);

    // What nobody takes is asked about every time, so that the reasons are today's.
    screen.now_takes(&[]);
    for _again in 0..2 {
        let error = prepared(&screen, &registry, scratch.answers())
            .err()
            .unwrap();
        assert!(error.contains("it does not like it"), "{error}");
        assert!(
            screen
                .asked()
                .ends_with(&["pages", "more", "carved"].map(str::to_owned))
        );
    }
    for heap in registry.heaps() {
        assert_eq!(heap.stats().usage.live, 0, "{heap:?}");
    }
}

/// What was answered before is doubted as well where a converter has to be put in.
#[cfg(feature = "cpu-convert")]
#[test]
fn nothing_is_trusted_behind_a_converter_either() {
    let (registry, scratch) = (heaps(), Scratch::new("converted"));
    let mut screen = Device::new("screen", &["pages"]);
    screen.format = Some(Format::XRGB8888);
    let converted = || {
        let source = TestSrc::new(TestSrcConfig {
            format: Format::YUYV,
            ..TestSrcConfig::default()
        });
        let ends = (("source", source), ("screen", Screen(screen.clone())));
        let mut chain = Pipeline::link(ends.0, ends.1).answers(scratch.answers());
        chain.set_zero_copy(dmaflow_pipelines::ZeroCopy::Allow);
        let pipeline = chain
            .prepare(&registry)
            .map_err(|error| error.to_string())?;
        let pools = pipeline.agreement().pools.iter();
        Ok::<_, String>(pools.last().unwrap().heap.clone())
    };
    assert_eq!(converted().unwrap(), "pages");
    // What it said last time is not so any more, in one way and the other.
    for takes in ["more", "pages"] {
        screen.now_takes(&[takes]);
        assert_eq!(converted().unwrap(), takes);
    }
    screen.asked();
    screen.now_takes(&[]);
    for _again in 0..2 {
        let error = converted().unwrap_err();
        assert!(error.contains("it does not like it"), "{error}");
        assert!(screen.asked().len() >= 3, "today");
    }
}

#[test]
fn the_order_of_named_heaps_is_the_users() {
    let registry = heaps();
    let screen = Device::new("screen", &["carved", "pages", "more"]);
    let source = TestSrc::new(TestSrcConfig::default());
    let names = ["carved", "pages"].map(str::to_owned).to_vec();
    let pipeline = Pipeline::link(("source", source), ("screen", Screen(screen)))
        .pool(PoolRequest {
            heaps: HeapRequest::Names(names),
            buffers: None,
        })
        .prepare(&registry)
        .unwrap();
    assert_eq!(pipeline.agreement().pool().heap, "carved");
}

#[test]
fn a_pipeline_that_is_probed_finds_what_it_would_take() {
    let registry = heaps();
    let screen = Device::new("screen", &["carved", "more"]);
    let source = TestSrc::new(TestSrcConfig::default());
    let mut builder = Pipeline::link(("source", source), ("screen", Screen(screen.clone())));
    let probes = builder.probe(&candidates(&registry)).unwrap();
    assert_eq!(probes.len(), 1);
    let best = probes[0].best().unwrap().heap.name().to_owned();
    assert!(screen.held.lock().unwrap().is_none());
    let pipeline = builder.prepare(&registry).unwrap();
    assert_eq!(pipeline.agreement().pool().heap, best);
    assert_eq!(
        pipeline.agreement().pool().buffers,
        probes[0].wanted.buffers
    );
}
