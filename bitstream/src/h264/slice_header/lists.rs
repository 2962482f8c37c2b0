//! What slice headers say of reference lists (7.3.3.1, 7.3.3.2).

use crate::h264::{Few, parse};
use crate::{BitReader, StreamError};

/// One step of changing a reference list (8.2.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modification {
    /// The picture number is so much smaller than the one before: `abs_diff_pic_num_minus1 + 1`.
    Less(u32),
    /// It is so much larger.
    More(u32),
    /// `long_term_pic_num`.
    LongTerm(u32),
}

impl Default for Modification {
    fn default() -> Self {
        Self::LongTerm(0)
    }
}

pub(super) fn read_modifications<const MOST: usize>(
    bits: &mut BitReader<'_>,
    list: &mut Few<Modification, MOST>,
) -> Result<(), StreamError> {
    if !bits.flag("ref_pic_list_modification_flag")? {
        return Ok(());
    }
    loop {
        let at = bits.position();
        let what = "modification_of_pic_nums_idc";
        let kind: u8 = parse::ue(bits, 3, what)?;
        let one = match kind {
            0 => Modification::Less(1 + read_difference(bits)?),
            1 => Modification::More(1 + read_difference(bits)?),
            2 => Modification::LongTerm(bits.ue("long_term_pic_num")?),
            _ => return Ok(()),
        };
        if !list.push(one) {
            // More than there are entries in the longest list.
            return parse::not_allowed(at, what, kind);
        }
    }
}

fn read_difference(bits: &mut BitReader<'_>) -> Result<u32, StreamError> {
    // MaxPicNum - 1 at most.
    parse::ue(bits, 0x1_ffff, "abs_diff_pic_num_minus1")
}

/// What a prediction from a reference is multiplied by, and what is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields have the names of the standard")]
pub struct Weight {
    pub luma_weight: i16,
    pub luma_offset: i16,
    /// Of Cb and Cr.
    pub chroma_weight: [i16; 2],
    pub chroma_offset: [i16; 2],
}

/// `pred_weight_table()`. What the table leaves out is as 7.4.3.2 infers; of references that the
/// slice does not have, and of colours that the picture does not have, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields have the names of the standard")]
pub struct PredictionWeights {
    pub luma_log2_weight_denom: u8,
    pub chroma_log2_weight_denom: u8,
    /// Of list 0 and list 1.
    pub weights: [[Weight; 32]; 2],
}

impl PredictionWeights {
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        last_of_lists: &[u8],
        has_chroma: bool,
    ) -> Result<Self, StreamError> {
        let luma = parse::ue(bits, 7, "luma_log2_weight_denom")?;
        let chroma = if has_chroma {
            parse::ue(bits, 7, "chroma_log2_weight_denom")?
        } else {
            0
        };
        let mut this = Self {
            luma_log2_weight_denom: luma,
            chroma_log2_weight_denom: chroma,
            weights: [[Weight::default(); 32]; 2],
        };
        for (list, last) in this.weights.iter_mut().zip(last_of_lists) {
            for weight in list.iter_mut().take(usize::from(*last) + 1) {
                weight.luma_weight = 1 << luma;
                if bits.flag("luma_weight_flag")? {
                    weight.luma_weight = parse::se(bits, -128, 127, "luma_weight")?;
                    weight.luma_offset = parse::se(bits, -128, 127, "luma_offset")?;
                }
                if !has_chroma {
                    continue;
                }
                weight.chroma_weight = [1 << chroma; 2];
                if bits.flag("chroma_weight_flag")? {
                    let values = weight.chroma_weight.iter_mut();
                    for (weight, offset) in values.zip(&mut weight.chroma_offset) {
                        *weight = parse::se(bits, -128, 127, "chroma_weight")?;
                        *offset = parse::se(bits, -128, 127, "chroma_offset")?;
                    }
                }
            }
        }
        Ok(this)
    }
}
