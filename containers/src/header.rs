//! What a decoder has to have first, put into packets that do not bring it: so that a file plays
//! from its beginning, and from its keys.

use dmaflow_bitstream::annex_b::find_start_code;
use dmaflow_bitstream::obu::{ObuExtent, ObuType, Obus};

use crate::packet::{Codec, Packet, Track};

/// What a temporal unit of AV1 begins with in streams and IVF, not so in MP4 and Matroska.
const TEMPORAL_DELIMITER: &[u8] = &[0x12, 0x00];

/// Bytes of a packet in which its headers are looked for.
const LOOKED_AT: usize = 4096;

/// The header of a track, for its packets.
#[derive(Debug)]
pub(crate) struct Header {
    codec: Codec,
    header: Vec<u8>,
    /// The first packet is still to come.
    first: bool,
}

impl Header {
    pub(crate) fn of(track: &Track) -> Self {
        Self {
            codec: track.codec,
            header: track.header.clone(),
            first: true,
        }
    }

    /// A packet was written.
    pub(crate) const fn written(&mut self) {
        self.first = false;
    }

    /// What has to stand before a packet that does not begin so: a temporal delimiter.
    pub(crate) fn delimiter(&self, pieces: &[&[u8]]) -> &'static [u8] {
        let first = pieces.iter().find_map(|piece| piece.first());
        // Type 2 is `0 0010 x x x`.
        let delimited = first.is_some_and(|first| first & 0xf8 == 0x10);
        if self.codec == Codec::Av1 && !delimited {
            TEMPORAL_DELIMITER
        } else {
            &[]
        }
    }

    /// The pieces of a packet with the header among them, if it is the first or a key and does not
    /// bring one; none where it is to stay as it is.
    pub(crate) fn among<'a>(
        &'a self,
        packet: &Packet,
        pieces: &[&'a [u8]],
    ) -> Option<Vec<&'a [u8]>> {
        // A sequence header of MPEG-2 would begin another sequence before pictures of this one.
        let again = packet.key && self.codec != Codec::Mpeg2;
        if self.header.is_empty() || !(self.first || again) {
            return None;
        }
        let bytes = pieces.iter().flat_map(|piece| piece.iter());
        let beginning: Vec<u8> = bytes.take(LOOKED_AT).copied().collect();
        if self.is_in(&beginning) {
            return None;
        }
        let mut before = self.before(&beginning);
        let mut among = Vec::with_capacity(pieces.len() + 2);
        let mut rest = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let (first, second) = piece.split_at(before.min(piece.len()));
            before -= first.len();
            among.push(first);
            rest.push(second);
        }
        among.push(&self.header);
        among.extend(rest);
        Some(among)
    }

    /// Whether a packet brings a header, as far as its beginning shows.
    fn is_in(&self, beginning: &[u8]) -> bool {
        if self.codec == Codec::Av1 {
            let mut obus = Obus::new(beginning).map_while(Result::ok);
            return obus.any(|obu| obu.header.obu_type == ObuType::SequenceHeader);
        }
        let mut from = 0;
        while let Some(at) = find_start_code(beginning, from) {
            let code = beginning.get(at + 3).copied().unwrap_or_default();
            let is_header = match self.codec {
                Codec::H264 => code & 0x1f == 7,
                Codec::Hevc => code >> 1 & 0x3f == 33,
                _ => code == 0xb3,
            };
            if is_header {
                return true;
            }
            from = at + 3;
        }
        false
    }

    /// Bytes of a packet that have to stand before its header: of a delimiter.
    fn before(&self, beginning: &[u8]) -> usize {
        if self.codec == Codec::Av1 {
            let first = ObuExtent::parse(beginning).ok();
            let is_delimiter =
                |first: &ObuExtent| first.header.obu_type == ObuType::TemporalDelimiter;
            return first.filter(is_delimiter).map_or(0, |first| first.len);
        }
        let Some(at) = find_start_code(beginning, 0) else {
            return 0;
        };
        let code = beginning.get(at + 3).copied().unwrap_or_default();
        let delimited = match self.codec {
            Codec::H264 => code & 0x1f == 9,
            Codec::Hevc => code >> 1 & 0x3f == 35,
            _ => false,
        };
        let next = find_start_code(beginning, at + 3).filter(|_| delimited);
        let zero_byte = |next: usize| usize::from(beginning.get(next - 1) == Some(&0));
        next.map_or(0, |next| next - zero_byte(next))
    }
}
