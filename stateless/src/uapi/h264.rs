//! `struct v4l2_ctrl_h264_*`.

use zerocopy::{FromBytes, Immutable, IntoBytes};

const CODEC_STATELESS_BASE: u32 = 0x00a4_0900;

/// `V4L2_CID_STATELESS_H264_DECODE_MODE`: a menu.
pub const STATELESS_H264_DECODE_MODE: u32 = CODEC_STATELESS_BASE;
/// `V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED`.
pub const DECODE_MODE_SLICE_BASED: u32 = 0;
/// `V4L2_STATELESS_H264_DECODE_MODE_FRAME_BASED`.
pub const DECODE_MODE_FRAME_BASED: u32 = 1;

/// `V4L2_CID_STATELESS_H264_START_CODE`: a menu.
pub const STATELESS_H264_START_CODE: u32 = CODEC_STATELESS_BASE + 1;
/// `V4L2_STATELESS_H264_START_CODE_NONE`.
pub const START_CODE_NONE: u32 = 0;
/// `V4L2_STATELESS_H264_START_CODE_ANNEX_B`.
pub const START_CODE_ANNEX_B: u32 = 1;

/// `V4L2_CID_STATELESS_H264_SPS`.
pub const STATELESS_H264_SPS: u32 = CODEC_STATELESS_BASE + 2;
/// `V4L2_CID_STATELESS_H264_PPS`.
pub const STATELESS_H264_PPS: u32 = CODEC_STATELESS_BASE + 3;
/// `V4L2_CID_STATELESS_H264_SCALING_MATRIX`.
pub const STATELESS_H264_SCALING_MATRIX: u32 = CODEC_STATELESS_BASE + 4;
/// `V4L2_CID_STATELESS_H264_PRED_WEIGHTS`.
pub const STATELESS_H264_PRED_WEIGHTS: u32 = CODEC_STATELESS_BASE + 5;
/// `V4L2_CID_STATELESS_H264_SLICE_PARAMS`.
pub const STATELESS_H264_SLICE_PARAMS: u32 = CODEC_STATELESS_BASE + 6;
/// `V4L2_CID_STATELESS_H264_DECODE_PARAMS`.
pub const STATELESS_H264_DECODE_PARAMS: u32 = CODEC_STATELESS_BASE + 7;

/// `V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE`.
pub const SPS_SEPARATE_COLOUR_PLANE: u32 = 0x01;
/// `V4L2_H264_SPS_FLAG_QPPRIME_Y_ZERO_TRANSFORM_BYPASS`.
pub const SPS_QPPRIME_Y_ZERO_TRANSFORM_BYPASS: u32 = 0x02;
/// `V4L2_H264_SPS_FLAG_DELTA_PIC_ORDER_ALWAYS_ZERO`.
pub const SPS_DELTA_PIC_ORDER_ALWAYS_ZERO: u32 = 0x04;
/// `V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED`.
pub const SPS_GAPS_IN_FRAME_NUM_VALUE_ALLOWED: u32 = 0x08;
/// `V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY`.
pub const SPS_FRAME_MBS_ONLY: u32 = 0x10;
/// `V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD`.
pub const SPS_MB_ADAPTIVE_FRAME_FIELD: u32 = 0x20;
/// `V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE`.
pub const SPS_DIRECT_8X8_INFERENCE: u32 = 0x40;

/// `V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE`.
pub const PPS_ENTROPY_CODING_MODE: u16 = 0x01;
/// `V4L2_H264_PPS_FLAG_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT`.
pub const PPS_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT: u16 = 0x02;
/// `V4L2_H264_PPS_FLAG_WEIGHTED_PRED`.
pub const PPS_WEIGHTED_PRED: u16 = 0x04;
/// `V4L2_H264_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT`.
pub const PPS_DEBLOCKING_FILTER_CONTROL_PRESENT: u16 = 0x08;
/// `V4L2_H264_PPS_FLAG_CONSTRAINED_INTRA_PRED`.
pub const PPS_CONSTRAINED_INTRA_PRED: u16 = 0x10;
/// `V4L2_H264_PPS_FLAG_REDUNDANT_PIC_CNT_PRESENT`.
pub const PPS_REDUNDANT_PIC_CNT_PRESENT: u16 = 0x20;
/// `V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE`.
pub const PPS_TRANSFORM_8X8_MODE: u16 = 0x40;
/// `V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT`: of the picture or of its sequence.
pub const PPS_SCALING_MATRIX_PRESENT: u16 = 0x80;

