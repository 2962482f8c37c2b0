//! Every kind of camera, with every heap, on every display: copy-free with the right pixels, or
//! refused with the true cause.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use dmaflow_core::format::Format;
use dmaflow_core::frame::Frame;
use dmaflow_core::stage::{Filter, StageError};
use dmaflow_core::time::Rate;
use dmaflow_core::with_causes;
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig, PictureSink, PictureSinkConfig, displays};
use dmaflow_pipelines::error::RefusalReason;
use dmaflow_pipelines::{
    AnyStage, Builder, HeapRequest, Limits, PipelineError, PoolRequest, QueuePolicy,
};
use dmaflow_testbed::bars::{wrong_in_frame, wrong_in_picture};
use dmaflow_testbed::{Board, Cameras, DmaBufs, HugePages, open_files};
use dmaflow_v4l2_src::{V4l2Src, V4l2SrcConfig};

const FRAMES: u64 = 4;
const PIXELS: u64 = 640 * 480;

/// Planes of vivid's `multiplanar`, and whether it wants contiguous memory.
const CAMERAS: [(&str, (u32, bool)); 4] = [
    ("single vmalloc", (1, false)),
    ("multi vmalloc", (2, false)),
    ("single contig", (1, true)),
    ("multi contig", (2, true)),
];

const HEAPS: [&str; 6] = [
    "system",
    "default_cma_region",
    "udmabuf",
    "udmabuf-huge",
    "memfd",
    "any",
];

/// Where a cell's frames end.
#[derive(Clone, Debug)]
enum Display {
    /// A card, what it is to be given, and whether it tells what it showed.
    Card(String, Format, bool),
    Picture,
}

impl Display {
    fn title(&self) -> String {
        match self {
            Self::Card(card, format, _) => format!("{card} {format}"),
            Self::Picture => "picture".to_owned(),
        }
    }

    fn stage(&self) -> AnyStage {
        match self {
            Self::Card(card, _, verified) => {
                let config = KmsSinkConfig {
                    card: Some(card.clone()),
                    verify: NonZeroU32::new(u32::from(*verified)),
                    ..KmsSinkConfig::default()
                };
                AnyStage::sink(KmsSink::open(config).unwrap())
            }
            Self::Picture => AnyStage::sink(PictureSink::new(PictureSinkConfig {
                path: picture(),
                every: NonZeroU64::MIN,
            })),
        }
    }
}

fn picture() -> PathBuf {
    std::env::temp_dir().join("dmaflow-matrix.png")
}

/// Looks at each frame on its way to the display, in the memory that the display reads.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Watched>>);

#[derive(Default)]
struct Watched {
    wrong: Vec<String>,
    inodes: BTreeSet<u64>,
}

impl Filter for Watch {
    fn pass(&mut self, frame: Frame) -> Result<Option<Frame>, StageError> {
        let wrong = wrong_in_frame(&frame).map_err(StageError::failed)?;
        let mut watched = self.0.lock().unwrap();
        watched.wrong.extend(wrong);
        let buffers = frame.buffers().iter();
        watched
            .inodes
            .extend(buffers.map(|buffer| buffer.id().inode()));
        drop(watched);
        Ok(Some(frame))
    }
}

/// What a cell came to.
enum Cell {
    /// Right pixels and no copy: of which format, in which heap.
    Right(String),
    /// In a few words, and all that was said.
    Refused(String, String),
    Wrong(String),
}

impl Cell {
    fn short(&self) -> &str {
        match self {
            Self::Right(how) => how,
            Self::Refused(short, _) => short,
            Self::Wrong(_) => "WRONG",
        }
    }

    /// What is wrong with it, by what is known of cameras and heaps.
    fn objection(&self, (contiguous, heap): (bool, &str), board: &Board) -> Option<String> {
        let cause = cause(contiguous, heap, board);
        match (self, cause) {
            (Self::Wrong(why), _) => Some(why.clone()),
            (Self::Right(_), None | Some(Cause::Scattered)) => None,
            (Self::Right(_), Some(cause)) => Some(format!("taken in spite of {cause:?}")),
            (Self::Refused(_, said), None) => Some(format!("refused without a cause: {said}")),
            (Self::Refused(_, said), Some(cause)) => {
                let heap = format!("`{heap}`");
                let parts = cause.words().iter().copied().chain([&*heap]);
                let missing: Vec<_> = parts.filter(|part| !said.contains(part)).collect();
                (!missing.is_empty()).then(|| format!("{missing:?} not in: {said}"))
            }
        }
    }
}

