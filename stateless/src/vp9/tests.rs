use super::*;
use crate::written::Bits;

/// A frame of profile 0 with nothing special.
struct Written {
    key: bool,
    shown: bool,
    /// Of a frame that is not shown: it needs no other.
    intra_only: bool,
    refresh: u32,
    slots: [u32; 3],
    size: (u32, u32),
}

impl Written {
    const fn key(size: (u32, u32)) -> Self {
        Self {
            key: true,
            shown: true,
            intra_only: false,
            refresh: 0xff,
            slots: [0; 3],
            size,
        }
    }

    const fn inter(refresh: u32, slots: [u32; 3], size: (u32, u32)) -> Self {
        Self {
            key: false,
            refresh,
            slots,
            ..Self::key(size)
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bits = Bits::new().put(2, 2).put(2, 0).put(1, 0);
        bits = bits
            .put(1, u32::from(!self.key))
            .put(1, u32::from(self.shown))
            .put(1, 0);
        let (width, height) = self.size;
        let sync = |bits: Bits| bits.put(24, 0x49_8342);
        let size = |bits: Bits| bits.put(16, width - 1).put(16, height - 1).put(1, 0);
        if self.key {
            // color_space, color_range
            bits = size(sync(bits).put(3, 2).put(1, 0));
        } else {
            if !self.shown {
                bits = bits.put(1, u32::from(self.intra_only));
            }
            bits = bits.put(2, 0);
            if self.intra_only {
                bits = size(sync(bits).put(8, self.refresh));
            } else {
                bits = bits.put(8, self.refresh);
                for slot in self.slots {
                    bits = bits.put(3, slot).put(1, 0);
                }
                // No found_ref; then no high precision, a switchable filter.
                bits = size(bits.put(3, 0)).put(1, 0).put(1, 1);
            }
        }
        // Contexts, loop filter, quantisation, no segments; one tile in small frames.
        bits = bits
            .put(4, 0)
            .put(9, 5)
            .put(1, 0)
            .put(8, 60)
            .put(3, 0)
            .put(1, 0)
            .put(1, 0);
        let mut frame = bits.put(16, 4).bytes();
        // A compressed header of zeros, and a tile.
        frame.extend([0, 0, 0, 0, 1, 2, 3]);
        frame
    }
}

fn superframe(frames: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(frames.len() - 1).unwrap();
    let marker = 0b1100_1000 | count;
    let mut chunk = frames.concat();
    chunk.push(marker);
    for frame in frames {
        chunk.extend(u16::try_from(frame.len()).unwrap().to_le_bytes());
    }
    chunk.push(marker);
    chunk
}

fn sequencer() -> Vp9 {
    Vp9::new(&Ability {
        controls: vec![STATELESS_VP9_FRAME, STATELESS_VP9_COMPRESSED_HDR],
        ..Ability::default()
    })
}

/// What is to be done with a unit, in words.
fn told(vp9: &mut Vp9, unit: &[u8]) -> String {
    let mut steps = Steps::new();
    let read = vp9.read(unit, &mut steps);
    let mut told: Vec<String> = steps.steps().iter().map(in_words).collect();
    if let Err(error) = read {
        told.push(error.to_string());
    }
    told.join(", ")
}

fn in_words(step: &Step) -> String {
    match step {
        Step::Sequence(sequence) => {
            let (width, height) = sequence.coded;
            format!("sequence {width}x{height}")
        }
        Step::Decode(decode) => format!("decode {}", decode.picture.0),
        Step::Output {
            picture,
            shown_again,
        } => format!(
            "{} {}",
            if *shown_again { "again" } else { "show" },
            picture.0
        ),
        Step::Forget(picture) => format!("forget {}", picture.0),
    }
}

const SMALL: (u32, u32) = (64, 48);

#[test]
fn a_superframe_is_several_steps() {
    let mut vp9 = sequencer();
    let key = Written::key(SMALL).bytes();
    assert_eq!(told(&mut vp9, &key), "sequence 64x48, decode 1, show 1");
    let hidden = Written {
        shown: false,
        ..Written::inter(4, [0, 1, 2], SMALL)
    };
    let shown = Written::inter(1, [0, 1, 2], SMALL);
    let chunk = superframe(&[hidden.bytes(), shown.bytes()]);
    assert_eq!(told(&mut vp9, &chunk), "decode 2, decode 3, show 3");

    let mut steps = Steps::new();
    vp9.read(&chunk, &mut steps).unwrap();
    let pieces: Vec<_> = steps
        .steps()
        .iter()
        .filter_map(|step| match step {
            Step::Decode(decode) => Some(steps.pieces(&decode.pieces)[0].clone()),
            _ => None,
        })
        .collect();
    let (first, second) = (hidden.bytes().len(), shown.bytes().len());
    assert_eq!(pieces, [0..first, first..first + second]);
}

#[test]
fn a_frame_that_is_kept_can_be_shown_later() {
    let mut vp9 = sequencer();
    told(&mut vp9, &Written::key(SMALL).bytes());
    let hidden = Written {
        shown: false,
        ..Written::inter(4, [0, 0, 0], SMALL)
    };
    assert_eq!(told(&mut vp9, &hidden.bytes()), "decode 2");
    // show_existing_frame, slot 2
    assert_eq!(told(&mut vp9, &[0b1000_1010]), "again 2");
    vp9.seek(&mut Steps::new());
    assert_eq!(
        told(&mut vp9, &[0b1000_1010]),
        "bit 5 (byte 0): frame_to_show_map_idx: number 2 has not been seen"
    );
}

#[test]
fn what_no_slot_holds_is_forgotten() {
    let mut vp9 = sequencer();
    told(&mut vp9, &Written::key(SMALL).bytes());
    let none = Written::inter(0, [0, 0, 0], SMALL);
    assert_eq!(told(&mut vp9, &none.bytes()), "decode 2, show 2, forget 2");
    let most = Written::inter(0xfe, [0, 0, 0], SMALL);
    assert_eq!(told(&mut vp9, &most.bytes()), "decode 3, show 3");
    let rest = Written::inter(1, [0, 0, 0], SMALL);
    assert_eq!(told(&mut vp9, &rest.bytes()), "decode 4, show 4, forget 1");
    let mut steps = Steps::new();
    vp9.finish(&mut steps);
    let ids: Vec<_> = steps.steps().iter().map(in_words).collect();
    assert_eq!(ids, ["forget 4", "forget 3"]);
}

#[test]
fn another_size_keeps_references_but_for_a_key_frame() {
    let mut vp9 = sequencer();
    told(&mut vp9, &Written::key(SMALL).bytes());
    let larger = Written::inter(1, [0, 0, 0], (96, 80));
    assert_eq!(
        told(&mut vp9, &larger.bytes()),
        "sequence 96x80, decode 2, show 2"
    );
    let key = Written::key(SMALL).bytes();
    assert_eq!(
        told(&mut vp9, &key),
        "forget 2, forget 1, sequence 64x48, decode 3, show 3"
    );
    let huge = Written::inter(1, [0, 0, 0], (2000, 48));
    assert_eq!(
        told(&mut vp9, &huge.bytes()),
        "bit 30 (byte 3): frame_size_with_refs: 2000 is not allowed"
    );
}

#[test]
fn decoding_may_begin_with_a_frame_that_needs_no_other() {
    let mut vp9 = sequencer();
    let inter = Written::inter(1, [0, 1, 2], SMALL).bytes();
    let missing = "bit 18 (byte 2): ref_frame_idx: number 0 has not been seen";
    assert_eq!(told(&mut vp9, &inter), missing);
    let intra = Written {
        shown: false,
        intra_only: true,
        ..Written::inter(7, [0; 3], SMALL)
    };
    assert_eq!(told(&mut vp9, &intra.bytes()), "sequence 64x48, decode 1");
    assert_eq!(told(&mut vp9, &inter), "decode 2, show 2");
    let mut steps = Steps::new();
    vp9.seek(&mut steps);
    assert_eq!(steps.steps().len(), 2);
    assert_eq!(told(&mut vp9, &inter), missing);
}

#[test]
fn an_error_in_a_superframe_says_where_and_leaves_what_was_before() {
    let mut vp9 = sequencer();
    told(&mut vp9, &Written::key(SMALL).bytes());
    let good = Written::inter(1, [0; 3], SMALL).bytes();
    let mut bad = good.clone();
    bad[0] = 0;
    let bits = good.len() * 8;
    assert_eq!(
        told(&mut vp9, &superframe(&[good.clone(), bad])),
        format!(
            "decode 2, show 2, bit {bits} (byte {}): frame_marker: 0 is not allowed",
            good.len()
        )
    );
}

#[test]
fn drivers_that_read_the_compressed_header_are_not_told_it() {
    let told = |controls, count| {
        let ability = Ability {
            controls,
            ..Ability::default()
        };
        let mut steps = Steps::new();
        let key = Written::key(SMALL).bytes();
        Vp9::new(&ability).read(&key, &mut steps).unwrap();
        assert_eq!(steps.controls_mark(), count);
    };
    told(vec![STATELESS_VP9_FRAME], 1);
    told(vec![STATELESS_VP9_FRAME, STATELESS_VP9_COMPRESSED_HDR], 2);
}
