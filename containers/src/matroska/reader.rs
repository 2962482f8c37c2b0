//! Reading Matroska.

use std::collections::VecDeque;

use super::cues;
use super::element::{Begin, Elements, unexpected, unsupported};
use super::header::{Header, Times};
use super::id;
use super::lacing::{Block, short_number};
use crate::coded::lengths::Data;
use crate::error::{ContainerError, Cut, Found};
use crate::format::Format;
use crate::packet::{Codec, Packet, Track};
use crate::reader::{Demuxer, Input, ReadOptions};

/// The longest element that is read into memory.
const MOST_OF_AN_ELEMENT: u64 = 16 << 20;
/// Blocks looked at ahead to tell when pictures are decoded: the most that may be shown out of
/// order in H.264 and HEVC.
const AHEAD: usize = 17;

/// Reads the first track of pictures of a Matroska or WebM file.
///
/// It needs a file. Matroska does not say when pictures are decoded: of codecs that change their
/// order, a packet's time of decoding is the earliest at which it or one of the next 16 is shown.
///
/// # Errors
/// [`ContainerError::NotSeekable`] of a pipe; [`ContainerError::Cut`] where the file ends before it
/// says what it holds; others as they come.
pub fn read(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    Ok(Box::new(MatroskaDemuxer::new(input, *options)?))
}

/// Where the next element of the segment is read.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: u64,
    /// The cluster it is in: its time, and its end if that is known.
    time: i64,
    end: Option<u64>,
}

/// A packet that was found.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    place: Place,
    offset: u64,
    size: u64,
    presented: i64,
    duration: u32,
    key: bool,
}

/// What is known of an open file.
#[derive(Debug)]
struct MatroskaDemuxer {
    input: Input,
    options: ReadOptions,
    header: Header,
    times: Times,
    /// Where the segment's content begins and ends.
    segment: u64,
    segment_end: u64,
    /// Whether the segment goes on behind the end of the file.
    segment_cut: bool,
    first_cluster: u64,
    /// Where its cues may be.
    cues: Option<u64>,
    place: Place,
    waiting: VecDeque<Waiting>,
    ahead: usize,
    decoded: i64,
    pending: Option<(Waiting, usize)>,
    /// What went wrong behind the blocks that wait.
    failed: Option<ContainerError>,
    /// Nothing follows behind the blocks that wait.
    exhausted: bool,
    cut: Option<Cut>,
}

impl MatroskaDemuxer {
    fn new(mut input: Input, options: ReadOptions) -> Result<Self, ContainerError> {
        let len = input.len().ok_or(ContainerError::NotSeekable)?;
        input.seek_to(0)?;
        let segment = open(&mut input, len)?;
        let claimed = segment.end.unwrap_or(len);
        let segment_end = claimed.min(len);
        let mut info = None;
        let mut tracks = None;
        let mut cues = None;
        let first_cluster = loop {
            let position = input.position();
            let begin = match Begin::read(&mut input)? {
                Some(begin) if begin.content <= segment_end => begin,
                _ if position >= segment_end && claimed <= len => {
                    return Err(unexpected(position, "a cluster", Found::End));
                }
                _ => return Err(cut("an element", position, len).into()),
            };
            match begin.id {
                id::CLUSTER => break begin.offset,
                id::INFO => info = Some((begin.load(&mut input, MOST_OF_AN_ELEMENT)?, begin)),
                id::TRACKS => tracks = Some((begin.load(&mut input, MOST_OF_AN_ELEMENT)?, begin)),
                id::CUES => cues = Some(begin.offset),
                id::SEEK_HEAD if cues.is_none() => {
                    let head = begin.load(&mut input, MOST_OF_AN_ELEMENT)?;
                    let position =
                        cues::position_of(Elements::new(&head, begin.content), id::CUES)?;
                    cues = position.and_then(|position| segment.content.checked_add(position));
                }
                _ => {}
            }
            let Some(end) = begin.end else {
                let found = u64::from(begin.id);
                return Err(unexpected(begin.offset, "an element of known size", found));
            };
            if end > len {
                return Err(cut("an element", begin.offset, len).into());
            }
            input.seek_to(end)?;
        };
        let elements = |(data, begin)| {
            let (data, begin): (&Vec<u8>, &Begin) = (data, begin);
            Elements::new(data, begin.content)
        };
        let times = Times::read(info.as_ref().map(|(data, begin)| elements((data, begin))))?;
        let Some((data, begin)) = &tracks else {
            return Err(unexpected(first_cluster, "Tracks", Found::from("Cluster")));
        };
        let header = Header::read(elements((data, begin)), times)?;
        let reorders = matches!(header.track.codec, Codec::H264 | Codec::Hevc | Codec::Mpeg2);
        let mut reader = Self {
            input,
            options,
            header,
            times,
            segment: segment.content,
            segment_end,
            segment_cut: claimed > len,
            first_cluster,
            cues,
            place: Place {
                position: first_cluster,
                time: 0,
                end: None,
            },
            waiting: VecDeque::new(),
            ahead: if reorders { AHEAD } else { 1 },
            decoded: i64::MIN,
            pending: None,
            failed: None,
            exhausted: false,
            cut: None,
        };
        reader.go_to(reader.place);
        Ok(reader)
    }

