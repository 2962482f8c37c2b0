//! Open bitstream units of AV1: their headers, and where one ends.
//!
//! Source: AV1 Bitstream & Decoding Process Specification, 4.10.5 (`leb128`), 5.3 (OBUs), 7.5
//! (order of OBUs), 7.6 (random access).

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// What an OBU holds (`obu_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObuType {
    /// `OBU_SEQUENCE_HEADER`.
    SequenceHeader,
    /// `OBU_TEMPORAL_DELIMITER`: a temporal unit begins.
    TemporalDelimiter,
    /// `OBU_FRAME_HEADER`.
    FrameHeader,
    /// `OBU_TILE_GROUP`.
    TileGroup,
    /// `OBU_METADATA`.
    Metadata,
    /// `OBU_FRAME`: a frame header, and a tile group behind it.
    Frame,
    /// `OBU_REDUNDANT_FRAME_HEADER`.
    RedundantFrameHeader,
    /// `OBU_TILE_LIST`.
    TileList,
    /// `OBU_PADDING`.
    Padding,
    /// One that is kept for the future, to be passed over.
    Reserved(u8),
}

impl From<u8> for ObuType {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::SequenceHeader,
            2 => Self::TemporalDelimiter,
            3 => Self::FrameHeader,
            4 => Self::TileGroup,
            5 => Self::Metadata,
            6 => Self::Frame,
            7 => Self::RedundantFrameHeader,
            8 => Self::TileList,
            15 => Self::Padding,
            reserved => Self::Reserved(reserved),
        }
    }
}

/// `obu_header()` (5.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObuHeader {
    /// What it holds.
    pub obu_type: ObuType,
    /// Whether its size stands behind the header.
    pub has_size: bool,
    /// `temporal_id` and `spatial_id`, where it has an extension.
    pub layers: Option<(u8, u8)>,
}

impl ObuHeader {
    /// Reads a header from the beginning of an OBU.
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] where the first bit is not 0.
    pub fn parse(data: &[u8]) -> Result<Self, StreamError> {
        let mut bits = BitReader::new(data);
        if bits.flag("obu_forbidden_bit")? {
            let trouble = Trouble::NotAllowed { found: 1 };
            return Err(BitReader::wrong(0, "obu_forbidden_bit", trouble));
        }
        let obu_type = small(bits.bits(4, "obu_type")?).into();
        let extension = bits.flag("obu_extension_flag")?;
        let has_size = bits.flag("obu_has_size_field")?;
        bits.skip(1, "obu_reserved_1bit")?;
        let mut layers = None;
        if extension {
            let temporal_id = small(bits.bits(3, "temporal_id")?);
            let spatial_id = small(bits.bits(2, "spatial_id")?);
            bits.skip(3, "extension_header_reserved_3bits")?;
            layers = Some((temporal_id, spatial_id));
        }
        Ok(Self {
            obu_type,
            has_size,
            layers,
        })
    }

    /// Bytes of the header, without those of the size.
    #[must_use]
    pub const fn len(&self) -> usize {
        if self.layers.is_some() { 2 } else { 1 }
    }

    /// Never: a header has a byte at least.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// Of few bits, which fit.
fn small(bits: u32) -> u8 {
    u8::try_from(bits).unwrap_or(u8::MAX)
}

/// Reads a number as `leb128()` has it (4.10.5): the number, and how many bytes it took.
///
/// # Errors
/// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for one that has more than 8 bytes or 32 bits.
pub fn leb128(data: &[u8], what: &'static str) -> Result<(u32, usize), StreamError> {
    let mut value = 0_u64;
    for (at, byte) in (0..8).zip(data) {
        value |= u64::from(byte & 0x7f) << (at * 7);
        if byte & 0x80 == 0 {
            let too_large = |_large| {
                let found = i64::try_from(value).unwrap_or(i64::MAX);
                BitReader::wrong(0, what, Trouble::NotAllowed { found })
            };
            return Ok((u32::try_from(value).map_err(too_large)?, at + 1));
        }
    }
    let trouble = if data.len() < 8 {
        Trouble::Ends
    } else {
        Trouble::NotAllowed { found: i64::MAX }
    };
    Err(BitReader::wrong(0, what, trouble))
}

