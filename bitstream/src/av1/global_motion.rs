//! How the whole picture moves against its references (5.9.24 to 5.9.29, 7.11.3.6).

use crate::av1::code::ns;
use crate::av1::references::TOTAL_REFS_PER_FRAME;
use crate::bits::BitReader;
use crate::error::StreamError;

const WARPEDMODEL_PREC_BITS: u32 = 16;
/// `gm_params` of what does not move.
pub(super) const IDENTITY: [i32; 6] = [
    0,
    0,
    1 << WARPEDMODEL_PREC_BITS,
    0,
    0,
    1 << WARPEDMODEL_PREC_BITS,
];

/// `GmType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum WarpModel {
    #[default]
    Identity = 0,
    Translation = 1,
    RotZoom = 2,
    Affine = 3,
}

/// Of one reference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct GlobalMotion {
    pub is_global: bool,
    pub is_rot_zoom: bool,
    pub is_translation: bool,
    pub gm_type: WarpModel,
    /// `gm_params`; of `INTRA_FRAME`, zeros.
    pub params: [i32; 6],
    /// `warpValid` (7.11.3.6) is 0.
    pub invalid: bool,
}

/// Of a frame whose references do not move: `setup_past_independence()` and intra frames.
pub(super) fn initial() -> [GlobalMotion; TOTAL_REFS_PER_FRAME] {
    let mut all = [GlobalMotion::default(); TOTAL_REFS_PER_FRAME];
    for motion in all.iter_mut().skip(1) {
        motion.params = IDENTITY;
    }
    all
}

/// `global_motion_params()` of a frame that has references. `previous` are the parameters of the
/// primary reference, where there is one.
pub(super) fn read(
    bits: &mut BitReader<'_>,
    allow_high_precision_mv: bool,
    previous: Option<&[[i32; 6]; TOTAL_REFS_PER_FRAME]>,
) -> Result<[GlobalMotion; TOTAL_REFS_PER_FRAME], StreamError> {
    let mut all = initial();
    for (reference, motion) in all.iter_mut().enumerate().skip(1) {
        let from = previous.map_or(IDENTITY, |previous| previous[reference]);
        motion.read(bits, allow_high_precision_mv, &from)?;
    }
    Ok(all)
}

impl GlobalMotion {
    fn read(
        &mut self,
        bits: &mut BitReader<'_>,
        high_precision: bool,
        previous: &[i32; 6],
    ) -> Result<(), StreamError> {
        self.is_global = bits.flag("is_global")?;
        if !self.is_global {
            return Ok(());
        }
        self.is_rot_zoom = bits.flag("is_rot_zoom")?;
        self.is_translation = !self.is_rot_zoom && bits.flag("is_translation")?;
        self.gm_type = match (self.is_rot_zoom, self.is_translation) {
            (true, _) => WarpModel::RotZoom,
            (false, true) => WarpModel::Translation,
            (false, false) => WarpModel::Affine,
        };
        let only = self.gm_type == WarpModel::Translation;
        if !only {
            self.params[2] = parameter(bits, 2, Precision::ALPHA, previous)?;
            self.params[3] = parameter(bits, 3, Precision::ALPHA, previous)?;
            if self.gm_type == WarpModel::Affine {
                self.params[4] = parameter(bits, 4, Precision::ALPHA, previous)?;
                self.params[5] = parameter(bits, 5, Precision::ALPHA, previous)?;
            } else {
                self.params[4] = -self.params[3];
                self.params[5] = self.params[2];
            }
        }
        let precision = Precision::of_translation(only, high_precision);
        self.params[0] = parameter(bits, 0, precision, previous)?;
        self.params[1] = parameter(bits, 1, precision, previous)?;
        self.invalid = !warp_valid(&self.params);
        Ok(())
    }
}

/// How finely a parameter is coded.
#[derive(Clone, Copy)]
struct Precision {
    /// `absBits`.
    absolute: u32,
    /// `precBits`.
    fraction: u32,
}

impl Precision {
    const ALPHA: Self = Self {
        absolute: 12,
        fraction: 15,
    };

    const fn of_translation(only: bool, high_precision: bool) -> Self {
        let (absolute, fraction) = match (only, high_precision) {
            (false, _) => (12, 6),
            (true, true) => (9, 3),
            (true, false) => (8, 2),
        };
        Self { absolute, fraction }
    }
}

/// `read_global_param( type, ref, idx )` (5.9.25).
fn parameter(
    bits: &mut BitReader<'_>,
    index: usize,
    precision: Precision,
    previous: &[i32; 6],
) -> Result<i32, StreamError> {
    let lost = WARPEDMODEL_PREC_BITS - precision.fraction;
    let (round, sub) = if index % 3 == 2 {
        (1 << WARPEDMODEL_PREC_BITS, 1 << precision.fraction)
    } else {
        (0, 0)
    };
    let most = 1_i32 << precision.absolute;
    let near = (previous[index] >> lost) - sub;
    Ok((signed_near(bits, -most, most + 1, near)? << lost) + round)
}

/// `decode_signed_subexp_with_ref( low, high, r )` (5.9.26, 5.9.27).
fn signed_near(
    bits: &mut BitReader<'_>,
    low: i32,
    high: i32,
    near: i32,
) -> Result<i32, StreamError> {
    let count = high - low;
    let near = near - low;
    let value = subexp(bits, count)?;
    let value = if near << 1 <= count {
        inverse_recenter(near, value)
    } else {
        count - 1 - inverse_recenter(count - 1 - near, value)
    };
    Ok(value + low)
}

