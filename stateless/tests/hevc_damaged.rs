//! Whatever a stream says: no panic, no picture that is not there, none kept beyond what was said.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; values by lot are small"
)]

#[path = "hevc/books.rs"]
mod books;
#[path = "hevc/craft/mod.rs"]
mod craft;

use books::Books;
use craft::Lot;
use dmaflow_bitstream::annex_b::NalUnits;
use dmaflow_stateless::uapi::hevc as uapi;
use dmaflow_stateless::{Ability, Hevc, Sequencer, Step, Steps};

fn sequencer(lot: &mut Lot) -> Hevc {
    let optional = [
        uapi::STATELESS_HEVC_SLICE_PARAMS,
        uapi::STATELESS_HEVC_SCALING_MATRIX,
        uapi::STATELESS_HEVC_ENTRY_POINT_OFFSETS,
        uapi::STATELESS_HEVC_EXT_SPS_ST_RPS,
        uapi::STATELESS_HEVC_EXT_SPS_LT_RPS,
    ];
    Hevc::new(Ability {
        slices: lot.below(2) == 1,
        start_codes: lot.below(2) == 1,
        controls: optional.to_vec(),
    })
}

/// Reads a stream NAL unit by NAL unit or as one, and seeks or finishes; tells how many pictures
/// and errors there were.
fn read(stream: &[u8], lot: &mut Lot) -> (usize, usize) {
    let mut sequencer = sequencer(lot);
    let mut books = Books::default();
    let mut steps = Steps::new();
    let mut errors = 0;
    let begins: Vec<usize> = match lot.below(3) {
        0 => vec![0],
        _ => NalUnits::new(stream).map(|nal| nal.offset - 3).collect(),
    };
    let ends = begins.iter().skip(1).copied().chain([stream.len()]);
    for (begin, end) in begins.iter().copied().zip(ends) {
        let unit = &stream[begin..end];
        steps.clear();
        if let Err(error) = sequencer.read(unit, &mut steps) {
            assert!(error.bit <= unit.len() as u64 * 8, "{error}");
            errors += 1;
        }
        books.keep(&steps, unit.len());
        if lot.below(50) == 0 {
            steps.clear();
            sequencer.seek(&mut steps);
            books.keep(&steps, 0);
            books.close();
        }
    }
    steps.clear();
    sequencer.finish(&mut steps);
    books.keep(&steps, 0);
    books.close();
    (books.decoded, errors)
}

#[test]
fn good_streams_of_every_kind_are_read_without_an_error() {
    for seed in 0..300 {
        let stream = craft::stream(seed, 12);
        let mut sequencer = sequencer(&mut Lot::new(seed));
        let mut books = Books::default();
        let mut steps = Steps::new();
        let read = sequencer.read(&stream, &mut steps);
        assert_eq!(read, Ok(()), "seed {seed}");
        books.keep(&steps, stream.len());
        assert_eq!(books.decoded, 12, "seed {seed}");
    }
}

#[test]
fn streams_with_flipped_bits_do_no_harm() {
    let (mut decoded, mut errors) = (0, 0);
    for seed in 0..3000 {
        let mut lot = Lot::new(seed);
        let mut stream = craft::stream(seed / 10, 10);
        for _ in 0..1 + lot.below(12) {
            let at = lot.below(stream.len() as u32) as usize;
            stream[at] ^= 1 << lot.below(8);
        }
        if lot.below(4) == 0 {
            stream.truncate(lot.below(stream.len() as u32) as usize);
        }
        let (more, wrong) = read(&stream, &mut lot);
        decoded += more;
        errors += wrong;
    }
    assert!(decoded > 3000, "{decoded} pictures");
    assert!(errors > 1000, "{errors} errors");
}

#[test]
fn bytes_by_lot_do_no_harm() {
    for seed in 0..2000 {
        let mut lot = Lot::new(seed);
        let mut stream = if lot.below(2) == 0 {
            craft::stream(seed, 1)
        } else {
            Vec::new()
        };
        for _ in 0..1 + lot.below(10) {
            stream.extend([0, 0, 1, (lot.below(48) << 1) as u8, 1]);
            let len = lot.below(120);
            stream.extend((0..len).map(|_| lot.below(256) as u8));
        }
        read(&stream, &mut lot);
    }
}

