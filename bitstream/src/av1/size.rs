//! Sizes of frames (5.9.5 to 5.9.9).

use crate::av1::code::not_allowed;
use crate::av1::references::{REFS_PER_FRAME, References, Slot};
use crate::av1::sequence::SequenceHeader;
use crate::bits::BitReader;
use crate::error::StreamError;

const SUPERRES_NUM: u32 = 8;
const SUPERRES_DENOM_MIN: u32 = 9;
/// How large a frame is, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct FrameSize {
    pub upscaled_width: u32,
    pub frame_width: u32,
    pub frame_height: u32,
    pub render_width: u32,
    pub render_height: u32,
    pub use_superres: bool,
    /// 8: the width is not scaled.
    pub superres_denom: u8,
}

impl FrameSize {
    /// `MiCols`: its columns of 4×4 blocks.
    #[must_use]
    pub const fn mi_cols(&self) -> u32 {
        2 * ((self.frame_width + 7) >> 3)
    }

    /// `MiRows`: its rows of 4×4 blocks.
    #[must_use]
    pub const fn mi_rows(&self) -> u32 {
        2 * ((self.frame_height + 7) >> 3)
    }

    /// `frame_size()` and `render_size()`.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
        frame_size_override: bool,
    ) -> Result<Self, StreamError> {
        let mut size = Self {
            frame_width: sequence.max_frame_width,
            frame_height: sequence.max_frame_height,
            ..Self::default()
        };
        if frame_size_override {
            let what = "frame_width_minus_1";
            let width = (sequence.frame_width_bits, sequence.max_frame_width);
            size.frame_width = length(bits, width, what)?;
            let what = "frame_height_minus_1";
            let height = (sequence.frame_height_bits, sequence.max_frame_height);
            size.frame_height = length(bits, height, what)?;
        }
        size.read_superres(bits, sequence)?;
        (size.render_width, size.render_height) = (size.upscaled_width, size.frame_height);
        if bits.flag("render_and_frame_size_different")? {
            size.render_width = bits.bits(16, "render_width_minus_1")? + 1;
            size.render_height = bits.bits(16, "render_height_minus_1")? + 1;
        }
        Ok(size)
    }

    /// `frame_size_with_refs()`.
    pub(super) fn read_with_references(
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
        references: &References,
        ref_frame_idx: &[u8; REFS_PER_FRAME],
    ) -> Result<Self, StreamError> {
        for &index in ref_frame_idx {
            if bits.flag("found_ref")? {
                let of = references.slot(index).size;
                let mut size = Self {
                    frame_width: of.upscaled_width,
                    ..of
                };
                size.read_superres(bits, sequence)?;
                return Ok(size);
            }
        }
        Self::read(bits, sequence, true)
    }

    /// `superres_params()`.
    fn read_superres(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
    ) -> Result<(), StreamError> {
        self.use_superres = sequence.enable_superres && bits.flag("use_superres")?;
        let denominator = if self.use_superres {
            bits.bits(3, "coded_denom")? + SUPERRES_DENOM_MIN
        } else {
            SUPERRES_NUM
        };
        self.superres_denom = u8::try_from(denominator).unwrap_or_default();
        self.upscaled_width = self.frame_width;
        self.frame_width = (self.upscaled_width * SUPERRES_NUM + denominator / 2) / denominator;
        Ok(())
    }

    /// Whether a frame of this size may be predicted from another (6.8.6).
    pub(super) const fn can_refer_to(&self, other: &Slot) -> bool {
        let (width, height) = (other.size.upscaled_width, other.size.frame_height);
        2 * self.frame_width >= width
            && 2 * self.frame_height >= height
            && self.frame_width <= 16 * width
            && self.frame_height <= 16 * height
    }
}

/// A width or height in so many bits, and at most so long.
fn length(
    bits: &mut BitReader<'_>,
    (count, most): (u32, u32),
    what: &'static str,
) -> Result<u32, StreamError> {
    let at = bits.position();
    let length = bits.bits(count, what)? + 1;
    if length > most {
        return Err(not_allowed(at, what, length - 1));
    }
    Ok(length)
}
