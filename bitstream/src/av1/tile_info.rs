//! How a frame is cut into tiles (5.9.15).

use crate::av1::code::{f8, f16, not_allowed, ns};
use crate::av1::sequence::SequenceHeader;
use crate::av1::size::FrameSize;
use crate::bits::BitReader;
use crate::error::StreamError;

/// The most columns of tiles.
pub const MAX_TILE_COLS: usize = 64;
/// The most rows of tiles.
pub const MAX_TILE_ROWS: usize = 64;
const MAX_TILE_WIDTH: u32 = 4096;
const MAX_TILE_AREA: u32 = 4096 * 2304;

/// `tile_info()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct TileInfo {
    pub uniform_tile_spacing_flag: bool,
    pub tile_cols_log2: u32,
    pub tile_rows_log2: u32,
    pub tile_cols: u8,
    pub tile_rows: u8,
    /// The last is behind the last tile.
    pub mi_col_starts: [u32; MAX_TILE_COLS + 1],
    pub mi_row_starts: [u32; MAX_TILE_ROWS + 1],
    pub width_in_sbs_minus_1: [u32; MAX_TILE_COLS],
    pub height_in_sbs_minus_1: [u32; MAX_TILE_ROWS],
    pub context_update_tile_id: u16,
    /// `TileSizeBytes`; 0 where there is one tile.
    pub tile_size_bytes: u8,
}

impl Default for TileInfo {
    fn default() -> Self {
        Self {
            uniform_tile_spacing_flag: false,
            tile_cols_log2: 0,
            tile_rows_log2: 0,
            tile_cols: 0,
            tile_rows: 0,
            mi_col_starts: [0; MAX_TILE_COLS + 1],
            mi_row_starts: [0; MAX_TILE_ROWS + 1],
            width_in_sbs_minus_1: [0; MAX_TILE_COLS],
            height_in_sbs_minus_1: [0; MAX_TILE_ROWS],
            context_update_tile_id: 0,
            tile_size_bytes: 0,
        }
    }
}

impl TileInfo {
    /// Tiles of the frame.
    #[must_use]
    pub const fn tiles(&self) -> u32 {
        self.tile_cols as u32 * self.tile_rows as u32
    }

    /// Reads it.
    pub(super) fn read(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
        size: &FrameSize,
    ) -> Result<(), StreamError> {
        let shift = if sequence.use_128x128_superblock {
            5
        } else {
            4
        };
        let [mi_cols, mi_rows] = [size.mi_cols(), size.mi_rows()];
        let in_superblocks = |mi: u32| (mi + (1 << shift) - 1) >> shift;
        let (columns, rows) = (in_superblocks(mi_cols), in_superblocks(mi_rows));
        let widest = MAX_TILE_WIDTH >> (shift + 2);
        let largest = MAX_TILE_AREA >> (2 * (shift + 2));
        let least_columns_log2 = tile_log2(widest, columns);
        let least_log2 = least_columns_log2.max(tile_log2(largest, rows * columns));
        let mut across = Cuts::new(&mut self.mi_col_starts, &mut self.width_in_sbs_minus_1);
        let mut down = Cuts::new(&mut self.mi_row_starts, &mut self.height_in_sbs_minus_1);
        self.uniform_tile_spacing_flag = bits.flag("uniform_tile_spacing_flag")?;
        if self.uniform_tile_spacing_flag {
            let what = "increment_tile_cols_log2";
            let range = (least_columns_log2, tile_log2(1, columns.min(64)));
            self.tile_cols_log2 = incremented(bits, range, what)?;
            across.uniform(bits, columns, self.tile_cols_log2, what)?;
            let what = "increment_tile_rows_log2";
            let least = least_log2.saturating_sub(self.tile_cols_log2);
            self.tile_rows_log2 = incremented(bits, (least, tile_log2(1, rows.min(64))), what)?;
            down.uniform(bits, rows, self.tile_rows_log2, what)?;
        } else {
            let widest = across.coded(bits, columns, widest, "width_in_sbs_minus_1")?;
            let area = rows * columns;
            let largest = if least_log2 > 0 {
                area >> (least_log2 + 1)
            } else {
                area
            };
            let highest = (largest / widest).max(1);
            down.coded(bits, rows, highest, "height_in_sbs_minus_1")?;
            self.tile_cols_log2 = tile_log2(1, u32::from(across.count));
            self.tile_rows_log2 = tile_log2(1, u32::from(down.count));
        }
        (self.tile_cols, self.tile_rows) =
            (across.finish(mi_cols, shift), down.finish(mi_rows, shift));
        let log2 = self.tile_cols_log2 + self.tile_rows_log2;
        if log2 > 0 {
            let at = bits.position();
            self.context_update_tile_id = f16(bits, log2, "context_update_tile_id")?;
            if u32::from(self.context_update_tile_id) >= self.tiles() {
                let found = self.context_update_tile_id;
                return Err(not_allowed(at, "context_update_tile_id", found));
            }
            self.tile_size_bytes = f8(bits, 2, "tile_size_bytes_minus_1")? + 1;
        }
        Ok(())
    }
}

