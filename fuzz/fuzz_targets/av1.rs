//! Temporal units of AV1, however damaged: steps that keep the books, or errors that lie within
//! the unit.
#![no_main]

use std::collections::BTreeSet;

use dmaflow_bitstream::obu::{ObuType, Obus};
use dmaflow_stateless::uapi::av1::STATELESS_AV1_FILM_GRAIN;
use dmaflow_stateless::{Ability, Av1, PictureId, Sequencer, Step, Steps};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let ability = Ability {
        controls: vec![STATELESS_AV1_FILM_GRAIN],
        ..Ability::default()
    };
    let mut sequencer = Av1::new(&ability);
    let mut steps = Steps::new();
    let mut books = Books::default();
    for unit in units(stream) {
        steps.clear();
        if let Err(error) = sequencer.read(unit, &mut steps) {
            assert!(error.bit <= unit.len() as u64 * 8, "{error}");
        }
        books.keep(&steps, unit);
        steps.clear();
        match unit.len() % 32 {
            3 => sequencer.seek(&mut steps),
            5 => sequencer.finish(&mut steps),
            _ => continue,
        }
        books.keep(&steps, unit);
        assert!(books.alive.is_empty());
    }
    steps.clear();
    sequencer.finish(&mut steps);
    books.keep(&steps, &[]);
    assert!(books.alive.is_empty());
});

/// What lies between temporal delimiters.
fn units(stream: &[u8]) -> Vec<&[u8]> {
    let mut borders = vec![0];
    for obu in Obus::new(stream).map_while(Result::ok) {
        if obu.header.obu_type == ObuType::TemporalDelimiter && obu.offset > 0 {
            borders.push(obu.offset);
        }
    }
    borders.push(stream.len());
    borders
        .windows(2)
        .map(|border| &stream[border[0]..border[1]])
        .collect()
}

#[derive(Default)]
struct Books {
    alive: BTreeSet<PictureId>,
    kept: usize,
}

impl Books {
    fn keep(&mut self, steps: &Steps, unit: &[u8]) {
        for step in steps.steps() {
            match step {
                Step::Sequence(sequence) => self.kept = sequence.kept,
                Step::Decode(decode) => {
                    assert!(self.alive.len() <= self.kept, "too many are kept");
                    assert!(self.alive.insert(decode.picture), "decoded twice");
                    let mut bytes = 0;
                    for piece in steps.pieces(&decode.pieces) {
                        bytes += unit[piece.clone()].len();
                    }
                    let [_, _, tiles, _] = steps.controls(&decode.controls) else {
                        panic!("other controls");
                    };
                    let (tiles, _) = steps.bytes_of(tiles).as_chunks::<16>();
                    assert!(!tiles.is_empty());
                    for tile in tiles {
                        let [offset, size] = [0, 4].map(|at| {
                            let field = tile[at..at + 4].try_into().expect("four bytes");
                            u32::from_ne_bytes(field) as usize
                        });
                        assert!(size > 0 && offset + size <= bytes, "a tile lies elsewhere");
                    }
                }
                Step::Output { picture, .. } => assert!(self.alive.contains(picture)),
                Step::Forget(picture) => assert!(self.alive.remove(picture)),
            }
        }
    }
}
