//! What reading an access unit of H.264 takes, as a frame is coded with 20 KiB: to find its NAL
//! units, to read their headers and, for ours, to work out references, controls and order. Beside
//! it what other parsers take for finding and reading alone.
//!
//! `cargo bench -p dmaflow-stateless --bench h264` prints times and allocations for 16 frames.
#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use cros_codecs::codec::h264::parser::{Nalu, NaluType, Parser};
use divan::{AllocProfiler, Bencher, black_box};
use dmaflow_bitstream::annex_b::NalUnits;
use dmaflow_bitstream::h264::{NalHeader, ParameterSets};
use dmaflow_stateless::uapi::h264::STATELESS_H264_DECODE_MODE;
use dmaflow_stateless::{Ability, H264, Sequencer, Steps};
use h264_reader::Context;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::nal::slice::SliceHeader;
use h264_reader::nal::sps::SeqParameterSet;
use h264_reader::nal::{Nal, RefNal, UnitType};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const SLICE_BYTES: usize = 20 * 1024;

/// Access units: an encoder's small ones, made as long as those of large pictures are.
static UNITS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/h264");
    let stream = fs::read(corpus.join("b_pyramid")).expect("a stream of the corpus");
    let mut units: Vec<Vec<u8>> = Vec::new();
    let mut unit = Vec::new();
    let mut noise: u32 = 1;
    // The first byte is the fuzz target's.
    for nal in NalUnits::new(stream.get(1..).expect("more than a byte")) {
        unit.extend([0, 0, 1]);
        unit.extend(nal.data);
        if matches!(nal.h264_type(), 1 | 5) {
            let data = std::iter::repeat_with(|| {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                noise.to_le_bytes()[0].max(1)
            });
            unit.extend(data.take(SLICE_BYTES));
            units.push(std::mem::take(&mut unit));
        }
    }
    assert_eq!(units.len(), 16, "frames");
    units
});

fn sequencer(slices: bool) -> (H264, Steps) {
    let controls = (0..8).map(|control| STATELESS_H264_DECODE_MODE + control);
    let ability = Ability {
        slices,
        start_codes: true,
        controls: controls.collect(),
    };
    (H264::new(ability), Steps::new())
}

/// All of what a device is told, a request a frame, or a slice.
#[divan::bench(args = ["frame-based", "slice-based"])]
fn dmaflow(bencher: Bencher<'_, '_>, mode: &str) {
    LazyLock::force(&UNITS);
    let (mut sequencer, mut steps) = sequencer(mode == "slice-based");
    let mut read = || {
        for unit in &*UNITS {
            steps.clear();
            sequencer.read(unit, &mut steps).expect("a good stream");
            black_box(&steps);
        }
    };
    read();
    bencher.bench_local(read);
}

/// Headers alone, for the sake of comparison.
#[divan::bench]
fn dmaflow_headers(bencher: Bencher<'_, '_>) {
    LazyLock::force(&UNITS);
    let mut sets = ParameterSets::new();
    bencher.bench_local(|| {
        for unit in &*UNITS {
            for nal in NalUnits::new(unit) {
                match nal.h264_type() {
                    NalHeader::SEQUENCE_PARAMETERS => {
                        sets.read_sequence(nal.data).expect("a good stream");
                    }
                    NalHeader::PICTURE_PARAMETERS => {
                        sets.read_picture(nal.data).expect("a good stream");
                    }
                    NalHeader::SLICE | NalHeader::IDR => {
                        let slice = dmaflow_bitstream::h264::SliceHeader::read(nal.data, &sets);
                        black_box(&slice.expect("a good stream"));
                    }
                    _ => {}
                }
            }
        }
    });
}

/// Where NAL units lie, alone.
#[divan::bench]
fn dmaflow_nal_units(bencher: Bencher<'_, '_>) {
    LazyLock::force(&UNITS);
    bencher.bench_local(|| {
        for unit in &*UNITS {
            black_box(NalUnits::new(unit).count());
        }
    });
}

/// Headers, by `cros-codecs`.
#[divan::bench]
fn cros_codecs(bencher: Bencher<'_, '_>) {
    LazyLock::force(&UNITS);
    let mut parser = Parser::default();
    bencher.bench_local(|| {
        for unit in &*UNITS {
            let mut cursor = Cursor::new(unit.as_slice());
            while let Ok(nalu) = Nalu::next(&mut cursor) {
                match nalu.header.type_ {
                    NaluType::Sps => drop(parser.parse_sps(&nalu).expect("a good stream")),
                    NaluType::Pps => {
                        black_box(parser.parse_pps(&nalu).expect("a good stream"));
                    }
                    NaluType::Slice | NaluType::SliceIdr => {
                        let slice = parser.parse_slice_header(nalu).expect("a good stream");
                        black_box(slice.header);
                    }
                    _ => {}
                }
            }
        }
    });
}

/// Headers, by `h264-reader`, of the NAL units that ours found.
#[divan::bench]
fn h264_reader(bencher: Bencher<'_, '_>) {
    LazyLock::force(&UNITS);
    let mut context = Context::default();
    bencher.bench_local(|| {
        for unit in &*UNITS {
            for found in NalUnits::new(unit) {
                let nal = RefNal::new(found.data, &[], true);
                let header = nal.header().expect("a good stream");
                match header.nal_unit_type() {
                    UnitType::SeqParameterSet => {
                        let set = SeqParameterSet::from_bits(nal.rbsp_bits());
                        context.put_seq_param_set(set.expect("a good stream"));
                    }
                    UnitType::PicParameterSet => {
                        let set = PicParameterSet::from_bits(&context, nal.rbsp_bits());
                        context.put_pic_param_set(set.expect("a good stream"));
                    }
                    UnitType::SliceLayerWithoutPartitioningIdr
                    | UnitType::SliceLayerWithoutPartitioningNonIdr => {
                        let mut bits = nal.rbsp_bits();
                        let slice = SliceHeader::from_bits(&context, &mut bits, header, None);
                        black_box(slice.expect("a good stream"));
                    }
                    _ => {}
                }
            }
        }
    });
}

fn main() {
    divan::main();
}
