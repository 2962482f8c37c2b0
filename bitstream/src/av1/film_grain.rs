//! Grain that is laid over the picture (5.9.30).

use crate::av1::code::{f8, f16, not_allowed};
use crate::av1::frame::FrameType;
use crate::av1::references::{REFS_PER_FRAME, References};
use crate::av1::sequence::SequenceHeader;
use crate::bits::BitReader;
use crate::error::StreamError;

/// `film_grain_params()`. What a frame takes over from another is taken over whole, but for the
/// seed (6.8.20, `load_grain_params`): also whether there is grain at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct FilmGrain {
    pub apply_grain: bool,
    pub grain_seed: u16,
    pub update_grain: bool,
    pub film_grain_params_ref_idx: u8,
    pub y: ScalingFunction,
    pub chroma_scaling_from_luma: bool,
    pub cb: ScalingFunction,
    pub cr: ScalingFunction,
    pub grain_scaling_minus_8: u8,
    pub ar_coeff_lag: u8,
    pub ar_coeffs_y_plus_128: [u8; 24],
    pub ar_coeffs_cb_plus_128: [u8; 25],
    pub ar_coeffs_cr_plus_128: [u8; 25],
    pub ar_coeff_shift_minus_6: u8,
    pub grain_scale_shift: u8,
    pub cb_mult: u8,
    pub cb_luma_mult: u8,
    pub cb_offset: u16,
    pub cr_mult: u8,
    pub cr_luma_mult: u8,
    pub cr_offset: u16,
    pub overlap_flag: bool,
    pub clip_to_restricted_range: bool,
}

/// How much grain a plane gets, by its brightness: `num_*_points`, `point_*_value`, `point_*_scaling`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct ScalingFunction {
    pub points: u8,
    pub value: [u8; 14],
    pub scaling: [u8; 14],
}

/// The frame whose grain is read.
pub(super) struct Of<'r> {
    pub(super) frame_type: FrameType,
    pub(super) ref_frame_idx: &'r [u8; REFS_PER_FRAME],
    pub(super) references: &'r References,
}

impl FilmGrain {
    /// Of a frame that may have it.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
        of: &Of<'_>,
    ) -> Result<Self, StreamError> {
        if !bits.flag("apply_grain")? {
            return Ok(Self::default());
        }
        let grain_seed = f16(bits, 16, "grain_seed")?;
        if of.frame_type == FrameType::Inter && !bits.flag("update_grain")? {
            let at = bits.position();
            let from = f8(bits, 3, "film_grain_params_ref_idx")?;
            if !of.ref_frame_idx.contains(&from) {
                return Err(not_allowed(at, "film_grain_params_ref_idx", from));
            }
            return Ok(Self {
                grain_seed,
                ..of.references.slot(from).film_grain
            });
        }
        let mut read = Self {
            apply_grain: true,
            grain_seed,
            update_grain: true,
            ..Self::default()
        };
        read.read_points(bits, sequence)?;
        read.grain_scaling_minus_8 = f8(bits, 2, "grain_scaling_minus_8")?;
        read.read_coefficients(bits)?;
        read.ar_coeff_shift_minus_6 = f8(bits, 2, "ar_coeff_shift_minus_6")?;
        read.grain_scale_shift = f8(bits, 2, "grain_scale_shift")?;
        if read.cb.points > 0 {
            read.cb_mult = f8(bits, 8, "cb_mult")?;
            read.cb_luma_mult = f8(bits, 8, "cb_luma_mult")?;
            read.cb_offset = f16(bits, 9, "cb_offset")?;
        }
        if read.cr.points > 0 {
            read.cr_mult = f8(bits, 8, "cr_mult")?;
            read.cr_luma_mult = f8(bits, 8, "cr_luma_mult")?;
            read.cr_offset = f16(bits, 9, "cr_offset")?;
        }
        read.overlap_flag = bits.flag("overlap_flag")?;
        read.clip_to_restricted_range = bits.flag("clip_to_restricted_range")?;
        Ok(read)
    }

    fn read_points(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
    ) -> Result<(), StreamError> {
        let color = &sequence.color_config;
        let halved = color.subsampling_x && color.subsampling_y;
        self.y = ScalingFunction::read(bits, 14, "num_y_points", "point_y_value")?;
        self.chroma_scaling_from_luma =
            !color.mono_chrome && bits.flag("chroma_scaling_from_luma")?;
        if color.mono_chrome || self.chroma_scaling_from_luma || halved && self.y.points == 0 {
            return Ok(());
        }
        self.cb = ScalingFunction::read(bits, 10, "num_cb_points", "point_cb_value")?;
        let at = bits.position();
        self.cr = ScalingFunction::read(bits, 10, "num_cr_points", "point_cr_value")?;
        if halved && (self.cb.points == 0) != (self.cr.points == 0) {
            return Err(not_allowed(at, "num_cr_points", self.cr.points));
        }
        Ok(())
    }

    fn read_coefficients(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let lag = f8(bits, 2, "ar_coeff_lag")?;
        self.ar_coeff_lag = lag;
        let luma = usize::from(2 * lag * (lag + 1));
        let has_luma = self.y.points > 0;
        if has_luma {
            let coefficients = self.ar_coeffs_y_plus_128.iter_mut().take(luma);
            for coefficient in coefficients {
                *coefficient = f8(bits, 8, "ar_coeffs_y_plus_128")?;
            }
        }
        let chroma = luma + usize::from(has_luma);
        let from_luma = self.chroma_scaling_from_luma;
        if from_luma || self.cb.points > 0 {
            for coefficient in self.ar_coeffs_cb_plus_128.iter_mut().take(chroma) {
                *coefficient = f8(bits, 8, "ar_coeffs_cb_plus_128")?;
            }
        }
        if from_luma || self.cr.points > 0 {
            for coefficient in self.ar_coeffs_cr_plus_128.iter_mut().take(chroma) {
                *coefficient = f8(bits, 8, "ar_coeffs_cr_plus_128")?;
            }
        }
        Ok(())
    }
}

impl ScalingFunction {
    fn read(
        bits: &mut BitReader<'_>,
        most: u8,
        points: &'static str,
        value: &'static str,
    ) -> Result<Self, StreamError> {
        let at = bits.position();
        let mut read = Self {
            points: f8(bits, 4, points)?,
            ..Self::default()
        };
        if read.points > most {
            return Err(not_allowed(at, points, read.points));
        }
        let mut before = None;
        let both = read.value.iter_mut().zip(&mut read.scaling);
        for (place, scaling) in both.take(usize::from(read.points)) {
            let at = bits.position();
            *place = f8(bits, 8, value)?;
            if before.is_some_and(|before| *place <= before) {
                return Err(not_allowed(at, value, *place));
            }
            before = Some(*place);
            *scaling = f8(bits, 8, "point_scaling")?;
        }
        Ok(read)
    }
}
