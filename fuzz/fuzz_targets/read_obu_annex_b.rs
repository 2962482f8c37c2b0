//! What the reader of AV1's length-delimited format makes of a file.
#![no_main]

mod reading;

use dmaflow_containers::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| reading::try_file(Format::ObuAnnexB, bytes));
