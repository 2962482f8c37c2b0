//! Probabilities.

use crate::boolean::BoolDecoder;

use super::{defaults, updates};

/// `coeff_probs`: by kind of block, band and context.
pub type Coefficients = [[[[u8; 11]; 3]; 8]; 4];

/// Of motion vectors: rows, then columns.
pub type Motion = [[u8; 19]; 2];

/// The probabilities with which a frame is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Entropy {
    pub coeff_probs: Coefficients,
    pub y_mode_probs: [u8; 4],
    pub uv_mode_probs: [u8; 3],
    pub mv_probs: Motion,
}

impl Default for Entropy {
    /// What a key frame begins with.
    fn default() -> Self {
        defaults::DEFAULT
    }
}

impl Entropy {
    /// Those of a key frame's modes are not like any others.
    pub(super) fn of_key_frame() -> Self {
        Self {
            y_mode_probs: defaults::KEY_FRAME_Y_MODES,
            uv_mode_probs: defaults::KEY_FRAME_UV_MODES,
            ..Self::default()
        }
    }

    /// `token_prob_update()`.
    pub(super) fn update_coefficients(&mut self, decoder: &mut BoolDecoder<'_>) {
        let likely = updates::COEFFICIENTS.as_flattened().as_flattened();
        let contexts = self.coeff_probs.as_flattened_mut().as_flattened_mut();
        for (probabilities, likely) in contexts.iter_mut().zip(likely) {
            for (probability, likely) in probabilities.iter_mut().zip(likely) {
                if decoder.bool(*likely) {
                    *probability = byte(decoder);
                }
            }
        }
    }

    /// `intra_16x16_prob` and `intra_chroma_prob`.
    pub(super) fn update_modes(&mut self, decoder: &mut BoolDecoder<'_>) {
        for probabilities in [&mut self.y_mode_probs[..], &mut self.uv_mode_probs[..]] {
            if decoder.flag() {
                probabilities.fill_with(|| byte(decoder));
            }
        }
    }

    /// `mv_prob_update()`.
    pub(super) fn update_motion(&mut self, decoder: &mut BoolDecoder<'_>) {
        let likely = updates::MOTION.as_flattened();
        let probabilities = self.mv_probs.as_flattened_mut();
        for (probability, likely) in probabilities.iter_mut().zip(likely) {
            if decoder.bool(*likely) {
                let coded = u8::try_from(decoder.literal(7)).unwrap_or(u8::MAX);
                *probability = if coded == 0 { 1 } else { coded << 1 };
            }
        }
    }
}

pub(super) fn byte(decoder: &mut BoolDecoder<'_>) -> u8 {
    u8::try_from(decoder.literal(8)).unwrap_or(u8::MAX)
}
