//! MPEG-2: pictures.

use dmaflow_bitstream::annex_b::find_start_code;

use super::{Looked, Split, Wrong};
use crate::error::Found;
use crate::format::Format;
use crate::packet::Codec;

const PICTURE: u8 = 0x00;
const LAST_SLICE: u8 = 0xaf;
const SEQUENCE_HEADER: u8 = 0xb3;
const EXTENSION: u8 = 0xb5;
const GROUP: u8 = 0xb8;

/// `extension_start_code_identifier` of a picture coding extension (table 6-2).
const PICTURE_CODING: u8 = 8;

/// Splits a stream into pictures with the headers before them (ITU-T H.262, 6.2.2).
#[derive(Debug, Default)]
pub(super) struct Mpeg2Split {
    begun: bool,
    looked: usize,
    /// The packet has a picture, which is a key or not.
    picture: Option<bool>,
    /// It has slices.
    slices: bool,
    /// `picture_structure`, 3 for a frame. After a second field it is a frame, too.
    structure: u8,
    /// Where the picture begins that may be the second field, and whether it is a key.
    open: Option<(usize, bool)>,
}

impl Mpeg2Split {
    fn packet(&mut self, len: usize, picture: Option<bool>, looked: usize) -> Looked {
        let key = self.picture == Some(true);
        self.looked = looked - len;
        self.picture = picture;
        self.slices = false;
        self.structure = 0;
        self.open = None;
        Looked::Packet { len, key }
    }
}

impl Split for Mpeg2Split {
    const FORMAT: Format = Format::Mpeg2;
    const CODEC: Codec = Codec::Mpeg2;
    const WHAT: &'static str = "a picture";

    fn split(&mut self, data: &[u8], last: bool) -> Result<Looked, Wrong> {
        while let Some(at) = find_start_code(data, self.looked) {
            if !self.begun {
                check_beginning(data, at)?;
                self.begun = true;
            }
            // What is looked at behind a start code, if it is there.
            let Some(&[code, first, second, third]) =
                data.get(at + 3..).and_then(|d| d.first_chunk())
            else {
                self.looked = at;
                break;
            };
            // Zeros before it are of what ends there (5.2.3, `next_start_code`).
            let behind = at + 4;
            match code {
                SEQUENCE_HEADER | GROUP if self.slices => {
                    let len = self.open.map_or(at, |(open, _)| open);
                    return Ok(self.packet(len, None, at));
                }
                PICTURE => {
                    let key = second >> 3 & 7 == 1;
                    if let Some((open, key_of_open)) = self.open {
                        return Ok(self.packet(open, Some(key_of_open), at));
                    }
                    if self.slices && self.structure == 3 {
                        return Ok(self.packet(at, Some(key), behind));
                    }
                    if self.slices {
                        self.open = Some((at, key));
                    } else {
                        self.picture = Some(key);
                    }
                }
                EXTENSION if first >> 4 == PICTURE_CODING => {
                    let structure = third & 3;
                    match self.open {
                        None => self.structure = structure,
                        // The other field.
                        Some(_) if structure ^ self.structure == 3 => {
                            self.open = None;
                            self.structure = 3;
                        }
                        Some((open, key)) => {
                            let packet = self.packet(open, Some(key), behind);
                            self.structure = structure;
                            return Ok(packet);
                        }
                    }
                }
                1..=LAST_SLICE => {
                    if let Some((open, key)) = self.open {
                        return Ok(self.packet(open, Some(key), at));
                    }
                    self.slices |= self.picture.is_some();
                    if self.structure == 0 {
                        // MPEG-1 has frames only, and does not say so.
                        self.structure = 3;
                    }
                }
                _ => {}
            }
            self.looked = behind;
        }
        if !last {
            self.looked = self.looked.max(data.len().saturating_sub(6));
            if !self.begun {
                self.looked = 0;
                check_beginning(data, data.len())?;
            }
            return Ok(Looked::More);
        }
        if !self.slices {
            return Ok(Looked::More);
        }
        let len = self.open.map_or(data.len(), |(open, _)| open);
        Ok(self.packet(len, None, len))
    }

    fn restart(&mut self) {
        let begun = self.begun;
        *self = Self {
            begun,
            ..Self::default()
        };
    }

    /// The sequence header and what belongs to it.
    fn header(&self, first: &[u8]) -> Vec<u8> {
        let mut from = 0;
        while let Some(at) = find_start_code(first, from) {
            if matches!(first.get(at + 3), Some(&(GROUP | PICTURE))) {
                return first.get(..at).unwrap_or_default().to_vec();
            }
            from = at + 3;
        }
        Vec::new()
    }
}

/// Nothing but zeros is before the first start code.
fn check_beginning(data: &[u8], start_code: usize) -> Result<(), Wrong> {
    let before = data.get(..start_code).unwrap_or_default();
    match before.iter().position(|&byte| byte != 0) {
        None => Ok(()),
        Some(at) => Err(Wrong {
            at,
            expected: "a start code",
            found: Found::bytes(data.get(at..).unwrap_or_default()),
        }),
    }
}
