//! Files of compressed and raw video: read, written, cut anywhere.

mod packet;

pub use packet::{Codec, Packet, Track};
