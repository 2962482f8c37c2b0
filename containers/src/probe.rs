//! What a file is: by its content, then by its name.

use dmaflow_bitstream::annex_b::NalUnits;
use dmaflow_bitstream::fwht::FWHT_MAGIC;
use dmaflow_bitstream::obu::{ObuHeader, ObuType, leb128};

use crate::format::Format;

/// Bytes of a file's beginning that suffice.
pub const PROBED: usize = 4096;

/// Says what a file is by its beginning, or by the extension of its name where that says nothing.
/// Raw pictures are known by their name only.
#[must_use]
pub fn probe(beginning: &[u8], extension: Option<&str>) -> Option<Format> {
    let named = extension.and_then(Format::of_extension);
    if named == Some(Format::Raw) {
        return named;
    }
    by_content(beginning).or(named)
}

fn by_content(beginning: &[u8]) -> Option<Format> {
    let magic: [(&[u8], Format); 5] = [
        (b"DKIF", Format::Ivf),
        (b"YUV4MPEG2 ", Format::Y4m),
        (&[0x1a, 0x45, 0xdf, 0xa3], Format::Matroska),
        (&FWHT_MAGIC, Format::Fwht),
        (&[0xff, 0xd8, 0xff], Format::Mjpeg),
    ];
    let known = magic
        .into_iter()
        .find(|(magic, _)| beginning.starts_with(magic));
    if let Some((_, format)) = known {
        return Some(format);
    }
    if is_mp4(beginning) {
        return Some(Format::Mp4);
    }
    if is_obu(beginning) {
        return Some(Format::Obu);
    }
    if is_obu_annex_b(beginning) {
        return Some(Format::ObuAnnexB);
    }
    start_codes(beginning)
}

/// A box that files begin with.
fn is_mp4(beginning: &[u8]) -> bool {
    let kind = beginning.get(4..8).unwrap_or_default();
    let kinds: [&[u8]; 7] = [
        b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip",
    ];
    kinds.contains(&kind)
}

/// An empty temporal delimiter with a size, and an OBU with a size behind it.
fn is_obu(beginning: &[u8]) -> bool {
    let rest = match beginning {
        [0x12, 0x00, rest @ ..] => rest,
        [0x16, _, 0x00, rest @ ..] => rest,
        _ => return false,
    };
    ObuHeader::parse(rest)
        .is_ok_and(|header| header.has_size && !matches!(header.obu_type, ObuType::Reserved(_)))
}

/// Sizes within sizes, and a temporal delimiter.
fn is_obu_annex_b(beginning: &[u8]) -> bool {
    let mut rest = beginning;
    let mut outer = u32::MAX;
    for what in ["temporal_unit_size", "frame_unit_size", "obu_length"] {
        let Ok((size, bytes)) = leb128(rest, what) else {
            return false;
        };
        if size == 0 || size > outer {
            return false;
        }
        outer = size - u32::from(outer == u32::MAX);
        rest = rest.get(bytes..).unwrap_or_default();
    }
    let header = ObuHeader::parse(rest);
    header.is_ok_and(|header| {
        let payload = usize::from(header.has_size);
        let len = usize::try_from(outer).unwrap_or(usize::MAX);
        header.obu_type == ObuType::TemporalDelimiter && len == header.len() + payload
    })
}

/// MPEG-2, H.264 or HEVC, by what stands behind start codes.
fn start_codes(beginning: &[u8]) -> Option<Format> {
    let zeros = beginning.iter().take_while(|&&byte| byte == 0).count();
    if zeros < 2 || beginning.get(zeros) != Some(&1) {
        return None;
    }
    let (mut h264, mut hevc) = (0, 0);
    for unit in NalUnits::new(beginning) {
        match *unit.data {
            // A sequence header or a group, which start with what NAL units must not.
            [0xb3 | 0xb8, ..] => return Some(Format::Mpeg2),
            // Parameter sets are sure: a profile that is known, or layer 0 and temporal id 1.
            [0x67 | 0x47 | 0x27, profile, ..] if is_h264_profile(profile) => {
                return Some(Format::H264);
            }
            [0x40 | 0x42, 0x01, ..] => return Some(Format::Hevc),
            // Access unit delimiters, SEI, slices.
            [0x09, ..] | [0x06, ..] | [0x65 | 0x45 | 0x25, ..] | [0x41 | 0x61 | 0x21, ..] => {
                h264 += 1;
            }
            [first, 0x01, ..] if matches!(first >> 1, 0..=9 | 16..=21 | 34 | 35 | 39) => hevc += 1,
            _ => {}
        }
    }
    match (h264, hevc) {
        (0, 0) => None,
        _ if h264 >= hevc => Some(Format::H264),
        _ => Some(Format::Hevc),
    }
}

const fn is_h264_profile(profile: u8) -> bool {
    matches!(
        profile,
        44 | 66 | 77 | 83 | 86 | 88 | 100 | 110 | 118 | 122 | 128 | 138 | 139 | 134 | 135 | 244
    )
}
