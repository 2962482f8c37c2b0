//! Files of compressed and raw video: read, written, cut anywhere.
//!
//! A [`Demuxer`] reads packets from an [`Input`], a [`Muxer`] writes them to an [`Output`]; either
//! is a file or a pipe. Packets are in elementary form, whatever the format ([`Codec`]). No reader
//! panics, and none allocates by what a file claims, only by what is there; no writer leaves a file
//! that does not play up to where it stopped.

mod coded;
mod error;
mod format;
mod matroska;
mod mp4;
mod packet;
mod reader;
mod writer;

pub use error::{ContainerError, Cut, Found};
pub use format::Format;
pub use matroska::{MatroskaReader, MatroskaWriter};
pub use mp4::{Mp4Reader, Mp4Writer, WriteOptions};
pub use packet::{Codec, Colour, Packet, Plane, Track};
pub use reader::{Demuxer, Input, MOST_OF_A_PACKET, ReadOptions};
pub use writer::{Muxer, Output};
