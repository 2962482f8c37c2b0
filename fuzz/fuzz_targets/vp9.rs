//! Chunks of VP9, however damaged: steps that keep the books, or errors that lie within the unit.
#![no_main]

mod sequencer;

use dmaflow_stateless::uapi::vp9::STATELESS_VP9_COMPRESSED_HDR;
use dmaflow_stateless::{Ability, Vp9};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let ability = Ability {
        controls: vec![STATELESS_VP9_COMPRESSED_HDR],
        ..Ability::default()
    };
    sequencer::run(&mut Vp9::new(&ability), stream);
});
