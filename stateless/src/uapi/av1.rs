//! `struct v4l2_ctrl_av1_*`.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `V4L2_CID_STATELESS_AV1_SEQUENCE`.
pub const STATELESS_AV1_SEQUENCE: u32 = 0x00a4_0af4;
/// `V4L2_CID_STATELESS_AV1_TILE_GROUP_ENTRY`.
pub const STATELESS_AV1_TILE_GROUP_ENTRY: u32 = 0x00a4_0af5;
/// `V4L2_CID_STATELESS_AV1_FRAME`.
pub const STATELESS_AV1_FRAME: u32 = 0x00a4_0af6;
/// `V4L2_CID_STATELESS_AV1_FILM_GRAIN`.
pub const STATELESS_AV1_FILM_GRAIN: u32 = 0x00a4_0af9;

/// `V4L2_AV1_MAX_TILE_COUNT`: the most tiles of a frame that a driver can be told of.
pub const MAX_TILE_COUNT: usize = 512;

/// What a decoder is told of a sequence.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1Sequence {
    pub flags: u32,
    pub seq_profile: u8,
    pub order_hint_bits: u8,
    pub bit_depth: u8,
    pub reserved: u8,
    pub max_frame_width_minus_1: u16,
    pub max_frame_height_minus_1: u16,
}

/// What a decoder is told of a tile.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1TileGroupEntry {
    pub tile_offset: u32,
    pub tile_size: u32,
    pub tile_row: u32,
    pub tile_col: u32,
}

/// How a frame is cut into tiles.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1TileInfo {
    pub flags: u8,
    pub context_update_tile_id: u8,
    pub tile_cols: u8,
    pub tile_rows: u8,
    pub mi_col_starts: [u32; 65],
    pub mi_row_starts: [u32; 65],
    pub width_in_sbs_minus_1: [u32; 64],
    pub height_in_sbs_minus_1: [u32; 64],
    pub tile_size_bytes: u8,
    pub reserved: [u8; 3],
}

/// How coefficients are scaled.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1Quantization {
    pub flags: u8,
    pub base_q_idx: u8,
    pub delta_q_y_dc: i8,
    pub delta_q_u_dc: i8,
    pub delta_q_u_ac: i8,
    pub delta_q_v_dc: i8,
    pub delta_q_v_ac: i8,
    pub qm_y: u8,
    pub qm_u: u8,
    pub qm_v: u8,
    pub delta_q_res: u8,
}

/// Segments and what differs between them.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1Segmentation {
    pub flags: u8,
    pub last_active_seg_id: u8,
    pub feature_enabled: [u8; 8],
    pub feature_data: [[i16; 8]; 8],
}

/// The deblocking filter.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1LoopFilter {
    pub flags: u8,
    pub level: [u8; 4],
    pub sharpness: u8,
    pub ref_deltas: [i8; 8],
    pub mode_deltas: [i8; 2],
    pub delta_lf_res: u8,
}

/// The constrained directional enhancement filter.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1Cdef {
    pub damping_minus_3: u8,
    pub bits: u8,
    pub y_pri_strength: [u8; 8],
    pub y_sec_strength: [u8; 8],
    pub uv_pri_strength: [u8; 8],
    pub uv_sec_strength: [u8; 8],
}

/// Loop restoration.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1LoopRestoration {
    pub flags: u8,
    pub lr_unit_shift: u8,
    pub lr_uv_shift: u8,
    pub reserved: u8,
    pub frame_restoration_type: [u32; 3],
    pub loop_restoration_size: [u32; 3],
}

/// How the whole picture moves against its references.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1GlobalMotion {
    pub flags: [u8; 8],
    pub kind: [u32; 8],
    pub params: [[i32; 6]; 8],
    pub invalid: u8,
    pub reserved: [u8; 3],
}

/// What a decoder is told of a frame.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1Frame {
    pub tile_info: Av1TileInfo,
    pub quantization: Av1Quantization,
    pub superres_denom: u8,
    pub segmentation: Av1Segmentation,
    pub loop_filter: Av1LoopFilter,
    pub cdef: Av1Cdef,
    pub skip_mode_frame: [u8; 2],
    pub primary_ref_frame: u8,
    pub loop_restoration: Av1LoopRestoration,
    pub global_motion: Av1GlobalMotion,
    pub flags: u32,
    pub frame_type: u32,
    pub order_hint: u32,
    pub upscaled_width: u32,
    pub interpolation_filter: u32,
    pub tx_mode: u32,
    pub frame_width_minus_1: u32,
    pub frame_height_minus_1: u32,
    pub render_width_minus_1: u16,
    pub render_height_minus_1: u16,
    pub current_frame_id: u32,
    pub buffer_removal_time: [u32; 32],
    pub reserved: [u8; 4],
    pub order_hints: [u32; 8],
    pub reference_frame_ts: [u64; 8],
    pub ref_frame_idx: [i8; 7],
    pub refresh_frame_flags: u8,
}

/// What a decoder is told of grain that it lays over the picture.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Av1FilmGrain {
    pub flags: u8,
    pub cr_mult: u8,
    pub grain_seed: u16,
    pub film_grain_params_ref_idx: u8,
    pub num_y_points: u8,
    pub point_y_value: [u8; 16],
    pub point_y_scaling: [u8; 16],
    pub num_cb_points: u8,
    pub point_cb_value: [u8; 16],
    pub point_cb_scaling: [u8; 16],
    pub num_cr_points: u8,
    pub point_cr_value: [u8; 16],
    pub point_cr_scaling: [u8; 16],
    pub grain_scaling_minus_8: u8,
    pub ar_coeff_lag: u8,
    pub ar_coeffs_y_plus_128: [u8; 25],
    pub ar_coeffs_cb_plus_128: [u8; 25],
    pub ar_coeffs_cr_plus_128: [u8; 25],
    pub ar_coeff_shift_minus_6: u8,
    pub grain_scale_shift: u8,
    pub cb_mult: u8,
    pub cb_luma_mult: u8,
    pub cr_luma_mult: u8,
    pub cb_offset: u16,
    pub cr_offset: u16,
    pub reserved: [u8; 4],
}

const _: () = assert!(size_of::<Av1Sequence>() == 12, "as the kernel has it");
const _: () = assert!(size_of::<Av1TileGroupEntry>() == 16, "as the kernel has it");
const _: () = assert!(size_of::<Av1TileInfo>() == 1040, "as the kernel has it");
const _: () = assert!(size_of::<Av1Quantization>() == 11, "as the kernel has it");
const _: () = assert!(size_of::<Av1Segmentation>() == 138, "as the kernel has it");
const _: () = assert!(size_of::<Av1LoopFilter>() == 17, "as the kernel has it");
const _: () = assert!(size_of::<Av1Cdef>() == 34, "as the kernel has it");
const _: () = assert!(
    size_of::<Av1LoopRestoration>() == 28,
    "as the kernel has it"
);
const _: () = assert!(size_of::<Av1GlobalMotion>() == 236, "as the kernel has it");
const _: () = assert!(size_of::<Av1Frame>() == 1784, "as the kernel has it");
const _: () = assert!(size_of::<Av1FilmGrain>() == 194, "as the kernel has it");
const _: () = assert!(
    std::mem::offset_of!(Av1Frame, flags) == 1508
        && std::mem::offset_of!(Av1Frame, reference_frame_ts) == 1712
        && std::mem::offset_of!(Av1FilmGrain, cb_offset) == 186,
    "as the kernel has it"
);
