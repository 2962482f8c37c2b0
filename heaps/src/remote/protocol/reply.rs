//! What a server answers.

use dmaflow_core::Errno;
use dmaflow_core::heap::{Budget, HeapInfo, Usage};

use super::fields::{Fields, Header, Message};
use super::{Kind, LABEL_MOST, Label, Malformed, info};

/// How long every reply is, in bytes.
pub const REPLY_LEN: usize = 256;

/// How much of a refusal's reason is told, in bytes.
const REASON_MOST: usize = 238;

/// The kernel's numbers end before this (`MAX_ERRNO`).
const ERRNO_END: u32 = 4096;

/// A server's message.
#[derive(Clone, Debug)]
pub struct Reply {
    /// That of the request, or 0 before the server hangs up.
    pub serial: u32,
    /// Which kind of request it answers.
    pub kind: Kind,
    /// The answer.
    pub outcome: Result<Answer, Refusal>,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What the heap is.
    Hello(HeapInfo),
    /// A buffer, which comes along.
    Allocated {
        /// Its length in bytes.
        len: u64,
        /// The dma-buf's inode number.
        id: u64,
    },
    /// The longest buffer that could be had now, where the heap can tell.
    Available(Option<u64>),
    /// A line of the list, or `None` behind its end.
    Stats(Option<Figures>),
}

/// What an answer tells, unless it is one of another kind.
impl Answer {
    pub(in crate::remote) fn hello(self) -> Option<HeapInfo> {
        match self {
            Self::Hello(info) => Some(info),
            _ => None,
        }
    }

    pub(in crate::remote) fn allocated(self) -> Option<(u64, u64)> {
        match self {
            Self::Allocated { len, id } => Some((len, id)),
            _ => None,
        }
    }

    pub(in crate::remote) fn available(self) -> Option<Option<u64>> {
        match self {
            Self::Available(len) => Some(len),
            _ => None,
        }
    }

    pub(in crate::remote) fn stats(self) -> Option<Option<Figures>> {
        match self {
            Self::Stats(figures) => Some(figures),
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind, as the kernel numbers it.
    pub errno: Errno,
    /// What was found and what to do.
    pub reason: String,
}

/// Who has how much of a served heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Who.
    pub whose: Whose,
    /// What is and was on loan, with what lingers.
    pub usage: Usage,
    /// What may be on loan.
    pub budget: Budget,
    /// How much of it was released while others still had it.
    pub lingering: u64,
}

/// Somebody who has buffers of a served heap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// All together.
    Heap {
        /// The heap's name.
        name: Label,
    },
    /// A user's clients together, the dead ones' lingering buffers too.
    User {
        /// The user's number.
        uid: u32,
    },
    /// A connected client.
    Client {
        /// Its user's number.
        uid: u32,
        /// Its process, 0 where that is of another namespace.
        pid: u32,
        /// What it calls itself.
        program: Label,
    },
    /// A pipeline of the client before it.
    Pipeline {
        /// Its user's number.
        uid: u32,
        /// Its process, 0 where that is of another namespace.
        pid: u32,
        /// What it is called.
        label: Label,
    },
}

