//! Streams in which only what follows tells where a packet ends.
//!
//! They are searched as they are read: data lies in a window until its packet was read, which is
//! the one copy more that such streams need. Packets have no times of their own and are stamped by
//! a rate, in the order of decoding.

mod mjpeg;
mod mpeg2;
mod nal;
mod obu;
mod window;
mod writer;

use dmaflow_bitstream::annex_b::NalCodec;

use crate::error::{ContainerError, Cut, Found};
use crate::format::Format;
use crate::keys::{self, Keys, Place, Walk};
use crate::packet::{Codec, Packet, Track};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::stamps::Stamps;
use window::Window;
pub use writer::ElementaryMuxer;

/// Bytes behind a packet that may have to be seen before its end is sure.
const BEHIND: usize = 64 << 10;

/// How a stream falls into packets.
trait Split: std::fmt::Debug + Send {
    /// The format.
    const FORMAT: Format;
    /// How its packets are coded.
    const CODEC: Codec;
    /// What it calls a packet.
    const WHAT: &'static str;

    /// Looks for the end of the packet that begins with the data; nothing follows the data if it is
    /// the last. The same data comes again, with more behind it, until its end was found.
    fn split(&mut self, data: &[u8], last: bool) -> Result<Looked, Wrong>;

    /// The data that comes next begins with a packet, and has not been seen.
    fn restart(&mut self);

    /// What a decoder has to have before any packet, of the first one.
    fn header(&self, first: &[u8]) -> Vec<u8>;
}

/// What was found in data.
#[derive(Clone, Copy, Debug)]
enum Looked {
    /// More has to be seen. Of the last data: it is no packet.
    More,
    /// So many bytes are of no packet.
    Skip(usize),
    /// The packet ends after so many bytes.
    Packet { len: usize, key: bool },
}

/// What is wrong with data.
#[derive(Debug)]
struct Wrong {
    at: usize,
    expected: &'static str,
    found: Found,
}

/// Reads H.264 in NAL units behind start codes, one access unit a packet; both fields of a frame
/// are in one. Keys are IDR pictures.
///
/// # Errors
/// [`ContainerError::Unexpected`] for what does not begin with a start code; others as they come.
pub fn read_h264(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let split = nal::NalSplit::<false>::new(NalCodec::H264);
    Ok(Box::new(Elementary::new(input, split, options)?))
}

/// Reads HEVC in NAL units behind start codes, one access unit a packet. Keys are IRAP pictures.
///
/// # Errors
/// As [`read_h264`].
pub fn read_hevc(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let split = nal::NalSplit::<true>::new(NalCodec::Hevc);
    Ok(Box::new(Elementary::new(input, split, options)?))
}

/// Reads MPEG-2 video, one picture with the headers before it a packet; both fields of a frame are
/// in one. Keys are I pictures.
///
/// # Errors
/// As [`read_h264`].
pub fn read_mpeg2(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let split = mpeg2::Mpeg2Split::default();
    Ok(Box::new(Elementary::new(input, split, options)?))
}

/// Reads AV1 in the low-overhead format, one temporal unit a packet.
///
/// # Errors
/// [`ContainerError::Unexpected`] for what does not begin with a temporal delimiter; others as they
/// come.
pub fn read_obu(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let split = obu::ObuSplit::default();
    Ok(Box::new(Elementary::new(input, split, options)?))
}

/// Reads JPEG pictures one behind the other. Zeros between them are passed over.
///
/// # Errors
/// [`ContainerError::Unexpected`] for what does not begin with a picture; others as they come.
pub fn read_mjpeg(input: Input, options: &ReadOptions) -> Result<Box<dyn Demuxer>, ContainerError> {
    let split = mjpeg::MjpegSplit::default();
    Ok(Box::new(Elementary::new(input, split, options)?))
}

#[derive(Debug)]
struct Elementary<S> {
    window: Window,
    split: S,
    track: Track,
    stamps: Stamps,
    most: usize,
    keys: Keys,
    number: u64,
    /// The packet that was announced last, at the beginning of the window, and whether it has not
    /// been read.
    announced: Option<(usize, bool)>,
    cut: Option<Cut>,
    ended: bool,
    /// The first packet was found when the stream was opened, and not been asked for.
    opened: Option<Packet>,
}

