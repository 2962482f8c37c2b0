//! What drivers should be told of HEVC, worked out from a trace of headers and from nothing else.

pub(crate) mod model;
pub(crate) mod sets;
pub(crate) mod traced;

use std::ops::Range;

use dmaflow_bitstream::annex_b::{AccessUnits, NalCodec, NalUnits, Place};

/// The access units of a stream, in bytes.
pub(crate) fn access_units(data: &[u8]) -> Vec<Range<usize>> {
    let mut grouping = AccessUnits::new(NalCodec::Hevc);
    let mut begins: Vec<usize> = Vec::new();
    let mut open = None;
    for nal in NalUnits::new(data) {
        let begin = nal.offset - 3;
        let step = grouping.take(nal.data, true).unwrap();
        match step.place {
            Place::Open => open = open.or(Some(begin)),
            Place::Along => {}
            Place::New => begins.push(open.take().unwrap_or(begin)),
            Place::Same => {
                if step.picture {
                    open = None;
                }
                if begins.is_empty() {
                    begins.push(begin);
                }
            }
        }
    }
    let ends = begins.iter().skip(1).copied().chain([data.len()]);
    begins
        .iter()
        .zip(ends)
        .map(|(&begin, end)| begin..end)
        .collect()
}
