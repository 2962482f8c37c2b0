//! Damaged streams of VP8, VP9 and MPEG-2: errors that lie within the unit, steps that keep the
//! books; never a panic. The streams are those that fuzzing begins with.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking; random numbers may be cut"
)]

mod lengths;

use std::collections::BTreeSet;

use dmaflow_stateless::{PictureId, Step, Steps};
use lengths::{CODECS, sequencer, streams};

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

/// Which pictures are there.
#[derive(Default)]
struct Books {
    alive: BTreeSet<PictureId>,
    /// More of it comes, maybe.
    open: Option<PictureId>,
    out: BTreeSet<PictureId>,
    kept: usize,
    requests: usize,
}

impl Books {
    fn keep(&mut self, steps: &Steps, unit: &[u8], place: &str) {
        for step in steps.steps() {
            match step {
                Step::Sequence(sequence) => self.kept = sequence.kept,
                Step::Decode(decode) => {
                    if self.open.take() == Some(decode.picture) {
                        assert!(!decode.more && !decode.key, "{place}: three fields");
                    } else {
                        // Its own place may have been counted before.
                        let others = self.alive.iter().filter(|one| **one != decode.picture);
                        assert!(others.count() <= self.kept, "{place}: too many are kept");
                        assert!(self.alive.insert(decode.picture), "{place}: decoded twice");
                    }
                    self.open = decode.more.then_some(decode.picture);
                    self.requests += 1;
                    for piece in steps.pieces(&decode.pieces) {
                        assert!(!unit[piece.clone()].is_empty(), "{place}: an empty piece");
                    }
                    assert!(!steps.controls(&decode.controls).is_empty(), "{place}");
                }
                Step::Output {
                    picture,
                    shown_again,
                } => {
                    assert!(self.alive.contains(picture), "{place}: is not there");
                    let first = self.out.insert(*picture);
                    assert!(first || *shown_again, "{place}: goes out twice");
                }
                Step::Forget(picture) => {
                    assert!(self.alive.remove(picture), "{place}: is not there");
                }
            }
        }
        assert!(
            self.alive.len() <= self.kept + 1,
            "{place}: too many are kept"
        );
    }
}

/// Reads units, and counts those that are wrong and the requests that came of them.
fn read<'d>(codec: &str, units: impl Iterator<Item = &'d [u8]>, place: &str) -> (usize, usize) {
    let mut sequencer = sequencer(codec);
    let mut steps = Steps::new();
    let mut books = Books::default();
    let mut wrong = 0;
    for (nth, unit) in units.enumerate() {
        steps.clear();
        if let Err(error) = sequencer.read(unit, &mut steps) {
            assert!(error.bit <= unit.len() as u64 * 8, "{place}: {error}");
            wrong += 1;
        }
        books.keep(&steps, unit, place);
        if unit.len() % 61 == 7 {
            steps.clear();
            match nth % 2 {
                0 => sequencer.seek(&mut steps),
                _ => sequencer.finish(&mut steps),
            }
            books.keep(&steps, unit, place);
            assert!(books.alive.is_empty(), "{place}: not forgotten");
        }
    }
    steps.clear();
    sequencer.finish(&mut steps);
    books.keep(&steps, &[], place);
    assert!(books.alive.is_empty(), "{place}: not forgotten");
    (wrong, books.requests)
}

#[test]
fn undamaged_streams_are_read() {
    for codec in CODECS {
        let mut requests = 0;
        for (nth, units) in streams(codec).iter().enumerate() {
            let place = format!("{codec}, stream {nth}");
            let mut sequencer = sequencer(codec);
            let mut steps = Steps::new();
            let mut books = Books::default();
            for unit in units {
                steps.clear();
                sequencer.read(unit, &mut steps).unwrap();
                books.keep(&steps, unit, &place);
            }
            requests += books.requests;
        }
        assert!(requests > 80, "{codec}: {requests} requests");
    }
}

#[test]
fn flipped_and_lost_bits_are_errors_or_other_pictures() {
    for codec in CODECS {
        let streams = streams(codec);
        let (mut wrong, mut requests) = (0, 0);
        for seed in 0..1500 {
            let mut noise = Noise(seed);
            let mut units = streams[noise.below(streams.len())].clone();
            for _flip in 0..=noise.below(12) {
                let nth = noise.below(units.len());
                let unit = &mut units[nth];
                // Headers are at the beginning.
                let reach = if noise.below(3) == 0 {
                    unit.len()
                } else {
                    unit.len().min(24)
                };
                let at = noise.below(reach);
                unit[at] ^= 1 << noise.below(8);
            }
            if noise.below(4) == 0 {
                units.remove(noise.below(units.len()));
            }
            if noise.below(4) == 0 {
                for unit in &mut units {
                    unit.truncate(noise.below(unit.len() + 1));
                }
            }
            let units = units.iter().map(Vec::as_slice);
            let (errors, some) = read(codec, units, &format!("{codec}, seed {seed}"));
            wrong += errors;
            requests += some;
        }
        assert!(
            wrong > 1000 && requests > 5000,
            "{codec}: {wrong} errors, {requests} requests"
        );
    }
}

#[test]
fn noise_is_errors() {
    for codec in CODECS {
        for seed in 0..1500 {
            let mut noise = Noise(seed);
            let units: Vec<Vec<u8>> = (0..6)
                .map(|_unit| {
                    let length = noise.below(300);
                    let mut unit: Vec<u8> = (0..length).map(|_at| noise.next() as u8).collect();
                    begin(codec, &mut unit, noise.below(4));
                    unit
                })
                .collect();
            let units = units.iter().map(Vec::as_slice);
            read(codec, units, &format!("{codec}, seed {seed}"));
        }
    }
}

/// What lets noise be read as something.
fn begin(codec: &str, unit: &mut [u8], kind: usize) {
    let begins: &[u8] = match (codec, kind) {
        ("vp8", 0) => &[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a],
        ("vp8", 1) => &[0x11, 0x02, 0x00],
        ("vp9", 0) => &[0x82, 0x49, 0x83, 0x42],
        ("vp9", 1) => &[0x86],
        ("mpeg2", 0) => &[0, 0, 1, 0xb3],
        ("mpeg2", 1) => &[0, 0, 1, 0x00],
        ("mpeg2", 2) => &[0, 0, 1, 0xb5],
        _ => &[],
    };
    for (byte, begin) in unit.iter_mut().zip(begins) {
        *byte = *begin;
    }
}
