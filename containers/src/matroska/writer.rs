//! Writing Matroska, block by block.

use super::build::{self, Beginning};
use super::id;
use crate::coded::packing::Packing;
use crate::coded::record::{Statement, cannot_hold};
use crate::error::ContainerError;
use crate::format::Format;
use crate::packet::{Codec, Packet, Track};
use crate::writer::{Muxer, Output};

/// How long a cluster is, in the file's units: at most, and before a key packet at least.
const LONG: i64 = 5000;
const SHORT: i64 = 500;
/// Bytes at which a cluster ends, however short it is.
const LARGE: u64 = 16 << 20;
/// Pieces of a packet that need no memory of their own.
const PIECES: usize = 32;

/// Writes Matroska, or WebM where the codec is one of it: each packet in one system call, straight
/// from its pieces, so that a file that ends anywhere plays up to the packet before.
///
/// Times are in milliseconds. A cluster is of unknown size until the next begins, and in a pipe for
/// ever. Parameter sets are put in front of the file and taken out of packets, until one comes that
/// is not among them.
#[derive(Debug)]
pub struct MatroskaMuxer {
    output: Output,
    track: Track,
    state: State,
    packing: Packing,
    cluster: Option<Cluster>,
    /// How the block at work begins, and its cluster if that begins too.
    head: Vec<u8>,
    /// Clusters that begin with a key packet: when it is shown, and where they begin in the
    /// segment's content.
    cues: Vec<(u64, u64)>,
    /// The latest end of a picture, in the file's units.
    end: i64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// No packet was there yet.
    Empty,
    Begun(Beginning),
    Finished,
}

/// The cluster at work.
#[derive(Clone, Copy, Debug)]
struct Cluster {
    offset: u64,
    time: i64,
}

impl MatroskaMuxer {
    /// Into an empty file. Nothing is written before the first packet.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for FWHT, for pictures that are not coded, and without a unit
    /// of time.
    pub fn new(track: &Track, output: Output) -> Result<Self, ContainerError> {
        if matches!(track.codec, Codec::Fwht | Codec::Raw(_)) {
            return Err(cannot_hold(track.codec, Format::Matroska));
        }
        if track.timescale == 0 {
            return Err(ContainerError::CannotHold {
                format: Format::Matroska,
                what: "a track without a unit of time".to_owned(),
            });
        }
        Ok(Self {
            output,
            packing: Packing::new(track.codec),
            track: track.clone(),
            state: State::Empty,
            cluster: None,
            head: Vec::new(),
            cues: Vec::new(),
            end: 0,
        })
    }

    /// A time in the file's units.
    fn time(&self, time: i64) -> Option<i64> {
        let scale = i128::from(self.track.timescale);
        let time = i128::from(time) * 1000 + scale / 2;
        i64::try_from(time.div_euclid(scale)).ok()
    }

    fn begin(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        if !packet.key {
            return Err(wrong("to begin with is no key"));
        }
        let first = pieces.concat();
        let said = Statement::of(&self.track, &first, Format::Matroska)?;
        let (beginning, places) = build::beginning(&self.track, &said);
        self.packing.leave_out(said.sets);
        self.output.write(&[&beginning])?;
        self.state = State::Begun(places);
        Ok(())
    }

    /// A packet's time after its cluster's, where it fits into that.
    fn within(&self, time: i64, key: bool) -> Option<i16> {
        let cluster = self.cluster?;
        let after = time - cluster.time;
        let long = after >= LONG
            || key && after >= SHORT
            || self.output.written() - cluster.offset >= LARGE;
        i16::try_from(after).ok().filter(|_| !long)
    }

    /// States the size of the cluster at work.
    fn end_cluster(&mut self) -> Result<(), ContainerError> {
        const HEADER: u64 = 12;
        if let Some(cluster) = self.cluster.take() {
            let size = self.output.written() - cluster.offset - HEADER;
            self.output.patch(cluster.offset + 4, &build::size(size))?;
        }
        Ok(())
    }

