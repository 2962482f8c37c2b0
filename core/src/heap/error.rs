//! Why a heap gave no buffer.

use nix::errno::Errno;

use super::account::OverBudget;
use super::exporter::ExportError;

/// Why a heap gave no buffer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AllocError {
    /// Nothing was asked for.
    #[error("heap `{heap}`: a buffer of 0 bytes was asked for")]
    Empty {
        /// The heap's name.
        heap: String,
    },
    /// More than one buffer of this heap can hold.
    #[error("heap `{heap}`: {asked} bytes were asked for, and its largest buffer is {largest}")]
    TooLarge {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// Bytes it gives at most.
        largest: u64,
    },
    /// An alignment that is no power of two, or more than the heap has.
    #[error(
        "heap `{heap}`: an alignment of {asked} bytes was asked for; it gives powers of two up \
         to {most}"
    )]
    Alignment {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// What it gives at most.
        most: usize,
    },
    /// Flags that mean nothing.
    #[error("heap `{heap}`: unknown flags {flags:#x}; no flags are defined, leave them 0")]
    Flags {
        /// The heap's name.
        heap: String,
        /// The flags that were given.
        flags: u64,
    },
    /// The heap or its user has had its share.
    #[error("heap `{heap}` gave no buffer of {asked} bytes: {over}")]
    OverBudget {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// Whose budget it is, and how much of it is used.
        over: Box<OverBudget>,
    },
    /// The exporter gave fewer bytes than were asked for.
    #[error("heap `{heap}`: {asked} bytes were asked for, and its exporter gave {given}")]
    Short {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// Bytes given.
        given: usize,
    },
    /// The exporter refused.
    #[error("heap `{heap}` gave no buffer of {asked} bytes{}", advice(.source))]
    Exporter {
        /// The heap's name.
        heap: String,
        /// Bytes asked for.
        asked: usize,
        /// What the exporter says.
        source: ExportError,
    },
}

impl AllocError {
    /// The kernel's number for this kind of refusal.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Self::Empty { .. } | Self::Alignment { .. } | Self::Flags { .. } => Errno::EINVAL,
            Self::TooLarge { .. } => Errno::ENOMEM,
            Self::OverBudget { .. } => Errno::EDQUOT,
            Self::Short { .. } => Errno::EIO,
            Self::Exporter { source, .. } => source.errno().unwrap_or(Errno::EIO),
        }
    }
}

/// What a user can do about the refusals that have a usual cause.
fn advice(error: &ExportError) -> String {
    let usual = match (error, error.errno()) {
        (ExportError::Refused { reason, .. }, _) => return format!(": {reason}"),
        (_, Some(Errno::ENOMEM)) => {
            ": its memory is full or too fragmented; use fewer or smaller buffers, another heap, \
             or, for the CMA, a larger `cma=` on the kernel's command line"
        }
        (_, Some(Errno::EACCES | Errno::EPERM)) => {
            ": permission denied; run as a user who may open the node, or add a udev rule for it"
        }
        (_, Some(Errno::EMFILE)) => ": this process has too many open files; raise `ulimit -n`",
        (_, Some(Errno::ENODEV)) => ": its device is gone",
        _ => "",
    };
    usual.to_owned()
}