/// Writes a number as `leb128()` has it, in as few bytes as it takes: the bytes, and how many.
#[must_use]
pub fn to_leb128(mut value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut len = 0;
    for byte in &mut bytes {
        let low = small(value & 0x7f);
        value >>= 7;
        *byte = if value == 0 { low } else { low | 0x80 };
        len += 1;
        if value == 0 {
            break;
        }
    }
    (bytes, len)
}

/// Where an OBU of the low-overhead format lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObuExtent {
    /// What it is.
    pub header: ObuHeader,
    /// Bytes before what it holds: of its header and its size.
    pub payload: usize,
    /// Bytes of it in whole. They may be more than there are.
    pub len: usize,
}

impl ObuExtent {
    /// Looks where the OBU ends with which data begins, without a look at what it holds. One that
    /// has no size takes all there is.
    ///
    /// # Errors
    /// [`Trouble::Ends`] and [`Trouble::NotAllowed`] in what stands before the payload.
    pub fn parse(data: &[u8]) -> Result<Self, StreamError> {
        let header = ObuHeader::parse(data)?;
        let behind = data.get(header.len()..).unwrap_or_default();
        if !header.has_size {
            return Ok(Self {
                header,
                payload: header.len(),
                len: data.len(),
            });
        }
        let after = |error: StreamError| error.after(header.len() as u64);
        let (size, bytes) = leb128(behind, "obu_size").map_err(after)?;
        let payload = header.len() + bytes;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        Ok(Self {
            header,
            payload,
            len: payload.saturating_add(size),
        })
    }
}

/// One OBU of a temporal unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obu<'d> {
    /// What it is.
    pub header: ObuHeader,
    /// Bytes of the unit before it.
    pub offset: usize,
    /// Bytes of the unit before what it holds.
    pub payload_offset: usize,
    /// What it holds, trailing bits included.
    pub payload: &'d [u8],
}

/// The OBUs of a temporal unit in the low-overhead format. Only the last may be without a size.
/// After an error nothing more comes.
#[derive(Clone, Debug)]
pub struct Obus<'d> {
    data: &'d [u8],
    next: usize,
}

impl<'d> Obus<'d> {
    /// Of a temporal unit.
    #[must_use]
    pub const fn new(data: &'d [u8]) -> Self {
        Self { data, next: 0 }
    }
}

impl<'d> Iterator for Obus<'d> {
    type Item = Result<Obu<'d>, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.next;
        let rest = self.data.get(offset..).filter(|rest| !rest.is_empty())?;
        self.next = self.data.len();
        let extent = match ObuExtent::parse(rest) {
            Ok(extent) => extent,
            Err(error) => return Some(Err(error.after(offset as u64))),
        };
        let Some(payload) = rest.get(extent.payload..extent.len) else {
            let error = BitReader::wrong(0, "obu_size", Trouble::Ends);
            return Some(Err(error.after((offset + extent.header.len()) as u64)));
        };
        self.next = offset + extent.len;
        Some(Ok(Obu {
            header: extent.header,
            offset,
            payload_offset: offset + extent.payload,
            payload,
        }))
    }
}

/// Whether decoding can begin with a temporal unit: whether it brings a sequence header, and its
/// first frame is a key frame that is shown (7.6.2). A little of the unit's beginning suffices;
/// what cannot be told from it is answered with no.
///
/// A key frame that is shown later only (the "delayed random access point") is not counted.
#[must_use]
pub fn is_key_unit(beginning: &[u8]) -> bool {
    let mut next = 0;
    let mut reduced = None;
    while let Some(rest) = beginning.get(next..)
        && let Ok(extent) = ObuExtent::parse(rest)
    {
        let end = extent.len.min(rest.len());
        let payload = rest.get(extent.payload..end).unwrap_or_default();
        match extent.header.obu_type {
            // seq_profile, still_picture, reduced_still_picture_header.
            ObuType::SequenceHeader => reduced = payload.first().map(|first| first & 0x08 != 0),
            ObuType::Frame | ObuType::FrameHeader => {
                // show_existing_frame, frame_type (0 is KEY_FRAME), show_frame.
                let first = payload.first().copied();
                return first
                    .zip(reduced)
                    .is_some_and(|(first, reduced)| reduced || first & 0xf0 == 0x10);
            }
            _ => {}
        }
        next = next.saturating_add(extent.len);
    }
    false
}