impl Reply {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Malformed`], unless every byte is as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (header, mut fields) = Fields::of(bytes, REPLY_LEN)?;
        let outcome = match header.errno {
            0 => Ok(answer(header.kind, &mut fields)?),
            1..ERRNO_END => {
                let number = header.errno.cast_signed();
                let errno = match Errno::from_raw(number) {
                    Errno::UnknownErrno => Errno::EIO,
                    known => known,
                };
                let reason = fields.text::<REASON_MOST>()?.to_owned();
                Err(Refusal { errno, reason })
            }
            _ => return Err(Malformed::Field("errno")),
        };
        fields.finish()?;
        if header.serial == 0 && outcome.is_ok() {
            return Err(Malformed::Field("serial"));
        }
        Ok(Self {
            serial: header.serial,
            kind: header.kind,
            outcome,
        })
    }

    /// Writes the message.
    #[must_use]
    pub fn encode(&self) -> [u8; REPLY_LEN] {
        let errno = self.outcome.as_ref().err().map_or(0, |refusal| {
            // Whatever else a refusal is, it is no success.
            (refusal.errno as i32).max(1).cast_unsigned()
        });
        let mut message = Message::new(&Header {
            kind: self.kind,
            serial: self.serial,
            errno,
        });
        match &self.outcome {
            Ok(Answer::Hello(heap)) => info::put(&mut message, heap),
            Ok(Answer::Allocated { len, id }) => {
                message.u64(*len);
                message.u64(*id);
            }
            Ok(Answer::Available(len)) => message.optional(*len),
            Ok(Answer::Stats(figures)) => {
                message.u8(u8::from(figures.is_some()));
                if let Some(figures) = figures {
                    put_figures(&mut message, figures);
                }
            }
            Err(refusal) => {
                let shown = refusal.reason.chars().filter(|c| !c.is_control());
                message.text::<REASON_MOST>(&shown.collect::<String>());
            }
        }
        message.finish()
    }
}

fn answer(kind: Kind, fields: &mut Fields<'_>) -> Result<Answer, Malformed> {
    Ok(match kind {
        Kind::Hello => Answer::Hello(info::take(fields)?),
        Kind::Allocate => Answer::Allocated {
            len: fields.u64()?,
            id: fields.u64()?,
        },
        Kind::Release => return Err(Malformed::Field("kind")),
        Kind::Available => Answer::Available(fields.optional()?),
        Kind::Stats => Answer::Stats(match fields.u8()? {
            0 => None,
            1 => Some(take_figures(fields)?),
            _ => return Err(Malformed::Field("more")),
        }),
    })
}

fn put_figures(message: &mut Message<REPLY_LEN>, figures: &Figures) {
    let (sort, uid, pid, text) = match &figures.whose {
        Whose::Heap { name } => (0, 0, 0, name.as_str()),
        Whose::User { uid } => (1, *uid, 0, ""),
        Whose::Client { uid, pid, program } => (2, *uid, *pid, program.as_str()),
        Whose::Pipeline { uid, pid, label } => (3, *uid, *pid, label.as_str()),
    };
    message.u8(sort);
    message.u32(uid);
    message.u32(pid);
    message.text::<LABEL_MOST>(text);
    let usage = figures.usage;
    for number in [
        usage.live,
        usage.peak,
        usage.total,
        usage.failed,
        usage.live_bytes,
        usage.peak_bytes,
        figures.lingering,
    ] {
        message.u64(number);
    }
    message.optional(figures.budget.bytes);
    message.optional(figures.budget.buffers);
}

fn take_figures(fields: &mut Fields<'_>) -> Result<Figures, Malformed> {
    let sort = fields.u8()?;
    let (uid, pid) = (fields.u32()?, fields.u32()?);
    let text = Label::new(fields.text::<LABEL_MOST>()?);
    let whose = match sort {
        0 if (uid, pid) == (0, 0) => Whose::Heap { name: text },
        1 if pid == 0 && text.is_empty() => Whose::User { uid },
        2 => Whose::Client {
            uid,
            pid,
            program: text,
        },
        3 => Whose::Pipeline {
            uid,
            pid,
            label: text,
        },
        _ => return Err(Malformed::Field("whose")),
    };
    let usage = Usage {
        live: fields.u64()?,
        peak: fields.u64()?,
        total: fields.u64()?,
        failed: fields.u64()?,
        live_bytes: fields.u64()?,
        peak_bytes: fields.u64()?,
    };
    let lingering = fields.u64()?;
    let budget = Budget {
        bytes: fields.optional()?,
        buffers: fields.optional()?,
    };
    Ok(Figures {
        whose,
        usage,
        budget,
        lingering,
    })
}
