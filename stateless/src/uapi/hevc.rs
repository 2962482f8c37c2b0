//! `struct v4l2_ctrl_hevc_*`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `V4L2_CID_STATELESS_HEVC_SPS`.
pub const STATELESS_HEVC_SPS: u32 = 0x00a4_0a90;
/// `V4L2_CID_STATELESS_HEVC_PPS`.
pub const STATELESS_HEVC_PPS: u32 = 0x00a4_0a91;
/// `V4L2_CID_STATELESS_HEVC_SLICE_PARAMS`: a dynamic array.
pub const STATELESS_HEVC_SLICE_PARAMS: u32 = 0x00a4_0a92;
/// `V4L2_CID_STATELESS_HEVC_SCALING_MATRIX`.
pub const STATELESS_HEVC_SCALING_MATRIX: u32 = 0x00a4_0a93;
/// `V4L2_CID_STATELESS_HEVC_DECODE_PARAMS`.
pub const STATELESS_HEVC_DECODE_PARAMS: u32 = 0x00a4_0a94;
/// `V4L2_CID_STATELESS_HEVC_DECODE_MODE`.
pub const STATELESS_HEVC_DECODE_MODE: u32 = 0x00a4_0a95;
/// `V4L2_CID_STATELESS_HEVC_START_CODE`.
pub const STATELESS_HEVC_START_CODE: u32 = 0x00a4_0a96;
/// `V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS`: a dynamic array of numbers.
pub const STATELESS_HEVC_ENTRY_POINT_OFFSETS: u32 = 0x00a4_0a97;
/// `V4L2_CID_STATELESS_HEVC_EXT_SPS_ST_RPS`: a dynamic array, which Linux 6.12 does not have.
pub const STATELESS_HEVC_EXT_SPS_ST_RPS: u32 = 0x00a4_0a98;
/// `V4L2_CID_STATELESS_HEVC_EXT_SPS_LT_RPS`: a dynamic array, which Linux 6.12 does not have.
pub const STATELESS_HEVC_EXT_SPS_LT_RPS: u32 = 0x00a4_0a99;

const _: () = {
    const BASE: u32 = 0x00a4_0900;
    assert!(STATELESS_HEVC_SPS == BASE + 400, "as the kernel has it");
    assert!(STATELESS_HEVC_EXT_SPS_LT_RPS == BASE + 409, "likewise");
};

/// `V4L2_STATELESS_HEVC_DECODE_MODE_SLICE_BASED`.
pub const DECODE_MODE_SLICE_BASED: i32 = 0;
/// `V4L2_STATELESS_HEVC_DECODE_MODE_FRAME_BASED`.
pub const DECODE_MODE_FRAME_BASED: i32 = 1;
/// `V4L2_STATELESS_HEVC_START_CODE_NONE`.
pub const START_CODE_NONE: i32 = 0;
/// `V4L2_STATELESS_HEVC_START_CODE_ANNEX_B`.
pub const START_CODE_ANNEX_B: i32 = 1;

/// `V4L2_HEVC_DPB_ENTRIES_NUM_MAX`.
pub const DPB_ENTRIES_NUM_MAX: usize = 16;

/// Bits of [`HevcSps::flags`]: `V4L2_HEVC_SPS_FLAG_*`.
#[expect(missing_docs, reason = "the flags are the kernel's")]
pub mod sps_flag {
    pub const SEPARATE_COLOUR_PLANE: u64 = 1 << 0;
    pub const SCALING_LIST_ENABLED: u64 = 1 << 1;
    pub const AMP_ENABLED: u64 = 1 << 2;
    pub const SAMPLE_ADAPTIVE_OFFSET: u64 = 1 << 3;
    pub const PCM_ENABLED: u64 = 1 << 4;
    pub const PCM_LOOP_FILTER_DISABLED: u64 = 1 << 5;
    pub const LONG_TERM_REF_PICS_PRESENT: u64 = 1 << 6;
    pub const SPS_TEMPORAL_MVP_ENABLED: u64 = 1 << 7;
    pub const STRONG_INTRA_SMOOTHING_ENABLED: u64 = 1 << 8;
}

