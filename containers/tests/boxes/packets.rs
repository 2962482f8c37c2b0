//! Packets that are read, whole and of files that are cut.

use std::io::Cursor;

use dmaflow_containers::{Codec, ContainerError, Input, ReadOptions, matroska, mp4};

use crate::support::{SAMPLES, open, read_all};

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
pub(crate) fn cut_everywhere(name: &str, bytes: &[u8], first: usize) {
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
