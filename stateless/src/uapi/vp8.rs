//! `struct v4l2_ctrl_vp8_frame`.

use zerocopy::{Immutable, IntoBytes};

/// `V4L2_CID_STATELESS_VP8_FRAME`.
pub const STATELESS_VP8_FRAME: u32 = 0x00a4_09c8;

/// `V4L2_VP8_SEGMENT_FLAG_ENABLED`.
pub const SEGMENT_ENABLED: u32 = 0x01;
/// `V4L2_VP8_SEGMENT_FLAG_UPDATE_MAP`.
pub const SEGMENT_UPDATE_MAP: u32 = 0x02;
/// `V4L2_VP8_SEGMENT_FLAG_UPDATE_FEATURE_DATA`.
pub const SEGMENT_UPDATE_FEATURE_DATA: u32 = 0x04;
/// `V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE`.
pub const SEGMENT_DELTA_VALUE_MODE: u32 = 0x08;

/// `V4L2_VP8_LF_ADJ_ENABLE`.
pub const LF_ADJ_ENABLE: u32 = 0x01;
/// `V4L2_VP8_LF_DELTA_UPDATE`.
pub const LF_DELTA_UPDATE: u32 = 0x02;
/// `V4L2_VP8_LF_FILTER_TYPE_SIMPLE`.
pub const LF_FILTER_TYPE_SIMPLE: u32 = 0x04;

/// `V4L2_VP8_FRAME_FLAG_KEY_FRAME`.
pub const FRAME_KEY_FRAME: u64 = 0x01;
/// `V4L2_VP8_FRAME_FLAG_EXPERIMENTAL`: never set, such frames are refused.
pub const FRAME_EXPERIMENTAL: u64 = 0x02;
/// `V4L2_VP8_FRAME_FLAG_SHOW_FRAME`.
pub const FRAME_SHOW_FRAME: u64 = 0x04;
/// `V4L2_VP8_FRAME_FLAG_MB_NO_SKIP_COEFF`.
pub const FRAME_MB_NO_SKIP_COEFF: u64 = 0x08;
/// `V4L2_VP8_FRAME_FLAG_SIGN_BIAS_GOLDEN`.
pub const FRAME_SIGN_BIAS_GOLDEN: u64 = 0x10;
/// `V4L2_VP8_FRAME_FLAG_SIGN_BIAS_ALT`.
pub const FRAME_SIGN_BIAS_ALT: u64 = 0x20;

/// `struct v4l2_vp8_segment`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp8Segment {
    pub quant_update: [i8; 4],
    pub lf_update: [i8; 4],
    pub segment_probs: [u8; 3],
    pub padding: u8,
    pub flags: u32,
}

/// `struct v4l2_vp8_loop_filter`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp8LoopFilter {
    pub ref_frm_delta: [i8; 4],
    pub mb_mode_delta: [i8; 4],
    pub sharpness_level: u8,
    pub level: u8,
    pub padding: u16,
    pub flags: u32,
}

/// `struct v4l2_vp8_quantization`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp8Quantization {
    pub y_ac_qi: u8,
    pub y_dc_delta: i8,
    pub y2_dc_delta: i8,
    pub y2_ac_delta: i8,
    pub uv_dc_delta: i8,
    pub uv_ac_delta: i8,
    pub padding: u16,
}

/// `struct v4l2_vp8_entropy`.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp8Entropy {
    pub coeff_probs: [[[[u8; 11]; 3]; 8]; 4],
    pub y_mode_probs: [u8; 4],
    pub uv_mode_probs: [u8; 3],
    pub mv_probs: [[u8; 19]; 2],
    pub padding: [u8; 3],
}

/// `struct v4l2_vp8_entropy_coder_state`.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp8EntropyCoderState {
    pub range: u8,
    pub value: u8,
    pub bit_count: u8,
    pub padding: u8,
}

/// What a decoder is told of a VP8 frame.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Vp8Frame {
    pub segment: Vp8Segment,
    pub lf: Vp8LoopFilter,
    pub quant: Vp8Quantization,
    pub entropy: Vp8Entropy,
    pub coder_state: Vp8EntropyCoderState,
    pub width: u16,
    pub height: u16,
    pub horizontal_scale: u8,
    pub vertical_scale: u8,
    pub version: u8,
    pub prob_skip_false: u8,
    pub prob_intra: u8,
    pub prob_last: u8,
    pub prob_gf: u8,
    pub num_dct_parts: u8,
    pub first_part_size: u32,
    pub first_part_header_bits: u32,
    pub dct_part_sizes: [u32; 8],
    pub last_frame_ts: u64,
    pub golden_frame_ts: u64,
    pub alt_frame_ts: u64,
    pub flags: u64,
}

const _: () = assert!(size_of::<Vp8Frame>() == 1232, "as the kernel has it");
