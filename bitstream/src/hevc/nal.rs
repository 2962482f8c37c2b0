//! What a NAL unit says of itself (7.3.1.2).

use super::check;
use crate::bits::BitReader;
use crate::error::StreamError;

/// The first two bytes of a NAL unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalHeader {
    /// What is in it.
    pub unit_type: NalType,
    /// Which layer it belongs to; 0 is the only one that is decoded here.
    pub layer_id: u8,
    /// Its temporal sub-layer plus one.
    pub temporal_id_plus1: u8,
}

impl NalHeader {
    /// Reads it.
    ///
    /// # Errors
    /// Of a bit that must be zero, of a temporal layer that must not be, or an end.
    pub fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let begin = bits.position();
        if bits.flag("forbidden_zero_bit")? {
            return Err(check::refuse(begin, "forbidden_zero_bit", 1));
        }
        let unit_type = NalType(check::u8(bits, 6, "nal_unit_type")?);
        let layer_id = check::u8(bits, 6, "nuh_layer_id")?;
        let begin = bits.position();
        let temporal_id_plus1 = check::u8(bits, 3, "nuh_temporal_id_plus1")?;
        if temporal_id_plus1 == 0 || unit_type.is_irap() && temporal_id_plus1 != 1 {
            let what = "nuh_temporal_id_plus1";
            return Err(check::refuse(begin, what, temporal_id_plus1));
        }
        Ok(Self {
            unit_type,
            layer_id,
            temporal_id_plus1,
        })
    }
}

/// `nal_unit_type` (table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NalType(pub u8);

#[expect(missing_docs, reason = "the names are those of table 7-1")]
impl NalType {
    pub const TRAIL_N: Self = Self(0);
    pub const TRAIL_R: Self = Self(1);
    pub const RADL_N: Self = Self(6);
    pub const RADL_R: Self = Self(7);
    pub const RASL_N: Self = Self(8);
    pub const RASL_R: Self = Self(9);
    pub const RSV_VCL_R15: Self = Self(15);
    pub const BLA_W_LP: Self = Self(16);
    pub const BLA_W_RADL: Self = Self(17);
    pub const BLA_N_LP: Self = Self(18);
    pub const IDR_W_RADL: Self = Self(19);
    pub const IDR_N_LP: Self = Self(20);
    pub const CRA: Self = Self(21);
    pub const RSV_IRAP_VCL23: Self = Self(23);
    pub const VPS: Self = Self(32);
    pub const SPS: Self = Self(33);
    pub const PPS: Self = Self(34);
    pub const AUD: Self = Self(35);
    pub const EOS: Self = Self(36);
    pub const EOB: Self = Self(37);
    pub const PREFIX_SEI: Self = Self(39);
    pub const SUFFIX_SEI: Self = Self(40);
}

impl NalType {
    /// A slice segment of a picture, of a type that is not reserved.
    #[must_use]
    pub const fn is_slice(self) -> bool {
        self.0 <= Self::RASL_R.0 || (self.0 >= Self::BLA_W_LP.0 && self.0 <= Self::CRA.0)
    }

    /// Of a picture at which decoding can begin.
    #[must_use]
    pub const fn is_irap(self) -> bool {
        self.0 >= Self::BLA_W_LP.0 && self.0 <= Self::RSV_IRAP_VCL23.0
    }

    /// Of an IDR picture.
    #[must_use]
    pub const fn is_idr(self) -> bool {
        matches!(self, Self::IDR_W_RADL | Self::IDR_N_LP)
    }

    /// Of a BLA picture.
    #[must_use]
    pub const fn is_bla(self) -> bool {
        self.0 >= Self::BLA_W_LP.0 && self.0 <= Self::BLA_N_LP.0
    }

    /// Of a leading picture that may refer to pictures before its IRAP picture.
    #[must_use]
    pub const fn is_rasl(self) -> bool {
        matches!(self, Self::RASL_N | Self::RASL_R)
    }

    /// Of a leading picture that can be decoded after its IRAP picture.
    #[must_use]
    pub const fn is_radl(self) -> bool {
        matches!(self, Self::RADL_N | Self::RADL_R)
    }

    /// Of a picture that no other of the same sub-layer refers to.
    #[must_use]
    pub const fn is_sub_layer_non_reference(self) -> bool {
        self.0 < Self::RSV_VCL_R15.0 && self.0.is_multiple_of(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bytes_say_type_layer_and_sub_layer() {
        let header = NalHeader::read(&mut BitReader::of_nal_unit(&[0x42, 0x01])).unwrap();
        assert_eq!(header.unit_type, NalType::SPS);
        assert_eq!((header.layer_id, header.temporal_id_plus1), (0, 1));
        for bytes in [[0xc2, 0x01], [0x42, 0x00], [0x26, 0x02]] {
            assert!(NalHeader::read(&mut BitReader::of_nal_unit(&bytes)).is_err());
        }
        assert!(NalHeader::read(&mut BitReader::of_nal_unit(&[0x42])).is_err());
    }

    #[test]
    fn kinds_of_slices_are_told_apart() {
        let slices: Vec<u8> = (0..64).filter(|at| NalType(*at).is_slice()).collect();
        assert_eq!(
            slices,
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20, 21]
        );
        let lasting = (0..16).filter(|at| !NalType(*at).is_sub_layer_non_reference());
        assert_eq!(lasting.collect::<Vec<_>>(), [1, 3, 5, 7, 9, 11, 13, 15]);
        assert!(NalType::CRA.is_irap() && !NalType::CRA.is_idr() && !NalType::CRA.is_bla());
    }
}
