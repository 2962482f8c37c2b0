//! Pictures of MPEG-2, however damaged: steps that keep the books, or errors that lie within the
//! unit.
#![no_main]

mod sequencer;

use dmaflow_stateless::{Ability, Mpeg2};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| sequencer::run(&mut Mpeg2::new(&Ability::default()), stream));
