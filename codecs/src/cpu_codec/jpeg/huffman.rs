//! Huffman tables (ITU-T T.81, annexes C and F.2.2.3), and those of annex K.3, which streams of
//! cameras leave out.

/// Codes of so many bits are found by one look.
const FAST_BITS: u32 = 9;
/// The longest code.
const LONGEST: usize = 16;

/// The symbols of a table by their codes.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// By the next bits: the code's length in the high byte, its symbol in the low one; 0 where
    /// the code is longer or there is none.
    fast: [u16; 1 << FAST_BITS],
    /// By length: the first 16 bits that are too large to begin with a code of it.
    limit: [u32; LONGEST + 1],
    /// By length: what is added to a code, past the end of the numbers, for its symbol's place.
    place: [u32; LONGEST + 1],
    symbols: [u8; 256],
}

impl Table {
    /// A table without codes.
    pub(super) const EMPTY: Self = Self {
        fast: [0; 1 << FAST_BITS],
        limit: [0; LONGEST + 1],
        place: [0; LONGEST + 1],
        symbols: [0; 256],
    };

    fn standard(counts: &[u8; LONGEST], symbols: &[u8]) -> Self {
        let mut table = Self::EMPTY;
        // Those of the standard are right.
        let _right = table.set(counts, symbols).is_ok();
        table
    }

    /// Takes how many codes of each length there are, and all symbols; or says what is wrong.
    pub(super) fn set(
        &mut self,
        counts: &[u8; LONGEST],
        symbols: &[u8],
    ) -> Result<(), &'static str> {
        let total: usize = counts.iter().copied().map(usize::from).sum();
        if symbols.len() != total || total > self.symbols.len() {
            return Err("there are not as many symbols as codes");
        }
        self.fast.fill(0);
        self.symbols[..total].copy_from_slice(symbols);
        let (mut code, mut known) = (0_u32, 0_u32);
        let mut left = symbols;
        for (length, &count) in (1_u8..).zip(counts) {
            let bits = u32::from(length);
            let end = code + u32::from(count);
            if end > 1 << bits {
                return Err("there are more codes than their lengths leave room for");
            }
            let (of_length, others) = left.split_at(usize::from(count));
            left = others;
            if bits <= FAST_BITS {
                let places = self.fast.chunks_exact_mut(1 << (FAST_BITS - bits));
                for (places, &symbol) in places.skip(code as usize).zip(of_length) {
                    places.fill(u16::from_be_bytes([length, symbol]));
                }
            }
            self.limit[usize::from(length)] = end << (16 - bits);
            self.place[usize::from(length)] = known.wrapping_sub(code);
            known += u32::from(count);
            code = end << 1;
        }
        Ok(())
    }

    /// The length and the symbol of the code that these 16 bits begin with.
    #[inline]
    pub(super) fn find(&self, next: u16) -> Option<(u32, u8)> {
        let [length, symbol] = self.fast[usize::from(next >> (16 - FAST_BITS))].to_be_bytes();
        if length != 0 {
            return Some((u32::from(length), symbol));
        }
        self.find_long(u32::from(next))
    }

    #[cold]
    fn find_long(&self, next: u32) -> Option<(u32, u8)> {
        let longer = FAST_BITS + 1..=16;
        let length = longer
            .into_iter()
            .find(|&length| next < self.limit[length as usize])?;
        let place = (next >> (16 - length)).wrapping_add(self.place[length as usize]);
        let symbol = self.symbols.get(place as usize)?;
        Some((length, *symbol))
    }
}

/// Tables for the first coefficient of blocks and for the others, by number.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) direct: [Table; 4],
    pub(super) alternating: [Table; 4],
}

impl Tables {
    pub(super) const fn empty() -> Self {
        Self {
            direct: [Table::EMPTY; 4],
            alternating: [Table::EMPTY; 4],
        }
    }

    /// Those of annex K.3, which are meant where a stream brings none: 0 for luma, 1 for chroma.
    pub(super) fn standard() -> Self {
        Self {
            direct: [
                Table::standard(
                    &[0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
                    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
                ),
                Table::standard(
                    &[0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
                    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
                ),
                Table::EMPTY,
                Table::EMPTY,
            ],
            alternating: [
                Table::standard(
                    &[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125],
                    &LUMA_ALTERNATING,
                ),
                Table::standard(
                    &[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119],
                    &CHROMA_ALTERNATING,
                ),
                Table::EMPTY,
                Table::EMPTY,
            ],
        }
    }
}

/// Table K.5.
const LUMA_ALTERNATING: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

/// Table K.6.
const CHROMA_ALTERNATING: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_codes_are_found() {
        let Tables { alternating, .. } = Tables::standard();
        // Table K.5: 0/0 (end of block) is 1010, F/0 is 11111111001, F/A is sixteen bits.
        assert_eq!(alternating[0].find(0b1010_0000_0000_0000), Some((4, 0x00)));
        assert_eq!(alternating[0].find(0b1111_1111_0010_0000), Some((11, 0xf0)));
        assert_eq!(alternating[0].find(0b1111_1111_1111_1110), Some((16, 0xfa)));
        // What no code begins with.
        assert_eq!(alternating[0].find(u16::MAX), None);
        assert_eq!(Table::EMPTY.find(0), None);
    }

    #[test]
    fn a_table_that_cannot_be_is_refused() {
        let mut table = Table::EMPTY;
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(table.set(&counts, &[1, 2, 3]).is_err());
        counts[0] = 2;
        assert!(table.set(&counts, &[1]).is_err());
        assert!(table.set(&counts, &[1, 2]).is_ok());
        assert!(table.set(&[255; 16], &[0; 4080]).is_err());
    }
}