    /// Writes the packet that is planned, behind what is in `head`.
    fn write_block(&mut self, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let mut few: [&[u8]; PIECES] = [&[]; PIECES];
        let mut count = 0;
        let mut add = |part| {
            if let Some(place) = few.get_mut(count) {
                *place = part;
            }
            count += 1;
        };
        add(&self.head);
        self.packing.parts(pieces, add);
        if let Some(few) = few.get(..count) {
            return self.output.write(few);
        }
        let mut many = Vec::with_capacity(count);
        many.push(self.head.as_slice());
        self.packing.parts(pieces, |part| many.push(part));
        self.output.write(&many)
    }

    /// Cues, and what is known only at the end.
    fn end_file(&mut self, places: &Beginning) -> Result<(), ContainerError> {
        let cues_at = self.output.written();
        // A cluster with a part of a packet behind it stays of unknown size.
        let good = self.output.write(&[]);
        let written = good
            .and_then(|()| self.end_cluster())
            .and_then(|()| self.output.write(&[&build::cues(&self.cues)]));
        let mut elements = vec![(id::INFO, places.info), (id::TRACKS, places.tracks)];
        if written.is_ok() {
            elements.push((id::CUES, cues_at));
        }
        for (_, position) in &mut elements {
            *position -= places.segment;
        }
        let mut patched = self
            .output
            .patch(places.segment, &build::seek_head(&elements));
        let duration = u32::try_from(self.end).unwrap_or(u32::MAX);
        let duration = build::duration(duration.into());
        patched = patched.and(self.output.patch(places.duration, &duration));
        if written.is_ok() {
            let size = build::size(self.output.written() - places.segment);
            patched = patched.and(self.output.patch(places.segment_size, &size));
        }
        if let Err(error) = written
            && !matches!(error, ContainerError::Broken { .. })
        {
            return Err(error);
        }
        patched?;
        self.output.flush()
    }
}

const fn wrong(what: &'static str) -> ContainerError {
    ContainerError::Packet {
        format: Format::Matroska,
        what,
    }
}

impl Muxer for MatroskaMuxer {
    fn format(&self) -> Format {
        Format::Matroska
    }

    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        // What failed before is told again, whatever the packet is.
        self.output.write(&[])?;
        if !self.packing.plan(pieces) {
            return Err(wrong("is empty or does not begin with a start code"));
        }
        let time = self.time(packet.presented);
        // A cluster's time cannot be negative, and a block's is at most 32 seconds before it.
        let time = time.filter(|&time| (-32_000..1 << 50).contains(&time));
        let time = time.ok_or_else(|| wrong("is shown before or after all that can be told"))?;
        match self.state {
            State::Empty => {
                self.begin(packet, pieces)?;
                // Now it is known what is left out.
                self.packing.plan(pieces);
            }
            State::Begun(_) => {}
            State::Finished => return Err(wrong("comes after the end")),
        }
        let State::Begun(places) = self.state else {
            return Ok(());
        };
        let len = self.packing.len();
        self.head.clear();
        let mut begun = None;
        let after = match self.within(time, packet.key) {
            Some(after) => after,
            None => {
                self.end_cluster()?;
                let cluster = time.max(0);
                let offset = self.output.written();
                build::cluster(&mut self.head, cluster.unsigned_abs());
                begun = Some(Cluster {
                    offset,
                    time: cluster,
                });
                i16::try_from(time - cluster).unwrap_or(i16::MIN)
            }
        };
        build::simple_block(&mut self.head, len, after, packet.key);
        self.write_block(pieces)?;
        if let Some(cluster) = begun {
            self.cluster = begun;
            if packet.key {
                let position = cluster.offset - places.segment;
                self.cues.push((cluster.time.unsigned_abs(), position));
            }
        }
        let end = packet.presented.saturating_add(packet.duration.into());
        self.end = self.end.max(self.time(end).unwrap_or_default());
        Ok(())
    }

    fn written(&self) -> u64 {
        self.output.written()
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::Begun(places) => self.end_file(&places),
            State::Empty | State::Finished => Ok(()),
        }
    }
}
