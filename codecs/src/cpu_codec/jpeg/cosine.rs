//! The inverse discrete cosine transform of a block (ITU-T T.81, A.3.3).
//!
//! In floating point, eight columns side by side, so that compilers make vector instructions of
//! it on every processor. What the definition multiplies each coefficient with is in the
//! quantisation table already ([`scale`]).

use std::f64::consts::PI;

/// A row of eight.
pub(super) type Row = [f32; 8];
/// A block: of coefficients columns first, of samples rows first.
pub(super) type Block = [Row; 8];

const fn cosine(value: f64) -> f32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cosine loses digits that eight bits have no use for"
    )]
    let value = value as f32;
    value
}

/// `COSINE[n]` is the cosine of nπ/16.
const COSINES: [f32; 8] = [
    1.0,
    cosine(0.980_785_280_403_230_4),
    cosine(0.923_879_532_511_286_7),
    cosine(0.831_469_612_302_545_2),
    cosine(std::f64::consts::FRAC_1_SQRT_2),
    cosine(0.555_570_233_019_602_2),
    cosine(0.382_683_432_365_089_8),
    cosine(0.195_090_322_016_128_27),
];

/// What a coefficient is multiplied with besides: the transform's own factors, of which that of
/// frequency 4 is a part, since it is the same for all samples.
pub(super) fn scale(frequency: usize) -> f64 {
    match frequency {
        0 | 4 => (PI / 4.0).cos() / 2.0,
        _ => 0.5,
    }
}

/// Eight samples of eight scaled coefficients, for eight columns at once.
#[inline]
fn eight(of: &Block) -> Block {
    let [_, c1, c2, c3, _, c5, c6, c7] = COSINES;
    let mut made = [[0.0; 8]; 8];
    for lane in 0..8 {
        let x: Row = std::array::from_fn(|frequency| of[frequency][lane]);
        let (sum, difference) = (x[0] + x[4], x[0] - x[4]);
        let outer = x[2] * c2 + x[6] * c6;
        let inner = x[2] * c6 - x[6] * c2;
        let even = [
            sum + outer,
            difference + inner,
            difference - inner,
            sum - outer,
        ];
        let odd = [
            x[1] * c1 + x[3] * c3 + x[5] * c5 + x[7] * c7,
            x[1] * c3 - x[3] * c7 - x[5] * c1 - x[7] * c5,
            x[1] * c5 - x[3] * c1 + x[5] * c7 + x[7] * c3,
            x[1] * c7 - x[3] * c5 + x[5] * c3 - x[7] * c1,
        ];
        for sample in 0..4 {
            made[sample][lane] = even[sample] + odd[sample];
            made[7 - sample][lane] = even[sample] - odd[sample];
        }
    }
    made
}

fn turned(block: &Block) -> Block {
    let mut turned = [[0.0; 8]; 8];
    for (y, row) in block.iter().enumerate() {
        for (x, &value) in row.iter().enumerate() {
            turned[x][y] = value;
        }
    }
    turned
}

/// The samples of scaled coefficients, whose rows are the block's columns.
#[inline]
pub(super) fn samples(coefficients: &Block) -> [[u8; 8]; 8] {
    let across = eight(coefficients);
    eight(&turned(&across)).map(|row| row.map(sample))
}

/// The sample that all of a block are which has its first coefficient only.
#[inline]
pub(super) fn flat(coefficient: f32) -> u8 {
    sample(coefficient)
}

/// From 0 to 255, rounded: in the number 2²³ + 2²² + n the lowest bits are those of n.
#[inline]
fn sample(value: f32) -> u8 {
    let placed = (value + 128.0).clamp(0.0, 255.0) + 12_582_912.0;
    placed.to_bits().to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A.3.3, word for word.
    fn defined(of: &[[f64; 8]; 8], x: usize, y: usize) -> f64 {
        let factor = |n: usize| if n == 0 { 0.5_f64.sqrt() } else { 1.0 };
        let wave = |n: usize, at: usize| ((2 * at + 1) as f64 * n as f64 * PI / 16.0).cos();
        let mut sum = 0.0;
        for (v, row) in of.iter().enumerate() {
            for (u, value) in row.iter().enumerate() {
                sum += factor(u) * factor(v) * value * wave(u, x) * wave(v, y);
            }
        }
        (sum / 4.0 + 128.0).clamp(0.0, 255.0)
    }

    #[test]
    fn samples_are_as_defined() {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 24) - 128.0
        };
        for round in 0..50 {
            let mut of = [[0.0; 8]; 8];
            let mut scaled = [[0.0; 8]; 8];
            for (v, row) in of.iter_mut().enumerate() {
                for (u, value) in row.iter_mut().enumerate() {
                    *value = if (u + v) % (round % 7 + 1) == 0 {
                        next()
                    } else {
                        0.0
                    };
                    #[expect(clippy::cast_possible_truncation, reason = "as the decoder does")]
                    let of_it = (*value * scale(u) * scale(v)) as f32;
                    scaled[u][v] = of_it;
                }
            }
            for (y, row) in samples(&scaled).iter().enumerate() {
                for (x, &found) in row.iter().enumerate() {
                    let off = (f64::from(found) - defined(&of, x, y)).abs();
                    assert!(off < 0.502, "{off} at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn a_block_of_one_colour_is_flat() {
        let mut block = [[0.0; 8]; 8];
        for value in [-3000.0, -77.6, 0.0, 12.4, 900.0] {
            block[0][0] = value;
            assert_eq!(samples(&block), [[flat(value); 8]; 8]);
        }
    }
}
