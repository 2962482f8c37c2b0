//! Streams that are cut or have turned bits, many by seed, through whatever decodes them: a run
//! ends, with pictures or with an error that says where, and nothing is left.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it tried"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_codecs::{V4l2Decoder, V4l2DecoderConfig};
use dmaflow_core::format::Format;
use dmaflow_files::{FileSrc, FileSrcConfig};
use dmaflow_kms_sink::NullSink;
use dmaflow_pipelines::{AnyStage, Builder, Limits, QueuePolicy};
use dmaflow_testbed::{Board, DmaBufs, Modules, Run, dmaflow, open_files};

/// The longest that a run of a few frames may take on a busy machine.
const WATCHDOG: Duration = Duration::from_secs(60);

/// How many streams are tried a codec, unless `DMAFLOW_SEEDS` says.
const SEEDS: u64 = 20;

fn seeds() -> u64 {
    let seeds = std::env::var("DMAFLOW_SEEDS").ok();
    seeds.map_or(SEEDS, |seeds| seeds.parse().unwrap())
}

/// A number that follows from another, each bit of it.
fn scattered(number: u64) -> usize {
    let number = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    usize::try_from(number ^ number >> 31).unwrap()
}

/// A stream without its end, or with turned bits: every fourth in what lies at its beginning,
/// headers as a rule.
fn damaged(stream: &[u8], seed: u64) -> Vec<u8> {
    let mut stream = stream.to_vec();
    let within = if seed % 4 == 1 { 200 } else { stream.len() };
    if seed.is_multiple_of(4) {
        stream.truncate(scattered(seed) % stream.len());
        return stream;
    }
    for turn in 0..1 + seed % 7 {
        let place = scattered(seed << 8 | turn);
        stream[(place >> 3) % within] ^= 1 << (place & 7);
    }
    stream
}

/// What became of a run.
#[derive(Debug)]
enum End {
    /// It went well, with so many pictures.
    Shown(u64),
    /// With this error.
    Failed(String),
}

/// An error and what caused it, as the program tells it.
fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

/// Plays a file, however that ends.
fn play(path: &Path, device: &str, format: Option<Format>) -> End {
    let config = FileSrcConfig {
        paced: false,
        ..FileSrcConfig::new(path.to_owned())
    };
    let source = match FileSrc::open(config) {
        Ok(source) => source,
        Err(error) => return End::Failed(chain(&error)),
    };
    let decoder = V4l2DecoderConfig {
        device: Some(device.to_owned()),
        format,
        ..V4l2DecoderConfig::default()
    };
    let mut graph = Builder::new();
    let file = graph.add("file", AnyStage::source(source));
    let decoder = AnyStage::transform(V4l2Decoder::open(&decoder).unwrap());
    let decoder = graph.add("decoder", decoder);
    let sink = graph.add("sink", AnyStage::sink(NullSink::default()));
    let depth = NonZeroUsize::MIN;
    graph.connect(file, decoder, QueuePolicy::Block { depth });
    graph.connect(decoder, sink, QueuePolicy::Block { depth });
    let mut pipeline = match graph.prepare(&dmaflow_heaps::registry()) {
        Ok(pipeline) => pipeline,
        Err(error) => return End::Failed(chain(&error)),
    };
    match pipeline.run(Limits::default()) {
        Ok(report) => {
            assert_eq!(report.unaccounted(), 0, "{report:?}");
            End::Shown(report.shown)
        }
        Err(error) => {
            assert_eq!(error.report.unaccounted(), 0, "{error:?}");
            End::Failed(chain(&error))
        }
    }
}

/// The same, which has to end in time.
fn watched(path: &Path, device: &'static str, format: Option<Format>) -> End {
    let (told, end) = mpsc::channel();
    let path = path.to_owned();
    // It is not joined where it does not end: neither would the test.
    let run = thread::spawn(move || told.send(play(&path, device, format)));
    let end = end
        .recv_timeout(WATCHDOG)
        .expect("the run ends, and does not panic");
    drop(run.join());
    end
}