/// The cuts in one direction, in superblocks until they are finished.
struct Cuts<'t> {
    starts: &'t mut [u32; 65],
    sizes: &'t mut [u32; 64],
    count: u8,
}

impl<'t> Cuts<'t> {
    fn new(starts: &'t mut [u32; 65], sizes: &'t mut [u32; 64]) -> Self {
        (*starts, *sizes) = ([0; 65], [0; 64]);
        Self {
            starts,
            sizes,
            count: 0,
        }
    }

    /// The next tile, and nothing if there are too many.
    fn push(&mut self, start: u32, size: u32) -> Option<()> {
        *self.sizes.get_mut(usize::from(self.count))? = size - 1;
        *self.starts.get_mut(usize::from(self.count))? = start;
        self.count += 1;
        Some(())
    }

    fn uniform(
        &mut self,
        bits: &BitReader<'_>,
        length: u32,
        log2: u32,
        what: &'static str,
    ) -> Result<(), StreamError> {
        let size = (length + (1 << log2) - 1) >> log2;
        let mut start = 0;
        while start < length {
            let pushed = self.push(start, size.min(length - start));
            pushed.ok_or_else(|| not_allowed(bits.position(), what, log2))?;
            start += size;
        }
        Ok(())
    }

    /// Returns the longest.
    fn coded(
        &mut self,
        bits: &mut BitReader<'_>,
        length: u32,
        most: u32,
        what: &'static str,
    ) -> Result<u32, StreamError> {
        let (mut start, mut longest) = (0, 0);
        while start < length {
            let at = bits.position();
            let size = ns(bits, most.min(length - start), what)? + 1;
            let pushed = self.push(start, size);
            pushed.ok_or_else(|| not_allowed(at, what, size - 1))?;
            longest = size.max(longest);
            start += size;
        }
        Ok(longest.max(1))
    }

    /// Counts in blocks from here on, and says how many tiles there are.
    fn finish(self, end: u32, shift: u32) -> u8 {
        for start in self.starts.iter_mut().take(usize::from(self.count)) {
            *start <<= shift;
        }
        self.starts[usize::from(self.count.min(64))] = end;
        self.count
    }
}

/// `tile_log2( blkSize, target )` (5.9.16).
const fn tile_log2(block: u32, target: u32) -> u32 {
    let mut log2 = 0;
    while (block << log2) < target {
        log2 += 1;
    }
    log2
}

/// A number that a bit each makes one larger.
fn incremented(
    bits: &mut BitReader<'_>,
    (mut log2, most): (u32, u32),
    what: &'static str,
) -> Result<u32, StreamError> {
    while log2 < most && bits.flag(what)? {
        log2 += 1;
    }
    Ok(log2)
}
