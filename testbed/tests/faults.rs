//! Memory that runs out anywhere: each try ends in success or in a clear error, and leaves
//! nothing behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::iter;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{FramePool, PoolError};
use dmaflow_core::heap::{AllocError, Heap, HeapBuffer, HeapRegistry};
use dmaflow_core::stage::{Sink, Source, SourcePlan, StageError};
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_testbed::{Board, DmaBufs, Faults, open_files};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};
use nix::sys::resource::{Resource, getrlimit};

/// Tries on profile `pc`, and on the others, which differ in the camera only.
const RUNS: (u32, u32) = (10_000, 2_000);

type Outcome = Result<(), Box<dyn Error>>;

/// Something that is tried with faults in it.
struct Scenario<'a> {
    name: String,
    /// What an error must name.
    names: Vec<String>,
    work: Box<dyn FnMut() -> Outcome + 'a>,
}

/// What came of the tries.
#[derive(Debug, Default)]
struct Tally {
    runs: u32,
    with_faults: u32,
    successes: u32,
    errors: BTreeMap<String, u32>,
    refused_by_vb2: usize,
}

fn mappings() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of_buffers = |line: &&str| line.contains("dmabuf") || line.contains("memfd:");
    maps.lines().filter(of_buffers).count()
}

impl Tally {
    fn count(&mut self, scenario: &Scenario<'_>, outcome: Outcome, files: usize) {
        self.runs += 1;
        match outcome {
            Ok(()) => self.successes += 1,
            Err(error) => {
                let text = whole(&*error);
                let clear = scenario
                    .names
                    .iter()
                    .any(|name| text.contains(name.as_str()));
                assert!(clear, "{}: not clear: {text}", scenario.name);
                let usual = [Errno::ENOMEM, Errno::EFAULT, Errno::EINVAL, Errno::ENOSPC];
                let errno = errno(&*error).filter(|errno| usual.contains(errno));
                assert!(errno.is_some(), "{}: {text}", scenario.name);
                let errno = errno.map(|errno| errno.to_string()).unwrap_or_default();
                self.refused_by_vb2 += usize::from(text.contains("VIDIOC_QBUF gave ENOMEM"));
                *self.errors.entry(errno).or_default() += 1;
            }
        }
        assert_eq!(open_files(), files, "{}: files left open", scenario.name);
        assert_eq!(mappings(), 0, "{}: mappings left", scenario.name);
    }
}

type Cause = dyn Error + 'static;

/// An error and what is behind it.
fn chain(error: &Cause) -> impl Iterator<Item = &Cause> {
    fn behind<'a>(error: &&'a Cause) -> Option<&'a Cause> {
        (*error).source()
    }
    iter::successors(Some(error), behind)
}

fn whole(error: &Cause) -> String {
    let texts: Vec<_> = chain(error).map(ToString::to_string).collect();
    texts.join(": ")
}

/// The kernel's number in an error, wherever in its chain.
fn errno(error: &Cause) -> Option<Errno> {
    chain(error).find_map(|error| {
        if let Some(error) = error.downcast_ref::<AllocError>() {
            return Some(error.errno());
        }
        match error.downcast_ref::<StageError>() {
            Some(StageError::Refused(refused)) => Some(refused.errno),
            _ => error.downcast_ref::<Errno>().copied(),
        }
    })
}

fn allocate_and_map(heap: &Heap, len: usize) -> Outcome {
    let buffer = heap.allocate(len)?;
    let mut bytes = buffer.write(CpuUse::Draw)?;
    let last = bytes.len() - 1;
    assert_eq!((bytes[0], bytes[last]), (0, 0), "memory that is not zeroed");
    (bytes[0], bytes[last]) = (1, 2);
    drop(bytes);
    let bytes = buffer.read(CpuUse::Inspect)?;
    assert_eq!((bytes[0], bytes[last]), (1, 2));
    Ok(())
}

fn pool(heap: &Heap, plan: &SourcePlan) -> Result<FramePool, PoolError> {
    FramePool::allocate(heap, &plan.layout, plan.min_buffers.max(2))
}

/// Every heap with everything that is done with its buffers.
fn scenarios<'a>(
    registry: &HeapRegistry,
    camera: &'a std::cell::RefCell<V4l2Src>,
    screen: &'a std::cell::RefCell<KmsSink>,
    plan: &'a SourcePlan,
) -> Vec<Scenario<'a>> {
    let mut all = Vec::new();
    for heap in registry.heaps() {
        for len in [4096, 300_000, 3 << 20] {
            let ours = heap.clone();
            all.push(Scenario {
                name: format!("{len} bytes of `{}`, mapped", heap.name()),
                names: vec![
                    format!("`{}`", heap.name()),
                    "the buffer".to_owned(),
                    "CPU access".to_owned(),
                ],
                work: Box::new(move || allocate_and_map(&ours, len)),
            });
        }
        if !heap.info().importable {
            continue;
        }
        let ours = heap.clone();
        all.push(Scenario {
            name: format!("frames of `{}` queued into vivid", heap.name()),
            names: vec![format!("`{}`", heap.name()), "vivid".to_owned()],
            work: Box::new(move || {
                let pool = pool(&ours, plan)?;
                let mut camera = camera.borrow_mut();
                camera.attach(&pool)?;
                camera.detach();
                Ok(())
            }),
        });
        let ours = heap.clone();
        all.push(Scenario {
            name: format!("frames of `{}` tested on vkms", heap.name()),
            names: vec![format!("`{}`", heap.name()), "vkms".to_owned()],
            work: Box::new(move || {
                let pool = pool(&ours, plan)?;
                let mut screen = screen.borrow_mut();
                screen.attach(&pool)?;
                screen.detach();
                Ok(())
            }),
        });
    }
    all
}

