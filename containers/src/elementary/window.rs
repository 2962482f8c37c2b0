//! The part of a stream that is looked at.

use std::io::Read;

use crate::error::ContainerError;
use crate::reader::Input;

/// Bytes of a window at first.
const FIRST: usize = 128 << 10;

/// Data of a stream, from where it was passed to as far as it was read.
#[derive(Debug)]
pub(super) struct Window {
    input: Input,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// Bytes of the file before `begin`.
    offset: u64,
    most: usize,
    last: bool,
}

impl Window {
    /// At the beginning of a stream; it grows as far as twice `most` needs.
    pub(super) fn new(input: Input, most: usize) -> Self {
        let offset = input.position();
        Self {
            input,
            buffer: Vec::new(),
            begin: 0,
            end: 0,
            offset,
            most,
            last: false,
        }
    }

    pub(super) fn data(&self) -> &[u8] {
        self.buffer.get(self.begin..self.end).unwrap_or_default()
    }

    /// Bytes of the file before the data.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the data reaches to the end of the file.
    pub(super) const fn is_last(&self) -> bool {
        self.last
    }

    pub(super) fn pass(&mut self, count: usize) {
        let count = count.min(self.end - self.begin);
        self.begin += count;
        self.offset += count as u64;
    }

    /// Reads more behind the data: as much as comes at once.
    pub(super) fn more(&mut self) -> Result<(), ContainerError> {
        if self.begin == self.end {
            self.begin = 0;
            self.end = 0;
        }
        if self.end == self.buffer.len() {
            let there = self.end - self.begin;
            if self.begin > 0 && there <= self.buffer.len() / 2 {
                self.buffer.copy_within(self.begin..self.end, 0);
                self.begin = 0;
                self.end = there;
            } else {
                let most = self.most.saturating_mul(2).max(FIRST);
                let len = self.buffer.len().saturating_mul(2);
                self.buffer
                    .resize(len.clamp(FIRST, most).max(self.end + FIRST), 0);
            }
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.input.read(room) {
            Ok(0) => self.last = true,
            Ok(some) => self.end += some,
            Err(source) => {
                let offset = self.input.position();
                return Err(ContainerError::Read { offset, source });
            }
        }
        Ok(())
    }

    pub(super) fn seek_to(&mut self, offset: u64) -> Result<(), ContainerError> {
        let there = offset.wrapping_sub(self.offset);
        match usize::try_from(there) {
            Ok(there) if there <= self.end - self.begin && self.input.is_seekable() => {
                self.pass(there);
            }
            _ => {
                self.input.seek_to(offset)?;
                self.begin = 0;
                self.end = 0;
                self.last = false;
                self.offset = offset;
            }
        }
        Ok(())
    }
}
