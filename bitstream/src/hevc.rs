//! HEVC, as ITU-T H.265 has it: NAL units, parameter sets, slice segment headers, SEI.
//!
//! Fields are called as the specification calls its syntax elements. A value that is not in the
//! stream is what the specification infers for it, and zero where it infers nothing.

mod check;
mod nal;
mod pps;
mod reference_set;
mod scaling;
mod sei;
mod slice;
mod sps;

pub use nal::{NalHeader, NalType};
pub use pps::{Pps, PpsRange, PpsScc, Tiles};
pub use reference_set::{LongTermSet, MAX_REFERENCES, Prediction, ShortTermSet, SyntaxOfSet};
pub use scaling::ScalingLists;
pub use sei::{SeiMessages, pic_timing_pic_struct};
pub use slice::{
    ListWeights, MAX_ACTIVE, PredWeights, SliceBegin, SliceReader, SliceSegment, SliceType,
};
pub use sps::{Order, Pcm, Sps, SpsRange, SpsScc, Vui, Window};