/// Bits of [`HevcPps::flags`]: `V4L2_HEVC_PPS_FLAG_*`.
#[expect(missing_docs, reason = "the flags are the kernel's")]
pub mod pps_flag {
    pub const DEPENDENT_SLICE_SEGMENT_ENABLED: u64 = 1 << 0;
    pub const OUTPUT_FLAG_PRESENT: u64 = 1 << 1;
    pub const SIGN_DATA_HIDING_ENABLED: u64 = 1 << 2;
    pub const CABAC_INIT_PRESENT: u64 = 1 << 3;
    pub const CONSTRAINED_INTRA_PRED: u64 = 1 << 4;
    pub const TRANSFORM_SKIP_ENABLED: u64 = 1 << 5;
    pub const CU_QP_DELTA_ENABLED: u64 = 1 << 6;
    pub const PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT: u64 = 1 << 7;
    pub const WEIGHTED_PRED: u64 = 1 << 8;
    pub const WEIGHTED_BIPRED: u64 = 1 << 9;
    pub const TRANSQUANT_BYPASS_ENABLED: u64 = 1 << 10;
    pub const TILES_ENABLED: u64 = 1 << 11;
    pub const ENTROPY_CODING_SYNC_ENABLED: u64 = 1 << 12;
    pub const LOOP_FILTER_ACROSS_TILES_ENABLED: u64 = 1 << 13;
    pub const PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED: u64 = 1 << 14;
    pub const DEBLOCKING_FILTER_OVERRIDE_ENABLED: u64 = 1 << 15;
    pub const PPS_DISABLE_DEBLOCKING_FILTER: u64 = 1 << 16;
    pub const LISTS_MODIFICATION_PRESENT: u64 = 1 << 17;
    pub const SLICE_SEGMENT_HEADER_EXTENSION_PRESENT: u64 = 1 << 18;
    pub const DEBLOCKING_FILTER_CONTROL_PRESENT: u64 = 1 << 19;
    pub const UNIFORM_SPACING: u64 = 1 << 20;
}

/// Bits of [`HevcSliceParams::flags`]: `V4L2_HEVC_SLICE_PARAMS_FLAG_*`.
#[expect(missing_docs, reason = "the flags are the kernel's")]
pub mod slice_flag {
    pub const SLICE_SAO_LUMA: u64 = 1 << 0;
    pub const SLICE_SAO_CHROMA: u64 = 1 << 1;
    pub const SLICE_TEMPORAL_MVP_ENABLED: u64 = 1 << 2;
    pub const MVD_L1_ZERO: u64 = 1 << 3;
    pub const CABAC_INIT: u64 = 1 << 4;
    pub const COLLOCATED_FROM_L0: u64 = 1 << 5;
    pub const USE_INTEGER_MV: u64 = 1 << 6;
    pub const SLICE_DEBLOCKING_FILTER_DISABLED: u64 = 1 << 7;
    pub const SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED: u64 = 1 << 8;
    pub const DEPENDENT_SLICE_SEGMENT: u64 = 1 << 9;
}

/// Bits of [`HevcDecodeParams::flags`]: `V4L2_HEVC_DECODE_PARAM_FLAG_*`.
#[expect(missing_docs, reason = "the flags are the kernel's")]
pub mod decode_flag {
    pub const IRAP_PIC: u64 = 1 << 0;
    pub const IDR_PIC: u64 = 1 << 1;
    pub const NO_OUTPUT_OF_PRIOR: u64 = 1 << 2;
}

/// `V4L2_HEVC_DPB_ENTRY_LONG_TERM_REFERENCE`, of [`HevcDpbEntry::flags`].
pub const DPB_ENTRY_LONG_TERM_REFERENCE: u8 = 1;
/// `V4L2_HEVC_EXT_SPS_ST_RPS_FLAG_INTER_REF_PIC_SET_PRED`, of [`HevcExtSpsStRps::flags`].
pub const EXT_SPS_ST_RPS_INTER_REF_PIC_SET_PRED: u16 = 1;
/// `V4L2_HEVC_EXT_SPS_LT_RPS_FLAG_USED_LT`, of [`HevcExtSpsLtRps::flags`].
pub const EXT_SPS_LT_RPS_USED_LT: u16 = 1;

