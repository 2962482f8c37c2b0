//! What a segment says before its clusters: times, and the first track of pictures (5.1.2, 5.1.4).

use dmaflow_bitstream::StreamError;

use super::element::{Element, Elements, unexpected, unsupported};
use super::id;
use crate::coded::record;
use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::packet::{Codec, Colour, Track};

/// How the file's times become the track's: where a second is a whole number of its units they are
/// taken as they are, otherwise in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    scale: u64,
}

const SECOND: u64 = 1_000_000_000;

impl Times {
    /// Of `Info`, where it is.
    pub(super) fn read(info: Option<Elements<'_>>) -> Result<Self, ContainerError> {
        let mut scale = 1_000_000;
        if let Some(mut elements) = info {
            while let Some(element) = elements.next()? {
                if element.id == id::TIMESTAMP_SCALE {
                    scale = element.number()?;
                    if scale == 0 || scale > SECOND {
                        return Err(unexpected(element.offset, "TimestampScale", scale));
                    }
                }
            }
        }
        Ok(Self { scale })
    }

    pub(super) fn timescale(self) -> u32 {
        let whole = SECOND.is_multiple_of(self.scale);
        let timescale = if whole { SECOND / self.scale } else { SECOND };
        u32::try_from(timescale).unwrap_or(u32::MAX)
    }

    /// A time of the file in the track's units.
    pub(super) fn time(self, time: i64) -> i64 {
        if SECOND.is_multiple_of(self.scale) {
            return time;
        }
        time.saturating_mul(i64::try_from(self.scale).unwrap_or(i64::MAX))
    }

    /// A time of the track in the file's units, not later.
    pub(super) fn untime(self, time: i64) -> i64 {
        if SECOND.is_multiple_of(self.scale) {
            return time;
        }
        time.div_euclid(i64::try_from(self.scale).unwrap_or(i64::MAX))
    }

    /// Nanoseconds in the track's units.
    fn nanoseconds(self, nanoseconds: u64) -> u32 {
        let unit = SECOND / u64::from(self.timescale());
        u32::try_from((nanoseconds + unit / 2) / unit.max(1)).unwrap_or(u32::MAX)
    }
}

/// The first track of pictures.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) track: Track,
    pub(super) number: u64,
    pub(super) length_size: Option<u8>,
    /// What the data of all packets begins with, and the file leaves out.
    pub(super) prefix: Vec<u8>,
    /// How long a picture is shown, in the track's units.
    pub(super) duration: u32,
}

impl Header {
    /// Of `Tracks`.
    pub(super) fn read(tracks: Elements<'_>, times: Times) -> Result<Self, ContainerError> {
        const PICTURES: u64 = 1;
        let mut all = tracks;
        let mut offset = 0;
        while let Some(entry) = all.next()? {
            offset = entry.offset;
            if entry.id != id::TRACK_ENTRY {
                continue;
            }
            let mut elements = entry.elements();
            while let Some(element) = elements.next()? {
                if element.id == id::TRACK_TYPE && element.number()? == PICTURES {
                    return Self::of_entry(&entry, times);
                }
            }
        }
        Err(unexpected(offset, "a track of pictures", Found::End))
    }

    fn of_entry(entry: &Element<'_>, times: Times) -> Result<Self, ContainerError> {
        let mut number = 0;
        let mut codec = None;
        let mut private = None;
        let mut nanoseconds = 0;
        let mut prefix = Vec::new();
        let mut track = Track::new(Codec::H264, times.timescale());
        let mut elements = entry.elements();
        while let Some(element) = elements.next()? {
            match element.id {
                id::TRACK_NUMBER => number = element.number()?,
                id::CODEC_ID => codec = Some(element),
                id::CODEC_PRIVATE => private = Some(element),
                id::DEFAULT_DURATION => nanoseconds = element.number()?,
                id::VIDEO => video(&element, &mut track)?,
                id::CONTENT_ENCODINGS => prefix = encodings(&element)?,
                _ => {}
            }
        }
        let codec = codec.ok_or_else(|| unexpected(entry.offset, "CodecID", Found::End))?;
        track.codec = codec_of(&codec.text())
            .ok_or_else(|| unsupported(codec.offset, "CodecID", Found::Text(codec.text())))?;
        let mut length_size = None;
        if let Some(private) = private {
            let failed = |source: StreamError| ContainerError::Stream {
                format: Format::Matroska,
                offset: private.offset,
                source,
            };
            let record = record::read(track.codec, private.data).map_err(failed)?;
            track.header = record.header;
            length_size = record.length_size;
        } else if matches!(track.codec, Codec::H264 | Codec::Hevc) {
            return Err(unexpected(entry.offset, "CodecPrivate", Found::End));
        }
        if let Some(rate) = rate(nanoseconds) {
            track.rate = Some(rate);
        }
        Ok(Self {
            track,
            number,
            length_size,
            prefix,
            duration: times.nanoseconds(nanoseconds.min(SECOND * 3600)),
        })
    }
}

