//! Packets one behind the other.

use dmaflow_bitstream::annex_b::find_start_code;
use dmaflow_bitstream::fwht::FWHT_MAGIC;

use crate::error::ContainerError;
use crate::format::Format;
use crate::packet::{Codec, Packet, Track};
use crate::writer::{Muxer, Output};

/// What an AV1 temporal unit begins with.
const TEMPORAL_DELIMITER: [u8; 2] = [0x12, 0x00];

/// Bytes of the first packet in which its parameter sets are looked for.
const LOOKED_AT: usize = 4096;

/// Writes a stream without a container: what its packets hold, and nothing else. Times are lost.
#[derive(Debug)]
pub struct ElementaryMuxer {
    output: Output,
    format: Format,
    /// What has to stand before the first packet, if that does not bring it.
    header: Option<Vec<u8>>,
}

impl ElementaryMuxer {
    /// Begins a stream: of H.264, HEVC, MPEG-2, AV1, FWHT or JPEG pictures.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for other codecs.
    pub fn new(track: &Track, output: Output) -> Result<Self, ContainerError> {
        let format = match track.codec {
            Codec::H264 => Format::H264,
            Codec::Hevc => Format::Hevc,
            Codec::Mpeg2 => Format::Mpeg2,
            Codec::Av1 => Format::Obu,
            Codec::Fwht => Format::Fwht,
            Codec::Mjpeg => Format::Mjpeg,
            Codec::Vp8 | Codec::Vp9 | Codec::Raw(_) => {
                return Err(ContainerError::CannotHold {
                    format: Format::Obu,
                    what: format!("{:?}: no stream without a container is known", track.codec),
                });
            }
        };
        let header = (!track.header.is_empty()).then(|| track.header.clone());
        Ok(Self {
            output,
            format,
            header,
        })
    }

    /// Refuses what readers would not find again.
    fn check(&self, beginning: &[u8]) -> Result<(), ContainerError> {
        let (good, what) = match self.format {
            Format::H264 | Format::Hevc | Format::Mpeg2 => (
                matches!(beginning, [0, 0, 1, ..] | [0, 0, 0, 1, ..]),
                "does not begin with a start code",
            ),
            Format::Fwht => (
                beginning.starts_with(&FWHT_MAGIC),
                "does not begin with a header",
            ),
            Format::Mjpeg => (
                beginning.starts_with(&[0xff, 0xd8]),
                "does not begin with SOI",
            ),
            _ => (!beginning.is_empty(), "is empty"),
        };
        let format = self.format;
        if good {
            Ok(())
        } else {
            Err(ContainerError::Packet { format, what })
        }
    }

    /// Whether a packet brings what a decoder has to have, as far as its beginning shows.
    fn brings_header(&self, beginning: &[u8]) -> bool {
        if self.format == Format::Obu {
            return dmaflow_bitstream::obu::Obus::new(beginning)
                .map_while(Result::ok)
                .any(|obu| obu.header.obu_type == dmaflow_bitstream::obu::ObuType::SequenceHeader);
        }
        let mut from = 0;
        while let Some(at) = find_start_code(beginning, from) {
            let code = beginning.get(at + 3).copied().unwrap_or_default();
            let brings = match self.format {
                Format::H264 => code & 0x1f == 7,
                Format::Hevc => code >> 1 & 0x3f == 33,
                _ => code == 0xb3,
            };
            if brings {
                return true;
            }
            from = at + 3;
        }
        false
    }
}

/// The first bytes of what pieces hold, up to as many as are to be looked at.
fn beginning(pieces: &[&[u8]], most: usize) -> Vec<u8> {
    let bytes = pieces.iter().flat_map(|piece| piece.iter());
    bytes.take(most).copied().collect()
}

impl Muxer for ElementaryMuxer {
    fn format(&self) -> Format {
        self.format
    }

    fn write(&mut self, _packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let mut first = [0; 8];
        let bytes = pieces.iter().flat_map(|piece| piece.iter());
        let mut len = 0;
        for (to, from) in first.iter_mut().zip(bytes) {
            *to = *from;
            len += 1;
        }
        let first = first.get(..len).unwrap_or_default();
        self.check(first)?;
        // Type 2, a temporal delimiter, is `0 0010 x x 0`.
        let delimited = first.first().is_some_and(|first| first & 0xf8 == 0x10);
        let delimiter: &[u8] = if self.format == Format::Obu && !delimited {
            &TEMPORAL_DELIMITER
        } else {
            &[]
        };
        let Some(header) = self.header.take() else {
            return self.output.write_behind(&[delimiter], pieces);
        };
        if self.brings_header(&beginning(pieces, LOOKED_AT)) {
            return self.output.write_behind(&[delimiter], pieces);
        }
        if self.format == Format::Obu && delimited {
            return self.write_into_unit(&header, pieces);
        }
        self.output.write_behind(&[delimiter, &header], pieces)
    }

    fn written(&self) -> u64 {
        self.output.written()
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        self.output.flush()
    }
}

impl ElementaryMuxer {
    /// Puts a sequence header behind the temporal delimiter with which a unit begins.
    fn write_into_unit(&mut self, header: &[u8], pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let start = beginning(pieces, LOOKED_AT);
        let delimiter = dmaflow_bitstream::obu::ObuExtent::parse(&start);
        let len = delimiter.map_or(0, |extent| extent.len);
        let delimiter = start.get(..len).unwrap_or_default();
        let mut rest = Vec::with_capacity(pieces.len());
        let mut passed = 0;
        for piece in pieces {
            let of_it = piece.len().min(len - passed);
            passed += of_it;
            rest.push(piece.get(of_it..).unwrap_or_default());
        }
        self.output.write_behind(&[delimiter, header], &rest)
    }
}
