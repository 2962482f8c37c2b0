//! The picture at work: what a driver is told of it and of its slices.

use std::ops::Range;

use dmaflow_bitstream::hevc::{ListWeights, NalType, PredWeights, SliceBegin, SliceSegment};

use super::dpb::{Dpb, Term};
use super::references::{List, References};
use crate::steps::PictureId;
use crate::uapi::hevc::{
    DPB_ENTRY_LONG_TERM_REFERENCE, HevcDecodeParams, HevcDpbEntry, HevcPredWeightTable,
    HevcSliceParams, decode_flag, slice_flag,
};

/// The picture whose slices are being read.
#[derive(Debug)]
pub(super) struct AtWork {
    pub(super) id: PictureId,
    pub(super) unit_type: NalType,
    pub(super) pps_id: u8,
    pub(super) key: bool,
    /// `PicOutputFlag`.
    pub(super) output: bool,
    pub(super) pic_struct: u8,
    references: References,
    pub(super) decode_params: HevcDecodeParams,
    /// The last slice segment that does not depend on another.
    pub(super) independent: SliceSegment,
}

impl Default for AtWork {
    fn default() -> Self {
        Self {
            id: PictureId(0),
            unit_type: NalType::TRAIL_N,
            pps_id: 0,
            key: false,
            output: false,
            pic_struct: 0,
            references: References::default(),
            decode_params: HevcDecodeParams::default(),
            independent: SliceSegment::default(),
        }
    }
}

impl AtWork {
    /// A picture that begins with a slice segment. What is kept for it is in `dpb`.
    pub(super) fn new(
        id: PictureId,
        begin: &SliceBegin,
        first: SliceSegment,
        (poc, pic_struct): (i32, u8),
        (references, dpb): (References, &Dpb),
    ) -> Self {
        let unit_type = begin.nal.unit_type;
        let mut params = HevcDecodeParams {
            pic_order_cnt_val: poc,
            short_term_ref_pic_set_size: first.short_term_set_bits,
            long_term_ref_pic_set_size: first.long_term_set_bits,
            num_delta_pocs_of_ref_rps_idx: reference_delta_pocs(&first),
            ..HevcDecodeParams::default()
        };
        let flags = [
            (unit_type.is_irap(), decode_flag::IRAP_PIC),
            (unit_type.is_idr(), decode_flag::IDR_PIC),
            (
                begin.no_output_of_prior_pics,
                decode_flag::NO_OUTPUT_OF_PRIOR,
            ),
        ];
        params.flags = of_flags(&flags);
        let kept = dpb.pictures.iter();
        let kept = kept.filter_map(|picture| Some((picture, picture.reference?)));
        for ((picture, term), entry) in kept.zip(&mut params.dpb) {
            *entry = HevcDpbEntry {
                timestamp: picture.id.reference_ts(),
                flags: match term {
                    Term::Short => 0,
                    Term::Long => DPB_ENTRY_LONG_TERM_REFERENCE,
                },
                field_pic: picture.pic_struct,
                reserved: 0,
                pic_order_cnt_val: picture.poc,
            };
            params.num_active_dpb_entries += 1;
        }
        let mut picture = Self {
            id,
            unit_type,
            pps_id: begin.pic_parameter_set_id,
            key: unit_type.is_irap(),
            output: first.pic_output,
            pic_struct,
            references,
            decode_params: params,
            independent: first,
        };
        let params = &mut params;
        let places = |list: &List, to: &mut [u8; 16]| {
            for (id, place) in list.ids().iter().zip(to) {
                *place = picture.place(*id);
            }
            u8::try_from(list.ids().len()).unwrap_or_default()
        };
        params.num_poc_st_curr_before = places(&references.before, &mut params.poc_st_curr_before);
        params.num_poc_st_curr_after = places(&references.after, &mut params.poc_st_curr_after);
        params.num_poc_lt_curr = places(&references.long_term, &mut params.poc_lt_curr);
        picture.decode_params = *params;
        picture
    }

    /// `PicOrderCntVal`.
    pub(super) const fn poc(&self) -> i32 {
        self.decode_params.pic_order_cnt_val
    }

    /// Where in what the driver is told a picture is.
    fn place(&self, id: PictureId) -> u8 {
        let stamp = id.reference_ts();
        let mut entries = (0..).zip(&self.decode_params.dpb);
        let found = entries.find(|(_at, entry)| entry.timestamp == stamp);
        found.map_or(0, |(at, _entry)| at)
    }

