//! Where structures begin (6.2.1).

use std::ops::Range;

/// What begins with a start code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `picture_start_code`.
    Picture,
    /// `slice_start_code`, and the value of it.
    Slice(u8),
    /// `user_data_start_code`.
    UserData,
    /// `sequence_header_code`.
    Sequence,
    /// `extension_start_code`.
    Extension,
    /// `sequence_end_code`.
    SequenceEnd,
    /// `group_start_code`.
    Group,
    /// What belongs to a system's layer, is reserved, or stands for an error.
    Other(u8),
}

impl Code {
    const fn of(value: u8) -> Self {
        match value {
            0x00 => Self::Picture,
            0x01..=0xaf => Self::Slice(value),
            0xb2 => Self::UserData,
            0xb3 => Self::Sequence,
            0xb5 => Self::Extension,
            0xb7 => Self::SequenceEnd,
            0xb8 => Self::Group,
            _ => Self::Other(value),
        }
    }
}

/// What stands between two start codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What it is.
    pub code: Code,
    /// Its bytes, with the start code.
    pub bytes: Range<usize>,
}

impl Unit {
    /// Its bytes without the start code.
    #[must_use]
    pub fn payload<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        data.get(self.bytes.clone())
            .and_then(|bytes| bytes.get(4..))
            .unwrap_or_default()
    }

    /// Where that begins.
    #[must_use]
    pub const fn payload_begin(&self) -> usize {
        self.bytes.start + 4
    }
}

/// Goes through data from start code to start code.
#[derive(Clone, Debug)]
pub struct StartCodes<'d> {
    data: &'d [u8],
    /// The next start code.
    next: Option<usize>,
}

impl<'d> StartCodes<'d> {
    /// Of data, from its first start code on.
    #[must_use]
    pub fn new(data: &'d [u8]) -> Self {
        Self {
            data,
            next: find(data, 0),
        }
    }
}

impl Iterator for StartCodes<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let begin = self.next?;
        let value = *self.data.get(begin + 3)?;
        self.next = find(self.data, begin + 3);
        Some(Unit {
            code: Code::of(value),
            bytes: begin..self.next.unwrap_or(self.data.len()),
        })
    }
}

/// The first `00 00 01` from a byte on.
fn find(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let three = data.get(at..)?.first_chunk::<3>()?;
        // A byte that none of it can be is passed over together with those before it.
        at += match *three {
            [0, 0, 1] => return Some(at),
            [_, _, third] if third > 1 => 3,
            [_, second, _] if second > 0 => 2,
            _ => 1,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_reach_from_start_code_to_start_code() {
        let data = [
            9, 0, 0, 1, 0xb3, 7, 0, 0, 0, 1, 0x01, 5, 0, 1, 0, 0, 1, 0xb7, 0, 0, 1,
        ];
        let units: Vec<_> = StartCodes::new(&data)
            .map(|unit| (unit.code, unit.bytes.start, unit.bytes.end))
            .collect();
        assert_eq!(
            units,
            [
                (Code::Sequence, 1, 7),
                (Code::Slice(1), 7, 14),
                (Code::SequenceEnd, 14, 18),
            ]
        );
        assert_eq!(StartCodes::new(&[0, 0]).next(), None);
        assert_eq!(StartCodes::new(&[]).next(), None);
    }

    #[test]
    fn a_payload_is_what_follows_the_code() {
        let data = [0, 0, 1, 0xb8, 1, 2];
        let unit = StartCodes::new(&data).next().unwrap();
        assert_eq!(
            (unit.payload(&data), unit.payload_begin()),
            (&[1, 2][..], 4)
        );
    }
}
