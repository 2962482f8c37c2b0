//! Once streams of H.264 were read, reading them again allocates nothing. A file of its own, since
//! every allocation of the process counts.

use std::alloc::System;
use std::fs;
use std::path::PathBuf;

use dmaflow_stateless::uapi::h264::STATELESS_H264_DECODE_MODE;
use dmaflow_stateless::{Ability, H264, Sequencer, Step, Steps};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn reading_again_allocates_nothing() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/h264");
    for name in ["b_pyramid", "weights", "slices", "interlaced", "open_gop"] {
        let stream = fs::read(corpus.join(name)).unwrap();
        // The first byte is the fuzz target's. The whole stream is one unit.
        let stream = stream.get(1..).unwrap();
        let controls = (0..8).map(|control| STATELESS_H264_DECODE_MODE + control);
        let mut sequencer = H264::new(Ability {
            slices: true,
            start_codes: false,
            controls: controls.collect(),
        });
        let mut steps = Steps::new();
        let mut decoded = 0;
        let mut read = || {
            steps.clear();
            sequencer.read(stream, &mut steps).unwrap();
            let decodes = |step: &&Step| matches!(step, Step::Decode(_));
            decoded += steps.steps().iter().filter(decodes).count();
        };
        // The second time, the IDR picture ends what was before.
        read();
        read();
        let region = Region::new(ALLOCATOR);
        for _round in 0..10 {
            read();
        }
        let change = region.change();
        assert!(decoded >= 12 * 16, "{name}: {decoded} requests");
        assert_eq!(change.allocations + change.reallocations, 0, "{name}");
    }
}
