//! The one message of supplemental enhancement information that matters here (D.1.8).

use crate::BitReader;

const RECOVERY_POINT: u32 = 6;

/// `recovery_frame_cnt` of a NAL unit of supplemental enhancement information, if it has one: after
/// so many frames, counted by `frame_num`, all is right even if decoding begins here. What cannot
/// be read is as if it were not there: pictures decode without it.
#[must_use]
pub fn recovery_frame_cnt(unit: &[u8]) -> Option<u32> {
    let mut bits = BitReader::of_nal_unit(unit);
    bits.skip(8, "nal_unit_header").ok()?;
    while bits.more_rbsp_data() {
        let kind = counted(&mut bits, "payload_type")?;
        let size = counted(&mut bits, "payload_size")?;
        if kind == RECOVERY_POINT {
            // MaxFrameNum - 1 at most.
            return bits
                .ue("recovery_frame_cnt")
                .ok()
                .filter(|count| *count <= 0xffff);
        }
        for _byte in 0..size {
            bits.bits(8, "sei_payload").ok()?;
        }
    }
    None
}

/// A number in bytes of which all but the last are 255 (7.3.2.3.1).
fn counted(bits: &mut BitReader<'_>, what: &'static str) -> Option<u32> {
    let mut value: u32 = 0;
    loop {
        let byte = bits.bits(8, what).ok()?;
        value = value.checked_add(byte)?;
        if byte != 0xff {
            return Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovery_point_is_found_behind_other_messages() {
        // User data of 3 bytes, then a recovery point of 1 byte: ue(2) is 011.
        let unit = [0x06, 5, 3, 1, 2, 3, 6, 1, 0b0110_0100, 0x80];
        assert_eq!(recovery_frame_cnt(&unit), Some(2));
        assert_eq!(recovery_frame_cnt(&unit[..6]), None);
        assert_eq!(recovery_frame_cnt(&[0x06, 5, 200, 1, 2, 0x80]), None);
        assert_eq!(recovery_frame_cnt(&[]), None);
    }
}
