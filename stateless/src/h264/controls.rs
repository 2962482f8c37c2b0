//! What the device is told of a picture, field by field as `ext-ctrls-codec-stateless.rst` says.

use dmaflow_bitstream::annex_b::START_CODE;
use dmaflow_bitstream::h264::{
    PictureParameters, PredictionWeights, ScalingLists, SequenceParameters, SliceHeader, SliceType,
    Structure, ZIGZAG_4X4, ZIGZAG_8X8,
};

use super::frame::{Fields, Frame};
use super::lists::{self, List};
use super::picture::Picture;
use super::{H264, Slice};
use crate::uapi::h264::{self as uapi, NUM_DPB_ENTRIES, REF_LIST_LEN};
use crate::{Decode, Step, Steps};

/// All controls of a picture but those of its slices.
#[derive(Debug)]
struct Common {
    pps: uapi::Pps,
    scaling: Option<uapi::ScalingMatrix>,
    decode: uapi::DecodeParams,
    /// By frame of the buffer: which entry it is.
    entries: [u8; NUM_DPB_ENTRIES + 1],
}

/// What is of one request alone.
#[derive(Clone, Copy, Debug)]
struct Request<'s> {
    /// The slice, where each is a request.
    slice: Option<&'s SliceHeader>,
    /// The mark before its pieces.
    pieces: usize,
    more: bool,
    key: bool,
}

impl H264 {
    /// Tells the device to decode a picture.
    pub(super) fn tell(&self, picture: &Picture<'_>, steps: &mut Steps) {
        let common = self.common(picture);
        if !self.ability.slices {
            let pieces = steps.pieces_mark();
            for slice in picture.slices {
                self.add_piece(slice, steps);
            }
            let request = Request {
                slice: None,
                pieces,
                more: picture.more,
                key: picture.key,
            };
            self.add_request(picture, &common, request, steps);
            return;
        }
        for (at, slice) in picture.slices.iter().enumerate() {
            let pieces = steps.pieces_mark();
            self.add_piece(slice, steps);
            let request = Request {
                slice: Some(&slice.header),
                pieces,
                more: picture.more || at + 1 < picture.slices.len(),
                key: picture.key && at == 0,
            };
            self.add_request(picture, &common, request, steps);
        }
    }

    fn add_piece(&self, slice: &Slice, steps: &mut Steps) {
        let code = if self.ability.start_codes {
            START_CODE.len()
        } else {
            0
        };
        steps.piece(slice.bytes.start - code..slice.bytes.end);
    }

    fn add_request(
        &self,
        picture: &Picture<'_>,
        common: &Common,
        request: Request<'_>,
        steps: &mut Steps,
    ) {
        let controls = steps.controls_mark();
        let has = |id| self.ability.has(id);
        if let Some(active) = self
            .active
            .as_ref()
            .filter(|_| has(uapi::STATELESS_H264_SPS))
        {
            steps.control(uapi::STATELESS_H264_SPS, &active.control);
        }
        if has(uapi::STATELESS_H264_PPS) {
            steps.control(uapi::STATELESS_H264_PPS, &common.pps);
        }
        if let Some(scaling) = &common.scaling
            && has(uapi::STATELESS_H264_SCALING_MATRIX)
        {
            steps.control(uapi::STATELESS_H264_SCALING_MATRIX, scaling);
        }
        if let Some(slice) = request.slice {
            if has(uapi::STATELESS_H264_SLICE_PARAMS) {
                let of_slice = lists::of_slice(self.buffer.frames(), picture.current, slice);
                let params = slice_params(slice, &of_slice.unwrap_or_default(), &common.entries);
                steps.control(uapi::STATELESS_H264_SLICE_PARAMS, &params);
            }
            if let Some(weights) = &slice.weights
                && has(uapi::STATELESS_H264_PRED_WEIGHTS)
            {
                steps.control(uapi::STATELESS_H264_PRED_WEIGHTS, &pred_weights(weights));
            }
        }
        if has(uapi::STATELESS_H264_DECODE_PARAMS) {
            steps.control(uapi::STATELESS_H264_DECODE_PARAMS, &common.decode);
        }
        steps.push(Step::Decode(Decode {
            picture: picture.id,
            pieces: steps.pieces_since(request.pieces),
            controls: steps.controls_since(controls),
            more: request.more,
            key: request.key,
        }));
    }

    fn common(&self, picture: &Picture<'_>) -> Common {
        let lists = scaling_lists(picture.sequence, picture.parameters);
        let mut pps = pps(picture.parameters);
        if lists.is_some() {
            pps.flags |= uapi::PPS_SCALING_MATRIX_PRESENT;
        }
        let mut common = Common {
            pps,
            scaling: lists.map(|lists| scaling_matrix(lists, picture.sequence)),
            decode: decode_params(picture),
            entries: [uapi::Reference::NONE.index; NUM_DPB_ENTRIES + 1],
        };
        let only_b = picture
            .slices
            .iter()
            .all(|slice| slice.header.slice_type == SliceType::B);
        let frames = self.buffer.frames().iter().zip(&mut common.entries);
        let told = frames.filter(|(frame, _entry)| {
            // No list of a B slice has what has no number in output order.
            let left_out = only_b && !frame.exists && !picture.current.orders_missing;
            frame.is_reference() && !left_out
        });
        for (at, (frame, entry)) in told.enumerate() {
            if let Some(dpb) = common.decode.dpb.get_mut(at) {
                *dpb = dpb_entry(frame, picture);
                *entry = u8::try_from(at).unwrap_or(*entry);
            }
        }
        common
    }
}

