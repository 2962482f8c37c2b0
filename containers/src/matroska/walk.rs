//! Clusters, walked element by element (RFC 9559, 5.1.3).

use std::collections::VecDeque;

use super::element::{Begin, unexpected, unsupported};
use super::header::{Header, Times};
use super::id;
use super::lacing::{Block, short_number};
use crate::coded::lengths::Data;
use crate::error::{ContainerError, Cut, Found};
use crate::format::Format;
use crate::reader::Input;

/// Where the next element of the segment is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) position: u64,
    /// The cluster it is in: its time, and its end if that is known.
    pub(super) time: i64,
    pub(super) end: Option<u64>,
}

/// A packet that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) place: Place,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) presented: i64,
    pub(super) duration: u32,
    pub(super) key: bool,
}

/// What lies in the clusters of an open file.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) input: Input,
    pub(super) header: Header,
    pub(super) times: Times,
    /// Where the segment's content ends.
    pub(super) segment_end: u64,
    /// Whether the segment goes on behind the end of the file.
    pub(super) segment_cut: bool,
    pub(super) place: Place,
    /// Packets that were found, and not yet announced.
    pub(super) waiting: VecDeque<Waiting>,
    /// What went wrong behind those that wait.
    pub(super) failed: Option<ContainerError>,
    /// Nothing follows behind those that wait.
    pub(super) exhausted: bool,
    pub(super) cut: Option<Cut>,
}

impl Walk {
    /// Goes on from a place.
    pub(super) fn go_to(&mut self, place: Place) {
        self.place = place;
        self.waiting.clear();
        self.failed = None;
        self.exhausted = false;
        self.cut = None;
    }

    /// Nothing follows, not even what waits.
    pub(super) fn end(&mut self) {
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
    pub(super) fn look_ahead(&mut self, count: usize) {
        while self.waiting.len() < count && !self.exhausted && self.failed.is_none() {
            if let Err(error) = self.step() {
                self.exhausted = true;
                self.failed = Some(error);
            }
        }
    }

    /// The data of a packet, to be read.
    pub(super) fn data(&mut self, waiting: &Waiting) -> Result<Data<'_>, ContainerError> {
        self.input.seek_to(waiting.offset)?;
        Ok(Data {
            format: Format::Matroska,
            prefix: &self.header.prefix,
            input: &mut self.input,
            left: waiting.size,
        })
    }
}

pub(super) const fn cut(what: &'static str, offset: u64, end: u64) -> Cut {
    Cut { what, offset, end }
}
