//! `pred_weight_table()` (7.3.6.3, 7.4.7.3).

use super::MAX_ACTIVE;
use crate::bits::BitReader;
use crate::error::StreamError;

use super::super::check;
use super::super::sps::Sps;

/// How references are weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.6.3")]
pub struct PredWeights {
    pub luma_log2_weight_denom: u8,
    pub delta_chroma_log2_weight_denom: i8,
    /// Of both lists.
    pub lists: [ListWeights; 2],
}

/// How the references of one list are weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.6.3")]
pub struct ListWeights {
    pub delta_luma_weight: [i8; MAX_ACTIVE],
    /// `luma_offset_lX`; beyond a byte with `high_precision_offsets_enabled_flag` only.
    pub luma_offset: [i16; MAX_ACTIVE],
    pub delta_chroma_weight: [[i8; 2]; MAX_ACTIVE],
    /// `ChromaOffsetLX` (7-56), which the stream tells by a difference; beyond a byte as above.
    pub chroma_offset: [[i16; 2]; MAX_ACTIVE],
}

impl PredWeights {
    /// Reads it, with so many pictures in each list.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        sps: &Sps,
        active: [usize; 2],
    ) -> Result<Self, StreamError> {
        let chroma = sps.chroma_array_type() != 0;
        let mut weights = Self {
            luma_log2_weight_denom: check::ue8(bits, 7, "luma_log2_weight_denom")?,
            ..Self::default()
        };
        let mut chroma_denom = 0;
        if chroma {
            let luma = weights.luma_log2_weight_denom.cast_signed();
            let what = "delta_chroma_log2_weight_denom";
            let delta = check::se8(bits, (-luma, 7 - luma), what)?;
            weights.delta_chroma_log2_weight_denom = delta;
            chroma_denom = luma + delta;
        }
        let precise = sps.range.high_precision_offsets_enabled;
        let half = |depth: u8| 1_i32 << if precise { depth - 1 } else { 7 };
        let scale = Scale {
            luma_half: half(sps.bit_depth_luma),
            chroma_half: half(sps.bit_depth_chroma),
            chroma_denom: chroma_denom.into(),
        };
        for (list, active) in weights.lists.iter_mut().zip(active) {
            list.read(bits, &scale, active, chroma)?;
        }
        Ok(weights)
    }
}

struct Scale {
    /// `WpOffsetHalfRangeY`.
    luma_half: i32,
    /// `WpOffsetHalfRangeC`.
    chroma_half: i32,
    /// `ChromaLog2WeightDenom`.
    chroma_denom: i32,
}

impl ListWeights {
    fn read(
        &mut self,
        bits: &mut BitReader<'_>,
        scale: &Scale,
        active: usize,
        chroma: bool,
    ) -> Result<(), StreamError> {
        let mut told = [(false, false); MAX_ACTIVE];
        let told = &mut told[..active.min(MAX_ACTIVE)];
        for (luma, _chroma) in told.iter_mut() {
            *luma = bits.flag("luma_weight_flag")?;
        }
        if chroma {
            for (_luma, chroma) in told.iter_mut() {
                *chroma = bits.flag("chroma_weight_flag")?;
            }
        }
        for (at, (luma, chroma)) in told.iter().enumerate() {
            if *luma {
                self.delta_luma_weight[at] = check::se8(bits, (-128, 127), "delta_luma_weight")?;
                let range = (-scale.luma_half, scale.luma_half - 1);
                let offset = check::se(bits, range, "luma_offset")?;
                self.luma_offset[at] = i16::try_from(offset).unwrap_or_default();
            }
            for of in 0..if *chroma { 2 } else { 0 } {
                let weight = check::se8(bits, (-128, 127), "delta_chroma_weight")?;
                self.delta_chroma_weight[at][of] = weight;
                let range = (-4 * scale.chroma_half, 4 * scale.chroma_half - 1);
                let delta = check::se(bits, range, "delta_chroma_offset")?;
                let offset = scale.chroma_offset(weight, delta);
                self.chroma_offset[at][of] = i16::try_from(offset).unwrap_or_default();
            }
        }
        Ok(())
    }
}

impl Scale {
    /// Formula 7-56.
    fn chroma_offset(&self, delta_weight: i8, delta_offset: i32) -> i32 {
        let half = self.chroma_half;
        let weight = (1 << self.chroma_denom) + i32::from(delta_weight);
        let offset = half + delta_offset - ((half * weight) >> self.chroma_denom);
        offset.clamp(-half, half - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn chroma_offsets_are_told_by_what_the_weight_leaves() {
        let scale = Scale {
            luma_half: 128,
            chroma_half: 128,
            chroma_denom: 6,
        };
        // A weight of one leaves nothing.
        assert_eq!(scale.chroma_offset(0, -5), -5);
        // 65/64: 128 become 130.
        assert_eq!(scale.chroma_offset(1, 0), -2);
        // A negative product is rounded down.
        assert_eq!(scale.chroma_offset(-65, 0), 127);
        assert_eq!(scale.chroma_offset(-65, -130), 0);
        assert_eq!(scale.chroma_offset(0, 511), 127);
        assert_eq!(scale.chroma_offset(0, -512), -128);
    }
}