    fn go_to(&mut self, place: Place) {
        self.place = place;
        self.waiting.clear();
        self.decoded = i64::MIN;
        self.pending = None;
        self.failed = None;
        self.exhausted = false;
        self.cut = None;
    }

    /// Nothing follows, not even what waits.
    fn end(&mut self) {
        self.waiting.clear();
        self.failed = None;
        self.exhausted = true;
    }

    fn cut_at(&mut self, what: &'static str, offset: u64) {
        self.cut = Some(cut(what, offset, self.segment_end));
        self.exhausted = true;
    }

    /// Reads one element: what it finds in it waits.
    fn step(&mut self) -> Result<(), ContainerError> {
        let place = self.place;
        if place.position >= self.segment_end {
            match place.end {
                Some(end) if end > self.segment_end => self.cut_at("a cluster", place.position),
                _ if self.segment_cut => self.cut_at("the segment", place.position),
                _ => self.exhausted = true,
            }
            return Ok(());
        }
        if place.end.is_some_and(|end| place.position >= end) {
            self.place.end = None;
        }
        self.input.seek_to(place.position)?;
        let begin = match Begin::read(&mut self.input)? {
            Some(begin) if begin.content <= self.segment_end => begin,
            _ => {
                self.cut_at("an element", place.position);
                return Ok(());
            }
        };
        if let (Some(end), Some(cluster)) = (begin.end, self.place.end)
            && end > cluster
        {
            return Err(unexpected(
                begin.offset,
                "an element within its cluster",
                end,
            ));
        }
        if begin.id == id::CLUSTER {
            self.place = Place {
                position: begin.content,
                time: 0,
                end: begin.end,
            };
            return Ok(());
        }
        if matches!(begin.id, id::SEGMENT | id::EBML) {
            return Err(unsupported(
                begin.offset,
                "a further segment",
                u64::from(begin.id),
            ));
        }
        let Some(end) = begin.end else {
            let found = u64::from(begin.id);
            return Err(unexpected(begin.offset, "an element of known size", found));
        };
        if end > self.segment_end {
            self.cut_at("an element", begin.offset);
            return Ok(());
        }
        match begin.id {
            id::TIMESTAMP => {
                let time = short_number(&mut self.input, end - begin.content)?;
                self.place.time = i64::try_from(time).unwrap_or(i64::MAX);
            }
            id::SIMPLE_BLOCK => {
                let block = Block::read(&mut self.input, end)?;
                let key = block.is_key();
                self.wait_for(place, &block, key, None)?;
            }
            id::BLOCK_GROUP => self.group(place, end)?,
            other if id::is_top(other) => {
                self.place.time = 0;
                self.place.end = None;
            }
            _ => {}
        }
        self.place.position = end;
        Ok(())
    }

