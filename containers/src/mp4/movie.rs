//! The movie box: which track is read, and what is said of it (8.2).

use super::boxes::{Boxes, Content, unexpected};
use super::sample_entry::SampleEntry;
use super::tables::Tables;
use crate::error::{ContainerError, Found};
use crate::packet::Track;

/// What a fragment's samples have where it does not say it (`trex`, `tfhd`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

/// The first track of pictures.
#[derive(Clone, Debug)]
pub(super) struct Movie {
    pub(super) track: Track,
    pub(super) track_id: u32,
    pub(super) tables: Tables,
    /// What the edit list adds to times.
    pub(super) shift: i64,
    pub(super) length_size: Option<u8>,
    /// Of files in fragments.
    pub(super) defaults: Option<Defaults>,
}

impl Movie {
    /// Of the content of `moov`, which begins at `base` in a file of so many bytes.
    pub(super) fn read(moov: &[u8], base: u64, file: u64) -> Result<Self, ContainerError> {
        let boxes = Boxes::new(moov, base);
        let movie_timescale = match boxes.find(b"mvhd")? {
            Some(header) => timescale(header)?,
            None => 0,
        };
        let mut all = boxes;
        while let Some(content) = all.next()? {
            if content.kind == *b"trak" && is_video(&content)? {
                return Self::of_track(moov, &content, boxes, movie_timescale, file);
            }
        }
        Err(unexpected(base, "a track of pictures", Found::End))
    }

    fn of_track(
        moov: &[u8],
        trak: &Content<'_>,
        all: Boxes<'_>,
        movie_timescale: u32,
        file: u64,
    ) -> Result<Self, ContainerError> {
        let mdia = need(trak, b"mdia", "mdia")?;
        let timescale = timescale(need(&mdia, b"mdhd", "mdhd")?)?;
        if timescale == 0 {
            return Err(unexpected(mdia.offset(), "timescale", 0_u32));
        }
        let minf = need(&mdia, b"minf", "minf")?;
        let stbl = need(&minf, b"stbl", "stbl")?;
        let entry = SampleEntry::read(&need(&stbl, b"stsd", "stsd")?)?;
        let tables = Tables::read(&stbl, file)?;
        let mut header = need(trak, b"tkhd", "tkhd")?;
        let (version, _flags) = header.version()?;
        header.wide(version, "creation_time")?;
        header.wide(version, "modification_time")?;
        let track_id = header.u32("track_ID")?;
        let shift = match trak.boxes().find(b"edts")? {
            Some(edits) => edit_list(&edits, timescale, movie_timescale)?,
            None => 0,
        };
        let defaults = match all.find(b"mvex")? {
            Some(extends) => Some(defaults(&extends, track_id)?),
            None => None,
        };
        let duration = tables.same_duration(moov).filter(|_| tables.count() > 0);
        let duration = duration.or(defaults.map(|defaults| defaults.duration));
        let mut track = Track::new(entry.codec, timescale);
        track.size = Some(entry.size).filter(|&(width, height)| width > 0 && height > 0);
        track.rate = duration
            .filter(|&duration| duration > 0)
            .map(|duration| (timescale, duration));
        track.pixel_aspect = entry.pixel_aspect;
        track.colour = entry.colour;
        track.header = entry.record.header;
        Ok(Self {
            track,
            track_id,
            tables,
            shift,
            length_size: entry.record.length_size,
            defaults,
        })
    }
}

fn need<'d>(
    content: &Content<'d>,
    kind: &[u8; 4],
    name: &'static str,
) -> Result<Content<'d>, ContainerError> {
    let found = content.boxes().find(kind)?;
    found.ok_or_else(|| unexpected(content.offset(), name, Found::End))
}

fn is_video(trak: &Content<'_>) -> Result<bool, ContainerError> {
    let Some(mdia) = trak.boxes().find(b"mdia")? else {
        return Ok(false);
    };
    let Some(mut handler) = mdia.boxes().find(b"hdlr")? else {
        return Ok(false);
    };
    handler.skip(8);
    Ok(handler.bytes().starts_with(b"vide"))
}

/// Of `mvhd` and `mdhd`, which begin alike.
fn timescale(mut header: Content<'_>) -> Result<u32, ContainerError> {
    let (version, _flags) = header.version()?;
    header.wide(version, "creation_time")?;
    header.wide(version, "modification_time")?;
    header.u32("timescale")
}

/// What an edit list adds to times: an empty edit first, and from where on the media is shown.
/// Further edits, which would leave out or repeat pictures, are not followed.
fn edit_list(
    edits: &Content<'_>,
    timescale: u32,
    movie_timescale: u32,
) -> Result<i64, ContainerError> {
    let Some(mut list) = edits.boxes().find(b"elst")? else {
        return Ok(0);
    };
    let (version, _flags) = list.version()?;
    let count = list.u32("entry_count")?;
    let mut empty = 0;
    for _edit in 0..count.min(2) {
        let duration = list.wide(version, "segment_duration")?;
        let time = if version == 0 {
            i64::from(list.u32("media_time")?.cast_signed())
        } else {
            list.u64("media_time")?.cast_signed()
        };
        list.u32("media_rate")?;
        if time >= 0 {
            return Ok(empty - time);
        }
        if movie_timescale > 0 {
            let scaled = u128::from(duration) * u128::from(timescale) / u128::from(movie_timescale);
            // Two of them still fit into a time.
            empty = i64::try_from(scaled).unwrap_or(i64::MAX).min(i64::MAX / 4);
        }
    }
    Ok(0)
}

fn defaults(extends: &Content<'_>, track_id: u32) -> Result<Defaults, ContainerError> {
    let mut boxes = extends.boxes();
    while let Some(mut content) = boxes.next()? {
        if content.kind != *b"trex" {
            continue;
        }
        content.version()?;
        if content.u32("track_ID")? == track_id {
            content.u32("default_sample_description_index")?;
            return Ok(Defaults {
                duration: content.u32("default_sample_duration")?,
                size: content.u32("default_sample_size")?,
                flags: content.u32("default_sample_flags")?,
            });
        }
    }
    Ok(Defaults::default())
}

#[cfg(test)]
mod tests {
    use super::super::build::{u32s, versioned};
    use super::*;

    /// What these edits add to times, of 1000 units a second in a movie of 100.
    fn shift(edits: &[(u32, i32)]) -> i64 {
        let mut out = Vec::new();
        versioned(&mut out, b"elst", 0, 0, |out| {
            u32s(out, &[u32::try_from(edits.len()).unwrap()]);
            for &(duration, time) in edits {
                u32s(out, &[duration, time.cast_unsigned(), 0x1_0000]);
            }
        });
        let content = Content {
            kind: *b"edts",
            data: &out,
            base: 0,
            at: 0,
            end: out.len(),
        };
        edit_list(&content, 1000, 100).unwrap()
    }

    #[test]
    fn an_edit_list_says_when_a_track_begins() {
        assert_eq!(shift(&[]), 0);
        assert_eq!(shift(&[(500, 0)]), 0);
        assert_eq!(shift(&[(500, 80)]), -80);
        assert_eq!(shift(&[(20, -1), (500, 80)]), 120);
        // What follows is not followed.
        assert_eq!(shift(&[(5, 10), (5, 500)]), -10);
    }
}
