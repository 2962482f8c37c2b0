//! Elements to write.

use super::id;
use crate::coded::record::Statement;
use crate::packet::{Codec, Track};

/// The one track.
pub(super) const TRACK: u8 = 1;
/// A millisecond, in nanoseconds: the unit that WebM asks for.
pub(super) const TIMESTAMP_SCALE: u64 = 1_000_000;
/// A size that is not known, in eight bytes.
pub(super) const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
/// Bytes of a `SeekHead` of three elements.
pub(super) const SEEK_HEAD: usize = 80;
/// Bytes of a `Duration`.
pub(super) const DURATION: usize = 11;

/// A size in eight bytes.
pub(super) fn size(size: u64) -> [u8; 8] {
    (size & ((1 << 56) - 1) | 1 << 56).to_be_bytes()
}

fn identity(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    out.extend(bytes.iter().skip(zeros));
}

/// Adds an element, whose content is added by a function.
pub(super) fn element(out: &mut Vec<u8>, id: u32, content: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    content(&mut inner);
    identity(out, id);
    match u8::try_from(inner.len()) {
        Ok(short) if short < 0x7f => out.push(0x80 | short),
        _ => out.extend(size(inner.len() as u64)),
    }
    out.extend(inner);
}

pub(super) fn number(out: &mut Vec<u8>, id: u32, number: u64) {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    element(out, id, |out| out.extend(bytes.iter().skip(zeros.min(7))));
}

fn text(out: &mut Vec<u8>, id: u32, text: &str) {
    element(out, id, |out| out.extend(text.as_bytes()));
}

/// An element that says nothing, of so many bytes in all, at least nine.
pub(super) fn void(out: &mut Vec<u8>, bytes: usize) {
    out.push(0xec);
    let rest = bytes.saturating_sub(9);
    out.extend(size(rest as u64));
    out.resize(out.len() + rest, 0);
}

/// Where things lie in what [`beginning`] makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    /// The segment's size, in eight bytes.
    pub(super) segment_size: u64,
    /// The segment's content, which begins with room for a `SeekHead`.
    pub(super) segment: u64,
    pub(super) info: u64,
    /// Room for a `Duration`.
    pub(super) duration: u64,
    pub(super) tracks: u64,
}

/// All that comes before the first cluster.
pub(super) fn beginning(track: &Track, said: &Statement) -> (Vec<u8>, Beginning) {
    let web = matches!(track.codec, Codec::Vp8 | Codec::Vp9 | Codec::Av1);
    let mut out = Vec::new();
    element(&mut out, id::EBML, |out| {
        number(out, id::EBML_VERSION, 1);
        number(out, id::EBML_READ_VERSION, 1);
        number(out, id::EBML_MAX_ID_LENGTH, 4);
        number(out, id::EBML_MAX_SIZE_LENGTH, 8);
        text(out, id::DOC_TYPE, if web { "webm" } else { "matroska" });
        number(out, id::DOC_TYPE_VERSION, 4);
        number(out, id::DOC_TYPE_READ_VERSION, 2);
    });
    identity(&mut out, id::SEGMENT);
    let segment_size = out.len() as u64;
    out.extend(UNKNOWN);
    let segment = out.len() as u64;
    void(&mut out, SEEK_HEAD);
    let info = out.len() as u64;
    element(&mut out, id::INFO, |out| {
        number(out, id::TIMESTAMP_SCALE, TIMESTAMP_SCALE);
        text(out, id::MUXING_APP, "dmaflow");
        text(out, id::WRITING_APP, "dmaflow");
        void(out, DURATION);
    });
    let duration = (out.len() - DURATION) as u64;
    let tracks = out.len() as u64;
    element(&mut out, id::TRACKS, |out| {
        element(out, id::TRACK_ENTRY, |out| entry(out, track, said));
    });
    let places = Beginning {
        segment_size,
        segment,
        info,
        duration,
        tracks,
    };
    (out, places)
}

