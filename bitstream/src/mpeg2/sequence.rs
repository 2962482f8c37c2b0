//! Sequences and groups of pictures (6.2.2.1, 6.2.2.3, 6.2.2.6).

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

use super::matrices::Matrices;

/// `chroma_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChromaFormat {
    /// 4:2:0.
    Yuv420,
    /// 4:2:2.
    Yuv422,
    /// 4:4:4.
    Yuv444,
}

/// A sequence header, and what its extension adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct SequenceHeader {
    pub horizontal_size: u16,
    pub vertical_size: u16,
    pub vbv_buffer_size: u32,
    pub profile_and_level_indication: u8,
    pub progressive_sequence: bool,
    pub chroma_format: ChromaFormat,
    pub low_delay: bool,
    /// What it loads, otherwise the defaults.
    pub matrices: Matrices,
}

impl SequenceHeader {
    /// Reads `sequence_header()` behind its start code. What its extension has to say is as in
    /// MPEG-1 until that is read.
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for a size of zero or a wrong marker.
    pub fn read(payload: &[u8]) -> Result<Self, StreamError> {
        let bits = &mut BitReader::new(payload);
        let horizontal_size = size(bits, "horizontal_size_value")?;
        let vertical_size = size(bits, "vertical_size_value")?;
        bits.skip(4, "aspect_ratio_information")?;
        bits.skip(4, "frame_rate_code")?;
        bits.skip(18, "bit_rate_value")?;
        marker(bits)?;
        let vbv_buffer_size = bits.bits(10, "vbv_buffer_size_value")?;
        bits.skip(1, "constrained_parameters_flag")?;
        let matrices = Matrices::of_sequence(bits)?;
        Ok(Self {
            horizontal_size,
            vertical_size,
            vbv_buffer_size,
            profile_and_level_indication: 0,
            progressive_sequence: true,
            chroma_format: ChromaFormat::Yuv420,
            low_delay: false,
            matrices,
        })
    }

    /// Adds what `sequence_extension()` says, of which `bits` stand behind the identifier.
    ///
    /// # Errors
    /// [`Trouble::Ends`]; [`Trouble::NotAllowed`] for a value that is reserved, a size of zero or
    /// a wrong marker.
    pub fn extend(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let profile_and_level = bits.bits(8, "profile_and_level_indication")?;
        self.profile_and_level_indication = u8::try_from(profile_and_level).unwrap_or(u8::MAX);
        self.progressive_sequence = bits.flag("progressive_sequence")?;
        let at = bits.position();
        self.chroma_format = match bits.bits(2, "chroma_format")? {
            1 => ChromaFormat::Yuv420,
            2 => ChromaFormat::Yuv422,
            3 => ChromaFormat::Yuv444,
            _ => {
                let trouble = Trouble::NotAllowed { found: 0 };
                return Err(BitReader::wrong(at, "chroma_format", trouble));
            }
        };
        for (size, what) in [
            (&mut self.horizontal_size, "horizontal_size_extension"),
            (&mut self.vertical_size, "vertical_size_extension"),
        ] {
            let at = bits.position();
            let more = bits.bits(2, what)?;
            *size |= u16::try_from(more << 12).unwrap_or_default();
            if *size == 0 {
                return Err(BitReader::wrong(at, what, Trouble::NotAllowed { found: 0 }));
            }
        }
        bits.skip(12, "bit_rate_extension")?;
        marker(bits)?;
        self.vbv_buffer_size |= bits.bits(8, "vbv_buffer_size_extension")? << 10;
        self.low_delay = bits.flag("low_delay")?;
        Ok(())
    }
}

/// A group of pictures header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct GroupOfPictures {
    pub closed_gop: bool,
    pub broken_link: bool,
}

impl GroupOfPictures {
    /// Reads `group_of_pictures_header()` behind its start code.
    ///
    /// # Errors
    /// [`Trouble::Ends`].
    pub fn read(payload: &[u8]) -> Result<Self, StreamError> {
        let bits = &mut BitReader::new(payload);
        bits.skip(25, "time_code")?;
        Ok(Self {
            closed_gop: bits.flag("closed_gop")?,
            broken_link: bits.flag("broken_link")?,
        })
    }
}

/// The lower bits of a size: zero where only its extension is not.
fn size(bits: &mut BitReader<'_>, what: &'static str) -> Result<u16, StreamError> {
    Ok(u16::try_from(bits.bits(12, what)?).unwrap_or_default())
}

fn marker(bits: &mut BitReader<'_>) -> Result<(), StreamError> {
    let at = bits.position();
    if bits.flag("marker_bit")? {
        return Ok(());
    }
    let trouble = Trouble::NotAllowed { found: 0 };
    Err(BitReader::wrong(at, "marker_bit", trouble))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 720x576, a buffer of 112.
    const HEADER: [u8; 8] = [0x2d, 0x02, 0x40, 0x23, 0x00, 0x00, 0x23, 0x80];

    #[test]
    fn an_extension_adds_upper_bits() {
        let mut sequence = SequenceHeader::read(&HEADER).unwrap();
        assert_eq!(
            (sequence.horizontal_size, sequence.vertical_size),
            (720, 576)
        );
        assert_eq!(sequence.vbv_buffer_size, 112);
        // Main profile, interlaced, 4:2:2, widths of 8192 more, a buffer of 1024 more.
        let extension = [0x48, 0b0101_0000, 0x00, 0x10, 0x10];
        sequence.extend(&mut BitReader::new(&extension)).unwrap();
        assert_eq!(
            (sequence.horizontal_size, sequence.vertical_size),
            (720 + 8192, 576)
        );
        assert_eq!(sequence.vbv_buffer_size, 112 + 1024);
        assert_eq!(sequence.chroma_format, ChromaFormat::Yuv422);
        assert!(!sequence.progressive_sequence && !sequence.low_delay);
    }

    #[test]
    fn wrong_values_are_found_where_they_stand() {
        let mut marker = HEADER;
        marker[6] &= !0x20;
        let error = SequenceHeader::read(&marker).unwrap_err();
        assert_eq!((error.bit, error.what), (50, "marker_bit"));
        let mut none = SequenceHeader::read(&HEADER).unwrap();
        none.vertical_size = 0;
        let extension = [0x48, 0b0010_0000, 0x00, 0x01, 0x00, 0x00];
        let error = none.extend(&mut BitReader::new(&extension)).unwrap_err();
        assert_eq!((error.bit, error.what), (13, "vertical_size_extension"));
        let reserved = [0x48, 0x00, 0x00, 0x01, 0x00, 0x00];
        let error = none.extend(&mut BitReader::new(&reserved)).unwrap_err();
        assert_eq!((error.bit, error.what), (9, "chroma_format"));
    }
}
