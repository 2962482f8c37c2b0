//! A file that says it is MP4. Whatever is in it: every packet lies in it and can be read, a key
//! packet that was told of is found again, and what is wrong is an error.
#![no_main]

use dmaflow_containers::{Input, mp4};
use libfuzzer_sys::fuzz_target;

mod boxes;

fuzz_target!(|bytes: &[u8]| boxes::check(bytes, |input: Input, options| mp4::read(input, options)));
