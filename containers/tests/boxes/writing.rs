//! Files that are written, and read again.

use dmaflow_containers::matroska::MatroskaMuxer;
use dmaflow_containers::mp4::{Mp4Muxer, Mp4Options};
use dmaflow_containers::{Codec, ContainerError, Output, Packet, Track};

use crate::packets::cut_everywhere;
use crate::support::{SAMPLES, muxers, open, read_all};

/// More than any of these files has.
const ROOM: usize = 1 << 20;

#[test]
fn what_is_written_is_read_again() {
    for sample in SAMPLES {
        let mut demuxer = open(sample.bytes).unwrap();
        let (read, _) = read_all(&mut *demuxer);
        for (kind, file, mut muxer) in muxers(demuxer.track(), ROOM) {
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
    for (kind, file, mut muxer) in muxers(&track, ROOM) {
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
        let output = || Output::pipe(std::io::sink());
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
    for (_, file, mut muxer) in muxers(demuxer.track(), ROOM) {
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