fn codec_of(id: &str) -> Option<Codec> {
    Some(match id {
        "V_MPEG4/ISO/AVC" => Codec::H264,
        "V_MPEGH/ISO/HEVC" => Codec::Hevc,
        "V_VP8" => Codec::Vp8,
        "V_VP9" => Codec::Vp9,
        "V_AV1" => Codec::Av1,
        "V_MPEG2" => Codec::Mpeg2,
        "V_MJPEG" => Codec::Mjpeg,
        _ => return None,
    })
}

/// Pictures a second, of nanoseconds each: those of television where they are meant.
fn rate(nanoseconds: u64) -> Option<(u32, u32)> {
    const USUAL: [(u32, u32); 8] = [
        (24_000, 1001),
        (24, 1),
        (25, 1),
        (30_000, 1001),
        (30, 1),
        (50, 1),
        (60_000, 1001),
        (60, 1),
    ];
    if nanoseconds == 0 {
        return None;
    }
    let near = |&&(rate, per): &&(u32, u32)| {
        let exact = SECOND * u64::from(per) / u64::from(rate);
        exact.abs_diff(nanoseconds) <= 1
    };
    let exact = u32::try_from(nanoseconds).ok();
    let exact = exact.map(|nanoseconds| (1_000_000_000, nanoseconds));
    USUAL.iter().find(near).copied().or(exact)
}

