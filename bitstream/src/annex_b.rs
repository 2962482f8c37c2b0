//! NAL units behind start codes, as H.264 and HEVC streams have them in their Annex B, and how they
//! are grouped into access units.

mod access_unit;
mod h264;

pub use access_unit::{AccessUnits, NalCodec, Place, Step};

/// What stands before every NAL unit (`start_code_prefix_one_3bytes`).
pub const START_CODE: [u8; 3] = [0, 0, 1];

/// Looks for the next [`START_CODE`] that lies in data from a byte on; MPEG-2 has the same.
///
/// Where data comes piece by piece, the last two bytes have to be looked at again with the next
/// ones: a start code may lie across.
#[must_use]
pub fn find_start_code(data: &[u8], from: usize) -> Option<usize> {
    let at = memchr::memmem::find(data.get(from..)?, &START_CODE)?;
    Some(from + at)
}

/// One NAL unit in data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalUnit<'d> {
    /// Bytes of the data before its first byte: its start code ends there.
    pub offset: usize,
    /// It, without a start code and without zeros behind it; never empty.
    pub data: &'d [u8],
}

impl NalUnit<'_> {
    /// `nal_unit_type` of H.264 (7.4.1).
    #[must_use]
    pub fn h264_type(&self) -> u8 {
        self.data.first().copied().unwrap_or_default() & 0x1f
    }

    /// `nal_unit_type` of HEVC (7.4.2.2).
    #[must_use]
    pub fn hevc_type(&self) -> u8 {
        self.data.first().copied().unwrap_or_default() >> 1 & 0x3f
    }
}

/// The NAL units in data, which stand behind start codes. What is before the first start code is
/// passed over, and so are start codes without anything behind them.
#[derive(Clone, Debug)]
pub struct NalUnits<'d> {
    data: &'d [u8],
    /// Where the next one begins: behind its start code.
    next: Option<usize>,
}

impl<'d> NalUnits<'d> {
    /// Of data, such as an access unit.
    #[must_use]
    pub fn new(data: &'d [u8]) -> Self {
        let next = find_start_code(data, 0).map(|at| at + START_CODE.len());
        Self { data, next }
    }
}

impl<'d> Iterator for NalUnits<'d> {
    type Item = NalUnit<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let offset = self.next?;
            let after = find_start_code(self.data, offset);
            self.next = after.map(|at| at + START_CODE.len());
            let end = after.unwrap_or(self.data.len());
            let data = without_zeros(self.data.get(offset..end)?);
            if !data.is_empty() {
                return Some(NalUnit { offset, data });
            }
        }
    }
}

/// Without zeros at the end: `zero_byte` of the next start code, and `trailing_zero_8bits`. No NAL
/// unit ends with one.
fn without_zeros(data: &[u8]) -> &[u8] {
    let len = data.iter().rposition(|&byte| byte != 0);
    data.get(..len.map_or(0, |last| last + 1))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_are_found_wherever_they_lie() {
        for before in 0..40 {
            for filling in [0xff, 0x01, 0x02] {
                let mut data = vec![filling; before];
                data.extend([0, 0, 1, 0x65]);
                for from in 0..=before {
                    assert_eq!(find_start_code(&data, from), Some(before));
                }
                assert_eq!(find_start_code(&data, before + 1), None);
                assert_eq!(find_start_code(&data[..before + 2], 0), None);
            }
        }
        assert_eq!(find_start_code(&[], usize::MAX), None);
        assert_eq!(find_start_code(&[0, 1, 0, 0, 0, 0, 1], 0), Some(4));
    }

    #[test]
    fn data_falls_into_nal_units() {
        let data = [
            9, 9, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0, 0, 1, 0x40, 0, 0, 3, 0, 0,
        ];
        let units: Vec<_> = NalUnits::new(&data).collect();
        let found: Vec<_> = units.iter().map(|unit| (unit.offset, unit.data)).collect();
        let expected: [(usize, &[u8]); 3] =
            [(5, &[0x67, 1, 2]), (12, &[0x68, 3]), (20, &[0x40, 0, 0, 3])];
        assert_eq!(found, expected);
        assert_eq!((units[0].h264_type(), units[2].hevc_type()), (7, 32));
        assert_eq!(NalUnits::new(&[0, 0, 1]).count(), 0);
        assert_eq!(NalUnits::new(&[]).count(), 0);
    }
}
