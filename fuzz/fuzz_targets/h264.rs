//! Access units of H.264, however damaged: steps that keep the books, references that are there, or
//! errors that lie within the unit.
#![no_main]

use std::collections::BTreeSet;

use dmaflow_bitstream::annex_b::NalUnits;
use dmaflow_stateless::uapi::h264 as uapi;
use dmaflow_stateless::{Ability, H264, PictureId, Sequencer, Step, Steps};
use libfuzzer_sys::fuzz_target;
use zerocopy::FromBytes;

fuzz_target!(|input: &[u8]| {
    // The first byte says how the driver is, and how the stream is cut.
    let Some((how, stream)) = input.split_first() else {
        return;
    };
    let mut sequencer = H264::new(Ability {
        slices: how & 1 != 0,
        start_codes: how & 2 != 0,
        controls: (0..8).map(|control| uapi::STATELESS_H264_DECODE_MODE + control).collect(),
    });
    let mut steps = Steps::new();
    let mut books = Books::default();
    for (at, unit) in units(stream, how & 4 != 0).into_iter().enumerate() {
        steps.clear();
        if let Err(error) = sequencer.read(unit, &mut steps) {
            assert!(error.bit <= unit.len() as u64 * 8, "{error}");
        }
        books.keep(&steps, unit);
        steps.clear();
        match (how >> 4, at % 16) {
            (1, 9) => sequencer.seek(&mut steps),
            (2, 9) => sequencer.finish(&mut steps),
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

/// Units that end before parameter sets and first slices, or one for each NAL unit.
fn units(stream: &[u8], single: bool) -> Vec<&[u8]> {
    let mut borders = vec![0];
    for nal in NalUnits::new(stream) {
        let kind = nal.h264_type();
        let first_slice = matches!(kind, 1 | 5) && nal.data.get(1) >= Some(&0x80);
        if nal.offset > 3 && (single || first_slice || kind == 7) {
            borders.push(nal.offset - 3);
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
    /// What is decoded and not forgotten.
    alive: BTreeSet<PictureId>,
    /// What went out.
    out: BTreeSet<PictureId>,
    newest: Option<PictureId>,
    kept: usize,
}

impl Books {
    fn keep(&mut self, steps: &Steps, unit: &[u8]) {
        for step in steps.steps() {
            match step {
                Step::Sequence(sequence) => {
                    assert!(self.alive.is_empty(), "all are out or dropped");
                    assert!((1..=16).contains(&sequence.kept));
                    self.kept = sequence.kept;
                }
                Step::Decode(decode) => {
                    if self.alive.insert(decode.picture) {
                        assert!(self.newest < Some(decode.picture), "numbers grow");
                        self.newest = Some(decode.picture);
                    }
                    assert_eq!(self.newest, Some(decode.picture), "none goes on later");
                    assert!(self.alive.len() - 1 <= self.kept, "{:?}", self.alive);
                    assert!(!self.out.contains(&decode.picture), "it went out before");
                    let pieces = steps.pieces(&decode.pieces);
                    assert!(!pieces.is_empty());
                    for piece in pieces {
                        assert!(unit.get(piece.clone()).is_some_and(|piece| !piece.is_empty()));
                    }
                    self.look_at(steps, decode);
                }
                Step::Output { picture, .. } => {
                    assert!(self.alive.contains(picture), "{picture:?} is not there");
                    assert!(self.out.insert(*picture), "{picture:?} went out before");
                }
                Step::Forget(picture) => assert!(self.alive.remove(picture), "{picture:?}"),
            }
        }
    }

    /// References of a request are there.
    fn look_at(&self, steps: &Steps, decode: &dmaflow_stateless::Decode) {
        let mut entries = 0;
        let controls = steps.controls(&decode.controls);
        for control in controls.iter().rev() {
            let bytes = steps.bytes_of(control);
            if control.id == uapi::STATELESS_H264_DECODE_PARAMS {
                let params = uapi::DecodeParams::read_from_bytes(bytes).unwrap();
                for entry in params.dpb.iter().filter(|entry| entry.flags != 0) {
                    entries += 1;
                    let picture = PictureId(entry.reference_ts / 1000);
                    assert!(self.alive.contains(&picture), "{picture:?} is no reference");
                    assert!(matches!(entry.fields, 1..=3));
                }
            } else if control.id == uapi::STATELESS_H264_SLICE_PARAMS {
                let params = uapi::SliceParams::read_from_bytes(bytes).unwrap();
                let lists = params.ref_pic_list0.iter().chain(&params.ref_pic_list1);
                for reference in lists.filter(|reference| **reference != uapi::Reference::NONE) {
                    let there = usize::from(reference.index) < entries;
                    assert!(there || reference.index == 0xff, "{reference:?} of {entries}");
                    assert!(matches!(reference.fields, 1..=3));
                }
            }
        }
    }
}
