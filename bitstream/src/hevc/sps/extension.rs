//! What later versions of the specification added to sequence parameter sets.

use super::Sps;
use crate::bits::BitReader;
use crate::error::StreamError;

use super::super::check;

/// `sps_range_extension()` (7.3.2.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.2.2")]
pub struct SpsRange {
    pub transform_skip_rotation_enabled: bool,
    pub transform_skip_context_enabled: bool,
    pub implicit_rdpcm_enabled: bool,
    pub explicit_rdpcm_enabled: bool,
    pub extended_precision_processing: bool,
    pub intra_smoothing_disabled: bool,
    pub high_precision_offsets_enabled: bool,
    pub persistent_rice_adaptation_enabled: bool,
    pub cabac_bypass_alignment_enabled: bool,
}

/// `sps_scc_extension()` (7.3.2.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.2.3")]
pub struct SpsScc {
    pub curr_pic_ref_enabled: bool,
    pub palette_mode_enabled: bool,
    pub motion_vector_resolution_control_idc: u8,
    pub intra_boundary_filtering_disabled: bool,
}

impl Sps {
    pub(super) fn read_extensions(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let range = bits.flag("sps_range_extension_flag")?;
        let multilayer = bits.flag("sps_multilayer_extension_flag")?;
        let begin = bits.position();
        let three_d = bits.flag("sps_3d_extension_flag")?;
        let scc = bits.flag("sps_scc_extension_flag")?;
        // What the last four bits announce is to be ignored.
        bits.bits(4, "sps_extension_4bits")?;
        if range {
            self.range = SpsRange::read(bits)?;
        }
        if multilayer {
            bits.flag("inter_view_mv_vert_constraint_flag")?;
        }
        if three_d && scc {
            return Err(check::unsupported(begin, "sps_3d_extension_flag", 1));
        }
        if scc {
            let depths = (self.bit_depth_luma, self.bit_depth_chroma);
            self.scc = SpsScc::read(bits, self.chroma_format_idc, depths)?;
        }
        Ok(())
    }
}

impl SpsRange {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        Ok(Self {
            transform_skip_rotation_enabled: bits.flag("transform_skip_rotation_enabled_flag")?,
            transform_skip_context_enabled: bits.flag("transform_skip_context_enabled_flag")?,
            implicit_rdpcm_enabled: bits.flag("implicit_rdpcm_enabled_flag")?,
            explicit_rdpcm_enabled: bits.flag("explicit_rdpcm_enabled_flag")?,
            extended_precision_processing: bits.flag("extended_precision_processing_flag")?,
            intra_smoothing_disabled: bits.flag("intra_smoothing_disabled_flag")?,
            high_precision_offsets_enabled: bits.flag("high_precision_offsets_enabled_flag")?,
            persistent_rice_adaptation_enabled: bits
                .flag("persistent_rice_adaptation_enabled_flag")?,
            cabac_bypass_alignment_enabled: bits.flag("cabac_bypass_alignment_enabled_flag")?,
        })
    }
}

impl SpsScc {
    fn read(
        bits: &mut BitReader<'_>,
        chroma_format_idc: u8,
        (depth_luma, depth_chroma): (u8, u8),
    ) -> Result<Self, StreamError> {
        let curr_pic_ref_enabled = bits.flag("sps_curr_pic_ref_enabled_flag")?;
        let palette_mode_enabled = bits.flag("palette_mode_enabled_flag")?;
        if palette_mode_enabled {
            let most = check::ue(bits, 64, "palette_max_size")?;
            let more = check::ue(bits, 128, "delta_palette_max_predictor_size")?;
            if bits.flag("sps_palette_predictor_initializers_present_flag")? {
                let what = "sps_num_palette_predictor_initializers_minus1";
                let count = 1 + check::ue(bits, most + more, what)?;
                let colours = if chroma_format_idc == 0 { 0 } else { 2 };
                let taken = u32::from(depth_luma) + colours * u32::from(depth_chroma);
                bits.skip(count * taken, "sps_palette_predictor_initializer")?;
            }
        }
        Ok(Self {
            curr_pic_ref_enabled,
            palette_mode_enabled,
            motion_vector_resolution_control_idc: check::u8(
                bits,
                2,
                "motion_vector_resolution_control_idc",
            )?,
            intra_boundary_filtering_disabled: bits
                .flag("intra_boundary_filtering_disabled_flag")?,
        })
    }
}
