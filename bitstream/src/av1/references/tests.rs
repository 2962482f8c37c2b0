use super::*;
use crate::av1::FrameIds;
use crate::bits::BitReader;

/// Order hints of five bits.
fn sequence() -> SequenceHeader {
    // Of a still picture in short, with which the rest has its defaults.
    let mut bits = BitReader::new(&[0x18, 0x00, 0x00, 0x00, 0x00]);
    let mut sequence = SequenceHeader::read(&mut bits).unwrap();
    sequence.order_hint_bits = 5;
    sequence
}

fn references(order_hints: [u8; 8]) -> References {
    let mut references = References::default();
    for (slot, order_hint) in references.slots.iter_mut().zip(order_hints) {
        (slot.valid, slot.order_hint) = (true, order_hint);
    }
    references
}

#[test]
fn distances_go_around() {
    let sequence = sequence();
    assert_eq!(sequence.relative_distance(3, 1), 2);
    assert_eq!(sequence.relative_distance(1, 30), 3);
    assert_eq!(sequence.relative_distance(30, 1), -3);
    assert_eq!(sequence.relative_distance(16, 0), -16);
}

#[test]
fn references_follow_from_two_of_them() {
    let sequence = sequence();
    let mixed = references([8, 4, 12, 14, 20, 2, 8, 10]);
    // At 10: slot 7 is as late as the frame, and counts as later.
    let chosen = mixed.set_frame_refs(&sequence, 10, (0, 1), 0).unwrap();
    assert_eq!(chosen, [0, 6, 5, 1, 7, 2, 4]);
    let error = mixed.set_frame_refs(&sequence, 10, (2, 1), 77).unwrap_err();
    assert_eq!((error.bit, error.what), (77, "last_frame_idx"));
    // Where nothing is left, the earliest is taken.
    let few = references([8; 8]);
    let chosen = few.set_frame_refs(&sequence, 10, (3, 3), 0).unwrap();
    assert_eq!(chosen, [3, 7, 6, 3, 5, 4, 2]);
}

#[test]
fn skip_mode_takes_the_nearest_on_both_sides_or_two_before() {
    let sequence = sequence();
    let references = references([8, 4, 12, 14, 20, 2, 8, 10]);
    let frames = |indices| references.skip_mode_frames(&sequence, 10, &indices);
    assert_eq!(frames([5, 1, 0, 6, 4, 3, 2]), Some([3, 7]));
    assert_eq!(frames([5, 1, 0, 6, 0, 0, 0]), Some([2, 3]));
    assert_eq!(frames([0, 6, 0, 6, 0, 0, 0]), None);
    assert_eq!(frames([2, 3, 4, 2, 3, 4, 2]), None);
}

#[test]
fn numbers_that_are_too_far_back_are_not_referred_to() {
    let mut sequence = sequence();
    let mut references = References::default();
    for (slot, id) in references
        .slots
        .iter_mut()
        .zip([0, 5, 9, 15, 17, 30, 200, 255])
    {
        slot.frame_id = id;
    }
    assert_eq!(
        references.marked(&sequence, 20),
        0xff,
        "frames have no numbers"
    );
    sequence.frame_ids = Some(FrameIds {
        delta_length: 4,
        length: 8,
    });
    assert_eq!(references.marked(&sequence, 20), 0b0001_1110);
    assert_eq!(references.marked(&sequence, 6), 0b1000_0011);
}