fn entry(out: &mut Vec<u8>, track: &Track, said: &Statement) {
    let codec = match track.codec {
        Codec::H264 => "V_MPEG4/ISO/AVC",
        Codec::Hevc => "V_MPEGH/ISO/HEVC",
        Codec::Vp8 => "V_VP8",
        Codec::Vp9 => "V_VP9",
        Codec::Av1 => "V_AV1",
        Codec::Mpeg2 => "V_MPEG2",
        _ => "V_MJPEG",
    };
    number(out, id::TRACK_NUMBER, TRACK.into());
    number(out, id::TRACK_UID, TRACK.into());
    number(out, id::TRACK_TYPE, 1);
    number(out, id::FLAG_LACING, 0);
    text(out, id::CODEC_ID, codec);
    let private = !matches!(track.codec, Codec::Vp8 | Codec::Vp9 | Codec::Mjpeg);
    if private && !said.record.is_empty() {
        element(out, id::CODEC_PRIVATE, |out| {
            out.extend_from_slice(&said.record);
        });
    }
    if let Some((rate, per)) = track.rate
        && rate > 0
    {
        let nanoseconds = 1_000_000_000 * u64::from(per) / u64::from(rate);
        if nanoseconds > 0 {
            number(out, id::DEFAULT_DURATION, nanoseconds);
        }
    }
    element(out, id::VIDEO, |out| {
        let (width, height) = said.size;
        number(out, id::PIXEL_WIDTH, width.into());
        number(out, id::PIXEL_HEIGHT, height.into());
        if let Some((across, down)) = track.pixel_aspect {
            let wide = u64::from(width) * u64::from(across) / u64::from(down.max(1));
            number(out, id::DISPLAY_WIDTH, wide.max(1));
            number(out, id::DISPLAY_HEIGHT, height.into());
        }
        if let Some(colour) = track.colour {
            element(out, id::COLOUR, |out| {
                number(out, id::MATRIX_COEFFICIENTS, colour.matrix.into());
                if let Some(full) = colour.full_range {
                    number(out, id::RANGE, if full { 2 } else { 1 });
                }
                number(out, id::TRANSFER_CHARACTERISTICS, colour.transfer.into());
                number(out, id::PRIMARIES, colour.primaries.into());
            });
        }
    });
}

/// A `Duration`, in the file's units: [`DURATION`] bytes.
pub(super) fn duration(duration: f64) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, id::DURATION, |out| {
        out.extend(duration.to_be_bytes())
    });
    out
}

/// A `SeekHead` of where elements begin in the segment's content: [`SEEK_HEAD`] bytes with what
/// fills them up.
pub(super) fn seek_head(places: &[(u32, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, id::SEEK_HEAD, |out| {
        for &(kind, position) in places {
            element(out, id::SEEK, |out| {
                element(out, id::SEEK_ID, |out| identity(out, kind));
                element(out, id::SEEK_POSITION, |out| {
                    out.extend(position.to_be_bytes());
                });
            });
        }
    });
    let rest = SEEK_HEAD.saturating_sub(out.len());
    void(&mut out, rest);
    out
}

/// How a cluster begins: its number, a size that is not known yet, its time.
pub(super) fn cluster(out: &mut Vec<u8>, time: u64) {
    identity(out, id::CLUSTER);
    out.extend(UNKNOWN);
    number(out, id::TIMESTAMP, time);
}

/// How a simple block begins that holds so many bytes.
pub(super) fn simple_block(out: &mut Vec<u8>, len: usize, time: i16, key: bool) {
    identity(out, id::SIMPLE_BLOCK);
    out.extend(size(len as u64 + 4));
    out.push(0x80 | TRACK);
    out.extend(time.to_be_bytes());
    out.push(if key { 0x80 } else { 0 });
}

/// `Cues` of clusters that begin with key packets: their times, and where in the segment's content
/// they begin.
pub(super) fn cues(points: &[(u64, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, id::CUES, |out| {
        for &(time, position) in points {
            element(out, id::CUE_POINT, |out| {
                number(out, id::CUE_TIME, time);
                element(out, id::CUE_TRACK_POSITIONS, |out| {
                    number(out, id::CUE_TRACK, TRACK.into());
                    number(out, id::CUE_CLUSTER_POSITION, position);
                });
            });
        }
    });
    out
}
