//! Packets that say they are of a codec, to be put into MP4 and Matroska. What was written is read
//! again: as many packets, with the same times, and none is longer than it was by more than its
//! start codes.
#![no_main]

use std::io::{Cursor, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dmaflow_containers::matroska::{self, MatroskaMuxer};
use dmaflow_containers::mp4::{self, Mp4Muxer, Mp4Options};
use dmaflow_containers::{Codec, Demuxer, Input, Muxer, Output, Packet, ReadOptions, Track};
use libfuzzer_sys::fuzz_target;

const CODECS: [Codec; 7] = [
    Codec::H264,
    Codec::Hevc,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Av1,
    Codec::Mpeg2,
    Codec::Mjpeg,
];

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Cursor<Vec<u8>>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Shared {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.lock().unwrap().seek(to)
    }
}

/// Writes the packets, and says how many were taken.
fn write(muxer: &mut dyn Muxer, parts: &[&[u8]]) -> Vec<Packet> {
    let mut taken = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let Some((&how, data)) = part.split_first() else {
            continue;
        };
        let decoded = at as i64 * 40;
        let packet = Packet {
            len: data.len(),
            presented: decoded + i64::from(how >> 4) * 20 - 100,
            decoded,
            duration: 40,
            key: how & 1 == 1,
            offset: 0,
        };
        let (first, rest) = data.split_at(data.len().min(usize::from(how >> 1 & 7)));
        if muxer.write(&packet, &[first, rest]).is_ok() {
            taken.push(packet);
        }
    }
    muxer.finish().unwrap();
    taken
}

fn check(mut demuxer: Box<dyn Demuxer>, wrote: &[Packet]) {
    let mut data = Vec::new();
    for expected in wrote {
        let packet = demuxer.next_packet().unwrap().unwrap();
        assert_eq!((packet.presented, packet.key), (expected.presented, expected.key));
        // Start codes of three bytes come back as four.
        assert!(packet.len <= expected.len + expected.len / 3 + 4);
        data.resize(packet.len, 0);
        demuxer.read(&mut data).unwrap();
    }
    assert!(demuxer.next_packet().unwrap().is_none());
    assert_eq!(demuxer.cut(), None);
}

fuzz_target!(|input: &[u8]| {
    let Some((&codec, rest)) = input.split_first() else {
        return;
    };
    let codec = CODECS[usize::from(codec) % CODECS.len()];
    // The header and packets, each behind a mark that hardly comes by itself.
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut rest = rest;
    while let Some(at) = rest.windows(2).position(|two| two == b"|#")
        && parts.len() < 64
    {
        parts.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    parts.push(rest);
    let mut track = Track::new(codec, 1000);
    track.header = parts.remove(0).to_vec();
    track.rate = Some((25, 1));
    let options = ReadOptions::default();

    let file = Shared::default();
    let fragment = Duration::from_millis(100);
    let output = Output::file(file.clone());
    let mut muxer = Mp4Muxer::new(&track, output, Mp4Options { fragment }).unwrap();
    let wrote = write(&mut muxer, &parts);
    let bytes = file.0.lock().unwrap().get_ref().clone();
    assert_eq!(muxer.written(), bytes.len() as u64);
    if !wrote.is_empty() {
        let input = Input::file(Cursor::new(bytes)).unwrap();
        check(mp4::read(input, &options).unwrap(), &wrote);
    }

    let file = Shared::default();
    let mut muxer = MatroskaMuxer::new(&track, Output::file(file.clone())).unwrap();
    let wrote = write(&mut muxer, &parts);
    let bytes = file.0.lock().unwrap().get_ref().clone();
    if !wrote.is_empty() {
        let input = Input::file(Cursor::new(bytes)).unwrap();
        check(matroska::read(input, &options).unwrap(), &wrote);
    }
});
