//! Every field of the HEVC controls against what ffmpeg's trace of headers says, and the order in
//! which pictures go out against ffmpeg's.
//!
//! Beside each stream `NAME` in the directory there may be `order-NAME`: how many bytes each picture
//! takes that ffmpeg gives, in its order, as of `ffprobe -threads 1 -show_frames -show_entries
//! frame=pkt_size -of csv=p=0 NAME`. With more threads it may lose pictures.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and says what it skipped; traced values are small"
)]

#[path = "hevc/craft/mod.rs"]
mod craft;
mod hevc;
mod trace;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dmaflow_stateless::uapi::hevc as uapi;
use dmaflow_stateless::{Ability, Decode, Hevc, PictureId, Sequencer, Step, Steps};
use hevc::model::{self, Model, Picture};
use hevc::{sets, traced};
use uapi::{HevcDecodeParams, HevcPps, HevcScalingMatrix, HevcSliceParams, HevcSps};
use zerocopy::FromBytes;

const CONTROLS: [u32; 8] = [
    uapi::STATELESS_HEVC_SPS,
    uapi::STATELESS_HEVC_PPS,
    uapi::STATELESS_HEVC_SLICE_PARAMS,
    uapi::STATELESS_HEVC_SCALING_MATRIX,
    uapi::STATELESS_HEVC_DECODE_PARAMS,
    uapi::STATELESS_HEVC_ENTRY_POINT_OFFSETS,
    uapi::STATELESS_HEVC_EXT_SPS_ST_RPS,
    uapi::STATELESS_HEVC_EXT_SPS_LT_RPS,
];

#[test]
fn controls_are_what_the_trace_says() {
    for (path, packets) in trace::streams("hevc_") {
        let units = traced::packets(&path.with_file_name(format!(
            "{}.trace",
            path.file_name().unwrap().to_string_lossy()
        )));
        let sections = packets.iter().flat_map(|packet| &packet.sections);
        let named = sections.inspect(|section| assert!(!section.is("forbidden_zero_bit")));
        let named = named.map(|section| &section.name);
        assert!(named.eq(units.iter().flatten().map(|unit| &unit.name)));
        let mut decoded = 0;
        for slices in [false, true] {
            for start_codes in [false, true] {
                decoded = compare(&path, &units, slices, start_codes);
            }
        }
        let order = compare_order(&path);
        println!("{}: {decoded} pictures, {order}", path.display());
    }
}

/// Writes streams with long-term references, tiles, dependent slices and whatever else encoders do
/// not make, to be traced, into the directory that `DMAFLOW_CRAFT` names.
#[test]
fn streams_are_crafted() {
    let Some(directory) = std::env::var_os("DMAFLOW_CRAFT") else {
        println!("skipped: DMAFLOW_CRAFT names no directory to write streams to");
        return;
    };
    for seed in 0..60 {
        let path = Path::new(&directory).join(format!("hevc_crafted_{seed}.h265"));
        fs::write(path, craft::stream(seed, 24)).unwrap();
    }
}

/// What a request brings of a control.
fn told(steps: &Steps, decode: &Decode, id: u32) -> Option<Vec<u8>> {
    let controls = steps.controls(&decode.controls).iter();
    let mut found = controls.filter(|control| control.id == id);
    let control = found.next()?;
    assert!(found.next().is_none(), "told twice");
    Some(steps.bytes_of(control).to_vec())
}

fn one<T: FromBytes>(steps: &Steps, decode: &Decode, id: u32) -> T {
    T::read_from_bytes(&told(steps, decode, id).unwrap()).unwrap()
}

fn all<T: FromBytes>(steps: &Steps, decode: &Decode, id: u32) -> Vec<T> {
    let bytes = told(steps, decode, id).unwrap_or_default();
    let elements = bytes.chunks(size_of::<T>());
    elements
        .map(|bytes| T::read_from_bytes(bytes).unwrap())
        .collect()
}

