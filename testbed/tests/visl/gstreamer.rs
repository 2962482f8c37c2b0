//! GStreamer's stateless decoders, whose parsers have nothing to do with ours, and where they are
//! known to tell a driver something else than the specifications say.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use dmaflow_testbed::TracedControl;

/// The plugins that are needed: to look at all that are installed takes a minute on the board.
const PLUGINS: [&str; 4] = ["coreelements", "ivfparse", "videoparsersbad", "v4l2codecs"];

/// Has GStreamer decode a stream with visl.
pub(crate) fn decode(stream: &Path) {
    let elements = match codec(stream) {
        Codec::H264 => "h264parse ! v4l2slh264dec",
        Codec::Vp8 => "ivfparse ! v4l2slvp8dec",
        Codec::Vp9 => "ivfparse ! vp9parse ! v4l2slvp9dec",
        Codec::Mpeg2 => "mpegvideoparse ! v4l2slmpeg2dec",
    };
    let pipeline = format!(
        "filesrc location={} ! {elements} ! fakesink",
        stream.display()
    );
    let output = Command::new("timeout")
        .args(["60", "gst-launch-1.0", "--quiet", "--no-fault"])
        .args(pipeline.split(' '))
        .env("GST_PLUGIN_SYSTEM_PATH_1_0", plugins())
        .env("GST_REGISTRY_1_0", "/tmp/gstreamer-registry")
        .output()
        .unwrap();
    assert!(output.status.success(), "{pipeline}: {output:?}");
}

/// A directory of the plugins.
fn plugins() -> PathBuf {
    let directory = PathBuf::from("/tmp/gstreamer-plugins");
    if directory.exists() {
        return directory;
    }
    fs::create_dir(&directory).unwrap();
    for plugin in PLUGINS {
        let name = format!("libgst{plugin}.so");
        let installed = Path::new("/usr/lib/x86_64-linux-gnu/gstreamer-1.0").join(&name);
        assert!(installed.exists(), "{} is needed", installed.display());
        symlink(installed, directory.join(name)).unwrap();
    }
    directory
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    H264,
    Vp8,
    Vp9,
    Mpeg2,
}

fn codec(stream: &Path) -> Codec {
    let name = stream.file_name().unwrap().to_string_lossy();
    match &*name {
        name if name.starts_with("vp8_") => Codec::Vp8,
        name if name.starts_with("vp9_") => Codec::Vp9,
        name if name.ends_with(".m2v") => Codec::Mpeg2,
        _ => Codec::H264,
    }
}

/// Streams that its decoders do not take: of another subsampling, and with another part to be seen
/// of pictures that are coded alike.
pub(crate) const NOT_TAKEN: [&str; 2] = ["mpeg2_422.m2v", "windows.h264"];

/// Whether a field is told alike, or otherwise in a way that is known of GStreamer.
pub(crate) fn agrees(
    request: &[TracedControl],
    control: &str,
    field: &str,
    ours: &str,
    peers: &str,
) -> bool {
    if ours == peers {
        return true;
    }
    let flags = request.iter().find_map(|control| control.value("flags"));
    let is_key = flags.is_some_and(|flags| flags.contains("KEY_FRAME"));
    match (control, field) {
        // What a key frame does not refer to, it tells as of the frame before.
        ("v4l2_ctrl_vp8_frame" | "v4l2_ctrl_vp9_frame", _) if field.ends_with("_ts") && is_key => {
            ours == "0"
        }
        // An intra picture refers to none, and it tells what the one before did.
        ("v4l2_ctrl_mpeg2_picture", "forward_ref_ts" | "backward_ref_ts") if is_intra(request) => {
            ours == "0"
        }
        // No picture is the largest number there is.
        ("v4l2_ctrl_mpeg2_picture", "forward_ref_ts" | "backward_ref_ts")
            if peers == u64::MAX.to_string() =>
        {
            ours == "0"
        }
        (_, field) if field.ends_with("_ts") => same_picture(ours, peers),
        // It tells of no weights.
        ("v4l2_ctrl_h264_pred_weights", _) => is_zero(peers),
        // In bytes of another size than the header's unit.
        ("v4l2_ctrl_mpeg2_sequence", "vbv_buffer_size") => {
            number(ours) * 16 * 1024 == number(peers)
        }
        // The level is in bits 3 to 0 (ISO/IEC 13818-2, 8.1), and not shifted.
        ("v4l2_ctrl_mpeg2_sequence", "profile_and_level_indication") => {
            let (profile, level) = (number(ours) >> 4, number(ours) & 15);
            number(peers) == profile << 4 | level << 1
        }
        _ => false,
    }
}

/// Whether it is of a picture of MPEG-2 that is an I picture.
fn is_intra(request: &[TracedControl]) -> bool {
    let mut told = request.iter();
    told.any(|control| control.value("picture_coding_type") == Some("1"))
}

fn number(value: &str) -> u64 {
    value.parse().unwrap()
}

/// It counts pictures from 0 on, we from 1 on.
fn same_picture(ours: &str, peers: &str) -> bool {
    number(peers).checked_add(1000) == Some(number(ours))
}

/// A number, or a table, of nothing but zeros.
fn is_zero(value: &str) -> bool {
    let numbers = value.split([' ', ',', '{', '}']);
    let mut digits = numbers.flat_map(|number| number.trim_start_matches("0x").bytes());
    digits.all(|digit| digit == b'0')
}
