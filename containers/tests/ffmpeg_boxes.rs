//! Files of ffmpeg's read here, and files written here read by ffmpeg.
//!
//! They need `ffmpeg` and `ffprobe` with the usual encoders, and some seconds: `cargo test -p
//! dmaflow-containers --test ffmpeg_boxes -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dmaflow_bitstream::annex_b::{NalUnit, NalUnits};
use dmaflow_containers::matroska::MatroskaMuxer;
use dmaflow_containers::mp4::{Mp4Muxer, Mp4Options};
use dmaflow_containers::{Codec, Demuxer, Muxer, Output, Packet, ReadOptions, Track};

const PICTURES: &str = "testsrc2=s=320x240:r=25:d=4";

/// A packet as ffprobe tells of it.
#[derive(Clone, Debug, PartialEq)]
struct Probed {
    presented: Option<i64>,
    decoded: Option<i64>,
    size: usize,
    key: bool,
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn ffmpeg(arguments: &[&str]) -> String {
    let first = ["-v", "error", "-nostdin", "-y"];
    run("ffmpeg", &[&first, arguments].concat())
}

fn probe(path: &Path) -> Vec<Probed> {
    let entries = "packet=pts,dts,size,flags";
    let lines = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-show_entries",
            entries,
            "-of",
            "csv=p=0:nk=1",
            path.to_str().unwrap(),
        ],
    );
    let packet = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        Probed {
            presented: fields[0].parse().ok(),
            decoded: fields[1].parse().ok(),
            size: fields[2].parse().unwrap(),
            key: fields[3].contains('K'),
        }
    };
    lines.lines().map(packet).collect()
}

/// The checksum of every decoded picture, in the order in which they are shown.
fn pictures(path: &Path) -> Vec<String> {
    let path = path.to_str().unwrap();
    let lines = ffmpeg(&[
        "-i",
        path,
        "-an",
        "-fps_mode",
        "passthrough",
        "-f",
        "framemd5",
        "-",
    ]);
    let pictures = lines.lines().filter(|line| !line.starts_with('#'));
    pictures
        .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
        .collect()
}

fn open(path: &Path) -> Box<dyn Demuxer> {
    dmaflow_containers::open(path, &ReadOptions::default()).unwrap()
}

fn create(path: &Path, track: &Track, fragment: Duration) -> Box<dyn Muxer> {
    let output = Output::file(File::create(path).unwrap());
    match path.extension().unwrap().to_str().unwrap() {
        "mp4" => {
            let options = Mp4Options { fragment };
            Box::new(Mp4Muxer::new(track, output, options).unwrap())
        }
        _ => Box::new(MatroskaMuxer::new(track, output).unwrap()),
    }
}

fn read_all(demuxer: &mut dyn Demuxer) -> Vec<(Packet, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(packet) = demuxer.next_packet().unwrap() {
        let mut data = vec![0; packet.len];
        demuxer.read(&mut data).unwrap();
        all.push((packet, data));
    }
    assert_eq!(demuxer.cut(), None);
    all
}

/// A directory of its own for the files of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dmaflow-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Encoders, and the files they are put into.
const MADE: [(&str, &[&str], &[&str]); 8] = [
    (
        "h264",
        &[
            "-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25",
        ],
        &["mp4", "mov", "mkv"],
    ),
    (
        "h264-slices",
        &[
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-tune",
            "zerolatency",
            "-x264-params",
            "slices=4",
        ],
        &["mp4", "mkv"],
    ),
    (
        "hevc",
        &[
            "-c:v",
            "libx265",
            "-preset",
            "veryfast",
            "-x265-params",
            "log-level=error:keyint=25:bframes=3",
            "-tag:v",
            "hvc1",
        ],
        &["mp4", "mkv"],
    ),
    (
        "vp8",
        &[
            "-c:v",
            "libvpx",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-g",
            "25",
        ],
        &["mkv", "webm"],
    ),
    (
        "vp9",
        &[
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-g",
            "25",
        ],
        &["mp4", "mkv", "webm"],
    ),
    (
        "av1",
        &["-c:v", "libsvtav1", "-preset", "12", "-g", "25"],
        &["mp4", "mkv", "webm"],
    ),
    (
        "mpeg2",
        &["-c:v", "mpeg2video", "-bf", "2", "-g", "12"],
        &["mp4", "mkv"],
    ),
    (
        "mjpeg",
        &["-c:v", "mjpeg", "-q:v", "5"],
        &["mp4", "mov", "mkv"],
    ),
];

