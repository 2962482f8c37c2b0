//! NAL units behind lengths, read behind start codes.

use super::nal::START_CODE;
use crate::error::{ContainerError, Cut, Found};
use crate::format::Format;
use crate::reader::Input;

/// The data of one packet in a file: bytes that all packets begin with, which the file leaves out,
/// and then the input's.
pub(crate) struct Data<'i> {
    pub(crate) format: Format,
    pub(crate) prefix: &'i [u8],
    pub(crate) input: &'i mut Input,
    /// Bytes of it that were not read yet.
    pub(crate) left: u64,
}

impl Data<'_> {
    /// Fills a slice, of which there has to be as much.
    pub(crate) fn fill(&mut self, into: &mut [u8]) -> Result<(), ContainerError> {
        let begin = self.input.position();
        let of_prefix = self.prefix.len().min(into.len());
        let (first, rest) = into.split_at_mut(of_prefix);
        let (given, kept) = self.prefix.split_at(of_prefix);
        first.copy_from_slice(given);
        self.prefix = kept;
        self.left = self.left.saturating_sub(of_prefix as u64);
        let filled = self.input.fill(rest)?;
        self.left = self.left.saturating_sub(filled as u64);
        if filled < rest.len() {
            return Err(ContainerError::Cut(Cut {
                what: "a packet",
                offset: begin,
                end: self.input.position(),
            }));
        }
        Ok(())
    }

    fn skip(&mut self, count: u64) -> Result<(), ContainerError> {
        let of_prefix = self
            .prefix
            .len()
            .min(usize::try_from(count).unwrap_or(usize::MAX));
        self.prefix = self.prefix.get(of_prefix..).unwrap_or_default();
        self.input.skip(count - of_prefix as u64)?;
        self.left = self.left.saturating_sub(count);
        Ok(())
    }

    /// The length of the next NAL unit.
    fn length(&mut self, width: u8) -> Result<u64, ContainerError> {
        let offset = self.input.position();
        let format = self.format;
        let wrong = |found| ContainerError::Unexpected {
            format,
            offset,
            expected: "the length of a NAL unit",
            found: Found::Number(found),
        };
        if self.left < width.into() {
            return Err(wrong(self.left));
        }
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..width.into()).unwrap_or_default();
        // What is looked at ahead is one system call, with what follows.
        self.input.peek(bytes.len())?;
        self.fill(bytes)?;
        let length = bytes
            .iter()
            .fold(0, |all, &byte| all << 8 | u64::from(byte));
        if length > self.left {
            return Err(wrong(length));
        }
        Ok(length)
    }

    /// Bytes of the packet once start codes stand for lengths.
    pub(crate) fn converted_len(mut self, width: u8) -> Result<u64, ContainerError> {
        let mut len = 0;
        while self.left > 0 {
            let length = self.length(width)?;
            self.skip(length)?;
            len += START_CODE.len() as u64 + length;
        }
        Ok(len)
    }

    /// Reads the packet's NAL units behind start codes; the slice is as long as they are then.
    pub(crate) fn behind_start_codes(
        mut self,
        width: u8,
        into: &mut [u8],
    ) -> Result<(), ContainerError> {
        let mut rest = into;
        while self.left > 0 {
            let offset = self.input.position();
            let length = self.length(width)?;
            let count = usize::try_from(length).unwrap_or(usize::MAX);
            let room = rest.split_at_mut_checked(START_CODE.len());
            let room =
                room.and_then(|(code, data)| Some((code, data.split_at_mut_checked(count)?)));
            let Some((code, (nal, after))) = room else {
                // The file has changed since the packet was announced.
                return Err(ContainerError::Unexpected {
                    format: self.format,
                    offset,
                    expected: "the length of a NAL unit",
                    found: Found::Number(length),
                });
            };
            code.copy_from_slice(&START_CODE);
            self.fill(nal)?;
            rest = after;
        }
        Ok(())
    }
}
