//! Times for packets of streams that have none.

use crate::packet::{Packet, Track};
use crate::reader::ReadOptions;

/// Pictures a second where nobody says it.
const USUAL: (u32, u32) = (25, 1);

/// Stamps packets by a rate, in the order of decoding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamps {
    pub(crate) timescale: u32,
    pub(crate) duration: u32,
    /// The rate, where somebody said it.
    pub(crate) rate: Option<(u32, u32)>,
}

impl Stamps {
    /// By the rate that was asked for, else by that of the stream.
    pub(crate) fn new(options: &ReadOptions, of_stream: Option<(u32, u32)>) -> Self {
        let rate = options.rate.or(of_stream);
        let rate = rate.filter(|(pictures, seconds)| *pictures > 0 && *seconds > 0);
        let (timescale, duration) = rate.unwrap_or(USUAL);
        Self {
            timescale,
            duration,
            rate,
        }
    }

    pub(crate) fn packet(self, number: u64, key: bool) -> Packet {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let at = number.saturating_mul(self.duration.into());
        Packet {
            len: 0,
            presented: at,
            decoded: at,
            duration: self.duration,
            key,
            offset: 0,
        }
    }

    pub(crate) fn into_track(self, track: Track) -> Track {
        Track {
            timescale: self.timescale,
            rate: self.rate,
            ..track
        }
    }
}
