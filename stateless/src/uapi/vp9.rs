//! `struct v4l2_ctrl_vp9_frame` and `struct v4l2_ctrl_vp9_compressed_hdr`.

use zerocopy::{Immutable, IntoBytes};

/// `V4L2_CID_STATELESS_VP9_FRAME`.
pub const STATELESS_VP9_FRAME: u32 = 0x00a4_0a2c;
/// `V4L2_CID_STATELESS_VP9_COMPRESSED_HDR`.
pub const STATELESS_VP9_COMPRESSED_HDR: u32 = 0x00a4_0a2d;

/// `V4L2_VP9_LOOP_FILTER_FLAG_DELTA_ENABLED`.
pub const LOOP_FILTER_DELTA_ENABLED: u8 = 0x1;
/// `V4L2_VP9_LOOP_FILTER_FLAG_DELTA_UPDATE`.
pub const LOOP_FILTER_DELTA_UPDATE: u8 = 0x2;

/// `V4L2_VP9_SEGMENTATION_FLAG_ENABLED`.
pub const SEGMENTATION_ENABLED: u8 = 0x01;
/// `V4L2_VP9_SEGMENTATION_FLAG_UPDATE_MAP`.
pub const SEGMENTATION_UPDATE_MAP: u8 = 0x02;
/// `V4L2_VP9_SEGMENTATION_FLAG_TEMPORAL_UPDATE`.
pub const SEGMENTATION_TEMPORAL_UPDATE: u8 = 0x04;
/// `V4L2_VP9_SEGMENTATION_FLAG_UPDATE_DATA`.
pub const SEGMENTATION_UPDATE_DATA: u8 = 0x08;
/// `V4L2_VP9_SEGMENTATION_FLAG_ABS_OR_DELTA_UPDATE`.
pub const SEGMENTATION_ABS_OR_DELTA_UPDATE: u8 = 0x10;

/// `V4L2_VP9_FRAME_FLAG_KEY_FRAME`.
pub const FRAME_KEY_FRAME: u32 = 0x001;
/// `V4L2_VP9_FRAME_FLAG_SHOW_FRAME`.
pub const FRAME_SHOW_FRAME: u32 = 0x002;
/// `V4L2_VP9_FRAME_FLAG_ERROR_RESILIENT`.
pub const FRAME_ERROR_RESILIENT: u32 = 0x004;
/// `V4L2_VP9_FRAME_FLAG_INTRA_ONLY`.
pub const FRAME_INTRA_ONLY: u32 = 0x008;
/// `V4L2_VP9_FRAME_FLAG_ALLOW_HIGH_PREC_MV`.
pub const FRAME_ALLOW_HIGH_PREC_MV: u32 = 0x010;
/// `V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX`.
pub const FRAME_REFRESH_FRAME_CTX: u32 = 0x020;
/// `V4L2_VP9_FRAME_FLAG_PARALLEL_DEC_MODE`.
pub const FRAME_PARALLEL_DEC_MODE: u32 = 0x040;
/// `V4L2_VP9_FRAME_FLAG_X_SUBSAMPLING`.
pub const FRAME_X_SUBSAMPLING: u32 = 0x080;
/// `V4L2_VP9_FRAME_FLAG_Y_SUBSAMPLING`.
pub const FRAME_Y_SUBSAMPLING: u32 = 0x100;
/// `V4L2_VP9_FRAME_FLAG_COLOR_RANGE_FULL_SWING`.
pub const FRAME_COLOR_RANGE_FULL_SWING: u32 = 0x200;

/// `V4L2_VP9_SIGN_BIAS_LAST`.
pub const SIGN_BIAS_LAST: u8 = 0x1;
/// `V4L2_VP9_SIGN_BIAS_GOLDEN`.
pub const SIGN_BIAS_GOLDEN: u8 = 0x2;
/// `V4L2_VP9_SIGN_BIAS_ALT`.
pub const SIGN_BIAS_ALT: u8 = 0x4;

/// `V4L2_VP9_RESET_FRAME_CTX_NONE`.
pub const RESET_FRAME_CTX_NONE: u8 = 0;
/// `V4L2_VP9_RESET_FRAME_CTX_SPEC`.
pub const RESET_FRAME_CTX_SPEC: u8 = 1;
/// `V4L2_VP9_RESET_FRAME_CTX_ALL`.
pub const RESET_FRAME_CTX_ALL: u8 = 2;