/// Elementary streams, and what makes them.
const ELEMENTARY: [(&str, &[&str]); 7] = [
    (
        "a.h264",
        &[
            "-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25",
        ],
    ),
    (
        "a.h265",
        &[
            "-c:v",
            "libx265",
            "-preset",
            "veryfast",
            "-x265-params",
            "log-level=error:keyint=25:bframes=3",
        ],
    ),
    (
        "vp8.ivf",
        &[
            "-c:v",
            "libvpx",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-g",
            "25",
        ],
    ),
    (
        "vp9.ivf",
        &[
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-g",
            "25",
        ],
    ),
    (
        "av1.obu",
        &[
            "-c:v",
            "libaom-av1",
            "-usage",
            "realtime",
            "-cpu-used",
            "8",
            "-g",
            "25",
        ],
    ),
    ("a.m2v", &["-c:v", "mpeg2video", "-bf", "2", "-g", "12"]),
    ("a.mjpeg", &["-c:v", "mjpeg", "-q:v", "5"]),
];

/// Makes a file of each codec and format, and for MP4 one in fragments.
fn make(folder: &Folder, name: &str, encoder: &[&str], format: &str) -> Vec<PathBuf> {
    let path = folder.at(&format!("{name}.{format}"));
    let to = path.to_str().unwrap();
    let from: &[&str] = &["-f", "lavfi", "-i", PICTURES, "-pix_fmt", "yuv420p"];
    ffmpeg(&[from, encoder, &[to]].concat());
    let mut made = vec![path.clone()];
    if format == "mp4" {
        for (kind, flags) in [
            ("frag", "frag_keyframe+empty_moov"),
            ("half", "frag_keyframe"),
            (
                "dash",
                "frag_every_frame+empty_moov+default_base_moof+delay_moov",
            ),
            ("first", "faststart"),
        ] {
            let other = folder.at(&format!("{name}.{kind}.mp4"));
            let other_name = other.to_str().unwrap();
            ffmpeg(&["-i", to, "-c", "copy", "-movflags", flags, other_name]);
            made.push(other);
        }
    }
    made
}

#[test]
#[ignore = "needs ffmpeg, and some seconds"]
fn packets_are_those_that_ffprobe_finds() {
    let folder = Folder::new("read");
    for (name, encoder, formats) in MADE {
        for format in formats {
            for path in make(&folder, name, encoder, format) {
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                let probed = probe(&path);
                let mut demuxer = open(&path);
                let track = demuxer.track().clone();
                assert_eq!(track.size, Some((320, 240)), "{file}");
                let read = read_all(&mut *demuxer);
                assert!(read.len() >= 100, "{file}: {}", read.len());
                assert_eq!(read.len(), probed.len(), "{file}");
                let mut last = i64::MIN;
                // Matroska does not say when pictures are decoded.
                let timed = !matches!(*format, "mkv" | "webm");
                for (at, ((packet, _data), probed)) in read.iter().zip(&probed).enumerate() {
                    let same = packet.len == probed.size
                        && packet.key == probed.key
                        && probed.presented.is_none_or(|time| time == packet.presented)
                        && (!timed || probed.decoded == Some(packet.decoded));
                    assert!(same, "{file}, packet {at}: {packet:?} {probed:?}");
                    assert!(packet.decoded >= last, "{file}, packet {at}: {packet:?}");
                    last = packet.decoded;
                }
                let keys: Vec<_> = read.iter().filter(|(packet, _)| packet.key).collect();
                for (packet, _) in &read {
                    demuxer.seek(packet.presented).unwrap();
                    let to = demuxer.next_packet().unwrap().unwrap();
                    let mut data = vec![0; to.len];
                    demuxer.read(&mut data).unwrap();
                    let mut before = keys.iter().rev();
                    let before = before.find(|(key, _)| key.presented <= packet.presented);
                    let (key, same) = before.unwrap_or(&keys[0]);
                    assert_eq!(
                        (to.offset, to.presented),
                        (key.offset, key.presented),
                        "{file}"
                    );
                    assert_eq!(&data, same, "{file}");
                    let rest = 1 + read_all(&mut *demuxer).len();
                    let at = read.iter().position(|(packet, _)| packet == key).unwrap();
                    assert_eq!(rest, read.len() - at, "{file}");
                }
                println!("{file}: {} packets as ffprobe has them", read.len());
            }
        }
    }
}

