//! Files in which the length of a packet stands before it.

use crate::error::{ContainerError, Cut};
use crate::format::Format;
use crate::keys::{self, Keys, Place, Walk};
use crate::packet::{Packet, Track};
use crate::reader::{Demuxer, Input, ReadOptions};

/// How a format says where its packets are.
pub(crate) trait Framing: std::fmt::Debug + Send {
    /// The format.
    const FORMAT: Format;
    /// What it calls a packet.
    const WHAT: &'static str;

    /// Looks at what stands before the packet with this number, and passes over it unless it is
    /// part of the packet.
    fn announce(&mut self, input: &mut Input, number: u64) -> Result<Announced, ContainerError>;
}

/// What stands before a packet.
pub(crate) enum Announced {
    /// A packet. Its `len` and `offset` are not looked at: it begins where the input is now.
    Packet {
        /// Bytes of it.
        len: u64,
        /// Its times, and whether it is a key.
        packet: Packet,
    },
    /// The file ends here.
    End,
    /// The file ends before all of it is there.
    Cut,
}

/// Reads a file in which the length of a packet stands before it: straight into the caller's
/// slice.
#[derive(Debug)]
pub(crate) struct Framed<F> {
    input: Input,
    framing: F,
    track: Track,
    most: usize,
    keys: Keys,
    /// Where the next packet begins, once all of `waiting` and `left` was passed.
    number: u64,
    waiting: Option<usize>,
    /// Where the packet announced last ends.
    end: u64,
    cut: Option<Cut>,
    ended: bool,
}

impl<F: Framing> Framed<F> {
    /// From where the first packet begins.
    pub(crate) fn new(input: Input, framing: F, track: Track, options: &ReadOptions) -> Self {
        let end = input.position();
        Self {
            input,
            framing,
            track,
            most: options.most,
            keys: Keys::starting(end),
            number: 0,
            waiting: None,
            end,
            cut: None,
            ended: false,
        }
    }

    fn cut_at(&mut self, offset: u64) -> Cut {
        self.ended = true;
        let end = self.input.len().unwrap_or(self.input.position());
        let cut = Cut {
            what: F::WHAT,
            offset,
            end,
        };
        self.cut = Some(cut);
        cut
    }

    fn announce(&mut self) -> Result<Option<Packet>, ContainerError> {
        self.waiting = None;
        let place = self.place();
        let rest = self.end.saturating_sub(self.input.position());
        if rest > 0 && self.input.skip(rest)? < rest {
            self.cut_at(self.end);
            return Ok(None);
        }
        let (len, packet) = match self.framing.announce(&mut self.input, self.number)? {
            Announced::Packet { len, packet } => (len, packet),
            Announced::End => {
                self.ended = true;
                return Ok(None);
            }
            Announced::Cut => {
                self.cut_at(place.offset);
                return Ok(None);
            }
        };
        let offset = self.input.position();
        if len > self.most as u64 {
            return Err(ContainerError::TooLong {
                format: F::FORMAT,
                offset,
                what: F::WHAT,
                found: len,
                most: self.most as u64,
            });
        }
        if !self.input.has(len) {
            self.cut_at(place.offset);
            return Ok(None);
        }
        // No more than `most`, which is one.
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let packet = Packet {
            len,
            offset,
            ..packet
        };
        self.end = offset + len as u64;
        self.waiting = Some(len);
        self.number += 1;
        self.keys.pass(&packet, place);
        Ok(Some(packet))
    }
}

impl<F: Framing> Walk for Framed<F> {
    fn place(&self) -> Place {
        Place {
            offset: self.end,
            number: self.number,
        }
    }

    fn go(&mut self, place: Place) -> Result<(), ContainerError> {
        self.input.seek_to(place.offset)?;
        self.end = place.offset;
        self.number = place.number;
        self.waiting = None;
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
        ContainerError::NoKey { format: F::FORMAT }
    }
}

impl<F: Framing> Demuxer for Framed<F> {
    fn format(&self) -> Format {
        F::FORMAT
    }

    fn track(&self) -> &Track {
        &self.track
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ContainerError> {
        if self.ended {
            return Ok(None);
        }
        let announced = self.announce();
        self.ended |= announced.is_err();
        announced
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ContainerError> {
        let len = self.waiting.ok_or(ContainerError::NoPacket)?;
        let room = into.len();
        let into = into.get_mut(..len);
        let into = into.ok_or(ContainerError::Room { len, room })?;
        self.waiting = None;
        let offset = self.input.position();
        match self.input.fill(into) {
            Ok(filled) if filled < len => Err(self.cut_at(offset).into()),
            Ok(_filled) => Ok(()),
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    fn seek(&mut self, presented: i64) -> Result<(), ContainerError> {
        keys::seek(self, presented)
    }

    fn cut(&self) -> Option<Cut> {
        self.cut
    }
}
