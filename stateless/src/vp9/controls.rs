//! What a driver is told of a frame.

use dmaflow_bitstream::vp9::{
    CompressedHeader, FrameHeader, InterpolationFilter, LoopFilter, MotionUpdates, Quantization,
    ReferenceMode, Segmentation,
};

use super::reference_ts;
use crate::flags::flags_of;
use crate::steps::PictureId;
use crate::uapi::vp9::{self as uapi, Vp9CompressedHdr, Vp9Frame, Vp9LoopFilter, Vp9MvProbs};
use crate::uapi::vp9::{Vp9Quantization, Vp9Segmentation};

/// `references` are last, golden and alt; none of a frame that needs no other.
pub(super) fn frame(
    header: &FrameHeader,
    compressed: &CompressedHeader,
    references: [Option<PictureId>; 3],
) -> Vp9Frame {
    let [last, golden, alt] = references;
    let biases = header.references.map(|reference| reference.sign_bias);
    Vp9Frame {
        lf: loop_filter(&header.loop_filter),
        quant: quantization(header.quantization),
        seg: segmentation(&header.segmentation),
        flags: flags(header),
        compressed_header_size: header.compressed_header_size,
        uncompressed_header_size: header.uncompressed_header_size,
        frame_width_minus_1: minus_1(header.width),
        frame_height_minus_1: minus_1(header.height),
        render_width_minus_1: minus_1(header.render_width),
        render_height_minus_1: minus_1(header.render_height),
        last_frame_ts: reference_ts(last),
        golden_frame_ts: reference_ts(golden),
        alt_frame_ts: reference_ts(alt),
        ref_frame_sign_bias: flags_of([
            (biases[0], uapi::SIGN_BIAS_LAST),
            (biases[1], uapi::SIGN_BIAS_GOLDEN),
            (biases[2], uapi::SIGN_BIAS_ALT),
        ]),
        // Drivers reset the context that is coded, and then take context 0 by themselves.
        reset_frame_context: match header.reset_frame_context {
            2 => uapi::RESET_FRAME_CTX_SPEC,
            3 => uapi::RESET_FRAME_CTX_ALL,
            _ => uapi::RESET_FRAME_CTX_NONE,
        },
        frame_context_idx: header.frame_context_idx,
        profile: header.profile,
        bit_depth: header.color.bit_depth,
        interpolation_filter: interpolation_filter(header),
        tile_cols_log2: header.tile_cols_log2,
        tile_rows_log2: header.tile_rows_log2,
        reference_mode: match compressed.reference_mode {
            ReferenceMode::Single => uapi::REFERENCE_MODE_SINGLE_REFERENCE,
            ReferenceMode::Compound => uapi::REFERENCE_MODE_COMPOUND_REFERENCE,
            ReferenceMode::Select => uapi::REFERENCE_MODE_SELECT,
        },
        reserved: [0; 7],
    }
}

fn flags(header: &FrameHeader) -> u32 {
    flags_of([
        (header.key_frame, uapi::FRAME_KEY_FRAME),
        (header.show_frame, uapi::FRAME_SHOW_FRAME),
        (header.error_resilient_mode, uapi::FRAME_ERROR_RESILIENT),
        (header.intra_only, uapi::FRAME_INTRA_ONLY),
        (
            header.allow_high_precision_mv,
            uapi::FRAME_ALLOW_HIGH_PREC_MV,
        ),
        (header.refresh_frame_context, uapi::FRAME_REFRESH_FRAME_CTX),
        (
            header.frame_parallel_decoding_mode,
            uapi::FRAME_PARALLEL_DEC_MODE,
        ),
        (header.color.subsampling_x, uapi::FRAME_X_SUBSAMPLING),
        (header.color.subsampling_y, uapi::FRAME_Y_SUBSAMPLING),
        (header.color.color_range, uapi::FRAME_COLOR_RANGE_FULL_SWING),
    ])
}