#[test]
#[ignore = "needs ffmpeg, and some seconds"]
fn files_written_here_are_the_same_to_ffmpeg() {
    let folder = Folder::new("write");
    for (name, encoder, formats) in MADE {
        let source = make(&folder, name, encoder, formats[0]).remove(0);
        let wanted = pictures(&source);
        let mut demuxer = open(&source);
        let track = demuxer.track().clone();
        let read = read_all(&mut *demuxer);
        for format in ["mp4", "mkv"] {
            let path = folder.at(&format!("{name}.ours.{format}"));
            let mut muxer = create(&path, &track, Duration::from_millis(400));
            for (packet, data) in &read {
                let (first, rest) = data.split_at(data.len() / 3);
                muxer.write(packet, &[first, &[], rest]).unwrap();
            }
            muxer.finish().unwrap();
            assert_eq!(muxer.written(), std::fs::metadata(&path).unwrap().len());
            if format == "mp4" || !name.starts_with("vp8") {
                check(&path, &track, &read);
            }
            assert_eq!(pictures(&path), wanted, "{}", path.display());
            println!(
                "{name} in {format}: {} packets, pictures identical",
                read.len()
            );
        }
    }
}

/// What ffprobe says of the track: size, shape of pixels, colours.
fn described(path: &Path) -> String {
    let entries = "stream=codec_name,width,height,sample_aspect_ratio,color_range,color_space,\
                   color_transfer,color_primaries,r_frame_rate";
    let path = path.to_str().unwrap();
    let arguments = [
        "-v",
        "error",
        "-show_entries",
        entries,
        "-of",
        "csv=p=0",
        path,
    ];
    run("ffprobe", &arguments)
}

#[test]
#[ignore = "needs ffmpeg, and some seconds"]
fn tracks_are_described_as_they_were() {
    let folder = Folder::new("described");
    let source = folder.at("source.mp4");
    let to = source.to_str().unwrap();
    let from: &[&str] = &["-f", "lavfi", "-i", PICTURES, "-pix_fmt", "yuv420p"];
    let shape: &[&str] = &[
        "-vf",
        "setsar=8/5",
        "-color_range",
        "tv",
        "-colorspace",
        "bt709",
    ];
    let colours: &[&str] = &["-color_trc", "bt709", "-color_primaries", "bt709"];
    for encoder in [MADE[0].1, MADE[4].1] {
        ffmpeg(&[from, shape, colours, encoder, &[to]].concat());
        let mut demuxer = open(&source);
        let track = demuxer.track().clone();
        let read = read_all(&mut *demuxer);
        assert_eq!(track.pixel_aspect, Some((8, 5)));
        assert_eq!(track.colour.map(|colour| colour.matrix), Some(1));
        for format in ["mp4", "mkv"] {
            let path = folder.at(&format!("ours.{format}"));
            let mut muxer = create(&path, &track, Duration::from_secs(1));
            for (packet, data) in &read {
                muxer.write(packet, &[data]).unwrap();
            }
            muxer.finish().unwrap();
            assert_eq!(described(&path), described(&source), "{format}");
            assert_eq!(open(&path).track().pixel_aspect, track.pixel_aspect);
            assert_eq!(open(&path).track().colour, track.colour);
            let path = path.to_str().unwrap();
            let entries = [
                "-v",
                "error",
                "-show_entries",
                "format=duration",
                "-of",
                "csv=p=0",
            ];
            let duration = run("ffprobe", &[&entries[..], &[path]].concat());
            let duration: f64 = duration.trim().parse().unwrap();
            assert!((duration - 4.0).abs() < 0.05, "{format}: {duration}");
            println!(
                "{:?} in {format}: {}",
                track.codec,
                described(Path::new(path)).trim()
            );
        }
    }
}

