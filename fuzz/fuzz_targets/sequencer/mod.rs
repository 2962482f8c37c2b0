//! Units of a stream, each behind its length in two bytes, thrown at what reads them.

use std::collections::BTreeSet;

use dmaflow_stateless::{PictureId, Sequencer, Step, Steps};

/// Reads the units. Some lengths make it go elsewhere, or end, in between.
pub fn run(sequencer: &mut dyn Sequencer, stream: &[u8]) {
    let mut steps = Steps::new();
    let mut books = Books::default();
    let mut rest = stream;
    while let Some((length, more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length));
        let (unit, more) = more.split_at(length.min(more.len()));
        rest = more;
        steps.clear();
        if let Err(error) = sequencer.read(unit, &mut steps) {
            assert!(error.bit <= unit.len() as u64 * 8, "{error}");
        }
        books.keep(&steps, unit);
        steps.clear();
        match length % 64 {
            3 => sequencer.seek(&mut steps),
            5 => sequencer.finish(&mut steps),
            _ => continue,
        }
        books.keep(&steps, unit);
        assert!(books.alive.is_empty(), "not forgotten");
    }
    steps.clear();
    sequencer.finish(&mut steps);
    books.keep(&steps, &[]);
    assert!(books.alive.is_empty(), "not forgotten");
}

/// Which pictures are there.
#[derive(Default)]
struct Books {
    alive: BTreeSet<PictureId>,
    /// More of it comes, maybe.
    open: Option<PictureId>,
    out: BTreeSet<PictureId>,
    kept: usize,
}

impl Books {
    fn keep(&mut self, steps: &Steps, unit: &[u8]) {
        for step in steps.steps() {
            match step {
                Step::Sequence(sequence) => self.kept = sequence.kept,
                Step::Decode(decode) => {
                    if self.open.take() == Some(decode.picture) {
                        assert!(!decode.more && !decode.key, "three fields");
                    } else {
                        assert!(self.alive.len() <= self.kept, "too many are kept");
                        assert!(self.alive.insert(decode.picture), "decoded twice");
                    }
                    self.open = decode.more.then_some(decode.picture);
                    for piece in steps.pieces(&decode.pieces) {
                        assert!(!unit[piece.clone()].is_empty(), "an empty piece");
                    }
                }
                Step::Output {
                    picture,
                    shown_again,
                } => {
                    assert!(self.alive.contains(picture), "is not there");
                    let first = self.out.insert(*picture);
                    assert!(first || *shown_again, "goes out twice");
                }
                Step::Forget(picture) => assert!(self.alive.remove(picture), "is not there"),
            }
        }
    }
}