fn video(video: &Element<'_>, track: &mut Track) -> Result<(), ContainerError> {
    let mut pixels = (0, 0);
    let mut shown = (0, 0);
    let mut unit = 0;
    let mut elements = video.elements();
    while let Some(element) = elements.next()? {
        let side = || Ok::<_, ContainerError>(u32::try_from(element.number()?).unwrap_or(0));
        match element.id {
            id::PIXEL_WIDTH => pixels.0 = side()?,
            id::PIXEL_HEIGHT => pixels.1 = side()?,
            id::DISPLAY_WIDTH => shown.0 = side()?,
            id::DISPLAY_HEIGHT => shown.1 = side()?,
            id::DISPLAY_UNIT => unit = element.number()?,
            id::COLOUR => track.colour = Some(colour(&element)?),
            _ => {}
        }
    }
    track.size = Some(pixels).filter(|&(width, height)| width > 0 && height > 0);
    // In pixels, or as an aspect ratio.
    if matches!(unit, 0 | 3)
        && let Some((width, height)) = track.size
        && shown.0 > 0
        && shown.1 > 0
    {
        let across = u64::from(shown.0) * u64::from(height);
        let down = u64::from(shown.1) * u64::from(width);
        let common = common_divisor(across, down);
        let ratio = (u32::try_from(across / common), u32::try_from(down / common));
        if let (Ok(across), Ok(down)) = ratio {
            track.pixel_aspect = Some((across, down));
        }
    }
    Ok(())
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

fn colour(colour: &Element<'_>) -> Result<Colour, ContainerError> {
    let mut said = Colour::default();
    let mut elements = colour.elements();
    while let Some(element) = elements.next()? {
        let number = || Ok::<_, ContainerError>(u8::try_from(element.number()?).unwrap_or(2));
        match element.id {
            id::MATRIX_COEFFICIENTS => said.matrix = number()?,
            id::TRANSFER_CHARACTERISTICS => said.transfer = number()?,
            id::PRIMARIES => said.primaries = number()?,
            id::RANGE => {
                said.full_range = match element.number()? {
                    1 => Some(false),
                    2 => Some(true),
                    _ => None,
                }
            }
            _ => {}
        }
    }
    Ok(said)
}

/// What was left out of all packets; other encodings than this are not read.
fn encodings(encodings: &Element<'_>) -> Result<Vec<u8>, ContainerError> {
    const HEADER_STRIPPING: u64 = 3;
    let mut prefix = None;
    let mut all = encodings.elements();
    while let Some(encoding) = all.next()? {
        if encoding.id != id::CONTENT_ENCODING {
            continue;
        }
        let mut algorithm = 0;
        let mut settings: &[u8] = &[];
        let mut scope = 1;
        let mut elements = encoding.elements();
        while let Some(element) = elements.next()? {
            match element.id {
                id::CONTENT_ENCODING_SCOPE => scope = element.number()?,
                id::CONTENT_ENCODING_TYPE if element.number()? != 0 => {
                    let found = element.number()?;
                    return Err(unsupported(element.offset, "ContentEncodingType", found));
                }
                id::CONTENT_COMPRESSION => {
                    let mut compression = element.elements();
                    while let Some(element) = compression.next()? {
                        match element.id {
                            id::CONTENT_COMP_ALGO => algorithm = element.number()?,
                            id::CONTENT_COMP_SETTINGS => settings = element.data,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if algorithm != HEADER_STRIPPING {
            return Err(unsupported(encoding.offset, "ContentCompAlgo", algorithm));
        }
        if scope != 1 || prefix.is_some() {
            return Err(unsupported(encoding.offset, "ContentEncodingScope", scope));
        }
        prefix = Some(settings.to_vec());
    }
    Ok(prefix.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::build::{element, number};
    use super::*;

    fn tracks(content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        // Sound first.
        element(&mut out, id::TRACK_ENTRY, |out| {
            number(out, id::TRACK_NUMBER, 1);
            number(out, id::TRACK_TYPE, 2);
        });
        element(&mut out, id::TRACK_ENTRY, |out| {
            number(out, id::TRACK_NUMBER, 2);
            number(out, id::TRACK_TYPE, 1);
            element(out, id::CODEC_ID, |out| out.extend(b"V_MPEG2\0"));
            content(out);
        });
        out
    }

    fn encoded(algorithm: u64) -> Vec<u8> {
        tracks(|out| {
            element(out, id::CONTENT_ENCODINGS, |out| {
                element(out, id::CONTENT_ENCODING, |out| {
                    element(out, id::CONTENT_COMPRESSION, |out| {
                        number(out, id::CONTENT_COMP_ALGO, algorithm);
                        element(out, id::CONTENT_COMP_SETTINGS, |out| {
                            out.extend([0, 0, 1]);
                        });
                    });
                });
            });
        })
    }

    #[test]
    fn what_is_left_out_of_packets_is_known_and_other_encodings_refused() {
        let times = Times { scale: 1_000_000 };
        let header = Header::read(Elements::new(&encoded(3), 0), times).unwrap();
        assert_eq!((header.number, header.track.codec), (2, Codec::Mpeg2));
        assert_eq!(header.prefix, [0, 0, 1]);
        let zlib = encoded(0);
        let refused = Header::read(Elements::new(&zlib, 0), times).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains("ContentCompAlgo 0 is not supported"),
            "{refused}"
        );
    }

    #[test]
    fn sizes_shown_rates_and_times_are_told() {
        let tracks = tracks(|out| {
            number(out, id::DEFAULT_DURATION, 33_366_667);
            element(out, id::VIDEO, |out| {
                number(out, id::PIXEL_WIDTH, 720);
                number(out, id::PIXEL_HEIGHT, 576);
                number(out, id::DISPLAY_WIDTH, 768);
                number(out, id::DISPLAY_HEIGHT, 576);
            });
        });
        let header = Header::read(Elements::new(&tracks, 0), Times { scale: 1_000_000 }).unwrap();
        assert_eq!(header.track.size, Some((720, 576)));
        assert_eq!(header.track.pixel_aspect, Some((16, 15)));
        assert_eq!(header.track.rate, Some((30_000, 1001)));
        assert_eq!((header.track.timescale, header.duration), (1000, 33));
        // A unit that no whole number of goes into a second.
        let times = Times { scale: 41_708_333 };
        assert_eq!(times.timescale(), 1_000_000_000);
        assert_eq!(times.time(3), 125_124_999);
        assert_eq!(times.untime(125_124_999), 3);
        assert_eq!(times.untime(125_124_998), 2);
    }
}