/// `V4L2_H264_SLICE_FLAG_DIRECT_SPATIAL_MV_PRED`.
pub const SLICE_DIRECT_SPATIAL_MV_PRED: u32 = 0x01;
/// `V4L2_H264_SLICE_FLAG_SP_FOR_SWITCH`.
pub const SLICE_SP_FOR_SWITCH: u32 = 0x02;

/// `V4L2_H264_TOP_FIELD_REF`.
pub const TOP_FIELD_REF: u8 = 0x1;
/// `V4L2_H264_BOTTOM_FIELD_REF`.
pub const BOTTOM_FIELD_REF: u8 = 0x2;
/// `V4L2_H264_FRAME_REF`.
pub const FRAME_REF: u8 = 0x3;

/// `V4L2_H264_DPB_ENTRY_FLAG_VALID`.
pub const DPB_ENTRY_VALID: u32 = 0x01;
/// `V4L2_H264_DPB_ENTRY_FLAG_ACTIVE`.
pub const DPB_ENTRY_ACTIVE: u32 = 0x02;
/// `V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM`.
pub const DPB_ENTRY_LONG_TERM: u32 = 0x04;
/// `V4L2_H264_DPB_ENTRY_FLAG_FIELD`.
pub const DPB_ENTRY_FIELD: u32 = 0x08;

/// `V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC`.
pub const DECODE_PARAM_IDR_PIC: u32 = 0x01;
/// `V4L2_H264_DECODE_PARAM_FLAG_FIELD_PIC`.
pub const DECODE_PARAM_FIELD_PIC: u32 = 0x02;
/// `V4L2_H264_DECODE_PARAM_FLAG_BOTTOM_FIELD`.
pub const DECODE_PARAM_BOTTOM_FIELD: u32 = 0x04;
/// `V4L2_H264_DECODE_PARAM_FLAG_PFRAME`.
pub const DECODE_PARAM_PFRAME: u32 = 0x08;
/// `V4L2_H264_DECODE_PARAM_FLAG_BFRAME`.
pub const DECODE_PARAM_BFRAME: u32 = 0x10;

/// `V4L2_H264_NUM_DPB_ENTRIES`.
pub const NUM_DPB_ENTRIES: usize = 16;
/// `V4L2_H264_REF_LIST_LEN`.
pub const REF_LIST_LEN: usize = 32;

/// A sequence parameter set.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Sps {
    pub profile_idc: u8,
    pub constraint_set_flags: u8,
    pub level_idc: u8,
    pub seq_parameter_set_id: u8,
    pub chroma_format_idc: u8,
    pub bit_depth_luma_minus8: u8,
    pub bit_depth_chroma_minus8: u8,
    pub log2_max_frame_num_minus4: u8,
    pub pic_order_cnt_type: u8,
    pub log2_max_pic_order_cnt_lsb_minus4: u8,
    pub max_num_ref_frames: u8,
    pub num_ref_frames_in_pic_order_cnt_cycle: u8,
    pub offset_for_ref_frame: [i32; 255],
    pub offset_for_non_ref_pic: i32,
    pub offset_for_top_to_bottom_field: i32,
    pub pic_width_in_mbs_minus1: u16,
    pub pic_height_in_map_units_minus1: u16,
    pub flags: u32,
}

