//! Writing MP4, in fragments.

use std::time::Duration;

use super::build::{self, TRACK_ID, boxed, u32s, versioned};
use super::fragment::{COMPOSITION, DURATION, FLAGS, NON_SYNC, SIZE};
use crate::coded::packing::Packing;
use crate::coded::record::{Statement, cannot_hold};
use crate::error::ContainerError;
use crate::format::Format;
use crate::packet::{Codec, Packet, Track};
use crate::writer::{Muxer, Output};

/// Bytes at which a fragment ends, however short it is.
const MOST_OF_A_FRAGMENT: usize = 64 << 20;

/// Flags of samples with which decoding can begin, and of others.
const KEY: u32 = 0x200_0000;
const NO_KEY: u32 = 0x100_0000 | NON_SYNC;

/// How a file is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mp4Options {
    /// How long a fragment is: what is lost at most when writing ends without warning.
    pub fragment: Duration,
}

impl Default for Mp4Options {
    fn default() -> Self {
        Self {
            fragment: Duration::from_secs(1),
        }
    }
}

/// Writes MP4 in fragments, each in one system call, so that a file that ends anywhere plays up to
/// the fragment before.
///
/// A fragment ends where the next packet would make it longer than was asked for, and before a key
/// packet where it has half of that. Its packets are kept until then: it begins with a table of
/// them all. Parameter sets are put in front of the file and taken out of packets, until one comes
/// that is not among them.
#[derive(Debug)]
pub struct Mp4Muxer {
    output: Output,
    track: Track,
    /// In the track's units.
    fragment: u64,
    state: State,
    packing: Packing,
    /// Data of the fragment at work, and of its packets the table.
    data: Vec<u8>,
    samples: Vec<Sample>,
    /// The table as it is written.
    head: Vec<u8>,
    sequence: u32,
    /// Fragments that begin with a key packet: when it is shown, and where they begin.
    keys: Vec<(u64, u64)>,
    /// The latest end of a picture that was written.
    end: i64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No packet was there yet.
    Empty,
    /// The movie box is written: what is added to times, and where its duration can be put.
    Begun {
        lead: u32,
        room: u64,
    },
    Finished,
}

/// A packet of the fragment at work.
#[derive(Clone, Copy, Debug)]
struct Sample {
    size: u32,
    presented: i64,
    decoded: i64,
    duration: u32,
    key: bool,
}

impl Mp4Muxer {
    /// Into an empty file. Nothing is written before the first packet.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for FWHT, for pictures that are not coded, and without a unit
    /// of time.
    pub fn new(track: &Track, output: Output, options: Mp4Options) -> Result<Self, ContainerError> {
        if matches!(track.codec, Codec::Fwht | Codec::Raw(_)) {
            return Err(cannot_hold(track.codec, Format::Mp4));
        }
        if track.timescale == 0 {
            return Err(ContainerError::CannotHold {
                format: Format::Mp4,
                what: "a track without a unit of time".to_owned(),
            });
        }
        let units = options.fragment.as_nanos() * u128::from(track.timescale) / 1_000_000_000;
        Ok(Self {
            output,
            packing: Packing::new(track.codec),
            track: track.clone(),
            fragment: u64::try_from(units).unwrap_or(u64::MAX),
            state: State::Empty,
            data: Vec::new(),
            samples: Vec::new(),
            head: Vec::new(),
            sequence: 0,
            keys: Vec::new(),
            end: 0,
        })
    }

    fn begin(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let wrong = |what| ContainerError::Packet {
            format: Format::Mp4,
            what,
        };
        if !packet.key {
            return Err(wrong("to begin with is no key"));
        }
        let lead = u32::try_from(0.max(packet.decoded.saturating_neg()))
            .map_err(|_too_early| wrong("is decoded too long before the beginning"))?;
        if lead > i32::MAX.unsigned_abs() {
            return Err(wrong("is decoded too long before the beginning"));
        }
        let first = pieces.concat();
        let said = Statement::of(&self.track, &first, Format::Mp4)?;
        let (movie, room) = build::movie(&self.track, &said, lead);
        self.packing.leave_out(said.sets);
        self.output.write(&[&movie])?;
        self.state = State::Begun {
            lead,
            room: room as u64,
        };
        Ok(())
    }

    /// Whether the fragment at work ends before this packet.
    fn ends_before(&self, packet: &Packet) -> bool {
        let Some(first) = self.samples.first() else {
            return false;
        };
        let lasted = packet.decoded.abs_diff(first.decoded);
        lasted >= self.fragment
            || packet.key && lasted >= self.fragment / 2
            || self.data.len() >= MOST_OF_A_FRAGMENT
    }

