//! AV1 in the length-delimited format (AV1 specification, Annex B).
//!
//! ```text
//!   temporal_unit:  temporal_unit_size, frame units
//!   frame_unit:     frame_unit_size, OBUs
//!   each OBU:       obu_length, the OBU, with or without a size of its own
//! ```
//! Packets are in the low-overhead format, whose OBUs have sizes: a temporal unit is put together
//! anew in memory as it is read.

use dmaflow_bitstream::obu::{self, ObuHeader, ObuType, Obus, is_key_unit, leb128, to_leb128};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use crate::error::{ContainerError, Cut, Found};
use crate::format::Format;
use crate::keys::{self, Keys, Place, Walk};
use crate::packet::{Codec, Packet, Track};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::stamps::Stamps;
use crate::writer::{Muxer, Output};

const FORMAT: Format = Format::ObuAnnexB;
const WHAT: &str = "a temporal unit";

/// The most bytes of a size.
const SIZE: usize = 8;

/// Bytes that are read at once, so that memory grows by what is there.
const STEP: usize = 1 << 20;

/// Reads AV1 in the length-delimited format, one temporal unit a packet.
///
/// # Errors
/// None before the first packet is asked for.
pub fn read(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let stamps = Stamps::new(options, None);
    Ok(Box::new(ObuAnnexBDemuxer {
        offset: input.position(),
        keys: Keys::starting(input.position()),
        input,
        track: stamps.into_track(Track::new(Codec::Av1, stamps.timescale)),
        stamps,
        most: options.most,
        number: 0,
        raw: Vec::new(),
        unit: Vec::new(),
        waiting: false,
        cut: None,
        ended: false,
    }))
}

#[derive(Debug)]
struct ObuAnnexBDemuxer {
    input: Input,
    track: Track,
    stamps: Stamps,
    most: usize,
    keys: Keys,
    offset: u64,
    number: u64,
    /// A temporal unit as it is in the file, and as it is given.
    raw: Vec<u8>,
    unit: Vec<u8>,
    waiting: bool,
    cut: Option<Cut>,
    ended: bool,
}

impl ObuAnnexBDemuxer {
    fn find(&mut self) -> Result<Option<Packet>, ContainerError> {
        self.waiting = false;
        let beginning = self.input.peek(SIZE)?;
        if beginning.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        let (size, bytes) = match leb128(beginning, "temporal_unit_size") {
            Ok(read) => read,
            Err(error) if beginning.len() < SIZE && matches!(error.trouble, Trouble::Ends) => {
                return Ok(self.cut_off());
            }
            Err(source) => return Err(wrong(self.offset, source)),
        };
        self.input.consume(bytes);
        let begin = self.input.position();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > self.most {
            return Err(self.too_long(size));
        }
        if !self.load(size)? {
            return Ok(self.cut_off());
        }
        self.assemble().map_err(|source| wrong(begin, source))?;
        if self.unit.len() > self.most {
            return Err(self.too_long(self.unit.len()));
        }
        if !is_delimited(&self.unit) {
            return Err(ContainerError::Unexpected {
                format: FORMAT,
                offset: begin,
                expected: "a temporal delimiter",
                found: Found::bytes(&self.unit),
            });
        }
        let offset = self.offset;
        let packet = Packet {
            len: self.unit.len(),
            offset: begin,
            ..self.stamps.packet(self.number, is_key_unit(&self.unit))
        };
        let number = self.number;
        self.keys.pass(&packet, Place { offset, number });
        self.number += 1;
        self.offset = self.input.position();
        self.waiting = true;
        Ok(Some(packet))
    }

