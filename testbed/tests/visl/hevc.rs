//! What visl is told of HEVC beside what follows from ffmpeg's trace of headers.
//!
//! A request is a picture. Of its slices visl prints the first; it prints neither the offsets of
//! entry points, nor `num_delta_pocs_of_ref_rps_idx`, nor reserved fields. The sets that sequence
//! parameter sets tell (`v4l2_ctrl_hevc_ext_sps_*`) are not traced here (see `ControlTrace`).
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; traced values are small"
)]

#[path = "../../../stateless/tests/hevc/model.rs"]
#[expect(
    dead_code,
    clippy::cast_precision_loss,
    reason = "the host's tests need more of it; traced values are small"
)]
mod model;
#[path = "../../../stateless/tests/hevc/sets.rs"]
#[expect(dead_code, reason = "the host's tests need more of it")]
mod sets;
#[path = "../../../stateless/tests/hevc/traced.rs"]
mod traced;

use std::fs;
use std::path::Path;

use dmaflow_stateless::uapi::hevc::{
    HevcDecodeParams, HevcDpbEntry, HevcPps, HevcPredWeightTable, HevcScalingMatrix,
    HevcSliceParams, HevcSps, pps_flag,
};
use dmaflow_testbed::TracedControl;

use crate::reference::{Compared, Comparison, Fields, fields, same};
use model::Model;
use traced::Unit;

/// Compares all that visl was told of a stream with what ffmpeg's trace of it says.
///
/// The picture that is decoded as the n-th is called by n microseconds.
///
/// # Panics
/// With what differs.
pub(crate) fn compare(stream: &Path, trace: &Path, told: &[TracedControl]) -> Compared {
    let name = stream.display().to_string();
    same(&name, differences(stream, trace, told))
}

/// What was compared, and what differs.
pub(crate) fn differences(
    stream: &Path,
    trace: &Path,
    told: &[TracedControl],
) -> (Compared, Vec<String>) {
    let data = fs::read(stream).unwrap();
    let mut nals = nals(&data).into_iter();
    let mut model = Model::default();
    let mut comparison = Comparison::new(told);
    let mut stamp = 1000;
    for packet in traced::packets(trace) {
        let first = packet.iter().map(|unit| nals_until(&mut nals, unit));
        // All of them, so that the next packet begins where its NAL units do.
        let slices: Vec<usize> = first.flatten().collect();
        let Some(picture) = model.packet(&packet, stamp) else {
            continue;
        };
        stamp += 1000;
        comparison.picture();
        let mut slice = picture.slices[0];
        slice.bit_size = slices[0] as u32 * 8;
        slice.data_byte_offset += START_CODE as u32;
        comparison.control("v4l2_ctrl_hevc_sps", &sps(&picture.sps));
        comparison.control("v4l2_ctrl_hevc_pps", &pps(&as_kept(picture.pps)));
        comparison.control("v4l2_ctrl_hevc_slice_params", &slice_params(&slice));
        let matrix = sets::scaling(&picture.units.0, &picture.units.1);
        comparison.control("v4l2_ctrl_hevc_scaling_matrix", &scaling_matrix(&matrix));
        let params = &picture.params;
        comparison.control("v4l2_ctrl_hevc_decode_params", &decode_params(params));
        for entry in &params.dpb {
            comparison.control("v4l2_hevc_dpb_entry", &dpb_entry(entry));
        }
        let weights = pred_weight_table(&slice.pred_weight_table);
        comparison.control("v4l2_hevc_pred_weight_table", &weights);
        // One more is for the picture itself.
        let most = usize::from(picture.sps.sps_max_dec_pic_buffering_minus1);
        comparison.references(params.num_active_dpb_entries.into(), most.min(15));
    }
    comparison.end()
}

/// The kernel takes one flag back before a driver sees it (`std_validate_compound`).
fn as_kept(mut pps: HevcPps) -> HevcPps {
    if pps.flags & pps_flag::TILES_ENABLED == 0 {
        pps.flags &= !pps_flag::LOOP_FILTER_ACROSS_TILES_ENABLED;
    }
    pps
}

