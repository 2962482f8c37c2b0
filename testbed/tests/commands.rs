//! The program's commands for files and codecs, on the board's camera and codec.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dmaflow_testbed::{Board, DmaBufs, Modules, Run, Running, command, dmaflow};
use nix::sys::signal::Signal;
use serde_json::Value;

const SIZE: (u64, u64) = (1280, 720);

/// The bytes of a picture in NV12 and YUV420.
const PICTURE: u64 = SIZE.0 * SIZE.1 * 3 / 2;

/// Frames a second: what the board can draw, encode and write.
const RATE: u64 = 10;

/// Recordings that are killed.
const KILLED: u32 = 12;

/// A directory of a test's own, with the description of a camera in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/commands-{name}"));
        fs::create_dir_all(&path).expect("a folder");
        let (width, height) = SIZE;
        let camera = format!(
            "[stage.camera]\nkind = \"v4l2-src\"\ndevice = \"vivid\"\n\
             width = {width}\nheight = {height}\nrate = {RATE}\nformat = \"NV12\"\n"
        );
        fs::write(path.join("camera.toml"), camera).expect("a file");
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in memory that is gone with the board.
        fs::remove_dir_all(&self.0).ok();
    }
}

fn run(arguments: &[&str]) -> Run {
    Run::of(&mut dmaflow(&[arguments, &["--json"]].concat()))
}

/// Decodes a file, and counts its pictures.
fn played(path: &str) -> u64 {
    let decode = ["decode", path, "--device=vicodec", "--to=null"];
    // What FWHT was made of, its decoder gives: YUV of YUV.
    let run = run(&[&decode[..], &["--format=NV12"]].concat());
    run.assert_went_well();
    let shown = run.number("/frames/shown");
    assert_eq!(shown, run.number("/frames/captured"), "{}", run.json);
    shown
}

/// How many frames a file of FWHT has at least in part, by what each begins with.
fn frames_in(path: impl AsRef<Path>) -> u64 {
    let magic = [0x4f, 0x4f, 0x4f, 0x4f, 0xff, 0xff, 0xff, 0xff];
    let stream = fs::read(path).expect("a file");
    let found = stream.windows(magic.len()).filter(|at| *at == magic);
    found.count() as u64
}

#[test]
fn a_recording_is_decoded_and_encoded_anew() {
    let name = "a_recording_is_decoded_and_encoded_anew";
    let Some(_board) = Board::for_test_on(&["pc", "rockchip"], name) else {
        return;
    };
    let folder = Folder::new("anew");
    let buffers = DmaBufs::now();
    let codecs = Modules::load(&["vicodec"]);
    let (camera, clip) = (folder.path("camera.toml"), folder.path("clip.ivf"));
    let record = [
        "record",
        &camera,
        "-o",
        &clip,
        "--device=vicodec",
        "--frames=30",
    ];
    let recorded = run(&record);
    recorded.assert_went_well();
    let written = recorded.number("/counters/recording/written");
    assert!(written > 10, "{}", recorded.json);
    assert_eq!(frames_in(&clip), written);
    assert_eq!(played(&clip), written);

    let (raw, y4m) = (folder.path("a.raw"), folder.path("a.y4m"));
    for (to, format, beside) in [(&raw, "NV12", 0), (&y4m, "YUV420", 6)] {
        let decode = ["decode", &clip, "--device=vicodec", "--to", to];
        let decoded = run(&[&decode[..], &["--frames=20", "--format", format]].concat());
        assert_eq!(decoded.status, Some(0), "{}", decoded.messages);
        let pictures = decoded.number("/counters/pictures/written");
        assert_eq!(pictures, written.min(20), "{}", decoded.json);
        let length = fs::metadata(to).expect("a file").len();
        // Y4M has a line in front of all, and one in front of each.
        let header = length - pictures * (PICTURE + beside);
        assert_eq!(header > 0, beside > 0, "{length}");
        assert!(header < 200, "{length}");
    }
    for (from, to) in [(&raw, "b.fwht"), (&y4m, "b.ivf")] {
        let to = folder.path(to);
        let encoded = run(&["encode", from, "-o", &to, "--device=vicodec"]);
        assert_eq!(encoded.status, Some(0), "{}", encoded.messages);
        let pictures = encoded.number("/counters/recording/written");
        assert_eq!(pictures, written.min(20), "{}", encoded.json);
        assert_eq!(played(&to), pictures);
    }
    buffers.assert_none_since();
    drop(codecs);
}

#[test]
fn what_was_recorded_before_a_kill_plays() {
    let name = "what_was_recorded_before_a_kill_plays";
    let Some(_board) = Board::for_test_on(&["pc", "rockchip"], name) else {
        return;
    };
    let folder = Folder::new("kill");
    let buffers = DmaBufs::now();
    let codecs = Modules::load(&["vicodec"]);
    let camera = folder.path("camera.toml");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut random = now.expect("a time").subsec_nanos();
    let mut counts = Vec::new();
    for kill in 0..KILLED {
        let clip = folder.path(if kill % 2 == 0 { "a.ivf" } else { "a.fwht" });
        let record = ["record", &camera, "-o", &clip, "--device=vicodec", "-q"];
        let running = Running::start(&mut dmaflow(&record));
        let began = Instant::now();
        while fs::metadata(&clip).map_or(0, |found| found.len()) == 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "nothing came");
            thread::sleep(Duration::from_millis(5));
        }
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        thread::sleep(Duration::from_millis(u64::from(random >> 16) % 1500));
        running.signal(Signal::SIGKILL);
        assert_eq!(running.ended().status, None);
        let begun = frames_in(&clip);
        let shown = played(&clip);
        // Each packet is written by itself: no more than the last one is cut.
        assert!(shown <= begun && begun <= shown + 1, "{shown} of {begun}");
        counts.push(shown);
        fs::remove_file(&clip).expect("a file");
    }
    counts.sort_unstable();
    assert!(counts.first() < counts.last(), "{counts:?}");
    buffers.assert_none_since();
    drop(codecs);
}