    /// A block with what is said of it.
    fn group(&mut self, place: Place, group_end: u64) -> Result<(), ContainerError> {
        let mut found = None;
        let mut duration = None;
        let mut refers = false;
        while self.input.position() < group_end {
            let offset = self.input.position();
            let begin = Begin::read(&mut self.input)?;
            let end = begin.and_then(|begin| begin.end);
            let (Some(begin), Some(end)) = (begin, end.filter(|&end| end <= group_end)) else {
                return Err(unexpected(
                    offset,
                    "an element within its group",
                    Found::End,
                ));
            };
            match begin.id {
                id::BLOCK => found = Some(Block::read(&mut self.input, end)?),
                id::BLOCK_DURATION => {
                    let time = short_number(&mut self.input, end - begin.content)?;
                    let time = self.times.time(i64::try_from(time).unwrap_or(i64::MAX));
                    duration = Some(u32::try_from(time).unwrap_or(u32::MAX));
                }
                id::REFERENCE_BLOCK => refers = true,
                _ => {}
            }
            self.input.seek_to(end)?;
        }
        match found {
            Some(block) => self.wait_for(place, &block, !refers, duration),
            None => Ok(()),
        }
    }

    fn wait_for(
        &mut self,
        place: Place,
        block: &Block,
        key: bool,
        duration: Option<u32>,
    ) -> Result<(), ContainerError> {
        if block.track != self.header.number {
            return Ok(());
        }
        let time = self.place.time.saturating_add(block.time.into());
        let mut presented = self.times.time(time);
        let (usual, prefix) = (self.header.duration, self.header.prefix.len() as u64);
        let waiting = &mut self.waiting;
        block.frames(&mut self.input, |offset, size| {
            if size + prefix > 0 {
                waiting.push_back(Waiting {
                    place,
                    offset,
                    size: size + prefix,
                    presented,
                    duration: duration.unwrap_or(usual),
                    key,
                });
            }
            presented = presented.saturating_add(usual.into());
        })
    }

    /// Looks for blocks until so many wait, or none follows.
    fn look_ahead(&mut self, count: usize) {
        while self.waiting.len() < count && !self.exhausted && self.failed.is_none() {
            if let Err(error) = self.step() {
                self.exhausted = true;
                self.failed = Some(error);
            }
        }
    }

    fn data(&mut self, waiting: &Waiting) -> Result<Data<'_>, ContainerError> {
        self.input.seek_to(waiting.offset)?;
        Ok(Data {
            format: Format::Matroska,
            prefix: &self.header.prefix,
            input: &mut self.input,
            left: waiting.size,
        })
    }

    fn announce(&mut self, waiting: Waiting) -> Result<Packet, ContainerError> {
        let len = match self.header.length_size {
            Some(width) if width != 4 => self.data(&waiting)?.converted_len(width)?,
            _ => waiting.size,
        };
        let fits = usize::try_from(len).ok();
        let Some(fits) = fits.filter(|&len| len <= self.options.most) else {
            return Err(ContainerError::TooLong {
                format: Format::Matroska,
                offset: waiting.offset,
                what: "a frame",
                found: len,
                most: self.options.most as u64,
            });
        };
        self.pending = Some((waiting, fits));
        let earliest = self.waiting.iter().map(|later| later.presented).min();
        let earliest = waiting.presented.min(earliest.unwrap_or(i64::MAX));
        self.decoded = self.decoded.max(earliest);
        Ok(Packet {
            len: fits,
            presented: waiting.presented,
            decoded: self.decoded,
            duration: waiting.duration,
            key: waiting.key,
            offset: waiting.offset,
        })
    }

    /// Where the last key packet at or before a time is, from a place on; or the first one at all.
    fn key_before(
        &mut self,
        from: Place,
        presented: i64,
    ) -> Result<Option<Waiting>, ContainerError> {
        self.go_to(from);
        let mut best = None;
        loop {
            self.look_ahead(1);
            let Some(next) = self.waiting.pop_front() else {
                return self.failed.take().map_or(Ok(best), Err);
            };
            if !next.key {
                continue;
            }
            if next.presented > presented {
                return Ok(best.or(Some(next)));
            }
            best = Some(next);
        }
    }

    /// The cluster that the cues tell of, if they do, and there is one.
    fn cued(&mut self, presented: i64) -> Option<Place> {
        let offset = self.cues?;
        self.input.seek_to(offset).ok()?;
        let begin = Begin::read(&mut self.input).ok()??;
        if begin.id != id::CUES {
            return None;
        }
        let data = begin.load(&mut self.input, MOST_OF_AN_ELEMENT).ok()?;
        let time = self.times.untime(presented);
        let elements = Elements::new(&data, begin.content);
        let found = cues::cluster_before(elements, self.header.number, time).ok()??;
        let position = self.segment.checked_add(found)?;
        if position < self.first_cluster || position >= self.segment_end {
            return None;
        }
        self.input.seek_to(position).ok()?;
        let cluster = Begin::read(&mut self.input).ok()??;
        (cluster.id == id::CLUSTER).then_some(Place {
            position,
            time: 0,
            end: None,
        })
    }
}