/// Why a camera cannot have a heap's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// It is no dma-buf.
    NotImportable,
    /// The driver of an older kernel sees other pages than the display.
    HugePages,
    /// By chance a buffer's pages are neighbours all the same, and it is taken rightly.
    Scattered,
}

impl Cause {
    /// What a refusal says of it.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::NotImportable => &["devices cannot import it"],
            Self::HugePages => &["mapped by its driver", "before Linux 6.16", "huge pages"],
            Self::Scattered => &["vivid", "VIDIOC_QBUF", "EFAULT", "contiguous", "scattered"],
        }
    }
}

fn cause(contiguous: bool, heap: &str, board: &Board) -> Option<Cause> {
    match heap {
        "memfd" => Some(Cause::NotImportable),
        "udmabuf-huge" if board.kernel < (6, 16) => Some(Cause::HugePages),
        "system" | "udmabuf" if contiguous => Some(Cause::Scattered),
        _ => None,
    }
}

fn cell(camera: usize, heap: &str, display: &Display) -> Cell {
    let format = match display {
        Display::Card(_, format, _) => *format,
        Display::Picture => Format::NV12,
    };
    let source = V4l2Src::open(V4l2SrcConfig {
        device: Some(Cameras::device(camera)),
        format: Some(format),
        size: Some((640, 480)),
        rate: Rate::new(30, 1),
        ..V4l2SrcConfig::default()
    });
    let watch = Watch::default();
    let mut graph = Builder::new();
    let source = graph.add("camera", AnyStage::source(source.unwrap()));
    let filter = graph.add("watch", AnyStage::filter(watch.clone()));
    let sink = graph.add("screen", display.stage());
    graph.connect(source, filter, QueuePolicy::Latest);
    graph.connect(filter, sink, QueuePolicy::Latest);
    if heap != "any" {
        let heaps = HeapRequest::Names(vec![heap.to_owned()]);
        let buffers = None;
        graph.set_pool(source, PoolRequest { heaps, buffers });
    }
    let mut pipeline = match graph.prepare(&dmaflow_heaps::registry()) {
        Ok(pipeline) => pipeline,
        Err(error) => return refused(&error),
    };

    let report = pipeline.run(Limits {
        frames: Some(FRAMES),
        ..Limits::default()
    });
    let report = match report {
        Ok(report) => report,
        Err(error) => return Cell::Wrong(with_causes(&error)),
    };
    let watched = watch.0.lock().unwrap();
    if let Some(wrong) = watched.wrong.first() {
        return Cell::Wrong(format!("in memory: {wrong}"));
    }
    let agreed = pipeline.agreement();
    let pool: BTreeSet<_> = (pipeline.pool().buffers().flatten())
        .map(|buffer| buffer.id().inode())
        .collect();
    let mut checks = vec![
        ("all are captured", report.captured == FRAMES),
        ("all are accounted for", report.unaccounted() == 0),
        ("some are shown", report.shown > 0),
        ("some are looked at", !watched.inodes.is_empty()),
        ("they lie in the pool", watched.inodes.is_subset(&pool)),
        ("nobody draws", report.cpu.drawn == 0),
    ];
    match display {
        Display::Card(_, _, verified) => {
            checks.extend([
                ("zero copies agreed on", agreed.zero_copy),
                ("zero copies", report.cpu.copied == 0),
            ]);
            if *verified {
                let counter = |name| report.counter(name).unwrap_or_default();
                let (compared, pixels) = (counter("verified"), counter("verified_pixels"));
                checks.extend([
                    ("some are compared", compared > 0),
                    ("all pixels are compared", pixels == compared * PIXELS),
                    ("no pixel differs", counter("differing_pixels") == 0),
                ]);
            }
        }
        Display::Picture => {
            if let Some(wrong) = wrong_in_picture(&picture()) {
                return Cell::Wrong(format!("in the picture: {wrong}"));
            }
            std::fs::remove_file(picture()).unwrap();
        }
    }
    if let Some((what, _)) = checks.into_iter().find(|(_, holds)| !holds) {
        return Cell::Wrong(format!("it does not hold that {what}: {report:?}"));
    }
    let (format, heap) = (agreed.pool().plan.layout.format(), &agreed.pool().heap);
    Cell::Right(format!("{format} {heap}"))
}

