//! Streams that real encoders make, and what ffmpeg says of their headers: what decoders are
//! tested with.
//!
//! ```text
//!   target/streams/h264_main.h264          a stream
//!   target/streams/h264_main.h264.trace    every field of its headers
//!   target/streams/h264_main.h264.order    which of its pictures are shown when
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::packages::{Purpose, ensure_installed};
use crate::workspace;

/// The environment variable that tells tests where the streams are.
pub(crate) const VARIABLE: &str = "DMAFLOW_STREAMS";

/// A stream by its file's name, and what ffmpeg is told to make it.
struct Recipe {
    name: &'static str,
    encoder: &'static str,
}

const SIZE: &str = "176x144";

/// Pictures of a stream: some groups of them.
const PICTURES: &str = "12";

/// Streams of parts, one after the other, whose pictures are of these sizes; the second's are all
/// coded alike, and less of some is to be seen.
const SIZES: [(&str, &[&str]); 2] = [
    ("sizes.h264", &[SIZE, "240x176", SIZE]),
    ("windows.h264", &[SIZE, "176x136", SIZE]),
];
const SIZES_ENCODER: &str = "libx264 -bf 2 -g 12";

const RECIPES: [Recipe; 20] = [
    recipe("h264_baseline.h264", "libx264 -profile:v baseline -g 6"),
    recipe("h264_main.h264", "libx264 -profile:v main -bf 2 -g 12"),
    recipe(
        "h264_high.h264",
        "libx264 -profile:v high -bf 3 -g 12 -x264-params slices=4:b-pyramid=strict:weightp=2:cqm=jvt",
    ),
    recipe(
        "h264_interlaced.h264",
        "libx264 -profile:v high -bf 2 -g 12 -flags +ilme+ildct",
    ),
    recipe(
        "hevc_main.h265",
        "libx265 -x265-params log-level=error:keyint=6:bframes=3:b-pyramid=1:pools=1",
    ),
    recipe(
        "hevc_slices.h265",
        "libx265 -x265-params log-level=error:keyint=12:slices=3:wpp=1:ctu=16:bframes=2:pools=1",
    ),
    recipe(
        "hevc_lists.h265",
        "libx265 -x265-params log-level=error:keyint=12:scaling-list=default:amp=1:rect=1:pools=1",
    ),
    recipe(
        "hevc_main10.h265",
        "libx265 -pix_fmt yuv420p10le -x265-params log-level=error:keyint=12:bframes=3:pools=1",
    ),
    recipe(
        "vp8_plain.ivf",
        "libvpx -deadline good -cpu-used 4 -b:v 200k -g 8",
    ),
    recipe(
        "vp8_altref.ivf",
        "libvpx -deadline good -cpu-used 4 -b:v 200k -auto-alt-ref 1 -lag-in-frames 8",
    ),
    recipe(
        "vp8_parts.ivf",
        "libvpx -deadline good -cpu-used 4 -b:v 200k -slices 4",
    ),
    recipe("vp9_plain.ivf", "libvpx-vp9 -cpu-used 5 -b:v 200k -g 8"),
    recipe(
        "vp9_altref.ivf",
        "libvpx-vp9 -cpu-used 5 -b:v 200k -auto-alt-ref 1 -lag-in-frames 10",
    ),
    recipe(
        "vp9_10bit.ivf",
        "libvpx-vp9 -pix_fmt yuv420p10le -cpu-used 5 -b:v 200k",
    ),
    recipe("mpeg2_main.m2v", "mpeg2video -bf 2 -g 6 -b:v 1M"),
    recipe(
        "mpeg2_interlaced.m2v",
        "mpeg2video -bf 1 -g 12 -flags +ildct+ilme -alternate_scan 1 -b:v 1M",
    ),
    recipe(
        "mpeg2_422.m2v",
        "mpeg2video -pix_fmt yuv422p -bf 2 -b:v 1M -dc 10",
    ),
    recipe("av1_main.obu", "libaom-av1 -cpu-used 8 -b:v 200k -g 8"),
    recipe(
        "av1_tiles.obu",
        "libaom-av1 -cpu-used 8 -b:v 200k -s 256x192 -tiles 2x2",
    ),
    recipe(
        "av1_10bit.obu",
        "libaom-av1 -cpu-used 8 -pix_fmt yuv420p10le -b:v 200k",
    ),
];

