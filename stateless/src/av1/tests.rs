//! Streams of few tools, written bit by bit.
use dmaflow_bitstream::obu::to_leb128;

use super::*;
use crate::steps::PictureId;
use crate::uapi::av1::{STATELESS_AV1_FRAME, STATELESS_AV1_TILE_GROUP_ENTRY};

/// Bits, the most significant first.
#[derive(Clone, Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(mut self, count: u32, value: u32) -> Self {
        self.0
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// Whole bytes, filled up with zeros.
    fn bytes(&self) -> Vec<u8> {
        let bytes = self.0.chunks(8).map(|bits| {
            let ones = bits.iter().enumerate();
            ones.fold(0, |byte, (at, &bit)| byte | u8::from(bit) << (7 - at))
        });
        bytes.collect()
    }

    /// The same with trailing bits.
    fn trailed(&self) -> Vec<u8> {
        self.clone().put(1, 1).bytes()
    }
}

const DELIMITER: u8 = 2;
const HEADER: u8 = 3;
const TILES: u8 = 4;
const FRAME: u8 = 6;

fn obu(kind: u8, layer: Option<u8>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind << 3 | u8::from(layer.is_some()) << 2 | 2];
    bytes.extend(layer.map(|spatial_id| spatial_id << 3));
    let (size, len) = to_leb128(payload.len().try_into().unwrap_or_default());
    bytes.extend_from_slice(&size[..len]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Of frames up to so large, with these operating points.
fn sequence(width: u32, height: u32, points: &[u32]) -> Vec<u8> {
    let last = u32::try_from(points.len()).unwrap_or_default() - 1;
    let mut bits = Bits::default().put(3, 0).put(4, 0).put(5, last);
    for &idc in points {
        bits = bits.put(12, idc).put(5, 0);
    }
    let bits = bits
        .put(4, 7)
        .put(4, 7)
        .put(8, width - 1)
        .put(8, height - 1);
    // No tools, no order hints, no screen content, 8 bits, 4:2:0, no grain.
    obu(
        1,
        None,
        &bits
            .put(12, 0)
            .put(3, 0)
            .put(3, 0)
            .put(6, 0)
            .put(1, 0)
            .trailed(),
    )
}

#[derive(Clone, Copy, Default)]
struct Frame {
    inter: bool,
    hidden: bool,
    refresh: u32,
    reference: u32,
    size: Option<(u32, u32)>,
    /// Two tiles, one beside the other; only where the frame is so wide.
    two_tiles: bool,
}

impl Frame {
    fn header(self) -> Bits {
        let shown_key = !self.inter && !self.hidden;
        let mut bits = Bits::default().put(1, 0).put(2, self.inter.into());
        bits = bits.put(1, u32::from(!self.hidden));
        if self.hidden {
            // Showable.
            bits = bits.put(1, 1);
        }
        if !shown_key {
            // Resilient.
            bits = bits.put(1, 1);
        }
        bits = bits.put(1, 0).put(1, self.size.is_some().into());
        if !shown_key {
            bits = bits.put(8, self.refresh);
        }
        for _reference in 0..if self.inter { 7 } else { 0 } {
            bits = bits.put(3, self.reference);
        }
        if let Some((width, height)) = self.size {
            bits = bits.put(8, width - 1).put(8, height - 1);
        }
        bits = bits.put(1, 0);
        if self.inter {
            // A filter that switches.
            bits = bits.put(1, 0).put(1, 1).put(1, 0);
        }
        bits = bits.put(1, 0).put(1, 1);
        if self.two_tiles {
            // A column more; tile 0 tells, sizes have one byte.
            bits = bits.put(1, 1).put(1, 0).put(2, 0);
        }
        bits = bits.put(8, 100).put(6, 0).put(12, 0).put(4, 0).put(1, 0);
        if self.inter {
            bits = bits.put(1, 0);
        }
        bits.put(1, 0).put(if self.inter { 7 } else { 0 }, 0)
    }

    fn obu(self, layer: Option<u8>) -> Vec<u8> {
        let mut payload = self.header().bytes();
        payload.extend([0xaa; 5]);
        obu(FRAME, layer, &payload)
    }
}

fn show(slot: u32) -> Vec<u8> {
    obu(
        HEADER,
        None,
        &Bits::default().put(1, 1).put(3, slot).trailed(),
    )
}

const KEY: Frame = Frame {
    inter: false,
    hidden: false,
    refresh: 0,
    reference: 0,
    size: None,
    two_tiles: false,
};
const INTER: Frame = Frame { inter: true, ..KEY };

struct Run {
    sequencer: Av1,
    steps: Steps,
}

impl Run {
    fn new() -> Self {
        Self {
            sequencer: Av1::new(&Ability::default()),
            steps: Steps::new(),
        }
    }

    fn read(&mut self, obus: &[Vec<u8>]) -> Result<String, StreamError> {
        self.steps.clear();
        let unit = [obu(DELIMITER, None, &[]), obus.concat()].concat();
        let read = self.sequencer.read(&unit, &mut self.steps);
        read.map(|()| self.words())
    }

    /// The steps in few words.
    fn words(&self) -> String {
        let words = self.steps.steps().iter().map(|step| match step {
            Step::Sequence(sequence) => {
                let Visible { width, height, .. } = sequence.visible;
                format!("{:?} {width}×{height}", sequence.coded)
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
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

fn check(run: &mut Run, obus: &[Vec<u8>], words: &str) {
    match run.read(obus) {
        Ok(found) => assert_eq!(found, words),
        Err(error) => panic!("{error}, instead of {words}"),
    }
}

#[test]
fn pictures_are_kept_while_a_slot_has_them() {
    let mut run = Run::new();
    let sequence = sequence(64, 64, &[0]);
    let first = [sequence.clone(), KEY.obu(None)];
    check(&mut run, &first, "(64, 64) 64×64, decode 1, show 1");
    let hidden = Frame {
        hidden: true,
        refresh: 1,
        ..INTER
    };
    let shown = Frame {
        reference: 1,
        ..INTER
    };
    let words = "decode 2, decode 3, show 3, forget 3";
    check(&mut run, &[hidden.obu(None), shown.obu(None)], words);
    check(&mut run, &[show(0)], "again 2");
    let all = Frame {
        refresh: 0xff,
        ..INTER
    };
    // The same sequence header changes nothing.
    let again = [sequence, all.obu(None)];
    check(&mut run, &again, "decode 4, forget 2, forget 1, show 4");
    run.steps.clear();
    run.sequencer.seek(&mut run.steps);
    assert_eq!(run.words(), "forget 4");
    let error = run.read(&[INTER.obu(None)]);
    assert!(error.is_err_and(|error| error.what == "ref_frame_idx"));
    check(&mut run, &[KEY.obu(None)], "decode 5, show 5");
    run.steps.clear();
    run.sequencer.finish(&mut run.steps);
    assert_eq!(run.words(), "forget 5");
}

#[test]
fn a_key_frame_that_is_shown_later_takes_all_slots_and_is_not_shown_twice() {
    let mut run = Run::new();
    let first = [sequence(64, 64, &[0]), KEY.obu(None)];
    check(&mut run, &first, "(64, 64) 64×64, decode 1, show 1");
    let later = Frame {
        hidden: true,
        refresh: 4,
        ..KEY
    };
    check(
        &mut run,
        &[later.obu(None), INTER.obu(None)],
        "decode 2, decode 3, show 3, forget 3",
    );
    check(&mut run, &[show(2)], "forget 1, again 2");
    let error = run.read(&[show(5)]);
    assert!(error.is_err_and(|error| error.what == "frame_to_show_map_idx"));
    check(&mut run, &[INTER.obu(None)], "decode 4, show 4, forget 4");
}

#[test]
fn a_sequence_begins_with_its_first_frame() {
    let mut run = Run::new();
    let error = run.read(&[KEY.obu(None)]);
    assert!(error.is_err_and(|error| error.what == "sequence_header_obu"));
    let first = [sequence(64, 64, &[0]), KEY.obu(None)];
    check(&mut run, &first, "(64, 64) 64×64, decode 1, show 1");
    let other = sequence(60, 50, &[0]);
    check(&mut run, &[other], "forget 1");
    check(
        &mut run,
        &[KEY.obu(None)],
        "(60, 50) 60×50, decode 2, show 2",
    );
    // Smaller frames go into the same buffers.
    let smaller = Frame {
        size: Some((40, 30)),
        ..INTER
    };
    check(
        &mut run,
        &[smaller.obu(None)],
        "decode 3, (60, 50) 40×30, show 3, forget 3",
    );
    check(
        &mut run,
        &[INTER.obu(None)],
        "decode 4, (60, 50) 60×50, show 4, forget 4",
    );
    // More than half as small is no reference any more, and larger than the sequence is wrong.
    let tiny = Frame {
        size: Some((29, 30)),
        ..INTER
    };
    assert!(
        run.read(&[tiny.obu(None)])
            .is_err_and(|error| error.what == "frame_size")
    );
    let large = Frame {
        size: Some((61, 50)),
        ..INTER
    };
    let error = run.read(&[large.obu(None)]);
    assert!(error.is_err_and(|error| error.what == "frame_width_minus_1"));
}

#[test]
fn of_layers_the_highest_goes_out() {
    let mut run = Run::new();
    // Both spatial layers, or the lower; a third belongs to none.
    let sequence = sequence(64, 64, &[0x301, 0x101]);
    let base = Frame {
        size: Some((32, 32)),
        ..KEY
    };
    let upper = Frame {
        refresh: 2,
        ..INTER
    };
    let both = [
        sequence,
        base.obu(Some(0)),
        upper.obu(Some(1)),
        INTER.obu(Some(2)),
    ];
    check(
        &mut run,
        &both,
        "(64, 64) 64×64, decode 1, decode 2, show 2",
    );
    let Some(Step::Sequence(told)) = run.steps.steps().first() else {
        panic!("no sequence");
    };
    assert_eq!(told.kept, 9);
    let base = Frame {
        size: Some((32, 32)),
        refresh: 1,
        ..INTER
    };
    let upper = Frame {
        reference: 1,
        ..INTER
    };
    let words = "decode 3, decode 4, forget 3, show 4, forget 4";
    let unneeded = Frame { refresh: 0, ..base };
    check(
        &mut run,
        &[unneeded.obu(Some(0)), upper.obu(Some(1))],
        words,
    );
    // Alone, the lower layer is the highest.
    check(
        &mut run,
        &[base.obu(Some(0))],
        "decode 5, (64, 64) 32×32, show 5",
    );
    // What is lost above does not keep back what is below.
    let mut cut = upper.obu(Some(1));
    let size = cut.len() - 3;
    cut.truncate(size);
    let error = run.read(&[base.obu(Some(0)), cut]);
    assert!(error.is_err_and(|error| error.what == "obu_size"));
    assert_eq!(run.words(), "decode 6, forget 5, show 6");
}

#[test]
fn a_frame_in_pieces_is_one_request() {
    let mut run = Run::new();
    let frame = Frame {
        two_tiles: true,
        ..KEY
    };
    let header = frame.header().trailed();
    // Both numbers stand before their tile.
    let tiles = [[0b1000_0000, 0xa0, 0xa1], [0b1110_0000, 0xb0, 0xb1]];
    let unit = [
        sequence(128, 64, &[0]),
        obu(HEADER, None, &header),
        obu(TILES, None, &tiles[0]),
        obu(7, None, &header),
        obu(TILES, None, &tiles[1]),
    ];
    check(&mut run, &unit, "(128, 64) 128×64, decode 1, show 1");
    let unit = [obu(DELIMITER, None, &[]), unit.concat()].concat();
    let Some(Step::Decode(decode)) = run.steps.steps().get(1) else {
        panic!("no frame");
    };
    let pieces = run.steps.pieces(&decode.pieces).iter().cloned();
    let data: Vec<_> = pieces.flat_map(|piece| unit[piece].to_vec()).collect();
    assert_eq!(data, [&*header, &tiles[0], &tiles[1]].concat());
    let controls = run.steps.controls(&decode.controls);
    let ids: Vec<_> = controls.iter().map(|control| control.id).collect();
    let expected = [
        STATELESS_AV1_SEQUENCE,
        STATELESS_AV1_FRAME,
        STATELESS_AV1_TILE_GROUP_ENTRY,
    ];
    assert_eq!(ids, expected, "grain is for drivers that have it");
    let begin = u32::try_from(header.len()).unwrap_or_default();
    let entries = [begin + 1, 2, 0, 0, begin + 4, 2, 0, 1].map(u32::to_ne_bytes);
    assert_eq!(run.steps.bytes_of(&controls[2]), entries.concat());

    // Without the second tile there is no frame, and nothing where it would have been.
    let error = run.read(&[obu(HEADER, None, &header), obu(TILES, None, &tiles[0])]);
    assert!(error.is_err_and(|error| error.what == "tile_group_obu"));
    assert_eq!(run.words(), "forget 1");
    let error = run.read(&[Frame {
        two_tiles: true,
        ..INTER
    }
    .obu(None)]);
    assert!(error.is_err_and(|error| error.what == "ref_frame_idx"));
    let twice = run.read(&[obu(HEADER, None, &header), obu(HEADER, None, &header)]);
    assert!(twice.is_err_and(|error| error.what == "TileNum"));
    let alone = run.read(&[obu(TILES, None, &tiles[0])]);
    assert!(alone.is_err_and(|error| error.what == "obu_type"));
}

#[test]
fn tile_lists_are_refused() {
    let mut run = Run::new();
    let error = run.read(&[sequence(64, 64, &[0]), obu(8, None, &[0; 9])]);
    let unsupported = Trouble::Unsupported { found: 8 };
    assert!(error.is_err_and(|error| error.trouble == unsupported && error.bit > 100));
    assert_eq!(run.sequencer.pictures.next(), PictureId(1));
}
