//! NAL units behind start codes, in data that lies in several pieces.

use std::ops::Range;

/// A start code, of the longer kind.
pub(crate) const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Where a NAL unit lies in the data of all pieces, without start code and without zeros behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nal {
    pub(crate) range: Range<usize>,
    /// Its first byte, which says what it is.
    pub(crate) first: u8,
}

/// Finds the NAL units of the pieces' data, in place of what was in `nals`; says whether it is
/// nothing but NAL units behind start codes, and at least one.
pub(crate) fn split(pieces: &[&[u8]], nals: &mut Vec<Nal>) -> bool {
    nals.clear();
    let mut base = 0;
    // The two bytes before what is looked at.
    let mut before = [1_u8; 2];
    // Where the data behind the last start code begins.
    let mut begin = None;
    let mut clean = true;
    for piece in pieces {
        let mut from = 0;
        while let Some(ahead) = piece.get(from..)
            && let Some(one) = memchr::memchr(1, ahead)
        {
            let at = from + one;
            from = at + 1;
            let earlier = |back: usize| match at.checked_sub(back) {
                Some(place) => piece.get(place).copied(),
                None => before.get((2 + at).wrapping_sub(back)).copied(),
            };
            if earlier(1) == Some(0) && earlier(2) == Some(0) {
                let end = base + at - 2;
                match begin {
                    Some(begin) => close(pieces, begin..end, nals),
                    None => clean = trimmed(pieces, 0..end).is_empty(),
                }
                begin = Some(base + at + 1);
            }
        }
        for &byte in piece.iter().skip(piece.len().saturating_sub(2)) {
            before = [before[1], byte];
        }
        base += piece.len();
    }
    if let Some(begin) = begin {
        close(pieces, begin..base, nals);
    }
    clean && !nals.is_empty()
}

fn close(pieces: &[&[u8]], range: Range<usize>, nals: &mut Vec<Nal>) {
    let range = trimmed(pieces, range);
    if let Some(first) = byte_at(pieces, range.start)
        && !range.is_empty()
    {
        nals.push(Nal { range, first });
    }
}

/// Without the zeros at its end.
fn trimmed(pieces: &[&[u8]], mut range: Range<usize>) -> Range<usize> {
    while range.end > range.start && byte_at(pieces, range.end - 1) == Some(0) {
        range.end -= 1;
    }
    range
}

fn byte_at(pieces: &[&[u8]], mut at: usize) -> Option<u8> {
    for piece in pieces {
        if let Some(&byte) = piece.get(at) {
            return Some(byte);
        }
        at -= piece.len();
    }
    None
}

/// The parts of pieces that make up a range of their data.
pub(crate) fn parts<'p>(
    pieces: &'p [&'p [u8]],
    range: Range<usize>,
) -> impl Iterator<Item = &'p [u8]> {
    let mut base = 0;
    pieces.iter().filter_map(move |piece| {
        let begin = range.start.saturating_sub(base).min(piece.len());
        let end = range.end.saturating_sub(base).min(piece.len());
        base += piece.len();
        piece.get(begin..end).filter(|part| !part.is_empty())
    })
}

/// Whether a range of the pieces' data is this.
pub(crate) fn is(pieces: &[&[u8]], range: Range<usize>, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    range.len() == bytes.len()
        && parts(pieces, range).all(|part| match rest.strip_prefix(part) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nal_units_are_found_wherever_pieces_end() {
        let data = [
            0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x65, 1, 0, 1, 2, 0, 0, 3, 1, 0, 0, 0, 1, 7, 0, 0,
        ];
        let wanted = [(4..6, 9), (9..18, 0x65), (22..23, 7)];
        let mut nals = Vec::new();
        for first in 0..=data.len() {
            for second in first..=data.len() {
                let (left, rest) = data.split_at(first);
                let (middle, right) = rest.split_at(second - first);
                let pieces = [left, middle, right];
                assert!(split(&pieces, &mut nals));
                let found: Vec<_> = nals
                    .iter()
                    .map(|nal| (nal.range.clone(), nal.first))
                    .collect();
                assert_eq!(found, wanted, "{first} {second}");
                let joined: Vec<u8> = parts(&pieces, 9..18).flatten().copied().collect();
                assert_eq!(joined, data.get(9..18).unwrap());
                assert!(is(&pieces, 4..6, &[9, 0x10]));
                assert!(!is(&pieces, 4..6, &[9, 0x11]));
            }
        }
    }

    #[test]
    fn what_is_no_nal_unit_is_noticed() {
        let mut nals = Vec::new();
        assert!(!split(&[], &mut nals));
        assert!(!split(&[&[1, 2, 3]], &mut nals));
        assert!(!split(&[&[5, 0, 0, 1, 9]], &mut nals));
        assert!(!split(&[&[0, 0, 1, 0, 0]], &mut nals));
        assert!(split(&[&[0, 0, 0, 0, 1, 9]], &mut nals));
    }
}