const fn recipe(name: &'static str, encoder: &'static str) -> Recipe {
    Recipe { name, encoder }
}

/// Makes the streams, unless they were made by these recipes; the directory they are in.
pub(crate) fn made(root: &Path) -> Result<PathBuf> {
    let directory = workspace::target(root).join("streams");
    let _held = workspace::claim(&directory)?;
    let recipes: Vec<String> = RECIPES
        .iter()
        .map(|recipe| format!("{}: {}\n", recipe.name, recipe.encoder))
        .collect();
    let recipes = format!(
        "{SIZE} {PICTURES}\n{SIZES:?} {SIZES_ENCODER}\n{}",
        recipes.concat()
    );
    let stamp = directory.join("recipes");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == recipes) {
        return Ok(directory);
    }
    ensure_installed(&[Purpose::Streams])?;
    for left in fs::read_dir(&directory)? {
        let left = left?.path();
        // The claim's own file begins with a dot.
        if left
            .file_name()
            .is_some_and(|name| !name.to_string_lossy().starts_with('.'))
        {
            fs::remove_file(left)?;
        }
    }
    println!("making {} streams to decode", RECIPES.len() + SIZES.len());
    for recipe in &RECIPES {
        make(&directory, recipe).with_context(|| format!("cannot make {}", recipe.name))?;
    }
    for (name, sizes) in SIZES {
        make_sizes(&directory, name, sizes)?;
    }
    fs::write(stamp, recipes)?;
    Ok(directory)
}

fn make(directory: &Path, recipe: &Recipe) -> Result<()> {
    let name = recipe.name;
    encode(directory, SIZE, recipe.encoder, name)?;
    let trace = File::create(directory.join(format!("{name}.trace")))?;
    let trace_headers = [
        "-hide_banner",
        "-nostats",
        "-i",
        name,
        "-c",
        "copy",
        "-bsf:v",
        "trace_headers",
        "-f",
        "null",
        "-",
    ];
    // There is no trace of VP8's headers.
    if !name.starts_with("vp8") {
        run(Command::new("ffmpeg")
            .args(trace_headers)
            .stderr(trace)
            .current_dir(directory))?;
    }
    if name.starts_with("h264") {
        let order = File::create(directory.join(format!("{name}.order")))?;
        let asked = [
            "-v",
            "error",
            "-show_entries",
            "frame=coded_picture_number",
            "-of",
            "csv=p=0",
            name,
        ];
        run(Command::new("ffprobe")
            .args(asked)
            .stdout(order)
            .current_dir(directory))?;
    }
    Ok(())
}

/// A stream whose pictures change their size.
fn make_sizes(directory: &Path, name: &str, sizes: &[&str]) -> Result<()> {
    let mut all = Vec::new();
    for size in sizes {
        encode(directory, size, SIZES_ENCODER, "part.h264")?;
        all.extend(fs::read(directory.join("part.h264"))?);
    }
    fs::remove_file(directory.join("part.h264"))?;
    fs::write(directory.join(name), all)?;
    Ok(())
}

fn encode(directory: &Path, size: &str, encoder: &str, name: &str) -> Result<()> {
    let pictures = format!("testsrc2=size={size}:rate=25");
    run(Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
        ])
        .args([&pictures, "-frames:v", PICTURES, "-threads", "1", "-c:v"])
        .args(encoder.split(' '))
        .arg(name)
        .current_dir(directory))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