/// Before each NAL unit, what visl is given has one.
const START_CODE: usize = 3;

/// Kinds of NAL units and their bytes, with a start code and without zeros behind them.
fn nals(data: &[u8]) -> Vec<(i64, usize)> {
    let begins = data.windows(START_CODE).enumerate();
    let begins: Vec<usize> = begins
        .filter(|(_at, bytes)| *bytes == [0, 0, 1])
        .map(|(at, _bytes)| at)
        .collect();
    let ends = begins.iter().skip(1).copied().chain([data.len()]);
    let ranges = begins.iter().zip(ends);
    ranges
        .map(|(&begin, end)| {
            let mut nal = &data[begin..end];
            while let Some((0, rest)) = nal.split_last() {
                nal = rest;
            }
            (i64::from(nal[START_CODE] >> 1), nal.len())
        })
        .collect()
}

/// How many bytes a slice of the trace has in the stream; none for what is no slice.
fn nals_until(nals: &mut impl Iterator<Item = (i64, usize)>, unit: &Unit) -> Option<usize> {
    (unit.name == "Slice Segment Header").then(|| {
        let (kind, len) = nals.find(|(kind, _len)| *kind < 32).unwrap();
        assert_eq!(kind, unit.value("nal_unit_type"));
        len
    })
}

fn sps(sps: &HevcSps) -> Fields {
    fields!("", sps;
        video_parameter_set_id,
        seq_parameter_set_id,
        pic_width_in_luma_samples,
        pic_height_in_luma_samples,
        bit_depth_luma_minus8,
        bit_depth_chroma_minus8,
        log2_max_pic_order_cnt_lsb_minus4,
        sps_max_dec_pic_buffering_minus1,
        sps_max_num_reorder_pics,
        sps_max_latency_increase_plus1,
        log2_min_luma_coding_block_size_minus3,
        log2_diff_max_min_luma_coding_block_size,
        log2_min_luma_transform_block_size_minus2,
        log2_diff_max_min_luma_transform_block_size,
        max_transform_hierarchy_depth_inter,
        max_transform_hierarchy_depth_intra,
        pcm_sample_bit_depth_luma_minus1,
        pcm_sample_bit_depth_chroma_minus1,
        log2_min_pcm_luma_coding_block_size_minus3,
        log2_diff_max_min_pcm_luma_coding_block_size,
        num_short_term_ref_pic_sets,
        num_long_term_ref_pics_sps,
        chroma_format_idc,
        sps_max_sub_layers_minus1,
        flags: &[
            "SEPARATE_COLOUR_PLANE",
            "SCALING_LIST_ENABLED",
            "AMP_ENABLED",
            "SAMPLE_ADAPTIVE_OFFSET",
            "PCM_ENABLED",
            // The one that visl calls in full.
            "V4L2_HEVC_SPS_FLAG_PCM_LOOP_FILTER_DISABLED",
            "LONG_TERM_REF_PICS_PRESENT",
            "TEMPORAL_MVP_ENABLED",
            "STRONG_INTRA_SMOOTHING_ENABLED",
        ],
    )
    .into()
}

