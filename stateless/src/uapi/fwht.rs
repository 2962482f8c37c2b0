//! `struct v4l2_ctrl_fwht_params`.

use zerocopy::{Immutable, IntoBytes};

/// `V4L2_CID_STATELESS_FWHT_PARAMS`.
pub const STATELESS_FWHT_PARAMS: u32 = 0x00a4_0964;

/// What a decoder is told of a FWHT frame.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the fields are the kernel's")]
pub struct FwhtParams {
    pub backward_ref_ts: u64,
    pub version: u32,
    pub width: u32,
    pub height: u32,
    pub flags: u32,
    pub colorspace: u32,
    pub xfer_func: u32,
    pub ycbcr_enc: u32,
    pub quantization: u32,
}

const _: () = assert!(size_of::<FwhtParams>() == 40, "as the kernel has it");
