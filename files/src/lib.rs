//! Files as pipeline stages: streams and pictures read into frames and written from them.
//!
//! A [`FileSrc`] puts what a file holds straight into the buffers that its decoder imports; a
//! [`FileSink`] writes what an encoder or a camera left in theirs. What formats there are is
//! [`dmaflow_containers`]' matter.

mod codec;
mod error;
mod position;
mod sink;
mod src;

pub use dmaflow_containers::Format as FileFormat;
pub use error::FileError;
pub use position::Position;
pub use sink::{FileSink, FileSinkConfig, KeptBefore, Lasting, Rotation};
pub use src::{FileSrc, FileSrcConfig};
