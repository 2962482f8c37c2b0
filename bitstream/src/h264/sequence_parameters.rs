//! Sequence parameter sets (7.3.2.1.1).

use super::{Few, ScalingLists, Usability, parse};
use crate::{BitReader, StreamError, Trouble};

/// How pictures are numbered in output order (8.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureOrder {
    /// Each slice header has the low bits of its picture's number.
    Lsb {
        /// How many bits, 4 to 16.
        bits: u32,
    },
    /// Numbers follow a cycle of reference frames.
    Cycle {
        /// `delta_pic_order_always_zero_flag`.
        delta_always_zero: bool,
        /// `offset_for_non_ref_pic`.
        offset_for_non_ref_pic: i32,
        /// `offset_for_top_to_bottom_field`.
        offset_for_top_to_bottom_field: i32,
    },
    /// As they are decoded.
    Decoding,
}

/// What is cut off from a coded picture, in pixels of luma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crop {
    /// Columns on the left.
    pub left: u32,
    /// Columns on the right.
    pub right: u32,
    /// Rows at the top.
    pub top: u32,
    /// Rows at the bottom.
    pub bottom: u32,
}

/// A sequence parameter set. Fields that its profile leaves out have the values that 7.4.2.1.1
/// infers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields have the names of the standard")]
pub struct SequenceParameters {
    pub profile_idc: u8,
    /// `constraint_set0_flag` is the lowest bit.
    pub constraint_set_flags: u8,
    pub level_idc: u8,
    pub seq_parameter_set_id: u8,
    pub chroma_format_idc: u8,
    pub separate_colour_plane: bool,
    pub bit_depth_luma_minus8: u8,
    pub bit_depth_chroma_minus8: u8,
    pub qpprime_y_zero_transform_bypass: bool,
    /// `seq_scaling_matrix_present_flag`, and what it is.
    pub scaling: Option<Box<ScalingLists>>,
    /// 4 to 16.
    pub log2_max_frame_num: u32,
    pub picture_order: PictureOrder,
    /// `offset_for_ref_frame`.
    pub cycle: Few<i32, 255>,
    pub max_num_ref_frames: u8,
    pub gaps_in_frame_num_value_allowed: bool,
    pub pic_width_in_mbs: u32,
    pub pic_height_in_map_units: u32,
    pub frame_mbs_only: bool,
    pub mb_adaptive_frame_field: bool,
    pub direct_8x8_inference: bool,
    pub crop: Crop,
    pub usability: Option<Usability>,
}

/// More columns or rows of macroblocks than any level allows: 8 times the square root of the
/// largest `MaxFS` (A.3.1).
const MOST_MBS: u32 = 1056;

