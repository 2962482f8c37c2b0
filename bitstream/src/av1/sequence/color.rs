//! How samples are to be understood (5.5.2).

use crate::av1::code::{f8, not_allowed};
use crate::bits::BitReader;
use crate::error::StreamError;

/// `color_config()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct ColorConfig {
    pub bit_depth: u8,
    pub mono_chrome: bool,
    pub color_primaries: u8,
    pub transfer_characteristics: u8,
    pub matrix_coefficients: u8,
    pub color_range: bool,
    pub subsampling_x: bool,
    pub subsampling_y: bool,
    pub chroma_sample_position: u8,
    pub separate_uv_delta_q: bool,
}

impl ColorConfig {
    /// Of 8 bits and 4:2:0, without a word about colours.
    pub(super) const UNSPECIFIED: Self = Self {
        bit_depth: 8,
        mono_chrome: false,
        color_primaries: 2,
        transfer_characteristics: 2,
        matrix_coefficients: 2,
        color_range: false,
        subsampling_x: true,
        subsampling_y: true,
        chroma_sample_position: 0,
        separate_uv_delta_q: false,
    };

    /// 1 for monochrome, 3 otherwise.
    #[must_use]
    pub const fn num_planes(&self) -> usize {
        if self.mono_chrome { 1 } else { 3 }
    }

    /// `color_config()` (5.5.2).
    pub(super) fn read(bits: &mut BitReader<'_>, seq_profile: u8) -> Result<Self, StreamError> {
        const CP_BT_709: u8 = 1;
        const TC_SRGB: u8 = 13;
        const MC_IDENTITY: u8 = 0;
        let high = bits.flag("high_bitdepth")?;
        let twelve = seq_profile == 2 && high && bits.flag("twelve_bit")?;
        let bit_depth = match (high, twelve) {
            (_, true) => 12,
            (true, false) => 10,
            (false, false) => 8,
        };
        let mono_chrome = seq_profile != 1 && bits.flag("mono_chrome")?;
        let mut color = Self {
            bit_depth,
            mono_chrome,
            ..Self::UNSPECIFIED
        };
        if bits.flag("color_description_present_flag")? {
            color.color_primaries = f8(bits, 8, "color_primaries")?;
            color.transfer_characteristics = f8(bits, 8, "transfer_characteristics")?;
            color.matrix_coefficients = f8(bits, 8, "matrix_coefficients")?;
        }
        if mono_chrome {
            color.color_range = bits.flag("color_range")?;
            return Ok(color);
        }
        let matrix_at = bits.position();
        if color.color_primaries == CP_BT_709
            && color.transfer_characteristics == TC_SRGB
            && color.matrix_coefficients == MC_IDENTITY
        {
            color.color_range = true;
            (color.subsampling_x, color.subsampling_y) = (false, false);
        } else {
            color.color_range = bits.flag("color_range")?;
            (color.subsampling_x, color.subsampling_y) = match seq_profile {
                0 => (true, true),
                1 => (false, false),
                _ if bit_depth == 12 => {
                    let x = bits.flag("subsampling_x")?;
                    (x, x && bits.flag("subsampling_y")?)
                }
                _ => (true, false),
            };
            if color.subsampling_x && color.subsampling_y {
                color.chroma_sample_position = f8(bits, 2, "chroma_sample_position")?;
            }
        }
        // 6.4.2 has the matrix for samples of all colours only, and A.2 these for two profiles.
        let full = !color.subsampling_x;
        let full_allowed = seq_profile == 1 || seq_profile == 2 && bit_depth == 12;
        if color.matrix_coefficients == MC_IDENTITY && !full || full && !full_allowed {
            let what = "matrix_coefficients";
            return Err(not_allowed(matrix_at, what, color.matrix_coefficients));
        }
        color.separate_uv_delta_q = bits.flag("separate_uv_delta_q")?;
        Ok(color)
    }
}
