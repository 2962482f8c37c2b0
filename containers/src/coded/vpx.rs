//! VP8 and VP9: what a key frame says (RFC 6386, 9.1; VP9 bitstream specification, 6.2), and the
//! record `vpcC` (VP Codec ISO Media File Format Binding).

use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::h264::byte;

/// Largest luma pictures of VP9's levels (annex A), and each level's number.
const LEVELS: [(u64, u8); 9] = [
    (36_864, 10),
    (73_728, 11),
    (122_880, 20),
    (245_760, 21),
    (552_960, 30),
    (983_040, 31),
    (2_228_224, 40),
    (8_912_896, 50),
    (35_651_584, 60),
];

/// What a key frame says, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyFrame {
    profile: u8,
    bit_depth: u8,
    /// As the record numbers it.
    chroma_subsampling: u8,
    full_range: bool,
    pub(crate) size: (u32, u32),
}

/// Of a VP8 key frame.
///
/// # Errors
/// Where it is cut, or no key frame.
pub(crate) fn vp8_key_frame(frame: &[u8]) -> Result<KeyFrame, StreamError> {
    let Some(&[tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1]) = frame.first_chunk::<10>() else {
        let trouble = if frame.len() < 10 {
            Trouble::Ends
        } else {
            Trouble::NotAllowed { found: 0 }
        };
        return Err(BitReader::wrong(24, "start_code", trouble));
    };
    if tag & 1 == 1 {
        let trouble = Trouble::NotAllowed { found: 1 };
        return Err(BitReader::wrong(0, "key_frame", trouble));
    }
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Ok(KeyFrame {
        profile: tag >> 1 & 7,
        bit_depth: 8,
        chroma_subsampling: 0,
        full_range: false,
        size: (side(w0, w1), side(h0, h1)),
    })
}

/// Of a VP9 key frame.
///
/// # Errors
/// Where it is cut, or no key frame.
pub(crate) fn vp9_key_frame(frame: &[u8]) -> Result<KeyFrame, StreamError> {
    const SYNC_CODE: u32 = 0x49_8342;
    let mut bits = BitReader::new(frame);
    let expect = |bits: &mut BitReader<'_>, count, value, what| {
        let begin = bits.position();
        let found = bits.bits(count, what)?;
        if found == value {
            return Ok(());
        }
        let found = found.into();
        Err(BitReader::wrong(begin, what, Trouble::NotAllowed { found }))
    };
    expect(&mut bits, 2, 2, "frame_marker")?;
    let low = bits.bits(1, "profile_low_bit")?;
    let profile = byte(bits.bits(1, "profile_high_bit")? << 1 | low);
    if profile == 3 {
        bits.skip(1, "reserved_zero")?;
    }
    expect(&mut bits, 1, 0, "show_existing_frame")?;
    expect(&mut bits, 1, 0, "frame_type")?;
    bits.skip(2, "error_resilient_mode")?;
    expect(&mut bits, 24, SYNC_CODE, "frame_sync_code")?;
    let deep = profile >= 2;
    let bit_depth = if !deep {
        8
    } else if bits.flag("ten_or_twelve_bit")? {
        12
    } else {
        10
    };
    let odd = profile % 2 == 1;
    let rgb = bits.bits(3, "color_space")? == 7;
    let full_range = rgb || bits.flag("color_range")?;
    let mut chroma_subsampling = if rgb { 3 } else { 1 };
    if odd {
        if !rgb {
            let across = bits.flag("subsampling_x")?;
            let down = bits.flag("subsampling_y")?;
            chroma_subsampling = match (across, down) {
                (true, true) => 1,
                (true, false) => 2,
                _ => 3,
            };
        }
        bits.skip(1, "reserved_zero")?;
    }
    let width = bits.bits(16, "frame_width_minus_1")? + 1;
    let height = bits.bits(16, "frame_height_minus_1")? + 1;
    Ok(KeyFrame {
        profile,
        bit_depth,
        chroma_subsampling,
        full_range,
        size: (width, height),
    })
}

/// The record `vpcC`, behind the version and flags that it has as a box.
pub(crate) fn record(frame: &KeyFrame) -> Vec<u8> {
    let area = u64::from(frame.size.0) * u64::from(frame.size.1);
    let level = LEVELS.iter().find(|(most, _)| area <= *most);
    let level = level.map_or(62, |&(_, level)| level);
    let depths = frame.bit_depth << 4 | frame.chroma_subsampling << 1 | u8::from(frame.full_range);
    // Colours are not told (2), and there is no data to begin with.
    vec![1, 0, 0, 0, frame.profile, level, depths, 2, 2, 2, 0, 0]
}
