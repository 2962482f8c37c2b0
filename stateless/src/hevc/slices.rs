//! The slice segments of a picture, and how they are handed over.

use std::ops::Range;

use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::controls::Constant;
use super::picture::AtWork;
use crate::ability::Ability;
use crate::steps::{Decode, Step, Steps};
use crate::uapi::hevc::{
    HevcSliceParams, STATELESS_HEVC_DECODE_PARAMS, STATELESS_HEVC_ENTRY_POINT_OFFSETS,
    STATELESS_HEVC_SLICE_PARAMS,
};

/// The most slice segments of a picture that any level allows (table A.8), and that drivers take.
const MOST: usize = 600;

/// The slice segments of a picture.
#[derive(Debug, Default)]
pub(super) struct Slices {
    params: Vec<HevcSliceParams>,
    pieces: Vec<Range<usize>>,
    /// Entry points of all of them.
    pub(super) entry_points: Vec<u32>,
}

impl Slices {
    pub(super) fn clear(&mut self) {
        self.params.clear();
        self.pieces.clear();
        self.entry_points.clear();
    }

    /// Whether there is room for one more, which is `at` a bit of its NAL unit.
    pub(super) fn check_room(&self, at: u64) -> Result<(), StreamError> {
        if self.params.len() < MOST {
            return Ok(());
        }
        let found = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
        let what = "slice segments of a picture";
        Err(BitReader::wrong(at, what, Trouble::Unsupported { found }))
    }

    pub(super) fn add(&mut self, params: HevcSliceParams, piece: Range<usize>) {
        self.params.push(params);
        self.pieces.push(piece);
    }

    /// Adds the requests of a picture: one, or one a slice segment.
    pub(super) fn emit(
        &self,
        ability: &Ability,
        constant: &Constant,
        picture: &AtWork,
        steps: &mut Steps,
    ) {
        let at_once = if ability.slices { 1 } else { MOST };
        let mut points = self.entry_points.iter().as_slice();
        let mut left = self.params.len();
        let requests = self.params.chunks(at_once).zip(self.pieces.chunks(at_once));
        for (params, pieces) in requests {
            left -= params.len();
            let mark = steps.pieces_mark();
            for piece in pieces {
                steps.piece(piece.clone());
            }
            let pieces = steps.pieces_since(mark);
            let mark = steps.controls_mark();
            constant.add(ability, steps);
            steps.control(STATELESS_HEVC_DECODE_PARAMS, &picture.decode_params);
            if ability.has(STATELESS_HEVC_SLICE_PARAMS) {
                steps.control(STATELESS_HEVC_SLICE_PARAMS, params);
            }
            let count = params.iter().map(|slice| slice.num_entry_point_offsets);
            let count = usize::try_from(count.sum::<u32>()).unwrap_or(usize::MAX);
            let (of_these, others) = points.split_at(count.min(points.len()));
            points = others;
            if ability.has(STATELESS_HEVC_ENTRY_POINT_OFFSETS) && !of_these.is_empty() {
                steps.control(STATELESS_HEVC_ENTRY_POINT_OFFSETS, of_these);
            }
            let controls = steps.controls_since(mark);
            steps.push(Step::Decode(Decode {
                picture: picture.id,
                pieces,
                controls,
                more: left > 0,
                key: picture.key,
            }));
        }
    }
}
