//! Packets one behind the other.

use dmaflow_bitstream::fwht::FWHT_MAGIC;

use crate::error::ContainerError;
use crate::format::Format;
use crate::header::Header;
use crate::packet::{Codec, Packet, Track};
use crate::writer::{Muxer, Output};

/// Writes a stream without a container: what its packets hold, and the track's header where keys do
/// not bring it. Times are lost.
#[derive(Debug)]
pub struct ElementaryMuxer {
    output: Output,
    format: Format,
    header: Header,
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
        Ok(Self {
            output,
            format,
            header: Header::of(track),
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
}

impl Muxer for ElementaryMuxer {
    fn format(&self) -> Format {
        self.format
    }

    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let mut first = [0; 8];
        let bytes = pieces.iter().flat_map(|piece| piece.iter());
        let mut len = 0;
        for (to, from) in first.iter_mut().zip(bytes) {
            *to = *from;
            len += 1;
        }
        let first = first.get(..len).unwrap_or_default();
        self.check(first)?;
        let among = self.header.among(packet, pieces);
        let pieces = among.as_deref().unwrap_or(pieces);
        let delimiter = self.header.delimiter(pieces);
        self.output.write_behind(&[delimiter], pieces)?;
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