    /// Reads so many bytes, and says whether they were there.
    fn load(&mut self, size: usize) -> Result<bool, ContainerError> {
        self.raw.clear();
        if !self.input.has(size as u64) {
            return Ok(false);
        }
        while self.raw.len() < size {
            let there = self.raw.len();
            self.raw.resize(size.min(there.saturating_add(STEP)), 0);
            let room = self.raw.get_mut(there..).unwrap_or_default();
            let wanted = room.len();
            if self.input.fill(room)? < wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts the unit together with sizes in its OBUs.
    fn assemble(&mut self) -> Result<(), StreamError> {
        let Self { raw, unit, .. } = self;
        unit.clear();
        let mut at = 0;
        while at < raw.len() {
            let (begin, end) = sized(raw, at, raw.len(), "frame_unit_size")?;
            at = begin;
            while at < end {
                let (begin, end) = sized(raw, at, end, "obu_length")?;
                at = end;
                let obu = raw.get(begin..end).unwrap_or_default();
                with_size(obu, unit).map_err(|error| error.after(begin as u64))?;
            }
        }
        Ok(())
    }

    fn cut_off(&mut self) -> Option<Packet> {
        self.ended = true;
        self.cut = Some(Cut {
            what: WHAT,
            offset: self.offset,
            end: self.input.len().unwrap_or(self.input.position()),
        });
        None
    }

    fn too_long(&self, found: usize) -> ContainerError {
        ContainerError::TooLong {
            format: FORMAT,
            offset: self.offset,
            what: WHAT,
            found: found as u64,
            most: self.most as u64,
        }
    }
}

const fn wrong(offset: u64, source: StreamError) -> ContainerError {
    ContainerError::Stream {
        format: FORMAT,
        offset,
        source,
    }
}

/// Where what stands behind a size begins and ends.
fn sized(
    data: &[u8],
    at: usize,
    end: usize,
    what: &'static str,
) -> Result<(usize, usize), StreamError> {
    let rest = data.get(at..end).unwrap_or_default();
    let (size, bytes) = leb128(rest, what).map_err(|error| error.after(at as u64))?;
    let begin = at + bytes;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let inside = begin.checked_add(size).filter(|behind| *behind <= end);
    let behind = inside.ok_or_else(|| {
        let trouble = Trouble::Ends;
        BitReader::wrong(0, what, trouble).after(at as u64)
    })?;
    Ok((begin, behind))
}

/// Puts an OBU behind others, with a size.
fn with_size(obu: &[u8], unit: &mut Vec<u8>) -> Result<(), StreamError> {
    let header = ObuHeader::parse(obu)?;
    let extent = obu::ObuExtent::parse(obu)?;
    let payload = obu.get(extent.payload..extent.len).ok_or_else(|| {
        let trouble = Trouble::Ends;
        BitReader::wrong(8, "obu_size", trouble)
    })?;
    let mut bytes = obu.iter().take(header.len()).copied();
    unit.extend(bytes.next().map(|first| first | 0x02));
    unit.extend(bytes);
    let (size, len) = to_leb128(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    unit.extend(size.iter().take(len));
    unit.extend(payload);
    Ok(())
}

fn is_delimited(unit: &[u8]) -> bool {
    let header = ObuHeader::parse(unit);
    header.is_ok_and(|header| header.obu_type == ObuType::TemporalDelimiter)
}

impl Walk for ObuAnnexBDemuxer {
    fn place(&self) -> Place {
        Place {
            offset: self.offset,
            number: self.number,
        }
    }

    fn go(&mut self, place: Place) -> Result<(), ContainerError> {
        self.input.seek_to(place.offset)?;
        self.offset = place.offset;
        self.number = place.number;
        self.waiting = false;
        self.cut = None;
        self.ended = false;
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Packet>, ContainerError> {
        self.next_packet()
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn no_key(&self) -> ContainerError {
        ContainerError::NoKey { format: FORMAT }
    }
}

impl Demuxer for ObuAnnexBDemuxer {
    fn format(&self) -> Format {
        FORMAT
    }

    fn track(&self) -> &Track {
        &self.track
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ContainerError> {
        if self.ended {
            return Ok(None);
        }
        let found = self.find();
        self.ended |= found.is_err();
        found
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ContainerError> {
        if !self.waiting {
            return Err(ContainerError::NoPacket);
        }
        let (len, room) = (self.unit.len(), into.len());
        let into = into.get_mut(..len);
        let into = into.ok_or(ContainerError::Room { len, room })?;
        into.copy_from_slice(&self.unit);
        self.waiting = false;
        Ok(())
    }

    fn seek(&mut self, presented: i64) -> Result<(), ContainerError> {
        keys::seek(self, presented)
    }

    fn cut(&self) -> Option<Cut> {
        self.cut
    }
}

/// Writes AV1 in the length-delimited format. Times are lost.
#[derive(Debug)]
pub struct ObuAnnexBMuxer {
    output: Output,
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

    fn write(&mut self, _packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let wrong = |what| ContainerError::Packet {
            format: FORMAT,
            what,
        };
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
        self.output.write(&[size, &self.unit])
    }

    fn written(&self) -> u64 {
        self.output.written()
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        self.output.flush()
    }
}
