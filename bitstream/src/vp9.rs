//! VP9: frames of a chunk, and what their headers say.
//!
//! Names are those of the *VP9 Bitstream & Decoding Process Specification*, version 0.6. What is
//! coded by differences against earlier frames that only a decoder knows, the probabilities, stays
//! as it is coded.

mod chunk;
mod compressed;
mod header;
mod memory;
mod segmentation;

pub use chunk::{Chunk, MOST_FRAMES};
pub use compressed::{Coefficients, CompressedHeader, MotionUpdates, ReferenceMode};
pub use header::{
    ColorConfig, Frame, FrameHeader, InterpolationFilter, LoopFilter, Quantization, Reference,
};
pub use memory::{Memory, Slot};
pub use segmentation::{FEATURES, SEGMENTS, Segmentation};
