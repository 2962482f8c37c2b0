//! Start codes, NAL units and access units, found as simply as can be and as we do. The first byte
//! tells the codec.
#![no_main]

use dmaflow_bitstream::annex_b::{AccessUnits, NalCodec, NalUnits, START_CODE, find_start_code};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, data)) = bytes.split_first() else {
        return;
    };
    let codec = if first & 1 == 0 {
        NalCodec::H264
    } else {
        NalCodec::Hevc
    };
    let simply = data.windows(3).position(|three| three == START_CODE);
    assert_eq!(find_start_code(data, 0), simply);
    let mut whole = AccessUnits::new(codec);
    let mut from_beginning = AccessUnits::new(codec);
    let mut end = 0;
    for unit in NalUnits::new(data) {
        assert!(unit.offset >= end + START_CODE.len() && !unit.data.is_empty());
        assert_eq!(data[unit.offset - 3..unit.offset], START_CODE);
        assert_ne!(unit.data.last(), Some(&0));
        assert!(!unit.data.windows(3).any(|three| three == START_CODE));
        end = unit.offset + unit.data.len();
        let expected = whole.take(unit.data, true).expect("it is whole");
        // A beginning of it says the same or nothing, unless it ends in a slice's header.
        let enough = unit.data.len().min(AccessUnits::ENOUGH_OF_A_SLICE);
        let step = match from_beginning.take(&unit.data[..enough], false) {
            Some(step) => step,
            None => from_beginning.take(unit.data, true).expect("it is whole"),
        };
        assert_eq!(step, expected);
    }
});
