//! Which frames a chunk holds (annex B).

use std::ops::Range;

use crate::error::{StreamError, Trouble};

/// The most frames that a superframe holds.
pub const MOST_FRAMES: usize = 8;

/// Where the frames of a chunk are: one, or those that the index of a superframe lists. What its
/// container calls a frame is a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    frames: [Range<usize>; MOST_FRAMES],
    count: usize,
}

impl Chunk {
    /// Looks for the index at a chunk's end. Frames that lie in the chunk are listed even where
    /// one behind them does not: so the error comes with what is good.
    pub fn read(data: &[u8]) -> (Self, Result<(), StreamError>) {
        let mut chunk = Self::default();
        let read = chunk.find(data);
        (chunk, read)
    }

    fn find(&mut self, data: &[u8]) -> Result<(), StreamError> {
        let end = data.len() as u64 * 8;
        let wrong = |bit, what, trouble| Err(StreamError { bit, what, trouble });
        let Some(&marker) = data.last() else {
            return wrong(0, "frame_marker", Trouble::Ends);
        };
        if marker >> 5 != 0b110 {
            self.add(0..data.len());
            return Ok(());
        }
        let frames = usize::from(marker & 7) + 1;
        let bytes_each = usize::from(marker >> 3 & 3) + 1;
        let size = 2 + frames * bytes_each;
        let Some(begin) = data.len().checked_sub(size) else {
            return wrong(end - 8, "superframe_header", Trouble::Ends);
        };
        if data.get(begin) != Some(&marker) {
            // A frame whose last byte looks like one of an index.
            self.add(0..data.len());
            return Ok(());
        }
        let sizes = data.get(begin + 1..data.len() - 1).unwrap_or_default();
        let mut at = 0;
        for (nth, bytes) in sizes.chunks_exact(bytes_each).enumerate() {
            let bit = (begin + 1 + nth * bytes_each) as u64 * 8;
            let size = bytes
                .iter()
                .rev()
                .fold(0, |size, byte| size << 8 | usize::from(*byte));
            if size == 0 || size > begin - at {
                let found = i64::try_from(size).unwrap_or(i64::MAX);
                return wrong(bit, "frame_sizes", Trouble::NotAllowed { found });
            }
            self.add(at..at + size);
            at += size;
        }
        Ok(())
    }

    fn add(&mut self, frame: Range<usize>) {
        if let Some(slot) = self.frames.get_mut(self.count) {
            *slot = frame;
            self.count += 1;
        }
    }

    /// The frames, as bytes of the chunk, in the order in which they are decoded.
    #[must_use]
    pub fn frames(&self) -> &[Range<usize>] {
        self.frames.get(..self.count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two frames of three and two bytes, sizes of one byte each.
    const TWO: [u8; 9] = [1, 2, 3, 4, 5, 0xc1, 3, 2, 0xc1];

    fn borders(data: &[u8]) -> (Vec<(usize, usize)>, Result<(), StreamError>) {
        let (chunk, read) = Chunk::read(data);
        let borders = chunk.frames().iter().map(|frame| (frame.start, frame.end));
        (borders.collect(), read)
    }

    #[test]
    fn a_superframe_is_split_by_its_index() {
        assert_eq!(borders(&TWO), (vec![(0, 3), (3, 5)], Ok(())));
        let wide = [9, 0b1101_1000, 1, 0, 0, 0, 0b1101_1000];
        assert_eq!(borders(&wide), (vec![(0, 1)], Ok(())));
    }

    #[test]
    fn what_is_no_index_is_a_frame() {
        assert_eq!(borders(&[0x82, 0x49]), (vec![(0, 2)], Ok(())));
        assert_eq!(borders(&[0x82, 0, 0, 0xc0]), (vec![(0, 4)], Ok(())));
    }

    #[test]
    fn an_index_is_bounded_by_the_chunk() {
        let mut far = TWO;
        far[7] = 3;
        let (frames, read) = borders(&far);
        assert_eq!(frames, [(0, 3)]);
        let error = read.unwrap_err();
        assert_eq!((error.bit, error.what), (56, "frame_sizes"));
        assert!(Chunk::read(&[]).1.is_err());
        assert!(Chunk::read(&[0xdf]).1.is_err());
    }
}
