//! YUV4MPEG2: pictures that are not coded, behind a line of text.
//!
//! ```text
//!   YUV4MPEG2 W640 H480 F30000:1001 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED
//!   FRAME
//!   planes one behind the other, rows without padding
//! ```
//! Interlaced pictures and formats that `drm_fourcc.h` does not have are refused.

mod header;

use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::framed::{Announced, Framed, Framing};
use crate::packet::{Codec, Packet, Track};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::stamps::Stamps;
use crate::writer::{Muxer, Output};
use header::Header;

/// The most bytes of a line.
const LINE: usize = 1024;

fn unexpected(offset: u64, expected: &'static str, found: Found) -> ContainerError {
    ContainerError::Unexpected {
        format: Format::Y4m,
        offset,
        expected,
        found,
    }
}

/// Bytes of the next line without its end, at most [`LINE`]; not passed over. None where the file
/// ends before.
fn line(input: &mut Input) -> Result<Option<usize>, ContainerError> {
    let mut seen = 0;
    loop {
        // Not further than has to be: more may not come for a while.
        let wanted = (seen + 16).min(LINE);
        let ahead = input.peek(wanted)?;
        let there = ahead.len();
        if let Some(len) = memchr::memchr(b'\n', ahead) {
            return Ok(Some(len));
        }
        if there < wanted {
            return Ok(None);
        }
        if wanted == LINE {
            let found = Found::bytes(ahead);
            return Err(unexpected(input.position(), "a line of text", found));
        }
        seen = there;
    }
}

/// Reads YUV4MPEG2. Packets are pictures.
///
/// # Errors
/// [`ContainerError::Unexpected`] for another file; [`ContainerError::Unsupported`] for interlaced
/// pictures and pixels of a kind that is not known; [`ContainerError::Cut`] where the file ends in
/// its header.
pub fn read(mut input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let beginning = input.peek(header::MAGIC.len())?;
    if beginning != header::MAGIC {
        let found = Found::bytes(beginning);
        return Err(unexpected(0, "\"YUV4MPEG2\"", found));
    }
    let Some(len) = line(&mut input)? else {
        let end = input.peek(LINE)?.len() as u64;
        let (what, offset) = ("the header", 0);
        return Err(crate::Cut { what, offset, end }.into());
    };
    let header = Header::parse(input.peek(len)?)?;
    input.consume(len + 1);
    let size = header.size;
    let too_large = || unexpected(0, "pictures of a size", Found::Text(format!("{size:?}")));
    let (planes, len) = header.pixels.planes(size).ok_or_else(too_large)?;
    let stamps = Stamps::new(options, header.rate);
    let track = Track {
        size: Some(size),
        pixel_aspect: header.aspect,
        colour: header.colour(),
        planes,
        ..Track::new(Codec::Raw(header.pixels.fourcc), stamps.timescale)
    };
    let track = stamps.into_track(track);
    let framing = Y4mFraming { stamps, len };
    Ok(Box::new(Framed::new(input, framing, track, options)))
}

#[derive(Debug)]
struct Y4mFraming {
    stamps: Stamps,
    len: u64,
}

impl Framing for Y4mFraming {
    const FORMAT: Format = Format::Y4m;
    const WHAT: &'static str = "a picture";

    fn announce(&mut self, input: &mut Input, number: u64) -> Result<Announced, ContainerError> {
        let offset = input.position();
        let beginning = input.peek(FRAME.len())?;
        if beginning.is_empty() {
            return Ok(Announced::End);
        }
        if !FRAME.starts_with(beginning) {
            return Err(unexpected(offset, "\"FRAME\"", Found::bytes(beginning)));
        }
        let Some(len) = line(input)? else {
            return Ok(Announced::Cut);
        };
        // What is said of a single frame is how its fields lie, which are none.
        let line = input.peek(len)?;
        if !matches!(line.get(FRAME.len()), None | Some(b' ')) {
            return Err(unexpected(offset, "\"FRAME\"", Found::bytes(line)));
        }
        input.consume(len + 1);
        Ok(Announced::Packet {
            len: self.len,
            packet: self.stamps.packet(number, true),
        })
    }
}

const FRAME: &[u8] = b"FRAME";

/// Writes YUV4MPEG2. Times are lost but for the rate.
#[derive(Debug)]
pub struct Y4mMuxer {
    output: Output,
    len: u64,
}

impl Y4mMuxer {
    /// Begins a file with its header.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for tracks of other pictures, without a size, and with planes
    /// laid out differently; [`ContainerError::Write`].
    pub fn new(track: &Track, mut output: Output) -> Result<Self, ContainerError> {
        let (header, len) = Header::of(track)?;
        output.write(&[header.to_string().as_bytes()])?;
        Ok(Self { output, len })
    }
}

impl Muxer for Y4mMuxer {
    fn format(&self) -> Format {
        Format::Y4m
    }

    fn write(&mut self, _packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let lens = pieces.iter().map(|piece| piece.len() as u64);
        if lens.sum::<u64>() != self.len {
            return Err(ContainerError::Packet {
                format: Format::Y4m,
                what: "has not as many bytes as a picture",
            });
        }
        self.output.write_behind(&[FRAME, b"\n"], pieces)
    }

    fn written(&self) -> u64 {
        self.output.written()
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        self.output.flush()
    }
}
