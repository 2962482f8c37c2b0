//! Writing: what every format's writer does.

mod output;

pub use output::Output;

use crate::error::ContainerError;
use crate::format::Format;
use crate::packet::Packet;

/// Writes the packets of one track of pictures.
///
/// What has been written plays, whenever it ends: a writer that is dropped, killed or fails leaves
/// a file of the packets (or fragments) that were whole by then.
pub trait Muxer: std::fmt::Debug + Send {
    /// The format that is written.
    fn format(&self) -> Format;

    /// Writes one packet, whose data is that of these pieces, one behind the other. Of the packet
    /// its times, its duration and whether it is a key are looked at: how long it is, the pieces
    /// say.
    ///
    /// # Errors
    /// [`ContainerError::Write`], which says how much was written: the file plays up to there;
    /// [`ContainerError::Broken`] for each one after that. [`ContainerError::Packet`] for one that
    /// the format cannot hold: nothing was written, and others can follow.
    fn write(&mut self, packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError>;

    /// Bytes of the file so far, those included that a writer keeps until a fragment is whole.
    fn written(&self) -> u64;

    /// Writes what the format wants at the end and what is only known then. The file is whole
    /// without, but may say less of itself. Nothing can be written afterwards.
    ///
    /// After a failed write, this still states what is known, where that takes no room.
    ///
    /// # Errors
    /// [`ContainerError::Write`].
    fn finish(&mut self) -> Result<(), ContainerError>;
}
