//! Streams of a few macroblocks, written bit by bit: headers only, since nothing decodes them.

use std::collections::BTreeMap;

use dmaflow_stateless::uapi::h264 as uapi;
use dmaflow_stateless::{Ability, H264, PictureId, Sequencer, Step, Steps};
use zerocopy::FromBytes;

#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn u(&mut self, count: u32, value: u32) -> &mut Self {
        self.0
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn ue(&mut self, value: u32) -> &mut Self {
        let bits = u32::BITS - (value + 1).leading_zeros();
        self.u(bits - 1, 0).u(bits, value + 1)
    }

    fn se(&mut self, value: i32) -> &mut Self {
        let size = value.unsigned_abs();
        self.ue(if value > 0 { 2 * size - 1 } else { 2 * size })
    }

    /// A NAL unit with its start code.
    fn nal(&mut self, header: u8) -> Vec<u8> {
        self.u(1, 1);
        let mut unit = vec![0, 0, 1, header];
        let mut zeros = 0;
        for bits in self.0.chunks(8) {
            let byte = (0..8).fold(0, |byte, at| {
                byte << 1 | u8::from(bits.get(at) == Some(&true))
            });
            if zeros >= 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            unit.push(byte);
            zeros = if byte == 0 { zeros + 1 } else { 0 };
        }
        unit
    }
}

/// A sequence, with its picture parameters.
#[derive(Clone, Copy)]
pub(crate) struct Sequence {
    pub(crate) width_in_mbs: u32,
    pub(crate) refs: u32,
    /// `pic_order_cnt_type`.
    pub(crate) order: u32,
    pub(crate) gaps: bool,
    pub(crate) fields: bool,
    /// `max_num_reorder_frames` and `max_dec_frame_buffering`.
    pub(crate) restriction: Option<(u32, u32)>,
}

impl Default for Sequence {
    fn default() -> Self {
        Self {
            width_in_mbs: 4,
            refs: 4,
            order: 0,
            gaps: false,
            fields: false,
            restriction: Some((2, 4)),
        }
    }
}

impl Sequence {
    /// `MaxFrameNum` is 16, `MaxPicOrderCntLsb` 64.
    pub(crate) fn sets(&self) -> Vec<u8> {
        let mut sps = Bits::default();
        sps.u(8, 77).u(8, 0).u(8, 10).ue(0).ue(0).ue(self.order);
        match self.order {
            0 => {
                sps.ue(2);
            }
            // Two references a cycle, 4 and 6 apart; others 2 before them, bottom fields 1 behind.
            1 => {
                sps.u(1, 0).se(-2).se(1).ue(2).se(4).se(6);
            }
            _ => {}
        }
        sps.ue(self.refs).u(1, self.gaps.into());
        sps.ue(self.width_in_mbs - 1).ue(1);
        sps.u(1, (!self.fields).into());
        if self.fields {
            sps.u(1, 0);
        }
        sps.u(1, 1).u(1, 0);
        match self.restriction {
            None => {
                sps.u(1, 0);
            }
            Some((reorder, buffering)) => {
                // Nothing but the restriction.
                sps.u(1, 1).u(8, 0).u(1, 1);
                sps.u(1, 1)
                    .ue(0)
                    .ue(0)
                    .ue(0)
                    .ue(0)
                    .ue(reorder)
                    .ue(buffering);
            }
        }
        let mut pps = Bits::default();
        // CAVLC; no order of bottom fields; one reference of each list.
        pps.ue(0)
            .ue(0)
            .u(1, 0)
            .u(1, 0)
            .ue(0)
            .ue(0)
            .ue(0)
            .u(1, 0)
            .u(2, 0);
        pps.se(0).se(0).se(0).u(1, 0).u(1, 0).u(1, 0);
        let mut sets = sps.nal(0x67);
        sets.extend(pps.nal(0x68));
        sets
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    P,
    B,
    I,
}

/// A slice, which is a picture.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) kind: Kind,
    pub(crate) idr: bool,
    pub(crate) reference: bool,
    pub(crate) frame_num: u32,
    /// `pic_order_cnt_lsb`, or `delta_pic_order_cnt[ 0 ]`.
    pub(crate) order: u32,
    /// The bottom one, or the top one.
    pub(crate) field: Option<bool>,
    /// How many references of each list.
    pub(crate) active: u32,
    /// `modification_of_pic_nums_idc`, and its value.
    pub(crate) modifications: Vec<(u32, u32)>,
    /// `memory_management_control_operation`, and its values.
    pub(crate) marking: Vec<(u32, Vec<u32>)>,
    /// `no_output_of_prior_pics_flag`.
    pub(crate) discard: bool,
}

