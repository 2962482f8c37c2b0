//! `vui_parameters()` (annex E): how pictures are meant to be seen.

use crate::bits::BitReader;
use crate::error::StreamError;

use super::super::check;

/// What of the VUI matters for decoding and for what pictures are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of E.2.1")]
pub struct Vui {
    /// `colour_primaries`, `transfer_characteristics`, `matrix_coeffs`, where they are told.
    pub colour: Option<(u8, u8, u8)>,
    pub video_full_range: bool,
    pub field_seq: bool,
    /// Pictures come with a `pic_struct`.
    pub frame_field_info_present: bool,
    /// `vui_num_units_in_tick` and `vui_time_scale`.
    pub timing: Option<(u32, u32)>,
}

impl Vui {
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        max_sub_layers_minus1: u8,
    ) -> Result<Self, StreamError> {
        let mut vui = Self::default();
        if bits.flag("aspect_ratio_info_present_flag")?
            && bits.bits(8, "aspect_ratio_idc")? == EXTENDED_SAR
        {
            bits.skip(32, "sar_width")?;
        }
        if bits.flag("overscan_info_present_flag")? {
            bits.flag("overscan_appropriate_flag")?;
        }
        if bits.flag("video_signal_type_present_flag")? {
            bits.bits(3, "video_format")?;
            vui.video_full_range = bits.flag("video_full_range_flag")?;
            if bits.flag("colour_description_present_flag")? {
                let primaries = check::u8(bits, 8, "colour_primaries")?;
                let transfer = check::u8(bits, 8, "transfer_characteristics")?;
                let matrix = check::u8(bits, 8, "matrix_coeffs")?;
                vui.colour = Some((primaries, transfer, matrix));
            }
        }
        if bits.flag("chroma_loc_info_present_flag")? {
            check::ue8(bits, 5, "chroma_sample_loc_type_top_field")?;
            check::ue8(bits, 5, "chroma_sample_loc_type_bottom_field")?;
        }
        bits.flag("neutral_chroma_indication_flag")?;
        vui.field_seq = bits.flag("field_seq_flag")?;
        vui.frame_field_info_present = bits.flag("frame_field_info_present_flag")?;
        if bits.flag("default_display_window_flag")? {
            for _side in 0..4 {
                bits.ue("def_disp_win_offset")?;
            }
        }
        if bits.flag("vui_timing_info_present_flag")? {
            let ticks = bits.bits(32, "vui_num_units_in_tick")?;
            let scale = bits.bits(32, "vui_time_scale")?;
            vui.timing = Some((ticks, scale));
            if bits.flag("vui_poc_proportional_to_timing_flag")? {
                bits.ue("vui_num_ticks_poc_diff_one_minus1")?;
            }
            if bits.flag("vui_hrd_parameters_present_flag")? {
                skip_hrd(bits, max_sub_layers_minus1)?;
            }
        }
        if bits.flag("bitstream_restriction_flag")? {
            bits.skip(3, "tiles_fixed_structure_flag")?;
            bits.ue("min_spatial_segmentation_idc")?;
            bits.ue("max_bytes_per_pic_denom")?;
            bits.ue("max_bits_per_min_cu_denom")?;
            bits.ue("log2_max_mv_length_horizontal")?;
            bits.ue("log2_max_mv_length_vertical")?;
        }
        Ok(vui)
    }
}

const EXTENDED_SAR: u32 = 255;

/// `hrd_parameters(1, …)` (E.2.2).
fn skip_hrd(bits: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<(), StreamError> {
    let nal = bits.flag("nal_hrd_parameters_present_flag")?;
    let vcl = bits.flag("vcl_hrd_parameters_present_flag")?;
    let mut sub_pictures = false;
    if nal || vcl {
        sub_pictures = bits.flag("sub_pic_hrd_params_present_flag")?;
        if sub_pictures {
            bits.skip(8 + 5 + 1 + 5, "tick_divisor_minus2")?;
        }
        bits.skip(4 + 4, "bit_rate_scale")?;
        if sub_pictures {
            bits.skip(4, "cpb_size_du_scale")?;
        }
        bits.skip(5 + 5 + 5, "initial_cpb_removal_delay_length_minus1")?;
    }
    for _sub_layer in 0..=max_sub_layers_minus1 {
        let fixed = bits.flag("fixed_pic_rate_general_flag")?
            || bits.flag("fixed_pic_rate_within_cvs_flag")?;
        let mut low_delay = false;
        if fixed {
            bits.ue("elemental_duration_in_tc_minus1")?;
        } else {
            low_delay = bits.flag("low_delay_hrd_flag")?;
        }
        let mut count = 1;
        if !low_delay {
            count += check::ue8(bits, 31, "cpb_cnt_minus1")?;
        }
        for _kind in 0..u8::from(nal) + u8::from(vcl) {
            for _buffer in 0..count {
                bits.ue("bit_rate_value_minus1")?;
                bits.ue("cpb_size_value_minus1")?;
                if sub_pictures {
                    bits.ue("cpb_size_du_value_minus1")?;
                    bits.ue("bit_rate_du_value_minus1")?;
                }
                bits.flag("cbr_flag")?;
            }
        }
    }
    Ok(())
}
