//! What a stateless decoder is told of each picture: controls, references, order.
//!
//! A stateless device decodes one picture or slice at a time and remembers nothing. A
//! [`Sequencer`] remembers for it: it reads a stream unit by unit and answers with [`Steps`], which
//! say what to hand to the device, when a picture goes out and when its frame is free. Nothing
//! here touches a device. Source: `Documentation/userspace-api/media/v4l/dev-stateless-decoder.rst`
//! and `ext-ctrls-codec-stateless.rst`.

mod ability;
mod av1;
mod choice;
mod flags;
mod fwht;
mod h264;
mod hevc;
mod mpeg2;
mod pictures;
mod steps;
pub mod uapi;
mod vp8;
mod vp9;
#[cfg(test)]
mod written;

pub use ability::Ability;
pub use av1::Av1;
pub use choice::sequencer;
pub use fwht::Fwht;
pub use h264::H264;
pub use hevc::Hevc;
pub use mpeg2::Mpeg2;
pub use steps::{Chroma, Control, Decode, PictureId, Sequence, Sequencer, Step, Steps, Visible};
pub use vp8::Vp8;
pub use vp9::Vp9;