impl Picture {
    pub(crate) fn idr() -> Self {
        Self {
            idr: true,
            ..Self::of(Kind::I, 0, 0)
        }
    }

    pub(crate) fn of(kind: Kind, frame_num: u32, order: u32) -> Self {
        Self {
            kind,
            idr: false,
            reference: kind != Kind::B,
            frame_num,
            order,
            field: None,
            active: 1,
            modifications: Vec::new(),
            marking: Vec::new(),
            discard: false,
        }
    }

    fn nal(&self, sequence: Sequence) -> Vec<u8> {
        let mut bits = Bits::default();
        let kind = match self.kind {
            Kind::P => 5,
            Kind::B => 6,
            Kind::I => 7,
        };
        bits.ue(0).ue(kind).ue(0).u(4, self.frame_num);
        if sequence.fields {
            bits.u(1, self.field.is_some().into());
            if let Some(bottom) = self.field {
                bits.u(1, bottom.into());
            }
        }
        if self.idr {
            bits.ue(0);
        }
        match sequence.order {
            0 => {
                bits.u(6, self.order);
            }
            1 => {
                bits.se(self.order.cast_signed());
            }
            _ => {}
        }
        if self.kind == Kind::B {
            bits.u(1, 1);
        }
        let lists = match self.kind {
            Kind::I => 0,
            Kind::P => 1,
            Kind::B => 2,
        };
        if lists > 0 {
            bits.u(1, 1);
        }
        for _list in 0..lists {
            bits.ue(self.active - 1);
        }
        for list in 0..lists {
            let modified = list == 0 && !self.modifications.is_empty();
            bits.u(1, modified.into());
            if modified {
                for (kind, value) in &self.modifications {
                    bits.ue(*kind).ue(*value);
                }
                bits.ue(3);
            }
        }
        if self.idr {
            bits.u(1, self.discard.into()).u(1, 0);
        } else if self.reference {
            bits.u(1, (!self.marking.is_empty()).into());
            for (operation, values) in &self.marking {
                bits.ue(*operation);
                for value in values {
                    bits.ue(*value);
                }
            }
            if !self.marking.is_empty() {
                bits.ue(0);
            }
        }
        bits.se(0);
        let importance = if self.reference { 0x60 } else { 0 };
        bits.nal(importance | if self.idr { 5 } else { 1 })
    }
}

/// A recovery point after so many frames.
pub(crate) fn recovery_point(frames: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.u(8, 6).u(8, 1).ue(frames).u(1, 1);
    while bits.0.len() % 8 != 0 {
        bits.u(1, 0);
    }
    bits.nal(6)
}

/// What became of a picture.
pub(crate) struct Told {
    pub(crate) params: uapi::DecodeParams,
    pub(crate) slice: uapi::SliceParams,
}

impl Told {
    /// Which pictures the entries of the buffer are, by their numbers in decoding order.
    pub(crate) fn buffer(&self) -> Vec<u64> {
        let entries = self.params.dpb.iter().filter(|entry| entry.flags != 0);
        entries.map(|entry| entry.reference_ts / 1000).collect()
    }

