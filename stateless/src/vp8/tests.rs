use super::*;

/// A key frame whose header says nothing: all its bits are zeros.
fn key(width: u16, height: u16) -> Vec<u8> {
    let mut frame = tag(true, true).to_vec();
    frame.extend([0x9d, 0x01, 0x2a]);
    frame.extend(width.to_le_bytes());
    frame.extend(height.to_le_bytes());
    frame.extend([0; 200]);
    frame
}

/// Any other frame, alike: it refreshes nothing.
fn inter() -> Vec<u8> {
    let mut frame = tag(false, true).to_vec();
    frame.extend([0; 200]);
    frame
}

/// Of a frame with 180 bytes of header.
fn tag(key: bool, shown: bool) -> [u8; 3] {
    let tag = u32::from(!key) | u32::from(shown) << 4 | 180 << 5;
    let [low, middle, high, _] = tag.to_le_bytes();
    [low, middle, high]
}

fn read(vp8: &mut Vp8, unit: &[u8]) -> Result<Vec<Step>, StreamError> {
    let mut steps = Steps::new();
    vp8.read(unit, &mut steps)?;
    Ok(steps.steps().to_vec())
}

fn ids(steps: &[Step]) -> Vec<String> {
    let id = |step: &Step| match step {
        Step::Sequence(sequence) => format!("sequence {}", sequence.coded.0),
        Step::Decode(decode) => format!("decode {}", decode.picture.0),
        Step::Output { picture, .. } => format!("show {}", picture.0),
        Step::Forget(picture) => format!("forget {}", picture.0),
    };
    steps.iter().map(id).collect()
}

#[test]
fn frames_go_out_as_they_come_and_key_frames_forget() {
    let mut vp8 = Vp8::new(&Ability::default());
    let first = read(&mut vp8, &key(176, 144)).unwrap();
    assert_eq!(ids(&first), ["sequence 176", "decode 1", "show 1"]);
    let second = read(&mut vp8, &inter()).unwrap();
    assert_eq!(ids(&second), ["decode 2", "show 2", "forget 2"]);
    let third = read(&mut vp8, &key(176, 144)).unwrap();
    assert_eq!(ids(&third), ["forget 1", "decode 3", "show 3"]);
    // Scaling, in the upper two bits, is no size.
    let fourth = read(&mut vp8, &key(176 | 1 << 14, 144)).unwrap();
    assert_eq!(ids(&fourth), ["forget 3", "decode 4", "show 4"]);
    let fifth = read(&mut vp8, &key(320, 240)).unwrap();
    assert_eq!(
        ids(&fifth),
        ["forget 4", "sequence 320", "decode 5", "show 5"]
    );
}

#[test]
fn a_frame_that_is_not_shown_does_not_go_out() {
    let mut vp8 = Vp8::new(&Ability::default());
    let mut hidden = key(176, 144);
    hidden[..3].copy_from_slice(&tag(true, false));
    assert_eq!(
        ids(&read(&mut vp8, &hidden).unwrap()),
        ["sequence 176", "decode 1"]
    );
}

#[test]
fn nothing_can_be_decoded_without_a_key_frame() {
    let mut vp8 = Vp8::new(&Ability::default());
    let missing = "bit 0 (byte 0): key_frame: number 0 has not been seen";
    let error = read(&mut vp8, &inter()).unwrap_err();
    assert_eq!(error.to_string(), missing);
    read(&mut vp8, &key(16, 16)).unwrap();
    vp8.seek(&mut Steps::new());
    assert_eq!(read(&mut vp8, &inter()).unwrap_err().to_string(), missing);
    let cut = read(&mut vp8, &key(16, 16)[..100]).unwrap_err();
    assert_eq!((cut.bit, cut.what), (800, "first_part_size"));
}

#[test]
fn golden_and_altref_are_copied_before_they_are_refreshed() {
    let mut vp8 = Vp8::new(&Ability::default());
    let [one, two, three, new] = [1, 2, 3, 4].map(PictureId);
    let before = [Some(one), Some(two), Some(three)];
    vp8.pictures.keep(one, before, &mut Steps::new());
    let kept = |header: FrameHeader| vp8.kept(&header, new);
    assert_eq!(kept(FrameHeader::default()), before);
    let golden = FrameHeader {
        copy_to_alternate: CopyFrom::Other,
        refresh_golden_frame: true,
        ..FrameHeader::default()
    };
    assert_eq!(kept(golden), [Some(one), Some(new), Some(two)]);
    let last = FrameHeader {
        copy_to_golden: CopyFrom::Last,
        refresh_last: true,
        ..FrameHeader::default()
    };
    assert_eq!(kept(last), [Some(new), Some(one), Some(three)]);
    // As the RFC's decoder does it: altref first, so that golden stays.
    let both = FrameHeader {
        copy_to_golden: CopyFrom::Other,
        copy_to_alternate: CopyFrom::Other,
        ..FrameHeader::default()
    };
    assert_eq!(kept(both), [Some(one), Some(two), Some(two)]);
}

#[test]
fn the_control_tells_the_coders_state_behind_the_header() {
    let mut vp8 = Vp8::new(&Ability::default());
    let mut steps = Steps::new();
    vp8.read(&key(176, 144), &mut steps).unwrap();
    let control = &steps.controls(&(0..1))[0];
    let bytes = steps.bytes_of(control);
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let header_bits = word(1164);
    // Range, value, bits that are left of a byte; one partition, the rest of the frame.
    assert!((128..=255).contains(&bytes[1144]) && bytes[1145] == 0);
    assert_eq!(u32::from(bytes[1146]), (8 - header_bits % 8) % 8);
    assert_eq!((bytes[1159], word(1160), word(1168)), (1, 180, 20));
    // Modes of key frames have probabilities of their own.
    assert_eq!(bytes[1096..1103], [145, 156, 163, 128, 142, 114, 183]);
}