fn loop_filter(filter: &LoopFilter) -> Vp9LoopFilter {
    Vp9LoopFilter {
        ref_deltas: filter.ref_deltas,
        mode_deltas: filter.mode_deltas,
        level: filter.level,
        sharpness: filter.sharpness,
        flags: flags_of([
            (filter.delta_enabled, uapi::LOOP_FILTER_DELTA_ENABLED),
            (filter.delta_update, uapi::LOOP_FILTER_DELTA_UPDATE),
        ]),
        reserved: [0; 7],
    }
}

const fn quantization(quantization: Quantization) -> Vp9Quantization {
    Vp9Quantization {
        base_q_idx: quantization.base_q_idx,
        delta_q_y_dc: quantization.delta_q_y_dc,
        delta_q_uv_dc: quantization.delta_q_uv_dc,
        delta_q_uv_ac: quantization.delta_q_uv_ac,
        reserved: [0; 4],
    }
}

fn segmentation(segmentation: &Segmentation) -> Vp9Segmentation {
    Vp9Segmentation {
        feature_data: segmentation
            .features
            .map(|segment| segment.map(Option::unwrap_or_default)),
        feature_enabled: segmentation.features.map(|[q, level, reference, skip]| {
            // V4L2_VP9_SEGMENT_FEATURE_ENABLED(id)
            flags_of([
                (q.is_some(), 1),
                (level.is_some(), 1 << 1),
                (reference.is_some(), 1 << 2),
                (skip.is_some(), 1 << 3),
            ])
        }),
        tree_probs: segmentation.tree_probs,
        pred_probs: segmentation.pred_probs,
        flags: flags_of([
            (segmentation.enabled, uapi::SEGMENTATION_ENABLED),
            (segmentation.update_map, uapi::SEGMENTATION_UPDATE_MAP),
            (
                segmentation.temporal_update,
                uapi::SEGMENTATION_TEMPORAL_UPDATE,
            ),
            (segmentation.update_data, uapi::SEGMENTATION_UPDATE_DATA),
            (
                segmentation.abs_or_delta_update,
                uapi::SEGMENTATION_ABS_OR_DELTA_UPDATE,
            ),
        ]),
        reserved: [0; 5],
    }
}

/// The kernel numbers filters in another order than the specification.
const fn interpolation_filter(header: &FrameHeader) -> u8 {
    if header.is_intra() {
        return 0;
    }
    match header.interpolation_filter {
        InterpolationFilter::EightTap => uapi::INTERP_FILTER_EIGHTTAP,
        InterpolationFilter::EightTapSmooth => uapi::INTERP_FILTER_EIGHTTAP_SMOOTH,
        InterpolationFilter::EightTapSharp => uapi::INTERP_FILTER_EIGHTTAP_SHARP,
        InterpolationFilter::Bilinear => uapi::INTERP_FILTER_BILINEAR,
        InterpolationFilter::Switchable => uapi::INTERP_FILTER_SWITCHABLE,
    }
}

pub(super) const fn compressed_header(header: &CompressedHeader) -> Vp9CompressedHdr {
    Vp9CompressedHdr {
        tx_mode: header.tx_mode,
        tx8: header.tx_8x8,
        tx16: header.tx_16x16,
        tx32: header.tx_32x32,
        coef: header.coef,
        skip: header.skip,
        inter_mode: header.inter_mode,
        interp_filter: header.interp_filter,
        is_inter: header.is_inter,
        comp_mode: header.comp_mode,
        single_ref: header.single_ref,
        comp_ref: header.comp_ref,
        y_mode: header.y_mode,
        // No header changes them.
        uv_mode: [[0; 9]; 10],
        partition: header.partition,
        mv: motion(&header.mv),
    }
}

const fn motion(updates: &MotionUpdates) -> Vp9MvProbs {
    Vp9MvProbs {
        joint: updates.joint,
        sign: updates.sign,
        classes: updates.class,
        class0_bit: updates.class0_bit,
        bits: updates.bits,
        class0_fr: updates.class0_fr,
        fr: updates.fr,
        class0_hp: updates.class0_hp,
        hp: updates.hp,
    }
}

/// Of a size that is coded in 16 bits less one.
fn minus_1(size: u32) -> u16 {
    u16::try_from(size.saturating_sub(1)).unwrap_or(u16::MAX)
}
