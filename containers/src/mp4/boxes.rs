//! Boxes: a size, a type, and what is in them (4.2).

use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::reader::Input;

/// A box's type.
pub(super) type Kind = [u8; 4];

pub(super) fn unexpected(
    offset: u64,
    expected: &'static str,
    found: impl Into<Found>,
) -> ContainerError {
    ContainerError::Unexpected {
        format: Format::Mp4,
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
        format: Format::Mp4,
        offset,
        what,
        found: found.into(),
    }
}

/// A box in the file itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopBox {
    pub(super) kind: Kind,
    pub(super) offset: u64,
    /// Bytes of size and type.
    pub(super) header: u64,
    /// Where it ends by what it claims; none for one that goes on to the end of the file.
    pub(super) end: Option<u64>,
}

impl TopBox {
    /// The box that begins where the input is; none where the file ends before its content.
    pub(super) fn read(input: &mut Input) -> Result<Option<Self>, ContainerError> {
        let offset = input.position();
        let bytes = input.peek(16)?;
        let Some(&[a, b, c, d, k0, k1, k2, k3]) = bytes.first_chunk() else {
            return Ok(None);
        };
        let kind = [k0, k1, k2, k3];
        let (size, header) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (None, 8),
            1 => match bytes.get(8..).and_then(<[u8]>::first_chunk) {
                Some(large) => (Some(u64::from_be_bytes(*large)), 16),
                None => return Ok(None),
            },
            size => (Some(u64::from(size)), 8),
        };
        let end = match size {
            None => None,
            Some(size) if size >= header => Some(
                offset
                    .checked_add(size)
                    .ok_or_else(|| unexpected(offset, "a box's size", size))?,
            ),
            Some(size) => return Err(unexpected(offset, "a box's size", size)),
        };
        Ok(Some(Self {
            kind,
            offset,
            header,
            end,
        }))
    }
}

/// Boxes that were read into memory, one behind the other: part of `data`, which begins at `base`
/// in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boxes<'d> {
    pub(super) data: &'d [u8],
    pub(super) base: u64,
    pub(super) at: usize,
    pub(super) end: usize,
}

/// One of them: what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'d> {
    pub(super) kind: Kind,
    pub(super) data: &'d [u8],
    pub(super) base: u64,
    pub(super) at: usize,
    pub(super) end: usize,
}

impl<'d> Boxes<'d> {
    pub(super) const fn new(data: &'d [u8], base: u64) -> Self {
        Self {
            data,
            base,
            at: 0,
            end: data.len(),
        }
    }

    /// The next box; none at the end. What is too short for a box ends them, since writers leave
    /// zeros there.
    pub(super) fn next(&mut self) -> Result<Option<Content<'d>>, ContainerError> {
        let rest = self.data.get(self.at..self.end).unwrap_or_default();
        let Some(&[a, b, c, d, k0, k1, k2, k3]) = rest.first_chunk() else {
            return Ok(None);
        };
        let begin = self.at;
        let (size, header) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (rest.len() as u64, 8),
            1 => match rest.get(8..).and_then(<[u8]>::first_chunk) {
                Some(large) => (u64::from_be_bytes(*large), 16),
                None => return Ok(None),
            },
            size => (u64::from(size), 8),
        };
        let fits = usize::try_from(size)
            .ok()
            .filter(|&size| size >= header && size <= rest.len());
        let Some(size) = fits else {
            return Err(unexpected(self.base + begin as u64, "a box's size", size));
        };
        self.at = begin + size;
        Ok(Some(Content {
            kind: [k0, k1, k2, k3],
            data: self.data,
            base: self.base,
            at: begin + header,
            end: self.at,
        }))
    }

    /// The first box of a type.
    pub(super) fn find(mut self, kind: &Kind) -> Result<Option<Content<'d>>, ContainerError> {
        while let Some(found) = self.next()? {
            if found.kind == *kind {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl<'d> Content<'d> {
    /// The boxes in it.
    pub(super) const fn boxes(&self) -> Boxes<'d> {
        Boxes {
            data: self.data,
            base: self.base,
            at: self.at,
            end: self.end,
        }
    }

    /// Where it begins in the file.
    pub(super) const fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    pub(super) fn bytes(&self) -> &'d [u8] {
        self.data.get(self.at..self.end).unwrap_or_default()
    }

    /// Passes over bytes, as far as there are so many.
    pub(super) fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.end);
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ContainerError> {
        match self.bytes().first_chunk() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(unexpected(self.offset(), what, Found::End)),
        }
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, ContainerError> {
        self.array(what).map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, ContainerError> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, ContainerError> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, ContainerError> {
        self.array(what).map(u64::from_be_bytes)
    }

    /// A number of 32 bits, or in version 1 of 64.
    pub(super) fn wide(&mut self, version: u8, what: &'static str) -> Result<u64, ContainerError> {
        if version == 0 {
            return Ok(self.u32(what)?.into());
        }
        self.u64(what)
    }

    /// Version and flags, with which many boxes begin.
    pub(super) fn version(&mut self) -> Result<(u8, u32), ContainerError> {
        let both = self.u32("version and flags")?;
        let [version, ..] = both.to_be_bytes();
        Ok((version, both & 0xff_ffff))
    }
}
