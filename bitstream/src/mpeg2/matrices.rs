//! Quantisation matrices (6.3.11).

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// A matrix in zigzag order, as it is coded.
pub type Matrix = [u8; 64];

const DEFAULT_INTRA: Matrix = [
    8, 16, 16, 19, 16, 19, 22, 22, 22, 22, 22, 22, 26, 24, 26, 27, 27, 27, 26, 26, 26, 26, 27, 27,
    27, 29, 29, 29, 34, 34, 34, 29, 29, 29, 27, 27, 29, 29, 32, 32, 34, 34, 37, 38, 37, 35, 35, 34,
    35, 38, 38, 40, 40, 40, 48, 48, 46, 46, 56, 56, 58, 69, 69, 83,
];

const DEFAULT_NON_INTRA: Matrix = [16; 64];

/// The matrices that are in effect: those that were loaded last, or the defaults. What is loaded
/// for luma is for chroma too, until that is loaded by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Matrices {
    pub intra: Matrix,
    pub non_intra: Matrix,
    pub chroma_intra: Matrix,
    pub chroma_non_intra: Matrix,
}

impl Default for Matrices {
    fn default() -> Self {
        Self {
            intra: DEFAULT_INTRA,
            non_intra: DEFAULT_NON_INTRA,
            chroma_intra: DEFAULT_INTRA,
            chroma_non_intra: DEFAULT_NON_INTRA,
        }
    }
}

impl Matrices {
    /// What a sequence header loads; what it does not is the default again.
    pub(super) fn of_sequence(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let mut matrices = Self::default();
        matrices.load_luma(bits)?;
        Ok(matrices)
    }

    fn load_luma(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        if bits.flag("load_intra_quantiser_matrix")? {
            self.intra = read(bits, "intra_quantiser_matrix")?;
            self.chroma_intra = self.intra;
        }
        if bits.flag("load_non_intra_quantiser_matrix")? {
            self.non_intra = read(bits, "non_intra_quantiser_matrix")?;
            self.chroma_non_intra = self.non_intra;
        }
        Ok(())
    }

    /// Loads what a `quant_matrix_extension()` holds, of which `bits` stand behind the identifier.
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for a zero. Nothing has changed then.
    pub fn load(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let mut loaded = *self;
        loaded.load_luma(bits)?;
        if bits.flag("load_chroma_intra_quantiser_matrix")? {
            loaded.chroma_intra = read(bits, "chroma_intra_quantiser_matrix")?;
        }
        if bits.flag("load_chroma_non_intra_quantiser_matrix")? {
            loaded.chroma_non_intra = read(bits, "chroma_non_intra_quantiser_matrix")?;
        }
        *self = loaded;
        Ok(())
    }
}

fn read(bits: &mut BitReader<'_>, what: &'static str) -> Result<Matrix, StreamError> {
    let mut matrix = [0; 64];
    for value in &mut matrix {
        let at = bits.position();
        *value = u8::try_from(bits.bits(8, what)?).unwrap_or(u8::MAX);
        if *value == 0 {
            return Err(BitReader::wrong(at, what, Trouble::NotAllowed { found: 0 }));
        }
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_standards_matrix_in_zigzag_order() {
        // Rows and columns of 6.3.11, walked along the diagonals.
        const RASTER: [[u8; 8]; 8] = [
            [8, 16, 19, 22, 26, 27, 29, 34],
            [16, 16, 22, 24, 27, 29, 34, 37],
            [19, 22, 26, 27, 29, 34, 34, 38],
            [22, 22, 26, 27, 29, 34, 37, 40],
            [22, 26, 27, 29, 32, 35, 40, 48],
            [26, 27, 29, 32, 35, 40, 48, 58],
            [26, 27, 29, 34, 38, 46, 56, 69],
            [27, 29, 35, 38, 46, 56, 69, 83],
        ];
        let mut walked = Vec::new();
        for diagonal in 0..15_usize {
            let mut along: Vec<_> = (0..8)
                .filter_map(|row| {
                    let column = diagonal.checked_sub(row)?;
                    RASTER[row].get(column).copied()
                })
                .collect();
            // From the bottom upwards where the diagonal is even.
            if diagonal % 2 == 0 {
                along.reverse();
            }
            walked.extend(along);
        }
        assert_eq!(walked, DEFAULT_INTRA);
    }

    #[test]
    fn luma_is_for_chroma_too_until_that_is_loaded() {
        let mut data = vec![0b1011_0000];
        // Flags and values do not fall on bytes: 1, 64 values, 0, 1, 64 values, 0.
        let mut bits: Vec<bool> = vec![true];
        bits.extend((0..64).flat_map(|_at| byte(7)));
        bits.extend([false, true]);
        bits.extend((0..64).flat_map(|_at| byte(9)));
        bits.push(false);
        data.clear();
        for eight in bits.chunks(8) {
            let value = eight
                .iter()
                .fold(0_u8, |value, bit| value << 1 | u8::from(*bit));
            data.push(value << (8 - eight.len()));
        }
        let mut matrices = Matrices::default();
        matrices.load(&mut BitReader::new(&data)).unwrap();
        assert_eq!((matrices.intra, matrices.chroma_intra), ([7; 64], [9; 64]));
        assert_eq!(matrices.non_intra, DEFAULT_NON_INTRA);

        let before = matrices;
        let error = matrices.load(&mut BitReader::new(&data[..80])).unwrap_err();
        assert_eq!((error.trouble, matrices), (Trouble::Ends, before));
        let zero = [0x80; 1].into_iter().chain([0; 8]).collect::<Vec<u8>>();
        let error = matrices.load(&mut BitReader::new(&zero)).unwrap_err();
        assert_eq!(error.trouble, Trouble::NotAllowed { found: 0 });
    }

    fn byte(value: u8) -> impl Iterator<Item = bool> {
        (0..8).rev().map(move |bit| value >> bit & 1 == 1)
    }
}