fn compare(path: &Path, packets: &[Vec<traced::Unit>], slices: bool, start_codes: bool) -> usize {
    let data = fs::read(path).unwrap();
    let units = hevc::access_units(&data);
    assert_eq!(units.len(), packets.len(), "{}", path.display());
    let ability = Ability {
        slices,
        start_codes,
        controls: CONTROLS.to_vec(),
    };
    let mut sequencer = Hevc::new(ability);
    let mut model = Model::default();
    let mut steps = Steps::new();
    let mut kept = 0;
    let mut alive: BTreeMap<PictureId, usize> = BTreeMap::new();
    let mut decoded = 0;
    for (nth, (unit, packet)) in units.iter().zip(packets).enumerate() {
        let place = format!("{}, packet {nth}", path.display());
        let bytes = &data[unit.clone()];
        steps.clear();
        sequencer.read(bytes, &mut steps).unwrap();
        let requests: Vec<&Decode> = steps
            .steps()
            .iter()
            .filter_map(|step| match step {
                Step::Decode(decode) => Some(decode),
                _ => None,
            })
            .collect();
        let stamp = requests
            .first()
            .map_or(0, |decode| decode.picture.reference_ts());
        let expected = model.packet(packet, stamp);
        assert_eq!(expected.is_some(), !requests.is_empty(), "{place}");
        if let Some(expected) = expected {
            decoded += 1;
            compare_picture(
                &expected,
                &steps,
                &requests,
                (slices, start_codes, bytes),
                &place,
            );
            for step in steps.steps() {
                if let Step::Sequence(sequence) = step {
                    model::check_sequence(sequence, &expected.units.0);
                }
            }
        }
        for step in steps.steps() {
            match step {
                Step::Sequence(sequence) => kept = sequence.kept,
                Step::Decode(decode) => {
                    alive.entry(decode.picture).or_default();
                    assert!(alive.len() <= kept + 1, "{place}: {} kept", alive.len() - 1);
                }
                Step::Output { picture, .. } => *alive.get_mut(picture).unwrap() += 1,
                Step::Forget(picture) => assert!(alive.remove(picture).unwrap() <= 1),
            }
        }
    }
    steps.clear();
    sequencer.finish(&mut steps);
    for step in steps.steps() {
        if let Step::Forget(picture) = step {
            alive.remove(picture).unwrap();
        }
    }
    assert!(alive.is_empty(), "{}: not forgotten", path.display());
    decoded
}

fn compare_picture(
    expected: &Picture,
    steps: &Steps,
    requests: &[&Decode],
    (slices, start_codes, bytes): (bool, bool, &[u8]),
    place: &str,
) {
    let before = if start_codes { 3 } else { 0 };
    let mut found = Vec::new();
    let mut entry_points = Vec::new();
    for (nth, decode) in requests.iter().enumerate() {
        assert_eq!(decode.more, nth + 1 < requests.len(), "{place}");
        let sps: HevcSps = one(steps, decode, uapi::STATELESS_HEVC_SPS);
        assert_eq!(sps, expected.sps, "{place}");
        let pps: HevcPps = one(steps, decode, uapi::STATELESS_HEVC_PPS);
        assert_eq!(pps, expected.pps, "{place}");
        let params: HevcDecodeParams = one(steps, decode, uapi::STATELESS_HEVC_DECODE_PARAMS);
        assert_eq!(params, expected.params, "{place}");
        let matrix: HevcScalingMatrix = one(steps, decode, uapi::STATELESS_HEVC_SCALING_MATRIX);
        let (sps, pps) = &expected.units;
        assert_eq!(matrix, sets::scaling(sps, pps), "{place}");
        compare_sets(steps, decode, sps, place);
        let of_request: Vec<HevcSliceParams> =
            all(steps, decode, uapi::STATELESS_HEVC_SLICE_PARAMS);
        let pieces = steps.pieces(&decode.pieces);
        assert_eq!(of_request.len(), pieces.len(), "{place}");
        assert!(!slices || pieces.len() == 1, "{place}");
        for (slice, piece) in of_request.iter().zip(pieces) {
            let piece = &bytes[piece.clone()];
            assert_eq!(slice.bit_size as usize, piece.len() * 8, "{place}");
            assert!(!start_codes || piece.starts_with(&[0, 0, 1]), "{place}");
            assert_eq!(piece[before] >> 1, slice.nal_unit_type, "{place}");
        }
        let points: Vec<u32> = all(steps, decode, uapi::STATELESS_HEVC_ENTRY_POINT_OFFSETS);
        let counted: u32 = of_request
            .iter()
            .map(|slice| slice.num_entry_point_offsets)
            .sum();
        assert_eq!(points.len(), counted as usize, "{place}");
        entry_points.extend(points);
        found.extend(of_request);
    }
    assert_eq!(entry_points, expected.entry_points, "{place}");
    assert_eq!(found.len(), expected.slices.len(), "{place}");
    for (nth, (found, expected)) in found.iter().zip(&expected.slices).enumerate() {
        let expected = HevcSliceParams {
            bit_size: found.bit_size,
            data_byte_offset: expected.data_byte_offset + before as u32,
            ..*expected
        };
        assert_eq!(*found, expected, "{place}, slice {nth}");
    }
}

