//! Segments, and what is different in each (6.2.11).

use crate::bits::BitReader;
use crate::error::StreamError;

/// How many segments a frame has at most.
pub const SEGMENTS: usize = 8;

/// How many things can be different in a segment: `SEG_LVL_ALT_Q`, `SEG_LVL_ALT_L`,
/// `SEG_LVL_REF_FRAME`, `SEG_LVL_SKIP`.
pub const FEATURES: usize = 4;

const BITS: [u32; FEATURES] = [8, 6, 2, 0];
const SIGNED: [bool; FEATURES] = [true, true, false, false];

/// `segmentation_params()`. Features, how they are meant, and probabilities are the last that were
/// coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Segmentation {
    pub enabled: bool,
    pub update_map: bool,
    pub tree_probs: [u8; 7],
    pub pred_probs: [u8; 3],
    pub temporal_update: bool,
    pub update_data: bool,
    pub abs_or_delta_update: bool,
    /// `FeatureData` where `FeatureEnabled`.
    pub features: [[Option<i16>; FEATURES]; SEGMENTS],
}

impl Segmentation {
    /// As `setup_past_independence()` leaves it.
    pub(super) fn forget(&mut self) {
        self.features = [[None; FEATURES]; SEGMENTS];
        self.abs_or_delta_update = false;
    }

    pub(super) fn read(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.update_map = false;
        self.temporal_update = false;
        self.update_data = false;
        self.enabled = bits.flag("segmentation_enabled")?;
        if !self.enabled {
            return Ok(());
        }
        self.update_map = bits.flag("segmentation_update_map")?;
        if self.update_map {
            for probability in &mut self.tree_probs {
                *probability = read_prob(bits)?;
            }
            self.temporal_update = bits.flag("segmentation_temporal_update")?;
            for probability in &mut self.pred_probs {
                *probability = if self.temporal_update {
                    read_prob(bits)?
                } else {
                    255
                };
            }
        }
        self.update_data = bits.flag("segmentation_update_data")?;
        if self.update_data {
            self.abs_or_delta_update = bits.flag("segmentation_abs_or_delta_update")?;
            for segment in &mut self.features {
                for ((feature, width), signed) in segment.iter_mut().zip(BITS).zip(SIGNED) {
                    *feature = read_feature(bits, width, signed)?;
                }
            }
        }
        Ok(())
    }
}

fn read_prob(bits: &mut BitReader<'_>) -> Result<u8, StreamError> {
    if !bits.flag("prob_coded")? {
        return Ok(255);
    }
    let prob = bits.bits(8, "prob")?;
    Ok(u8::try_from(prob).unwrap_or(u8::MAX))
}

fn read_feature(
    bits: &mut BitReader<'_>,
    width: u32,
    signed: bool,
) -> Result<Option<i16>, StreamError> {
    if !bits.flag("feature_enabled")? {
        return Ok(None);
    }
    let size = bits.bits(width, "feature_value")?;
    let size = i16::try_from(size).unwrap_or(i16::MAX);
    let negative = signed && bits.flag("feature_sign")?;
    Ok(Some(if negative { -size } else { size }))
}
