//! What a driver is told of parameter sets.

mod sets;

use std::ops::Range;

use dmaflow_bitstream::hevc::{Pps, ScalingLists, Sps};

use crate::ability::Ability;
use crate::steps::{Chroma, Sequence, Steps, Visible};
use crate::uapi::hevc::{
    HevcExtSpsLtRps, HevcExtSpsStRps, HevcPps, HevcScalingMatrix, HevcSps,
    STATELESS_HEVC_EXT_SPS_LT_RPS, STATELESS_HEVC_EXT_SPS_ST_RPS, STATELESS_HEVC_PPS,
    STATELESS_HEVC_SCALING_MATRIX, STATELESS_HEVC_SPS,
};

/// What all requests of a picture have in common.
#[derive(Debug)]
pub(super) struct Constant {
    sps: HevcSps,
    pps: HevcPps,
    scaling: HevcScalingMatrix,
    short_term: Vec<HevcExtSpsStRps>,
    long_term: Vec<HevcExtSpsLtRps>,
}

impl Default for Constant {
    fn default() -> Self {
        Self {
            sps: HevcSps::default(),
            pps: HevcPps::default(),
            scaling: HevcScalingMatrix::ZERO,
            short_term: Vec::new(),
            long_term: Vec::new(),
        }
    }
}

impl Constant {
    /// Says what parameter sets say.
    pub(super) fn fill(&mut self, ability: &Ability, sps: &Sps, pps: &Pps) {
        self.sps = sets::sps(sps);
        self.pps = sets::pps(sps, pps);
        if ability.has(STATELESS_HEVC_SCALING_MATRIX) {
            self.scaling = if sps.scaling_list_enabled {
                let lists = pps.scaling_lists.as_ref().or(sps.scaling_lists.as_ref());
                sets::scaling(lists.unwrap_or(&ScalingLists::DEFAULT))
            } else {
                HevcScalingMatrix::ZERO
            };
        }
        self.short_term.clear();
        if ability.has(STATELESS_HEVC_EXT_SPS_ST_RPS) {
            let of_sps = sps.short_term_sets().iter();
            self.short_term.extend(of_sps.map(sets::short_term));
        }
        self.long_term.clear();
        if ability.has(STATELESS_HEVC_EXT_SPS_LT_RPS) {
            let of_sps = sps.long_term_candidates().iter();
            self.long_term.extend(of_sps.map(sets::long_term));
        }
    }

    /// Adds what is told of the sequence.
    pub(super) fn add_sps(&self, steps: &mut Steps) {
        steps.control(STATELESS_HEVC_SPS, &self.sps);
    }

    /// Adds all that it is.
    pub(super) fn add(&self, ability: &Ability, steps: &mut Steps) {
        self.add_sps(steps);
        steps.control(STATELESS_HEVC_PPS, &self.pps);
        if ability.has(STATELESS_HEVC_SCALING_MATRIX) {
            steps.control(STATELESS_HEVC_SCALING_MATRIX, &self.scaling);
        }
        // An array has at least one element, and is not looked at where there would be none.
        if !self.short_term.is_empty() {
            steps.control(STATELESS_HEVC_EXT_SPS_ST_RPS, &*self.short_term);
        }
        if !self.long_term.is_empty() {
            steps.control(STATELESS_HEVC_EXT_SPS_LT_RPS, &*self.long_term);
        }
    }
}

/// The most pictures that are kept while another is decoded. Some encoders say fewer than their
/// sets of references name.
pub(super) fn kept(sps: &Sps) -> usize {
    let sets = sps.short_term_sets().iter();
    let named = sets.map(|set| set.num_delta_pocs()).max().unwrap_or(0);
    named.max(sps.order.max_dec_pic_buffering_minus1).into()
}

/// What pictures are like.
pub(super) fn sequence(sps: &Sps, kept: usize, controls: Range<usize>) -> Sequence {
    let (width, height) = (
        sps.pic_width_in_luma_samples,
        sps.pic_height_in_luma_samples,
    );
    let (width, height) = (u32::from(width), u32::from(height));
    let window = sps.conformance_window;
    Sequence {
        coded: (width, height),
        visible: Visible {
            left: window.left,
            top: window.top,
            width: width - window.left - window.right,
            height: height - window.top - window.bottom,
        },
        depth: sps.bit_depth_luma.max(sps.bit_depth_chroma),
        chroma: match sps.chroma_format_idc {
            0 => Chroma::Monochrome,
            1 => Chroma::Yuv420,
            2 => Chroma::Yuv422,
            _ => Chroma::Yuv444,
        },
        kept,
        controls,
    }
}

/// Whether buffers for the one are good for the other.
pub(super) fn is_alike(one: &Sequence, other: &Sequence) -> bool {
    (one.coded, one.visible, one.depth, one.chroma, one.kept)
        == (
            other.coded,
            other.visible,
            other.depth,
            other.chroma,
            other.kept,
        )
}

/// What there is in parameter sets that changes the decoded picture and that controls have no
/// words for, if anything.
pub(super) fn without_words(sps: &Sps, pps: &Pps) -> Option<(&'static str, i64)> {
    let (range, scc) = (&sps.range, &sps.scc);
    let skip = pps.range.log2_max_transform_skip_block_size_minus2;
    let (sao_luma, sao_chroma) = (
        pps.range.log2_sao_offset_scale_luma,
        pps.range.log2_sao_offset_scale_chroma,
    );
    let flags = [
        (
            "transform_skip_rotation_enabled_flag",
            range.transform_skip_rotation_enabled,
        ),
        (
            "transform_skip_context_enabled_flag",
            range.transform_skip_context_enabled,
        ),
        ("implicit_rdpcm_enabled_flag", range.implicit_rdpcm_enabled),
        ("explicit_rdpcm_enabled_flag", range.explicit_rdpcm_enabled),
        (
            "extended_precision_processing_flag",
            range.extended_precision_processing,
        ),
        (
            "intra_smoothing_disabled_flag",
            range.intra_smoothing_disabled,
        ),
        (
            "high_precision_offsets_enabled_flag",
            range.high_precision_offsets_enabled,
        ),
        (
            "persistent_rice_adaptation_enabled_flag",
            range.persistent_rice_adaptation_enabled,
        ),
        (
            "cabac_bypass_alignment_enabled_flag",
            range.cabac_bypass_alignment_enabled,
        ),
        ("palette_mode_enabled_flag", scc.palette_mode_enabled),
        (
            "intra_boundary_filtering_disabled_flag",
            scc.intra_boundary_filtering_disabled,
        ),
        (
            "pps_curr_pic_ref_enabled_flag",
            pps.scc.curr_pic_ref_enabled,
        ),
        (
            "residual_adaptive_colour_transform_enabled_flag",
            pps.scc.residual_adaptive_colour_transform_enabled,
        ),
        (
            "cross_component_prediction_enabled_flag",
            pps.range.cross_component_prediction_enabled,
        ),
        (
            "chroma_qp_offset_list_enabled_flag",
            pps.range.chroma_qp_offset_list_enabled,
        ),
        ("log2_max_transform_skip_block_size_minus2", skip != 0),
        ("log2_sao_offset_scale_luma", sao_luma != 0),
        ("log2_sao_offset_scale_chroma", sao_chroma != 0),
        (
            "tiles that do not fit",
            sets::tile_sizes(sps, pps).is_none(),
        ),
    ];
    let found = flags.into_iter().find(|(_what, set)| *set);
    found.map(|(what, _set)| (what, 1))
}
