//! Every field of the AV1 controls against what ffmpeg's trace of headers says.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and says what it skipped; traced values are small"
)]

mod av1;
mod books;
mod trace;

use std::fs;
use std::path::Path;

use av1::Told;
use books::Books;
use dmaflow_bitstream::obu::{ObuType, Obus};
use dmaflow_stateless::uapi::av1 as uapi;
use dmaflow_stateless::{Ability, Av1, Control, Decode, Sequencer, Step, Steps};
use zerocopy::FromBytes;

/// The temporal units of a file.
fn units(path: &Path) -> Vec<Vec<u8>> {
    let data = fs::read(path).unwrap();
    let mut begins = Vec::new();
    for obu in Obus::new(&data) {
        let obu = obu.unwrap();
        if obu.header.obu_type == ObuType::TemporalDelimiter {
            begins.push(obu.offset);
        }
    }
    let ends = begins.iter().skip(1).copied().chain([data.len()]);
    begins
        .iter()
        .zip(ends)
        .map(|(&begin, end)| data[begin..end].to_vec())
        .collect()
}

#[test]
fn controls_are_what_the_trace_says() {
    for (path, packets) in trace::streams("av1_") {
        let units = units(&path);
        assert_eq!(units.len(), packets.len(), "{}", path.display());
        let mut run = Run::new();
        for (nth, (unit, packet)) in units.iter().zip(&packets).enumerate() {
            let place = format!("{}, packet {nth}", path.display());
            run.unit(unit, packet, &place);
        }
        run.steps.clear();
        run.sequencer.finish(&mut run.steps);
        run.books.keep(&run.steps, &path.display().to_string());
        assert!(run.books.is_empty(), "{}: not forgotten", path.display());
        // Each unit has one frame that is shown (7.5).
        assert_eq!(
            run.books.shown,
            units.len(),
            "{}: frames shown",
            path.display()
        );
        println!(
            "{}: {} frames, {} shown, {} shown again, at most {} kept",
            path.display(),
            run.books.decoded,
            run.books.shown,
            run.books.shown_again,
            run.books.most
        );
    }
}

/// A stream, side by side with its trace.
struct Run {
    sequencer: Av1,
    steps: Steps,
    told: Told,
    sequence: Option<uapi::Av1Sequence>,
    books: Books,
}

impl Run {
    fn new() -> Self {
        let ability = Ability {
            controls: vec![uapi::STATELESS_AV1_FILM_GRAIN],
            ..Ability::default()
        };
        Self {
            sequencer: Av1::new(&ability),
            steps: Steps::new(),
            told: Told::default(),
            sequence: None,
            books: Books::default(),
        }
    }

    fn unit(&mut self, unit: &[u8], packet: &trace::Packet, place: &str) {
        self.steps.clear();
        self.sequencer.read(unit, &mut self.steps).unwrap();
        let steps = std::mem::take(&mut self.steps);
        let relevant = |step: &&Step| matches!(step, Step::Decode(_) | Step::Output { .. });
        let mut todo = steps.steps().iter().filter(relevant);
        for traced in &packet.sections {
            if traced.name == "Sequence Header" {
                let before = self.sequence.replace(self.told.sequence(traced));
                if before != self.sequence {
                    self.told.slots = Default::default();
                }
            }
            if traced.name != "Frame Header" {
                continue;
            }
            if traced.is("show_existing_frame") {
                let slot = traced.value("frame_to_show_map_idx") as usize;
                let shown = self.told.slots[slot].clone().unwrap();
                let output = Step::Output {
                    picture: shown.picture,
                    shown_again: true,
                };
                assert_eq!(todo.next(), Some(&output), "{place}");
                if shown.key {
                    self.told.slots.fill(Some(shown));
                }
                continue;
            }
            let Some(Step::Decode(decode)) = todo.next() else {
                panic!("{place}: no frame for {traced:?}");
            };
            let (frame, film_grain) = self.told.frame(traced, decode.picture);
            let sequence = self.sequence.unwrap();
            compare(&steps, decode, &(sequence, frame, film_grain), place);
            tiles(&steps, unit, decode, &frame, place);
            if frame.flags & 1 == 1 {
                let output = Step::Output {
                    picture: decode.picture,
                    shown_again: false,
                };
                assert_eq!(todo.next(), Some(&output), "{place}");
            }
        }
        assert_eq!(todo.next(), None, "{place}");
        self.steps = steps;
        self.books.keep(&self.steps, place);
    }
}

