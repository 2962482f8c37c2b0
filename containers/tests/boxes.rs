//! Small MP4 and Matroska files: their packets, and what is left of them wherever they are cut.
//!
//! The files were made with ffmpeg: twelve pictures, a key every six, and what is expected of them
//! is what ffprobe says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmaflow_containers::matroska::{self, MatroskaMuxer};
use dmaflow_containers::mp4::{self, Mp4Muxer, Mp4Options};
use dmaflow_containers::{
    Codec, ContainerError, Cut, Demuxer, Input, Muxer, Output, Packet, ReadOptions, Track,
};

/// Time of presentation and of decoding, bytes, key.
type Expected = (i64, i64, usize, bool);

struct Sample {
    name: &'static str,
    bytes: &'static [u8],
    codec: Codec,
    size: (u32, u32),
    timescale: u32,
    packets: &'static [Expected],
}

macro_rules! sample {
    ($name:literal) => {
        ($name, include_bytes!(concat!("streams/", $name)))
    };
}

const fn sample(
    (name, bytes): (&'static str, &'static [u8]),
    codec: Codec,
    size: (u32, u32),
    timescale: u32,
    packets: &'static [Expected],
) -> Sample {
    Sample {
        name,
        bytes,
        codec,
        size,
        timescale,
        packets,
    }
}

const SAMPLES: [Sample; 6] = [
    sample(
        sample!("plain.mp4"),
        Codec::H264,
        (64, 48),
        12800,
        &[
            (0, -1024, 263, true),
            (1536, -512, 18, false),
            (512, 0, 12, false),
            (1024, 512, 12, false),
            (2560, 1024, 20, false),
            (2048, 1536, 12, false),
            (3072, 2048, 269, true),
            (4608, 2560, 14, false),
            (3584, 3072, 12, false),
            (4096, 3584, 12, false),
            (5632, 4096, 23, false),
            (5120, 4608, 12, false),
        ],
    ),
    sample(
        sample!("fragments.mp4"),
        Codec::H264,
        (64, 48),
        12800,
        &[
            (1024, 0, 263, true),
            (2560, 512, 18, false),
            (1536, 1024, 12, false),
            (2048, 1536, 12, false),
            (3584, 2048, 20, false),
            (3072, 2560, 12, false),
            (4096, 3072, 269, true),
            (5632, 3584, 14, false),
            (4608, 4096, 12, false),
            (5120, 4608, 12, false),
            (6656, 5120, 23, false),
            (6144, 5632, 12, false),
        ],
    ),
    sample(
        sample!("av1.mp4"),
        Codec::Av1,
        (64, 64),
        12800,
        &[
            (0, 0, 658, true),
            (512, 512, 20, false),
            (1024, 1024, 21, false),
            (1536, 1536, 21, false),
            (2048, 2048, 20, false),
            (2560, 2560, 27, false),
            (3072, 3072, 858, true),
            (3584, 3584, 20, false),
            (4096, 4096, 21, false),
            (4608, 4608, 21, false),
            (5120, 5120, 25, false),
            (5632, 5632, 29, false),
        ],
    ),
    sample(
        sample!("h264.mkv"),
        Codec::H264,
        (64, 48),
        1000,
        &[
            (0, 0, 263, true),
            (120, 40, 18, false),
            (40, 40, 12, false),
            (80, 80, 12, false),
            (200, 160, 20, false),
            (160, 160, 12, false),
            (240, 240, 269, true),
            (360, 280, 14, false),
            (280, 280, 12, false),
            (320, 320, 12, false),
            (440, 400, 23, false),
            (400, 400, 12, false),
        ],
    ),
    sample(
        sample!("hevc.mkv"),
        Codec::Hevc,
        (64, 48),
        1000,
        &[
            (0, 0, 168, true),
            (80, 40, 17, false),
            (40, 40, 14, false),
            (120, 120, 18, false),
            (240, 160, 181, true),
            (200, 160, 16, false),
            (160, 160, 16, false),
            (360, 280, 17, false),
            (320, 280, 14, false),
            (280, 280, 15, false),
            (440, 400, 18, false),
            (400, 400, 15, false),
        ],
    ),
    sample(
        sample!("vp9.webm"),
        Codec::Vp9,
        (64, 48),
        1000,
        &[
            (0, 0, 433, true),
            (40, 40, 17, false),
            (80, 80, 17, false),
            (120, 120, 17, false),
            (160, 160, 21, false),
            (200, 200, 17, false),
            (240, 240, 436, true),
            (280, 280, 17, false),
            (320, 320, 22, false),
            (360, 360, 17, false),
            (400, 400, 18, false),
            (440, 440, 17, false),
        ],
    ),
];

