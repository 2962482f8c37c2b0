//! Sample descriptions: how a track's pictures are coded (8.5.2, 12.1.3).

use dmaflow_bitstream::StreamError;

use super::boxes::{Content, Kind, unexpected, unsupported};
use crate::coded::record::{self, Record};
use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::packet::{Codec, Colour};

/// What a sample description says.
#[derive(Clone, Debug)]
pub(super) struct SampleEntry {
    pub(super) codec: Codec,
    pub(super) size: (u32, u32),
    pub(super) pixel_aspect: Option<(u32, u32)>,
    pub(super) colour: Option<Colour>,
    pub(super) record: Record,
}

/// Bytes of a visual sample entry before the boxes in it.
const VISUAL: usize = 78;

impl SampleEntry {
    /// The first of a box `stsd`.
    pub(super) fn read(stsd: &Content<'_>) -> Result<Self, ContainerError> {
        let mut list = *stsd;
        list.version()?;
        list.u32("entry_count")?;
        let Some(entry) = list.boxes().next()? else {
            return Err(unexpected(list.offset(), "a sample entry", Found::End));
        };
        let mut boxes = entry;
        boxes.skip(VISUAL);
        let mut codec = codec_of(&entry.kind);
        let mut said = Self {
            codec: Codec::H264,
            size: size(entry)?,
            pixel_aspect: None,
            colour: None,
            record: Record::default(),
        };
        let mut configured = None;
        let mut children = boxes.boxes();
        while let Some(child) = children.next()? {
            match &child.kind {
                b"esds" => {
                    let (object_type, specific) = elementary_stream(child)?;
                    codec = codec_of_object_type(object_type);
                    if codec.is_none() {
                        let offset = child.offset();
                        let found = u64::from(object_type);
                        return Err(unsupported(offset, "objectTypeIndication", found));
                    }
                    configured = specific;
                }
                b"avcC" | b"hvcC" | b"vpcC" | b"av1C" => configured = Some(child),
                b"pasp" => {
                    let mut child = child;
                    let aspect = (child.u32("hSpacing")?, child.u32("vSpacing")?);
                    said.pixel_aspect = Some(aspect).filter(|&(h, v)| h > 0 && v > 0);
                }
                b"colr" => said.colour = colour(child)?.or(said.colour),
                _ => {}
            }
        }
        said.codec = codec.ok_or_else(|| {
            let name = String::from_utf8_lossy(&entry.kind).into_owned();
            unsupported(entry.offset() - 4, "sample entry", Found::Text(name))
        })?;
        said.record = match configured {
            Some(content) => {
                let failed = |source: StreamError| ContainerError::Stream {
                    format: Format::Mp4,
                    offset: content.offset(),
                    source,
                };
                record::read(said.codec, content.bytes()).map_err(failed)?
            }
            None if matches!(said.codec, Codec::H264 | Codec::Hevc) => {
                return Err(unexpected(entry.offset(), "avcC or hvcC", Found::End));
            }
            None => Record::default(),
        };
        Ok(said)
    }
}

fn codec_of(kind: &Kind) -> Option<Codec> {
    Some(match kind {
        b"avc1" | b"avc3" => Codec::H264,
        b"hvc1" | b"hev1" => Codec::Hevc,
        b"vp08" => Codec::Vp8,
        b"vp09" => Codec::Vp9,
        b"av01" => Codec::Av1,
        b"mp2v" | b"m2v1" | b"mpeg" => Codec::Mpeg2,
        b"jpeg" | b"mjpa" => Codec::Mjpeg,
        _ => return None,
    })
}

/// The codecs of `mp4v`, by the registry of object types.
const fn codec_of_object_type(object_type: u8) -> Option<Codec> {
    match object_type {
        0x60..=0x65 => Some(Codec::Mpeg2),
        0x6c => Some(Codec::Mjpeg),
        _ => None,
    }
}

fn size(mut entry: Content<'_>) -> Result<(u32, u32), ContainerError> {
    entry.skip(24);
    Ok((entry.u16("width")?.into(), entry.u16("height")?.into()))
}

fn colour(mut child: Content<'_>) -> Result<Option<Colour>, ContainerError> {
    let kind = child.u32("colour_type")?.to_be_bytes();
    if !matches!(&kind, b"nclx" | b"nclc") {
        return Ok(None);
    }
    let mut number = |what| -> Result<u8, ContainerError> {
        // What H.273 has no number for is as good as not told.
        Ok(u8::try_from(child.u16(what)?).unwrap_or(2))
    };
    Ok(Some(Colour {
        primaries: number("colour_primaries")?,
        transfer: number("transfer_characteristics")?,
        matrix: number("matrix_coefficients")?,
        full_range: match &kind {
            b"nclx" => Some(child.u8("full_range_flag")? & 0x80 != 0),
            _ => None,
        },
    }))
}

/// The object type of an elementary stream's descriptor, and what its decoder is to have first
/// (ISO/IEC 14496-1, 7.2.6).
fn elementary_stream(mut esds: Content<'_>) -> Result<(u8, Option<Content<'_>>), ContainerError> {
    const ES_DESCRIPTOR: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC_INFO: u8 = 5;
    esds.version()?;
    let mut stream = descriptor(&mut esds, ES_DESCRIPTOR)?;
    stream.u16("ES_ID")?;
    let flags = stream.u8("streamDependenceFlag")?;
    if flags & 0x80 != 0 {
        stream.u16("dependsOn_ES_ID")?;
    }
    if flags & 0x40 != 0 {
        let length = stream.u8("URLlength")?;
        stream.skip(length.into());
    }
    if flags & 0x20 != 0 {
        stream.u16("OCR_ES_Id")?;
    }
    let mut config = descriptor(&mut stream, DECODER_CONFIG)?;
    let object_type = config.u8("objectTypeIndication")?;
    config.skip(12);
    let specific = if config.bytes().first() == Some(&DECODER_SPECIFIC_INFO) {
        Some(descriptor(&mut config, DECODER_SPECIFIC_INFO)?)
    } else {
        None
    };
    Ok((object_type, specific))
}

/// The content of a descriptor, which has to be of this kind.
fn descriptor<'d>(content: &mut Content<'d>, tag: u8) -> Result<Content<'d>, ContainerError> {
    let offset = content.offset();
    let found = content.u8("descriptor tag")?;
    if found != tag {
        return Err(unexpected(offset, "a descriptor", u64::from(found)));
    }
    let mut length = 0;
    for _part in 0..4 {
        let part = content.u8("descriptor length")?;
        length = length << 7 | usize::from(part & 0x7f);
        if part & 0x80 == 0 {
            break;
        }
    }
    let mut inner = *content;
    content.skip(length);
    inner.end = content.at;
    Ok(inner)
}
