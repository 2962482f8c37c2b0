//! Matroska and WebM (RFC 8794 and RFC 9559), reading and writing.
//!
//! ```text
//!   EBML  Segment: SeekHead  Info  Tracks   Cluster: blocks   Cluster: blocks   …   [Cues]
//! ```
//!
//! A cluster may be of unknown size, and ends where something follows that cannot be in one. So a
//! file can be written block by block, and is readable up to the last that is whole.

mod build;
mod cues;
mod element;
mod header;
mod id;
mod lacing;
mod reader;
mod walk;
mod writer;

pub use reader::read;
pub use writer::MatroskaMuxer;
