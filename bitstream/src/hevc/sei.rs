//! Supplemental enhancement information (7.3.5, annex D).

use super::check;
use crate::bits::BitReader;
use crate::error::StreamError;

/// The messages of a SEI NAL unit: the type of each and where its payload begins.
#[derive(Clone, Debug)]
pub struct SeiMessages<'d> {
    bits: BitReader<'d>,
}

impl<'d> SeiMessages<'d> {
    /// `payloadType` of picture timing.
    pub const PIC_TIMING: u32 = 1;

    /// Of a NAL unit without its start code.
    ///
    /// # Errors
    /// Of an end within its header.
    pub fn new(nal: &'d [u8]) -> Result<Self, StreamError> {
        let mut bits = BitReader::of_nal_unit(nal);
        bits.skip(16, "nal_unit_header")?;
        Ok(Self { bits })
    }

    /// The next message: its `payloadType`, and its payload with whatever comes after it.
    ///
    /// # Errors
    /// Of a message that goes beyond the NAL unit.
    #[expect(clippy::should_implement_trait, reason = "it fails")]
    pub fn next(&mut self) -> Result<Option<(u32, BitReader<'d>)>, StreamError> {
        if !self.bits.more_rbsp_data() {
            return Ok(None);
        }
        let kind = coded_with_ff(&mut self.bits, "payload_type_byte")?;
        let size = coded_with_ff(&mut self.bits, "payload_size_byte")?;
        let payload = self.bits.clone();
        for _byte in 0..size {
            self.bits.bits(8, "sei_payload")?;
        }
        Ok(Some((kind, payload)))
    }
}

/// A number as so many `ff` and a rest. It cannot be longer than the data.
fn coded_with_ff(bits: &mut BitReader<'_>, what: &'static str) -> Result<u32, StreamError> {
    let mut value: u32 = 0;
    loop {
        let byte = bits.bits(8, what)?;
        value = value.saturating_add(byte);
        if byte != 0xff {
            return Ok(value);
        }
    }
}

/// `pic_struct` of a picture timing message, of a sequence whose VUI announces it (D.2.3).
///
/// # Errors
/// Of an end, or a value that is reserved.
pub fn pic_timing_pic_struct(mut payload: BitReader<'_>) -> Result<u8, StreamError> {
    let begin = payload.position();
    match check::u8(&mut payload, 4, "pic_struct")? {
        found @ 0..=12 => Ok(found),
        found => Err(check::refuse(begin, "pic_struct", found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_one_after_the_other() {
        let mut nal = vec![0x4e, 0x01];
        // Type 300 of 2 bytes, then picture timing of a bottom field, then what ends it.
        nal.extend([0xff, 0x2d, 2, 7, 7, 1, 1, 0x24, 0x80]);
        let mut messages = SeiMessages::new(&nal).unwrap();
        assert_eq!(messages.next().unwrap().unwrap().0, 300);
        let (kind, payload) = messages.next().unwrap().unwrap();
        assert_eq!(kind, SeiMessages::PIC_TIMING);
        assert_eq!(pic_timing_pic_struct(payload), Ok(2));
        assert!(messages.next().unwrap().is_none());
        let mut cut = SeiMessages::new(&nal[..6]).unwrap();
        assert!(cut.next().is_err());
    }
}
