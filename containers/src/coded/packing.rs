//! Packets as MP4 and Matroska hold them: NAL units behind lengths instead of start codes, without
//! parameter sets that are in the record, temporal units without their delimiter.

use std::ops::Range;

use super::nal::{self, Nal};
use super::{av1, record};
use crate::packet::Codec;

/// Bytes of the lengths that are written.
const LENGTH: usize = 4;

/// How packets of a codec are packed.
#[derive(Debug)]
pub(crate) struct Packing {
    codec: Codec,
    /// Parameter sets that are in the record. None are left out any more once another came: it may
    /// have taken the place of one of these.
    sets: Vec<Vec<u8>>,
    /// Of the packet at work.
    nals: Vec<Nal>,
    skip: usize,
    len: usize,
    lengths: Vec<[u8; LENGTH]>,
}

impl Packing {
    pub(crate) const fn new(codec: Codec) -> Self {
        Self {
            codec,
            sets: Vec::new(),
            nals: Vec::new(),
            skip: 0,
            len: 0,
            lengths: Vec::new(),
        }
    }

    /// Leaves these parameter sets out of packets from now on.
    pub(crate) fn leave_out(&mut self, sets: Vec<Vec<u8>>) {
        self.sets = sets;
    }

    /// Looks at a packet; says whether it is one of the codec, and not empty.
    pub(crate) fn plan(&mut self, pieces: &[&[u8]]) -> bool {
        let len = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        self.skip = 0;
        self.lengths.clear();
        match self.codec {
            Codec::H264 | Codec::Hevc => {
                if !nal::split(pieces, &mut self.nals) {
                    return false;
                }
                self.leave_out_sets(pieces);
                self.len = 0;
                for nal in &self.nals {
                    let Ok(length) = u32::try_from(nal.range.len()) else {
                        return false;
                    };
                    self.lengths.push(length.to_be_bytes());
                    self.len += LENGTH + nal.range.len();
                }
                true
            }
            Codec::Av1 => {
                // A delimiter has at most three bytes, which may lie in several pieces.
                let mut beginning = [0; 4];
                let bytes = pieces.iter().flat_map(|piece| piece.iter());
                for (to, from) in beginning.iter_mut().zip(bytes) {
                    *to = *from;
                }
                let beginning = beginning.get(..len.min(4)).unwrap_or_default();
                self.skip = av1::temporal_delimiter(beginning);
                self.len = len - self.skip;
                self.len > 0
            }
            _ => {
                self.len = len;
                len > 0
            }
        }
    }

    fn leave_out_sets(&mut self, pieces: &[&[u8]]) {
        let (codec, sets) = (self.codec, &self.sets);
        if sets.is_empty() {
            return;
        }
        let is_set = |nal: &Nal| record::set_number(codec, nal.first).is_some();
        let is_known = |nal: &Nal| {
            sets.iter()
                .any(|set| nal::is(pieces, nal.range.clone(), set))
        };
        if self.nals.iter().any(|nal| is_set(nal) && !is_known(nal)) {
            self.sets.clear();
            return;
        }
        // A packet of nothing else stays as it is.
        if !self.nals.iter().all(is_set) {
            self.nals.retain(|nal| !is_set(nal));
        }
    }

    /// Bytes of the packet that was planned, as it is packed.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Adds the packet that was planned.
    pub(crate) fn pack(&self, pieces: &[&[u8]], into: &mut Vec<u8>) {
        into.reserve(self.len);
        self.parts(pieces, |part| into.extend_from_slice(part));
    }

    /// The parts of the packet that was planned, one behind the other.
    pub(crate) fn parts<'p>(&'p self, pieces: &'p [&'p [u8]], mut each: impl FnMut(&'p [u8])) {
        if self.nals_are_packed() {
            for (nal, length) in self.nals.iter().zip(&self.lengths) {
                each(length);
                nal::parts(pieces, nal.range.clone()).for_each(&mut each);
            }
            return;
        }
        let all: Range<usize> = self.skip..usize::MAX;
        nal::parts(pieces, all).for_each(&mut each);
    }

    const fn nals_are_packed(&self) -> bool {
        matches!(self.codec, Codec::H264 | Codec::Hevc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_left_out_wherever_pieces_end() {
        let mut packing = Packing::new(Codec::Av1);
        for pieces in [
            &[&[0x12, 0, 0x32, 1, 7][..]][..],
            &[&[0x12], &[], &[0], &[0x32, 1, 7]],
            &[&[0x16, 0, 0], &[0x32, 1, 7]],
            &[&[0x32, 1, 7]],
        ] {
            assert!(packing.plan(pieces));
            let mut packed = Vec::new();
            packing.pack(pieces, &mut packed);
            assert_eq!((packing.len(), &*packed), (3, &[0x32, 1, 7][..]));
        }
        // Nothing but a delimiter would be a packet of no bytes.
        assert!(!packing.plan(&[&[0x12, 0]]));
        assert!(!packing.plan(&[]));
    }
}