/// `V4L2_VP9_INTERP_FILTER_EIGHTTAP`.
pub const INTERP_FILTER_EIGHTTAP: u8 = 0;
/// `V4L2_VP9_INTERP_FILTER_EIGHTTAP_SMOOTH`.
pub const INTERP_FILTER_EIGHTTAP_SMOOTH: u8 = 1;
/// `V4L2_VP9_INTERP_FILTER_EIGHTTAP_SHARP`.
pub const INTERP_FILTER_EIGHTTAP_SHARP: u8 = 2;
/// `V4L2_VP9_INTERP_FILTER_BILINEAR`.
pub const INTERP_FILTER_BILINEAR: u8 = 3;
/// `V4L2_VP9_INTERP_FILTER_SWITCHABLE`.
pub const INTERP_FILTER_SWITCHABLE: u8 = 4;

/// `V4L2_VP9_REFERENCE_MODE_SINGLE_REFERENCE`.
pub const REFERENCE_MODE_SINGLE_REFERENCE: u8 = 0;
/// `V4L2_VP9_REFERENCE_MODE_COMPOUND_REFERENCE`.
pub const REFERENCE_MODE_COMPOUND_REFERENCE: u8 = 1;
/// `V4L2_VP9_REFERENCE_MODE_SELECT`.
pub const REFERENCE_MODE_SELECT: u8 = 2;

/// `struct v4l2_vp9_loop_filter`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp9LoopFilter {
    pub ref_deltas: [i8; 4],
    pub mode_deltas: [i8; 2],
    pub level: u8,
    pub sharpness: u8,
    pub flags: u8,
    pub reserved: [u8; 7],
}

/// `struct v4l2_vp9_quantization`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp9Quantization {
    pub base_q_idx: u8,
    pub delta_q_y_dc: i8,
    pub delta_q_uv_dc: i8,
    pub delta_q_uv_ac: i8,
    pub reserved: [u8; 4],
}

/// `struct v4l2_vp9_segmentation`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp9Segmentation {
    pub feature_data: [[i16; 4]; 8],
    pub feature_enabled: [u8; 8],
    pub tree_probs: [u8; 7],
    pub pred_probs: [u8; 3],
    pub flags: u8,
    pub reserved: [u8; 5],
}

/// What a decoder is told of a VP9 frame.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp9Frame {
    pub lf: Vp9LoopFilter,
    pub quant: Vp9Quantization,
    pub seg: Vp9Segmentation,
    pub flags: u32,
    pub compressed_header_size: u16,
    pub uncompressed_header_size: u16,
    pub frame_width_minus_1: u16,
    pub frame_height_minus_1: u16,
    pub render_width_minus_1: u16,
    pub render_height_minus_1: u16,
    pub last_frame_ts: u64,
    pub golden_frame_ts: u64,
    pub alt_frame_ts: u64,
    pub ref_frame_sign_bias: u8,
    pub reset_frame_context: u8,
    pub frame_context_idx: u8,
    pub profile: u8,
    pub bit_depth: u8,
    pub interpolation_filter: u8,
    pub tile_cols_log2: u8,
    pub tile_rows_log2: u8,
    pub reference_mode: u8,
    pub reserved: [u8; 7],
}

/// `struct v4l2_vp9_mv_probs`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp9MvProbs {
    pub joint: [u8; 3],
    pub sign: [u8; 2],
    pub classes: [[u8; 10]; 2],
    pub class0_bit: [u8; 2],
    pub bits: [[u8; 10]; 2],
    pub class0_fr: [[[u8; 3]; 2]; 2],
    pub fr: [[u8; 3]; 2],
    pub class0_hp: [u8; 2],
    pub hp: [u8; 2],
}

/// Of one size of transform: by plane, kind of block, band and context.
pub type Vp9Coefficients = [[[[[u8; 3]; 6]; 6]; 2]; 2];

/// What a decoder that does not read it itself is told of a VP9 frame's compressed header.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp9CompressedHdr {
    pub tx_mode: u8,
    pub tx8: [[u8; 1]; 2],
    pub tx16: [[u8; 2]; 2],
    pub tx32: [[u8; 3]; 2],
    pub coef: [Vp9Coefficients; 4],
    pub skip: [u8; 3],
    pub inter_mode: [[u8; 3]; 7],
    pub interp_filter: [[u8; 2]; 4],
    pub is_inter: [u8; 4],
    pub comp_mode: [u8; 5],
    pub single_ref: [[u8; 2]; 5],
    pub comp_ref: [u8; 5],
    pub y_mode: [[u8; 9]; 4],
    pub uv_mode: [[u8; 9]; 10],
    pub partition: [[u8; 3]; 16],
    pub mv: Vp9MvProbs,
}

const _: () = assert!(size_of::<Vp9Frame>() == 168, "as the kernel has it");
const _: () = assert!(
    size_of::<Vp9CompressedHdr>() == 2040,
    "as the kernel has it"
);