/// Whether an error tells where in the stream, or that there is no beginning of one.
fn says_where(error: &str) -> bool {
    let places = ["byte ", "bit ", "unit ", "packet ", "picture "];
    let wholes = [
        "found no beginning of a stream",
        "does not say how large its pictures are",
        "no key packet to begin with",
        "is empty",
        // Before anything flows: of the size that the first header claims.
        "devices refuse all that fits",
        "and the pool's frames are",
        "; the nearest it has: ",
        "no file of a known format",
    ];
    let is_numbered = |place: &&str| {
        let mut behind = error.split(*place).skip(1);
        behind.any(|behind| behind.starts_with(|first: char| first.is_ascii_digit()))
    };
    places.iter().any(is_numbered) || wholes.iter().any(|said| error.contains(said))
}

/// Plays so many damaged streams.
fn try_all(stream: &Path, device: &'static str, format: Option<Format>) {
    let whole = fs::read(stream).unwrap();
    let ending = stream.extension().unwrap().to_str().unwrap();
    let path = PathBuf::from(format!("/tmp/damaged.{ending}"));
    let (mut ended, mut pictures) = (0, 0);
    let mut failed: BTreeMap<bool, Vec<String>> = BTreeMap::new();
    let began = Instant::now();
    let (files, buffers) = (open_files(), DmaBufs::now());
    for seed in 0..seeds() {
        fs::write(&path, damaged(&whole, seed)).unwrap();
        match watched(&path, device, format) {
            End::Shown(shown) => {
                ended += 1;
                pictures += shown;
            }
            End::Failed(error) => {
                let told = format!("seed {seed}: {error}");
                failed.entry(says_where(&error)).or_default().push(told);
            }
        }
        assert_eq!(open_files(), files, "seed {seed}");
    }
    buffers.assert_none_since();
    let nowhere = failed.remove(&false).unwrap_or_default();
    println!(
        "{}: {} seeds in {:.1?}: {ended} ended with {pictures} pictures, {} failed",
        stream.file_name().unwrap().display(),
        seeds(),
        began.elapsed(),
        failed.values().flatten().count()
    );
    assert!(
        nowhere.is_empty(),
        "errors without a place:\n{}",
        nowhere.join("\n")
    );
    assert!(ended > 0 && pictures > 0, "nothing came of any: {failed:?}");
}

#[test]
fn damaged_streams_of_fwht_end() {
    let name = "damaged_streams_of_fwht_end";
    let Some(_board) = Board::for_test_on(&["pc", "rockchip"], name) else {
        return;
    };
    let codecs = Modules::load(&["vicodec"]);
    let record = "test-src width=640 height=360 rate=25 frames=4 \
                  ! v4l2-encode device=vicodec queue=block ! file-sink path=/tmp/whole.fwht";
    Run::of(&mut dmaflow(&["run", record, "--json"])).assert_went_well();
    try_all(
        Path::new("/tmp/whole.fwht"),
        "vicodec",
        Some(Format::XRGB8888),
    );
    drop(codecs);
}

#[test]
fn damaged_streams_of_every_format_end() {
    let name = "damaged_streams_of_every_format_end";
    let Some(_board) = Board::for_test_on(&["rockchip"], name) else {
        return;
    };
    let modules = Modules::load(&["visl"]);
    let streams = std::env::var_os("DMAFLOW_STREAMS");
    let streams = PathBuf::from(streams.expect("`cargo xtask streams` made some"));
    for stream in [
        "h264_high.h264",
        "h264_interlaced.h264",
        "sizes.h264",
        "windows.h264",
        "hevc_main.h265",
        "hevc_slices.h265",
        "vp8_altref.ivf",
        "vp9_altref.ivf",
        "mpeg2_interlaced.m2v",
        "av1_main.obu",
    ] {
        try_all(&streams.join(stream), "visl", None);
    }
    drop(modules);
}
