//! What a compressed header says (6.3).

use crate::boolean::BoolDecoder;
use crate::error::{StreamError, Trouble};

use super::header::{FrameHeader, InterpolationFilter};

const TX_MODE_SELECT: u8 = 4;

/// `reference_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferenceMode {
    /// `SINGLE_REFERENCE`.
    #[default]
    Single,
    /// `COMPOUND_REFERENCE`.
    Compound,
    /// `REFERENCE_MODE_SELECT`.
    Select,
}

/// Of one size of transform: by plane, kind of block, band and context.
pub type Coefficients = [[[[[u8; 3]; 6]; 6]; 2]; 2];

/// What a compressed header changes: for each probability zero where it stays, otherwise its
/// difference as `inv_map_table` gives it (6.3.5), which is never zero. What the difference is to,
/// only a decoder knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct CompressedHeader {
    pub tx_mode: u8,
    pub reference_mode: ReferenceMode,
    pub tx_8x8: [[u8; 1]; 2],
    pub tx_16x16: [[u8; 2]; 2],
    pub tx_32x32: [[u8; 3]; 2],
    pub coef: [Coefficients; 4],
    pub skip: [u8; 3],
    pub inter_mode: [[u8; 3]; 7],
    pub interp_filter: [[u8; 2]; 4],
    pub is_inter: [u8; 4],
    pub comp_mode: [u8; 5],
    pub single_ref: [[u8; 2]; 5],
    pub comp_ref: [u8; 5],
    pub y_mode: [[u8; 9]; 4],
    pub partition: [[u8; 3]; 16],
    pub mv: MotionUpdates,
}

/// What a compressed header changes of motion vectors' probabilities: zero where one stays,
/// otherwise its new value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct MotionUpdates {
    pub joint: [u8; 3],
    pub sign: [u8; 2],
    pub class: [[u8; 10]; 2],
    pub class0_bit: [u8; 2],
    pub bits: [[u8; 10]; 2],
    pub class0_fr: [[[u8; 3]; 2]; 2],
    pub fr: [[u8; 3]; 2],
    pub class0_hp: [u8; 2],
    pub hp: [u8; 2],
}

impl Default for CompressedHeader {
    fn default() -> Self {
        Self {
            tx_mode: 0,
            reference_mode: ReferenceMode::Single,
            tx_8x8: [[0; 1]; 2],
            tx_16x16: [[0; 2]; 2],
            tx_32x32: [[0; 3]; 2],
            coef: [[[[[[0; 3]; 6]; 6]; 2]; 2]; 4],
            skip: [0; 3],
            inter_mode: [[0; 3]; 7],
            interp_filter: [[0; 2]; 4],
            is_inter: [0; 4],
            comp_mode: [0; 5],
            single_ref: [[0; 2]; 5],
            comp_ref: [0; 5],
            y_mode: [[0; 9]; 4],
            partition: [[0; 3]; 16],
            mv: MotionUpdates::default(),
        }
    }
}

impl CompressedHeader {
    /// Reads the header that follows a frame's uncompressed one in its data.
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for the bit that it begins with.
    pub fn read(frame: &[u8], header: &FrameHeader) -> Result<Self, StreamError> {
        let begin = usize::from(header.uncompressed_header_size);
        let end = begin + usize::from(header.compressed_header_size);
        let wrong = |bit, trouble| StreamError {
            bit,
            what: "compressed_header",
            trouble,
        };
        let Some(data) = frame.get(begin..end) else {
            return Err(wrong(frame.len() as u64 * 8, Trouble::Ends));
        };
        let decoder = &mut BoolDecoder::new(data);
        if decoder.flag() {
            return Err(wrong(begin as u64 * 8, Trouble::NotAllowed { found: 1 }));
        }
        let mut read = Self::default();
        read.transforms(decoder, header);
        read.coefficients(decoder);
        diff_update(decoder, &mut read.skip);
        if !header.is_intra() {
            read.inter(decoder, header);
        }
        let checked = decoder.check("compressed_header");
        checked.map_err(|error| error.after(begin as u64))?;
        Ok(read)
    }

    fn transforms(&mut self, decoder: &mut BoolDecoder<'_>, header: &FrameHeader) {
        if header.quantization.is_lossless() {
            return;
        }
        self.tx_mode = narrow(decoder.literal(2));
        if self.tx_mode == 3 {
            self.tx_mode += narrow(decoder.literal(1));
        }
        if self.tx_mode == TX_MODE_SELECT {
            diff_update(decoder, self.tx_8x8.as_flattened_mut());
            diff_update(decoder, self.tx_16x16.as_flattened_mut());
            diff_update(decoder, self.tx_32x32.as_flattened_mut());
        }
    }

