//! Blocks: which track, when, and the frames in them (RFC 9559, 10).

use super::element::{number, unexpected, unsupported, variable};
use crate::error::{ContainerError, Found};
use crate::reader::Input;

/// How a block begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) track: u64,
    /// After its cluster's time.
    pub(super) time: i16,
    flags: u8,
    /// Where what follows begins.
    content: u64,
    end: u64,
}

impl Block {
    /// Of the block whose content begins where the input is, and ends there.
    pub(super) fn read(input: &mut Input, end: u64) -> Result<Self, ContainerError> {
        let offset = input.position();
        let wrong = |found: &[u8]| unexpected(offset, "a block", Found::bytes(found));
        let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let bytes = input.peek(length.min(11))?;
        let (track, width, _) = variable(bytes).ok_or_else(|| wrong(bytes))?;
        let Some(&[high, low, flags]) = bytes.get(width..).and_then(<[u8]>::first_chunk) else {
            return Err(wrong(bytes));
        };
        Ok(Self {
            track,
            time: i16::from_be_bytes([high, low]),
            flags,
            content: offset + width as u64 + 3,
            end,
        })
    }

    /// Of a simple block: whether decoding can begin with it.
    pub(super) const fn is_key(&self) -> bool {
        self.flags & 0x80 != 0
    }

    /// Where the block's frames lie: offsets and sizes.
    pub(super) fn frames(
        &self,
        input: &mut Input,
        mut each: impl FnMut(u64, u64),
    ) -> Result<(), ContainerError> {
        let lacing = self.flags >> 1 & 3;
        if lacing == 0 {
            each(self.content, self.end - self.content);
            return Ok(());
        }
        input.seek_to(self.content)?;
        let length = usize::try_from(self.end - self.content).unwrap_or(usize::MAX);
        let mut head = input.peek(length)?;
        let cut = |_| unsupported(self.content, "lacing", u64::from(lacing));
        let (&count, rest) = head.split_first().ok_or(()).map_err(cut)?;
        head = rest;
        let count = usize::from(count) + 1;
        // Of all but the last frame, which has what is left.
        let mut sizes = [0_u64; 256];
        let told = sizes.get_mut(..count - 1).unwrap_or_default();
        let mut before = None;
        let mut used = 1;
        for size in told.iter_mut() {
            let (one, bytes) = match lacing {
                1 => xiph(head),
                3 => ebml(head, before),
                _ => {
                    let all = self.end - self.content - 1;
                    let even = all.is_multiple_of(count as u64);
                    even.then_some((all / count as u64, 0))
                }
            }
            .ok_or(())
            .map_err(cut)?;
            *size = one;
            before = Some(one);
            used += bytes as u64;
            head = head.get(bytes..).unwrap_or_default();
        }
        let mut at = self.content + used;
        for &mut size in told {
            let next = at.checked_add(size).filter(|&next| next <= self.end);
            let next = next.ok_or_else(|| unexpected(self.content, "a lace that fits", size))?;
            each(at, size);
            at = next;
        }
        let last = self.end.checked_sub(at);
        each(at, last.ok_or(()).map_err(cut)?);
        Ok(())
    }
}

/// Bytes of 255, and one less, are added up.
fn xiph(head: &[u8]) -> Option<(u64, usize)> {
    let full = head.iter().take_while(|&&byte| byte == 255).count();
    let last = *head.get(full)?;
    Some((full as u64 * 255 + u64::from(last), full + 1))
}

/// The first as a number, others as the difference to the one before.
fn ebml(head: &[u8], before: Option<u64>) -> Option<(u64, usize)> {
    let (value, width, _) = variable(head)?;
    let Some(before) = before else {
        return Some((value, width));
    };
    let middle = (1_i64 << (7 * width - 1)) - 1;
    let difference = i64::try_from(value).ok()? - middle;
    Some((before.checked_add_signed(difference)?, width))
}

/// A number in the file, of an element whose content begins where the input is.
pub(super) fn short_number(input: &mut Input, length: u64) -> Result<u64, ContainerError> {
    let offset = input.position();
    let bytes = match usize::try_from(length) {
        Ok(length @ 0..=8) => input.peek(length)?,
        _ => &[0; 9],
    };
    number(bytes).ok_or_else(|| unexpected(offset, "a number of at most eight bytes", length))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use crate::error::ContainerError;
    use crate::reader::Input;

    use super::Block;

    /// Track, time, and offsets and sizes of frames.
    type Found = (u64, i16, Vec<(u64, u64)>);

    fn frames(block: &[u8]) -> Result<Found, ContainerError> {
        let mut input = Input::file(Cursor::new(block.to_vec())).unwrap();
        let read = Block::read(&mut input, block.len() as u64)?;
        let mut all = Vec::new();
        read.frames(&mut input, |offset, size| all.push((offset, size)))?;
        Ok((read.track, read.time, all))
    }

    #[test]
    fn frames_of_a_block_are_found_with_every_lacing() {
        let none = [0x81, 0xff, 0xfe, 0x80, 1, 2, 3];
        assert_eq!(frames(&none).unwrap(), (1, -2, vec![(4, 3)]));
        // Xiph: 3 frames of 256, 2 and what is left.
        let mut xiph = vec![0x40, 0x02, 0, 5, 0x02, 2, 255, 1, 2];
        xiph.extend([7; 256 + 2 + 4]);
        let expected = vec![(9, 256), (265, 2), (267, 4)];
        assert_eq!(frames(&xiph).unwrap(), (2, 5, expected));
        // EBML: 4 frames of 3, 5, 2 and what is left.
        let mut ebml = vec![0x81, 0, 0, 0x06, 3, 0x83, 0xc1, 0xbc];
        ebml.extend([7; 3 + 5 + 2 + 1]);
        let expected = vec![(8, 3), (11, 5), (16, 2), (18, 1)];
        assert_eq!(frames(&ebml).unwrap(), (1, 0, expected));
        // Fixed: 2 frames.
        let fixed = [0x81, 0, 0, 0x04, 1, 1, 2, 3, 4];
        assert_eq!(frames(&fixed).unwrap().2, [(5, 2), (7, 2)]);
    }

    #[test]
    fn laces_that_do_not_fit_are_errors() {
        for block in [
            &[][..],
            &[0x81, 0, 0],
            &[0x81, 0, 0, 0x02],
            &[0x81, 0, 0, 0x02, 1],
            &[0x81, 0, 0, 0x02, 1, 9, 1],
            &[0x81, 0, 0, 0x04, 1, 1, 2, 3],
            &[0x81, 0, 0, 0x06, 2, 0x81, 0x80, 1, 2],
            &[0x81, 0, 0, 0x06, 1, 0x00, 1, 2],
        ] {
            assert!(frames(block).is_err(), "{block:?}");
        }
    }
}
