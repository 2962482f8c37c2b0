//! `struct v4l2_ctrl_mpeg2_sequence`, `struct v4l2_ctrl_mpeg2_picture` and
//! `struct v4l2_ctrl_mpeg2_quantisation`.

use zerocopy::{Immutable, IntoBytes};

/// `V4L2_CID_STATELESS_MPEG2_SEQUENCE`.
pub const STATELESS_MPEG2_SEQUENCE: u32 = 0x00a4_09dc;
/// `V4L2_CID_STATELESS_MPEG2_PICTURE`.
pub const STATELESS_MPEG2_PICTURE: u32 = 0x00a4_09dd;
/// `V4L2_CID_STATELESS_MPEG2_QUANTISATION`.
pub const STATELESS_MPEG2_QUANTISATION: u32 = 0x00a4_09de;

/// `V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE`.
pub const SEQUENCE_PROGRESSIVE: u8 = 0x01;

/// `V4L2_MPEG2_PIC_CODING_TYPE_I`.
pub const PICTURE_CODING_TYPE_I: u8 = 1;
/// `V4L2_MPEG2_PIC_CODING_TYPE_P`.
pub const PICTURE_CODING_TYPE_P: u8 = 2;
/// `V4L2_MPEG2_PIC_CODING_TYPE_B`.
pub const PICTURE_CODING_TYPE_B: u8 = 3;

/// `V4L2_MPEG2_PIC_TOP_FIELD`.
pub const PICTURE_TOP_FIELD: u8 = 1;
/// `V4L2_MPEG2_PIC_BOTTOM_FIELD`.
pub const PICTURE_BOTTOM_FIELD: u8 = 2;
/// `V4L2_MPEG2_PIC_FRAME`.
pub const PICTURE_FRAME: u8 = 3;

/// `V4L2_MPEG2_PIC_FLAG_TOP_FIELD_FIRST`.
pub const PICTURE_TOP_FIELD_FIRST: u32 = 0x01;
/// `V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT`.
pub const PICTURE_FRAME_PRED_DCT: u32 = 0x02;
/// `V4L2_MPEG2_PIC_FLAG_CONCEALMENT_MV`.
pub const PICTURE_CONCEALMENT_MV: u32 = 0x04;
/// `V4L2_MPEG2_PIC_FLAG_Q_SCALE_TYPE`.
pub const PICTURE_Q_SCALE_TYPE: u32 = 0x08;
/// `V4L2_MPEG2_PIC_FLAG_INTRA_VLC`.
pub const PICTURE_INTRA_VLC: u32 = 0x10;
/// `V4L2_MPEG2_PIC_FLAG_ALT_SCAN`.
pub const PICTURE_ALT_SCAN: u32 = 0x20;
/// `V4L2_MPEG2_PIC_FLAG_REPEAT_FIRST`.
pub const PICTURE_REPEAT_FIRST: u32 = 0x40;
/// `V4L2_MPEG2_PIC_FLAG_PROGRESSIVE`.
pub const PICTURE_PROGRESSIVE: u32 = 0x80;

/// What a decoder is told of a sequence of MPEG-2 pictures.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Mpeg2Sequence {
    pub horizontal_size: u16,
    pub vertical_size: u16,
    pub vbv_buffer_size: u32,
    pub profile_and_level_indication: u16,
    pub chroma_format: u8,
    pub flags: u8,
}

/// What a decoder is told of a MPEG-2 picture.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Mpeg2Picture {
    pub backward_ref_ts: u64,
    pub forward_ref_ts: u64,
    pub flags: u32,
    pub f_code: [[u8; 2]; 2],
    pub picture_coding_type: u8,
    pub picture_structure: u8,
    pub intra_dc_precision: u8,
    pub reserved: [u8; 5],
}

/// The quantisation matrices of MPEG-2 pictures, in zigzag order.
#[derive(Clone, Copy, Debug, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct Mpeg2Quantisation {
    pub intra_quantiser_matrix: [u8; 64],
    pub non_intra_quantiser_matrix: [u8; 64],
    pub chroma_intra_quantiser_matrix: [u8; 64],
    pub chroma_non_intra_quantiser_matrix: [u8; 64],
}

const _: () = assert!(size_of::<Mpeg2Sequence>() == 12, "as the kernel has it");
const _: () = assert!(size_of::<Mpeg2Picture>() == 32, "as the kernel has it");
const _: () = assert!(
    size_of::<Mpeg2Quantisation>() == 256,
    "as the kernel has it"
);
