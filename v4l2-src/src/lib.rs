//! Sources of frames: V4L2 capture and a built-in test pattern.
//!
//! [`V4l2Src`] has a camera write into the frames of a pool, which any heap may have
//! allocated; [`TestSrc`] is the camera of machines without one, and numbers its pictures so
//! that a program can tell them apart ([`read_frame_number`]).

mod camera;
mod capture;
mod error;
mod test_src;

pub use camera::Camera;
pub use capture::{V4l2Src, V4l2SrcConfig};
pub use dmaflow_v4l2::media::{LinkConfig, MediaConfig, PadConfig};
pub use dmaflow_v4l2::{ControlValue, layout_aligned_to};
pub use error::V4l2SrcError;
pub use test_src::{TestSrc, TestSrcConfig, TestSrcError, read_frame_number};
