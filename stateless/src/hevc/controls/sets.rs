//! Parameter sets as the kernel lays them out.

use dmaflow_bitstream::hevc::{Pps, ScalingLists, ShortTermSet, Sps};

use super::super::picture::of_flags;
use crate::uapi::hevc::{
    EXT_SPS_LT_RPS_USED_LT, EXT_SPS_ST_RPS_INTER_REF_PIC_SET_PRED, HevcExtSpsLtRps,
    HevcExtSpsStRps, HevcPps, HevcScalingMatrix, HevcSps, pps_flag, sps_flag,
};

pub(super) fn sps(sps: &Sps) -> HevcSps {
    let pcm = sps.pcm.unwrap_or_default();
    let count = |len: usize| u8::try_from(len).unwrap_or(u8::MAX);
    HevcSps {
        video_parameter_set_id: sps.video_parameter_set_id,
        seq_parameter_set_id: sps.id,
        pic_width_in_luma_samples: sps.pic_width_in_luma_samples,
        pic_height_in_luma_samples: sps.pic_height_in_luma_samples,
        bit_depth_luma_minus8: sps.bit_depth_luma - 8,
        bit_depth_chroma_minus8: sps.bit_depth_chroma - 8,
        log2_max_pic_order_cnt_lsb_minus4: sps.log2_max_pic_order_cnt_lsb - 4,
        sps_max_dec_pic_buffering_minus1: sps.order.max_dec_pic_buffering_minus1,
        sps_max_num_reorder_pics: sps.order.max_num_reorder_pics,
        // What does not fit is as good as no limit, but not the same as none.
        sps_max_latency_increase_plus1: u8::try_from(sps.order.max_latency_increase_plus1)
            .unwrap_or(u8::MAX),
        log2_min_luma_coding_block_size_minus3: sps.log2_min_luma_coding_block_size - 3,
        log2_diff_max_min_luma_coding_block_size: sps.log2_diff_max_min_luma_coding_block_size,
        log2_min_luma_transform_block_size_minus2: sps.log2_min_luma_transform_block_size - 2,
        log2_diff_max_min_luma_transform_block_size: sps
            .log2_diff_max_min_luma_transform_block_size,
        max_transform_hierarchy_depth_inter: sps.max_transform_hierarchy_depth_inter,
        max_transform_hierarchy_depth_intra: sps.max_transform_hierarchy_depth_intra,
        pcm_sample_bit_depth_luma_minus1: pcm.sample_bit_depth_luma_minus1,
        pcm_sample_bit_depth_chroma_minus1: pcm.sample_bit_depth_chroma_minus1,
        log2_min_pcm_luma_coding_block_size_minus3: pcm.log2_min_luma_coding_block_size_minus3,
        log2_diff_max_min_pcm_luma_coding_block_size: pcm.log2_diff_max_min_luma_coding_block_size,
        num_short_term_ref_pic_sets: count(sps.short_term_sets().len()),
        num_long_term_ref_pics_sps: count(sps.long_term_candidates().len()),
        chroma_format_idc: sps.chroma_format_idc,
        sps_max_sub_layers_minus1: sps.max_sub_layers_minus1,
        reserved: [0; 6],
        flags: of_flags(&[
            (sps.separate_colour_plane, sps_flag::SEPARATE_COLOUR_PLANE),
            (sps.scaling_list_enabled, sps_flag::SCALING_LIST_ENABLED),
            (sps.amp_enabled, sps_flag::AMP_ENABLED),
            (
                sps.sample_adaptive_offset_enabled,
                sps_flag::SAMPLE_ADAPTIVE_OFFSET,
            ),
            (sps.pcm.is_some(), sps_flag::PCM_ENABLED),
            (pcm.loop_filter_disabled, sps_flag::PCM_LOOP_FILTER_DISABLED),
            (
                sps.long_term_ref_pics_present,
                sps_flag::LONG_TERM_REF_PICS_PRESENT,
            ),
            (sps.temporal_mvp_enabled, sps_flag::SPS_TEMPORAL_MVP_ENABLED),
            (
                sps.strong_intra_smoothing_enabled,
                sps_flag::STRONG_INTRA_SMOOTHING_ENABLED,
            ),
        ]),
    }
}

pub(super) fn pps(sps: &Sps, pps: &Pps) -> HevcPps {
    let (column_width_minus1, row_height_minus1) =
        tile_sizes(sps, pps).unwrap_or(([0; 20], [0; 22]));
    let tiles = pps.tiles.as_ref();
    HevcPps {
        pic_parameter_set_id: pps.id,
        num_extra_slice_header_bits: pps.num_extra_slice_header_bits,
        num_ref_idx_l0_default_active_minus1: pps.num_ref_idx_default_active_minus1[0],
        num_ref_idx_l1_default_active_minus1: pps.num_ref_idx_default_active_minus1[1],
        init_qp_minus26: pps.init_qp_minus26,
        diff_cu_qp_delta_depth: pps.diff_cu_qp_delta_depth,
        pps_cb_qp_offset: pps.cb_qp_offset,
        pps_cr_qp_offset: pps.cr_qp_offset,
        num_tile_columns_minus1: tiles.map_or(0, |tiles| tiles.num_columns_minus1),
        num_tile_rows_minus1: tiles.map_or(0, |tiles| tiles.num_rows_minus1),
        column_width_minus1,
        row_height_minus1,
        pps_beta_offset_div2: pps.beta_offset_div2,
        pps_tc_offset_div2: pps.tc_offset_div2,
        log2_parallel_merge_level_minus2: pps.log2_parallel_merge_level_minus2,
        reserved: 0,
        flags: pps_flags(pps),
    }
}

