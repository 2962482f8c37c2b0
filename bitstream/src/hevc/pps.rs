//! Picture parameter sets (7.3.2.3, 7.4.3.3).

use super::check;
use super::scaling::ScalingLists;
use crate::bits::BitReader;
use crate::error::StreamError;

/// What slices have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.3")]
pub struct Pps {
    pub id: u8,
    pub seq_parameter_set_id: u8,
    pub dependent_slice_segments_enabled: bool,
    pub output_flag_present: bool,
    pub num_extra_slice_header_bits: u8,
    pub sign_data_hiding_enabled: bool,
    pub cabac_init_present: bool,
    pub num_ref_idx_default_active_minus1: [u8; 2],
    pub init_qp_minus26: i8,
    pub constrained_intra_pred: bool,
    pub transform_skip_enabled: bool,
    pub cu_qp_delta_enabled: bool,
    pub diff_cu_qp_delta_depth: u8,
    pub cb_qp_offset: i8,
    pub cr_qp_offset: i8,
    pub slice_chroma_qp_offsets_present: bool,
    pub weighted_pred: bool,
    pub weighted_bipred: bool,
    pub transquant_bypass_enabled: bool,
    pub tiles: Option<Tiles>,
    pub entropy_coding_sync_enabled: bool,
    pub loop_filter_across_slices_enabled: bool,
    pub deblocking_filter_control_present: bool,
    pub deblocking_filter_override_enabled: bool,
    pub deblocking_filter_disabled: bool,
    pub beta_offset_div2: i8,
    pub tc_offset_div2: i8,
    /// Those that it brings.
    pub scaling_lists: Option<ScalingLists>,
    pub lists_modification_present: bool,
    pub log2_parallel_merge_level_minus2: u8,
    pub slice_segment_header_extension_present: bool,
    pub range: PpsRange,
    pub scc: PpsScc,
}

/// Into which rectangles a picture is parted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.3")]
pub struct Tiles {
    pub num_columns_minus1: u8,
    pub num_rows_minus1: u8,
    pub uniform_spacing: bool,
    /// Of all columns but the last.
    column_width_minus1: [u16; MAX_COLUMNS],
    /// Of all rows but the last.
    row_height_minus1: [u16; MAX_ROWS],
    pub loop_filter_across: bool,
}

/// The most columns and rows that a level allows (table A.8).
const MAX_COLUMNS: usize = 20;
const MAX_ROWS: usize = 22;

/// `pps_range_extension()` (7.3.2.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.3.2")]
pub struct PpsRange {
    pub log2_max_transform_skip_block_size_minus2: u8,
    pub cross_component_prediction_enabled: bool,
    pub chroma_qp_offset_list_enabled: bool,
    pub log2_sao_offset_scale_luma: u8,
    pub log2_sao_offset_scale_chroma: u8,
}

/// What slices need of `pps_scc_extension()` (7.3.2.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.3.3")]
pub struct PpsScc {
    pub curr_pic_ref_enabled: bool,
    pub residual_adaptive_colour_transform_enabled: bool,
    pub slice_act_qp_offsets_present: bool,
}

