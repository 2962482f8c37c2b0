//! What compressed streams say of themselves: headers, parameter sets, where one picture ends.
//!
//! Nothing here decodes a pixel or touches a device. Every function takes bytes from outside and
//! answers with plain values or a [`StreamError`], which says at which bit the stream went wrong;
//! none panics, and none allocates by what a stream claims, only by what is there.

pub mod annex_b;
pub mod av1;
mod bits;
mod error;
pub mod fwht;
pub mod h264;
pub mod obu;

pub use bits::BitReader;
pub use error::{StreamError, Trouble};
