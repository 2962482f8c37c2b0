//! Sequence headers (5.5).

mod color;

pub use color::ColorConfig;

use crate::av1::code::{f8, not_allowed, uvlc};
use crate::bits::BitReader;
use crate::error::StreamError;

/// What a sequence header says (5.5.1). Two are equal where they are of one coded video sequence:
/// what may differ within one, `operating_parameters_info`, is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct SequenceHeader {
    pub seq_profile: u8,
    pub still_picture: bool,
    pub reduced_still_picture_header: bool,
    pub equal_picture_interval: bool,
    /// What decoder models need, where there are any.
    pub decoder_model: Option<DecoderModel>,
    operating_points: [OperatingPoint; MAX_OPERATING_POINTS],
    operating_points_count: usize,
    pub frame_width_bits: u32,
    pub frame_height_bits: u32,
    pub max_frame_width: u32,
    pub max_frame_height: u32,
    /// How frames are numbered, where they are.
    pub frame_ids: Option<FrameIds>,
    pub use_128x128_superblock: bool,
    pub enable_filter_intra: bool,
    pub enable_intra_edge_filter: bool,
    pub enable_interintra_compound: bool,
    pub enable_masked_compound: bool,
    pub enable_warped_motion: bool,
    pub enable_dual_filter: bool,
    pub enable_jnt_comp: bool,
    pub enable_ref_frame_mvs: bool,
    /// `None`: each frame says so.
    pub seq_force_screen_content_tools: Option<bool>,
    /// `None`: each frame says so.
    pub seq_force_integer_mv: Option<bool>,
    /// 0 where there are no order hints.
    pub order_hint_bits: u32,
    pub enable_superres: bool,
    pub enable_cdef: bool,
    pub enable_restoration: bool,
    pub color_config: ColorConfig,
    pub film_grain_params_present: bool,
}

/// The most operating points of a sequence.
const MAX_OPERATING_POINTS: usize = 32;

/// What decoder models need to be read over (5.5.4), as lengths in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct DecoderModel {
    pub buffer_removal_time_length: u32,
    pub frame_presentation_time_length: u32,
}

/// A choice of layers (5.5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperatingPoint {
    /// Bit `t`: temporal layer `t` belongs to it; bit `8 + s`: spatial layer `s`. 0: there are no layers.
    pub idc: u16,
    /// Frames say when they leave the decoder model's buffer.
    pub decoder_model_present: bool,
}

/// How long the numbers of frames are, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameIds {
    /// `delta_frame_id_length_minus_2 + 2`.
    pub delta_length: u32,
    /// `idLen`.
    pub length: u32,
}

impl OperatingPoint {
    /// Whether a layer belongs to it.
    #[must_use]
    pub const fn contains(self, temporal_id: u8, spatial_id: u8) -> bool {
        self.idc == 0
            || self.idc.unbounded_shr(temporal_id as u32) & 1 == 1
                && self.idc.unbounded_shr(spatial_id as u32 + 8) & 1 == 1
    }

    /// It has more than one spatial layer, of which only the highest is to be seen.
    #[must_use]
    pub const fn is_spatial(self) -> bool {
        self.idc >> 9 != 0
    }
}

