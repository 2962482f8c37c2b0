//! Saying what a stateless decoder has to do with an HEVC picture allocates nothing once pictures
//! like it have been seen. A file of its own, since every allocation of the process counts.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; values by lot are small"
)]

#[path = "hevc/craft/mod.rs"]
mod craft;

use std::alloc::System;

use dmaflow_stateless::uapi::hevc as uapi;
use dmaflow_stateless::{Ability, Hevc, Sequencer, Steps};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn pictures_allocate_nothing() {
    for (slices, seed) in [(false, 1), (true, 2), (false, 3), (true, 4)] {
        let stream = craft::stream(seed, 30);
        let mut sequencer = Hevc::new(Ability {
            slices,
            start_codes: slices,
            controls: (uapi::STATELESS_HEVC_SPS..=uapi::STATELESS_HEVC_EXT_SPS_LT_RPS).collect(),
        });
        let mut steps = Steps::new();
        for _first in 0..2 {
            steps.clear();
            sequencer.read(&stream, &mut steps).unwrap();
        }
        let streaming = Region::new(ALLOCATOR);
        for _again in 0..20 {
            steps.clear();
            sequencer.read(&stream, &mut steps).unwrap();
        }
        let change = streaming.change();
        assert_eq!(
            (change.allocations, change.reallocations),
            (0, 0),
            "seed {seed}"
        );
    }
}
