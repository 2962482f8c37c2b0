//! Tile groups, and where their tiles lie (5.11.1).

use crate::av1::code::{byte_alignment, not_allowed};
use crate::av1::tile_info::TileInfo;
use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// What a tile group holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileGroup {
    /// `tg_start`: the number of its first tile.
    pub start: u32,
    /// `tg_end`: the number of its last.
    pub end: u32,
    /// Bytes of the payload before the first tile, or its size.
    offset: usize,
}

/// One tile, in bytes of the payload that it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Tile {
    pub row: u32,
    pub column: u32,
    pub offset: usize,
    pub size: usize,
}

impl TileGroup {
    /// Reads what stands before the tiles: at the beginning of a tile group OBU's payload, or what
    /// follows the header in that of a frame OBU, which must have the `whole` frame. `next` is the
    /// number of the first tile that has not come yet.
    ///
    /// # Errors
    /// Tiles that are not those that follow.
    pub fn read(
        bits: &mut BitReader<'_>,
        info: &TileInfo,
        next: u32,
        whole: bool,
    ) -> Result<Self, StreamError> {
        byte_alignment(bits)?;
        let tiles = info.tiles();
        let at = bits.position();
        let some = tiles > 1 && bits.flag("tile_start_and_end_present_flag")?;
        if some && whole {
            return Err(not_allowed(at, "tile_start_and_end_present_flag", 1));
        }
        let (mut start, mut end) = (0, tiles.saturating_sub(1));
        let at = bits.position();
        if some {
            let length = info.tile_cols_log2 + info.tile_rows_log2;
            start = bits.bits(length, "tg_start")?;
            let end_at = bits.position();
            end = bits.bits(length, "tg_end")?;
            if end < start || end >= tiles {
                return Err(not_allowed(end_at, "tg_end", end));
            }
        }
        if start != next {
            return Err(not_allowed(at, "tg_start", start));
        }
        byte_alignment(bits)?;
        let offset = usize::try_from(bits.position() / 8).unwrap_or(usize::MAX);
        Ok(Self { start, end, offset })
    }

    /// Where its tiles lie, in order, in the payload that it was read from. After an error nothing more comes.
    pub fn tiles<'d>(
        &self,
        payload: &'d [u8],
        info: &TileInfo,
    ) -> impl Iterator<Item = Result<Tile, StreamError>> + use<'d> {
        let columns = u32::from(info.tile_cols).max(1);
        let size_bytes = usize::from(info.tile_size_bytes);
        let (mut number, end) = (self.start, self.end);
        let mut offset = self.offset;
        std::iter::from_fn(move || {
            if number > end {
                return None;
            }
            let tile = (number / columns, number % columns);
            let found = if number == end {
                let what = "tile_data";
                let size = payload.len().checked_sub(offset).filter(|&size| size > 0);
                size.ok_or_else(|| ends(offset, what))
                    .map(|size| (offset, size))
            } else {
                sized(payload, offset, size_bytes)
            };
            number = if found.is_ok() { number + 1 } else { end + 1 };
            Some(found.map(|(begin, size)| {
                offset = begin + size;
                Tile {
                    row: tile.0,
                    column: tile.1,
                    offset: begin,
                    size,
                }
            }))
        })
    }
}

/// A tile that has its size before it: where it begins, and its size.
fn sized(payload: &[u8], offset: usize, bytes: usize) -> Result<(usize, usize), StreamError> {
    let what = "tile_size_minus_1";
    let begin = offset + bytes;
    let coded = payload.get(offset..begin);
    let coded = coded.ok_or_else(|| ends(offset, what))?;
    let minus_1 = coded
        .iter()
        .rev()
        .fold(0_usize, |size, &byte| size << 8 | usize::from(byte));
    let size = minus_1.saturating_add(1);
    // The last tile of a group has no size, but it is there.
    if size >= payload.len() - begin {
        return Err(ends(offset, what));
    }
    Ok((begin, size))
}

const fn ends(byte: usize, what: &'static str) -> StreamError {
    BitReader::wrong(byte as u64 * 8, what, Trouble::Ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(columns: u8, rows: u8) -> TileInfo {
        TileInfo {
            tile_cols: columns,
            tile_rows: rows,
            tile_cols_log2: u32::from(columns).next_power_of_two().ilog2(),
            tile_rows_log2: u32::from(rows).next_power_of_two().ilog2(),
            tile_size_bytes: 2,
            ..TileInfo::default()
        }
    }

    #[test]
    fn tiles_lie_one_behind_the_other_with_their_sizes() {
        let info = info(3, 1);
        let payload = [
            0x00, 0x01, 0x00, 0xaa, 0xab, 0x00, 0x00, 0xba, 0xca, 0xcb, 0xcc,
        ];
        let group = TileGroup::read(&mut BitReader::new(&payload), &info, 0, true).unwrap();
        assert_eq!((group.start, group.end), (0, 2));
        let tiles: Vec<_> = group.tiles(&payload, &info).map(Result::unwrap).collect();
        let places = tiles
            .iter()
            .map(|tile| (tile.column, tile.offset, tile.size));
        assert!(places.eq([(0, 3, 2), (1, 7, 1), (2, 8, 3)]));
        // Without the last tile, the second cannot be there either.
        let mut tiles = group.tiles(&payload[..8], &info);
        assert!(tiles.next().unwrap().is_ok());
        let error = tiles.next().unwrap().unwrap_err();
        assert_eq!((error.bit, error.trouble), (40, Trouble::Ends));
        assert!(tiles.next().is_none());
    }

    #[test]
    fn groups_follow_one_another() {
        let info = info(2, 2);
        // Present, 01, 10.
        let payload = [0b1011_0000, 0x00, 0x00, 0x11, 0x22];
        let read = |next, whole| TileGroup::read(&mut BitReader::new(&payload), &info, next, whole);
        let group = read(1, false).unwrap();
        let tiles: Vec<_> = group.tiles(&payload, &info).map(Result::unwrap).collect();
        assert_eq!((tiles[0].row, tiles[0].column, tiles[0].offset), (0, 1, 3));
        assert_eq!((tiles[1].row, tiles[1].column, tiles[1].offset), (1, 0, 4));
        assert_eq!(read(0, false).unwrap_err().what, "tg_start");
        assert_eq!(
            read(1, true).unwrap_err().what,
            "tile_start_and_end_present_flag"
        );
    }
}