impl<S: Split> Elementary<S> {
    fn new(input: Input, split: S, options: &ReadOptions) -> Result<Self, ContainerError> {
        let stamps = Stamps::new(options, None);
        let most = options.most.saturating_add(BEHIND);
        let mut stream = Self {
            window: Window::new(input, most),
            split,
            track: stamps.into_track(Track::new(S::CODEC, stamps.timescale)),
            stamps,
            most: options.most,
            keys: Keys::starting(0),
            number: 0,
            announced: None,
            cut: None,
            ended: false,
            opened: None,
        };
        if let Some(packet) = stream.find()? {
            let first = stream.window.data().get(..packet.len).unwrap_or_default();
            stream.track.header = stream.split.header(first);
            stream.opened = Some(packet);
        }
        Ok(stream)
    }

    fn find(&mut self) -> Result<Option<Packet>, ContainerError> {
        if let Some((len, _)) = self.announced.take() {
            self.window.pass(len);
        }
        loop {
            let offset = self.window.offset();
            let last = self.window.is_last();
            let data = self.window.data();
            let there = data.len();
            let looked = self.split.split(data, last).map_err(|wrong| {
                let Wrong {
                    at,
                    expected,
                    found,
                } = wrong;
                ContainerError::Unexpected {
                    format: S::FORMAT,
                    offset: offset + at as u64,
                    expected,
                    found,
                }
            })?;
            let too_long = |found: usize, most: usize| ContainerError::TooLong {
                format: S::FORMAT,
                offset,
                what: S::WHAT,
                found: found as u64,
                most: most as u64,
            };
            match looked {
                Looked::More if last => {
                    self.ended = true;
                    self.cut = (there > 0).then_some(Cut {
                        what: S::WHAT,
                        offset,
                        end: offset + there as u64,
                    });
                    return Ok(None);
                }
                Looked::More if there > self.most.saturating_add(BEHIND) => {
                    return Err(too_long(there, self.most));
                }
                Looked::More => self.window.more()?,
                Looked::Skip(count) => {
                    self.window.pass(count);
                    self.split.restart();
                }
                Looked::Packet { len, .. } if len > self.most => {
                    return Err(too_long(len, self.most));
                }
                Looked::Packet { len, key } => {
                    let packet = Packet {
                        len,
                        offset,
                        ..self.stamps.packet(self.number, key)
                    };
                    let number = self.number;
                    self.keys.pass(&packet, Place { offset, number });
                    self.number += 1;
                    self.announced = Some((len, true));
                    return Ok(Some(packet));
                }
            }
        }
    }
}

impl<S: Split> Walk for Elementary<S> {
    fn place(&self) -> Place {
        let announced = self.announced.map_or(0, |(len, _)| len);
        Place {
            offset: self.window.offset() + announced as u64,
            number: self.number,
        }
    }

    fn go(&mut self, place: Place) -> Result<(), ContainerError> {
        self.window.seek_to(place.offset)?;
        self.split.restart();
        self.number = place.number;
        self.announced = None;
        self.opened = None;
        self.cut = None;
        self.ended = false;
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Packet>, ContainerError> {
        self.next_packet()
    }

    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn no_key(&self) -> ContainerError {
        ContainerError::NoKey { format: S::FORMAT }
    }
}

impl<S: Split> Demuxer for Elementary<S> {
    fn format(&self) -> Format {
        S::FORMAT
    }

    fn track(&self) -> &Track {
        &self.track
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ContainerError> {
        if let Some(packet) = self.opened.take() {
            return Ok(Some(packet));
        }
        if self.ended {
            return Ok(None);
        }
        let found = self.find();
        self.ended |= found.is_err();
        found
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ContainerError> {
        // Not before it was announced.
        let waiting = self.announced.as_mut().filter(|_| self.opened.is_none());
        let Some((len, unread @ true)) = waiting else {
            return Err(ContainerError::NoPacket);
        };
        let (len, room) = (*len, into.len());
        let into = into.get_mut(..len);
        let into = into.ok_or(ContainerError::Room { len, room })?;
        *unread = false;
        let data = self.window.data().get(..len);
        into.copy_from_slice(data.ok_or(ContainerError::NoPacket)?);
        Ok(())
    }

    fn seek(&mut self, presented: i64) -> Result<(), ContainerError> {
        keys::seek(self, presented)
    }

    fn cut(&self) -> Option<Cut> {
        self.cut
    }
}
