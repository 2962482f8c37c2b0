//! Reading Matroska.

use std::collections::VecDeque;

use super::cues;
use super::element::{Begin, Elements, unexpected, unsupported};
use super::header::{Header, Times};
use super::id;
use super::walk::{Place, Waiting, Walk, cut};
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

/// What is known of an open file.
#[derive(Debug)]
struct MatroskaDemuxer {
    walk: Walk,
    options: ReadOptions,
    /// Where the segment's content begins.
    segment: u64,
    first: Place,
    /// Where its cues may be.
    cues: Option<u64>,
    ahead: usize,
    decoded: i64,
    pending: Option<(Waiting, usize)>,
}

impl MatroskaDemuxer {
    fn new(mut input: Input, options: ReadOptions) -> Result<Self, ContainerError> {
        let len = input.len().ok_or(ContainerError::NotSeekable)?;
        input.seek_to(0)?;
        let segment = open(&mut input, len)?;
        let claimed = segment.end.unwrap_or(len);
        let head = Head::read(&mut input, &segment, len)?;
        let info = head
            .info
            .as_ref()
            .map(|(data, begin)| elements(data, begin));
        let times = Times::read(info)?;
        let (data, begin) = &head.tracks;
        let header = Header::read(elements(data, begin), times)?;
        let reorders = matches!(header.track.codec, Codec::H264 | Codec::Hevc | Codec::Mpeg2);
        let first = Place {
            position: head.clusters,
            time: 0,
            end: None,
        };
        let walk = Walk {
            input,
            header,
            times,
            segment_end: claimed.min(len),
            segment_cut: claimed > len,
            place: first,
            waiting: VecDeque::new(),
            failed: None,
            exhausted: false,
            cut: None,
        };
        Ok(Self {
            walk,
            options,
            segment: segment.content,
            first,
            cues: head.cues,
            ahead: if reorders { AHEAD } else { 1 },
            decoded: i64::MIN,
            pending: None,
        })
    }

    fn go_to(&mut self, place: Place) {
        self.walk.go_to(place);
        self.decoded = i64::MIN;
        self.pending = None;
    }

    fn announce(&mut self, waiting: Waiting) -> Result<Packet, ContainerError> {
        let len = match self.walk.header.length_size {
            Some(width) if width != 4 => self.walk.data(&waiting)?.converted_len(width)?,
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
        let earliest = self.walk.waiting.iter().map(|later| later.presented).min();
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
            self.walk.look_ahead(1);
            let Some(next) = self.walk.waiting.pop_front() else {
                return self.walk.failed.take().map_or(Ok(best), Err);
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
        self.walk.input.seek_to(offset).ok()?;
        let begin = Begin::read(&mut self.walk.input).ok()??;
        if begin.id != id::CUES {
            return None;
        }
        let data = begin.load(&mut self.walk.input, MOST_OF_AN_ELEMENT).ok()?;
        let time = self.walk.times.untime(presented);
        let elements = Elements::new(&data, begin.content);
        let found = cues::cluster_before(elements, self.walk.header.number, time).ok()??;
        let position = self.segment.checked_add(found)?;
        if position < self.first.position || position >= self.walk.segment_end {
            return None;
        }
        self.walk.input.seek_to(position).ok()?;
        let cluster = Begin::read(&mut self.walk.input).ok()??;
        (cluster.id == id::CLUSTER).then_some(Place {
            position,
            time: 0,
            end: None,
        })
    }
}

/// An element, read into memory.
type Loaded = (Vec<u8>, Begin);

fn elements<'d>(data: &'d [u8], begin: &Begin) -> Elements<'d> {
    Elements::new(data, begin.content)
}

/// What comes before the clusters.
struct Head {
    info: Option<Loaded>,
    tracks: Loaded,
    cues: Option<u64>,
    clusters: u64,
}

impl Head {
    /// Of a segment, at whose content the input is, in a file of so many bytes.
    fn read(input: &mut Input, segment: &Begin, len: u64) -> Result<Self, ContainerError> {
        let claimed = segment.end.unwrap_or(len);
        let mut info = None;
        let mut tracks = None;
        let mut cues = None;
        let clusters = loop {
            let position = input.position();
            let begin = match Begin::read(input)? {
                Some(begin) if begin.content <= claimed.min(len) => begin,
                // What is missing is seen when it is looked for.
                _ if tracks.is_some() => break position,
                _ if position >= claimed.min(len) && claimed <= len => {
                    return Err(unexpected(position, "Tracks", Found::End));
                }
                _ => return Err(cut("an element", position, len).into()),
            };
            let too_long = begin.end.is_some_and(|end| end > len);
            match begin.id {
                id::CLUSTER => break position,
                _ if too_long && tracks.is_some() => break position,
                _ if too_long => return Err(cut("an element", position, len).into()),
                id::INFO => info = Some((begin.load(input, MOST_OF_AN_ELEMENT)?, begin)),
                id::TRACKS => tracks = Some((begin.load(input, MOST_OF_AN_ELEMENT)?, begin)),
                id::CUES => cues = Some(begin.offset),
                id::SEEK_HEAD if cues.is_none() => {
                    let data = begin.load(input, MOST_OF_AN_ELEMENT)?;
                    let position = cues::position_of(elements(&data, &begin), id::CUES)?;
                    cues = position.and_then(|position| segment.content.checked_add(position));
                }
                _ => {}
            }
            let Some(end) = begin.end else {
                let found = u64::from(begin.id);
                return Err(unexpected(position, "an element of known size", found));
            };
            input.seek_to(end)?;
        };
        let Some(tracks) = tracks else {
            return Err(unexpected(clusters, "Tracks", Found::from("Cluster")));
        };
        Ok(Self {
            info,
            tracks,
            cues,
            clusters,
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

impl Demuxer for MatroskaDemuxer {
    fn format(&self) -> Format {
        Format::Matroska
    }

    fn track(&self) -> &Track {
        &self.walk.header.track
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ContainerError> {
        self.pending = None;
        self.walk.look_ahead(self.ahead);
        let Some(next) = self.walk.waiting.pop_front() else {
            return self.walk.failed.take().map_or(Ok(None), Err);
        };
        let packet = self.announce(next);
        if packet.is_err() {
            self.walk.end();
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
        let length_size = self.walk.header.length_size;
        let read = self
            .walk
            .data(&waiting)
            .and_then(|mut data| match length_size {
                Some(width) => data.behind_start_codes(width, into),
                None => data.fill(into),
            });
        if read.is_err() {
            self.walk.end();
        }
        if let Err(ContainerError::Cut(cut)) = read {
            self.walk.cut = Some(cut);
        }
        read
    }

    fn seek(&mut self, presented: i64) -> Result<(), ContainerError> {
        let mut found = None;
        if let Some(place) = self.cued(presented) {
            // What the cues say may be wrong.
            found = self.key_before(place, presented)?;
            found = found.filter(|found| found.presented <= presented);
        }
        if found.is_none() {
            found = self.key_before(self.first, presented)?;
        }
        let Some(found) = found else {
            self.walk.end();
            return Err(ContainerError::NoKey {
                format: Format::Matroska,
            });
        };
        self.go_to(found.place);
        // Of laced frames, those before are in the same block.
        self.walk.look_ahead(1);
        while self
            .walk
            .waiting
            .front()
            .is_some_and(|first| first.offset < found.offset)
        {
            self.walk.waiting.pop_front();
        }
        Ok(())
    }

    fn cut(&self) -> Option<Cut> {
        if self.walk.waiting.is_empty() {
            self.walk.cut
        } else {
            None
        }
    }
}
