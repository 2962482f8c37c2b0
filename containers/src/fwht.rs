//! FWHT streams: frames of the kernel's own codec, each behind its header.

use dmaflow_bitstream::fwht::{FWHT_HEADER_LEN, FWHT_MAGIC, FwhtHeader};

use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::framed::{Announced, Framed, Framing};
use crate::packet::{Codec, Track};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::stamps::Stamps;

/// Reads a FWHT stream. Packets are frames with their headers.
///
/// # Errors
/// [`ContainerError::Unexpected`] and [`ContainerError::Stream`] for another stream,
/// [`ContainerError::Cut`] where it is shorter than one header.
pub fn read(mut input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let beginning = input.peek(FWHT_HEADER_LEN)?;
    if !beginning.starts_with(&FWHT_MAGIC) {
        return Err(ContainerError::Unexpected {
            format: Format::Fwht,
            offset: 0,
            expected: "a frame",
            found: Found::bytes(beginning),
        });
    }
    if beginning.len() < FWHT_HEADER_LEN {
        let end = beginning.len() as u64;
        let (what, offset) = ("the header", 0);
        return Err(crate::Cut { what, offset, end }.into());
    }
    let header = FwhtHeader::parse(beginning).map_err(|source| wrong(0, source))?;
    let stamps = Stamps::new(options, None);
    let track = Track {
        size: Some((header.width, header.height)),
        ..Track::new(Codec::Fwht, stamps.timescale)
    };
    let framing = FwhtFraming { stamps };
    let track = stamps.into_track(track);
    Ok(Box::new(Framed::new(input, framing, track, options)))
}

fn wrong(offset: u64, source: dmaflow_bitstream::StreamError) -> ContainerError {
    ContainerError::Stream {
        format: Format::Fwht,
        offset,
        source,
    }
}

#[derive(Debug)]
struct FwhtFraming {
    stamps: Stamps,
}

impl Framing for FwhtFraming {
    const FORMAT: Format = Format::Fwht;
    const WHAT: &'static str = "a frame";

    fn announce(&mut self, input: &mut Input, number: u64) -> Result<Announced, ContainerError> {
        let offset = input.position();
        let beginning = input.peek(FWHT_HEADER_LEN)?;
        if beginning.is_empty() {
            return Ok(Announced::End);
        }
        if beginning.len() < FWHT_HEADER_LEN {
            return Ok(Announced::Cut);
        }
        let header = FwhtHeader::parse(beginning).map_err(|source| wrong(offset, source))?;
        Ok(Announced::Packet {
            len: FWHT_HEADER_LEN as u64 + u64::from(header.size),
            packet: self.stamps.packet(number, header.is_key()),
        })
    }
}
