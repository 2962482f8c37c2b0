//! What a stream says of itself, as far as files repeat it: sizes, profiles, parameter sets.
//!
//! Containers keep a configuration record beside the packets. It is read into what a decoder is to
//! be given first, and made of a stream's parameter sets.

pub(crate) mod av1;
pub(crate) mod h264;
pub(crate) mod hevc;
pub(crate) mod lengths;
pub(crate) mod mpeg2;
pub(crate) mod nal;
pub(crate) mod packing;
pub(crate) mod record;
pub(crate) mod still;
pub(crate) mod vpx;
