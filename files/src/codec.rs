//! Codecs of files as formats of frames.

use dmaflow_bitstream::annex_b::NalUnits;
use dmaflow_bitstream::fwht::FwhtHeader;
use dmaflow_bitstream::obu;
use dmaflow_containers::{Codec, Format as FileFormat};
use dmaflow_core::format::Format;
use dmaflow_core::fourcc::FourCc;

/// What compressed frames are called that hold packets of a codec.
const NAMES: [(Codec, &str); 8] = [
    (Codec::H264, "H264"),
    (Codec::Hevc, "HEVC"),
    (Codec::Vp8, "VP8"),
    (Codec::Vp9, "VP9"),
    (Codec::Av1, "AV1"),
    (Codec::Mpeg2, "MPEG2"),
    (Codec::Fwht, "FWHT"),
    (Codec::Mjpeg, "MJPEG"),
];

/// The format of frames that hold such packets; `None` for pictures of an unknown one.
pub(crate) fn format_of(codec: Codec) -> Option<Format> {
    if let Codec::Raw(code) = codec {
        return Format::from_drm(FourCc::from_u32(code));
    }
    let (_codec, name) = NAMES.iter().find(|(known, _name)| *known == codec)?;
    name.parse().ok()
}

/// What such frames are in a file; `None` where no file holds them.
pub(crate) fn codec_of(format: Format) -> Option<Codec> {
    if !format.planes().is_empty() {
        return format.drm().map(|code| Codec::Raw(code.to_u32()));
    }
    let known = NAMES.iter().find(|(_codec, name)| *name == format.name());
    known.map(|(codec, _name)| *codec).or_else(|| {
        // What V4L2 calls motion JPEG and single pictures is the same in a file.
        (format.name() == "JPEG").then_some(Codec::Mjpeg)
    })
}

/// What files of a format hold, where that is always the same.
pub(crate) const fn only_codec(format: FileFormat) -> Option<Codec> {
    match format {
        FileFormat::H264 => Some(Codec::H264),
        FileFormat::Hevc => Some(Codec::Hevc),
        FileFormat::Mpeg2 => Some(Codec::Mpeg2),
        FileFormat::Obu | FileFormat::ObuAnnexB => Some(Codec::Av1),
        FileFormat::Fwht => Some(Codec::Fwht),
        FileFormat::Mjpeg => Some(Codec::Mjpeg),
        FileFormat::Ivf
        | FileFormat::Mp4
        | FileFormat::Matroska
        | FileFormat::Y4m
        | FileFormat::Raw => None,
    }
}

/// Whether files of a format can hold such packets.
pub(crate) fn holds(format: FileFormat, codec: Codec) -> bool {
    use Codec::{Av1, Fwht, H264, Hevc, Mjpeg, Mpeg2, Raw, Vp8, Vp9};
    match format {
        FileFormat::Ivf => matches!(codec, Vp8 | Vp9 | Av1 | Fwht),
        FileFormat::Mp4 => matches!(codec, H264 | Hevc | Vp8 | Vp9 | Av1 | Mpeg2 | Mjpeg),
        FileFormat::Matroska => matches!(codec, H264 | Hevc | Vp8 | Vp9 | Av1 | Mpeg2 | Mjpeg),
        FileFormat::Y4m => matches!(codec, Raw(code) if is_in_y4m(code)),
        FileFormat::Raw => matches!(codec, Raw(_)),
        format => only_codec(format) == Some(codec),
    }
}

/// Whether Y4M has a name for such pictures: those with a plane a component, and grey ones.
fn is_in_y4m(code: u32) -> bool {
    const CODES: [&[u8; 4]; 9] = [
        b"YU12", b"YU16", b"YU24", b"YU11", b"R8  ", b"S010", b"S210", b"S410", b"R10 ",
    ];
    CODES.contains(&&code.to_le_bytes())
}

/// Whether decoding can begin with a packet, where its driver did not say so.
pub(crate) fn is_key(codec: Codec, data: &[u8]) -> bool {
    match codec {
        Codec::Fwht => FwhtHeader::parse(data).is_ok_and(|header| header.is_key()),
        Codec::H264 => NalUnits::new(data).any(|nal| nal.h264_type() == 5),
        Codec::Hevc => NalUnits::new(data).any(|nal| (16..=23).contains(&nal.hevc_type())),
        Codec::Av1 => obu::is_key_unit(data),
        // The lowest bit of the frame tag (RFC 6386, 9.1).
        Codec::Vp8 => data.first().is_some_and(|byte| byte & 1 == 0),
        Codec::Mjpeg | Codec::Raw(_) => true,
        Codec::Vp9 | Codec::Mpeg2 => false,
    }
}

/// The most bytes that a compressed picture of a size takes: more than its pixels take only what
/// is made to be as long as can be.
pub(crate) fn most_bytes(codec: Codec, (width, height): (u32, u32)) -> u32 {
    /// Headers, and what drivers ask for at least.
    const LEAST: u32 = 256 << 10;
    // FWHT stores four samples a pixel as they are, and drivers ask for room for that.
    let samples = if codec == Codec::Fwht { 4 } else { 3 };
    let pixels = width.saturating_mul(height);
    pixels
        .saturating_mul(samples)
        .saturating_add(4096)
        .max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_a_format_and_back() {
        for (codec, _name) in NAMES {
            let format = format_of(codec).unwrap();
            assert_eq!(codec_of(format), Some(codec), "{format}");
        }
        let raw = codec_of(Format::NV12).unwrap();
        assert_eq!(format_of(raw), Some(Format::NV12));
        assert_eq!(codec_of("JPEG".parse().unwrap()), Some(Codec::Mjpeg));
        assert_eq!(codec_of("H264_SLICE".parse().unwrap()), None);
    }

    #[test]
    fn y4m_holds_what_has_a_plane_a_component() {
        let held = |format: Format| holds(FileFormat::Y4m, codec_of(format).unwrap());
        let found: Vec<_> = Format::all()
            .filter(|format| codec_of(*format).is_some_and(|codec| holds(FileFormat::Y4m, codec)))
            .collect();
        assert!(!found.is_empty());
        assert!(held("YUV420".parse().unwrap()), "{found:?}");
        assert!(!held(Format::NV12) && !held(Format::XRGB8888));
    }
}