/// A picture parameter set.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Pps {
    pub pic_parameter_set_id: u8,
    pub seq_parameter_set_id: u8,
    pub num_slice_groups_minus1: u8,
    pub num_ref_idx_l0_default_active_minus1: u8,
    pub num_ref_idx_l1_default_active_minus1: u8,
    pub weighted_bipred_idc: u8,
    pub pic_init_qp_minus26: i8,
    pub pic_init_qs_minus26: i8,
    pub chroma_qp_index_offset: i8,
    pub second_chroma_qp_index_offset: i8,
    pub flags: u16,
}

/// What coefficients are multiplied by, in rows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct ScalingMatrix {
    pub scaling_list_4x4: [[u8; 16]; 6],
    pub scaling_list_8x8: [[u8; 64]; 6],
}

/// Weights of the references of one list.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct WeightFactors {
    pub luma_weight: [i16; REF_LIST_LEN],
    pub luma_offset: [i16; REF_LIST_LEN],
    pub chroma_weight: [[i16; 2]; REF_LIST_LEN],
    pub chroma_offset: [[i16; 2]; REF_LIST_LEN],
}

/// Weights of a slice's references.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct PredWeights {
    pub luma_log2_weight_denom: u16,
    pub chroma_log2_weight_denom: u16,
    pub weight_factors: [WeightFactors; 2],
}

/// An entry of a reference list.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Reference {
    pub fields: u8,
    pub index: u8,
}

impl Reference {
    /// None: its index is none of the decoded picture buffer's. The kernel's document does not say
    /// what stands behind the end of a list; this is what others put there.
    pub const NONE: Self = Self {
        fields: 0xff,
        index: 0xff,
    };
}

/// What is told of a slice.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct SliceParams {
    pub header_bit_size: u32,
    pub first_mb_in_slice: u32,
    pub slice_type: u8,
    pub colour_plane_id: u8,
    pub redundant_pic_cnt: u8,
    pub cabac_init_idc: u8,
    pub slice_qp_delta: i8,
    pub slice_qs_delta: i8,
    pub disable_deblocking_filter_idc: u8,
    pub slice_alpha_c0_offset_div2: i8,
    pub slice_beta_offset_div2: i8,
    pub num_ref_idx_l0_active_minus1: u8,
    pub num_ref_idx_l1_active_minus1: u8,
    pub reserved: u8,
    pub ref_pic_list0: [Reference; REF_LIST_LEN],
    pub ref_pic_list1: [Reference; REF_LIST_LEN],
    pub flags: u32,
}

/// An entry of the decoded picture buffer.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct DpbEntry {
    pub reference_ts: u64,
    pub pic_num: u32,
    pub frame_num: u16,
    pub fields: u8,
    pub reserved: [u8; 5],
    pub top_field_order_cnt: i32,
    pub bottom_field_order_cnt: i32,
    pub flags: u32,
}

/// What is told of a picture.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct DecodeParams {
    pub dpb: [DpbEntry; NUM_DPB_ENTRIES],
    pub nal_ref_idc: u16,
    pub frame_num: u16,
    pub top_field_order_cnt: i32,
    pub bottom_field_order_cnt: i32,
    pub idr_pic_id: u16,
    pub pic_order_cnt_lsb: u16,
    pub delta_pic_order_cnt_bottom: i32,
    pub delta_pic_order_cnt0: i32,
    pub delta_pic_order_cnt1: i32,
    pub dec_ref_pic_marking_bit_size: u32,
    pub pic_order_cnt_bit_size: u32,
    pub slice_group_change_cycle: u32,
    pub reserved: u32,
    pub flags: u32,
}

// As the kernel has them.
const _: () = assert!(size_of::<Sps>() == 1048);
const _: () = assert!(size_of::<Pps>() == 12);
const _: () = assert!(size_of::<ScalingMatrix>() == 480);
const _: () = assert!(size_of::<PredWeights>() == 772);
const _: () = assert!(size_of::<SliceParams>() == 152);
const _: () = assert!(size_of::<DpbEntry>() == 32);
const _: () = assert!(size_of::<DecodeParams>() == 560);
