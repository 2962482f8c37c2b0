//! Reading MP4.

use super::boxes::{TopBox, unexpected};
use super::fragment::{Fragment, FragmentCursor};
use super::movie::Movie;
use super::tables::{Cursor, Sample};
use crate::coded::lengths::Data;
use crate::error::{ContainerError, Cut, Found};
use crate::format::Format;
use crate::packet::{Packet, Track};
use crate::reader::{Demuxer, Input, ReadOptions};

/// The longest `moov`: a day of pictures has some 40 MiB of tables.
const MOST_OF_A_MOVIE: u64 = 64 << 20;
/// The longest `moof`.
const MOST_OF_A_FRAGMENT: u64 = 16 << 20;

/// Reads the first track of pictures of an MP4 file, plain or in fragments.
///
/// It needs a file: in a pipe tables may come after what they tell of. Of an edit list it follows
/// where the track begins; zero bytes of data are no packet.
///
/// # Errors
/// [`ContainerError::NotSeekable`] of a pipe; [`ContainerError::Cut`] where the file ends before it
/// says what it holds; others as they come.
pub fn read(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    Ok(Box::new(Mp4Demuxer::new(input, *options)?))
}

/// Where the next sample is looked for.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// In the tables of the whole file.
    plain: Cursor,
    /// In the fragment that begins here, if there is one.
    fragment: Option<u64>,
    cursor: FragmentCursor,
    /// Where the next box of the file begins.
    next_box: u64,
}

/// What is known of an open file.
#[derive(Debug)]
struct Mp4Demuxer {
    input: Input,
    options: ReadOptions,
    len: u64,
    moov: Vec<u8>,
    movie: Movie,
    /// Behind `moov`, where fragments can begin.
    body: u64,
    place: Place,
    /// Where the sample that was found last is found again.
    found: Place,
    fragment: Fragment,
    /// Where the fragment in `fragment` begins.
    loaded: Option<u64>,
    pending: Option<Pending>,
    cut: Option<Cut>,
    ended: bool,
}

/// A packet that can be read.
#[derive(Clone, Copy, Debug)]
struct Pending {
    offset: u64,
    size: u32,
    len: usize,
}

impl Mp4Demuxer {
    fn new(mut input: Input, options: ReadOptions) -> Result<Self, ContainerError> {
        let len = input.len().ok_or(ContainerError::NotSeekable)?;
        let mut moov = Vec::new();
        input.seek_to(0)?;
        let (base, body) = loop {
            let Some(found) = TopBox::read(&mut input)? else {
                let offset = input.position();
                if offset < len {
                    return Err(cut("a box", offset, len).into());
                }
                return Err(unexpected(offset, "moov", Found::End));
            };
            if found.offset == 0 && !starts_a_file(found.kind) {
                let found = Found::bytes(&found.kind);
                return Err(unexpected(4, "ftyp", found));
            }
            let end = found.end.unwrap_or(len);
            if end > len {
                return Err(cut("a box", found.offset, len).into());
            }
            if found.kind == *b"moov" {
                load(&mut input, &found, end, MOST_OF_A_MOVIE, &mut moov)?;
                break (found.offset + found.header, end);
            }
            input.seek_to(end)?;
        };
        let movie = Movie::read(&moov, base, len)?;
        Ok(Self {
            input,
            options,
            len,
            moov,
            movie,
            body,
            place: Place {
                next_box: body,
                ..Place::default()
            },
            found: Place::default(),
            fragment: Fragment::default(),
            loaded: None,
            pending: None,
            cut: None,
            ended: false,
        })
    }

    /// The next sample that has data and is whole.
    fn step(&mut self) -> Result<Option<Sample>, ContainerError> {
        loop {
            self.found = self.place;
            let plain = self.movie.tables.next(&self.moov, &mut self.place.plain)?;
            let sample = match plain {
                Some(sample) => sample,
                None if self.movie.defaults.is_none() => return Ok(None),
                None => match self.step_in_fragments()? {
                    Some(sample) => sample,
                    None => return Ok(None),
                },
            };
            if sample.size == 0 {
                continue;
            }
            if sample.offset.saturating_add(sample.size.into()) > self.len {
                self.cut = Some(cut("a sample", sample.offset.min(self.len), self.len));
                return Ok(None);
            }
            return Ok(Some(sample));
        }
    }

    fn step_in_fragments(&mut self) -> Result<Option<Sample>, ContainerError> {
        loop {
            if let Some(begin) = self.place.fragment {
                if self.loaded != Some(begin) {
                    self.input.seek_to(begin)?;
                    let Some(found) = TopBox::read(&mut self.input)? else {
                        return Ok(None);
                    };
                    self.load_fragment(&found)?;
                }
                self.found = self.place;
                if let Some(sample) = self.fragment.next(&mut self.place.cursor)? {
                    return Ok(Some(sample));
                }
                self.place.fragment = None;
            }
            if self.place.next_box >= self.len {
                return Ok(None);
            }
            self.input.seek_to(self.place.next_box)?;
            let Some(found) = TopBox::read(&mut self.input)? else {
                self.cut = Some(cut("a box", self.place.next_box, self.len));
                return Ok(None);
            };
            let end = found.end.unwrap_or(self.len);
            if end > self.len {
                let what = match &found.kind {
                    b"moof" => "a fragment's table",
                    b"mdat" => "a fragment's data",
                    _ => "a box",
                };
                self.cut = Some(cut(what, found.offset, self.len));
                return Ok(None);
            }
            self.place.next_box = end;
            if found.kind == *b"moof" {
                self.place.fragment = Some(found.offset);
                self.place.cursor = FragmentCursor::at_time(self.place.cursor.decoded);
                self.load_fragment(&found)?;
            }
        }
    }