/// Those in effect, if any but flat ones are.
fn scaling_lists<'s>(
    sequence: &'s SequenceParameters,
    picture: &'s PictureParameters,
) -> Option<&'s ScalingLists> {
    picture.scaling.as_deref().or(sequence.scaling.as_deref())
}

fn scaling_matrix(lists: &ScalingLists, sequence: &SequenceParameters) -> uapi::ScalingMatrix {
    let mut matrix = uapi::ScalingMatrix {
        scaling_list_4x4: [[0; 16]; 6],
        scaling_list_8x8: [[0; 64]; 6],
    };
    for (rows, list) in matrix.scaling_list_4x4.iter_mut().zip(&lists.of_4x4) {
        for (place, value) in ZIGZAG_4X4.iter().zip(list) {
            rows[usize::from(*place)] = *value;
        }
    }
    let count = if sequence.chroma_format_idc == 3 {
        6
    } else {
        2
    };
    let of_8x8 = matrix.scaling_list_8x8.iter_mut().zip(&lists.of_8x8);
    for (rows, list) in of_8x8.take(count) {
        for (place, value) in ZIGZAG_8X8.iter().zip(list) {
            rows[usize::from(*place)] = *value;
        }
    }
    matrix
}

fn pps(parameters: &PictureParameters) -> uapi::Pps {
    let [active_l0, active_l1] = parameters.num_ref_idx_default_active_minus1;
    let groups = parameters.slice_groups;
    let flags = [
        (
            parameters.entropy_coding_mode,
            uapi::PPS_ENTROPY_CODING_MODE,
        ),
        (
            parameters.bottom_field_pic_order_in_frame_present,
            uapi::PPS_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT,
        ),
        (parameters.weighted_pred, uapi::PPS_WEIGHTED_PRED),
        (
            parameters.deblocking_filter_control_present,
            uapi::PPS_DEBLOCKING_FILTER_CONTROL_PRESENT,
        ),
        (
            parameters.constrained_intra_pred,
            uapi::PPS_CONSTRAINED_INTRA_PRED,
        ),
        (
            parameters.redundant_pic_cnt_present,
            uapi::PPS_REDUNDANT_PIC_CNT_PRESENT,
        ),
        (parameters.transform_8x8_mode, uapi::PPS_TRANSFORM_8X8_MODE),
    ];
    uapi::Pps {
        pic_parameter_set_id: parameters.pic_parameter_set_id,
        seq_parameter_set_id: parameters.seq_parameter_set_id,
        num_slice_groups_minus1: groups.map_or(0, |groups| groups.num_slice_groups_minus1),
        num_ref_idx_l0_default_active_minus1: active_l0,
        num_ref_idx_l1_default_active_minus1: active_l1,
        weighted_bipred_idc: parameters.weighted_bipred_idc,
        pic_init_qp_minus26: parameters.pic_init_qp_minus26,
        pic_init_qs_minus26: parameters.pic_init_qs_minus26,
        chroma_qp_index_offset: parameters.chroma_qp_index_offset,
        second_chroma_qp_index_offset: parameters.second_chroma_qp_index_offset,
        flags: flags
            .into_iter()
            .filter(|(set, _flag)| *set)
            .fold(0, |flags, (_set, flag)| flags | flag),
    }
}

fn decode_params(picture: &Picture<'_>) -> uapi::DecodeParams {
    let header = picture.header;
    let [top, bottom] = picture.order;
    let [delta0, delta1] = header.delta_pic_order_cnt;
    let has = |wanted: &[SliceType]| {
        let mut types = picture.slices.iter().map(|slice| slice.header.slice_type);
        types.any(|of_slice| wanted.contains(&of_slice))
    };
    let is_b = has(&[SliceType::B]);
    let flags = [
        (header.idr, uapi::DECODE_PARAM_IDR_PIC),
        (header.structure.is_field(), uapi::DECODE_PARAM_FIELD_PIC),
        (
            header.structure == Structure::BottomField,
            uapi::DECODE_PARAM_BOTTOM_FIELD,
        ),
        (
            !is_b && has(&[SliceType::P, SliceType::Sp]),
            uapi::DECODE_PARAM_PFRAME,
        ),
        (is_b, uapi::DECODE_PARAM_BFRAME),
    ];
    uapi::DecodeParams {
        nal_ref_idc: header.nal_ref_idc.into(),
        frame_num: low_bits(header.frame_num),
        top_field_order_cnt: top,
        bottom_field_order_cnt: bottom,
        idr_pic_id: low_bits(header.idr_pic_id),
        pic_order_cnt_lsb: low_bits(header.pic_order_cnt_lsb),
        delta_pic_order_cnt_bottom: header.delta_pic_order_cnt_bottom,
        delta_pic_order_cnt0: delta0,
        delta_pic_order_cnt1: delta1,
        dec_ref_pic_marking_bit_size: header.marking_bits,
        pic_order_cnt_bit_size: header.pic_order_cnt_bits,
        slice_group_change_cycle: header.slice_group_change_cycle,
        flags: flags
            .into_iter()
            .filter(|(set, _flag)| *set)
            .fold(0, |flags, (_set, flag)| flags | flag),
        ..uapi::DecodeParams::default()
    }
}

