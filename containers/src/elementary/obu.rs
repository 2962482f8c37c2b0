//! AV1: temporal units of the low-overhead format.

use dmaflow_bitstream::Trouble;
use dmaflow_bitstream::obu::{ObuExtent, ObuType, is_key_unit};

use super::{Looked, Split, Wrong};
use crate::error::Found;
use crate::format::Format;
use crate::packet::Codec;

/// Splits a stream before its temporal delimiters.
#[derive(Debug, Default)]
pub(super) struct ObuSplit {
    /// Where the next OBU begins; it may be behind the data.
    next: usize,
}

impl ObuSplit {
    fn packet(&mut self, data: &[u8]) -> Looked {
        let len = self.next;
        self.next = 0;
        let key = is_key_unit(data.get(..len).unwrap_or_default());
        Looked::Packet { len, key }
    }
}

impl Split for ObuSplit {
    const FORMAT: Format = Format::Obu;
    const CODEC: Codec = Codec::Av1;
    const WHAT: &'static str = "a temporal unit";

    fn split(&mut self, data: &[u8], last: bool) -> Result<Looked, Wrong> {
        while let Some(rest) = data.get(self.next..).filter(|rest| !rest.is_empty()) {
            let extent = match ObuExtent::parse(rest) {
                Ok(extent) => extent,
                Err(error) if error.trouble == Trouble::Ends => return Ok(Looked::More),
                Err(_) => return Err(wrong(self.next, "an OBU", rest)),
            };
            if !extent.header.has_size {
                return Err(wrong(self.next, "an OBU with a size", rest));
            }
            let delimiter = extent.header.obu_type == ObuType::TemporalDelimiter;
            if delimiter && self.next > 0 {
                return Ok(self.packet(data));
            }
            if !delimiter && self.next == 0 {
                return Err(wrong(0, "a temporal delimiter", rest));
            }
            self.next = self.next.saturating_add(extent.len);
        }
        if last && self.next == data.len() && self.next > 0 {
            return Ok(self.packet(data));
        }
        Ok(Looked::More)
    }

    fn restart(&mut self) {
        self.next = 0;
    }

    /// Key packets bring their sequence header.
    fn header(&self, first: &[u8]) -> Vec<u8> {
        let mut next = 0;
        while let Some(rest) = first.get(next..)
            && let Ok(extent) = ObuExtent::parse(rest)
        {
            if extent.header.obu_type == ObuType::SequenceHeader {
                return rest.get(..extent.len).unwrap_or_default().to_vec();
            }
            next = next.saturating_add(extent.len);
        }
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