impl Pps {
    /// Reads one, of a NAL unit without its start code.
    ///
    /// # Errors
    /// What is wrong with it, at a bit of the NAL unit.
    pub fn parse(nal: &[u8]) -> Result<Self, StreamError> {
        let mut bits = BitReader::of_nal_unit(nal);
        bits.skip(16, "nal_unit_header")?;
        Self::read(&mut bits)
    }

    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let mut pps = Self::begin(bits)?;
        pps.loop_filter_across_slices_enabled =
            bits.flag("pps_loop_filter_across_slices_enabled_flag")?;
        pps.deblocking_filter_control_present =
            bits.flag("deblocking_filter_control_present_flag")?;
        if pps.deblocking_filter_control_present {
            pps.deblocking_filter_override_enabled =
                bits.flag("deblocking_filter_override_enabled_flag")?;
            pps.deblocking_filter_disabled = bits.flag("pps_deblocking_filter_disabled_flag")?;
            if !pps.deblocking_filter_disabled {
                pps.beta_offset_div2 = check::se8(bits, (-6, 6), "pps_beta_offset_div2")?;
                pps.tc_offset_div2 = check::se8(bits, (-6, 6), "pps_tc_offset_div2")?;
            }
        }
        if bits.flag("pps_scaling_list_data_present_flag")? {
            pps.scaling_lists = Some(ScalingLists::read(bits)?);
        }
        pps.lists_modification_present = bits.flag("lists_modification_present_flag")?;
        pps.log2_parallel_merge_level_minus2 =
            check::ue8(bits, 4, "log2_parallel_merge_level_minus2")?;
        pps.slice_segment_header_extension_present =
            bits.flag("slice_segment_header_extension_present_flag")?;
        if bits.flag("pps_extension_present_flag")? {
            pps.read_extensions(bits)?;
        }
        Ok(pps)
    }

    /// Up to the tiles.
    fn begin(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let id = check::ue8(bits, 63, "pps_pic_parameter_set_id")?;
        let seq_parameter_set_id = check::ue8(bits, 15, "pps_seq_parameter_set_id")?;
        let dependent_slice_segments_enabled =
            bits.flag("dependent_slice_segments_enabled_flag")?;
        let output_flag_present = bits.flag("output_flag_present_flag")?;
        let num_extra_slice_header_bits = check::u8(bits, 3, "num_extra_slice_header_bits")?;
        let sign_data_hiding_enabled = bits.flag("sign_data_hiding_enabled_flag")?;
        let cabac_init_present = bits.flag("cabac_init_present_flag")?;
        let num_ref_idx_default_active_minus1 = [
            check::ue8(bits, 14, "num_ref_idx_l0_default_active_minus1")?,
            check::ue8(bits, 14, "num_ref_idx_l1_default_active_minus1")?,
        ];
        // At the least -(26 + QpBdOffset) of 16 bits a sample.
        let init_qp_minus26 = check::se8(bits, (-74, 25), "init_qp_minus26")?;
        let constrained_intra_pred = bits.flag("constrained_intra_pred_flag")?;
        let transform_skip_enabled = bits.flag("transform_skip_enabled_flag")?;
        let cu_qp_delta_enabled = bits.flag("cu_qp_delta_enabled_flag")?;
        let mut diff_cu_qp_delta_depth = 0;
        if cu_qp_delta_enabled {
            diff_cu_qp_delta_depth = check::ue8(bits, 3, "diff_cu_qp_delta_depth")?;
        }
        let cb_qp_offset = check::se8(bits, (-12, 12), "pps_cb_qp_offset")?;
        let cr_qp_offset = check::se8(bits, (-12, 12), "pps_cr_qp_offset")?;
        let slice_chroma_qp_offsets_present =
            bits.flag("pps_slice_chroma_qp_offsets_present_flag")?;
        let weighted_pred = bits.flag("weighted_pred_flag")?;
        let weighted_bipred = bits.flag("weighted_bipred_flag")?;
        let transquant_bypass_enabled = bits.flag("transquant_bypass_enabled_flag")?;
        let tiles_enabled = bits.flag("tiles_enabled_flag")?;
        let entropy_coding_sync_enabled = bits.flag("entropy_coding_sync_enabled_flag")?;
        let tiles = if tiles_enabled {
            Some(Tiles::read(bits)?)
        } else {
            None
        };
        Ok(Self {
            id,
            seq_parameter_set_id,
            dependent_slice_segments_enabled,
            output_flag_present,
            num_extra_slice_header_bits,
            sign_data_hiding_enabled,
            cabac_init_present,
            num_ref_idx_default_active_minus1,
            init_qp_minus26,
            constrained_intra_pred,
            transform_skip_enabled,
            cu_qp_delta_enabled,
            diff_cu_qp_delta_depth,
            cb_qp_offset,
            cr_qp_offset,
            slice_chroma_qp_offsets_present,
            weighted_pred,
            weighted_bipred,
            transquant_bypass_enabled,
            tiles,
            entropy_coding_sync_enabled,
            loop_filter_across_slices_enabled: false,
            deblocking_filter_control_present: false,
            deblocking_filter_override_enabled: false,
            deblocking_filter_disabled: false,
            beta_offset_div2: 0,
            tc_offset_div2: 0,
            scaling_lists: None,
            lists_modification_present: false,
            log2_parallel_merge_level_minus2: 0,
            slice_segment_header_extension_present: false,
            range: PpsRange::default(),
            scc: PpsScc::default(),
        })
    }

    fn read_extensions(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let range = bits.flag("pps_range_extension_flag")?;
        let begin = bits.position();
        let others = bits.bits(2, "pps_multilayer_extension_flag")?;
        let scc = bits.flag("pps_scc_extension_flag")?;
        // What the last four bits announce is to be ignored.
        bits.bits(4, "pps_extension_4bits")?;
        if range {
            self.range = PpsRange::read(bits, self.transform_skip_enabled)?;
        }
        if scc {
            if others != 0 {
                let what = "pps_multilayer_extension_flag, pps_3d_extension_flag";
                return Err(check::unsupported(begin, what, others));
            }
            self.scc = PpsScc::read(bits)?;
        }
        Ok(())
    }
}

