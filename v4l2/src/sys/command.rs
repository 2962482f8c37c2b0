//! What codecs are told besides frames.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::{call, raw, request};

/// Tells a decoder to start or to stop (`V4L2_DEC_CMD_…`).
#[doc(alias = "VIDIOC_DECODER_CMD")]
pub(crate) fn decoder_command(fd: BorrowedFd<'_>, command: u32) -> Result<(), Errno> {
    let mut arg = request::zeroed::<raw::v4l2_decoder_cmd>();
    arg.cmd = command;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::DECODER_CMD, &mut arg) }
}

/// Tells an encoder to start or to stop (`V4L2_ENC_CMD_…`).
#[doc(alias = "VIDIOC_ENCODER_CMD")]
pub(crate) fn encoder_command(fd: BorrowedFd<'_>, command: u32) -> Result<(), Errno> {
    let mut arg = request::zeroed::<raw::v4l2_encoder_cmd>();
    arg.cmd = command;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::ENCODER_CMD, &mut arg) }
}