fn pps(pps: &HevcPps) -> Fields {
    fields!("", pps;
        pic_parameter_set_id,
        num_extra_slice_header_bits,
        num_ref_idx_l0_default_active_minus1,
        num_ref_idx_l1_default_active_minus1,
        init_qp_minus26,
        diff_cu_qp_delta_depth,
        pps_cb_qp_offset,
        pps_cr_qp_offset,
        num_tile_columns_minus1,
        num_tile_rows_minus1,
        column_width_minus1,
        row_height_minus1,
        pps_beta_offset_div2,
        pps_tc_offset_div2,
        log2_parallel_merge_level_minus2,
        flags: &[
            "DEPENDENT_SLICE_SEGMENT_ENABLED",
            "OUTPUT_FLAG_PRESENT",
            "SIGN_DATA_HIDING_ENABLED",
            "CABAC_INIT_PRESENT",
            "CONSTRAINED_INTRA_PRED",
            // TRANSFORM_SKIP_ENABLED, which visl knows no name of, and prints as a number.
            "",
            "CU_QP_DELTA_ENABLED",
            "PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT",
            "WEIGHTED_PRED",
            "WEIGHTED_BIPRED",
            "TRANSQUANT_BYPASS_ENABLED",
            "TILES_ENABLED",
            "ENTROPY_CODING_SYNC_ENABLED",
            "LOOP_FILTER_ACROSS_TILES_ENABLED",
            "PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED",
            "DEBLOCKING_FILTER_OVERRIDE_ENABLED",
            "DISABLE_DEBLOCKING_FILTER",
            "LISTS_MODIFICATION_PRESENT",
            "SLICE_SEGMENT_HEADER_EXTENSION_PRESENT",
            "DEBLOCKING_FILTER_CONTROL_PRESENT",
            "UNIFORM_SPACING",
        ],
    )
    .into()
}

fn slice_params(slice: &HevcSliceParams) -> Fields {
    fields!("", slice;
        bit_size,
        data_byte_offset,
        num_entry_point_offsets,
        nal_unit_type,
        nuh_temporal_id_plus1,
        slice_type,
        colour_plane_id,
        slice_pic_order_cnt,
        num_ref_idx_l0_active_minus1,
        num_ref_idx_l1_active_minus1,
        collocated_ref_idx,
        five_minus_max_num_merge_cand,
        slice_qp_delta,
        slice_cb_qp_offset,
        slice_cr_qp_offset,
        slice_act_y_qp_offset,
        slice_act_cb_qp_offset,
        slice_act_cr_qp_offset,
        slice_beta_offset_div2,
        slice_tc_offset_div2,
        pic_struct,
        slice_segment_addr,
        ref_idx_l0,
        ref_idx_l1,
        short_term_ref_pic_set_size,
        long_term_ref_pic_set_size,
        flags: &[
            "SLICE_SAO_LUMA",
            "SLICE_SAO_CHROMA",
            "SLICE_TEMPORAL_MVP_ENABLED",
            "MVD_L1_ZERO",
            "CABAC_INIT",
            "COLLOCATED_FROM_L0",
            "USE_INTEGER_MV",
            "SLICE_DEBLOCKING_FILTER_DISABLED",
            "SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED",
            "DEPENDENT_SLICE_SEGMENT",
        ],
    )
    .into()
}

fn pred_weight_table(table: &HevcPredWeightTable) -> Fields {
    fields!("", table;
        delta_luma_weight_l0,
        luma_offset_l0,
        delta_chroma_weight_l0,
        chroma_offset_l0,
        delta_luma_weight_l1,
        luma_offset_l1,
        delta_chroma_weight_l1,
        chroma_offset_l1,
        luma_log2_weight_denom,
        delta_chroma_log2_weight_denom,
    )
    .into()
}

fn scaling_matrix(matrix: &HevcScalingMatrix) -> Fields {
    fields!("", matrix;
        scaling_list_4x4,
        scaling_list_8x8,
        scaling_list_16x16,
        scaling_list_32x32,
        scaling_list_dc_coef_16x16,
        scaling_list_dc_coef_32x32,
    )
    .into()
}

fn decode_params(params: &HevcDecodeParams) -> Fields {
    fields!("", params;
        pic_order_cnt_val,
        short_term_ref_pic_set_size,
        long_term_ref_pic_set_size,
        num_active_dpb_entries,
        num_poc_st_curr_before,
        num_poc_st_curr_after,
        num_poc_lt_curr,
        poc_st_curr_before,
        poc_st_curr_after,
        poc_lt_curr,
        flags: &["IRAP_PIC", "IDR_PIC", "NO_OUTPUT_OF_PRIOR"],
    )
    .into()
}

fn dpb_entry(entry: &HevcDpbEntry) -> Fields {
    fields!("", entry;
        timestamp,
        flags: &["LONG_TERM_REFERENCE"],
        field_pic,
        pic_order_cnt_val,
    )
    .into()
}
