//! H.264 by Cisco's OpenH264, which the crate `openh264` compiles: constrained baseline and what
//! else it does of Main and High, eight bits, 4:2:0, no B pictures.

pub(super) mod controls;
pub(super) mod decoder;
pub(super) mod encoder;
mod sys;

use dmaflow_core::format::Format;

/// The format of its streams, which are Annex B of ITU-T H.264: with start codes.
pub(super) fn stream() -> Option<Format> {
    "H264".parse().ok()
}
