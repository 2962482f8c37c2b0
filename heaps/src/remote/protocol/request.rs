//! What a client asks.

use super::fields::{Fields, Header, Message};
use super::{Kind, LABEL_MOST, Label, Malformed};

/// How long every request is, in bytes.
pub const REQUEST_LEN: usize = 128;

/// A client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its reply has the same one; not 0.
    pub serial: u32,
    /// What is asked.
    pub ask: Ask,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What the heap is; the first thing said, once.
    Hello {
        /// The client's program.
        program: Label,
    },
    /// A buffer.
    Allocate {
        /// Its least length in bytes.
        len: u64,
        /// What its beginning is to be aligned to, in bytes.
        align: u64,
        /// None is defined.
        flags: u64,
        /// The pipeline it is for, or nothing.
        label: Label,
    },
    /// To have let go of a buffer. Not replied to.
    Release {
        /// The dma-buf's inode number.
        id: u64,
    },
    /// The longest buffer that could be had now.
    Available,
    /// A line of the list of who has how much; the first one has the list made anew.
    Stats {
        /// Which line, from 0.
        line: u32,
    },
}

impl Ask {
    /// Which kind of message it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello { .. } => Kind::Hello,
            Self::Allocate { .. } => Kind::Allocate,
            Self::Release { .. } => Kind::Release,
            Self::Available => Kind::Available,
            Self::Stats { .. } => Kind::Stats,
        }
    }

    /// Writes the message that asks this.
    #[must_use]
    pub fn encode(&self, serial: u32) -> [u8; REQUEST_LEN] {
        let mut message = Message::new(&Header {
            kind: self.kind(),
            serial,
            errno: 0,
        });
        match self {
            Self::Hello { program } => message.text::<LABEL_MOST>(program.as_str()),
            Self::Allocate {
                len,
                align,
                flags,
                label,
            } => {
                message.u64(*len);
                message.u64(*align);
                message.u64(*flags);
                message.text::<LABEL_MOST>(label.as_str());
            }
            Self::Release { id } => message.u64(*id),
            Self::Available => {}
            Self::Stats { line } => message.u32(*line),
        }
        message.finish()
    }
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Malformed`], unless every byte is as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (header, mut fields) = Fields::of(bytes, REQUEST_LEN)?;
        if header.errno != 0 {
            return Err(Malformed::Unused);
        }
        if header.serial == 0 {
            return Err(Malformed::Field("serial"));
        }
        let ask = match header.kind {
            Kind::Hello => Ask::Hello {
                program: label(&mut fields)?,
            },
            Kind::Allocate => Ask::Allocate {
                len: fields.u64()?,
                align: fields.u64()?,
                flags: fields.u64()?,
                label: label(&mut fields)?,
            },
            Kind::Release => Ask::Release { id: fields.u64()? },
            Kind::Available => Ask::Available,
            Kind::Stats => Ask::Stats {
                line: fields.u32()?,
            },
        };
        fields.finish()?;
        Ok(Self {
            serial: header.serial,
            ask,
        })
    }

    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        self.ask.encode(self.serial)
    }
}

fn label(fields: &mut Fields<'_>) -> Result<Label, Malformed> {
    fields.text::<LABEL_MOST>().map(Label::new)
}