type Read = Vec<(Packet, Vec<u8>)>;

fn open(bytes: &[u8]) -> Result<Box<dyn Demuxer>, ContainerError> {
    let input = Input::file(Cursor::new(bytes.to_vec()))?;
    let options = ReadOptions::default();
    if bytes.starts_with(&[0x1a]) {
        return matroska::read(input, &options);
    }
    mp4::read(input, &options)
}

fn read_all(demuxer: &mut dyn Demuxer) -> (Read, Option<Cut>) {
    let mut all = Vec::new();
    while let Some(packet) = demuxer.next_packet().unwrap() {
        let mut data = vec![0; packet.len];
        demuxer.read(&mut data).unwrap();
        all.push((packet, data));
    }
    assert!(demuxer.next_packet().unwrap().is_none());
    (all, demuxer.cut())
}

#[test]
fn packets_are_as_expected() {
    for sample in SAMPLES {
        let mut demuxer = open(sample.bytes).unwrap();
        let track = demuxer.track().clone();
        assert_eq!(track.codec, sample.codec, "{}", sample.name);
        assert_eq!(track.size, Some(sample.size), "{}", sample.name);
        assert_eq!(track.timescale, sample.timescale, "{}", sample.name);
        let (read, cut) = read_all(&mut *demuxer);
        assert_eq!(cut, None);
        let found: Vec<_> = read
            .iter()
            .map(|(packet, _)| (packet.presented, packet.decoded, packet.len, packet.key))
            .collect();
        assert_eq!(found, sample.packets, "{}", sample.name);
        for (_, data) in &read {
            if matches!(sample.codec, Codec::H264 | Codec::Hevc) {
                assert!(data.starts_with(&[0, 0, 0, 1]));
                assert!(track.header.starts_with(&[0, 0, 0, 1]));
            }
        }
    }
}

#[test]
fn a_seek_leads_to_the_key_before() {
    for sample in SAMPLES {
        let mut demuxer = open(sample.bytes).unwrap();
        let (read, _) = read_all(&mut *demuxer);
        let second = read.iter().rposition(|(packet, _)| packet.key).unwrap();
        assert_eq!(second, if sample.name == "hevc.mkv" { 4 } else { 6 });
        let time = read[second].0.presented;
        for (to, first) in [
            (time - 1, 0),
            (i64::MIN, 0),
            (time, second),
            (i64::MAX, second),
        ] {
            demuxer.seek(to).unwrap();
            let (again, cut) = read_all(&mut *demuxer);
            assert_eq!(cut, None);
            assert_eq!(again.len(), read.len() - first, "{} {to}", sample.name);
            for ((packet, data), (same, bytes)) in again.iter().zip(&read[first..]) {
                assert_eq!((packet.offset, data), (same.offset, bytes));
                assert_eq!(packet.presented, same.presented);
            }
        }
    }
}

/// Of a file that is cut anywhere come all packets before the cut, and then where it is.
fn cut_everywhere(name: &str, bytes: &[u8], first: usize) {
    let (whole, cut) = read_all(&mut *open(bytes).unwrap());
    assert_eq!(cut, None);
    let mut came = 0;
    for end in 0..bytes.len() {
        let mut demuxer = match open(&bytes[..end]) {
            Ok(demuxer) => demuxer,
            Err(error) => {
                assert!(end < first, "{name} cut at {end}: {error}");
                continue;
            }
        };
        let (read, cut) = read_all(&mut *demuxer);
        let most = whole.iter();
        let most = most
            .filter(|(packet, data)| packet.offset + data.len() as u64 <= end as u64)
            .count();
        assert_eq!(read.len(), most, "{name} cut at {end}");
        for ((packet, data), (same, bytes)) in read.iter().zip(&whole) {
            assert_eq!(
                (packet.presented, packet.key, data),
                (same.presented, same.key, bytes)
            );
        }
        assert!(read.len() >= came);
        came = read.len();
        if let Some(cut) = cut {
            assert_eq!(cut.end, end as u64, "{name} cut at {end}");
            assert!(cut.offset <= cut.end);
        } else {
            let last = read
                .last()
                .map(|(packet, data)| packet.offset + data.len() as u64);
            assert!(
                last.is_none_or(|last| last <= end as u64),
                "{name} cut at {end} seems whole"
            );
        }
    }
}

