//! JPEG: the size of a picture (ITU-T T.81, B.2.2).

use dmaflow_bitstream::{BitReader, StreamError, Trouble};

/// Width and height in pixels.
///
/// # Errors
/// Where it is cut before its frame header, or no JPEG picture.
pub(crate) fn size(data: &[u8]) -> Result<(u32, u32), StreamError> {
    let wrong = |at: usize, what, trouble| Err(BitReader::wrong(at as u64 * 8, what, trouble));
    if !data.starts_with(&[0xff, 0xd8]) {
        return wrong(0, "SOI", Trouble::NotAllowed { found: 0 });
    }
    let mut at = 2;
    loop {
        let Some(&[mark, code, high, low]) = data.get(at..).and_then(<[u8]>::first_chunk) else {
            return wrong(at, "SOF", Trouble::Ends);
        };
        if mark != 0xff {
            let found = mark.into();
            return wrong(at, "marker", Trouble::NotAllowed { found });
        }
        match code {
            // A byte that only fills.
            0xff => at += 1,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let Some(&[h0, h1, w0, w1]) = data.get(at + 5..).and_then(<[u8]>::first_chunk)
                else {
                    return wrong(at, "SOF", Trouble::Ends);
                };
                let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                return Ok((side(w0, w1), side(h0, h1)));
            }
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
}