fn control<T: FromBytes>(steps: &Steps, control: &Control, id: u32) -> T {
    assert_eq!(control.id, id);
    T::read_from_bytes(steps.bytes_of(control)).unwrap()
}

fn compare(
    steps: &Steps,
    decode: &Decode,
    (sequence, frame, film_grain): &(uapi::Av1Sequence, uapi::Av1Frame, uapi::Av1FilmGrain),
    place: &str,
) {
    let [first, second, tiles, last] = steps.controls(&decode.controls) else {
        panic!("{place}: other controls");
    };
    assert_eq!(tiles.id, uapi::STATELESS_AV1_TILE_GROUP_ENTRY);
    let found: uapi::Av1Sequence = control(steps, first, uapi::STATELESS_AV1_SEQUENCE);
    assert_eq!(&found, sequence, "{place}");
    let found: uapi::Av1FilmGrain = control(steps, last, uapi::STATELESS_AV1_FILM_GRAIN);
    assert_eq!(&found, film_grain, "{place}");
    let found: uapi::Av1Frame = control(steps, second, uapi::STATELESS_AV1_FRAME);
    assert_eq!(found.tile_info, frame.tile_info, "{place}");
    assert_eq!(found.quantization, frame.quantization, "{place}");
    assert_eq!(found.segmentation, frame.segmentation, "{place}");
    assert_eq!(found.loop_filter, frame.loop_filter, "{place}");
    assert_eq!(found.cdef, frame.cdef, "{place}");
    assert_eq!(found.loop_restoration, frame.loop_restoration, "{place}");
    assert_eq!(found.global_motion, frame.global_motion, "{place}");
    assert_eq!(&found, frame, "{place}");
    assert_eq!(decode.key, frame.frame_type == 0, "{place}");
}

/// All tiles are there, in order, and lie where their sizes say.
fn tiles(steps: &Steps, unit: &[u8], decode: &Decode, frame: &uapi::Av1Frame, place: &str) {
    let pieces = steps.pieces(&decode.pieces);
    let data: Vec<u8> = pieces
        .iter()
        .flat_map(|piece| &unit[piece.clone()])
        .copied()
        .collect();
    let mut ends = Vec::new();
    for piece in pieces {
        ends.push(ends.last().unwrap_or(&0) + piece.len());
    }
    let info = &frame.tile_info;
    let bytes = steps.bytes_of(&steps.controls(&decode.controls)[2]);
    let (entries, rest) = bytes.as_chunks::<16>();
    assert!(rest.is_empty());
    assert_eq!(
        entries.len(),
        usize::from(info.tile_cols) * usize::from(info.tile_rows)
    );
    let mut end = 0;
    for (number, entry) in (0..).zip(entries) {
        let tile = uapi::Av1TileGroupEntry::read_from_bytes(entry).unwrap();
        let columns = u32::from(info.tile_cols);
        assert_eq!(
            (tile.tile_row, tile.tile_col),
            (number / columns, number % columns)
        );
        let begin = tile.tile_offset as usize;
        assert!(begin > 0 && begin >= end && tile.tile_size > 0, "{place}");
        end = begin + tile.tile_size as usize;
        if ends.contains(&end) {
            continue;
        }
        let size = &data[begin - usize::from(info.tile_size_bytes)..begin];
        let size = size
            .iter()
            .rev()
            .fold(0, |size, &byte| size << 8 | u32::from(byte));
        assert_eq!(size + 1, tile.tile_size, "{place}: tile {number}");
    }
    assert_eq!(ends.last(), Some(&end), "{place}");
}
