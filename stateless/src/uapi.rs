//! Controls of stateless codecs as `include/uapi/linux/v4l2-controls.h` lays them out.
//!
//! Names are the kernel's. Each structure has no byte that is not named, and its size is asserted.

pub mod av1;
pub mod fwht;
pub mod h264;