/// `struct v4l2_ctrl_hevc_sps`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcSps {
    pub video_parameter_set_id: u8,
    pub seq_parameter_set_id: u8,
    pub pic_width_in_luma_samples: u16,
    pub pic_height_in_luma_samples: u16,
    pub bit_depth_luma_minus8: u8,
    pub bit_depth_chroma_minus8: u8,
    pub log2_max_pic_order_cnt_lsb_minus4: u8,
    pub sps_max_dec_pic_buffering_minus1: u8,
    pub sps_max_num_reorder_pics: u8,
    pub sps_max_latency_increase_plus1: u8,
    pub log2_min_luma_coding_block_size_minus3: u8,
    pub log2_diff_max_min_luma_coding_block_size: u8,
    pub log2_min_luma_transform_block_size_minus2: u8,
    pub log2_diff_max_min_luma_transform_block_size: u8,
    pub max_transform_hierarchy_depth_inter: u8,
    pub max_transform_hierarchy_depth_intra: u8,
    pub pcm_sample_bit_depth_luma_minus1: u8,
    pub pcm_sample_bit_depth_chroma_minus1: u8,
    pub log2_min_pcm_luma_coding_block_size_minus3: u8,
    pub log2_diff_max_min_pcm_luma_coding_block_size: u8,
    pub num_short_term_ref_pic_sets: u8,
    pub num_long_term_ref_pics_sps: u8,
    pub chroma_format_idc: u8,
    pub sps_max_sub_layers_minus1: u8,
    pub reserved: [u8; 6],
    pub flags: u64,
}

/// `struct v4l2_ctrl_hevc_pps`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcPps {
    pub pic_parameter_set_id: u8,
    pub num_extra_slice_header_bits: u8,
    pub num_ref_idx_l0_default_active_minus1: u8,
    pub num_ref_idx_l1_default_active_minus1: u8,
    pub init_qp_minus26: i8,
    pub diff_cu_qp_delta_depth: u8,
    pub pps_cb_qp_offset: i8,
    pub pps_cr_qp_offset: i8,
    pub num_tile_columns_minus1: u8,
    pub num_tile_rows_minus1: u8,
    pub column_width_minus1: [u8; 20],
    pub row_height_minus1: [u8; 22],
    pub pps_beta_offset_div2: i8,
    pub pps_tc_offset_div2: i8,
    pub log2_parallel_merge_level_minus2: u8,
    pub reserved: u8,
    pub flags: u64,
}

/// `struct v4l2_hevc_pred_weight_table`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcPredWeightTable {
    pub delta_luma_weight_l0: [i8; DPB_ENTRIES_NUM_MAX],
    pub luma_offset_l0: [i8; DPB_ENTRIES_NUM_MAX],
    pub delta_chroma_weight_l0: [[i8; 2]; DPB_ENTRIES_NUM_MAX],
    pub chroma_offset_l0: [[i8; 2]; DPB_ENTRIES_NUM_MAX],
    pub delta_luma_weight_l1: [i8; DPB_ENTRIES_NUM_MAX],
    pub luma_offset_l1: [i8; DPB_ENTRIES_NUM_MAX],
    pub delta_chroma_weight_l1: [[i8; 2]; DPB_ENTRIES_NUM_MAX],
    pub chroma_offset_l1: [[i8; 2]; DPB_ENTRIES_NUM_MAX],
    pub luma_log2_weight_denom: u8,
    pub delta_chroma_log2_weight_denom: i8,
}

/// `struct v4l2_ctrl_hevc_slice_params`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcSliceParams {
    pub bit_size: u32,
    pub data_byte_offset: u32,
    pub num_entry_point_offsets: u32,
    pub nal_unit_type: u8,
    pub nuh_temporal_id_plus1: u8,
    pub slice_type: u8,
    pub colour_plane_id: u8,
    pub slice_pic_order_cnt: i32,
    pub num_ref_idx_l0_active_minus1: u8,
    pub num_ref_idx_l1_active_minus1: u8,
    pub collocated_ref_idx: u8,
    pub five_minus_max_num_merge_cand: u8,
    pub slice_qp_delta: i8,
    pub slice_cb_qp_offset: i8,
    pub slice_cr_qp_offset: i8,
    pub slice_act_y_qp_offset: i8,
    pub slice_act_cb_qp_offset: i8,
    pub slice_act_cr_qp_offset: i8,
    pub slice_beta_offset_div2: i8,
    pub slice_tc_offset_div2: i8,
    pub pic_struct: u8,
    pub reserved0: [u8; 3],
    pub slice_segment_addr: u32,
    pub ref_idx_l0: [u8; DPB_ENTRIES_NUM_MAX],
    pub ref_idx_l1: [u8; DPB_ENTRIES_NUM_MAX],
    pub short_term_ref_pic_set_size: u16,
    pub long_term_ref_pic_set_size: u16,
    pub pred_weight_table: HevcPredWeightTable,
    pub reserved1: [u8; 2],
    pub flags: u64,
}