#[test]
fn what_is_whole_comes_out_of_files_that_are_cut() {
    for sample in SAMPLES {
        // Of a plain file nothing is known before its tables, which come last.
        let first = match sample.name {
            "plain.mp4" | "av1.mp4" => sample.bytes.len(),
            _ => {
                usize::try_from(read_all(&mut *open(sample.bytes).unwrap()).0[0].0.offset).unwrap()
            }
        };
        cut_everywhere(sample.name, sample.bytes, first);
    }
}

/// A file in memory that can be looked at.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Cursor<Vec<u8>>>>);

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().get_ref().clone()
    }
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Seek for Shared {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.lock().unwrap().seek(to)
    }
}

fn muxers(track: &Track) -> Vec<(&'static str, Shared, Box<dyn Muxer>)> {
    let files = [Shared::default(), Shared::default()];
    let fragment = Duration::from_millis(100);
    let mp4 = Mp4Muxer::new(
        track,
        Output::file(files[0].clone()),
        Mp4Options { fragment },
    );
    let matroska = MatroskaMuxer::new(track, Output::file(files[1].clone()));
    let [first, second] = files;
    vec![
        ("mp4", first, Box::new(mp4.unwrap())),
        ("mkv", second, Box::new(matroska.unwrap())),
    ]
}

#[test]
fn what_is_written_is_read_again() {
    for sample in SAMPLES {
        let mut demuxer = open(sample.bytes).unwrap();
        let (read, _) = read_all(&mut *demuxer);
        for (kind, file, mut muxer) in muxers(demuxer.track()) {
            for (packet, data) in &read {
                muxer.write(packet, &[&data[..2], &[], &data[2..]]).unwrap();
            }
            let unfinished = file.bytes();
            muxer.finish().unwrap();
            let bytes = file.bytes();
            assert_eq!(muxer.written(), bytes.len() as u64);
            let mut back = open(&bytes).unwrap();
            assert_eq!(back.track().header, demuxer.track().header, "{kind}");
            assert_eq!(back.track().size, demuxer.track().size);
            let (again, cut) = read_all(&mut *back);
            assert_eq!((again.len(), cut), (read.len(), None));
            for ((packet, data), (same, bytes)) in again.iter().zip(&read) {
                let exact = kind == "mp4";
                let scale = i64::from(demuxer.track().timescale);
                let presented = if exact {
                    same.presented
                } else {
                    same.presented * 1000 / scale
                };
                assert_eq!((packet.presented, packet.key), (presented, same.key));
                assert!(!exact || packet.decoded == same.decoded);
                assert_eq!(data, bytes, "{} in {kind}", sample.name);
            }
            let first = usize::try_from(again[0].0.offset).unwrap();
            cut_everywhere(kind, &bytes, first);
            // Without an end: of MP4 the fragment at work is missing.
            let (kept, _) = read_all(&mut *open(&unfinished).unwrap());
            let missing = read.len() - kept.len();
            assert!(
                missing <= if kind == "mp4" { 3 } else { 0 },
                "{kind}: {missing}"
            );
        }
    }
}

