//! Scaling lists: `scaling_list_data()` (7.3.4, 7.4.5).

use super::check;
use crate::bits::BitReader;
use crate::error::StreamError;

/// Factors for transform coefficients, in raster order: row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingLists {
    /// For blocks of 4×4: of Y, Cb, Cr of blocks predicted within the picture, then of others.
    pub size4: [[u8; 16]; 6],
    /// For blocks of 8×8.
    pub size8: [[u8; 64]; 6],
    /// For blocks of 16×16, each factor for 2×2 coefficients.
    pub size16: [[u8; 64]; 6],
    /// For blocks of 32×32, each factor for 4×4 coefficients: of Y only.
    pub size32: [[u8; 64]; 2],
    /// The first factor of each list for 16×16.
    pub dc16: [u8; 6],
    /// The first factor of each list for 32×32.
    pub dc32: [u8; 2],
}

/// Table 7-6 for blocks predicted within the picture, in the order in which factors are coded.
const INTRA: [u8; 64] = [
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 17, 16, 17, 16, 17, 18, 17, 18, 18, 17, 18, 21, 19, 20,
    21, 20, 19, 21, 24, 22, 22, 24, 24, 22, 22, 24, 25, 25, 27, 30, 27, 25, 25, 29, 31, 35, 35, 31,
    29, 36, 41, 44, 41, 36, 47, 54, 54, 47, 65, 70, 65, 88, 88, 115,
];

/// Table 7-6 for other blocks.
const INTER: [u8; 64] = [
    16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 17, 17, 17, 17, 17, 18, 18, 18, 18, 18, 18, 20, 20, 20,
    20, 20, 20, 20, 24, 24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 28, 28, 28, 28, 28,
    28, 33, 33, 33, 33, 33, 41, 41, 41, 41, 54, 54, 54, 71, 71, 91,
];

/// The place of each coded factor in raster order: the up-right diagonal scan (6.5.3).
const fn up_right_diagonal<const COUNT: usize>(side: usize) -> [usize; COUNT] {
    let mut places = [0; COUNT];
    let mut at = 0;
    let mut diagonal = 0;
    while at < COUNT {
        let mut across = 0;
        while across <= diagonal {
            let down = diagonal - across;
            if across < side && down < side {
                places[at] = down * side + across;
                at += 1;
            }
            across += 1;
        }
        diagonal += 1;
    }
    places
}

const SCAN4: [usize; 16] = up_right_diagonal(4);
const SCAN8: [usize; 64] = up_right_diagonal(8);

const fn raster(coded: &[u8; 64]) -> [u8; 64] {
    let mut list = [0; 64];
    let mut at = 0;
    while at < 64 {
        list[SCAN8[at]] = coded[at];
        at += 1;
    }
    list
}

const INTRA_RASTER: [u8; 64] = raster(&INTRA);
const INTER_RASTER: [u8; 64] = raster(&INTER);

const DEFAULTS: ScalingLists = {
    let six = [
        INTRA_RASTER,
        INTRA_RASTER,
        INTRA_RASTER,
        INTER_RASTER,
        INTER_RASTER,
        INTER_RASTER,
    ];
    ScalingLists {
        size4: [[16; 16]; 6],
        size8: six,
        size16: six,
        size32: [INTRA_RASTER, INTER_RASTER],
        dc16: [16; 6],
        dc32: [16; 2],
    }
};

impl ScalingLists {
    /// Tables 7-5 and 7-6: what holds where none are told.
    pub const DEFAULT: Self = DEFAULTS;

    pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let mut lists = Self::DEFAULT;
        read_size(bits, &SCAN4, &mut lists.size4, &DEFAULTS.size4, None)?;
        read_size(bits, &SCAN8, &mut lists.size8, &DEFAULTS.size8, None)?;
        let dc16 = Some(&mut lists.dc16);
        read_size(bits, &SCAN8, &mut lists.size16, &DEFAULTS.size16, dc16)?;
        let dc32 = Some(&mut lists.dc32);
        read_size(bits, &SCAN8, &mut lists.size32, &DEFAULTS.size32, dc32)?;
        Ok(lists)
    }
}

