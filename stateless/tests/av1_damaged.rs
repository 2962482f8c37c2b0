//! Damaged streams of AV1: errors that lie within the unit, and books that are kept; never a
//! panic. The streams are those that fuzzing begins with.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; random numbers may be cut"
)]

mod books;

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use books::Books;
use dmaflow_bitstream::obu::{ObuType, Obus};
use dmaflow_stateless::uapi::av1::STATELESS_AV1_FILM_GRAIN;
use dmaflow_stateless::{Ability, Av1, Sequencer, Steps};

/// A generator of noise (`SplitMix64`).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// The streams, each with its temporal units.
fn streams() -> Vec<(Vec<u8>, Vec<Range<usize>>)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/av1");
    let mut streams = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let stream = fs::read(entry.unwrap().path()).unwrap();
        let mut borders = vec![0];
        for obu in Obus::new(&stream).map_while(Result::ok) {
            if obu.header.obu_type == ObuType::TemporalDelimiter && obu.offset > 0 {
                borders.push(obu.offset);
            }
        }
        borders.push(stream.len());
        let units = borders.windows(2).map(|border| border[0]..border[1]);
        let units = units.collect();
        streams.push((stream, units));
    }
    assert!(streams.len() > 10, "the streams are missing");
    streams
}

/// Reads units, and counts those that are wrong and the frames that came of them.
fn read<'d>(units: impl Iterator<Item = &'d [u8]>, place: &str) -> (usize, usize) {
    let ability = Ability {
        controls: vec![STATELESS_AV1_FILM_GRAIN],
        ..Ability::default()
    };
    let mut sequencer = Av1::new(&ability);
    let mut steps = Steps::new();
    let mut books = Books::default();
    let mut wrong = 0;
    for unit in units {
        steps.clear();
        if let Err(error) = sequencer.read(unit, &mut steps) {
            assert!(error.bit <= unit.len() as u64 * 8, "{place}: {error}");
            wrong += 1;
        }
        books.keep(&steps, place);
    }
    steps.clear();
    sequencer.finish(&mut steps);
    books.keep(&steps, place);
    assert!(books.is_empty(), "{place}: not forgotten");
    (wrong, books.decoded)
}

#[test]
fn undamaged_streams_are_read() {
    let mut decoded = 0;
    for (nth, (stream, units)) in streams().iter().enumerate() {
        let units = units.iter().map(|unit| &stream[unit.clone()]);
        let (wrong, frames) = read(units, &format!("stream {nth}"));
        assert_eq!(wrong, 0, "stream {nth}");
        decoded += frames;
    }
    assert!(decoded > 100, "{decoded} frames");
}

#[test]
fn flipped_and_lost_bits_are_errors_or_other_pictures() {
    let streams = streams();
    let (mut wrong, mut decoded) = (0, 0);
    for seed in 0..1500 {
        let mut noise = Noise(seed);
        let (stream, units) = &streams[noise.below(streams.len())];
        let mut stream = stream.clone();
        for _flip in 0..=noise.below(6) {
            let at = noise.below(stream.len());
            stream[at] ^= 1 << noise.below(8);
        }
        let cut = noise.below(4) == 0;
        let lost = (noise.below(4) == 0).then(|| noise.below(units.len()));
        let kept = units
            .iter()
            .enumerate()
            .filter(|&(nth, _unit)| lost != Some(nth));
        let units = kept.map(|(_nth, unit)| {
            let end = if cut {
                unit.start + noise.below(unit.len() + 1)
            } else {
                unit.end
            };
            &stream[unit.start..end]
        });
        let (errors, frames) = read(units, &format!("seed {seed}"));
        wrong += errors;
        decoded += frames;
    }
    assert!(
        wrong > 1000 && decoded > 1000,
        "{wrong} errors, {decoded} frames"
    );
}

#[test]
fn noise_is_errors() {
    for seed in 0..1500 {
        let mut noise = Noise(seed);
        let mut units = Vec::new();
        for _unit in 0..4 {
            let len = noise.below(200);
            let mut unit: Vec<u8> = (0..len).map(|_at| noise.next() as u8).collect();
            // An OBU with a size of its own, so that some of the noise is read.
            if let [header, size, ..] = &mut *unit {
                *header = [1, 3, 4, 6][noise.below(4)] << 3 | 2;
                *size = (len - 2).min(127) as u8;
            }
            units.push(unit);
        }
        read(units.iter().map(Vec::as_slice), &format!("seed {seed}"));
    }
}
