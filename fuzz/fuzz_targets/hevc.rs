//! What a stateless decoder is told of any HEVC stream: only pictures that are there, and never
//! to keep more than was said.
#![no_main]

#[path = "../../stateless/tests/hevc/books.rs"]
mod books;

use books::Books;
use dmaflow_bitstream::annex_b::{AccessUnits, NalCodec, NalUnits, Place};
use dmaflow_stateless::uapi::hevc as uapi;
use dmaflow_stateless::{Ability, Hevc, Sequencer, Steps};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&how, stream)) = input.split_first() else {
        return;
    };
    let optional = [
        uapi::STATELESS_HEVC_SLICE_PARAMS,
        uapi::STATELESS_HEVC_SCALING_MATRIX,
        uapi::STATELESS_HEVC_ENTRY_POINT_OFFSETS,
        uapi::STATELESS_HEVC_EXT_SPS_ST_RPS,
        uapi::STATELESS_HEVC_EXT_SPS_LT_RPS,
    ];
    let mut sequencer = Hevc::new(Ability {
        slices: how & 1 != 0,
        start_codes: how & 2 != 0,
        controls: if how & 4 == 0 {
            optional.to_vec()
        } else {
            Vec::new()
        },
    });
    let mut steps = Steps::new();
    let mut books = Books::default();
    let mut read = |unit: &[u8]| {
        steps.clear();
        if let Err(error) = sequencer.read(unit, &mut steps) {
            assert!(
                error.bit <= unit.len() as u64 * 8,
                "{error} of {} bytes",
                unit.len()
            );
        }
        books.keep(&steps, unit.len());
    };
    let mut grouping = AccessUnits::new(NalCodec::Hevc);
    let mut begin = 0;
    if how & 8 == 0 {
        for nal in NalUnits::new(stream) {
            let step = grouping.take(nal.data, true);
            if step.is_some_and(|step| step.place == Place::New) {
                read(&stream[begin..nal.offset - 3]);
                begin = nal.offset - 3;
            }
        }
    }
    read(&stream[begin..]);
    steps.clear();
    if how & 16 == 0 {
        sequencer.finish(&mut steps);
    } else {
        sequencer.seek(&mut steps);
    }
    books.keep(&steps, 0);
    books.close();
});