/// Reads the lists of one size.
fn read_size<const COUNT: usize, const LISTS: usize>(
    bits: &mut BitReader<'_>,
    scan: &[usize; COUNT],
    lists: &mut [[u8; COUNT]; LISTS],
    defaults: &[[u8; COUNT]; LISTS],
    mut dc: Option<&mut [u8; LISTS]>,
) -> Result<(), StreamError> {
    for at in 0..LISTS {
        if bits.flag("scaling_list_pred_mode_flag")? {
            let mut next = 8;
            if let Some(dc) = dc.as_mut().and_then(|dc| dc.get_mut(at)) {
                next = check::se(bits, (-7, 247), "scaling_list_dc_coef_minus8")? + 8;
                *dc = u8::try_from(next).unwrap_or_default();
            }
            let list = &mut lists[at];
            for place in scan {
                let delta = check::se(bits, (-128, 127), "scaling_list_delta_coef")?;
                next = (next + delta).rem_euclid(256);
                list[*place] = u8::try_from(next).unwrap_or_default();
            }
            continue;
        }
        let begin = bits.position();
        let what = "scaling_list_pred_matrix_id_delta";
        let delta = bits.ue(what)?;
        let from = usize::try_from(delta)
            .ok()
            .and_then(|delta| at.checked_sub(delta));
        let Some(from) = from else {
            return Err(check::refuse(begin, what, delta));
        };
        // A list that is its own pattern is the default.
        lists[at] = if delta == 0 {
            defaults[at]
        } else {
            lists[from]
        };
        if let Some(dc) = &mut dc {
            dc[at] = if delta == 0 { 16 } else { dc[from] };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hevc::check::written;

    #[test]
    fn coded_factors_run_up_along_diagonals() {
        assert_eq!(
            SCAN4,
            [0, 4, 1, 8, 5, 2, 12, 9, 6, 3, 13, 10, 7, 14, 11, 15]
        );
        assert_eq!(SCAN8[..6], [0, 8, 1, 16, 9, 2]);
        assert_eq!(SCAN8[63], 63);
        assert_eq!(
            (INTRA_RASTER[63], INTRA_RASTER[7], INTRA_RASTER[56]),
            (115, 24, 24)
        );
    }

    #[test]
    fn lists_are_the_default_another_or_told() {
        // All by "the default": flag 0, delta ue(0).
        let bits = [0b0101_0101; 6];
        let lists = ScalingLists::read(&mut BitReader::new(&bits)).unwrap();
        assert_eq!(lists, ScalingLists::DEFAULT);

        // The first 4x4 told (from 8 to 9, and then all the same), the second like it; the first
        // 16x16 told with a first factor of 20, all 20, the second like it; the second 32x32 like
        // the first; all others the default.
        let default = |count| "01".repeat(count);
        let like_the_last = "0010";
        let mut text = format!("1010{}{like_the_last}{}", "1".repeat(15), default(4));
        text += &default(6);
        text += &format!("1000011000{}{like_the_last}{}", "1".repeat(64), default(4));
        text += &format!("{}{like_the_last}", default(1));
        let lists = ScalingLists::read(&mut BitReader::new(&written(&text))).unwrap();
        assert_eq!(lists.size4[..2], [[9; 16]; 2]);
        assert_eq!(lists.size4[2], [16; 16]);
        assert_eq!(lists.size16[..2], [[20; 64]; 2]);
        assert_eq!((lists.dc16[0], lists.dc16[1], lists.dc16[2]), (20, 20, 16));
        assert_eq!(lists.size32, [INTRA_RASTER; 2]);
    }

    #[test]
    fn a_list_before_the_first_is_refused() {
        // 0, ue(1).
        assert!(ScalingLists::read(&mut BitReader::new(&[0b0010_0000])).is_err());
    }
}
