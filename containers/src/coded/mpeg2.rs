//! MPEG-2: what a sequence header says (ITU-T H.262, 6.2.2).

use dmaflow_bitstream::{BitReader, StreamError};

/// The last byte of a start code: a picture, a sequence's header, an extension.
const PICTURE: u8 = 0x00;
const GROUP: u8 = 0xb8;
const SEQUENCE_HEADER: u8 = 0xb3;
const EXTENSION: u8 = 0xb5;

/// What comes before the first picture or group of pictures, where it begins with a sequence
/// header; otherwise nothing.
pub(crate) fn header(data: &[u8]) -> &[u8] {
    if !data.starts_with(&[0, 0, 1, SEQUENCE_HEADER]) {
        return &[];
    }
    let end = data
        .windows(4)
        .position(|four| matches!(four, [0, 0, 1, PICTURE | GROUP]));
    data.get(..end.unwrap_or(data.len())).unwrap_or_default()
}

/// Width and height of the sequence whose header begins the data.
///
/// # Errors
/// Where it is cut.
pub(crate) fn size(data: &[u8]) -> Result<(u32, u32), StreamError> {
    let mut bits = BitReader::new(data);
    bits.skip(32, "sequence_header_code")?;
    let mut width = bits.bits(12, "horizontal_size_value")?;
    let mut height = bits.bits(12, "vertical_size_value")?;
    let extension = data
        .windows(5)
        .position(|five| matches!(five, [0, 0, 1, EXTENSION, id] if id >> 4 == 1));
    if let Some(extension) = extension.and_then(|at| data.get(at + 4..)) {
        let mut bits = BitReader::new(extension);
        // Its number, profile and level, progressive or not, chroma format.
        bits.skip(4 + 8 + 1 + 2, "chroma_format")?;
        width |= bits.bits(2, "horizontal_size_extension")? << 12;
        height |= bits.bits(2, "vertical_size_extension")? << 12;
    }
    Ok((width, height))
}