#[test]
fn a_recording_goes_on_in_the_next_file_and_ends_alone() {
    let name = "a_recording_goes_on_in_the_next_file_and_ends_alone";
    let Some(_board) = Board::for_test_on(&["pc", "rockchip"], name) else {
        return;
    };
    let folder = Folder::new("next");
    let buffers = DmaBufs::now();
    let codecs = Modules::load(&["vicodec"]);
    let (camera, clip) = (folder.path("camera.toml"), folder.path("a.ivf"));
    let record = ["record", &camera, "-o", &clip, "--device=vicodec"];
    let rotated = run(&[&record[..], &["--rotate-time=1s", "--frames=50"]].concat());
    rotated.assert_went_well();
    let files = rotated.number("/counters/recording/files");
    assert!(files >= 3, "{}", rotated.json);
    let all = (1..=files).map(|number| played(&folder.path(&format!("a-{number:05}.ivf"))));
    let written = rotated.number("/counters/recording/written");
    assert_eq!(all.sum::<u64>(), written, "{}", rotated.json);

    let disk = folder.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let mount = command("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs", &disk]).status();
    assert!(mount.expect("mount").success());
    let shown = format!(
        "v4l2-src device=vivid width={} height={} rate={RATE} format=NV12 ! null-sink",
        SIZE.0, SIZE.1
    );
    let clip = folder.path("disk/a.ivf");
    let full = run(&[
        "record",
        &shown,
        "-o",
        &clip,
        "--device=vicodec",
        "--frames=50",
    ]);
    assert_eq!(full.status, Some(1), "{}", full.json);
    for words in ["No space left on device", "the other stages went on"] {
        assert!(full.messages.contains(words), "{}", full.messages);
    }
    let of = |stage: &str| {
        let stages = full.json["stages"].as_array().expect("stages");
        let found = stages.iter().find(|known| known["stage"] == stage);
        found.expect("a stage").clone()
    };
    let written = full.number("/counters/recording/written");
    let shown = of("null-sink")["shown"].as_u64();
    assert!(written > 0 && shown > Some(written + 10), "{}", full.json);
    assert!(of("recording")["failure"].is_string(), "{}", full.json);
    assert_eq!(of("null-sink")["failure"], Value::Null);
    assert_eq!(played(&clip), written);
    let umount = command("umount", &[&disk]).status();
    assert!(umount.expect("umount").success());
    buffers.assert_none_since();
    drop(codecs);
}

#[test]
fn every_codec_is_listed_with_what_it_can_do() {
    let name = "every_codec_is_listed_with_what_it_can_do";
    let Some(_board) = Board::for_test_on(&["pc", "rockchip"], name) else {
        return;
    };
    let codecs = Modules::load(&["vicodec", "visl"]);
    let listed = run(&["devices", "codecs"]);
    assert_eq!(listed.status, Some(0), "{}", listed.messages);
    let all = listed.json["codecs"].as_array().expect("codecs");
    let of = |driver: &str| -> Vec<&Value> {
        all.iter()
            .filter(|codec| codec["driver"] == driver)
            .collect()
    };
    let vicodec = of("vicodec");
    let functions: Vec<_> = vicodec
        .iter()
        .map(|codec| {
            (
                codec["function"].as_str(),
                codec["coded"][0]["name"].as_str(),
            )
        })
        .collect();
    let expected = [
        (Some("encoder"), Some("FWHT")),
        (Some("decoder"), Some("FWHT")),
        (Some("stateless decoder"), Some("FWHT_STATELESS")),
    ];
    assert_eq!(functions, expected, "{}", listed.json);
    for codec in vicodec {
        assert_eq!(codec["bus"], "platform:vicodec");
        assert_eq!(codec["imports"], true, "{codec}");
        let coded = &codec["coded"][0];
        for format in [coded, &coded["pictures"][0]] {
            assert_eq!(
                format["sizes"]["min"],
                serde_json::json!([640, 360]),
                "{codec}"
            );
            assert_eq!(format["sizes"]["max"], serde_json::json!([4096, 2160]));
        }
        assert!(
            coded["pictures"]
                .as_array()
                .is_some_and(|all| all.len() > 10),
            "{codec}"
        );
    }
    let [visl] = of("visl")[..] else {
        unreachable!("one visl: {}", listed.json);
    };
    assert_eq!(visl["stateless"], true);
    let coded = visl["coded"].as_array().expect("formats");
    let h264 = coded.iter().find(|format| format["name"] == "H264_SLICE");
    let h264 = h264.expect("H.264");
    let has = |key: &str, entry: &str| {
        let mut entries = h264[key].as_array().expect("a list").iter();
        assert!(entries.any(|known| known == entry), "{key}: {h264}");
    };
    has("decode_modes", "Frame-Based");
    has("start_codes", "Annex B Start Code");
    let text = dmaflow(&["devices", "codecs"])
        .output()
        .expect("the program");
    let text = String::from_utf8(text.stdout).expect("UTF-8");
    for words in [
        "encoder vicodec",
        "stateless decoder visl",
        "640×360 to 4096×2160",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    drop(codecs);
}
