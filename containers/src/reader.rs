//! Reading: what every format's reader does.

mod input;

pub use input::Input;

use crate::error::{ContainerError, Cut};
use crate::format::Format;
use crate::packet::{Packet, Track};

/// The most bytes a packet has, where nothing else is asked for.
pub const MOST_OF_A_PACKET: usize = 64 << 20;

/// What a reader is told besides the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The most bytes that a packet may have; a longer one is an error.
    pub most: usize,
    /// Pictures a second as a fraction, for streams that have no times; 25/1 where it is not given.
    pub rate: Option<(u32, u32)>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            most: MOST_OF_A_PACKET,
            rate: None,
        }
    }
}

/// Reads the packets of one track of pictures.
///
/// A packet is announced first ([`Demuxer::next_packet`]), then its data is put where the caller
/// wants it ([`Demuxer::read`]). Whatever a file claims, no more is allocated than it holds.
pub trait Demuxer: std::fmt::Debug + Send {
    /// The format that is read.
    fn format(&self) -> Format;

    /// What is known of the track before its first packet.
    fn track(&self) -> &Track;

    /// Goes to the next packet, in the order of decoding, and says what it is; none at the end
    /// ([`Demuxer::cut`] tells whether that is a whole one). Data of the packet before that was not
    /// read is passed over.
    ///
    /// Its length is exact, and no more than [`ReadOptions::most`]. Of a file, as opposed to a
    /// pipe, a packet is announced only if the file holds it in whole.
    ///
    /// # Errors
    /// [`ContainerError`], but not for a file that ends too early. Afterwards the answer is the
    /// same error or none: nothing is skipped over on a guess.
    fn next_packet(&mut self) -> Result<Option<Packet>, ContainerError>;

    /// Puts the data of the packet that was announced last into the beginning of a slice, once.
    /// Bytes of the slice are written only, never read, and those behind the packet stay as they
    /// are.
    ///
    /// # Errors
    /// [`ContainerError::Room`] and [`ContainerError::NoPacket`], both without a consequence;
    /// [`ContainerError::Cut`] where a pipe ended (or a file became shorter) before all was there:
    /// the next packet is none then. Other [`ContainerError`]s as they come.
    fn read(&mut self, into: &mut [u8]) -> Result<(), ContainerError>;

    /// Goes to the key packet at or before a time of presentation, in the track's units, or to the
    /// first one: the next packet is that.
    ///
    /// # Errors
    /// [`ContainerError::NotSeekable`]; [`ContainerError::NoKey`]; others as they come.
    fn seek(&mut self, presented: i64) -> Result<(), ContainerError>;

    /// Once there was no further packet: where the file's end cuts something that was begun, such
    /// as the last packet. None of a file that is whole as far as its format lets it be known.
    fn cut(&self) -> Option<Cut>;
}
