//! The bits of entropy-coded data (ITU-T T.81, F.2.2.5): bytes ff are followed by 00 there, and
//! by anything else where the data ends.

use super::error::{JpegError, JpegFault};
use super::huffman::Table;

/// A reader of bits.
#[derive(Debug)]
pub(super) struct Bits<'b> {
    bytes: &'b [u8],
    /// The next byte that is not in `next` in whole.
    at: usize,
    /// The next bits, from the highest on.
    next: u64,
    /// How many of them there are.
    count: u32,
}

impl<'b> Bits<'b> {
    /// Begins at a byte.
    pub(super) const fn new(bytes: &'b [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            next: 0,
            count: 0,
        }
    }

    /// Where it is, for errors: at most eight bytes further than what was read last.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Has at least 32 bits ready, or all that there are before a marker.
    #[inline]
    fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(Ok(word)) = self
            .bytes
            .get(self.at..self.at + 4)
            .map(<[u8; 4]>::try_from)
            && word.iter().all(|&byte| byte != 0xff)
        {
            self.next |= u64::from(u32::from_be_bytes(word)) << (32 - self.count);
            self.at += 4;
            self.count += 32;
        } else {
            self.refill_slowly();
        }
    }

    fn refill_slowly(&mut self) {
        while self.count <= 56
            && let Some(&byte) = self.bytes.get(self.at)
        {
            if byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.next |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Passes bits over that `refill` has found.
    #[inline]
    fn skip(&mut self, bits: u32) -> Result<(), JpegError> {
        if bits > self.count {
            return Err(JpegFault::Ends.at(self.at));
        }
        self.next <<= bits;
        self.count -= bits;
        Ok(())
    }

    /// The symbol of the next code, and the value of as many bits behind it as `size` says of the
    /// symbol, which are fifteen at most.
    #[inline]
    pub(super) fn coded(
        &mut self,
        table: &Table,
        size: impl Fn(u8) -> u32,
    ) -> Result<(u8, i16), JpegError> {
        self.refill();
        let [high, low, ..] = self.next.to_be_bytes();
        let found = table.find(u16::from_be_bytes([high, low]));
        let (length, symbol) = match found {
            Some(found) => found,
            // Behind the end there are zeros.
            None if self.count < 16 => return Err(JpegFault::Ends.at(self.at)),
            None => return Err(JpegFault::Code.at(self.at)),
        };
        self.skip(length)?;
        let size = size(symbol);
        if size == 0 {
            return Ok((symbol, 0));
        }
        if size > 15 {
            return Err(JpegFault::Coefficient.at(self.at));
        }
        let bits = self.next >> (64 - size);
        self.skip(size)?;
        // The lower half of the values stands for the negative ones (F.2.2.1, EXTEND).
        let [.., high, low] = bits.to_be_bytes();
        let value = i16::from_be_bytes([high, low]);
        let negative = bits >> (size - 1) == 0;
        let most = i16::MAX >> (15 - size);
        Ok((symbol, if negative { value - most } else { value }))
    }

    /// Passes the marker over that begins the next interval.
    pub(super) fn restart(&mut self, marker: u8) -> Result<(), JpegError> {
        // Less than a byte is left of the interval before, filled up.
        if self.count >= 8 {
            return Err(JpegFault::Restart(marker).at(self.at));
        }
        (self.next, self.count) = (0, 0);
        // Any number of ff may stand before a marker.
        while self.bytes.get(self.at..self.at + 2) == Some(&[0xff, 0xff]) {
            self.at += 1;
        }
        match self.bytes.get(self.at..self.at + 2) {
            None => Err(JpegFault::Ends.at(self.at)),
            Some(found) if found == [0xff, marker] => {
                self.at += 2;
                Ok(())
            }
            Some(_other) => Err(JpegFault::Restart(marker).at(self.at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::huffman::Tables;
    use super::*;

    /// The values of luma's first coefficients.
    fn read(bytes: &[u8]) -> (Vec<i16>, JpegError) {
        let tables = Tables::standard();
        let mut bits = Bits::new(bytes, 0);
        let mut values = Vec::new();
        loop {
            match bits.coded(&tables.direct[0], u32::from) {
                Ok((_symbol, value)) => values.push(value),
                Err(error) => return (values, error),
            }
        }
    }

    #[test]
    fn values_are_read_past_stuffed_bytes() {
        // By table K.3: codes of the sizes 1, 1, 2, 2, 0 and 8, each with its value.
        let bits = "010 0 010 1 011 00 011 11 00 111110 11111111";
        let bits: String = bits.chars().filter(|bit| *bit != ' ').collect();
        let mut bytes = Vec::new();
        for byte in bits.as_bytes().chunks(8) {
            let byte = std::str::from_utf8(byte).unwrap();
            let byte = u8::from_str_radix(&format!("{byte:1<8}"), 2).unwrap();
            bytes.push(byte);
            if byte == 0xff {
                bytes.push(0);
            }
        }
        bytes.extend([0xff, 0xd9]);
        let (values, error) = read(&bytes);
        assert_eq!(values, [-1, 1, -3, 3, 0, 255]);
        assert_eq!(error.fault, JpegFault::Ends);
    }

    #[test]
    fn an_interval_begins_behind_its_marker() {
        let mut bits = Bits::new(&[0xff, 0xff, 0xd3, 7], 0);
        assert_eq!(
            bits.restart(0xd4).unwrap_err().fault,
            JpegFault::Restart(0xd4)
        );
        let mut bits = Bits::new(&[0xff, 0xff, 0xd3, 7], 0);
        bits.restart(0xd3).unwrap();
        assert_eq!(bits.at(), 3);
        assert_eq!(bits.restart(0xd4).unwrap_err().at, 3);
    }
}
