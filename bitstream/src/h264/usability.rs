//! Video usability information (annex E): what does not change how a picture is decoded.

use super::parse;
use crate::{BitReader, StreamError};

/// How the colours are meant (E.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoColour {
    /// `colour_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
}

/// `bitstream_restriction_flag`: how far pictures are out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// The most frames that come before one in decoding order and after it in output order.
    pub max_num_reorder_frames: u32,
    /// The frames that the decoded picture buffer has to hold.
    pub max_dec_frame_buffering: u32,
}

/// Of the video usability information what matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usability {
    /// `video_full_range_flag`.
    pub full_range: bool,
    /// How the colours are meant.
    pub colour: Option<VideoColour>,
    /// `num_units_in_tick` and `time_scale`: a field lasts this fraction of a second.
    pub tick: Option<(u32, u32)>,
    /// How far pictures are out of order.
    pub restriction: Option<Restriction>,
}

const EXTENDED_SAR: u8 = 255;

impl Usability {
    pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let mut this = Self::default();
        if bits.flag("aspect_ratio_info_present_flag")?
            && parse::byte(bits, 8, "aspect_ratio_idc")? == EXTENDED_SAR
        {
            bits.skip(32, "sar_width")?;
        }
        if bits.flag("overscan_info_present_flag")? {
            bits.skip(1, "overscan_appropriate_flag")?;
        }
        if bits.flag("video_signal_type_present_flag")? {
            bits.skip(3, "video_format")?;
            this.full_range = bits.flag("video_full_range_flag")?;
            if bits.flag("colour_description_present_flag")? {
                this.colour = Some(VideoColour {
                    primaries: parse::byte(bits, 8, "colour_primaries")?,
                    transfer: parse::byte(bits, 8, "transfer_characteristics")?,
                    matrix: parse::byte(bits, 8, "matrix_coefficients")?,
                });
            }
        }
        if bits.flag("chroma_loc_info_present_flag")? {
            bits.ue("chroma_sample_loc_type_top_field")?;
            bits.ue("chroma_sample_loc_type_bottom_field")?;
        }
        if bits.flag("timing_info_present_flag")? {
            let units = bits.bits(32, "num_units_in_tick")?;
            let scale = bits.bits(32, "time_scale")?;
            this.tick = Some((units, scale));
            bits.skip(1, "fixed_frame_rate_flag")?;
        }
        let nal_hrd = bits.flag("nal_hrd_parameters_present_flag")?;
        if nal_hrd {
            skip_hrd(bits)?;
        }
        let vcl_hrd = bits.flag("vcl_hrd_parameters_present_flag")?;
        if vcl_hrd {
            skip_hrd(bits)?;
        }
        if nal_hrd || vcl_hrd {
            bits.skip(1, "low_delay_hrd_flag")?;
        }
        bits.skip(1, "pic_struct_present_flag")?;
        if bits.flag("bitstream_restriction_flag")? {
            bits.skip(1, "motion_vectors_over_pic_boundaries_flag")?;
            bits.ue("max_bytes_per_pic_denom")?;
            bits.ue("max_bits_per_mb_denom")?;
            bits.ue("log2_max_mv_length_horizontal")?;
            bits.ue("log2_max_mv_length_vertical")?;
            this.restriction = Some(Restriction {
                max_num_reorder_frames: bits.ue("max_num_reorder_frames")?,
                max_dec_frame_buffering: bits.ue("max_dec_frame_buffering")?,
            });
        }
        Ok(this)
    }
}

/// `hrd_parameters()` (E.1.2).
fn skip_hrd(bits: &mut BitReader<'_>) -> Result<(), StreamError> {
    let last: u32 = parse::ue(bits, 31, "cpb_cnt_minus1")?;
    bits.skip(8, "bit_rate_scale")?;
    for _at in 0..=last {
        bits.ue("bit_rate_value_minus1")?;
        bits.ue("cpb_size_value_minus1")?;
        bits.skip(1, "cbr_flag")?;
    }
    bits.skip(20, "initial_cpb_removal_delay_length_minus1")
}