/// `struct v4l2_hevc_dpb_entry`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcDpbEntry {
    pub timestamp: u64,
    pub flags: u8,
    pub field_pic: u8,
    pub reserved: u16,
    pub pic_order_cnt_val: i32,
}

/// `struct v4l2_ctrl_hevc_decode_params`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcDecodeParams {
    pub pic_order_cnt_val: i32,
    pub short_term_ref_pic_set_size: u16,
    pub long_term_ref_pic_set_size: u16,
    pub num_active_dpb_entries: u8,
    pub num_poc_st_curr_before: u8,
    pub num_poc_st_curr_after: u8,
    pub num_poc_lt_curr: u8,
    pub poc_st_curr_before: [u8; DPB_ENTRIES_NUM_MAX],
    pub poc_st_curr_after: [u8; DPB_ENTRIES_NUM_MAX],
    pub poc_lt_curr: [u8; DPB_ENTRIES_NUM_MAX],
    pub num_delta_pocs_of_ref_rps_idx: u8,
    pub reserved: [u8; 3],
    pub dpb: [HevcDpbEntry; DPB_ENTRIES_NUM_MAX],
    pub flags: u64,
}

/// `struct v4l2_ctrl_hevc_scaling_matrix`: lists in raster order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcScalingMatrix {
    pub scaling_list_4x4: [[u8; 16]; 6],
    pub scaling_list_8x8: [[u8; 64]; 6],
    pub scaling_list_16x16: [[u8; 64]; 6],
    pub scaling_list_32x32: [[u8; 64]; 2],
    pub scaling_list_dc_coef_16x16: [u8; 6],
    pub scaling_list_dc_coef_32x32: [u8; 2],
}

impl HevcScalingMatrix {
    /// Nothing but zeros: what a driver gets while scaling lists are not enabled.
    pub const ZERO: Self = Self {
        scaling_list_4x4: [[0; 16]; 6],
        scaling_list_8x8: [[0; 64]; 6],
        scaling_list_16x16: [[0; 64]; 6],
        scaling_list_32x32: [[0; 64]; 2],
        scaling_list_dc_coef_16x16: [0; 6],
        scaling_list_dc_coef_32x32: [0; 2],
    };
}

/// `struct v4l2_ctrl_hevc_ext_sps_st_rps`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcExtSpsStRps {
    pub delta_idx_minus1: u8,
    pub delta_rps_sign: u8,
    pub num_negative_pics: u8,
    pub num_positive_pics: u8,
    pub used_by_curr_pic: u32,
    pub use_delta_flag: u32,
    pub abs_delta_rps_minus1: u16,
    pub delta_poc_s0_minus1: [u16; 16],
    pub delta_poc_s1_minus1: [u16; 16],
    pub flags: u16,
}

/// `struct v4l2_ctrl_hevc_ext_sps_lt_rps`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct HevcExtSpsLtRps {
    pub lt_ref_pic_poc_lsb_sps: u16,
    pub flags: u16,
}

const _: () = {
    assert!(size_of::<HevcSps>() == 40, "as the kernel has it");
    assert!(size_of::<HevcPps>() == 64, "likewise");
    assert!(size_of::<HevcPredWeightTable>() == 194, "likewise");
    assert!(size_of::<HevcSliceParams>() == 280, "likewise");
    assert!(size_of::<HevcDpbEntry>() == 16, "likewise");
    assert!(size_of::<HevcDecodeParams>() == 328, "likewise");
    assert!(size_of::<HevcScalingMatrix>() == 1000, "likewise");
    assert!(size_of::<HevcExtSpsStRps>() == 80, "likewise");
    assert!(size_of::<HevcExtSpsLtRps>() == 4, "likewise");
};
