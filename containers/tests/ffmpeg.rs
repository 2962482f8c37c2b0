//! Streams of real encoders, read as ffprobe reads them. They need ffmpeg: `cargo test -p
//! dmaflow-containers --test ffmpeg -- --ignored`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use dmaflow_containers::{Demuxer, Format, Packet, ReadOptions, open};

struct Stream {
    name: &'static str,
    format: Format,
    arguments: &'static str,
    /// Times are compared: the format has them.
    timed: bool,
}

const SOURCE: &str = "-f lavfi -i testsrc2=s=160x96:r=25:d=1.6";

const STREAMS: &[Stream] = &[
    plain("b-frames.h264", Format::H264, "-c:v libx264 -g 12 -bf 2"),
    plain(
        "slices.h264",
        Format::H264,
        "-c:v libx264 -g 10 -x264-params slices=4:aud=1",
    ),
    plain(
        "interlaced.h264",
        Format::H264,
        "-c:v libx264 -g 10 -flags +ilme+ildct -x264-params tff=1",
    ),
    plain(
        "baseline.h264",
        Format::H264,
        "-c:v libx264 -profile:v baseline -g 7 -pix_fmt yuv420p",
    ),
    plain(
        "444.h264",
        Format::H264,
        "-c:v libx264 -pix_fmt yuv444p -g 9",
    ),
    plain(
        "b-frames.h265",
        Format::Hevc,
        "-c:v libx265 -x265-params keyint=12:bframes=3:log-level=0",
    ),
    plain(
        "slices.h265",
        Format::Hevc,
        "-c:v libx265 -x265-params keyint=8:aud=1:open-gop=0:log-level=0:repeat-headers=1",
    ),
    plain(
        "10-bit.h265",
        Format::Hevc,
        "-c:v libx265 -pix_fmt yuv420p10le -x265-params log-level=0",
    ),
    plain("a.m2v", Format::Mpeg2, "-c:v mpeg2video -g 12 -bf 2"),
    plain(
        "interlaced.m2v",
        Format::Mpeg2,
        "-c:v mpeg2video -flags +ilme+ildct -g 9",
    ),
    plain("a.mjpeg", Format::Mjpeg, "-c:v mjpeg"),
    plain(
        "a.obu",
        Format::Obu,
        "-c:v libaom-av1 -cpu-used 8 -g 10 -lag-in-frames 10",
    ),
    timed(
        "vp8.ivf",
        "-c:v libvpx -g 10 -auto-alt-ref 1 -lag-in-frames 10",
    ),
    timed(
        "vp9.ivf",
        "-c:v libvpx-vp9 -g 10 -cpu-used 8 -lag-in-frames 10",
    ),
    timed(
        "vp9-444.ivf",
        "-c:v libvpx-vp9 -pix_fmt yuv444p10le -profile:v 3 -g 10 -cpu-used 8",
    ),
    timed(
        "av1.ivf",
        "-c:v libsvtav1 -preset 12 -g 10 -svtav1-params log=-1",
    ),
    Stream {
        name: "a.y4m",
        format: Format::Y4m,
        arguments: "-pix_fmt yuv422p",
        timed: true,
    },
    Stream {
        name: "p10.y4m",
        format: Format::Y4m,
        arguments: "-pix_fmt yuv420p10le -strict -1 -frames:v 5",
        timed: true,
    },
];

const fn plain(name: &'static str, format: Format, arguments: &'static str) -> Stream {
    Stream {
        name,
        format,
        arguments,
        timed: false,
    }
}

const fn timed(name: &'static str, arguments: &'static str) -> Stream {
    Stream {
        name,
        format: Format::Ivf,
        arguments,
        timed: true,
    }
}

fn make(directory: &Path, stream: &Stream) -> PathBuf {
    let path = directory.join(stream.name);
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(SOURCE.split(' '))
        .args(stream.arguments.split(' '))
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success(), "{}", stream.name);
    path
}

/// Size, key, time of presentation of each packet.
fn probed(path: &Path) -> Vec<(usize, bool, Option<i64>)> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries"])
        .args(["packet=pts,size,flags", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let key = fields[2].starts_with('K');
        (fields[1].parse().unwrap(), key, fields[0].parse().ok())
    };
    text.lines().map(line).collect()
}

type Summary = (usize, bool, Option<i64>);

/// ffprobe has the zero byte of a start code of four bytes in the packet before; by the standard
/// (HEVC, B.2.1) it belongs to what it precedes.
fn same_but_for_zeros(ours: &[Summary], theirs: &[Summary]) -> bool {
    let last = ours.len() - 1;
    let shifted = ours.iter().enumerate().map(|(at, &(size, key, time))| {
        let size = size + usize::from(at == 0) - usize::from(at == last);
        (size, key, time)
    });
    shifted.eq(theirs.iter().copied())
}

fn all(demuxer: &mut dyn Demuxer) -> Vec<(Packet, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(packet) = demuxer.next_packet().unwrap() {
        let mut data = vec![0; packet.len];
        demuxer.read(&mut data).unwrap();
        all.push((packet, data));
    }
    assert_eq!(demuxer.cut(), None);
    all
}

#[test]
#[ignore = "needs ffmpeg"]
fn packets_are_those_that_ffprobe_finds() {
    let directory = std::env::temp_dir().join(format!("dmaflow-containers-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mut wrong = Vec::new();
    for stream in STREAMS {
        let path = make(&directory, stream);
        let mut demuxer = open(&path, &ReadOptions::default()).unwrap();
        assert_eq!(demuxer.format(), stream.format, "{}", stream.name);
        let found = all(&mut *demuxer);
        let expected = probed(&path);
        let summary = |(packet, _): &(Packet, Vec<u8>)| {
            let time = stream
                .timed
                .then_some(packet.presented / i64::from(packet.duration.max(1)));
            (packet.len, packet.key, time)
        };
        let ours: Vec<_> = found.iter().map(summary).collect();
        let theirs: Vec<_> = expected
            .iter()
            .map(|&(size, key, time)| (size, key, time.filter(|_| stream.timed)))
            .collect();
        let same = if stream.format == Format::Hevc {
            same_but_for_zeros(&ours, &theirs)
        } else {
            ours == theirs
        };
        println!(
            "{}: {} packets, {}",
            stream.name,
            ours.len(),
            if same { "same" } else { "DIFFER" }
        );
        if !same {
            println!("  ours   {:?}\n  theirs {:?}", &ours, &theirs);
            wrong.push(stream.name);
        }
        // Together the packets of a plain stream are the file.
        if !stream.timed {
            let joined: Vec<u8> = found.iter().flat_map(|(_, data)| data.clone()).collect();
            assert!(joined == std::fs::read(&path).unwrap(), "{}", stream.name);
        }
        // A seek leads to the key at or before.
        let keys: Vec<_> = found.iter().filter(|(packet, _)| packet.key).collect();
        for (packet, _) in &found {
            demuxer.seek(packet.presented).unwrap();
            let to = demuxer.next_packet().unwrap().unwrap();
            let mut data = vec![0; to.len];
            demuxer.read(&mut data).unwrap();
            let before = keys
                .iter()
                .filter(|(key, _)| key.presented <= packet.presented);
            let expected = before.last().unwrap_or(&keys[0]);
            assert_eq!((to, &data), (expected.0, &expected.1), "{}", stream.name);
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}