/// Of a value that was read from at most 16 bits.
fn low_bits(value: u32) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn dpb_entry(frame: &Frame, picture: &Picture<'_>) -> uapi::DpbEntry {
    let is_long_term = !frame.long_term.is_none();
    let frame_number = if is_long_term {
        frame.long_term_frame_idx.into()
    } else {
        i64::from(frame.frame_num_wrap)
    };
    // Of two fields, the first one's.
    let first = match (frame.fields, frame.bottom_first) {
        (Fields::BOTH, false) => Fields::TOP,
        (Fields::BOTH, true) => Fields::BOTTOM,
        (fields, _) => fields,
    };
    let pic_num = picture.current.pic_num_of(frame_number, first);
    let [top, bottom] = frame.order;
    let mut flags = uapi::DPB_ENTRY_VALID | uapi::DPB_ENTRY_ACTIVE;
    if is_long_term {
        flags |= uapi::DPB_ENTRY_LONG_TERM;
    }
    if frame.as_fields {
        flags |= uapi::DPB_ENTRY_FIELD;
    }
    uapi::DpbEntry {
        reference_ts: frame.picture.reference_ts(),
        // Numbers of frames before number 0 are negative.
        pic_num: i32::try_from(pic_num).unwrap_or_default().cast_unsigned(),
        frame_num: low_bits(if is_long_term {
            frame.long_term_frame_idx
        } else {
            frame.frame_num
        }),
        fields: frame.referenced().number(),
        reserved: [0; 5],
        top_field_order_cnt: top,
        bottom_field_order_cnt: bottom,
        flags,
    }
}

fn slice_params(
    header: &SliceHeader,
    [list0, list1]: &[List; 2],
    entries: &[u8; NUM_DPB_ENTRIES + 1],
) -> uapi::SliceParams {
    let [active_l0, active_l1] = header.num_ref_idx_active_minus1;
    let mut flags = 0;
    if header.direct_spatial_mv_pred {
        flags |= uapi::SLICE_DIRECT_SPATIAL_MV_PRED;
    }
    if header.sp_for_switch {
        flags |= uapi::SLICE_SP_FOR_SWITCH;
    }
    uapi::SliceParams {
        header_bit_size: header.header_bits,
        first_mb_in_slice: header.first_mb_in_slice,
        slice_type: header.slice_type as u8,
        colour_plane_id: header.colour_plane_id,
        redundant_pic_cnt: header.redundant_pic_cnt,
        cabac_init_idc: header.cabac_init_idc,
        slice_qp_delta: header.slice_qp_delta,
        slice_qs_delta: header.slice_qs_delta,
        disable_deblocking_filter_idc: header.disable_deblocking_filter_idc,
        slice_alpha_c0_offset_div2: header.slice_alpha_c0_offset_div2,
        slice_beta_offset_div2: header.slice_beta_offset_div2,
        num_ref_idx_l0_active_minus1: active_l0,
        num_ref_idx_l1_active_minus1: active_l1,
        reserved: 0,
        ref_pic_list0: references(list0, entries),
        ref_pic_list1: references(list1, entries),
        flags,
    }
}

fn references(list: &List, entries: &[u8; NUM_DPB_ENTRIES + 1]) -> [uapi::Reference; REF_LIST_LEN] {
    let mut references = [uapi::Reference::NONE; REF_LIST_LEN];
    for (to, from) in references.iter_mut().zip(&**list) {
        *to = uapi::Reference {
            fields: from.fields.number(),
            index: entries.get(from.frame).copied().unwrap_or(to.index),
        };
    }
    references
}

fn pred_weights(weights: &PredictionWeights) -> uapi::PredWeights {
    let mut control = uapi::PredWeights {
        luma_log2_weight_denom: weights.luma_log2_weight_denom.into(),
        chroma_log2_weight_denom: weights.chroma_log2_weight_denom.into(),
        ..uapi::PredWeights::default()
    };
    for (factors, list) in control.weight_factors.iter_mut().zip(&weights.weights) {
        for (at, weight) in list.iter().enumerate() {
            factors.luma_weight[at] = weight.luma_weight;
            factors.luma_offset[at] = weight.luma_offset;
            factors.chroma_weight[at] = weight.chroma_weight;
            factors.chroma_offset[at] = weight.chroma_offset;
        }
    }
    control
}
