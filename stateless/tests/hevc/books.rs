//! What must hold whatever a stream says.

use std::collections::BTreeMap;

use dmaflow_stateless::uapi::hevc as uapi;
use dmaflow_stateless::{Decode, PictureId, Step, Steps};
use uapi::{HevcDecodeParams, HevcSliceParams};
use zerocopy::FromBytes;

/// Pictures of a stream.
#[derive(Debug, Default)]
pub(crate) struct Books {
    kept: Option<usize>,
    alive: BTreeMap<PictureId, State>,
    last: Option<PictureId>,
    more: bool,
    /// Pictures that were decoded.
    pub(crate) decoded: usize,
}

#[derive(Debug, Default)]
struct State {
    out: bool,
}

impl Books {
    /// Checks what is to be done with a unit of so many bytes.
    pub(crate) fn keep(&mut self, steps: &Steps, len: usize) {
        for step in steps.steps() {
            match step {
                Step::Sequence(sequence) => {
                    assert!(
                        self.alive.is_empty(),
                        "pictures of another sequence are kept"
                    );
                    assert!(sequence.kept <= uapi::DPB_ENTRIES_NUM_MAX);
                    let visible = sequence.visible;
                    assert!(visible.width > 0 && visible.left + visible.width <= sequence.coded.0);
                    assert!(visible.height > 0 && visible.top + visible.height <= sequence.coded.1);
                    assert_eq!(steps.controls(&sequence.controls).len(), 1);
                    self.kept = Some(sequence.kept);
                }
                Step::Decode(decode) => self.decode(decode, steps, len),
                Step::Output { picture, .. } => {
                    let state = self.alive.get_mut(picture).expect("it is kept");
                    assert!(!state.out, "it goes out once");
                    state.out = true;
                }
                Step::Forget(picture) => {
                    self.alive.remove(picture).expect("it is kept");
                }
            }
        }
        assert!(!self.more, "a picture ends with its access unit");
    }

    /// Checks that nothing is kept.
    pub(crate) fn close(&self) {
        assert!(self.alive.is_empty(), "{:?}", self.alive);
    }

    fn decode(&mut self, decode: &Decode, steps: &Steps, len: usize) {
        let kept = self.kept.expect("pictures are described before the first");
        if self.more {
            assert_eq!(self.last, Some(decode.picture), "slices follow one another");
        } else {
            assert!(self.last < Some(decode.picture), "numbers grow");
            assert!(
                self.alive.len() <= kept,
                "{} kept, not {kept}",
                self.alive.len()
            );
            self.decoded += 1;
        }
        self.last = Some(decode.picture);
        self.more = decode.more;
        let pieces = steps.pieces(&decode.pieces);
        assert!(!pieces.is_empty());
        for piece in pieces {
            assert!(
                piece.start < piece.end && piece.end <= len,
                "{piece:?} of {len}"
            );
        }
        let told = |id| {
            let mut controls = steps.controls(&decode.controls).iter();
            controls
                .find(|control| control.id == id)
                .map(|control| steps.bytes_of(control))
        };
        let params = told(uapi::STATELESS_HEVC_DECODE_PARAMS).expect("it is told");
        let params = HevcDecodeParams::read_from_bytes(params).expect("it is whole");
        let active = usize::from(params.num_active_dpb_entries);
        assert!(active <= kept);
        for entry in &params.dpb[..active] {
            let id = PictureId(entry.timestamp / 1000);
            assert!(
                id < decode.picture && self.alive.contains_key(&id),
                "a reference is gone"
            );
        }
        for (list, count) in [
            (&params.poc_st_curr_before, params.num_poc_st_curr_before),
            (&params.poc_st_curr_after, params.num_poc_st_curr_after),
            (&params.poc_lt_curr, params.num_poc_lt_curr),
        ] {
            let mut used = list[..usize::from(count)].iter();
            assert!(used.all(|place| usize::from(*place) < active));
        }
        if let Some(slices) = told(uapi::STATELESS_HEVC_SLICE_PARAMS) {
            check_slices(slices, pieces.len(), active);
        }
        self.alive.entry(decode.picture).or_default();
    }
}

fn check_slices(bytes: &[u8], pieces: usize, active: usize) {
    let each = size_of::<HevcSliceParams>();
    assert_eq!(bytes.len(), each * pieces);
    for slice in bytes.chunks(each) {
        let slice = HevcSliceParams::read_from_bytes(slice).expect("it is whole");
        assert!(slice.data_byte_offset * 8 <= slice.bit_size);
        if slice.slice_type != 2 {
            assert!(active > 0, "there is something to refer to");
            let places = slice.ref_idx_l0.iter().chain(&slice.ref_idx_l1);
            assert!(places.clone().all(|place| usize::from(*place) < active));
        }
    }
}
