//! Once a stream of AV1 was read, reading it again allocates nothing. A file of its own, since
//! every allocation of the process counts.

use std::alloc::System;
use std::fs;
use std::path::PathBuf;

use dmaflow_bitstream::obu::{ObuType, Obus};
use dmaflow_stateless::uapi::av1::STATELESS_AV1_FILM_GRAIN;
use dmaflow_stateless::{Ability, Av1, Sequencer, Step, Steps};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn reading_again_allocates_nothing() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/av1");
    let stream = fs::read(corpus.join("tile_groups")).unwrap();
    let mut borders = Vec::new();
    for obu in Obus::new(&stream) {
        let obu = obu.unwrap();
        if obu.header.obu_type == ObuType::TemporalDelimiter {
            borders.push(obu.offset);
        }
    }
    borders.push(stream.len());
    let ability = Ability {
        controls: vec![STATELESS_AV1_FILM_GRAIN],
        ..Ability::default()
    };
    let mut sequencer = Av1::new(&ability);
    let mut steps = Steps::new();
    let mut frames = 0;
    let mut read = |frames: &mut usize| {
        for border in borders.windows(2) {
            steps.clear();
            let unit = &stream[border[0]..border[1]];
            sequencer.read(unit, &mut steps).unwrap();
            let decoded = |step: &&Step| matches!(step, Step::Decode(_));
            *frames += steps.steps().iter().filter(decoded).count();
        }
    };
    // The second time, the key frame ends what was before.
    read(&mut frames);
    read(&mut frames);
    let region = Region::new(ALLOCATOR);
    for _round in 0..10 {
        read(&mut frames);
    }
    let change = region.change();
    assert!(frames >= 40, "{frames} frames");
    assert_eq!(change.allocations + change.reallocations, 0);
}