#[test]
fn what_cannot_be_written_is_refused_and_others_follow() {
    let track = Track::new(Codec::H264, 1000);
    let mut demuxer = open(SAMPLES[0].bytes).unwrap();
    let header = demuxer.track().header.clone();
    let (read, _) = read_all(&mut *demuxer);
    for (kind, file, mut muxer) in muxers(&track) {
        let refused = |result: Result<(), ContainerError>| {
            assert!(
                matches!(result, Err(ContainerError::Packet { .. })),
                "{kind}: {result:?}"
            );
        };
        let (key, data) = &read[0];
        refused(muxer.write(&read[1].0, &[&read[1].1]));
        refused(muxer.write(key, &[]));
        refused(muxer.write(key, &[&[1, 2, 3]]));
        // Nothing tells its size.
        refused(muxer.write(key, &[data]));
        assert!(file.bytes().is_empty());
        muxer.write(key, &[&header, data]).unwrap();
        let earlier = Packet {
            decoded: i64::MIN,
            ..*key
        };
        if kind == "mp4" {
            refused(muxer.write(&earlier, &[data]));
        }
        muxer.write(&read[1].0, &[&read[1].1]).unwrap();
        muxer.finish().unwrap();
        refused(muxer.write(&read[2].0, &[&read[2].1]));
        muxer.finish().unwrap();
        let mut back = open(&file.bytes()).unwrap();
        assert_eq!(
            back.track().header,
            header,
            "the parameter sets of the first packet"
        );
        let (again, _) = read_all(&mut *back);
        assert_eq!(again.len(), 2);
        assert_eq!(&again[0].1, data, "they are in front of the file");
    }
    for codec in [Codec::Fwht, Codec::Raw(0)] {
        let output = || Output::file(Shared::default());
        let track = Track::new(codec, 1000);
        assert!(Mp4Muxer::new(&track, output(), Mp4Options::default()).is_err());
        assert!(MatroskaMuxer::new(&track, output()).is_err());
    }
}

#[test]
fn parameter_sets_that_change_stay_in_their_packets() {
    let mut demuxer = open(SAMPLES[0].bytes).unwrap();
    let header = demuxer.track().header.clone();
    let (read, _) = read_all(&mut *demuxer);
    // Another set of the sequence, which says no more than that it is another.
    let mut other = header.clone();
    other[7] ^= 1;
    for (_, file, mut muxer) in muxers(demuxer.track()) {
        for (at, (packet, data)) in read.iter().enumerate() {
            let sets: &[u8] = match at {
                0 | 1 => &header,
                2 => &other,
                3 => &header,
                _ => &[],
            };
            muxer.write(packet, &[sets, data]).unwrap();
        }
        muxer.finish().unwrap();
        let (again, _) = read_all(&mut *open(&file.bytes()).unwrap());
        for (at, ((_, data), (_, wrote))) in again.iter().zip(&read).enumerate() {
            let expected = match at {
                2 => [&*other, wrote].concat(),
                3 => [&*header, wrote].concat(),
                _ => wrote.clone(),
            };
            assert_eq!(data, &expected, "packet {at}");
        }
    }
}

#[test]
fn a_slice_that_is_too_short_is_refused_and_the_packet_stays() {
    for sample in SAMPLES {
        let mut demuxer = open(sample.bytes).unwrap();
        assert!(matches!(
            demuxer.read(&mut []),
            Err(ContainerError::NoPacket)
        ));
        let packet = demuxer.next_packet().unwrap().unwrap();
        let mut data = vec![0x5a; packet.len + 3];
        let short = demuxer.read(&mut data[..packet.len - 1]);
        assert!(matches!(short, Err(ContainerError::Room { .. })));
        demuxer.read(&mut data).unwrap();
        assert_eq!(data[packet.len..], [0x5a; 3]);
        assert!(matches!(
            demuxer.read(&mut data),
            Err(ContainerError::NoPacket)
        ));
        let most = packet.len - 1;
        let input = Input::file(Cursor::new(sample.bytes)).unwrap();
        let options = ReadOptions {
            most,
            ..ReadOptions::default()
        };
        let mut demuxer = match sample.bytes {
            [0x1a, ..] => matroska::read(input, &options).unwrap(),
            _ => mp4::read(input, &options).unwrap(),
        };
        assert!(matches!(
            demuxer.next_packet(),
            Err(ContainerError::TooLong { .. })
        ));
        assert!(demuxer.next_packet().unwrap().is_none());
    }
}
