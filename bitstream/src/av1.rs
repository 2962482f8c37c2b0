//! AV1: what sequence headers, frame headers and tile groups say.
//!
//! Sections and names are those of the AV1 bitstream specification. A frame header is only
//! understood with what earlier frames left behind: [`References`] keeps that, one [`Slot`] a
//! reference slot, and [`References::update`] is to be called once a frame's header was read whole.

mod code;
mod film_grain;
mod filter;
mod frame;
mod global_motion;
mod quantization;
mod references;
mod segmentation;
mod sequence;
mod size;
mod tile_group;
mod tile_info;

pub use film_grain::{FilmGrain, ScalingFunction};
pub use filter::{Cdef, LoopFilter, LoopFilterDeltas, LoopRestoration, RestorationType};
pub use frame::{FrameHeader, FrameType, ShowExistingFrame, TxMode};
pub use global_motion::{GlobalMotion, WarpModel};
pub use quantization::Quantization;
pub use references::{NUM_REF_FRAMES, REFS_PER_FRAME, References, Slot, TOTAL_REFS_PER_FRAME};
pub use segmentation::{Features, MAX_SEGMENTS, SEG_LVL_MAX, Segmentation};
pub use sequence::{ColorConfig, DecoderModel, FrameIds, OperatingPoint, SequenceHeader};
pub use size::FrameSize;
pub use tile_group::{Tile, TileGroup};
pub use tile_info::{MAX_TILE_COLS, MAX_TILE_ROWS, TileInfo};

/// `primary_ref_frame` of a frame that takes nothing over from another.
pub const PRIMARY_REF_NONE: u8 = 7;