    /// What the driver is told of a slice segment, which lies in a piece behind so many bytes of
    /// its start code.
    pub(super) fn slice_params(
        &self,
        begin: &SliceBegin,
        slice: &SliceSegment,
        piece: &Range<usize>,
        start_code: usize,
    ) -> HevcSliceParams {
        let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let start_code = u32::try_from(start_code).unwrap_or_default();
        let header = slice.data_byte_offset - slice.emulation_prevention_bytes;
        let list = |list| self.references.list(slice, list, |id| self.place(id));
        let weights = slice.pred_weights.as_ref();
        let [l0, l1] = slice.num_ref_idx_active_minus1;
        HevcSliceParams {
            bit_size: bytes.saturating_mul(8),
            data_byte_offset: start_code + header,
            num_entry_point_offsets: slice.num_entry_points,
            nal_unit_type: begin.nal.unit_type.0,
            nuh_temporal_id_plus1: begin.nal.temporal_id_plus1,
            slice_type: slice.slice_type as u8,
            colour_plane_id: slice.colour_plane_id,
            slice_pic_order_cnt: self.poc(),
            num_ref_idx_l0_active_minus1: l0,
            num_ref_idx_l1_active_minus1: l1,
            collocated_ref_idx: slice.collocated_ref_idx,
            five_minus_max_num_merge_cand: slice.five_minus_max_num_merge_cand,
            slice_qp_delta: slice.qp_delta,
            slice_cb_qp_offset: slice.cb_qp_offset,
            slice_cr_qp_offset: slice.cr_qp_offset,
            slice_act_y_qp_offset: slice.act_y_qp_offset,
            slice_act_cb_qp_offset: slice.act_cb_qp_offset,
            slice_act_cr_qp_offset: slice.act_cr_qp_offset,
            slice_beta_offset_div2: slice.beta_offset_div2,
            slice_tc_offset_div2: slice.tc_offset_div2,
            pic_struct: self.pic_struct,
            reserved0: [0; 3],
            slice_segment_addr: slice.segment_address,
            ref_idx_l0: list(0),
            ref_idx_l1: list(1),
            short_term_ref_pic_set_size: slice.short_term_set_bits,
            long_term_ref_pic_set_size: slice.long_term_set_bits,
            pred_weight_table: weights.map(pred_weight_table).unwrap_or_default(),
            reserved1: [0; 2],
            flags: slice_flags(slice),
        }
    }
}

/// `NumDeltaPocs[RefRpsIdx]`, of a set that the slice header tells by its difference.
fn reference_delta_pocs(slice: &SliceSegment) -> u8 {
    if slice.short_term_set_index.is_some() {
        return 0;
    }
    let how = slice.short_term.syntax.prediction;
    how.map_or(0, |how| how.reference_num_delta_pocs)
}

/// The bits of those that are set.
pub(super) fn of_flags(flags: &[(bool, u64)]) -> u64 {
    let set = flags.iter().filter(|(set, _bit)| *set);
    set.fold(0, |flags, (_set, bit)| flags | bit)
}

fn slice_flags(slice: &SliceSegment) -> u64 {
    of_flags(&[
        (slice.sao_luma, slice_flag::SLICE_SAO_LUMA),
        (slice.sao_chroma, slice_flag::SLICE_SAO_CHROMA),
        (
            slice.temporal_mvp_enabled,
            slice_flag::SLICE_TEMPORAL_MVP_ENABLED,
        ),
        (slice.mvd_l1_zero, slice_flag::MVD_L1_ZERO),
        (slice.cabac_init, slice_flag::CABAC_INIT),
        (slice.collocated_from_l0, slice_flag::COLLOCATED_FROM_L0),
        (slice.use_integer_mv, slice_flag::USE_INTEGER_MV),
        (
            slice.deblocking_filter_disabled,
            slice_flag::SLICE_DEBLOCKING_FILTER_DISABLED,
        ),
        (
            slice.loop_filter_across_slices_enabled,
            slice_flag::SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED,
        ),
        (slice.dependent, slice_flag::DEPENDENT_SLICE_SEGMENT),
    ])
}

fn pred_weight_table(weights: &PredWeights) -> HevcPredWeightTable {
    let mut table = HevcPredWeightTable {
        luma_log2_weight_denom: weights.luma_log2_weight_denom,
        delta_chroma_log2_weight_denom: weights.delta_chroma_log2_weight_denom,
        ..HevcPredWeightTable::default()
    };
    let [l0, l1] = &weights.lists;
    let HevcPredWeightTable {
        delta_luma_weight_l0,
        luma_offset_l0,
        delta_chroma_weight_l0,
        chroma_offset_l0,
        delta_luma_weight_l1,
        luma_offset_l1,
        delta_chroma_weight_l1,
        chroma_offset_l1,
        ..
    } = &mut table;
    copy_luma(l0, delta_luma_weight_l0, luma_offset_l0);
    copy_luma(l1, delta_luma_weight_l1, luma_offset_l1);
    copy_chroma(l0, delta_chroma_weight_l0, chroma_offset_l0);
    copy_chroma(l1, delta_chroma_weight_l1, chroma_offset_l1);
    table
}

/// An offset, which has at most a byte: higher precision is not supported.
fn byte(offset: i16) -> i8 {
    i8::try_from(offset).unwrap_or_default()
}

fn copy_luma(list: &ListWeights, weights: &mut [i8; 16], offsets: &mut [i8; 16]) {
    let from = list.delta_luma_weight.iter().zip(&list.luma_offset);
    for ((weight, offset), (to, offset_to)) in from.zip(weights.iter_mut().zip(offsets)) {
        *to = *weight;
        *offset_to = byte(*offset);
    }
}

fn copy_chroma(list: &ListWeights, weights: &mut [[i8; 2]; 16], offsets: &mut [[i8; 2]; 16]) {
    let from = list.delta_chroma_weight.iter().zip(&list.chroma_offset);
    for ((weight, offset), (to, offset_to)) in from.zip(weights.iter_mut().zip(offsets)) {
        *to = *weight;
        *offset_to = offset.map(byte);
    }
}