impl SequenceParameters {
    /// Reads a NAL unit, without its start code.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn read(unit: &[u8]) -> Result<Self, StreamError> {
        let mut bits = BitReader::of_nal_unit(unit);
        let bits = &mut bits;
        bits.skip(8, "nal_unit_header")?;
        let profile_idc = parse::byte(bits, 8, "profile_idc")?;
        let flags = parse::byte(bits, 8, "constraint_set_flags")?;
        let level_idc = parse::byte(bits, 8, "level_idc")?;
        let seq_parameter_set_id = parse::ue(bits, 31, "seq_parameter_set_id")?;
        let mut this = Self {
            profile_idc,
            constraint_set_flags: flags.reverse_bits() & 0x3f,
            level_idc,
            seq_parameter_set_id,
            ..Self::unwritten()
        };
        if has_chroma_format(profile_idc) {
            this.read_samples(bits)?;
        }
        this.log2_max_frame_num = 4 + parse::ue::<u32>(bits, 12, "log2_max_frame_num_minus4")?;
        this.read_picture_order(bits)?;
        this.max_num_ref_frames = parse::ue(bits, 16, "max_num_ref_frames")?;
        this.gaps_in_frame_num_value_allowed = bits.flag("gaps_in_frame_num_value_allowed_flag")?;
        this.pic_width_in_mbs =
            1 + parse::ue::<u32>(bits, MOST_MBS - 1, "pic_width_in_mbs_minus1")?;
        this.pic_height_in_map_units =
            1 + parse::ue::<u32>(bits, MOST_MBS - 1, "pic_height_in_map_units_minus1")?;
        this.frame_mbs_only = bits.flag("frame_mbs_only_flag")?;
        if !this.frame_mbs_only {
            this.mb_adaptive_frame_field = bits.flag("mb_adaptive_frame_field_flag")?;
        }
        this.direct_8x8_inference = bits.flag("direct_8x8_inference_flag")?;
        if bits.flag("frame_cropping_flag")? {
            this.read_crop(bits)?;
        }
        if bits.flag("vui_parameters_present_flag")? {
            this.usability = match Usability::read(bits) {
                Ok(usability) => Some(usability),
                // Encoders are known that end it early. Pictures decode without it.
                Err(error) if error.trouble == Trouble::Ends => None,
                Err(error) => return Err(error),
            };
        }
        Ok(this)
    }

    /// What is inferred.
    fn unwritten() -> Self {
        Self {
            profile_idc: 0,
            constraint_set_flags: 0,
            level_idc: 0,
            seq_parameter_set_id: 0,
            chroma_format_idc: 1,
            separate_colour_plane: false,
            bit_depth_luma_minus8: 0,
            bit_depth_chroma_minus8: 0,
            qpprime_y_zero_transform_bypass: false,
            scaling: None,
            log2_max_frame_num: 4,
            picture_order: PictureOrder::Decoding,
            cycle: Few::default(),
            max_num_ref_frames: 0,
            gaps_in_frame_num_value_allowed: false,
            pic_width_in_mbs: 1,
            pic_height_in_map_units: 1,
            frame_mbs_only: true,
            mb_adaptive_frame_field: false,
            direct_8x8_inference: false,
            crop: Crop::default(),
            usability: None,
        }
    }

    fn read_samples(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.chroma_format_idc = parse::ue(bits, 3, "chroma_format_idc")?;
        if self.chroma_format_idc == 3 {
            self.separate_colour_plane = bits.flag("separate_colour_plane_flag")?;
        }
        self.bit_depth_luma_minus8 = parse::ue(bits, 6, "bit_depth_luma_minus8")?;
        self.bit_depth_chroma_minus8 = parse::ue(bits, 6, "bit_depth_chroma_minus8")?;
        self.qpprime_y_zero_transform_bypass = bits.flag("qpprime_y_zero_transform_bypass_flag")?;
        if bits.flag("seq_scaling_matrix_present_flag")? {
            let count_8x8 = if self.chroma_format_idc == 3 { 6 } else { 2 };
            let lists = ScalingLists::read(bits, count_8x8, &ScalingLists::DEFAULT)?;
            self.scaling = Some(Box::new(lists));
        }
        Ok(())
    }

    fn read_picture_order(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.picture_order = match parse::ue(bits, 2, "pic_order_cnt_type")? {
            0_u8 => PictureOrder::Lsb {
                bits: 4 + parse::ue::<u32>(bits, 12, "log2_max_pic_order_cnt_lsb_minus4")?,
            },
            1 => {
                let delta_always_zero = bits.flag("delta_pic_order_always_zero_flag")?;
                let offset_for_non_ref_pic = bits.se("offset_for_non_ref_pic")?;
                let offset_for_top_to_bottom_field = bits.se("offset_for_top_to_bottom_field")?;
                let what = "num_ref_frames_in_pic_order_cnt_cycle";
                let count: u32 = parse::ue(bits, 255, what)?;
                let mut filled = true;
                for _at in 0..count {
                    filled &= self.cycle.push(bits.se("offset_for_ref_frame")?);
                }
                debug_assert!(filled, "255 fit");
                PictureOrder::Cycle {
                    delta_always_zero,
                    offset_for_non_ref_pic,
                    offset_for_top_to_bottom_field,
                }
            }
            _ => PictureOrder::Decoding,
        };
        Ok(())
    }

    fn read_crop(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let at = bits.position();
        let mut edges = [0; 4];
        for edge in &mut edges {
            *edge = bits.ue("frame_crop_offset")?;
        }
        let (across, down) = match self.chroma_array_type() {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let down = if self.frame_mbs_only { down } else { 2 * down };
        let [left, right, top, bottom] = edges;
        let crop = Crop {
            left: across * left.min(self.width()),
            right: across * right.min(self.width()),
            top: down * top.min(self.height()),
            bottom: down * bottom.min(self.height()),
        };
        let wide = crop.left + crop.right < self.width();
        if !wide || crop.top + crop.bottom >= self.height() {
            let edge = if wide { top } else { left };
            return parse::not_allowed(at, "frame_crop_offset", edge);
        }
        self.crop = crop;
        Ok(())
    }

    /// `ChromaArrayType`: 0 also where the colours are coded as pictures of their own.
    #[must_use]
    pub const fn chroma_array_type(&self) -> u8 {
        if self.separate_colour_plane {
            0
        } else {
            self.chroma_format_idc
        }
    }

    /// `FrameHeightInMbs`.
    #[must_use]
    pub const fn frame_height_in_mbs(&self) -> u32 {
        if self.frame_mbs_only {
            self.pic_height_in_map_units
        } else {
            2 * self.pic_height_in_map_units
        }
    }

    /// Pixels in a coded row.
    #[must_use]
    pub const fn width(&self) -> u32 {
        16 * self.pic_width_in_mbs
    }

    /// Coded rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        16 * self.frame_height_in_mbs()
    }

    /// `MaxFrameNum`.
    #[must_use]
    pub const fn max_frame_num(&self) -> u32 {
        1 << self.log2_max_frame_num
    }
}

/// Whether a profile's parameter sets say how samples are (7.3.2.1.1).
const fn has_chroma_format(profile_idc: u8) -> bool {
    matches!(
        profile_idc,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    )
}
