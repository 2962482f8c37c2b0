//! IVF: VP8, VP9, AV1 and FWHT frames behind their lengths and times.
//!
//! ```text
//!   file:   "DKIF", version, length of this header (32), FourCC, width, height,
//!           units of time a second as a fraction, frames, 4 bytes unused
//!   frame:  length (4 bytes), time (8 bytes), data
//! ```
//! All numbers are little-endian. The number of frames is right only in a file that was finished,
//! and nothing here relies on it.

use dmaflow_bitstream::{fwht, obu};

use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::framed::{Announced, Framed, Framing};
use crate::packet::{Codec, Packet, Track};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::writer::{Muxer, Output};

const HEADER_LEN: usize = 32;
const FRAME_HEADER_LEN: usize = 12;
/// Bytes before the number of frames.
const FRAMES_AT: u64 = 24;

/// An AV1 temporal delimiter, which every temporal unit of a file begins with.
const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];

/// Reads IVF.
///
/// # Errors
/// [`ContainerError::Unexpected`] for another file, [`ContainerError::Unsupported`] for other
/// codecs, [`ContainerError::Cut`] where it is shorter than its header.
pub fn read(mut input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let header = input.peek(HEADER_LEN)?;
    let unexpected = |offset, expected, found| ContainerError::Unexpected {
        format: Format::Ivf,
        offset,
        expected,
        found,
    };
    if header.get(..4) != Some(b"DKIF") {
        let begin = header.get(..4).unwrap_or(header);
        return Err(unexpected(0, "\"DKIF\"", Found::bytes(begin)));
    }
    let Some(header) = header.first_chunk::<HEADER_LEN>().copied() else {
        let end = header.len() as u64;
        let what = "the header";
        let offset = 0;
        return Err(crate::Cut { what, offset, end }.into());
    };
    let len = u16::from_le_bytes([header[6], header[7]]);
    if usize::from(len) < HEADER_LEN {
        let found = u32::from(len).into();
        return Err(unexpected(6, "a header of 32 bytes or more", found));
    }
    let four = |at: usize| {
        let bytes = header.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let codec = match &header[8..12] {
        b"VP80" => Codec::Vp8,
        b"VP90" => Codec::Vp9,
        b"AV01" => Codec::Av1,
        b"FWHT" => Codec::Fwht,
        other => {
            return Err(ContainerError::Unsupported {
                format: Format::Ivf,
                offset: 8,
                what: "the codec",
                found: Found::Text(String::from_utf8_lossy(other).into_owned()),
            });
        }
    };
    let size = (
        u16::from_le_bytes([header[12], header[13]]).into(),
        u16::from_le_bytes([header[14], header[15]]).into(),
    );
    let (units, seconds) = (four(16), four(20));
    if units == 0 || seconds == 0 {
        let found = if units == 0 { units } else { seconds };
        let at = if units == 0 { 16 } else { 20 };
        return Err(unexpected(at, "a fraction of time", found.into()));
    }
    let track = Track {
        size: (size != (0, 0)).then_some(size),
        ..Track::new(codec, units)
    };
    input.skip(len.into())?;
    let framing = IvfFraming { codec, seconds };
    Ok(Box::new(Framed::new(input, framing, track, options)))
}

#[derive(Debug)]
struct IvfFraming {
    codec: Codec,
    /// Units of time of the file's times, in those of the track.
    seconds: u32,
}

impl Framing for IvfFraming {
    const FORMAT: Format = Format::Ivf;
    const WHAT: &'static str = "a frame";

    fn announce(&mut self, input: &mut Input, _number: u64) -> Result<Announced, ContainerError> {
        let offset = input.position();
        let header = input.peek(FRAME_HEADER_LEN)?;
        let Some(header) = header.first_chunk::<FRAME_HEADER_LEN>().copied() else {
            return Ok(if header.is_empty() {
                Announced::End
            } else {
                Announced::Cut
            });
        };
        let [a, b, c, d, time @ ..] = header;
        let len = u32::from_le_bytes([a, b, c, d]);
        let time = u64::from_le_bytes(time);
        let in_units = i64::try_from(time).ok();
        let in_units = in_units.and_then(|time| time.checked_mul(self.seconds.into()));
        let presented = in_units.ok_or(ContainerError::Unexpected {
            format: Format::Ivf,
            offset: offset + 4,
            expected: "a time of 63 bits or fewer",
            found: time.into(),
        })?;
        input.consume(FRAME_HEADER_LEN);
        let beginning = usize::try_from(len).unwrap_or(Input::AHEAD);
        let beginning = input.peek(beginning.min(enough(self.codec)))?;
        let packet = Packet {
            len: 0,
            presented,
            decoded: presented,
            duration: 0,
            key: is_key(self.codec, beginning),
            offset: 0,
        };
        let len = len.into();
        Ok(Announced::Packet { len, packet })
    }
}

/// How many bytes of a packet tell whether it is a key.
const fn enough(codec: Codec) -> usize {
    match codec {
        Codec::Av1 => 512,
        Codec::Fwht => fwht::FWHT_HEADER_LEN,
        _ => 1,
    }
}

/// Whether decoding can begin with a packet, by its first bytes.
fn is_key(codec: Codec, beginning: &[u8]) -> bool {
    let first = beginning.first().copied();
    match codec {
        // frame_type is 0 in a key frame (RFC 6386, 9.1).
        Codec::Vp8 => first.is_some_and(|first| first & 1 == 0),
        Codec::Vp9 => first.is_some_and(is_vp9_key),
        Codec::Av1 => obu::is_key_unit(beginning),
        Codec::Fwht => fwht::FwhtHeader::parse(beginning).is_ok_and(|header| header.is_key()),
        _ => false,
    }
}

/// The beginning of `uncompressed_header()` (VP9 specification, 6.2): frame_marker, the profile, a
/// reserved bit in profile 3, show_existing_frame, frame_type (0 is KEY_FRAME).
const fn is_vp9_key(first: u8) -> bool {
    let marked = first >> 6 == 2;
    let profile_3 = first & 0x30 == 0x30;
    let rest = if profile_3 { first >> 1 } else { first >> 2 };
    marked && rest & 3 == 0
}

/// Writes IVF.
#[derive(Debug)]
pub struct IvfMuxer {
    output: Output,
    codec: Codec,
    frames: u32,
}

impl IvfMuxer {
    /// Begins a file with its header.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for other codecs and sizes; [`ContainerError::Write`].
    pub fn new(track: &Track, mut output: Output) -> Result<Self, ContainerError> {
        let cannot = |what: String| ContainerError::CannotHold {
            format: Format::Ivf,
            what,
        };
        let fourcc = match track.codec {
            Codec::Vp8 => b"VP80",
            Codec::Vp9 => b"VP90",
            Codec::Av1 => b"AV01",
            Codec::Fwht => b"FWHT",
            other => return Err(cannot(format!("{other:?}"))),
        };
        let (width, height) = track.size.unwrap_or((0, 0));
        let too_large = |_large| cannot(format!("pictures of {width}x{height}"));
        let width = u16::try_from(width).map_err(too_large)?;
        let height = u16::try_from(height).map_err(too_large)?;
        if track.timescale == 0 {
            return Err(cannot("times without a unit".to_owned()));
        }
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend(b"DKIF\0\0\x20\0");
        header.extend(fourcc);
        header.extend(width.to_le_bytes());
        header.extend(height.to_le_bytes());
        header.extend(track.timescale.to_le_bytes());
        header.extend([1, 0, 0, 0]);
        header.extend([0; 8]);
        output.write(&[&header])?;
        Ok(Self {
            output,
            codec: track.codec,
            frames: 0,
        })
    }
}

impl Muxer for IvfMuxer {
    fn format(&self) -> Format {
        Format::Ivf
    }

    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let wrong = |what| ContainerError::Packet {
            format: Format::Ivf,
            what,
        };
        let begins = pieces.iter().find_map(|piece| piece.first());
        // A temporal delimiter has type 2: `0 0010 x x 0`.
        let delimited = begins.is_some_and(|first| first & 0xf8 == 0x10);
        let delimiter: &[u8] = if self.codec == Codec::Av1 && !delimited {
            &TEMPORAL_DELIMITER
        } else {
            &[]
        };
        let lens = pieces.iter().map(|piece| piece.len());
        let len = lens.fold(delimiter.len(), usize::saturating_add);
        let len = u32::try_from(len).map_err(|_large| wrong("has more than 4 GiB"))?;
        let time = u64::try_from(packet.presented);
        let time = time.map_err(|_negative| wrong("has a time before 0"))?;
        let mut header = [0; FRAME_HEADER_LEN];
        let (first, second) = header.split_at_mut(4);
        first.copy_from_slice(&len.to_le_bytes());
        second.copy_from_slice(&time.to_le_bytes());
        self.output.write_behind(&[&header, delimiter], pieces)?;
        self.frames = self.frames.saturating_add(1);
        Ok(())
    }

    fn written(&self) -> u64 {
        self.output.written()
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        self.output.patch(FRAMES_AT, &self.frames.to_le_bytes())?;
        self.output.flush()
    }
}
