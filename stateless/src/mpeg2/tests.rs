use super::*;
use crate::written::Bits;

const I: u32 = 1;
const P: u32 = 2;
const B: u32 = 3;
const TOP: u32 = 1;
const BOTTOM: u32 = 2;
const FRAME: u32 = 3;

fn sequence(width: u32, low_delay: bool) -> Vec<u8> {
    let header = Bits::new()
        .put(12, width)
        .put(12, 576)
        .put(8, 0x23)
        .put(18, 1)
        .put(1, 1);
    let header = header.put(10, 20).put(3, 0);
    let extension = Bits::new()
        .put(4, 1)
        .put(8, 0x48)
        .put(1, 0)
        .put(2, 1)
        .put(4, 0)
        .put(12, 0);
    let extension = extension
        .put(1, 1)
        .put(8, 0)
        .put(1, u32::from(low_delay))
        .put(7, 0);
    [coded(0xb3, &header), coded(0xb5, &extension)].concat()
}

fn group(closed: bool, broken: bool) -> Vec<u8> {
    let header = Bits::new()
        .put(25, 0)
        .put(1, u32::from(closed))
        .put(1, u32::from(broken));
    coded(0xb8, &header)
}

fn picture(coding_type: u32, temporal_reference: u32, structure: u32) -> Vec<u8> {
    let header = Bits::new()
        .put(10, temporal_reference)
        .put(3, coding_type)
        .put(16, 0);
    let extension = Bits::new()
        .put(4, 8)
        .put(16, 0xffff)
        .put(2, 0)
        .put(2, structure)
        .put(12, 0);
    [
        coded(0x00, &header),
        coded(0xb5, &extension),
        coded(0x01, &Bits::new().put(32, 0x2aff_ffff)),
    ]
    .concat()
}

fn coded(code: u8, bits: &Bits) -> Vec<u8> {
    let mut bytes = vec![0, 0, 1, code];
    bytes.extend(bits.bytes());
    bytes
}

/// Reads a unit that is made of these, and answers with what is to be done, in words.
fn told(mpeg2: &mut Mpeg2, parts: &[Vec<u8>]) -> String {
    let mut steps = Steps::new();
    let read = mpeg2.read(&parts.concat(), &mut steps);
    let mut told = in_words(&steps);
    if let Err(error) = read {
        told.push(error.to_string());
    }
    told.join(", ")
}

fn in_words(steps: &Steps) -> Vec<String> {
    let words = |step: &Step| match step {
        Step::Sequence(sequence) => format!("sequence {}", sequence.visible.width),
        Step::Decode(decode) => {
            let controls = steps.controls(&decode.controls);
            let picture = steps.bytes_of(&controls[1]);
            let stamp = |at: usize| u64::from_ne_bytes(picture[at..at + 8].try_into().unwrap());
            let (backward, forward) = (stamp(0) / 1000, stamp(8) / 1000);
            let more = if decode.more { " and more" } else { "" };
            format!(
                "decode {} from {forward} {backward}{more}",
                decode.picture.0
            )
        }
        Step::Output { picture, .. } => format!("show {}", picture.0),
        Step::Forget(picture) => format!("forget {}", picture.0),
    };
    steps.steps().iter().map(words).collect()
}

fn begun() -> Mpeg2 {
    let mut mpeg2 = Mpeg2::new(&Ability::default());
    let unit = [
        sequence(720, false),
        group(true, false),
        picture(I, 0, FRAME),
    ];
    assert_eq!(told(&mut mpeg2, &unit), "sequence 720, decode 1 from 0 0");
    mpeg2
}

#[test]
fn pictures_go_out_in_display_order() {
    let mut mpeg2 = begun();
    assert_eq!(
        told(&mut mpeg2, &[picture(P, 2, FRAME)]),
        "show 1, decode 2 from 1 0"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(B, 1, FRAME)]),
        "decode 3 from 1 2, show 3, forget 3"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(P, 3, FRAME)]),
        "show 2, forget 1, decode 4 from 2 0"
    );
    let mut steps = Steps::new();
    mpeg2.finish(&mut steps);
    assert_eq!(in_words(&steps), ["show 4", "forget 2", "forget 4"]);
}

#[test]
fn both_fields_are_one_picture_in_one_unit_or_in_two() {
    let mut mpeg2 = begun();
    assert_eq!(
        told(&mut mpeg2, &[picture(P, 1, TOP), picture(P, 1, BOTTOM)]),
        "show 1, decode 2 from 1 0 and more, decode 2 from 1 0"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(B, 2, BOTTOM)]),
        "decode 3 from 1 2 and more"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(B, 2, TOP)]),
        "decode 3 from 1 2, show 3, forget 3"
    );
    // The second field of an I frame may be predicted from the first.
    assert_eq!(
        told(&mut mpeg2, &[picture(I, 3, TOP), picture(P, 3, BOTTOM)]),
        "show 2, forget 1, decode 4 from 0 0 and more, decode 4 from 2 0"
    );
}

