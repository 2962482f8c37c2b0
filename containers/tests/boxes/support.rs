//! Small files with what is expected of them, and files in memory.

use std::io::{self, Cursor};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmaflow_containers::matroska::{self, MatroskaMuxer};
use dmaflow_containers::mp4::{self, Mp4Muxer, Mp4Options};
use dmaflow_containers::{
    Codec, ContainerError, Cut, Demuxer, Input, Muxer, Output, Packet, ReadOptions, Track,
};

/// Time of presentation and of decoding, bytes, key.
pub(crate) type Expected = (i64, i64, usize, bool);

pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) bytes: &'static [u8],
    pub(crate) codec: Codec,
    pub(crate) size: (u32, u32),
    pub(crate) timescale: u32,
    pub(crate) packets: &'static [Expected],
}

macro_rules! sample {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../streams/", $name)))
    };
}

pub(crate) const fn sample(
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

pub(crate) const SAMPLES: [Sample; 6] = [
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

pub(crate) type Read = Vec<(Packet, Vec<u8>)>;

pub(crate) fn open(bytes: &[u8]) -> Result<Box<dyn Demuxer>, ContainerError> {
    let input = Input::file(Cursor::new(bytes.to_vec()))?;
    let options = ReadOptions::default();
    if bytes.starts_with(&[0x1a]) {
        return matroska::read(input, &options);
    }
    mp4::read(input, &options)
}

pub(crate) fn read_all(demuxer: &mut dyn Demuxer) -> (Read, Option<Cut>) {
    let mut all = Vec::new();
    while let Some(packet) = demuxer.next_packet().unwrap() {
        let mut data = vec![0; packet.len];
        demuxer.read(&mut data).unwrap();
        all.push((packet, data));
    }
    assert!(demuxer.next_packet().unwrap().is_none());
    (all, demuxer.cut())
}

/// A file in memory that can be looked at, on a disk that may be full.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    file: Arc<Mutex<Cursor<Vec<u8>>>>,
    room: usize,
}

impl Shared {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            file: Arc::default(),
            room,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.file.lock().unwrap().get_ref().clone()
    }
}

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap();
        let left = self.room - usize::try_from(file.position()).unwrap();
        if left == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write(&bytes[..bytes.len().min(left)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Seek for Shared {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.lock().unwrap().seek(to)
    }
}

/// One of each kind, into files with so much room.
pub(crate) fn muxers(track: &Track, room: usize) -> Vec<(&'static str, Shared, Box<dyn Muxer>)> {
    let files = [Shared::new(room), Shared::new(room)];
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
