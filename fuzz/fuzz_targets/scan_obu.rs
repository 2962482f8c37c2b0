//! OBUs: they cover their data, and are found again once they were put together anew.
#![no_main]

use dmaflow_bitstream::obu::{Obus, is_key_unit, leb128, shows_frame, to_leb128};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((value, len)) = leb128(data, "value") {
        let (bytes, shortest) = to_leb128(value);
        assert!(shortest <= len);
        assert_eq!(leb128(&bytes[..shortest], "value"), Ok((value, shortest)));
    }
    let mut end = 0;
    let mut failed = false;
    for obu in Obus::new(data) {
        let Ok(obu) = obu else {
            failed = true;
            continue;
        };
        assert!(!failed, "nothing follows an error");
        assert_eq!(obu.offset, end);
        end = obu.payload_offset + obu.payload.len();
        assert_eq!(data[obu.payload_offset..end], *obu.payload);
    }
    assert!(failed || end == data.len());
    let (key, shows) = (is_key_unit(data), shows_frame(data));
    assert!(!key || shows || failed);
});
