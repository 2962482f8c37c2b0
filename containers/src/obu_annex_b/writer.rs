//! Temporal units with lengths before them and within.

use dmaflow_bitstream::obu::{ObuType, Obus, to_leb128};

use super::{FORMAT, is_delimited};
use crate::error::ContainerError;
use crate::format::Format;
use crate::header::Header;
use crate::packet::{Codec, Packet, Track};
use crate::writer::{Muxer, Output};

/// Writes AV1 in the length-delimited format. Times are lost.
#[derive(Debug)]
pub struct ObuAnnexBMuxer {
    output: Output,
    header: Header,
    /// The packet in one piece, and the unit that is made of it.
    packet: Vec<u8>,
    unit: Vec<u8>,
    frame: Vec<u8>,
}

impl ObuAnnexBMuxer {
    /// Begins a stream.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for other codecs.
    pub fn new(track: &Track, output: Output) -> Result<Self, ContainerError> {
        if track.codec != Codec::Av1 {
            return Err(ContainerError::CannotHold {
                format: FORMAT,
                what: format!("{:?}", track.codec),
            });
        }
        Ok(Self {
            output,
            header: Header::of(track),
            packet: Vec::new(),
            unit: Vec::new(),
            frame: Vec::new(),
        })
    }
}

/// Puts data behind others, and its length before it.
fn push_sized(to: &mut Vec<u8>, data: &[u8]) {
    let (size, len) = to_leb128(u32::try_from(data.len()).unwrap_or(u32::MAX));
    to.extend(size.iter().take(len));
    to.extend(data);
}

impl Muxer for ObuAnnexBMuxer {
    fn format(&self) -> Format {
        FORMAT
    }

    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let wrong = |what| ContainerError::Packet {
            format: FORMAT,
            what,
        };
        let among = self.header.among(packet, pieces);
        let pieces = among.as_deref().unwrap_or(pieces);
        self.packet.clear();
        pieces.iter().for_each(|piece| self.packet.extend(*piece));
        self.unit.clear();
        self.frame.clear();
        if u32::try_from(self.packet.len().saturating_mul(2)).is_err() {
            return Err(wrong("has more than 2 GiB"));
        }
        if !is_delimited(&self.packet) {
            // A temporal delimiter without a size of its own.
            push_sized(&mut self.frame, &[0x10]);
        }
        // A frame unit is a frame, with what stands before it.
        let mut has_frame = false;
        for obu in Obus::new(&self.packet) {
            let obu = obu.map_err(|_error| wrong("does not consist of OBUs"))?;
            let same = matches!(
                obu.header.obu_type,
                ObuType::TileGroup | ObuType::RedundantFrameHeader | ObuType::Padding
            );
            if has_frame && !same {
                push_sized(&mut self.unit, &self.frame);
                self.frame.clear();
                has_frame = false;
            }
            has_frame |= matches!(obu.header.obu_type, ObuType::Frame | ObuType::FrameHeader);
            let end = obu.payload_offset + obu.payload.len();
            let whole = self.packet.get(obu.offset..end).unwrap_or_default();
            push_sized(&mut self.frame, whole);
        }
        push_sized(&mut self.unit, &self.frame);
        let len = u32::try_from(self.unit.len()).map_err(|_large| wrong("has more than 4 GiB"))?;
        let (size, len) = to_leb128(len);
        let size = size.get(..len).unwrap_or_default();
        self.output.write(&[size, &self.unit])?;
        self.header.written();
        Ok(())
    }

    fn written(&self) -> u64 {
        self.output.written()
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        self.output.flush()
    }
}