#[test]
fn a_field_whose_other_one_never_comes_goes_out_all_the_same() {
    let mut mpeg2 = begun();
    told(&mut mpeg2, &[picture(P, 2, FRAME)]);
    assert_eq!(
        told(&mut mpeg2, &[picture(B, 1, TOP)]),
        "decode 3 from 1 2 and more"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(P, 3, TOP)]),
        "show 3, forget 3, show 2, forget 1, decode 4 from 2 0 and more"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(P, 4, TOP)]),
        "show 4, forget 2, decode 5 from 4 0 and more"
    );
}

#[test]
fn without_delay_pictures_go_out_at_once() {
    let mut mpeg2 = Mpeg2::new(&Ability::default());
    let unit = [sequence(720, true), picture(I, 0, FRAME)];
    assert_eq!(
        told(&mut mpeg2, &unit),
        "sequence 720, decode 1 from 0 0, show 1"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(P, 1, FRAME)]),
        "decode 2 from 1 0, show 2"
    );
}

#[test]
fn pictures_that_refer_to_what_was_cut_off_are_passed_over() {
    let mut mpeg2 = begun();
    told(&mut mpeg2, &[picture(P, 1, FRAME)]);
    let open = [group(false, false), picture(I, 1, FRAME)];
    assert_eq!(
        told(&mut mpeg2, &open),
        "show 2, forget 1, decode 3 from 0 0"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(B, 0, FRAME)]),
        "decode 4 from 2 3, show 4, forget 4"
    );
    let broken = [group(false, true), picture(I, 1, FRAME)];
    assert_eq!(
        told(&mut mpeg2, &broken),
        "show 3, forget 2, decode 5 from 0 0"
    );
    assert_eq!(told(&mut mpeg2, &[picture(B, 0, FRAME)]), "");
    assert_eq!(
        told(&mut mpeg2, &[picture(P, 3, FRAME)]),
        "show 5, forget 3, decode 6 from 5 0"
    );
    assert_eq!(
        told(&mut mpeg2, &[picture(B, 2, FRAME)]),
        "decode 7 from 5 6, show 7, forget 7"
    );
    mpeg2.seek(&mut Steps::new());
    assert_eq!(
        told(&mut mpeg2, &[group(true, false), picture(I, 1, FRAME)]),
        "decode 8 from 0 0"
    );
    // It says that it can do without.
    assert_eq!(
        told(&mut mpeg2, &[picture(B, 0, FRAME)]),
        "decode 9 from 0 8, show 9, forget 9"
    );
}

#[test]
fn an_end_and_another_size_bring_out_what_is_left() {
    let mut mpeg2 = begun();
    told(&mut mpeg2, &[picture(P, 1, FRAME)]);
    assert_eq!(
        told(&mut mpeg2, &[vec![0, 0, 1, 0xb7]]),
        "show 2, forget 1, forget 2"
    );
    told(&mut mpeg2, &[picture(I, 0, FRAME)]);
    let again = [sequence(720, false), picture(I, 1, FRAME)];
    assert_eq!(told(&mut mpeg2, &again), "show 3, decode 4 from 0 0");
    let smaller = [sequence(352, false), picture(I, 0, FRAME)];
    assert_eq!(
        told(&mut mpeg2, &smaller),
        "show 4, forget 3, forget 4, sequence 352, decode 5 from 0 0"
    );
}

#[test]
fn what_cannot_be_decoded_says_why() {
    let mut mpeg2 = Mpeg2::new(&Ability::default());
    let no_sequence = told(&mut mpeg2, &[picture(I, 0, FRAME)]);
    assert_eq!(
        no_sequence,
        "bit 0 (byte 0): sequence_header: number 0 has not been seen"
    );
    let headers = sequence(720, false);
    let bits = headers.len() * 8;
    assert_eq!(
        told(&mut mpeg2, &[headers.clone(), picture(P, 0, FRAME)]),
        format!(
            "bit {bits} (byte {}): picture_coding_type: number 0 has not been seen",
            headers.len()
        )
    );
    let mpeg1 = [headers[..12].to_vec(), picture(I, 0, FRAME)];
    assert_eq!(
        told(&mut mpeg2, &mpeg1),
        "bit 96 (byte 12): sequence_extension: 1 is not supported"
    );
    assert_eq!(
        told(&mut mpeg2, &[vec![0, 0, 1, 0x01, 0x2a]]),
        "bit 32 (byte 4): slice_start_code: 1 is not allowed"
    );
    let no_slices = picture(I, 0, FRAME);
    let no_slices = no_slices[..no_slices.len() - 8].to_vec();
    assert_eq!(
        told(&mut mpeg2, &[no_slices]),
        "bit 0 (byte 0): slice: the data ends before it"
    );
}
