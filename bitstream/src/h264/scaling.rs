//! Scaling lists (7.3.2.1.1.1, 7.4.2.1.1.1, table 7-2).

use super::parse;
use crate::{BitReader, StreamError};

/// Where the n-th value of a 4x4 list lies in rows (6.4.10, zig-zag).
pub const ZIGZAG_4X4: [u8; 16] = [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15];

/// Where the n-th value of an 8x8 list lies in rows.
pub const ZIGZAG_8X8: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Tables 7-3 and 7-4.
const INTRA_4X4: [u8; 16] = [
    6, 13, 13, 20, 20, 20, 28, 28, 28, 28, 32, 32, 32, 37, 37, 42,
];
const INTER_4X4: [u8; 16] = [
    10, 14, 14, 20, 20, 20, 24, 24, 24, 24, 27, 27, 27, 30, 30, 34,
];
const INTRA_8X8: [u8; 64] = [
    6, 10, 10, 13, 11, 13, 16, 16, 16, 16, 18, 18, 18, 18, 18, 23, 23, 23, 23, 23, 23, 25, 25, 25,
    25, 25, 25, 25, 27, 27, 27, 27, 27, 27, 27, 27, 29, 29, 29, 29, 29, 29, 29, 31, 31, 31, 31, 31,
    31, 33, 33, 33, 33, 33, 36, 36, 36, 36, 38, 38, 38, 40, 40, 42,
];
const INTER_8X8: [u8; 64] = [
    9, 13, 13, 15, 13, 15, 17, 17, 17, 17, 19, 19, 19, 19, 19, 21, 21, 21, 21, 21, 21, 22, 22, 22,
    22, 22, 22, 22, 24, 24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 27, 27, 27, 27, 27,
    27, 28, 28, 28, 28, 28, 30, 30, 30, 30, 32, 32, 32, 33, 33, 35,
];

/// All lists of a parameter set, in the order of the stream: 4x4 intra Y, Cb, Cr, inter Y, Cb, Cr;
/// 8x8 intra Y, inter Y, intra Cb, inter Cb, intra Cr, inter Cr. The values of each are in zig-zag
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalingLists {
    /// Of 4x4 blocks.
    pub of_4x4: [[u8; 16]; 6],
    /// Of 8x8 blocks. Those of Cb and Cr matter in 4:4:4 alone.
    pub of_8x8: [[u8; 64]; 6],
}

impl ScalingLists {
    /// `Flat_4x4_16` and `Flat_8x8_16`.
    pub const FLAT: Self = Self {
        of_4x4: [[16; 16]; 6],
        of_8x8: [[16; 64]; 6],
    };

    /// Fall-back rule set A of table 7-2.
    pub const DEFAULT: Self = Self {
        of_4x4: [
            INTRA_4X4, INTRA_4X4, INTRA_4X4, INTER_4X4, INTER_4X4, INTER_4X4,
        ],
        of_8x8: [
            INTRA_8X8, INTER_8X8, INTRA_8X8, INTER_8X8, INTRA_8X8, INTER_8X8,
        ],
    };

    /// Reads the lists of a parameter set, of which `count_8x8` of 8x8 are in the stream. A list
    /// that is not is what the one before it of its kind is, and the first of a kind what it is in
    /// `fall_back`: the default of rule set A, or what the sequence has, of rule set B.
    ///
    /// # Errors
    /// [`StreamError`].
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        count_8x8: usize,
        fall_back: &Self,
    ) -> Result<Self, StreamError> {
        let mut lists = *fall_back;
        for at in 0..6 {
            let before = if at % 3 == 0 { None } else { Some(at - 1) };
            read_one(bits, &mut lists.of_4x4, at, before, &Self::DEFAULT.of_4x4)?;
        }
        for at in 0..6_usize {
            let before = at.checked_sub(2);
            if at < count_8x8 {
                read_one(bits, &mut lists.of_8x8, at, before, &Self::DEFAULT.of_8x8)?;
            } else if count_8x8 > 0 {
                take_over(&mut lists.of_8x8, at, before);
            }
        }
        Ok(lists)
    }
}

fn take_over<const LEN: usize>(lists: &mut [[u8; LEN]; 6], at: usize, before: Option<usize>) {
    if let Some(before) = before.and_then(|before| lists.get(before).copied())
        && let Some(list) = lists.get_mut(at)
    {
        *list = before;
    }
}

fn read_one<const LEN: usize>(
    bits: &mut BitReader<'_>,
    lists: &mut [[u8; LEN]; 6],
    at: usize,
    before: Option<usize>,
    defaults: &[[u8; LEN]; 6],
) -> Result<(), StreamError> {
    if !bits.flag("scaling_list_present_flag")? {
        take_over(lists, at, before);
        return Ok(());
    }
    let Some(list) = lists.get_mut(at) else {
        return Ok(());
    };
    let mut last: u8 = 8;
    let mut next: u8 = 8;
    for (place, value) in list.iter_mut().enumerate() {
        if next != 0 {
            let delta: i8 = parse::se(bits, -128, 127, "delta_scale")?;
            next = last.wrapping_add_signed(delta);
            if place == 0 && next == 0 {
                // useDefaultScalingMatrixFlag
                if let Some(default) = defaults.get(at) {
                    *list = *default;
                }
                return Ok(());
            }
        }
        last = if next == 0 { last } else { next };
        *value = last;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes bits, as a reader reads them.
    fn bytes(text: &str) -> Vec<u8> {
        let bits: Vec<u8> = text.bytes().filter(|bit| *bit != b' ').collect();
        bits.chunks(8)
            .map(|byte| {
                (0..8).fold(0, |value, at| {
                    value << 1 | u8::from(byte.get(at) == Some(&b'1'))
                })
            })
            .collect()
    }

    #[test]
    fn what_is_not_there_falls_back_to_the_one_before_or_the_default() {
        // Intra Y: 8 + 1 = 9, then 9 - 9 = 0: nine to the end. Cb: none. Cr: the default, by
        // 8 - 8 = 0 at once. Inter: none. 8x8: both none.
        let stream = bytes("1 010 000010011 0 1 000010001 000 00");
        let mut reader = BitReader::new(&stream);
        let lists = ScalingLists::read(&mut reader, 2, &ScalingLists::DEFAULT).unwrap();
        assert_eq!(lists.of_4x4[0], [9; 16]);
        assert_eq!(lists.of_4x4[1], [9; 16]);
        assert_eq!(lists.of_4x4[2], INTRA_4X4);
        assert_eq!(lists.of_4x4[3..], [INTER_4X4; 3]);
        assert_eq!(lists.of_8x8, ScalingLists::DEFAULT.of_8x8);
    }

    #[test]
    fn zigzags_name_each_place_once() {
        let mut places = ZIGZAG_8X8.to_vec();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..64));
        let mut places = ZIGZAG_4X4.to_vec();
        places.sort_unstable();
        assert!(places.into_iter().eq(0..16));
    }
}
