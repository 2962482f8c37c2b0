//! Frame headers (5.9).

mod header;
mod inter;

use crate::av1::film_grain::FilmGrain;
use crate::av1::filter::{Cdef, LoopFilter, LoopRestoration};
use crate::av1::global_motion::GlobalMotion;
use crate::av1::quantization::Quantization;
use crate::av1::references::{REFS_PER_FRAME, TOTAL_REFS_PER_FRAME};
use crate::av1::segmentation::Segmentation;
use crate::av1::size::FrameSize;
use crate::av1::tile_info::TileInfo;

/// `frame_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum FrameType {
    #[default]
    Key = 0,
    Inter = 1,
    IntraOnly = 2,
    Switch = 3,
}

impl FrameType {
    /// `FrameIsIntra`: it refers to no other.
    #[must_use]
    pub const fn is_intra(self) -> bool {
        matches!(self, Self::Key | Self::IntraOnly)
    }
}

/// `TxMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum TxMode {
    #[default]
    Only4x4 = 0,
    Largest = 1,
    Select = 2,
}

/// A header that asks for a frame that was decoded before (`show_existing_frame`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowExistingFrame {
    /// `frame_to_show_map_idx`: the slot it lies in.
    pub slot: u8,
}

/// What the header of a frame says (`uncompressed_header()`, 5.9.2), and what follows from it.
/// What does not apply to the frame is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct FrameHeader {
    pub frame_type: FrameType,
    pub show_frame: bool,
    pub showable_frame: bool,
    pub error_resilient_mode: bool,
    pub disable_cdf_update: bool,
    pub allow_screen_content_tools: bool,
    pub force_integer_mv: bool,
    pub current_frame_id: u16,
    pub frame_size_override_flag: bool,
    pub order_hint: u8,
    /// 7: none.
    pub primary_ref_frame: u8,
    pub buffer_removal_time_present_flag: bool,
    /// Of each operating point.
    pub buffer_removal_time: [u32; 32],
    pub refresh_frame_flags: u8,
    pub size: FrameSize,
    pub allow_intrabc: bool,
    pub frame_refs_short_signaling: bool,
    pub ref_frame_idx: [u8; REFS_PER_FRAME],
    pub allow_high_precision_mv: bool,
    /// 4: each block says so.
    pub interpolation_filter: u8,
    pub is_motion_mode_switchable: bool,
    pub use_ref_frame_mvs: bool,
    /// `OrderHints`, of `LAST_FRAME` at 1 and so on.
    pub order_hints: [u8; TOTAL_REFS_PER_FRAME],
    pub disable_frame_end_update_cdf: bool,
    pub tile_info: TileInfo,
    pub quantization: Quantization,
    pub segmentation: Segmentation,
    pub coded_lossless: bool,
    pub loop_filter: LoopFilter,
    pub cdef: Cdef,
    pub loop_restoration: LoopRestoration,
    pub tx_mode: TxMode,
    pub reference_select: bool,
    /// `SkipModeFrame`, where skip mode is allowed.
    pub skip_mode_frame: Option<[u8; 2]>,
    pub skip_mode_present: bool,
    pub allow_warped_motion: bool,
    pub reduced_tx_set: bool,
    /// Of each reference, `LAST_FRAME` at 1 and so on.
    pub global_motion: [GlobalMotion; TOTAL_REFS_PER_FRAME],
    pub film_grain: FilmGrain,
    /// `RefValid` after the header, one slot a bit.
    pub valid_references: u8,
}

impl FrameHeader {
    /// Decoding can begin with it: it leaves nothing of what was before.
    #[must_use]
    pub const fn is_shown_key(&self) -> bool {
        matches!(self.frame_type, FrameType::Key) && self.show_frame
    }
}
