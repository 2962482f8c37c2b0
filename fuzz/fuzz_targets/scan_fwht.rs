//! Headers of FWHT frames are written again as the same bytes.
#![no_main]

use dmaflow_bitstream::fwht::{FWHT_HEADER_LEN, FwhtHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(header) = FwhtHeader::parse(data) {
        assert_eq!(header.to_bytes(), data[..FWHT_HEADER_LEN]);
        assert!((1..=4).contains(&header.components()));
        let (width, height) = header.chroma_divisors();
        assert!((1..=2).contains(&width) && (1..=2).contains(&height));
    }
});