#[test]
fn lost_pictures_are_replaced_by_those_that_are_there() {
    let (mut decoded, mut errors) = (0, 0);
    for seed in 0..500 {
        let mut lot = Lot::new(seed);
        let stream = craft::stream(seed, 20);
        let mut sequencer = sequencer(&mut lot);
        let mut books = Books::default();
        let mut steps = Steps::new();
        let nals: Vec<_> = NalUnits::new(&stream).collect();
        let mut unit = Vec::new();
        for (nth, nal) in nals.iter().enumerate() {
            unit.extend([0, 0, 1]);
            unit.extend(nal.data);
            // A picture's slices stay together: the next one says that it is the first.
            let next = nals.get(nth + 1);
            let same = |next: &dmaflow_bitstream::annex_b::NalUnit<'_>| {
                next.hevc_type() < 32 && next.data[2] & 0x80 == 0
            };
            if next.is_some_and(same) {
                continue;
            }
            steps.clear();
            let lost = books.decoded > 0 && lot.below(4) == 0;
            if !lost && sequencer.read(&unit, &mut steps).is_err() {
                errors += 1;
            }
            books.keep(&steps, unit.len());
            unit.clear();
        }
        decoded += books.decoded;
    }
    assert_eq!(errors, 0);
    // None is left out but those that were lost.
    assert!(decoded > 7000, "{decoded} pictures");
}

/// A stream of open groups of pictures, made by an encoder: the first byte is the fuzzer's.
const OPEN_GROUPS: &[u8] = include_bytes!("../../fuzz/corpus/hevc/open-gop");

#[test]
fn decoding_begins_with_any_irap_picture_and_leaves_out_what_leads_it() {
    let stream = &OPEN_GROUPS[1..];
    let nals: Vec<_> = NalUnits::new(stream).collect();
    let cra = nals.iter().position(|nal| nal.hevc_type() == 21).unwrap();
    let rest = nals[cra..].iter().filter(|nal| nal.hevc_type() < 32);
    let leading = rest
        .clone()
        .filter(|nal| matches!(nal.hevc_type(), 8 | 9))
        .count();
    // All but those of later groups, whose leading pictures can be decoded.
    let groups = nals[cra + 1..].iter().position(|nal| nal.hevc_type() == 21);
    let end = groups.map_or(nals.len(), |at| cra + 1 + at);
    let lost = nals[cra..end]
        .iter()
        .filter(|nal| matches!(nal.hevc_type(), 8 | 9))
        .count();
    assert!(leading > 0 && lost > 0);
    let mut sequencer = sequencer(&mut Lot::new(1));
    let mut books = Books::default();
    let mut steps = Steps::new();
    for (nth, nal) in nals.iter().enumerate() {
        let sets = matches!(nal.hevc_type(), 32..=34);
        steps.clear();
        if sets || nth >= cra {
            let unit = &stream[nal.offset - 3..nal.offset + nal.data.len()];
            sequencer.read(unit, &mut steps).unwrap();
            books.keep(&steps, unit.len());
        }
    }
    assert_eq!(books.decoded, rest.count() - lost);
    // Without one, nothing begins, and it is said why.
    sequencer.seek(&mut steps);
    let trailing = nals.iter().find(|nal| nal.hevc_type() == 1).unwrap();
    let unit = &stream[trailing.offset - 3..trailing.offset + trailing.data.len()];
    steps.clear();
    let error = sequencer.read(unit, &mut steps).unwrap_err();
    assert!(steps.steps().is_empty());
    assert_eq!(error.what, "nal_unit_type of the first picture");
}

#[test]
fn all_of_a_sequence_goes_out_when_it_ends() {
    let stream = &OPEN_GROUPS[1..];
    let ends = NalUnits::new(stream).map(|nal| nal.offset + nal.data.len());
    let mut out = 0;
    for end in ends {
        let mut sequencer = sequencer(&mut Lot::new(1));
        let mut books = Books::default();
        let mut steps = Steps::new();
        sequencer.read(&stream[..end], &mut steps).unwrap();
        books.keep(&steps, end);
        steps.clear();
        sequencer.read(&[0, 0, 1, 0x48, 0x01], &mut steps).unwrap();
        books.keep(&steps, 5);
        let is_out = |step: &&Step| matches!(step, Step::Output { .. });
        out += steps.steps().iter().filter(is_out).count();
        steps.clear();
        sequencer.finish(&mut steps);
        books.keep(&steps, 0);
        books.close();
        assert_eq!(steps.steps().iter().find(is_out), None);
    }
    assert!(out > 0);
}