    /// Writes the fragment at work.
    fn end_fragment(&mut self, lead: u32) -> Result<(), ContainerError> {
        let Some(&first) = self.samples.first() else {
            return Ok(());
        };
        self.sequence += 1;
        let in_file = |time: i64| time.saturating_add(lead.into()).max(0).unsigned_abs();
        let (sequence, samples) = (self.sequence, &self.samples);
        self.head.clear();
        let mut data_offset = 0;
        boxed(&mut self.head, b"moof", |out| {
            versioned(out, b"mfhd", 0, 0, |out| u32s(out, &[sequence]));
            boxed(out, b"traf", |out| {
                // Data is found from the fragment's beginning on.
                versioned(out, b"tfhd", 0, 0x2_0000, |out| u32s(out, &[TRACK_ID]));
                versioned(out, b"tfdt", 1, 0, |out| {
                    out.extend(in_file(first.decoded).to_be_bytes());
                });
                let stated = DURATION | SIZE | FLAGS | COMPOSITION | 1;
                versioned(out, b"trun", 1, stated, |out| {
                    u32s(out, &[u32::try_from(samples.len()).unwrap_or(u32::MAX)]);
                    data_offset = out.len();
                    u32s(out, &[0]);
                    for sample in samples {
                        let flags = if sample.key { KEY } else { NO_KEY };
                        let composition = sample.presented - sample.decoded;
                        let composition = i32::try_from(composition).unwrap_or_default();
                        let composition = composition.cast_unsigned();
                        u32s(out, &[sample.duration, sample.size, flags, composition]);
                    }
                });
            });
        });
        let header = u32::try_from(self.head.len() + 8).unwrap_or_default();
        if let Some(place) = self.head.get_mut(data_offset..data_offset + 4) {
            place.copy_from_slice(&header.to_be_bytes());
        }
        let size = u32::try_from(self.data.len() + 8).unwrap_or(u32::MAX);
        u32s(&mut self.head, &[size]);
        self.head.extend(b"mdat");
        let begin = self.output.written();
        self.output.write(&[&self.head, &self.data])?;
        if first.key {
            self.keys.push((in_file(first.presented), begin));
        }
        for sample in &self.samples {
            let end = sample.presented.saturating_add(sample.duration.into());
            self.end = self.end.max(end);
        }
        self.samples.clear();
        self.data.clear();
        Ok(())
    }

    /// Where decoding can begin (`mfra`), and how long it all is.
    fn end_file(&mut self, lead: u32, room: u64) -> Result<(), ContainerError> {
        let written = self.end_fragment(lead).and_then(|()| {
            let mut out = Vec::new();
            boxed(&mut out, b"mfra", |out| {
                versioned(out, b"tfra", 1, 0, |out| {
                    let count = u32::try_from(self.keys.len()).unwrap_or_default();
                    u32s(out, &[TRACK_ID, 0, count]);
                    for (presented, begin) in self.keys.iter().take(count as usize) {
                        out.extend(presented.to_be_bytes());
                        out.extend(begin.to_be_bytes());
                        // In its first table, the first run, the first sample.
                        out.extend([1, 1, 1]);
                    }
                });
                let size = u32::try_from(out.len() + 16).unwrap_or_default();
                versioned(out, b"mfro", 0, 0, |out| u32s(out, &[size]));
            });
            self.output.write(&[&out])
        });
        let total = u64::try_from(self.end).unwrap_or_default();
        let patched = self.output.patch(room, &build::duration(total));
        if let Err(error) = written
            && !matches!(error, ContainerError::Broken { .. })
        {
            return Err(error);
        }
        patched?;
        self.output.flush()
    }
}

impl Muxer for Mp4Muxer {
    fn format(&self) -> Format {
        Format::Mp4
    }

    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let wrong = |what| ContainerError::Packet {
            format: Format::Mp4,
            what,
        };
        // What failed before is told again, also where nothing would be written yet.
        self.output.write(&[])?;
        if !self.packing.plan(pieces) {
            return Err(wrong("is empty or does not begin with a start code"));
        }
        let size = u32::try_from(self.packing.len());
        let size = size.ok().filter(|&size| size <= 1 << 30);
        let size = size.ok_or_else(|| wrong("is longer than a fragment may be"))?;
        let composition = packet.presented.checked_sub(packet.decoded);
        if composition.is_none_or(|delay| i32::try_from(delay).is_err()) {
            return Err(wrong("is shown too long after it is decoded"));
        }
        match self.state {
            State::Empty => {
                self.begin(packet, pieces)?;
                // Now it is known what is left out.
                self.packing.plan(pieces);
            }
            State::Begun { .. } => {}
            State::Finished => return Err(wrong("comes after the end")),
        }
        let State::Begun { lead, .. } = self.state else {
            return Ok(());
        };
        if let Some(last) = self.samples.last_mut() {
            let lasted = packet.decoded.checked_sub(last.decoded);
            let lasted = lasted.and_then(|lasted| u32::try_from(lasted).ok());
            last.duration = lasted.ok_or_else(|| wrong("is not decoded after the one before"))?;
        }
        if self.ends_before(packet) {
            self.end_fragment(lead)?;
        }
        let size = u32::try_from(self.packing.len()).unwrap_or(size);
        self.packing.pack(pieces, &mut self.data);
        let usual = match self.track.rate {
            Some((rate, per)) => {
                u64::from(self.track.timescale) * u64::from(per) / u64::from(rate.max(1))
            }
            None => 0,
        };
        self.samples.push(Sample {
            size,
            presented: packet.presented,
            decoded: packet.decoded,
            duration: match packet.duration {
                0 => u32::try_from(usual).unwrap_or_default(),
                duration => duration,
            },
            key: packet.key,
        });
        Ok(())
    }

    fn written(&self) -> u64 {
        self.output.written() + self.data.len() as u64
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Begun { lead, room } => self.end_file(lead, room),
            State::Empty | State::Finished => Ok(()),
        }
    }
}
