//! What was there before it was asked for: the last packets, kept until a recording begins.

use std::collections::VecDeque;

use crate::error::ContainerError;
use crate::packet::Packet;
use crate::writer::Muxer;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepBefore {
    /// Bytes of packets at most; so much memory is taken at once.
    pub bytes: usize,
    /// Time that is kept at least, in the track's units, where the bytes suffice.
    pub duration: u64,
}

/// The last packets of a stream, in a ring of memory: always from a key packet on. Nothing is
/// allocated once it was filled.
#[derive(Debug)]
pub struct Before {
    duration: u64,
    ring: Box<[u8]>,
    /// Where the first packet begins in the ring, and bytes of all packets.
    begin: usize,
    used: usize,
    packets: VecDeque<Packet>,
    /// Packets that were let go before their time, for want of room or of a key.
    dropped: u64,
}

impl Before {
    /// With room for so much.
    #[must_use]
    pub fn new(keep: KeepBefore) -> Self {
        Self {
            duration: keep.duration,
            ring: vec![0; keep.bytes].into_boxed_slice(),
            begin: 0,
            used: 0,
            packets: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Packets that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Bytes that are kept.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.used
    }

    /// Time from the first to the last packet that is kept, in the track's units.
    #[must_use]
    pub fn duration(&self) -> u64 {
        let both = self.packets.front().zip(self.packets.back());
        let between = both.map(|(first, last)| last.decoded.saturating_sub(first.decoded));
        between.map_or(0, |between| u64::try_from(between).unwrap_or(0))
    }

    /// Packets that were let go before their time: because bytes did not suffice for the duration,
    /// or because the key packet was gone with which they could have been decoded.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Keeps a copy of a packet, and lets go of the oldest for it: always all up to the next key.
    pub fn push(&mut self, packet: &Packet, pieces: &[&[u8]]) {
        let len = pieces
            .iter()
            .fold(0_usize, |all, piece| all.saturating_add(piece.len()));
        while len > self.ring.len() - self.used && !self.packets.is_empty() {
            self.dropped += self.drop_first();
        }
        if len > self.ring.len() - self.used || self.packets.is_empty() && !packet.key {
            self.dropped += 1;
            return;
        }
        let mut at = self.begin + self.used;
        for piece in pieces {
            at %= self.ring.len().max(1);
            let until_wrap = piece.len().min(self.ring.len() - at);
            let (first, second) = piece.split_at(until_wrap);
            for (to, from) in [(at, first), (0, second)] {
                if let Some(room) = self.ring.get_mut(to..to + from.len()) {
                    room.copy_from_slice(from);
                }
            }
            at += piece.len();
        }
        self.used += len;
        self.packets.push_back(Packet { len, ..*packet });
        self.drop_old(packet.decoded);
    }

    /// Lets go of what is not needed for the duration.
    fn drop_old(&mut self, now: i64) {
        let duration = i64::try_from(self.duration).unwrap_or(i64::MAX);
        let needed = now.saturating_sub(duration);
        while self.second_key().is_some_and(|second| second <= needed) {
            self.drop_first();
        }
    }

    /// When the second key packet is decoded.
    fn second_key(&self) -> Option<i64> {
        let mut later = self.packets.iter().skip(1);
        later.find(|packet| packet.key).map(|packet| packet.decoded)
    }

    /// Lets go of all before the second key packet, and says how many these were.
    fn drop_first(&mut self) -> u64 {
        let mut dropped = 0;
        while let Some(first) = self.packets.pop_front() {
            self.pass(first.len);
            dropped += 1;
            if self.packets.front().is_some_and(|next| next.key) {
                break;
            }
        }
        dropped
    }

    fn pass(&mut self, len: usize) {
        self.begin = (self.begin + len) % self.ring.len().max(1);
        self.used -= len;
    }

    /// Writes all that is kept, and lets go of it. After an error what was not written is still
    /// there, but for the packet that failed: it may be there in part.
    ///
    /// # Errors
    /// Those of [`Muxer::write`].
    pub fn drain(&mut self, into: &mut dyn Muxer) -> Result<(), ContainerError> {
        while let Some(packet) = self.packets.pop_front() {
            let behind = self.ring.get(self.begin..).unwrap_or_default();
            let until_wrap = packet.len.min(behind.len());
            let first = behind.get(..until_wrap).unwrap_or_default();
            let second = self.ring.get(..packet.len - until_wrap);
            let pieces = [first, second.unwrap_or_default()];
            let pieces = if until_wrap == packet.len {
                &pieces[..1]
            } else {
                &pieces
            };
            let written = into.write(&packet, pieces);
            self.pass(packet.len);
            written?;
        }
        Ok(())
    }
}