/// A refusal in a few words, and whole.
fn refused(error: &PipelineError) -> Cell {
    let short = match error {
        PipelineError::Unsolvable(_) => "no heap will do".to_owned(),
        PipelineError::Refused(refusals) => {
            let said = refusals.iter().map(|refusal| match &refusal.reason {
                RefusalReason::Stage(StageError::Refused(refused)) => {
                    format!("{} by {}", refused.errno, refused.call)
                }
                other => other.to_string(),
            });
            let said: BTreeSet<_> = said.collect();
            Vec::from_iter(said).join(", ")
        }
        other => return Cell::Wrong(with_causes(other)),
    };
    Cell::Refused(short, with_causes(error))
}

/// What this board has to show frames on.
fn all_displays(board: &Board) -> Vec<Display> {
    let monitor = displays().into_iter().find_map(|card| {
        let card = card.card.ok()?;
        (card.driver != "vkms").then_some(card.driver)
    });
    let vkms = |format, verified| Display::Card("vkms".to_owned(), format, verified);
    let mut all = vec![vkms(Format::XRGB8888, true)];
    // The driver of older kernels has no planes for YUV.
    if board.kernel >= (6, 18) {
        all.push(vkms(Format::NV12, false));
    }
    let monitor = monitor.expect("this profile has a monitor");
    all.push(Display::Card(monitor, Format::XRGB8888, false));
    all.push(Display::Picture);
    all
}

/// A line a camera and heap, a column a display.
fn table(displays: &[Display], rows: &[(String, Vec<Cell>)]) -> String {
    let mut lines = vec![vec!["camera, heap".to_owned()]];
    lines[0].extend(displays.iter().map(Display::title));
    for (name, cells) in rows {
        let mut line = vec![name.clone()];
        line.extend(cells.iter().map(|cell| cell.short().to_owned()));
        lines.push(line);
    }
    let widths: Vec<_> = (0..lines[0].len())
        .map(|column| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        })
        .collect();
    let mut table = String::new();
    for line in lines {
        for (text, width) in line.iter().zip(&widths) {
            write!(table, "{text:width$}  ").unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn every_camera_with_every_heap_on_every_display() {
    let Some(board) = Board::for_test_on(&["pc"], "every_camera_with_every_heap_on_every_display")
    else {
        return;
    };
    let cameras = Cameras::load(&CAMERAS.map(|(_name, camera)| camera));
    let huge_pages = HugePages::reserve(16);
    let (buffers, files) = (DmaBufs::now(), open_files());
    let displays = all_displays(&board);
    let (mut rows, mut reasons, mut wrong) = (Vec::new(), BTreeSet::new(), Vec::new());
    for (camera, (name, (_planes, contiguous))) in CAMERAS.into_iter().enumerate() {
        for heap in HEAPS {
            let cells: Vec<_> = (displays.iter())
                .map(|display| cell(camera, heap, display))
                .collect();
            for (cell, display) in cells.iter().zip(&displays) {
                if let Cell::Refused(_, said) = cell {
                    reasons.insert(said.clone());
                }
                let objection = cell.objection((contiguous, heap), &board);
                let title = display.title();
                wrong.extend(objection.map(|why| format!("{name}, {heap}, {title}: {why}")));
            }
            rows.push((format!("{name}, {heap}"), cells));
        }
    }
    println!("\n{}", table(&displays, &rows));
    reasons.iter().for_each(|reason| println!("{reason}"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Each cause was met, but for the one of older kernels.
    let met = |cause: Cause| {
        let mut reasons = reasons.iter();
        reasons.any(|said| cause.words().iter().all(|word| said.contains(word)))
    };
    assert!(met(Cause::NotImportable) && met(Cause::Scattered));
    assert_eq!(met(Cause::HugePages), board.kernel < (6, 16));
    buffers.assert_none_since();
    assert_eq!(open_files(), files);
    drop((huge_pages, cameras));
}