impl SequenceHeader {
    /// Reads the payload of a sequence header OBU (`sequence_header_obu()`, 5.5.1).
    ///
    /// # Errors
    /// What it says that it must not.
    pub fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let profile_at = bits.position();
        let seq_profile = f8(bits, 3, "seq_profile")?;
        if seq_profile > 2 {
            return Err(not_allowed(profile_at, "seq_profile", seq_profile));
        }
        let still_picture = bits.flag("still_picture")?;
        let reduced_at = bits.position();
        let reduced = bits.flag("reduced_still_picture_header")?;
        if reduced && !still_picture {
            return Err(not_allowed(reduced_at, "reduced_still_picture_header", 1));
        }
        let mut header = Self::empty(seq_profile);
        header.still_picture = still_picture;
        header.reduced_still_picture_header = reduced;
        if reduced {
            bits.skip(5, "seq_level_idx")?;
        } else {
            header.read_operating_points(bits)?;
        }
        header.frame_width_bits = bits.bits(4, "frame_width_bits_minus_1")? + 1;
        header.frame_height_bits = bits.bits(4, "frame_height_bits_minus_1")? + 1;
        header.max_frame_width = bits.bits(header.frame_width_bits, "max_frame_width_minus_1")? + 1;
        header.max_frame_height =
            bits.bits(header.frame_height_bits, "max_frame_height_minus_1")? + 1;
        if !reduced && bits.flag("frame_id_numbers_present_flag")? {
            header.frame_ids = Some(FrameIds::read(bits)?);
        }
        header.use_128x128_superblock = bits.flag("use_128x128_superblock")?;
        header.enable_filter_intra = bits.flag("enable_filter_intra")?;
        header.enable_intra_edge_filter = bits.flag("enable_intra_edge_filter")?;
        if !reduced {
            header.read_inter_tools(bits)?;
        }
        header.enable_superres = bits.flag("enable_superres")?;
        header.enable_cdef = bits.flag("enable_cdef")?;
        header.enable_restoration = bits.flag("enable_restoration")?;
        header.color_config = ColorConfig::read(bits, seq_profile)?;
        header.film_grain_params_present = bits.flag("film_grain_params_present")?;
        Ok(header)
    }

    /// The operating points, the preferred first.
    #[must_use]
    pub fn operating_points(&self) -> &[OperatingPoint] {
        self.operating_points
            .get(..self.operating_points_count)
            .unwrap_or_default()
    }

    /// The operating point that is preferred, `choose_operating_point()` being 0 here.
    #[must_use]
    pub const fn operating_point(&self) -> OperatingPoint {
        self.operating_points[0]
    }

    /// `get_relative_dist( a, b )` (5.9.3).
    #[must_use]
    pub const fn relative_distance(&self, a: u8, b: u8) -> i32 {
        if self.order_hint_bits == 0 {
            return 0;
        }
        let difference = a as i32 - b as i32;
        let sign = 1_i32.unbounded_shl(self.order_hint_bits - 1);
        (difference & (sign - 1)) - (difference & sign)
    }

    const fn empty(seq_profile: u8) -> Self {
        Self {
            seq_profile,
            still_picture: false,
            reduced_still_picture_header: false,
            equal_picture_interval: false,
            decoder_model: None,
            operating_points: [OperatingPoint {
                idc: 0,
                decoder_model_present: false,
            }; MAX_OPERATING_POINTS],
            operating_points_count: 1,
            frame_width_bits: 1,
            frame_height_bits: 1,
            max_frame_width: 1,
            max_frame_height: 1,
            frame_ids: None,
            use_128x128_superblock: false,
            enable_filter_intra: false,
            enable_intra_edge_filter: false,
            enable_interintra_compound: false,
            enable_masked_compound: false,
            enable_warped_motion: false,
            enable_dual_filter: false,
            enable_jnt_comp: false,
            enable_ref_frame_mvs: false,
            seq_force_screen_content_tools: None,
            seq_force_integer_mv: None,
            order_hint_bits: 0,
            enable_superres: false,
            enable_cdef: false,
            enable_restoration: false,
            color_config: ColorConfig::UNSPECIFIED,
            film_grain_params_present: false,
        }
    }

    /// From `timing_info_present_flag` to the last operating point.
    fn read_operating_points(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let mut buffer_delay_length = 0;
        if bits.flag("timing_info_present_flag")? {
            bits.skip(32, "num_units_in_display_tick")?;
            bits.skip(32, "time_scale")?;
            self.equal_picture_interval = bits.flag("equal_picture_interval")?;
            if self.equal_picture_interval {
                uvlc(bits, "num_ticks_per_picture_minus_1")?;
            }
            if bits.flag("decoder_model_info_present_flag")? {
                buffer_delay_length = bits.bits(5, "buffer_delay_length_minus_1")? + 1;
                bits.skip(32, "num_units_in_decoding_tick")?;
                let removal = bits.bits(5, "buffer_removal_time_length_minus_1")? + 1;
                let presentation = bits.bits(5, "frame_presentation_time_length_minus_1")? + 1;
                self.decoder_model = Some(DecoderModel {
                    buffer_removal_time_length: removal,
                    frame_presentation_time_length: presentation,
                });
            }
        }
        let delays = bits.flag("initial_display_delay_present_flag")?;
        let count = usize::from(f8(bits, 5, "operating_points_cnt_minus_1")?) + 1;
        self.operating_points_count = count;
        for point in self.operating_points.iter_mut().take(count) {
            let idc = bits.bits(12, "operating_point_idc")?;
            point.idc = u16::try_from(idc).unwrap_or_default();
            if bits.bits(5, "seq_level_idx")? > 7 {
                bits.skip(1, "seq_tier")?;
            }
            if self.decoder_model.is_some() {
                point.decoder_model_present = bits.flag("decoder_model_present_for_this_op")?;
                if point.decoder_model_present {
                    bits.skip(buffer_delay_length, "decoder_buffer_delay")?;
                    bits.skip(buffer_delay_length, "encoder_buffer_delay")?;
                    bits.skip(1, "low_delay_mode_flag")?;
                }
            }
            if delays && bits.flag("initial_display_delay_present_for_this_op")? {
                bits.skip(4, "initial_display_delay_minus_1")?;
            }
        }
        Ok(())
    }

    /// From `enable_interintra_compound` to `order_hint_bits_minus_1`.
    fn read_inter_tools(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.enable_interintra_compound = bits.flag("enable_interintra_compound")?;
        self.enable_masked_compound = bits.flag("enable_masked_compound")?;
        self.enable_warped_motion = bits.flag("enable_warped_motion")?;
        self.enable_dual_filter = bits.flag("enable_dual_filter")?;
        let enable_order_hint = bits.flag("enable_order_hint")?;
        if enable_order_hint {
            self.enable_jnt_comp = bits.flag("enable_jnt_comp")?;
            self.enable_ref_frame_mvs = bits.flag("enable_ref_frame_mvs")?;
        }
        self.seq_force_screen_content_tools = if bits.flag("seq_choose_screen_content_tools")? {
            None
        } else {
            Some(bits.flag("seq_force_screen_content_tools")?)
        };
        let screen_content = self.seq_force_screen_content_tools != Some(false);
        self.seq_force_integer_mv = if screen_content && !bits.flag("seq_choose_integer_mv")? {
            Some(bits.flag("seq_force_integer_mv")?)
        } else {
            None
        };
        if enable_order_hint {
            self.order_hint_bits = bits.bits(3, "order_hint_bits_minus_1")? + 1;
        }
        Ok(())
    }
}

impl FrameIds {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let delta_length = bits.bits(4, "delta_frame_id_length_minus_2")? + 2;
        let at = bits.position();
        let additional = f8(bits, 3, "additional_frame_id_length_minus_1")?;
        let length = delta_length + u32::from(additional) + 1;
        if length > 16 {
            let what = "additional_frame_id_length_minus_1";
            return Err(not_allowed(at, what, additional));
        }
        Ok(Self {
            delta_length,
            length,
        })
    }
}
