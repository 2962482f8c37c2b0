//! The V4L2 device layer that capture and codecs share.
//!
//! A [`VideoDevice`] is an open node: it says who it is and what it offers, takes a format, a
//! rate and controls. A [`Queue`] hands the frames of a pool to its driver as dma-bufs and
//! takes them back; nothing is copied. A [`Feed`] is such a queue whose frames go back to the
//! driver by themselves, a [`Fill`] one whose owner hands them over, an [`Intake`] one that takes
//! the frames of other stages. A [`MediaRequest`] brings a stateless decoder a frame and what it
//! has to know of it. [`Expbuf`] is
//! the other way round: a driver's own memory, as a heap. Structures and request numbers are
//! those of the `v4l` crate; what the kernel says is parsed into types of dmaflow before anyone
//! else sees it.

mod codec;
mod completion;
mod controls;
mod device;
mod error;
mod events;
pub mod expbuf;
mod feed;
mod fill;
mod fit;
mod inputs;
mod intake;
pub mod media;
mod modes;
mod picture;
mod queue;
mod ranking;
mod refusal;
mod request;
mod stride;
mod sys;
mod wait;

pub use completion::{Completion, Waited};
pub use controls::{Control, ControlKind, ControlValue};
pub use device::{Capabilities, Direction, Function, VideoDevice, VideoNode, video_nodes};
pub use error::{V4l2Error, list, nearest_sizes};
pub use events::{Event, Events};
pub use expbuf::Expbuf;
pub use feed::Feed;
pub use fill::Fill;
pub use fit::{is_short, needed_bytes, same_place};
pub use inputs::{Input, Signal, Timings};
pub use intake::Intake;
pub use modes::{FormatInfo, FrameRates, FrameSizes};
pub use picture::FormatRequest;
pub use queue::{Dequeued, Entry, Queue, StampClock};
pub use ranking::{Candidate, candidates, compressed};
pub use refusal::AttachError;
pub use request::{ControlValues, ControlsRefused, MediaRequest, RequestPool};
pub use stride::{aligned, aligned_layout, layout_aligned_to};
