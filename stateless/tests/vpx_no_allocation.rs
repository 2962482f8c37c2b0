//! Once a stream of VP8, VP9 or MPEG-2 was read, reading it again allocates nothing. A file of its
//! own, since every allocation of the process counts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod lengths;

use std::alloc::System;

use dmaflow_stateless::{Sequencer, Step, Steps};
use lengths::{CODECS, sequencer, streams};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Reads a stream from its beginning, and counts its requests.
fn read(sequencer: &mut dyn Sequencer, steps: &mut Steps, units: &[Vec<u8>]) -> usize {
    let mut requests = 0;
    for unit in units {
        steps.clear();
        sequencer.read(unit, steps).unwrap();
        let decoded = |step: &&Step| matches!(step, Step::Decode(_));
        requests += steps.steps().iter().filter(decoded).count();
    }
    steps.clear();
    sequencer.seek(steps);
    requests
}

#[test]
fn reading_again_allocates_nothing() {
    for codec in CODECS {
        for units in streams(codec) {
            let mut sequencer = sequencer(codec);
            let mut steps = Steps::new();
            read(&mut *sequencer, &mut steps, &units);
            let region = Region::new(ALLOCATOR);
            let mut requests = 0;
            for _round in 0..5 {
                requests += read(&mut *sequencer, &mut steps, &units);
            }
            let change = region.change();
            assert!(requests >= 10, "{codec}: {requests} requests");
            assert_eq!(change.allocations + change.reallocations, 0, "{codec}");
        }
    }
}
