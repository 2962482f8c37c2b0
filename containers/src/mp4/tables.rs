//! The samples of a plain file: its tables, walked where they lie.

use super::boxes::{Content, unexpected, unsupported};
use crate::error::ContainerError;

/// One sample: a packet as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) offset: u64,
    pub(super) size: u32,
    /// In the track's units, without its edit list.
    pub(super) decoded: i64,
    /// When it is shown, after it is decoded.
    pub(super) composition: i32,
    pub(super) duration: u32,
    pub(super) key: bool,
}

/// Entries of a table in the movie's bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Entries {
    at: usize,
    count: u32,
}

impl Entries {
    /// From a count on; what is claimed beyond the box is an error.
    fn read(content: &mut Content<'_>, width: usize) -> Result<Self, ContainerError> {
        let offset = content.offset();
        let count = content.u32("entry_count")?;
        if (content.bytes().len() / width) < count as usize {
            return Err(unexpected(offset, "as many entries as fit", count));
        }
        let at = content.at;
        Ok(Self { at, count })
    }

    fn get<const N: usize>(self, moov: &[u8], index: u32) -> Option<[u8; N]> {
        if index >= self.count {
            return None;
        }
        let at = self.at + index as usize * N;
        moov.get(at..)?.first_chunk().copied()
    }

    fn one(self, moov: &[u8], index: u32) -> Option<u32> {
        self.get(moov, index).map(u32::from_be_bytes)
    }

    fn two(self, moov: &[u8], index: u32) -> Option<(u32, u32)> {
        let [a, b, c, d, e, f, g, h] = self.get(moov, index)?;
        let number = u32::from_be_bytes;
        Some((number([a, b, c, d]), number([e, f, g, h])))
    }
}

/// The tables of a track (`stbl`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tables {
    /// Counts of samples, and their durations.
    times: Entries,
    /// Counts of samples, and how much later they are shown.
    compositions: Entries,
    /// First chunks, samples of each, their description.
    chunks: Entries,
    chunk_offsets: Entries,
    large_offsets: bool,
    /// All samples are of this size; 0 where the table says it.
    size: u32,
    sizes: Entries,
    /// Numbers of the samples with which decoding can begin; none: all are.
    keys: Option<Entries>,
    /// Where it is said how chunks are made up, for errors.
    offset: u64,
}

/// A place between two samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    sample: u32,
    /// The chunk that comes next, and the entry that says how it is made up.
    chunk: u32,
    made_up: u32,
    left_in_chunk: u32,
    offset: u64,
    time: u32,
    left_of_time: u32,
    duration: u32,
    decoded: i64,
    composition_entry: u32,
    left_of_composition: u32,
    composition: i32,
    key: u32,
}

impl Tables {
    /// Of a box `stbl`, in a file of so many bytes.
    pub(super) fn read(stbl: &Content<'_>, file: u64) -> Result<Self, ContainerError> {
        let mut tables = Self::default();
        let mut boxes = stbl.boxes();
        while let Some(mut content) = boxes.next()? {
            match &content.kind {
                b"stts" | b"ctts" | b"stsc" | b"stco" | b"co64" | b"stss" | b"stsz" | b"stz2" => {
                    content.version()?;
                }
                _ => continue,
            }
            match &content.kind {
                b"stts" => tables.times = Entries::read(&mut content, 8)?,
                b"ctts" => tables.compositions = Entries::read(&mut content, 8)?,
                b"stsc" => {
                    tables.offset = content.offset();
                    tables.chunks = Entries::read(&mut content, 12)?;
                }
                b"stco" => tables.chunk_offsets = Entries::read(&mut content, 4)?,
                b"co64" => {
                    tables.chunk_offsets = Entries::read(&mut content, 8)?;
                    tables.large_offsets = true;
                }
                b"stss" => tables.keys = Some(Entries::read(&mut content, 4)?),
                b"stsz" => {
                    tables.size = content.u32("sample_size")?;
                    let offset = content.offset();
                    if tables.size == 0 {
                        tables.sizes = Entries::read(&mut content, 4)?;
                    } else {
                        let count = content.u32("sample_count")?;
                        // No table bounds this: the file does.
                        if u64::from(count) * u64::from(tables.size) > file {
                            return Err(unexpected(offset, "no more samples than fit", count));
                        }
                        tables.sizes.count = count;
                    }
                }
                _ => return Err(unsupported(content.offset(), "box", "stz2")),
            }
        }
        Ok(tables)
    }