fn pps_flags(pps: &Pps) -> u64 {
    let tiles = pps.tiles.as_ref();
    of_flags(&[
        (
            pps.dependent_slice_segments_enabled,
            pps_flag::DEPENDENT_SLICE_SEGMENT_ENABLED,
        ),
        (pps.output_flag_present, pps_flag::OUTPUT_FLAG_PRESENT),
        (
            pps.sign_data_hiding_enabled,
            pps_flag::SIGN_DATA_HIDING_ENABLED,
        ),
        (pps.cabac_init_present, pps_flag::CABAC_INIT_PRESENT),
        (pps.constrained_intra_pred, pps_flag::CONSTRAINED_INTRA_PRED),
        (pps.transform_skip_enabled, pps_flag::TRANSFORM_SKIP_ENABLED),
        (pps.cu_qp_delta_enabled, pps_flag::CU_QP_DELTA_ENABLED),
        (
            pps.slice_chroma_qp_offsets_present,
            pps_flag::PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT,
        ),
        (pps.weighted_pred, pps_flag::WEIGHTED_PRED),
        (pps.weighted_bipred, pps_flag::WEIGHTED_BIPRED),
        (
            pps.transquant_bypass_enabled,
            pps_flag::TRANSQUANT_BYPASS_ENABLED,
        ),
        (tiles.is_some(), pps_flag::TILES_ENABLED),
        (
            pps.entropy_coding_sync_enabled,
            pps_flag::ENTROPY_CODING_SYNC_ENABLED,
        ),
        // Both are inferred to be set where there is one tile (7.4.3.3.1).
        (
            tiles.is_none_or(|tiles| tiles.loop_filter_across),
            pps_flag::LOOP_FILTER_ACROSS_TILES_ENABLED,
        ),
        (
            tiles.is_none_or(|tiles| tiles.uniform_spacing),
            pps_flag::UNIFORM_SPACING,
        ),
        (
            pps.loop_filter_across_slices_enabled,
            pps_flag::PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED,
        ),
        (
            pps.deblocking_filter_override_enabled,
            pps_flag::DEBLOCKING_FILTER_OVERRIDE_ENABLED,
        ),
        (
            pps.deblocking_filter_disabled,
            pps_flag::PPS_DISABLE_DEBLOCKING_FILTER,
        ),
        (
            pps.lists_modification_present,
            pps_flag::LISTS_MODIFICATION_PRESENT,
        ),
        (
            pps.slice_segment_header_extension_present,
            pps_flag::SLICE_SEGMENT_HEADER_EXTENSION_PRESENT,
        ),
        (
            pps.deblocking_filter_control_present,
            pps_flag::DEBLOCKING_FILTER_CONTROL_PRESENT,
        ),
    ])
}

/// Widths and heights of tiles, also where they are not told but uniform: drivers rely on them.
/// None where they do not fit into the picture, or into what drivers are told.
pub(super) fn tile_sizes(sps: &Sps, pps: &Pps) -> Option<([u8; 20], [u8; 22])> {
    let mut sizes = ([0; 20], [0; 22]);
    if let Some(tiles) = &pps.tiles {
        let columns = tiles.column_widths(sps.width_in_ctbs())?;
        let rows = tiles.row_heights(sps.height_in_ctbs())?;
        let places = sizes.0.iter_mut().zip(columns);
        for (place, size) in places.chain(sizes.1.iter_mut().zip(rows)) {
            *place = u8::try_from(size.saturating_sub(1)).ok()?;
        }
    }
    Some(sizes)
}

pub(super) const fn scaling(lists: &ScalingLists) -> HevcScalingMatrix {
    HevcScalingMatrix {
        scaling_list_4x4: lists.size4,
        scaling_list_8x8: lists.size8,
        scaling_list_16x16: lists.size16,
        scaling_list_32x32: lists.size32,
        scaling_list_dc_coef_16x16: lists.dc16,
        scaling_list_dc_coef_32x32: lists.dc32,
    }
}

/// A set is told as it is written; how many pictures are in it, as it is meant.
pub(super) fn short_term(set: &ShortTermSet) -> HevcExtSpsStRps {
    let mut told = HevcExtSpsStRps {
        num_negative_pics: set.num_negative_pics(),
        num_positive_pics: set.num_positive_pics(),
        used_by_curr_pic: set.used(),
        delta_poc_s0_minus1: set.syntax.delta_poc_s0_minus1,
        delta_poc_s1_minus1: set.syntax.delta_poc_s1_minus1,
        ..HevcExtSpsStRps::default()
    };
    if let Some(how) = &set.syntax.prediction {
        told.delta_idx_minus1 = how.delta_idx_minus1;
        told.delta_rps_sign = how.delta_rps_sign.into();
        told.abs_delta_rps_minus1 = how.abs_delta_rps_minus1;
        told.used_by_curr_pic = how.used_by_curr_pic;
        told.use_delta_flag = how.use_delta;
        told.flags = EXT_SPS_ST_RPS_INTER_REF_PIC_SET_PRED;
    }
    told
}

pub(super) fn long_term((poc_lsb, used): &(u16, bool)) -> HevcExtSpsLtRps {
    HevcExtSpsLtRps {
        lt_ref_pic_poc_lsb_sps: *poc_lsb,
        flags: if *used { EXT_SPS_LT_RPS_USED_LT } else { 0 },
    }
}
