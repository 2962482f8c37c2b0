//! Every field of the H.264 controls against what ffmpeg's trace of headers says, and the order in
//! which pictures go out against ffmpeg's.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it skipped and what it compared"
)]

#[path = "h264/expected.rs"]
mod expected;
#[path = "h264/trace.rs"]
mod trace;

use std::collections::{BTreeMap, BTreeSet};

use dmaflow_stateless::uapi::h264 as uapi;
use dmaflow_stateless::{Ability, Decode, H264, PictureId, Sequence, Sequencer, Step, Steps};
use expected::Sets;
use trace::{Section, Stream};
use zerocopy::FromBytes;

const CONTROLS: [u32; 6] = [
    uapi::STATELESS_H264_SPS,
    uapi::STATELESS_H264_PPS,
    uapi::STATELESS_H264_SCALING_MATRIX,
    uapi::STATELESS_H264_PRED_WEIGHTS,
    uapi::STATELESS_H264_SLICE_PARAMS,
    uapi::STATELESS_H264_DECODE_PARAMS,
];

#[test]
fn controls_and_order_are_as_ffmpeg_has_them() {
    for stream in trace::streams() {
        for slices in [true, false] {
            let mut run = Run::new(slices, &stream);
            let mut at = 0;
            for packet in &stream.packets {
                let unit = stream.data.get(at..at + packet.bytes).unwrap();
                at += packet.bytes;
                run.read(unit, &packet.sections);
            }
            assert_eq!(at, stream.data.len(), "{}: packets", stream.name);
            run.finish();
        }
    }
}

/// A stream, side by side with its trace.
struct Run<'s> {
    stream: &'s Stream,
    slices: bool,
    sequencer: H264,
    steps: Steps,
    sets: Sets,
    sequence: Option<Sequence>,
    /// What is decoded and not forgotten.
    alive: BTreeSet<PictureId>,
    /// In which order frames were decoded.
    numbers: BTreeMap<PictureId, u64>,
    output: Vec<u64>,
    most: usize,
    requests: usize,
    references: usize,
}

impl<'s> Run<'s> {
    fn new(slices: bool, stream: &'s Stream) -> Self {
        let ability = Ability {
            slices,
            start_codes: !slices,
            controls: CONTROLS.to_vec(),
        };
        Self {
            stream,
            slices,
            sequencer: H264::new(ability),
            steps: Steps::new(),
            sets: Sets::default(),
            sequence: None,
            alive: BTreeSet::new(),
            numbers: BTreeMap::new(),
            output: Vec::new(),
            most: 0,
            requests: 0,
            references: 0,
        }
    }

    fn place(&self) -> String {
        format!("{}, request {}", self.stream.name, self.requests)
    }

    fn read(&mut self, unit: &[u8], sections: &[Section]) {
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        let read = self.sequencer.read(unit, &mut steps);
        assert_eq!(read, Ok(()), "{}", self.place());
        // Of each picture, its slices.
        let mut pictures: Vec<Vec<&Section>> = Vec::new();
        for section in sections {
            match section.name.as_str() {
                "Slice Header" if section.value("redundant_pic_cnt") == 0 => {
                    let begins = pictures.last().is_none_or(|slices| {
                        let first = slices.first().unwrap();
                        ["frame_num", "bottom_field_flag", "pic_order_cnt_lsb"]
                            .iter()
                            .any(|name| first.value(name) != section.value(name))
                    });
                    if begins {
                        pictures.push(Vec::new());
                    }
                    pictures.last_mut().unwrap().push(section);
                }
                _ => self.sets.take(section),
            }
        }
        let mut requests = Vec::new();
        for picture in &pictures {
            if self.slices {
                requests.extend(picture.iter().map(|slice| (vec![*slice], picture)));
            } else {
                requests.push((picture.clone(), picture));
            }
        }
        let mut requests = requests.into_iter();
        for step in steps.steps() {
            if let Step::Decode(decode) = step {
                let (of_request, of_picture) = requests.next().unwrap();
                self.compare(unit, &steps, decode, &of_request, of_picture);
            }
            self.keep_books(step);
        }
        assert!(requests.next().is_none(), "{}: all decoded", self.place());
        self.steps = steps;
    }

    fn finish(mut self) {
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        self.sequencer.finish(&mut steps);
        for step in steps.steps() {
            self.keep_books(step);
        }
        let name = &self.stream.name;
        assert!(self.alive.is_empty(), "{name}: {:?} stay", self.alive);
        assert_eq!(self.output, self.stream.output, "{name}: output order");
        println!(
            "{name}: {} requests, {} references told, {} out, at most {} of {} kept",
            self.requests,
            self.references,
            self.output.len(),
            self.most,
            self.sequence.map_or(0, |sequence| sequence.kept),
        );
    }

