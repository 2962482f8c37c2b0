//! Recordings in several files, from before, and what is not written over.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dmaflow_containers::{Packet, ReadOptions};
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{ControlValue, Controls, Sink};

use super::{FileSink, FileSinkConfig, KeptBefore, Rotation};
use crate::error::FileError;

struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("dmaflow-file-sink-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The files there, and of each which packets it has, by the first byte.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let packets = |path: &PathBuf| {
            let mut demuxer = dmaflow_containers::open(path, &ReadOptions::default()).unwrap();
            let mut found = Vec::new();
            while let Some(packet) = demuxer.next_packet().unwrap() {
                let first = found.is_empty();
                assert!(!first || packet.presented == 0, "times begin with 0");
                let mut data = vec![0; packet.len];
                demuxer.read(&mut data).unwrap();
                found.push(data[1]);
            }
            found
        };
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        paths
            .iter()
            .map(|path| (name(path), packets(path)))
            .collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0).is_ok();
    }
}

/// A sink of VP8 in IVF.
fn sink(config: FileSinkConfig) -> FileSink {
    let mut sink = FileSink::new(config).unwrap();
    let layout = Layout::compressed("VP8".parse().unwrap(), (640, 480), 1000);
    sink.layout = Some(layout.unwrap());
    sink
}

/// Gives packets of 100 bytes, ten a second and every fifth a key.
fn give(sink: &mut FileSink, numbers: std::ops::Range<u8>) {
    for number in numbers {
        let key = number.is_multiple_of(5);
        let at = i64::from(number) * 9000;
        let packet = Packet {
            len: 100,
            presented: at,
            decoded: at,
            duration: 9000,
            key,
            offset: 0,
        };
        let mut data = [number; 100];
        data[0] = u8::from(!key);
        sink.pass(&packet, &data).unwrap();
    }
}

fn record(config: &FileSinkConfig, records: bool) {
    let value = ControlValue::Boolean(records);
    config.lasting.set("record", &value).unwrap();
}

fn named(files: &[(&str, std::ops::Range<u8>)]) -> Vec<(String, Vec<u8>)> {
    let named = files.iter();
    named
        .map(|(name, packets)| ((*name).to_owned(), packets.clone().collect()))
        .collect()
}

#[test]
fn the_next_file_begins_with_a_key_after_a_time_or_a_size() {
    for rotation in [
        Rotation {
            time: Some(Duration::from_millis(800)),
            bytes: None,
        },
        Rotation {
            time: None,
            bytes: Some(750),
        },
    ] {
        let directory = Directory::new();
        let mut sink = sink(FileSinkConfig {
            rotate: Some(rotation),
            ..FileSinkConfig::new(directory.0.join("a.ivf"))
        });
        give(&mut sink, 0..25);
        let told = sink.counters();
        sink.stop().unwrap();
        let files = [
            ("a-00001.ivf", 0..10),
            ("a-00002.ivf", 10..20),
            ("a-00003.ivf", 20..25),
        ];
        assert_eq!(directory.files(), named(&files), "{rotation:?}");
        let count = |name| {
            told.iter()
                .find(|counter| counter.name == name)
                .unwrap()
                .count
        };
        assert_eq!((count("written"), count("files")), (25, 3));
        // The next run goes on behind them.
        give(&mut sink, 0..5);
        sink.stop().unwrap();
        assert_eq!(directory.files()[3], named(&[("a-00004.ivf", 0..5)])[0]);
    }
}

#[test]
fn what_was_before_comes_first_in_each_file() {
    let directory = Directory::new();
    let config = FileSinkConfig {
        before: Some(KeptBefore {
            time: Duration::from_millis(1000),
            bytes: 10_000,
        }),
        ..FileSinkConfig::new(directory.0.join("a.ivf"))
    };
    let mut sink = sink(config.clone());
    give(&mut sink, 0..33);
    assert!(directory.files().is_empty());
    record(&config, true);
    give(&mut sink, 33..40);
    record(&config, false);
    give(&mut sink, 40..62);
    record(&config, true);
    give(&mut sink, 62..64);
    sink.stop().unwrap();
    // From the last key on that is a second old.
    let files = [("a-00001.ivf", 20..40), ("a-00002.ivf", 50..64)];
    assert_eq!(directory.files(), named(&files));
}

#[test]
fn what_was_recorded_is_not_written_over() {
    let directory = Directory::new();
    let path = directory.0.join("a.ivf");
    fs::write(&path, "another's").unwrap();
    let config = FileSinkConfig::new(path);
    let mut first = sink(config.clone());
    give(&mut first, 3..8);
    first.stop().unwrap();
    assert_eq!(directory.files(), named(&[("a.ivf", 5..8)]));
    // The stage was made anew, as after a failure of another one.
    let mut second = sink(config.clone());
    give(&mut second, 10..12);
    record(&config, false);
    give(&mut second, 12..14);
    record(&config, true);
    give(&mut second, 14..17);
    second.stop().unwrap();
    let files = [
        ("a-00001.ivf", 10..12),
        ("a-00002.ivf", 15..17),
        ("a.ivf", 5..8),
    ];
    assert_eq!(directory.files(), named(&files));
    // Somebody else's configuration of the same file.
    let mut other = sink(FileSinkConfig::new(config.path));
    give(&mut other, 0..1);
    other.stop().unwrap();
    assert_eq!(directory.files()[2], named(&[("a.ivf", 0..1)])[0]);
}

#[test]
fn pictures_of_another_size_go_on_in_another_file() {
    let directory = Directory::new();
    let mut sink = FileSink::new(FileSinkConfig::new(directory.0.join("a.y4m"))).unwrap();
    let heap = dmaflow_heaps::registry().open("memfd").unwrap();
    // As many bytes, and as many rows as there were columns.
    for (width, height) in [(64, 32), (32, 64), (32, 64)] {
        let layout = Layout::packed("YUV420".parse().unwrap(), width, height).unwrap();
        let pool = FramePool::allocate(&heap, &layout, 1).unwrap();
        sink.detach();
        sink.attach(&pool).unwrap();
        for _picture in 0..2 {
            sink.show(pool.acquire().unwrap()).unwrap();
        }
    }
    sink.stop().unwrap();
    let found = ["a.y4m", "a-00001.y4m"].map(|name| {
        let path = directory.0.join(name);
        let mut demuxer = dmaflow_containers::open(&path, &ReadOptions::default()).unwrap();
        let mut pictures = 0;
        while demuxer.next_packet().unwrap().is_some() {
            pictures += 1;
        }
        (demuxer.track().size.unwrap(), pictures)
    });
    assert_eq!(found, [((64, 32), 2), ((32, 64), 4)]);
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 2);
}

#[test]
fn what_cannot_be_is_told_at_once() {
    let with = |change: fn(&mut FileSinkConfig)| {
        let mut config = FileSinkConfig::new("a-{n}.mkv".into());
        change(&mut config);
        FileSink::new(config).map(|_sink| ()).unwrap_err()
    };
    let rotated = with(|config| config.rotate = Some(Rotation::default()));
    assert!(matches!(rotated, FileError::Names { .. }), "{rotated}");
    let fragment = with(|config| config.fragment = Some(Duration::from_secs(2)));
    assert!(fragment.to_string().contains("leave `fragment` out"));
    let much = with(|config| {
        config.path = "a.mkv".into();
        config.before = Some(KeptBefore {
            time: Duration::from_secs(1),
            bytes: usize::MAX,
        });
    });
    assert!(matches!(much, FileError::TooMuchKept { .. }), "{much}");
}
