//! VP8: what the header of a frame says.
//!
//! Names are those of RFC 6386. Here headers change the probabilities with which all else is
//! coded, and say by how much; so they are carried from frame to frame.

mod defaults;
mod entropy;
mod header;
mod updates;

pub use entropy::{Coefficients, Entropy, Motion};
pub use header::{CopyFrom, FrameHeader, LoopFilter, Memory, QuantIndices, Segmentation};
