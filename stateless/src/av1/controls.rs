//! Headers as the controls of the kernel tell them.

use dmaflow_bitstream::av1::{
    FilmGrain, FrameHeader, LoopFilter, ScalingFunction, SequenceHeader, TileInfo,
};
use zerocopy::FromZeros;

use crate::uapi::av1::{
    Av1Cdef, Av1FilmGrain, Av1Frame, Av1GlobalMotion, Av1LoopFilter, Av1LoopRestoration,
    Av1Quantization, Av1Segmentation, Av1Sequence, Av1TileInfo,
};

/// Flags as a mask: bit 0 first.
fn mask<const N: usize>(flags: [bool; N]) -> u32 {
    let bits = flags.iter().enumerate();
    bits.fold(0, |mask, (at, &flag)| mask | u32::from(flag) << at)
}

/// The same of at most eight.
fn mask8<const N: usize>(flags: [bool; N]) -> u8 {
    const { assert!(N <= 8, "they fit in a byte") };
    u8::try_from(mask(flags)).unwrap_or_default()
}

/// Of a length that fits, as a sequence's size does.
fn minus_1(length: u32) -> u16 {
    u16::try_from(length.saturating_sub(1)).unwrap_or(u16::MAX)
}

/// The sequence.
pub(super) fn sequence(header: &SequenceHeader) -> Av1Sequence {
    let color = &header.color_config;
    Av1Sequence {
        flags: mask([
            header.still_picture,
            header.use_128x128_superblock,
            header.enable_filter_intra,
            header.enable_intra_edge_filter,
            header.enable_interintra_compound,
            header.enable_masked_compound,
            header.enable_warped_motion,
            header.enable_dual_filter,
            header.order_hint_bits > 0,
            header.enable_jnt_comp,
            header.enable_ref_frame_mvs,
            header.enable_superres,
            header.enable_cdef,
            header.enable_restoration,
            color.mono_chrome,
            color.color_range,
            color.subsampling_x,
            color.subsampling_y,
            header.film_grain_params_present,
            color.separate_uv_delta_q,
        ]),
        seq_profile: header.seq_profile,
        order_hint_bits: u8::try_from(header.order_hint_bits).unwrap_or_default(),
        bit_depth: color.bit_depth,
        reserved: 0,
        max_frame_width_minus_1: minus_1(header.max_frame_width),
        max_frame_height_minus_1: minus_1(header.max_frame_height),
    }
}

/// A frame, with what is in the reference slots before it.
pub(super) fn frame(header: &FrameHeader, reference_frame_ts: [u64; 8]) -> Av1Frame {
    let size = &header.size;
    Av1Frame {
        tile_info: tile_info(&header.tile_info),
        quantization: quantization(header),
        superres_denom: size.superres_denom,
        segmentation: segmentation(header),
        loop_filter: loop_filter(&header.loop_filter),
        cdef: cdef(header),
        skip_mode_frame: header.skip_mode_frame.unwrap_or_default(),
        primary_ref_frame: header.primary_ref_frame,
        loop_restoration: loop_restoration(header),
        global_motion: global_motion(header),
        flags: frame_flags(header),
        frame_type: header.frame_type as u32,
        order_hint: header.order_hint.into(),
        upscaled_width: size.upscaled_width,
        interpolation_filter: header.interpolation_filter.into(),
        tx_mode: header.tx_mode as u32,
        frame_width_minus_1: size.frame_width - 1,
        frame_height_minus_1: size.frame_height - 1,
        render_width_minus_1: minus_1(size.render_width),
        render_height_minus_1: minus_1(size.render_height),
        current_frame_id: header.current_frame_id.into(),
        buffer_removal_time: header.buffer_removal_time,
        reserved: [0; 4],
        order_hints: header.order_hints.map(u32::from),
        reference_frame_ts,
        ref_frame_idx: header.ref_frame_idx.map(u8::cast_signed),
        refresh_frame_flags: header.refresh_frame_flags,
    }
}

fn frame_flags(header: &FrameHeader) -> u32 {
    mask([
        header.show_frame,
        header.showable_frame,
        header.error_resilient_mode,
        header.disable_cdf_update,
        header.allow_screen_content_tools,
        header.force_integer_mv,
        header.allow_intrabc,
        header.size.use_superres,
        header.allow_high_precision_mv,
        header.is_motion_mode_switchable,
        header.use_ref_frame_mvs,
        header.disable_frame_end_update_cdf,
        header.allow_warped_motion,
        header.reference_select,
        header.reduced_tx_set,
        header.skip_mode_frame.is_some(),
        header.skip_mode_present,
        header.frame_size_override_flag,
        header.buffer_removal_time_present_flag,
        header.frame_refs_short_signaling,
    ])
}

fn tile_info(info: &TileInfo) -> Av1TileInfo {
    Av1TileInfo {
        flags: mask8([info.uniform_tile_spacing_flag]),
        // A larger one was refused before.
        context_update_tile_id: u8::try_from(info.context_update_tile_id).unwrap_or(u8::MAX),
        tile_cols: info.tile_cols,
        tile_rows: info.tile_rows,
        mi_col_starts: info.mi_col_starts,
        mi_row_starts: info.mi_row_starts,
        width_in_sbs_minus_1: info.width_in_sbs_minus_1,
        height_in_sbs_minus_1: info.height_in_sbs_minus_1,
        tile_size_bytes: info.tile_size_bytes,
        reserved: [0; 3],
    }
}