fn camera() -> V4l2Src {
    V4l2Src::open(V4l2SrcConfig {
        device: Some("vivid".to_owned()),
        format: Some(Format::XRGB8888),
        size: Some((320, 180)),
        ..V4l2SrcConfig::default()
    })
    .unwrap()
}

fn screen() -> KmsSink {
    KmsSink::open(KmsSinkConfig {
        card: Some("vkms".to_owned()),
        ..KmsSinkConfig::default()
    })
    .unwrap()
}

/// Takes all there is of a heap. How many buffers that are depends on who else has pages of its
/// area at the moment, and each is a descriptor; some are kept for what is to be tried.
fn filled(heap: &Heap) -> Vec<HeapBuffer> {
    let (descriptors, _hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let most = usize::try_from(descriptors).unwrap() - 200;
    let mut taken = Vec::new();
    for len in [8 << 20, 1 << 20, 64 << 10, 4096] {
        let rest = most.saturating_sub(taken.len());
        taken.extend(iter::from_fn(|| heap.allocate(len).ok()).take(rest));
    }
    taken
}

/// Linux 6.12 leaves the new descriptor open when it cannot copy its number to user space,
/// which is among the places that fail when they are counted.
const COPIES_SAFELY: (u32, u32) = (7, 0);

/// One fault each, at every place where there can be one.
#[expect(clippy::print_stdout, reason = "figures for who reads the run")]
fn one_by_one(
    round: &str,
    faults: &Faults,
    scenarios: &mut [Scenario<'_>],
    tally: &mut Tally,
    files: usize,
) {
    for scenario in scenarios {
        for nth in 1.. {
            let (outcome, happened) = faults.nth(nth, || (scenario.work)());
            tally.count(scenario, outcome, files);
            if !happened {
                println!("{round}: {}: {} places", scenario.name, nth - 1);
                break;
            }
            tally.with_faults += 1;
        }
    }
}

/// Each once, with some of a hundred allocations failing.
fn at_random(faults: &Faults, scenarios: &mut [Scenario<'_>], tally: &mut Tally, files: usize) {
    for scenario in scenarios {
        let percent = 1 + tally.runs % 20;
        let outcome = faults.at_random(percent, || (scenario.work)());
        tally.count(scenario, outcome, files);
    }
}

#[test]
fn memory_may_run_out_anywhere() {
    let Some(board) = Board::for_test("memory_may_run_out_anywhere") else {
        return;
    };
    let runs = if board.is(&["pc"]) { RUNS.0 } else { RUNS.1 };
    let buffers = DmaBufs::now();
    let registry = dmaflow_heaps::registry();
    let camera = std::cell::RefCell::new(camera());
    let screen = std::cell::RefCell::new(screen());
    let plan = camera.borrow_mut().configure(Format::XRGB8888).unwrap();
    let faults = Faults::of_this_thread();
    let mut scenarios = scenarios(&registry, &camera, &screen, &plan);
    let mut tally = Tally::default();

    // Each once without faults: what it needs for good, it has then.
    for scenario in &mut scenarios {
        let outcome = (scenario.work)();
        let told = outcome.map_or_else(|error| whole(&*error), |()| "fine".to_owned());
        println!("{}: {told}", scenario.name);
    }
    let files = open_files();
    let cma = registry.open("default_cma_region").unwrap();
    for round in ["plain", "the CMA full"] {
        let taken = match round {
            "plain" => Vec::new(),
            _ => filled(&cma),
        };
        println!("{round}: {} buffers in the way", taken.len());
        let files = files + taken.len();
        if board.kernel >= COPIES_SAFELY {
            one_by_one(round, &faults, &mut scenarios, &mut tally, files);
        }
        // Several at once, anywhere.
        let until = tally.runs + runs / 4;
        while tally.runs < until {
            at_random(&faults, &mut scenarios, &mut tally, files);
        }
    }
    while tally.runs < runs {
        at_random(&faults, &mut scenarios, &mut tally, files);
    }
    println!("{tally:?}");
    let refused = tally.refused_by_vb2;
    assert!(
        tally.successes > 0 && tally.errors.values().sum::<u32>() > 1000,
        "{tally:?}"
    );
    drop(scenarios);
    drop((camera, screen, cma, registry));
    // `__prepare_dmabuf` of vb2 keeps its reference of a buffer that it could not attach
    // (Linux 7.3, `drivers/media/common/videobuf2/videobuf2-core.c`).
    let lost = buffers.assert_none_reachable_since(refused);
    println!("{lost} buffers lost by the kernel in {refused} refusals of vb2");
}