    fn coefficients(&mut self, decoder: &mut BoolDecoder<'_>) {
        let largest = usize::from(self.tx_mode.min(3));
        for size in self.coef.iter_mut().take(largest + 1) {
            if !decoder.flag() {
                continue;
            }
            for bands in size.as_flattened_mut() {
                for (band, contexts) in bands.iter_mut().enumerate() {
                    // The first band, DC, has fewer contexts.
                    let used = if band == 0 { 3 } else { 6 };
                    for probabilities in contexts.iter_mut().take(used) {
                        diff_update(decoder, probabilities);
                    }
                }
            }
        }
    }

    fn inter(&mut self, decoder: &mut BoolDecoder<'_>, header: &FrameHeader) {
        diff_update(decoder, self.inter_mode.as_flattened_mut());
        if header.interpolation_filter == InterpolationFilter::Switchable {
            diff_update(decoder, self.interp_filter.as_flattened_mut());
        }
        diff_update(decoder, &mut self.is_inter);
        self.frame_reference_mode(decoder, header);
        diff_update(decoder, self.y_mode.as_flattened_mut());
        diff_update(decoder, self.partition.as_flattened_mut());
        self.mv.read(decoder, header.allow_high_precision_mv);
    }

    fn frame_reference_mode(&mut self, decoder: &mut BoolDecoder<'_>, header: &FrameHeader) {
        let [last, golden, altref] = header.references.map(|reference| reference.sign_bias);
        let compound_allowed = golden != last || altref != last;
        if compound_allowed && decoder.flag() {
            self.reference_mode = if decoder.flag() {
                ReferenceMode::Select
            } else {
                ReferenceMode::Compound
            };
        }
        if self.reference_mode == ReferenceMode::Select {
            diff_update(decoder, &mut self.comp_mode);
        }
        if self.reference_mode != ReferenceMode::Compound {
            diff_update(decoder, self.single_ref.as_flattened_mut());
        }
        if self.reference_mode != ReferenceMode::Single {
            diff_update(decoder, &mut self.comp_ref);
        }
    }
}

impl MotionUpdates {
    fn read(&mut self, decoder: &mut BoolDecoder<'_>, high_precision: bool) {
        update(decoder, &mut self.joint);
        for ((sign, class), (class0_bit, bits)) in self
            .sign
            .iter_mut()
            .zip(&mut self.class)
            .zip(self.class0_bit.iter_mut().zip(&mut self.bits))
        {
            update(decoder, std::slice::from_mut(sign));
            update(decoder, class);
            update(decoder, std::slice::from_mut(class0_bit));
            update(decoder, bits);
        }
        for (class0_fr, fr) in self.class0_fr.iter_mut().zip(&mut self.fr) {
            update(decoder, class0_fr.as_flattened_mut());
            update(decoder, fr);
        }
        if high_precision {
            for (class0_hp, hp) in self.class0_hp.iter_mut().zip(&mut self.hp) {
                update(decoder, std::slice::from_mut(class0_hp));
                update(decoder, std::slice::from_mut(hp));
            }
        }
    }
}

/// `diff_update_prob()` of each.
fn diff_update(decoder: &mut BoolDecoder<'_>, probabilities: &mut [u8]) {
    for probability in probabilities {
        if decoder.bool(252) {
            *probability = inv_map(decode_term_subexp(decoder));
        }
    }
}

/// `update_mv_prob()` of each.
fn update(decoder: &mut BoolDecoder<'_>, probabilities: &mut [u8]) {
    for probability in probabilities {
        if decoder.bool(252) {
            *probability = narrow(decoder.literal(7) << 1 | 1);
        }
    }
}

fn decode_term_subexp(decoder: &mut BoolDecoder<'_>) -> u32 {
    if !decoder.flag() {
        return decoder.literal(4);
    }
    if !decoder.flag() {
        return decoder.literal(4) + 16;
    }
    if !decoder.flag() {
        return decoder.literal(5) + 32;
    }
    let value = decoder.literal(7);
    if value < 65 {
        return value + 64;
    }
    (value << 1) - 1 + decoder.literal(1)
}

/// `inv_map_table`: first 20 values that lie far apart, then all others in order. The longest code
/// is one more than there are values, and means the last.
fn inv_map(delta: u32) -> u8 {
    if delta < 20 {
        return narrow(7 + 13 * delta);
    }
    // Before the nth of the others lie as many of the 20 as are smaller: one in 13 from 7 on.
    let nth = (delta - 20).min(233);
    narrow(nth + 1 + (nth + 6) / 12)
}

/// Of at most eight bits.
fn narrow(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_mapped_to_all_values_once() {
        let mut seen: Vec<u8> = (0..254).map(inv_map).collect();
        assert_eq!(seen[..4], [7, 20, 33, 46]);
        assert_eq!(seen[19..32], [254, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13]);
        assert_eq!(seen[253], 253);
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..=254));
        assert_eq!(inv_map(254), 253);
    }
}
