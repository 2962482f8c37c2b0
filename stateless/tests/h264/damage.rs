//! Streams of noise, and encoders' streams with flipped bits, lost ends and lost units: never a
//! panic, the books balance, and the buffer is never larger than was said.

use std::collections::BTreeSet;
use std::fs;

use dmaflow_bitstream::annex_b::NalUnits;
use dmaflow_stateless::uapi::h264 as uapi;
use dmaflow_stateless::{Ability, H264, PictureId, Sequencer, Step, Steps};

const SEEDS: u64 = 3000;

/// Numbers that look random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

#[test]
fn damaged_streams_keep_the_books() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/h264");
    let streams: Vec<Vec<u8>> = fs::read_dir(corpus)
        .unwrap()
        // The first byte is the fuzz target's.
        .map(|entry| fs::read(entry.unwrap().path()).unwrap().split_off(1))
        .collect();
    assert!(!streams.is_empty());
    let mut decoded = 0;
    let mut refused = 0;
    for seed in 1..=SEEDS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut stream = streams[random.below(streams.len())].clone();
        for _flip in 0..1 + random.below(8) {
            let bit = random.below(stream.len() * 8);
            stream[bit / 8] ^= 1 << (bit % 8);
        }
        if seed % 3 == 0 {
            stream.truncate(random.below(stream.len()));
        }
        let mut run = Run::new(seed % 2 == 0);
        for unit in units(&stream) {
            // Some are lost.
            if seed % 5 != 0 || random.below(6) != 0 {
                run.read(unit);
            }
            if seed % 7 == 0 && random.below(12) == 0 {
                run.seek();
            }
        }
        run.finish();
        decoded += run.decoded;
        refused += run.refused;
    }
    assert!(decoded > 10_000 && refused > 1_000, "{decoded}, {refused}");
}

#[test]
fn noise_is_refused_or_passed_over() {
    let mut refused = 0;
    for seed in 1..=SEEDS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut stream = Vec::new();
        for _nal in 0..12 {
            let kinds = [0x67, 0x68, 0x65, 0x41, 0x01, 0x06, 0x61];
            stream.extend([0, 0, 1, kinds[random.below(kinds.len())]]);
            let bytes = 2 + random.below(60);
            stream.extend((0..bytes).map(|_at| u8::try_from(random.below(256)).unwrap()));
        }
        let mut run = Run::new(seed % 2 == 0);
        run.read(&stream);
        run.finish();
        refused += run.refused;
    }
    assert!(refused > 1_000, "{refused}");
}

/// Units that each have one first slice.
fn units(stream: &[u8]) -> Vec<&[u8]> {
    let mut borders = vec![0];
    for nal in NalUnits::new(stream) {
        let is_slice = matches!(nal.h264_type(), 1 | 5);
        let is_first = nal.data.get(1) >= Some(&0x80);
        if nal.offset > 3 && is_slice && is_first {
            borders.push(nal.offset - 3);
        }
    }
    borders.push(stream.len());
    let units = borders.windows(2);
    units.map(|unit| &stream[unit[0]..unit[1]]).collect()
}

struct Run {
    sequencer: H264,
    steps: Steps,
    alive: BTreeSet<PictureId>,
    out: BTreeSet<PictureId>,
    kept: usize,
    decoded: usize,
    refused: usize,
}

impl Run {
    fn new(slices: bool) -> Self {
        let controls = (0..8).map(|control| uapi::STATELESS_H264_DECODE_MODE + control);
        Self {
            sequencer: H264::new(Ability {
                slices,
                start_codes: !slices,
                controls: controls.collect(),
            }),
            steps: Steps::new(),
            alive: BTreeSet::new(),
            out: BTreeSet::new(),
            kept: 0,
            decoded: 0,
            refused: 0,
        }
    }

    fn read(&mut self, unit: &[u8]) {
        self.steps.clear();
        if let Err(error) = self.sequencer.read(unit, &mut self.steps) {
            assert!(error.bit <= unit.len() as u64 * 8, "{error}");
            self.refused += 1;
        }
        self.keep_books(unit);
    }

    fn seek(&mut self) {
        self.steps.clear();
        self.sequencer.seek(&mut self.steps);
        self.keep_books(&[]);
        assert!(self.alive.is_empty());
    }

    fn finish(&mut self) {
        self.steps.clear();
        self.sequencer.finish(&mut self.steps);
        self.keep_books(&[]);
        assert!(self.alive.is_empty());
    }

    fn keep_books(&mut self, unit: &[u8]) {
        for step in self.steps.steps() {
            match step {
                Step::Sequence(sequence) => {
                    assert!(self.alive.is_empty());
                    self.kept = sequence.kept;
                }
                Step::Decode(decode) => {
                    self.decoded += 1;
                    self.alive.insert(decode.picture);
                    assert!(self.alive.len() <= self.kept + 1, "{:?}", self.alive);
                    assert!(!self.out.contains(&decode.picture));
                    for piece in self.steps.pieces(&decode.pieces) {
                        assert!(unit.get(piece.clone()).is_some());
                    }
                }
                Step::Output { picture, .. } => {
                    assert!(self.alive.contains(picture));
                    assert!(self.out.insert(*picture));
                }
                Step::Forget(picture) => assert!(self.alive.remove(picture)),
            }
        }
    }
}
