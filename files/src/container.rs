//! Files of any format.

use std::path::Path;

use dmaflow_bitstream::fwht::FwhtHeader;
use dmaflow_bitstream::{annex_b, obu};
use dmaflow_containers::elementary::{self, ElementaryMuxer};
use dmaflow_containers::ivf::IvfMuxer;
use dmaflow_containers::{
    Codec, ContainerError, Demuxer, Format, Found, Input, Muxer, Output, ReadOptions, Track, fwht,
    ivf,
};

/// A reader of a file that is what its name says.
pub(crate) fn open(
    input: Input,
    path: &Path,
    options: &ReadOptions,
) -> Result<Box<dyn Demuxer>, ContainerError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let format = extension.and_then(Format::of_extension);
    match format {
        Some(Format::H264) => elementary::read_h264(input, options),
        Some(Format::Hevc) => elementary::read_hevc(input, options),
        Some(Format::Mpeg2) => elementary::read_mpeg2(input, options),
        Some(Format::Obu) => elementary::read_obu(input, options),
        Some(Format::Mjpeg) => elementary::read_mjpeg(input, options),
        Some(Format::Fwht) => fwht::read(input, options),
        Some(Format::Ivf) => ivf::read(input, options),
        _ => Err(ContainerError::UnknownFormat {
            found: Found::Text(path.display().to_string()),
        }),
    }
}

/// A writer of a file of a format.
pub(crate) fn create(
    format: Format,
    track: &Track,
    output: Output,
) -> Result<Box<dyn Muxer>, ContainerError> {
    Ok(match format {
        Format::Ivf => Box::new(IvfMuxer::new(track, output)?),
        _ => Box::new(ElementaryMuxer::new(track, output)?),
    })
}

/// Whether files of a format can hold such packets.
pub(crate) fn holds(format: Format, codec: Codec) -> bool {
    match format {
        Format::Ivf => matches!(codec, Codec::Vp8 | Codec::Vp9 | Codec::Av1 | Codec::Fwht),
        format => only_codec(format) == Some(codec),
    }
}

/// What files of a format hold, where that is always the same.
pub(crate) const fn only_codec(format: Format) -> Option<Codec> {
    match format {
        Format::H264 => Some(Codec::H264),
        Format::Hevc => Some(Codec::Hevc),
        Format::Mpeg2 => Some(Codec::Mpeg2),
        Format::Obu | Format::ObuAnnexB => Some(Codec::Av1),
        Format::Fwht => Some(Codec::Fwht),
        Format::Mjpeg => Some(Codec::Mjpeg),
        _ => None,
    }
}

/// Whether decoding can begin with a packet, where its driver did not say so.
pub(crate) fn is_key(codec: Codec, data: &[u8]) -> bool {
    match codec {
        Codec::Fwht => FwhtHeader::parse(data).is_ok_and(|header| header.is_key()),
        Codec::H264 => annex_b::NalUnits::new(data).any(|nal| nal.h264_type() == 5),
        Codec::Hevc => annex_b::NalUnits::new(data).any(|nal| (16..=23).contains(&nal.hevc_type())),
        Codec::Av1 => obu::is_key_unit(data),
        // The lowest bit of the frame tag (RFC 6386, 9.1).
        Codec::Vp8 => data.first().is_some_and(|byte| byte & 1 == 0),
        Codec::Mjpeg | Codec::Raw(_) => true,
        _ => false,
    }
}