    /// How many samples there are.
    pub(super) const fn count(&self) -> u32 {
        self.sizes.count
    }

    /// The duration of all samples, where they have one.
    pub(super) fn same_duration(&self, moov: &[u8]) -> Option<u32> {
        let (count, duration) = self.times.two(moov, 0)?;
        // The last one's is often another.
        (count >= self.count().saturating_sub(1)).then_some(duration)
    }

    /// The sample after a place, which moves behind it; none at the end.
    pub(super) fn next(
        &self,
        moov: &[u8],
        cursor: &mut Cursor,
    ) -> Result<Option<Sample>, ContainerError> {
        if cursor.sample >= self.count() {
            return Ok(None);
        }
        let size = if self.size > 0 {
            self.size
        } else {
            self.sizes.one(moov, cursor.sample).unwrap_or_default()
        };
        while cursor.left_in_chunk == 0 {
            self.begin_chunk(moov, cursor)?;
        }
        self.tell_times(moov, cursor);
        let number = cursor.sample + 1;
        let sample = Sample {
            offset: cursor.offset,
            size,
            decoded: cursor.decoded,
            composition: cursor.composition,
            duration: cursor.duration,
            key: self.is_key(moov, cursor, number),
        };
        cursor.sample = number;
        cursor.left_in_chunk -= 1;
        cursor.offset = cursor.offset.saturating_add(size.into());
        cursor.decoded = cursor.decoded.saturating_add(cursor.duration.into());
        Ok(Some(sample))
    }

    fn begin_chunk(&self, moov: &[u8], cursor: &mut Cursor) -> Result<(), ContainerError> {
        let place = if self.large_offsets {
            let offset = self.chunk_offsets.get(moov, cursor.chunk);
            offset.map(u64::from_be_bytes)
        } else {
            let offset = self.chunk_offsets.one(moov, cursor.chunk);
            offset.map(u64::from)
        };
        let Some(offset) = place else {
            let samples = cursor.sample;
            return Err(unexpected(self.offset, "chunks for all samples", samples));
        };
        let number = cursor.chunk + 1;
        let first_of = |index| -> Option<u32> {
            let [a, b, c, d, ..] = self.chunks.get::<12>(moov, index)?;
            Some(u32::from_be_bytes([a, b, c, d]))
        };
        while let Some(first) = first_of(cursor.made_up + 1)
            && first <= number
        {
            cursor.made_up += 1;
        }
        let Some([_, _, _, _, a, b, c, d, e, f, g, h]) = self.chunks.get(moov, cursor.made_up)
        else {
            return Err(unexpected(self.offset, "how chunks are made up", number));
        };
        let description = u32::from_be_bytes([e, f, g, h]);
        if description != 1 {
            let offset = self.offset;
            return Err(unsupported(offset, "sample_description_index", description));
        }
        cursor.left_in_chunk = u32::from_be_bytes([a, b, c, d]);
        cursor.offset = offset;
        cursor.chunk = number;
        Ok(())
    }

    /// Durations and delays go on as they were where their tables end too early.
    fn tell_times(&self, moov: &[u8], cursor: &mut Cursor) {
        while cursor.left_of_time == 0 {
            let Some((count, duration)) = self.times.two(moov, cursor.time) else {
                cursor.left_of_time = u32::MAX;
                break;
            };
            cursor.left_of_time = count;
            cursor.duration = duration;
            cursor.time += 1;
        }
        cursor.left_of_time -= 1;
        while cursor.left_of_composition == 0 {
            let entry = self.compositions.two(moov, cursor.composition_entry);
            let Some((count, offset)) = entry else {
                cursor.left_of_composition = u32::MAX;
                break;
            };
            cursor.left_of_composition = count;
            // Signed in version 1, and by custom in version 0.
            cursor.composition = offset.cast_signed();
            cursor.composition_entry += 1;
        }
        cursor.left_of_composition -= 1;
    }

    fn is_key(&self, moov: &[u8], cursor: &mut Cursor, number: u32) -> bool {
        let Some(keys) = self.keys else {
            return true;
        };
        while let Some(key) = keys.one(moov, cursor.key) {
            if key >= number {
                return key == number;
            }
            cursor.key += 1;
        }
        false
    }
}
