//! Recordings in several files.

use std::path::PathBuf;

use dmaflow_containers::rotate::{NamePattern, Rotate, RotateAt, files};
use dmaflow_containers::{Codec, ContainerError, Format, Muxer, Packet, ReadOptions, Track, open};

use crate::support::all;

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("dmaflow-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0).is_ok();
    }
}

fn packet(number: i64, key: bool) -> Packet {
    Packet {
        len: 0,
        presented: 1000 + number * 10,
        decoded: 1000 + number * 10,
        duration: 10,
        key,
        offset: 0,
    }
}

/// Packets of 100 bytes, every fourth a key (of VP8), in files of a directory.
fn record(directory: &Directory, at: RotateAt, count: i64) -> Vec<(String, Vec<i64>)> {
    let names = NamePattern::parse("a-{number}.ivf").unwrap();
    let track = Track::new(Codec::Vp8, 100);
    let open_next = files(directory.0.clone(), names, Format::Ivf, track);
    let mut recording = Rotate::new(Format::Ivf, at, open_next);
    for number in 0..count {
        let key = number % 4 == 0;
        let data = [u8::from(!key); 100];
        recording.write(&packet(number, key), &[&data]).unwrap();
    }
    recording.finish().unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&directory.0)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let times = |path: &PathBuf| {
        let mut demuxer = open(path, &ReadOptions::default()).unwrap();
        let (packets, end) = all(&mut *demuxer);
        assert!(end.is_ok() && demuxer.cut().is_none());
        assert!(packets[0].0.key && packets[0].0.presented == 0);
        packets.iter().map(|(packet, _)| packet.presented).collect()
    };
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    names.iter().map(|path| (name(path), times(path))).collect()
}

#[test]
fn a_file_that_is_long_enough_ends_before_the_next_key() {
    let directory = Directory::new("rotate-duration");
    let at = RotateAt {
        duration: Some(50),
        bytes: None,
    };
    let found = record(&directory, at, 18);
    let lens: Vec<_> = found
        .iter()
        .map(|(name, times)| (&name[..], times.len()))
        .collect();
    assert_eq!(
        lens,
        [("a-00001.ivf", 8), ("a-00002.ivf", 8), ("a-00003.ivf", 2)]
    );
    assert_eq!(found[1].1, (0..8).map(|at| at * 10).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_large_enough_ends_before_the_next_key_and_older_ones_are_left_alone() {
    let directory = Directory::new("rotate-bytes");
    let at = RotateAt {
        duration: None,
        // The header and four packets.
        bytes: Some(32 + 4 * 112),
    };
    assert_eq!(record(&directory, at, 9).len(), 3);
    // Another recording goes on behind.
    let found = record(&directory, at, 5);
    let lens: Vec<_> = found.iter().map(|(_, times)| times.len()).collect();
    assert_eq!(lens, [4, 4, 1, 4, 1]);
}

#[test]
fn a_recording_begins_with_a_key() {
    let directory = Directory::new("rotate-key");
    let names = NamePattern::parse("{time}-{number}.ivf").unwrap();
    let track = Track::new(Codec::Vp8, 100);
    let open_next = files(directory.0.clone(), names, Format::Ivf, track);
    let mut recording = Rotate::new(Format::Ivf, RotateAt::default(), open_next);
    let error = recording.write(&packet(0, false), &[&[1]]).unwrap_err();
    assert!(matches!(error, ContainerError::Packet { .. }));
    recording.write(&packet(1, true), &[&[0]]).unwrap();
    recording.write(&packet(2, false), &[&[1]]).unwrap();
    assert_eq!((recording.files(), recording.written()), (1, 32 + 13 + 13));
}
