//! Files of compressed and raw video: read, written, cut anywhere.
//!
//! A [`Demuxer`] reads packets from an [`Input`], a [`Muxer`] writes them to an [`Output`]; either
//! is a file or a pipe. Packets are in elementary form, whatever the format ([`Codec`]). No reader
//! panics, and none allocates by what a file claims, only by what is there; no writer leaves a file
//! that does not play up to where it stopped.

pub mod before;
pub mod elementary;
mod error;
mod format;
mod framed;
pub mod fwht;
pub mod ivf;
mod keys;
pub mod obu_annex_b;
mod open;
mod packet;
mod planar;
mod probe;
pub mod raw;
mod reader;
pub mod rotate;
mod stamps;
mod writer;
pub mod y4m;

pub use error::{ContainerError, Cut, Found};
pub use format::Format;
pub use open::{create, open, read, write};
pub use packet::{Codec, Colour, Packet, Plane, Track};
pub use probe::{PROBED, probe};
pub use reader::{Demuxer, Input, MOST_OF_A_PACKET, ReadOptions};
pub use writer::{Muxer, Output};
