//! JPEG pictures: from SOI to EOI, segment by segment (ITU-T T.81, annex B).

use super::{Looked, Split, Wrong};
use crate::error::Found;
use crate::format::Format;
use crate::packet::Codec;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const TEM: u8 = 0x01;

/// Splits a stream into JPEG pictures. What lies in segments, such as smaller pictures, is not
/// looked at.
#[derive(Debug, Default)]
pub(super) struct MjpegSplit {
    /// Where the next marker, or more coded data, begins; it may be behind the data.
    next: usize,
    /// Coded data is there, not a marker.
    coded: bool,
}

impl MjpegSplit {
    /// Passes over coded data to its next marker, and says whether there is one.
    fn pass_coded(&mut self, data: &[u8]) -> bool {
        while let Some(rest) = data.get(self.next..)
            && let Some(at) = memchr::memchr(0xff, rest)
        {
            match rest.get(at + 1) {
                // A byte that is 0xff, or a restart marker.
                Some(0x00 | 0xd0..=0xd7) => self.next += at + 2,
                // Filling.
                Some(0xff) => self.next += at + 1,
                Some(_) => {
                    self.next += at;
                    self.coded = false;
                    return true;
                }
                None => {
                    self.next += at;
                    return false;
                }
            }
        }
        self.next = self.next.max(data.len());
        false
    }
}

impl Split for MjpegSplit {
    const FORMAT: Format = Format::Mjpeg;
    const CODEC: Codec = Codec::Mjpeg;
    const WHAT: &'static str = "a picture";

    fn split(&mut self, data: &[u8], _last: bool) -> Result<Looked, Wrong> {
        if self.next == 0 {
            let zeros = data.iter().take_while(|&&byte| byte == 0).count();
            if zeros > 0 {
                return Ok(Looked::Skip(zeros));
            }
            match *data {
                [0xff, SOI, ..] => self.next = 2,
                [] | [0xff] => return Ok(Looked::More),
                _ => return Err(wrong(0, "SOI", data)),
            }
        }
        loop {
            if self.coded && !self.pass_coded(data) {
                return Ok(Looked::More);
            }
            let Some(rest) = data.get(self.next..) else {
                return Ok(Looked::More);
            };
            match *rest {
                [0xff, 0xff, ..] => self.next += 1,
                [0xff, EOI, ..] => {
                    let len = self.next + 2;
                    self.restart();
                    return Ok(Looked::Packet { len, key: true });
                }
                [0xff, SOI, ..] => return Err(wrong(self.next, "EOI", rest)),
                [0xff, TEM | 0xd0..=0xd7, ..] => self.next += 2,
                [0xff, 0x00, ..] => return Err(wrong(self.next, "a marker", rest)),
                [0xff, marker, high, low, ..] => {
                    let len = u16::from_be_bytes([high, low]);
                    if len < 2 {
                        return Err(wrong(self.next + 2, "a segment's length", rest));
                    }
                    self.next += 2 + usize::from(len);
                    self.coded = marker == SOS;
                }
                [] | [0xff] | [0xff, _] | [0xff, _, _] => return Ok(Looked::More),
                _ => return Err(wrong(self.next, "a marker", rest)),
            }
        }
    }

    fn restart(&mut self) {
        *self = Self::default();
    }

    fn header(&self, _first: &[u8]) -> Vec<u8> {
        Vec::new()
    }
}

fn wrong(at: usize, expected: &'static str, found: &[u8]) -> Wrong {
    let found = Found::bytes(found);
    Wrong {
        at,
        expected,
        found,
    }
}
