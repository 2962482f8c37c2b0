//! The samples of one fragment (8.8).

use super::boxes::{Boxes, Content, unexpected, unsupported};
use super::movie::Defaults;
use super::tables::Sample;
use crate::error::{ContainerError, Found};

/// `sample_is_non_sync_sample` of a sample's flags.
pub(super) const NON_SYNC: u32 = 0x1_0000;

/// What of a sample a `trun` states.
pub(super) const DURATION: u32 = 0x100;
pub(super) const SIZE: u32 = 0x200;
pub(super) const FLAGS: u32 = 0x400;
pub(super) const COMPOSITION: u32 = 0x800;

/// Samples whose data lies one behind the other (`trun`).
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where its table begins in the fragment's bytes.
    at: usize,
    count: u32,
    stated: u32,
    first_flags: Option<u32>,
    /// Where its data begins in the file; otherwise behind the run before.
    data: Option<u64>,
    /// When its first sample is decoded; otherwise after the run before.
    decoded: Option<i64>,
    defaults: Defaults,
}

/// A place between two samples of a fragment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FragmentCursor {
    run: usize,
    sample: u32,
    data: u64,
    pub(super) decoded: i64,
}

/// A fragment's table (`moof`).
#[derive(Debug, Default)]
pub(super) struct Fragment {
    /// Its content, and where that begins in the file.
    pub(super) moof: Vec<u8>,
    pub(super) base: u64,
    runs: Vec<Run>,
}

impl FragmentCursor {
    /// At the beginning of a fragment. Where nothing else is said, its time goes on from here.
    pub(super) fn at_time(decoded: i64) -> Self {
        Self {
            decoded,
            ..Self::default()
        }
    }
}

impl Fragment {
    /// Reads where the runs of a track lie, once `moof` and `base` are there. The box begins at
    /// `begin` in the file, which has so many bytes.
    pub(super) fn index(
        &mut self,
        begin: u64,
        track_id: u32,
        defaults: Defaults,
        file: u64,
    ) -> Result<(), ContainerError> {
        self.runs.clear();
        let mut boxes = Boxes::new(&self.moof, self.base);
        let mut first = true;
        while let Some(content) = boxes.next()? {
            if content.kind == *b"traf" {
                let fragment = Traf { begin, first, file };
                fragment.runs(&content, track_id, defaults, &mut self.runs)?;
                first = false;
            }
        }
        Ok(())
    }

    /// The sample after a place, which moves behind it; none at the fragment's end.
    pub(super) fn next(
        &self,
        cursor: &mut FragmentCursor,
    ) -> Result<Option<Sample>, ContainerError> {
        let run = loop {
            let Some(run) = self.runs.get(cursor.run) else {
                return Ok(None);
            };
            if cursor.sample < run.count {
                break run;
            }
            cursor.run += 1;
            cursor.sample = 0;
        };
        if cursor.sample == 0 {
            cursor.data = run.data.unwrap_or(cursor.data);
            cursor.decoded = run.decoded.unwrap_or(cursor.decoded);
        }
        let width = stated(run.stated) * 4;
        let mut at = run.at + cursor.sample as usize * width;
        let mut field = |bit, default| {
            if run.stated & bit == 0 {
                return default;
            }
            let bytes = self.moof.get(at..).and_then(<[u8]>::first_chunk);
            at += 4;
            bytes.copied().map_or(default, u32::from_be_bytes)
        };
        let duration = field(DURATION, run.defaults.duration);
        let size = field(SIZE, run.defaults.size);
        let mut flags = field(FLAGS, run.defaults.flags);
        let composition = field(COMPOSITION, 0).cast_signed();
        if let Some(first) = run.first_flags
            && cursor.sample == 0
        {
            flags = first;
        }
        let sample = Sample {
            offset: cursor.data,
            size,
            decoded: cursor.decoded,
            composition,
            duration,
            key: flags & NON_SYNC == 0,
        };
        cursor.sample += 1;
        cursor.data = cursor.data.saturating_add(size.into());
        cursor.decoded = cursor.decoded.saturating_add(duration.into());
        Ok(Some(sample))
    }
}

/// How many values a run has of each sample.
const fn stated(flags: u32) -> usize {
    (flags & (DURATION | SIZE | FLAGS | COMPOSITION)).count_ones() as usize
}

/// Of one track in a fragment.
#[derive(Clone, Copy)]
struct Traf {
    /// Where the fragment begins.
    begin: u64,
    /// Whether it is the fragment's first.
    first: bool,
    file: u64,
}

impl Traf {
    fn runs(
        self,
        traf: &Content<'_>,
        track_id: u32,
        defaults: Defaults,
        runs: &mut Vec<Run>,
    ) -> Result<(), ContainerError> {
        let Some(mut header) = traf.boxes().find(b"tfhd")? else {
            return Err(unexpected(traf.offset(), "tfhd", Found::End));
        };
        let offset = header.offset();
        let (_version, flags) = header.version()?;
        if header.u32("track_ID")? != track_id {
            return Ok(());
        }
        let mut defaults = defaults;
        let mut base = self.begin;
        if flags & 1 != 0 {
            base = header.u64("base_data_offset")?;
        } else if flags & 0x2_0000 == 0 && !self.first {
            // Its data would begin where that of the track before ends.
            return Err(unsupported(offset, "default-base-is-moof", 0_u32));
        }
        if flags & 2 != 0 {
            header.u32("sample_description_index")?;
        }
        for (bit, value) in [
            (8, &mut defaults.duration),
            (0x10, &mut defaults.size),
            (0x20, &mut defaults.flags),
        ] {
            if flags & bit != 0 {
                *value = header.u32("default_sample")?;
            }
        }
        let mut decoded = None;
        if let Some(mut time) = traf.boxes().find(b"tfdt")? {
            let (version, _flags) = time.version()?;
            let time = time.wide(version, "baseMediaDecodeTime")?;
            decoded = Some(i64::try_from(time).unwrap_or(i64::MAX));
        }
        let mut data = Some(base);
        let mut boxes = traf.boxes();
        while let Some(content) = boxes.next()? {
            if content.kind == *b"trun" {
                let run = self.run(content, base, defaults)?;
                runs.push(Run {
                    data: run.data.or(data),
                    decoded,
                    ..run
                });
                data = None;
                decoded = None;
            }
        }
        Ok(())
    }

    fn run(
        self,
        mut trun: Content<'_>,
        base: u64,
        defaults: Defaults,
    ) -> Result<Run, ContainerError> {
        let (_version, flags) = trun.version()?;
        let offset = trun.offset();
        let count = trun.u32("sample_count")?;
        let mut data = None;
        if flags & 1 != 0 {
            let offset = trun.offset();
            let by = trun.u32("data_offset")?.cast_signed();
            let place = base.checked_add_signed(by.into());
            data = Some(place.ok_or_else(|| unexpected(offset, "data_offset", Found::End))?);
        }
        let first_flags = if flags & 4 == 0 {
            None
        } else {
            Some(trun.u32("first_sample_flags")?)
        };
        let width = stated(flags) * 4;
        let fits = match trun.bytes().len().checked_div(width) {
            Some(most) => most >= count as usize,
            // No table bounds this: the file does.
            None => defaults.size > 0 && u64::from(count) * u64::from(defaults.size) <= self.file,
        };
        if !fits {
            return Err(unexpected(offset, "as many samples as fit", count));
        }
        Ok(Run {
            at: trun.at,
            count,
            stated: flags,
            first_flags,
            data,
            decoded: None,
            defaults,
        })
    }
}
