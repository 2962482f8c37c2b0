//! The core of dmaflow: heaps, dma-bufs, formats, frames, and what a pipeline asks of a stage.
//!
//! It does no I/O on devices. Exporters register their heaps in a [`heap::HeapRegistry`];
//! a [`frame::FramePool`] takes its frames from one of them before streaming; stages
//! ([`stage::Source`], [`stage::Sink`]) import the pool and pass [`frame::Frame`]s on.

pub mod caps;
mod causes;
pub mod dma_buf;
pub mod format;
pub mod fourcc;
pub mod frame;
pub mod heap;
pub mod layout;
pub mod pixels;
pub mod stage;
mod sync;
mod sys;
pub mod time;

pub use causes::with_causes;

/// The error number of a kernel call, as [`stage::ImportRefused`] and heap errors carry it.
pub use nix::errno::Errno;