/// Goes to the content of the segment.
fn open(input: &mut Input, len: u64) -> Result<Begin, ContainerError> {
    let short = |offset| ContainerError::from(cut("an element", offset, len));
    let header = Begin::read(input)?.ok_or_else(|| short(0))?;
    if header.id != id::EBML {
        return Err(unexpected(0, "EBML", u64::from(header.id)));
    }
    let data = header.load(input, MOST_OF_AN_ELEMENT)?;
    let mut elements = Elements::new(&data, header.content);
    while let Some(element) = elements.next()? {
        if element.id == id::DOC_TYPE && !matches!(&*element.text(), "matroska" | "webm") {
            let found = Found::Text(element.text());
            return Err(unsupported(element.offset, "DocType", found));
        }
    }
    loop {
        let offset = input.position();
        let begin = Begin::read(input)?.ok_or_else(|| short(offset))?;
        match (begin.id, begin.end) {
            (id::SEGMENT, _) => return Ok(begin),
            (id::VOID, Some(end)) if end <= len => input.seek_to(end)?,
            (other, _) => return Err(unexpected(offset, "Segment", u64::from(other))),
        }
    }
}

const fn cut(what: &'static str, offset: u64, end: u64) -> Cut {
    Cut { what, offset, end }
}

impl Demuxer for MatroskaDemuxer {
    fn format(&self) -> Format {
        Format::Matroska
    }

    fn track(&self) -> &Track {
        &self.header.track
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ContainerError> {
        self.pending = None;
        self.look_ahead(self.ahead);
        let Some(next) = self.waiting.pop_front() else {
            return self.failed.take().map_or(Ok(None), Err);
        };
        let packet = self.announce(next);
        if packet.is_err() {
            self.end();
        }
        packet.map(Some)
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ContainerError> {
        let (waiting, len) = self.pending.ok_or(ContainerError::NoPacket)?;
        let room = into.len();
        let Some(into) = into.get_mut(..len) else {
            return Err(ContainerError::Room { len, room });
        };
        self.pending = None;
        let length_size = self.header.length_size;
        let read = self.data(&waiting).and_then(|mut data| match length_size {
            Some(width) => data.behind_start_codes(width, into),
            None => data.fill(into),
        });
        if read.is_err() {
            self.end();
        }
        if let Err(ContainerError::Cut(cut)) = read {
            self.cut = Some(cut);
        }
        read
    }

    fn seek(&mut self, presented: i64) -> Result<(), ContainerError> {
        let first = Place {
            position: self.first_cluster,
            time: 0,
            end: None,
        };
        let mut found = None;
        if let Some(place) = self.cued(presented) {
            // What the cues say may be wrong.
            found = self.key_before(place, presented)?;
            found = found.filter(|found| found.presented <= presented);
        }
        if found.is_none() {
            found = self.key_before(first, presented)?;
        }
        let Some(found) = found else {
            self.end();
            return Err(ContainerError::NoKey {
                format: Format::Matroska,
            });
        };
        self.go_to(found.place);
        // Of laced frames, those before are in the same block.
        self.look_ahead(1);
        while self
            .waiting
            .front()
            .is_some_and(|first| first.offset < found.offset)
        {
            self.waiting.pop_front();
        }
        Ok(())
    }

    fn cut(&self) -> Option<Cut> {
        if self.waiting.is_empty() {
            self.cut
        } else {
            None
        }
    }
}
