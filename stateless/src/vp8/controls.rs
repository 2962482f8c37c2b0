//! What a driver is told of a frame.

use dmaflow_bitstream::vp8::{Entropy, FrameHeader, LoopFilter, QuantIndices, Segmentation};

use crate::flags::flags_of;
use crate::steps::PictureId;
use crate::uapi::vp8::{
    self as uapi, Vp8Entropy, Vp8EntropyCoderState, Vp8Frame, Vp8LoopFilter, Vp8Quantization,
    Vp8Segment,
};

/// `references` are last, golden and alt; of a key frame none.
pub(super) fn frame(header: &FrameHeader, references: [Option<PictureId>; 3]) -> Vp8Frame {
    let [last, golden, alt] = references.map(|picture| picture.map_or(0, PictureId::reference_ts));
    Vp8Frame {
        segment: segment(&header.segmentation),
        lf: loop_filter(&header.loop_filter),
        quant: quantization(header.quant),
        entropy: entropy(&header.entropy),
        coder_state: Vp8EntropyCoderState {
            range: header.coder_range,
            value: header.coder_value,
            bit_count: header.coder_bits,
            padding: 0,
        },
        width: header.width,
        height: header.height,
        horizontal_scale: header.horizontal_scale,
        vertical_scale: header.vertical_scale,
        version: header.version,
        prob_skip_false: header.prob_skip_false,
        prob_intra: header.prob_intra,
        prob_last: header.prob_last,
        prob_gf: header.prob_gf,
        num_dct_parts: header.dct_partitions,
        first_part_size: header.first_part_size,
        first_part_header_bits: header.header_bits,
        dct_part_sizes: header.dct_partition_sizes,
        last_frame_ts: last,
        golden_frame_ts: golden,
        alt_frame_ts: alt,
        flags: flags_of([
            (header.key_frame, uapi::FRAME_KEY_FRAME),
            (header.show_frame, uapi::FRAME_SHOW_FRAME),
            (header.mb_no_skip_coeff, uapi::FRAME_MB_NO_SKIP_COEFF),
            (header.sign_bias_golden, uapi::FRAME_SIGN_BIAS_GOLDEN),
            (header.sign_bias_alternate, uapi::FRAME_SIGN_BIAS_ALT),
        ]),
    }
}

fn segment(segmentation: &Segmentation) -> Vp8Segment {
    Vp8Segment {
        quant_update: segmentation.quantizer,
        lf_update: segmentation.loop_filter,
        segment_probs: segmentation.tree_probs,
        padding: 0,
        flags: flags_of([
            (segmentation.enabled, uapi::SEGMENT_ENABLED),
            (segmentation.update_map, uapi::SEGMENT_UPDATE_MAP),
            (
                segmentation.update_feature_data,
                uapi::SEGMENT_UPDATE_FEATURE_DATA,
            ),
            (!segmentation.absolute, uapi::SEGMENT_DELTA_VALUE_MODE),
        ]),
    }
}

fn loop_filter(filter: &LoopFilter) -> Vp8LoopFilter {
    Vp8LoopFilter {
        ref_frm_delta: filter.ref_frame_delta,
        mb_mode_delta: filter.mb_mode_delta,
        sharpness_level: filter.sharpness,
        level: filter.level,
        padding: 0,
        flags: flags_of([
            (filter.adj_enable, uapi::LF_ADJ_ENABLE),
            (filter.delta_update, uapi::LF_DELTA_UPDATE),
            (filter.simple, uapi::LF_FILTER_TYPE_SIMPLE),
        ]),
    }
}

const fn quantization(quant: QuantIndices) -> Vp8Quantization {
    Vp8Quantization {
        y_ac_qi: quant.y_ac_qi,
        y_dc_delta: quant.y_dc_delta,
        y2_dc_delta: quant.y2_dc_delta,
        y2_ac_delta: quant.y2_ac_delta,
        uv_dc_delta: quant.uv_dc_delta,
        uv_ac_delta: quant.uv_ac_delta,
        padding: 0,
    }
}

const fn entropy(entropy: &Entropy) -> Vp8Entropy {
    Vp8Entropy {
        coeff_probs: entropy.coeff_probs,
        y_mode_probs: entropy.y_mode_probs,
        uv_mode_probs: entropy.uv_mode_probs,
        mv_probs: entropy.mv_probs,
        padding: [0; 3],
    }
}