    fn load_fragment(&mut self, found: &TopBox) -> Result<(), ContainerError> {
        self.loaded = None;
        let end = found.end.unwrap_or(self.len).min(self.len);
        let into = &mut self.fragment.moof;
        load(&mut self.input, found, end, MOST_OF_A_FRAGMENT, into)?;
        self.fragment.base = found.offset + found.header;
        let (track_id, defaults) = (self.movie.track_id, self.movie.defaults.unwrap_or_default());
        self.fragment
            .index(found.offset, track_id, defaults, self.len)?;
        self.loaded = Some(found.offset);
        Ok(())
    }

    /// When a sample is shown and decoded.
    const fn times(&self, sample: &Sample) -> (i64, i64) {
        let decoded = sample.decoded.saturating_add(self.movie.shift);
        (decoded.saturating_add(sample.composition as i64), decoded)
    }

    fn data(&mut self, offset: u64, size: u32) -> Result<Data<'_>, ContainerError> {
        self.input.seek_to(offset)?;
        Ok(Data {
            format: Format::Mp4,
            prefix: &[],
            input: &mut self.input,
            left: size.into(),
        })
    }

    fn announce(&mut self, sample: &Sample) -> Result<Packet, ContainerError> {
        let len = match self.movie.length_size {
            Some(width) if width != 4 => {
                let len = self
                    .data(sample.offset, sample.size)?
                    .converted_len(width)?;
                usize::try_from(len).unwrap_or(usize::MAX)
            }
            _ => sample.size as usize,
        };
        if len > self.options.most {
            return Err(ContainerError::TooLong {
                format: Format::Mp4,
                offset: sample.offset,
                what: "a sample",
                found: len as u64,
                most: self.options.most as u64,
            });
        }
        self.pending = Some(Pending {
            offset: sample.offset,
            size: sample.size,
            len,
        });
        let (presented, decoded) = self.times(sample);
        Ok(Packet {
            len,
            presented,
            decoded,
            duration: sample.duration,
            key: sample.key,
            offset: sample.offset,
        })
    }
}

/// Whether files begin with such a box.
const fn starts_a_file(kind: [u8; 4]) -> bool {
    matches!(
        &kind,
        b"ftyp" | b"styp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"pnot"
    )
}

const fn cut(what: &'static str, offset: u64, end: u64) -> Cut {
    Cut { what, offset, end }
}

/// Puts the content of a box, which the file holds in whole, into memory.
fn load(
    input: &mut Input,
    found: &TopBox,
    end: u64,
    most: u64,
    into: &mut Vec<u8>,
) -> Result<(), ContainerError> {
    let length = end.saturating_sub(found.offset + found.header);
    let count = usize::try_from(length).unwrap_or(usize::MAX);
    if length > most {
        return Err(ContainerError::TooLong {
            format: Format::Mp4,
            offset: found.offset,
            what: "a box of tables",
            found: length,
            most,
        });
    }
    input.seek_to(found.offset + found.header)?;
    into.resize(count, 0);
    let filled = input.fill(into)?;
    if filled < count {
        let end = found.offset + found.header + filled as u64;
        return Err(cut("a box of tables", found.offset, end).into());
    }
    Ok(())
}

impl Demuxer for Mp4Demuxer {
    fn format(&self) -> Format {
        Format::Mp4
    }

    fn track(&self) -> &Track {
        &self.movie.track
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ContainerError> {
        self.pending = None;
        if self.ended {
            return Ok(None);
        }
        let step = self.step();
        let packet =
            step.and_then(|sample| sample.map(|sample| self.announce(&sample)).transpose());
        self.ended = !matches!(packet, Ok(Some(_)));
        packet
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ContainerError> {
        let pending = self.pending.ok_or(ContainerError::NoPacket)?;
        let Pending { offset, size, len } = pending;
        let room = into.len();
        let Some(into) = into.get_mut(..len) else {
            return Err(ContainerError::Room { len, room });
        };
        self.pending = None;
        let length_size = self.movie.length_size;
        let read = self
            .data(offset, size)
            .and_then(|mut data| match length_size {
                Some(width) => data.behind_start_codes(width, into),
                None => data.fill(into),
            });
        if let Err(ContainerError::Cut(cut)) = read {
            self.cut = Some(cut);
        }
        self.ended |= read.is_err();
        read
    }

    fn seek(&mut self, presented: i64) -> Result<(), ContainerError> {
        self.pending = None;
        self.cut = None;
        self.ended = true;
        self.place = Place {
            next_box: self.body,
            ..Place::default()
        };
        let mut best = None;
        while let Some(sample) = self.step()? {
            if !sample.key {
                continue;
            }
            let late = self.times(&sample).0 > presented;
            if late && best.is_some() {
                break;
            }
            best = Some(self.found);
            if late {
                break;
            }
        }
        self.cut = None;
        self.place = best.ok_or(ContainerError::NoKey {
            format: Format::Mp4,
        })?;
        self.ended = false;
        Ok(())
    }

    fn cut(&self) -> Option<Cut> {
        self.cut
    }
}
