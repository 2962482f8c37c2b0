//! H.264 and HEVC: access units.

use dmaflow_bitstream::annex_b::{
    AccessUnits, NalCodec, NalUnits, Place, START_CODE, find_start_code,
};

use super::{Looked, Split, Wrong};
use crate::error::Found;
use crate::format::Format;
use crate::packet::Codec;

/// Splits a stream into access units; of HEVC, or of H.264.
#[derive(Debug)]
pub(super) struct NalSplit<const HEVC: bool> {
    units: AccessUnits,
    begun: bool,
    /// The data was searched for start codes up to here.
    looked: usize,
    /// The NAL unit that is to be told: where its start code begins, and where it does.
    nal: Option<(usize, usize)>,
    /// Where the first begins that may be of the next access unit.
    open: Option<usize>,
    /// The access unit has a picture, which is a key or not.
    picture: Option<bool>,
}

impl<const HEVC: bool> NalSplit<HEVC> {
    pub(super) fn new(codec: NalCodec) -> Self {
        Self {
            units: AccessUnits::new(codec),
            begun: false,
            looked: 0,
            nal: None,
            open: None,
            picture: None,
        }
    }

    /// The packet ends here; what comes next begins with these.
    fn packet(&mut self, len: usize, picture: Option<bool>) -> Looked {
        let key = self.picture == Some(true);
        self.looked = self.looked.saturating_sub(len);
        self.nal = None;
        self.open = None;
        self.picture = picture;
        Looked::Packet { len, key }
    }

    /// Looks for the next NAL unit, and says whether there is one.
    fn next(&mut self, data: &[u8]) -> Result<bool, Wrong> {
        let found = find_start_code(data, self.looked);
        if !self.begun {
            let before = data.get(..found.unwrap_or(data.len())).unwrap_or_default();
            let stray = before.iter().position(|&byte| byte != 0);
            if let Some(at) = stray {
                return Err(Wrong {
                    at,
                    expected: "a start code",
                    found: Found::bytes(data.get(at..).unwrap_or_default()),
                });
            }
        }
        let Some(found) = found else {
            self.looked = self.looked.max(data.len().saturating_sub(2));
            return Ok(false);
        };
        self.begun = true;
        let zero_byte = found.checked_sub(1).and_then(|at| data.get(at)) == Some(&0);
        let begin = found + START_CODE.len();
        self.nal = Some((found - usize::from(zero_byte), begin));
        self.looked = begin;
        Ok(true)
    }
}

impl<const HEVC: bool> Split for NalSplit<HEVC> {
    const FORMAT: Format = if HEVC { Format::Hevc } else { Format::H264 };
    const CODEC: Codec = if HEVC { Codec::Hevc } else { Codec::H264 };
    const WHAT: &'static str = "an access unit";

    fn split(&mut self, data: &[u8], last: bool) -> Result<Looked, Wrong> {
        loop {
            let Some((start, begin)) = self.nal else {
                if self.next(data)? {
                    continue;
                }
                if !last || self.picture.is_none() {
                    return Ok(Looked::More);
                }
                let len = self.open.unwrap_or(data.len());
                self.units.restart();
                return Ok(self.packet(len, None));
            };
            let end = find_start_code(data, self.looked);
            self.looked = end.unwrap_or(data.len().saturating_sub(2)).max(self.looked);
            let whole = end.is_some() || last;
            let nal = data.get(begin..end.unwrap_or(data.len()));
            let Some(step) = self.units.take(nal.unwrap_or_default(), whole) else {
                return Ok(Looked::More);
            };
            self.nal = None;
            let picture = step.picture.then_some(step.key);
            match step.place {
                Place::Same if step.picture => {
                    self.open = None;
                    self.picture = self.picture.or(picture);
                }
                Place::Same => {}
                Place::Open => {
                    self.open.get_or_insert(start);
                }
                Place::New => {
                    let len = self.open.unwrap_or(start);
                    return Ok(self.packet(len, picture));
                }
            }
        }
    }

    fn restart(&mut self) {
        self.units.restart();
        self.looked = 0;
        self.nal = None;
        self.open = None;
        self.picture = None;
    }

    /// The parameter sets before the first slice.
    fn header(&self, first: &[u8]) -> Vec<u8> {
        let mut header = Vec::new();
        for unit in NalUnits::new(first) {
            let (parameter_set, slice) = if HEVC {
                let nal_unit_type = unit.hevc_type();
                ((32..=34).contains(&nal_unit_type), nal_unit_type < 32)
            } else {
                let nal_unit_type = unit.h264_type();
                let parameter_set = matches!(nal_unit_type, 7 | 8 | 13 | 15);
                (parameter_set, (1..=5).contains(&nal_unit_type))
            };
            if slice {
                break;
            }
            if parameter_set {
                header.push(0);
                header.extend(START_CODE);
                header.extend(unit.data);
            }
        }
        header
    }
}
