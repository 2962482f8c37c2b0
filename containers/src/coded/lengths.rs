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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// NAL units of these bytes behind lengths.
    fn packed(nals: &[&[u8]], width: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for nal in nals {
            out.extend(&nal.len().to_be_bytes()[8 - width..]);
            out.extend(*nal);
        }
        out
    }

    fn data<'d>(input: &'d mut Input, prefix: &'d [u8], left: usize) -> Data<'d> {
        Data {
            format: Format::Matroska,
            prefix,
            input,
            left: left as u64,
        }
    }

    #[test]
    fn lengths_of_any_width_become_start_codes() {
        let nals: [&[u8]; 4] = [&[0x65, 1, 2], &[], &[0x41; 200], &[9]];
        let expected: Vec<u8> = nals.map(|nal| [&START_CODE, nal].concat()).concat();
        for width in 1..=4_u8 {
            let all = packed(&nals, width.into());
            // The file leaves out some of what all packets begin with.
            for stripped in 0..6 {
                let (prefix, rest) = all.split_at(stripped);
                let mut input = Input::file(Cursor::new(rest.to_vec())).unwrap();
                let whole = data(&mut input, prefix, all.len());
                let len = whole.converted_len(width).unwrap();
                assert_eq!(len, expected.len() as u64);
                input.seek_to(0).unwrap();
                let mut out = vec![0; expected.len()];
                let whole = data(&mut input, prefix, all.len());
                whole.behind_start_codes(width, &mut out).unwrap();
                assert_eq!(out, expected, "{width} {stripped}");
            }
        }
    }

    #[test]
    fn a_length_beyond_its_packet_is_told_where_it_is() {
        for (bytes, left, offset) in [
            (&[0, 0, 0, 9, 1, 2][..], 6, 0),
            (&[0, 0, 0, 1, 7, 0, 0], 7, 5),
        ] {
            let mut input = Input::file(Cursor::new(bytes.to_vec())).unwrap();
            let data = Data {
                format: Format::Mp4,
                prefix: &[],
                input: &mut input,
                left,
            };
            let error = data.behind_start_codes(4, &mut [0; 32]).unwrap_err();
            let ContainerError::Unexpected { offset: at, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(at, offset);
        }
    }
}