/// The sets of the sequence, which newer kernels are told.
fn compare_sets(steps: &Steps, decode: &Decode, sps: &traced::Unit, place: &str) {
    let told: Vec<uapi::HevcExtSpsStRps> = all(steps, decode, uapi::STATELESS_HEVC_EXT_SPS_ST_RPS);
    let expected = sets::short_term(sps);
    assert_eq!(told.len(), expected.len(), "{place}");
    let mut before: Vec<sets::Set> = Vec::new();
    for (told, expected) in told.iter().zip(expected) {
        // Written again as a trace has it, and read.
        let fields = sets::fields_of(told, !before.is_empty(), before.last());
        let (read, rest) = sets::Set::read(&fields, &before, usize::MAX);
        assert_eq!((&read, rest.len()), (&expected, 0), "{place}");
        assert_eq!(
            usize::from(told.num_negative_pics),
            expected.negative.len(),
            "{place}"
        );
        assert_eq!(
            usize::from(told.num_positive_pics),
            expected.positive.len(),
            "{place}"
        );
        before.push(expected);
    }
    let told: Vec<uapi::HevcExtSpsLtRps> = all(steps, decode, uapi::STATELESS_HEVC_EXT_SPS_LT_RPS);
    let count = sps.value("num_long_term_ref_pics_sps") as usize;
    assert_eq!(told.len(), count, "{place}");
    for (at, told) in told.iter().enumerate() {
        assert_eq!(
            i64::from(told.lt_ref_pic_poc_lsb_sps),
            sps.at("lt_ref_pic_poc_lsb_sps", at)
        );
        assert_eq!(
            i64::from(told.flags),
            sps.at("used_by_curr_pic_lt_sps_flag", at)
        );
    }
}

/// Compares the order in which pictures go out with ffmpeg's, where that is known.
fn compare_order(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    let Ok(text) = fs::read_to_string(path.with_file_name(format!("order-{name}"))) else {
        return "order not known".to_owned();
    };
    let data = fs::read(path).unwrap();
    let units = hevc::access_units(&data);
    let lines = text.lines().filter(|line| !line.is_empty());
    let expected: Vec<usize> = lines.map(|line| line.trim().parse().unwrap()).collect();
    let mut sequencer = Hevc::new(Ability::default());
    let mut steps = Steps::new();
    let mut ids = BTreeMap::new();
    let mut order = Vec::new();
    let mut waits = 0;
    for nth in 0..=units.len() {
        steps.clear();
        match units.get(nth) {
            Some(unit) => sequencer.read(&data[unit.clone()], &mut steps).unwrap(),
            None => sequencer.finish(&mut steps),
        }
        for step in steps.steps() {
            match step {
                Step::Decode(decode) => {
                    ids.insert(decode.picture, nth);
                }
                Step::Output { picture, .. } => {
                    order.push(ids[picture]);
                    waits += nth - ids[picture];
                }
                _ => {}
            }
        }
    }
    assert_eq!(order.len(), expected.len(), "{}: {order:?}", path.display());
    for (nth, expected) in order.iter().zip(&expected) {
        // A zero before the first start code may be counted to either of two packets.
        let found = units[*nth].len();
        assert!(
            found.abs_diff(*expected) <= 1,
            "{}: {order:?}",
            path.display()
        );
    }
    format!(
        "in order, {:.2} units late",
        waits as f64 / order.len() as f64
    )
}