impl PpsRange {
    fn read(bits: &mut BitReader<'_>, transform_skip: bool) -> Result<Self, StreamError> {
        let mut range = Self::default();
        if transform_skip {
            let what = "log2_max_transform_skip_block_size_minus2";
            range.log2_max_transform_skip_block_size_minus2 = check::ue8(bits, 3, what)?;
        }
        range.cross_component_prediction_enabled =
            bits.flag("cross_component_prediction_enabled_flag")?;
        range.chroma_qp_offset_list_enabled = bits.flag("chroma_qp_offset_list_enabled_flag")?;
        if range.chroma_qp_offset_list_enabled {
            check::ue8(bits, 3, "diff_cu_chroma_qp_offset_depth")?;
            let count = 1 + check::ue8(bits, 5, "chroma_qp_offset_list_len_minus1")?;
            for _entry in 0..count {
                check::se8(bits, (-12, 12), "cb_qp_offset_list")?;
                check::se8(bits, (-12, 12), "cr_qp_offset_list")?;
            }
        }
        range.log2_sao_offset_scale_luma = check::ue8(bits, 6, "log2_sao_offset_scale_luma")?;
        range.log2_sao_offset_scale_chroma = check::ue8(bits, 6, "log2_sao_offset_scale_chroma")?;
        Ok(range)
    }
}

impl PpsScc {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let curr_pic_ref_enabled = bits.flag("pps_curr_pic_ref_enabled_flag")?;
        let transform = bits.flag("residual_adaptive_colour_transform_enabled_flag")?;
        Ok(Self {
            curr_pic_ref_enabled,
            residual_adaptive_colour_transform_enabled: transform,
            slice_act_qp_offsets_present: transform
                && bits.flag("pps_slice_act_qp_offsets_present_flag")?,
        })
    }
}

impl Tiles {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let mut tiles = Self {
            num_columns_minus1: check::ue8(bits, 19, "num_tile_columns_minus1")?,
            num_rows_minus1: check::ue8(bits, 21, "num_tile_rows_minus1")?,
            uniform_spacing: bits.flag("uniform_spacing_flag")?,
            ..Self::default()
        };
        if !tiles.uniform_spacing {
            let columns = usize::from(tiles.num_columns_minus1);
            for width in tiles.column_width_minus1.iter_mut().take(columns) {
                *width = check::ue16(bits, u16::MAX, "column_width_minus1")?;
            }
            let rows = usize::from(tiles.num_rows_minus1);
            for height in tiles.row_height_minus1.iter_mut().take(rows) {
                *height = check::ue16(bits, u16::MAX, "row_height_minus1")?;
            }
        }
        tiles.loop_filter_across = bits.flag("loop_filter_across_tiles_enabled_flag")?;
        Ok(tiles)
    }

    /// The width of each column in coding tree blocks (6-3), of a picture that has so many of them
    /// across; none if they do not fit into it.
    #[must_use]
    pub fn column_widths(&self, width_in_ctbs: u32) -> Option<[u32; MAX_COLUMNS]> {
        let told = &self.column_width_minus1;
        parts(
            self.num_columns_minus1,
            self.uniform_spacing,
            told,
            width_in_ctbs,
        )
    }

    /// The height of each row in coding tree blocks (6-4), of a picture that has so many of them;
    /// none if they do not fit into it.
    #[must_use]
    pub fn row_heights(&self, height_in_ctbs: u32) -> Option<[u32; MAX_ROWS]> {
        let told = &self.row_height_minus1;
        parts(
            self.num_rows_minus1,
            self.uniform_spacing,
            told,
            height_in_ctbs,
        )
    }
}

fn parts<const MAX: usize>(
    count_minus1: u8,
    uniform: bool,
    told: &[u16; MAX],
    whole: u32,
) -> Option<[u32; MAX]> {
    let mut sizes = [0; MAX];
    let count = u32::from(count_minus1) + 1;
    let mut left = whole;
    for (at, size) in (0..count).zip(&mut sizes) {
        *size = if uniform {
            (at + 1) * whole / count - at * whole / count
        } else if at + 1 == count {
            left
        } else {
            u32::from(*told.get(at as usize)?) + 1
        };
        left = left.checked_sub(*size)?;
        if *size == 0 {
            return None;
        }
    }
    Some(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_uniform_or_told_and_fit_into_the_picture() {
        let uniform = Tiles {
            num_columns_minus1: 2,
            num_rows_minus1: 1,
            uniform_spacing: true,
            ..Tiles::default()
        };
        assert_eq!(uniform.column_widths(10).unwrap()[..4], [3, 3, 4, 0]);
        assert_eq!(uniform.row_heights(5).unwrap()[..3], [2, 3, 0]);
        assert_eq!(uniform.column_widths(2), None);
        let mut told = uniform;
        told.uniform_spacing = false;
        told.column_width_minus1[..2].copy_from_slice(&[4, 0]);
        assert_eq!(told.column_widths(10).unwrap()[..4], [5, 1, 4, 0]);
        assert_eq!(told.column_widths(6), None);
    }

    #[test]
    fn a_set_that_ends_is_refused() {
        let whole = [0x44, 0x01, 0xc1, 0x73, 0xd1, 0x89];
        let pps = Pps::parse(&whole).unwrap();
        assert_eq!((pps.id, pps.seq_parameter_set_id), (0, 0));
        for len in 0..5 {
            assert!(Pps::parse(&whole[..len]).is_err(), "{len} bytes");
        }
    }
}
