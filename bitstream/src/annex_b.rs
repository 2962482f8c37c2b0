//! Where NAL units lie in a byte stream: Annex B of H.264 and of HEVC.

use std::ops::Range;

use memchr::memmem::FindIter;

/// What stands before each NAL unit. A zero byte before it belongs to what came before.
pub const START_CODE: [u8; 3] = [0, 0, 1];

/// Finds the NAL units of a byte stream: their places, without start codes and without the zero
/// bytes that may stand after them. What stands before the first start code is passed over, and so
/// is a unit without bytes.
#[must_use]
pub fn nal_units(stream: &[u8]) -> NalUnits<'_> {
    let mut codes = memchr::memmem::find_iter(stream, &START_CODE);
    let next = codes.next();
    NalUnits {
        stream,
        codes,
        next,
    }
}

/// The iterator of [`nal_units`].
#[derive(Debug)]
pub struct NalUnits<'d> {
    stream: &'d [u8],
    codes: FindIter<'d, 'static>,
    /// The start code of the next unit.
    next: Option<usize>,
}

impl Iterator for NalUnits<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let begin = self.next? + START_CODE.len();
            self.next = self.codes.next();
            let end = self.next.unwrap_or(self.stream.len());
            let unit = self.stream.get(begin..end)?;
            // A NAL unit never ends with a zero byte (H.264 7.4.1).
            if let Some(last) = unit.iter().rposition(|byte| *byte != 0) {
                return Some(begin..begin + last + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_lie_between_start_codes_without_zeros_behind_them() {
        let stream = [
            0xff, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0x65, 0, 0, 3, 0,
        ];
        let units: Vec<_> = nal_units(&stream).collect();
        assert_eq!(units, [5..7, 10..11, 20..24]);
        assert_eq!(nal_units(&[]).next(), None);
        assert_eq!(nal_units(&[0, 0, 1]).next(), None);
        assert_eq!(nal_units(&[0, 0, 1, 0, 0, 0]).next(), None);
    }
}