/// Whether a temporal unit in the low-overhead format has a frame that is shown. One that has none
/// is not whole (7.5).
#[must_use]
pub fn shows_frame(unit: &[u8]) -> bool {
    let mut reduced = false;
    for obu in Obus::new(unit).map_while(Result::ok) {
        let first = obu.payload.first().copied();
        match obu.header.obu_type {
            ObuType::SequenceHeader => reduced = first.is_some_and(|first| first & 0x08 != 0),
            ObuType::Frame | ObuType::FrameHeader => {
                // show_existing_frame, two bits of frame_type, show_frame.
                let shown = |first| reduced || first & 0x80 != 0 || first & 0x10 != 0;
                if first.is_some_and(shown) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written_and_no_longer_than_allowed() {
        for value in [0, 1, 127, 128, 300, 1 << 14, 1 << 21, 1 << 28, u32::MAX] {
            let (bytes, len) = to_leb128(value);
            assert_eq!(leb128(&bytes[..len], "v"), Ok((value, len)));
            let error = leb128(&bytes[..len - 1], "v").unwrap_err();
            assert_eq!(error.trouble, Trouble::Ends);
        }
        // Eight bytes where one would do are allowed, nine are not, nor are 33 bits.
        let padded = [0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(leb128(&padded, "v"), Ok((5, 8)));
        for wrong in [&[0x80; 9][..], &[0x80, 0x80, 0x80, 0x80, 0x10]] {
            let error = leb128(wrong, "v").unwrap_err();
            assert!(matches!(error.trouble, Trouble::NotAllowed { .. }));
        }
    }

    #[test]
    fn a_unit_falls_into_its_obus() {
        // A temporal delimiter, a sequence header with an extension, a frame without a size.
        let unit = [0x12, 0x00, 0x0e, 0x28, 0x02, 0x02, 0xbb, 0x30, 0x10, 0x11];
        let obus: Vec<_> = Obus::new(&unit).map(Result::unwrap).collect();
        let types = obus.iter().map(|obu| obu.header.obu_type);
        assert!(types.eq([
            ObuType::TemporalDelimiter,
            ObuType::SequenceHeader,
            ObuType::Frame
        ]));
        assert_eq!(obus[1].header.layers, Some((1, 1)));
        assert_eq!((obus[1].offset, obus[1].payload), (2, &[0x02, 0xbb][..]));
        assert_eq!(obus[2].payload, [0x10, 0x11]);
        assert!(is_key_unit(&unit));
        assert!(shows_frame(&unit));
        assert!(!shows_frame(&unit[..7]));
        assert!(!is_key_unit(&unit[..8]), "the frame is not in view");
        assert!(!is_key_unit(&unit[7..]), "there is no sequence header");
        let reduced = [0x0a, 0x01, 0x18, 0x32, 0x01, 0x00];
        assert!(is_key_unit(&reduced) && !is_key_unit(&reduced[..5]));
    }

    #[test]
    fn an_obu_that_is_longer_than_its_unit_is_told() {
        let unit = [0x12, 0x00, 0x32, 0x05, 0x00];
        let mut obus = Obus::new(&unit);
        assert!(obus.next().unwrap().is_ok());
        let error = obus.next().unwrap().unwrap_err();
        assert_eq!((error.bit, error.trouble), (24, Trouble::Ends));
        assert!(obus.next().is_none());
        let forbidden = Obus::new(&[0x80]).next().unwrap().unwrap_err();
        assert_eq!(forbidden.what, "obu_forbidden_bit");
    }
}