    fn keep_books(&mut self, step: &Step) {
        match step {
            Step::Sequence(sequence) => {
                assert!(self.alive.is_empty(), "{}: all out before", self.place());
                self.sequence = Some(sequence.clone());
                self.most = 0;
            }
            Step::Decode(decode) => {
                let number = self.numbers.len() as u64;
                self.numbers.entry(decode.picture).or_insert(number);
                let others = self.alive.iter().filter(|other| **other != decode.picture);
                self.most = self.most.max(others.count());
                let kept = self.sequence.as_ref().unwrap().kept;
                assert!(self.most <= kept, "{}: {} kept", self.place(), self.most);
                self.alive.insert(decode.picture);
            }
            Step::Output { picture, .. } => {
                assert!(self.alive.contains(picture), "{}", self.place());
                self.output.push(*self.numbers.get(picture).unwrap());
            }
            Step::Forget(picture) => assert!(self.alive.remove(picture), "{}", self.place()),
        }
    }

    fn compare(
        &mut self,
        unit: &[u8],
        steps: &Steps,
        decode: &Decode,
        slices: &[&Section],
        picture: &[&Section],
    ) {
        self.requests += 1;
        let place = self.place();
        let pieces = steps.pieces(&decode.pieces);
        assert_eq!(pieces.len(), slices.len(), "{place}: pieces");
        for (piece, slice) in pieces.iter().zip(slices) {
            let bytes = unit.get(piece.clone()).unwrap();
            let bytes = if self.slices {
                bytes
            } else {
                bytes.strip_prefix(&[0, 0, 1]).unwrap()
            };
            let kind = i64::from(bytes.first().unwrap() & 0x1f);
            assert_eq!(kind, slice.value("nal_unit_type"), "{place}: piece");
        }
        let told: BTreeMap<u32, &[u8]> = steps
            .controls(&decode.controls)
            .iter()
            .map(|control| (control.id, steps.bytes_of(control)))
            .collect();
        let first = *slices.first().unwrap();
        let (sequence, parameters) = self.sets.of(first);
        let sps: uapi::Sps = read(&told, uapi::STATELESS_H264_SPS).unwrap();
        assert_eq!(sps, expected::sps(sequence), "{place}");
        let pps: uapi::Pps = read(&told, uapi::STATELESS_H264_PPS).unwrap();
        assert_eq!(pps, expected::pps(parameters, sequence), "{place}");
        let scaling = read(&told, uapi::STATELESS_H264_SCALING_MATRIX);
        assert_eq!(scaling, expected::scaling(parameters, sequence), "{place}");
        let params: uapi::DecodeParams = read(&told, uapi::STATELESS_H264_DECODE_PARAMS).unwrap();
        let expected = expected::decode_params(picture, &params);
        assert_eq!(params, expected, "{place}");
        let used = self.check_buffer(&params, &sps, &place);
        let weights = read(&told, uapi::STATELESS_H264_PRED_WEIGHTS);
        let slice: Option<uapi::SliceParams> = read(&told, uapi::STATELESS_H264_SLICE_PARAMS);
        assert_eq!(slice.is_some(), self.slices, "{place}");
        match slice {
            Some(slice) => {
                let expected = expected::slice_params(first, parameters, &slice);
                assert_eq!(slice, expected, "{place}");
                let references = check_lists(&slice, used, &place);
                let expected = expected::pred_weights(first, &slice, parameters, sequence);
                assert_eq!(weights, expected, "{place}");
                self.references += references;
            }
            None => assert_eq!(weights, None, "{place}"),
        }
    }

    /// Looks at the entries of the decoded picture buffer; how many there are.
    fn check_buffer(&self, params: &uapi::DecodeParams, sps: &uapi::Sps, place: &str) -> usize {
        let valid = |entry: &&uapi::DpbEntry| entry.flags & uapi::DPB_ENTRY_VALID != 0;
        let used = params.dpb.iter().take_while(valid).count();
        assert_eq!(used, params.dpb.iter().filter(valid).count(), "{place}");
        assert!(used <= usize::from(sps.max_num_ref_frames), "{place}");
        let mut stamps = BTreeSet::new();
        for entry in params.dpb.iter().take(used) {
            let picture = PictureId(entry.reference_ts / 1000);
            assert!(self.alive.contains(&picture), "{place}: {picture:?}");
            assert!(
                stamps.insert(entry.reference_ts),
                "{place}: {picture:?} twice"
            );
            assert!(matches!(entry.fields, 1..=3), "{place}");
        }
        used
    }
}

/// Looks at the lists of a slice; how many references there are in them.
fn check_lists(slice: &uapi::SliceParams, used: usize, place: &str) -> usize {
    let counts = match slice.slice_type {
        0 | 3 => [usize::from(slice.num_ref_idx_l0_active_minus1) + 1, 0],
        1 => [
            usize::from(slice.num_ref_idx_l0_active_minus1) + 1,
            usize::from(slice.num_ref_idx_l1_active_minus1) + 1,
        ],
        _ => [0, 0],
    };
    for (list, count) in [&slice.ref_pic_list0, &slice.ref_pic_list1]
        .iter()
        .zip(counts)
    {
        let (active, rest) = list.split_at(count);
        for reference in active {
            assert!(usize::from(reference.index) < used, "{place}: {active:?}");
        }
        assert!(
            rest.iter().all(|one| *one == uapi::Reference::NONE),
            "{place}"
        );
    }
    counts.iter().sum()
}

fn read<T: FromBytes>(told: &BTreeMap<u32, &[u8]>, id: u32) -> Option<T> {
    told.get(&id)
        .map(|bytes| T::read_from_bytes(bytes).unwrap())
}