    /// Which pictures list 0 has, and what of them.
    pub(crate) fn list(&self) -> Vec<(u64, u8)> {
        self.pictures(&self.slice.ref_pic_list0)
    }

    /// Which list 1 has.
    pub(crate) fn list1(&self) -> Vec<(u64, u8)> {
        self.pictures(&self.slice.ref_pic_list1)
    }

    fn pictures(&self, list: &[uapi::Reference]) -> Vec<(u64, u8)> {
        let list = list.iter().filter(|one| **one != uapi::Reference::NONE);
        list.map(|one| {
            let entry = &self.params.dpb[usize::from(one.index)];
            (entry.reference_ts / 1000, one.fields)
        })
        .collect()
    }
}

/// A sequencer of slices, and what it said so far.
pub(crate) struct Player {
    pub(crate) sequence: Sequence,
    sequencer: H264,
    steps: Steps,
    /// What is wrong with the last unit.
    pub(crate) error: Option<String>,
    /// Words for the steps of the last unit: `s`, `d0` (`d0+` if more follows), `o0`, `f0`.
    pub(crate) said: String,
    /// What went out so far.
    pub(crate) output: Vec<u64>,
}

impl Player {
    pub(crate) fn new(sequence: Sequence) -> Self {
        let controls = (0..8).map(|control| uapi::STATELESS_H264_DECODE_MODE + control);
        Self {
            sequence,
            sequencer: H264::new(Ability {
                slices: true,
                start_codes: false,
                controls: controls.collect(),
            }),
            steps: Steps::new(),
            error: None,
            said: String::new(),
            output: Vec::new(),
        }
    }

    /// Reads a unit of pictures, behind parameter sets if the first is IDR.
    pub(crate) fn play(&mut self, pictures: &[Picture]) -> Vec<Told> {
        let mut unit = Vec::new();
        if pictures.first().is_some_and(|picture| picture.idr) {
            unit.extend(self.sequence.sets());
        }
        for picture in pictures {
            unit.extend(picture.nal(self.sequence));
        }
        self.read(&unit)
    }

    /// Reads one picture.
    pub(crate) fn one(&mut self, picture: Picture) -> Told {
        self.play(&[picture]).pop().unwrap()
    }

    pub(crate) fn read(&mut self, unit: &[u8]) -> Vec<Told> {
        self.steps.clear();
        let read = self.sequencer.read(unit, &mut self.steps);
        self.error = read.err().map(|error| error.to_string());
        self.take_steps()
    }

    pub(crate) fn finish(&mut self) {
        self.steps.clear();
        self.sequencer.finish(&mut self.steps);
        self.take_steps();
    }

    pub(crate) fn seek(&mut self) {
        self.steps.clear();
        self.sequencer.seek(&mut self.steps);
        self.take_steps();
    }

    fn take_steps(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        let mut words = Vec::new();
        for step in self.steps.steps() {
            words.push(match step {
                Step::Sequence(_) => "s".to_owned(),
                Step::Decode(decode) => {
                    let controls: BTreeMap<u32, &[u8]> = self
                        .steps
                        .controls(&decode.controls)
                        .iter()
                        .map(|control| (control.id, self.steps.bytes_of(control)))
                        .collect();
                    let params = controls[&uapi::STATELESS_H264_DECODE_PARAMS];
                    let slice = controls[&uapi::STATELESS_H264_SLICE_PARAMS];
                    told.push(Told {
                        params: uapi::DecodeParams::read_from_bytes(params).unwrap(),
                        slice: uapi::SliceParams::read_from_bytes(slice).unwrap(),
                    });
                    let more = if decode.more { "+" } else { "" };
                    format!("d{}{more}", decode.picture.0)
                }
                Step::Output { picture, .. } => {
                    self.output.push(picture.0);
                    format!("o{}", picture.0)
                }
                Step::Forget(PictureId(picture)) => format!("f{picture}"),
            });
        }
        self.said = words.join(" ");
        told
    }
}