#[test]
#[ignore = "needs ffmpeg, and some seconds"]
fn elementary_streams_are_the_same_to_ffmpeg_in_a_file() {
    let folder = Folder::new("elementary");
    for (name, encoder) in ELEMENTARY {
        let source = folder.at(name);
        let to = source.to_str().unwrap();
        let from: &[&str] = &["-f", "lavfi", "-i", PICTURES, "-pix_fmt", "yuv420p"];
        ffmpeg(&[from, encoder, &[to]].concat());
        let wanted = pictures(&source);
        let mut demuxer = open(&source);
        let track = demuxer.track().clone();
        let read = read_all(&mut *demuxer);
        for format in ["mp4", "mkv"] {
            let path = folder.at(&format!("{name}.{format}"));
            let mut muxer = create(&path, &track, Duration::from_secs(1));
            for (packet, data) in &read {
                muxer.write(packet, &[data]).unwrap();
            }
            muxer.finish().unwrap();
            let back = read_all(&mut *open(&path));
            assert_eq!(back.len(), read.len(), "{name} {format}");
            for ((_, data), (packet, same)) in read.iter().zip(&back) {
                assert!(
                    same_data(track.codec, data, same),
                    "{name} {format} {packet:?}"
                );
            }
            assert_eq!(pictures(&path), wanted, "{name} {format}");
            println!(
                "{name} in {format}: {} packets, pictures identical",
                read.len()
            );
        }
    }
}

/// Compares a file that was written with what went in, by ffprobe and by the reader here.
fn check(path: &Path, track: &Track, packets: &[(Packet, Vec<u8>)]) {
    let probed = probe(path);
    let mut demuxer = open(path);
    let back = demuxer.track().clone();
    assert_eq!((back.codec, back.size), (track.codec, track.size));
    let read = read_all(&mut *demuxer);
    assert_eq!((read.len(), probed.len()), (packets.len(), packets.len()));
    let scaled = |time: i64| time as f64 / f64::from(track.timescale);
    for ((packet, data), ((again, same), probed)) in packets.iter().zip(read.iter().zip(&probed)) {
        assert_eq!(data.len(), packet.len);
        assert_eq!(again.key, packet.key);
        assert_eq!(probed.key, packet.key);
        assert_eq!(probed.size, again.len);
        let unit = f64::from(back.timescale);
        let apart = scaled(packet.presented) - again.presented as f64 / unit;
        assert!(apart.abs() < 0.001, "{packet:?} {again:?}");
        assert_eq!(
            probed.presented,
            Some(again.presented),
            "{}",
            path.display()
        );
        if path.extension().unwrap() == "mp4" {
            assert_eq!(again.decoded, packet.decoded);
            assert_eq!(probed.decoded, Some(again.decoded), "{}", path.display());
        }
        assert!(same_data(track.codec, data, same), "{packet:?}");
    }
}

/// Whether data is what was written, but for parameter sets, the length of start codes and
/// temporal delimiters.
fn same_data(codec: Codec, wrote: &[u8], read: &[u8]) -> bool {
    let is_set = |nal: &NalUnit<'_>| match codec {
        Codec::H264 => matches!(nal.h264_type(), 7 | 8),
        _ => matches!(nal.hevc_type(), 32..=34),
    };
    let others = |data| -> Vec<Vec<u8>> {
        let nals = NalUnits::new(data).filter(|nal| !is_set(nal));
        nals.map(|nal| nal.data.to_vec()).collect()
    };
    match codec {
        Codec::H264 | Codec::Hevc => others(wrote) == others(read),
        Codec::Av1 => wrote.strip_prefix(&[0x12, 0]).unwrap_or(wrote) == read,
        _ => wrote == read,
    }
}