fn quantization(header: &FrameHeader) -> Av1Quantization {
    let of = &header.quantization;
    Av1Quantization {
        flags: mask8([of.diff_uv_delta, of.using_qmatrix, of.delta_q_present]),
        base_q_idx: of.base_q_idx,
        delta_q_y_dc: of.delta_q_y_dc,
        delta_q_u_dc: of.delta_q_u_dc,
        delta_q_u_ac: of.delta_q_u_ac,
        delta_q_v_dc: of.delta_q_v_dc,
        delta_q_v_ac: of.delta_q_v_ac,
        qm_y: of.qm_y,
        qm_u: of.qm_u,
        qm_v: of.qm_v,
        delta_q_res: of.delta_q_res,
    }
}

fn segmentation(header: &FrameHeader) -> Av1Segmentation {
    let of = &header.segmentation;
    Av1Segmentation {
        flags: mask8([
            of.enabled,
            of.update_map,
            of.temporal_update,
            of.update_data,
            of.seg_id_pre_skip,
        ]),
        last_active_seg_id: of.last_active_seg_id,
        feature_enabled: of.features.enabled,
        feature_data: of.features.data,
    }
}

fn loop_filter(of: &LoopFilter) -> Av1LoopFilter {
    Av1LoopFilter {
        flags: mask8([
            of.delta_enabled,
            of.delta_update,
            of.delta_lf_present,
            of.delta_lf_multi,
        ]),
        level: of.level,
        sharpness: of.sharpness,
        ref_deltas: of.deltas.references,
        mode_deltas: of.deltas.modes,
        delta_lf_res: of.delta_lf_res,
    }
}

const fn cdef(header: &FrameHeader) -> Av1Cdef {
    let of = &header.cdef;
    Av1Cdef {
        damping_minus_3: of.damping_minus_3,
        bits: of.bits,
        y_pri_strength: of.y_pri_strength,
        y_sec_strength: of.y_sec_strength,
        uv_pri_strength: of.uv_pri_strength,
        uv_sec_strength: of.uv_sec_strength,
    }
}

fn loop_restoration(header: &FrameHeader) -> Av1LoopRestoration {
    let of = &header.loop_restoration;
    Av1LoopRestoration {
        flags: mask8([of.uses_lr, of.uses_chroma_lr]),
        lr_unit_shift: of.lr_unit_shift,
        lr_uv_shift: of.lr_uv_shift,
        reserved: 0,
        frame_restoration_type: of.frame_restoration_type.map(|kind| kind as u32),
        loop_restoration_size: of.loop_restoration_size,
    }
}

fn global_motion(header: &FrameHeader) -> Av1GlobalMotion {
    let of = &header.global_motion;
    Av1GlobalMotion {
        flags: of
            .map(|motion| mask8([motion.is_global, motion.is_rot_zoom, motion.is_translation])),
        kind: of.map(|motion| motion.gm_type as u32),
        params: of.map(|motion| motion.params),
        invalid: mask8(of.map(|motion| motion.invalid)),
        reserved: [0; 3],
    }
}

/// Grain.
pub(super) fn film_grain(of: &FilmGrain) -> Av1FilmGrain {
    let mut control = Av1FilmGrain::new_zeroed();
    control.flags = mask8([
        of.apply_grain,
        of.update_grain,
        of.chroma_scaling_from_luma,
        of.overlap_flag,
        of.clip_to_restricted_range,
    ]);
    control.cr_mult = of.cr_mult;
    control.grain_seed = of.grain_seed;
    control.film_grain_params_ref_idx = of.film_grain_params_ref_idx;
    (
        control.num_y_points,
        control.point_y_value,
        control.point_y_scaling,
    ) = points(&of.y);
    (
        control.num_cb_points,
        control.point_cb_value,
        control.point_cb_scaling,
    ) = points(&of.cb);
    (
        control.num_cr_points,
        control.point_cr_value,
        control.point_cr_scaling,
    ) = points(&of.cr);
    control.grain_scaling_minus_8 = of.grain_scaling_minus_8;
    control.ar_coeff_lag = of.ar_coeff_lag;
    let luma = control.ar_coeffs_y_plus_128.iter_mut();
    for (coefficient, &read) in luma.zip(&of.ar_coeffs_y_plus_128) {
        *coefficient = read;
    }
    control.ar_coeffs_cb_plus_128 = of.ar_coeffs_cb_plus_128;
    control.ar_coeffs_cr_plus_128 = of.ar_coeffs_cr_plus_128;
    control.ar_coeff_shift_minus_6 = of.ar_coeff_shift_minus_6;
    control.grain_scale_shift = of.grain_scale_shift;
    control.cb_mult = of.cb_mult;
    control.cb_luma_mult = of.cb_luma_mult;
    control.cr_luma_mult = of.cr_luma_mult;
    control.cb_offset = of.cb_offset;
    control.cr_offset = of.cr_offset;
    control
}

fn points(of: &ScalingFunction) -> (u8, [u8; 16], [u8; 16]) {
    let (mut value, mut scaling) = ([0; 16], [0; 16]);
    value[..14].copy_from_slice(&of.value);
    scaling[..14].copy_from_slice(&of.scaling);
    (of.points, value, scaling)
}