/// `decode_subexp( numSyms )` (5.9.28).
fn subexp(bits: &mut BitReader<'_>, count: i32) -> Result<i32, StreamError> {
    let (mut longer, mut base) = (0_u32, 0_i32);
    loop {
        let length = 3 + longer.saturating_sub(1);
        let step = 1 << length;
        if count <= base + 3 * step {
            let below = (count - base).max(1).cast_unsigned();
            return Ok(ns(bits, below, "subexp_final_bits")?.cast_signed() + base);
        }
        if !bits.flag("subexp_more_bits")? {
            return Ok(bits.bits(length, "subexp_bits")?.cast_signed() + base);
        }
        longer += 1;
        base += step;
    }
}

/// `inverse_recenter( r, v )` (5.9.29).
const fn inverse_recenter(center: i32, value: i32) -> i32 {
    if value > 2 * center {
        value
    } else if value & 1 == 1 {
        center - ((value + 1) >> 1)
    } else {
        center + (value >> 1)
    }
}

/// The setup shear process, as far as `warpValid` (7.11.3.6).
fn warp_valid(params: &[i32; 6]) -> bool {
    const ONE: i64 = 1 << WARPEDMODEL_PREC_BITS;
    let [_x, _y, a, b, c, d] = params.map(i64::from);
    let (shift, factor) = divisor(a);
    let clip = |value: i64| value.clamp(-32768, 32767);
    let reduce = |value: i64| round2_signed(value, 6) << 6;
    let alpha = reduce(clip(a - ONE));
    let beta = reduce(clip(b));
    let gamma = reduce(clip(round2_signed(
        (c << WARPEDMODEL_PREC_BITS) * factor,
        shift,
    )));
    let delta = reduce(clip(d - round2_signed(b * c * factor, shift) - ONE));
    4 * alpha.abs() + 7 * beta.abs() < ONE && 4 * gamma.abs() + 4 * delta.abs() < ONE
}

/// The resolve divisor process (7.11.3.7): `divShift` and `divFactor`. What the specification has
/// as a table, `Div_Lut`, is `2^14 / (1 + f / 256)`, rounded.
fn divisor(value: i64) -> (u32, i64) {
    const DIV_LUT_BITS: u32 = 8;
    const DIV_LUT_PREC_BITS: u32 = 14;
    let size = value.unsigned_abs().max(1);
    let log2 = size.ilog2();
    let rest = size - (1 << log2);
    let index = if log2 > DIV_LUT_BITS {
        let dropped = log2 - DIV_LUT_BITS;
        (rest + (1 << dropped >> 1)) >> dropped
    } else {
        rest << (DIV_LUT_BITS - log2)
    };
    let denominator = 256 + index.min(256).cast_signed();
    let factor = ((1 << (DIV_LUT_PREC_BITS + DIV_LUT_BITS)) + denominator / 2) / denominator;
    (log2 + DIV_LUT_PREC_BITS, value.signum() * factor)
}

/// `Round2Signed( x, n )`.
const fn round2_signed(value: i64, bits: u32) -> i64 {
    let half = if bits == 0 { 0 } else { 1 << (bits - 1) };
    if value >= 0 {
        (value + half) >> bits
    } else {
        -((half - value) >> bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_is_by_the_specifications_table() {
        // Places of Div_Lut: 0, 1, 2, 3, 10, 100, 128, 200, 255, 256.
        let table = [
            (0, 16384),
            (1, 16320),
            (2, 16257),
            (3, 16194),
            (10, 15768),
            (100, 11782),
            (128, 10923),
            (200, 9198),
            (255, 8208),
            (256, 8192),
        ];
        for (at, factor) in table {
            assert_eq!(
                divisor(65536 + at * 256),
                if at == 256 { (31, 16384) } else { (30, factor) }
            );
        }
        // Rounded up to the end of the table.
        assert_eq!(divisor(131_071), (30, 8192));
        assert_eq!(divisor(-65536), (30, -16384));
    }

    #[test]
    fn only_small_shears_are_valid() {
        assert!(warp_valid(&IDENTITY));
        assert!(warp_valid(&[0, 0, 65536 + 8000, 0, 0, 65536]));
        assert!(!warp_valid(&[0, 0, 57344, 8191, -8191, 57344]));
        assert!(!warp_valid(&[0, 0, 65536, 9400, 0, 65536]));
    }

    #[test]
    fn parameters_are_coded_by_their_distance_from_the_previous() {
        // Not global; translation by what was before: is_global, !is_rot_zoom, is_translation,
        // then twice the shortest code of 0.
        let mut bits = BitReader::new(&[0b0101_0000, 0b0000_0000]);
        let mut motion = GlobalMotion {
            params: IDENTITY,
            ..GlobalMotion::default()
        };
        motion.read(&mut bits, true, &IDENTITY).unwrap();
        assert_eq!(
            (motion.gm_type, motion.params),
            (WarpModel::Identity, IDENTITY)
        );
        let previous = [3 << 13, -5 << 13, 0, 0, 0, 0];
        motion.read(&mut bits, true, &previous).unwrap();
        assert_eq!(motion.gm_type, WarpModel::Translation);
        assert_eq!(motion.params[..2], previous[..2]);
        assert_eq!(bits.position(), 1 + 3 + 2 * 4);
    }

    #[test]
    fn every_code_gives_a_parameter_within_its_bounds() {
        let mut state = 1_u32;
        for near in [-4096, -4095, -17, 0, 1, 4000, 4096] {
            for _round in 0..2000 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let bytes = state.to_be_bytes();
                let read = signed_near(&mut BitReader::new(&bytes), -4096, 4097, near).unwrap();
                assert!((-4096..=4096).contains(&read), "{near} {state:#x}: {read}");
            }
        }
    }
}
