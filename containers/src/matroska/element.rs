//! Elements: a number, a size, and what is in them (RFC 8794).

use crate::error::{ContainerError, Cut, Found};
use crate::format::Format;
use crate::reader::Input;

pub(super) fn unexpected(
    offset: u64,
    expected: &'static str,
    found: impl Into<Found>,
) -> ContainerError {
    ContainerError::Unexpected {
        format: Format::Matroska,
        offset,
        expected,
        found: found.into(),
    }
}

pub(super) fn unsupported(
    offset: u64,
    what: &'static str,
    found: impl Into<Found>,
) -> ContainerError {
    ContainerError::Unsupported {
        format: Format::Matroska,
        offset,
        what,
        found: found.into(),
    }
}

/// A number whose length is told by its first bits: its value, its bytes, and whether all bits of
/// the value are ones. None where the data ends too early, or it is longer than eight bytes.
pub(super) fn variable(data: &[u8]) -> Option<(u64, usize, bool)> {
    let first = *data.first()?;
    let width = first.leading_zeros() as usize + 1;
    let bytes = data.get(..width)?;
    let all = bytes
        .iter()
        .fold(0_u64, |all, &byte| all << 8 | u64::from(byte));
    // Eight bytes have 56 bits of value.
    let mask = (1_u64 << (7 * width).min(56)) - 1;
    (width <= 8).then_some((all & mask, width, all & mask == mask))
}

/// The number of an element, its bytes.
fn identity(data: &[u8]) -> Option<(u32, usize)> {
    let first = *data.first()?;
    let width = first.leading_zeros() as usize + 1;
    let bytes = data.get(..width).filter(|_| width <= 4)?;
    let id = bytes
        .iter()
        .fold(0, |all, &byte| all << 8 | u32::from(byte));
    Some((id, width))
}

/// How an element in the file begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begin {
    pub(super) id: u32,
    pub(super) offset: u64,
    /// Where its content begins.
    pub(super) content: u64,
    /// Where it ends by what it claims; none where that is unknown.
    pub(super) end: Option<u64>,
}

impl Begin {
    /// Of the element that begins where the input is, which moves to its content; none where the
    /// file ends before that.
    pub(super) fn read(input: &mut Input) -> Result<Option<Self>, ContainerError> {
        let offset = input.position();
        let bytes = input.peek(12)?;
        let Some((id, id_bytes)) = identity(bytes) else {
            return match bytes {
                [first, ..] if *first < 0x10 => {
                    Err(unexpected(offset, "an element", Found::bytes(bytes)))
                }
                _ => Ok(None),
            };
        };
        let after = bytes.get(id_bytes..).unwrap_or_default();
        let Some((size, size_bytes, unknown)) = variable(after) else {
            return match after {
                [0, ..] => Err(unexpected(offset, "an element's size", Found::bytes(after))),
                _ => Ok(None),
            };
        };
        let header = id_bytes + size_bytes;
        input.consume(header);
        let content = offset + header as u64;
        let end = content
            .checked_add(size)
            .ok_or_else(|| unexpected(offset, "an element's size", size))?;
        Ok(Some(Self {
            id,
            offset,
            content,
            end: (!unknown).then_some(end),
        }))
    }

    /// Reads its content, at most so many bytes, into memory.
    pub(super) fn load(&self, input: &mut Input, most: u64) -> Result<Vec<u8>, ContainerError> {
        let Some(end) = self.end else {
            let found = Found::Text("of unknown size".to_owned());
            return Err(unexpected(self.offset, "an element of known size", found));
        };
        let length = end - self.content;
        if length > most {
            return Err(ContainerError::TooLong {
                format: Format::Matroska,
                offset: self.offset,
                what: "an element",
                found: length,
                most,
            });
        }
        let cut = |end| Cut {
            what: "an element",
            offset: self.offset,
            end,
        };
        input.seek_to(self.content)?;
        if !input.has(length) {
            return Err(cut(input.len().unwrap_or_default()).into());
        }
        let mut content = vec![0; usize::try_from(length).unwrap_or_default()];
        let filled = input.fill(&mut content)?;
        if filled < content.len() {
            return Err(cut(input.position()).into());
        }
        Ok(content)
    }
}

/// Elements in memory, one behind the other: part of `data`, which begins at `base` in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'d> {
    data: &'d [u8],
    base: u64,
}

/// One of them: what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'d> {
    pub(super) id: u32,
    pub(super) offset: u64,
    pub(super) data: &'d [u8],
}

impl<'d> Elements<'d> {
    pub(super) const fn new(data: &'d [u8], base: u64) -> Self {
        Self { data, base }
    }

    /// The next one; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Element<'d>>, ContainerError> {
        if self.data.is_empty() {
            return Ok(None);
        }
        let read = || {
            let (id, id_bytes) = identity(self.data)?;
            let (size, size_bytes, _unknown) = variable(self.data.get(id_bytes..)?)?;
            let begin = id_bytes + size_bytes;
            let end = begin.checked_add(usize::try_from(size).ok()?)?;
            Some((id, begin, self.data.get(begin..end)?, end))
        };
        let Some((id, begin, data, end)) = read() else {
            let found = Found::bytes(self.data);
            return Err(unexpected(self.base, "an element that fits", found));
        };
        let offset = self.base + begin as u64;
        self.data = self.data.get(end..).unwrap_or_default();
        self.base += end as u64;
        Ok(Some(Element { id, offset, data }))
    }
}

impl<'d> Element<'d> {
    pub(super) const fn elements(&self) -> Elements<'d> {
        Elements::new(self.data, self.offset)
    }

    pub(super) fn number(&self) -> Result<u64, ContainerError> {
        number(self.data).ok_or_else(|| {
            let found = Found::bytes(self.data);
            unexpected(self.offset, "a number of at most eight bytes", found)
        })
    }

    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(self.data);
        text.trim_end_matches('\0').to_owned()
    }
}

/// A number of at most eight bytes.
pub(super) fn number(data: &[u8]) -> Option<u64> {
    let all = data
        .iter()
        .fold(0_u64, |all, &byte| all << 8 | u64::from(byte));
    (data.len() <= 8).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_variable_length_tell_their_length() {
        assert_eq!(variable(&[0x82]), Some((2, 1, false)));
        assert_eq!(variable(&[0xff]), Some((127, 1, true)));
        assert_eq!(variable(&[0x40, 0x02]), Some((2, 2, false)));
        assert_eq!(variable(&[0x40]), None);
        assert_eq!(variable(&[0x00; 9]), None);
        let unknown = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(variable(&unknown), Some(((1 << 56) - 1, 8, true)));
    }
}
