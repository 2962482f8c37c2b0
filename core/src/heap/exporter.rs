//! What an exporter does for its heap.

use std::num::NonZeroUsize;

use nix::errno::Errno;

use super::ClientId;
use crate::dma_buf::{DmaBuf, DmaBufError};

/// What an exporter is asked for. The core has checked it against the heap's
/// [`HeapInfo`](super::HeapInfo).
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The least length in bytes, in whole pages.
    pub len: NonZeroUsize,
    /// What the memory's beginning is to be aligned to, in bytes: a power of two.
    pub align: usize,
    /// For whom it is: memory that another client used must be cleared.
    pub client: ClientId,
}

/// Memory that an exporter keeps though nobody uses it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// Bytes kept for reuse.
    pub cached: u64,
    /// Bytes released, and not yet given back to the system.
    pub deferred: u64,
    /// Bytes that were kept and then given back to the system, ever.
    pub reclaimed: u64,
}

impl std::ops::Add for Idle {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cached: self.cached + other.cached,
            deferred: self.deferred + other.deferred,
            reclaimed: self.reclaimed + other.reclaimed,
        }
    }
}

/// The operations of a heap, kept by the exporter.
pub trait Exporter: Send + Sync {
    /// Gives a buffer as asked, zeroed unless the heap's information says otherwise.
    ///
    /// # Errors
    /// Whatever the exporter's memory refuses with.
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError>;

    /// Gives a buffer as [`Exporter::allocate`] does, to the account of this name.
    ///
    /// For an exporter that has books kept elsewhere, as a heap's server does; the default
    /// leaves the name out.
    ///
    /// # Errors
    /// Whatever the exporter's memory refuses with.
    fn allocate_named(&self, request: &Request, account: &str) -> Result<DmaBuf, ExportError> {
        let _unused = account;
        self.allocate(request)
    }

    /// Takes a buffer back, which `client` used, when its last user in this process has let go.
    ///
    /// The default closes it, which frees the memory once no device holds it either.
    fn release(&self, buffer: DmaBuf, client: ClientId) {
        let _closed = client;
        drop(buffer);
    }

    /// Whether releasing a buffer is closing it, as the default does. The core then closes
    /// buffers where it is, which makes short-lived ones cheaper.
    fn only_closes(&self) -> bool {
        false
    }

    /// The memory it keeps though nobody uses it; none by default.
    fn idle(&self) -> Idle {
        Idle::default()
    }

    /// The longest buffer it could give now, in bytes, where it can tell.
    fn available(&self) -> Option<u64> {
        None
    }
}

impl<E: Exporter + ?Sized> Exporter for Box<E> {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        (**self).allocate(request)
    }

    fn allocate_named(&self, request: &Request, account: &str) -> Result<DmaBuf, ExportError> {
        (**self).allocate_named(request, account)
    }

    fn release(&self, buffer: DmaBuf, client: ClientId) {
        (**self).release(buffer, client);
    }

    fn only_closes(&self) -> bool {
        (**self).only_closes()
    }

    fn idle(&self) -> Idle {
        (**self).idle()
    }

    fn available(&self) -> Option<u64> {
        (**self).available()
    }
}

/// Why an exporter gave no buffer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The operating system refused.
    #[error("{call} failed")]
    Os {
        /// The system call or ioctl.
        call: &'static str,
        /// ENOMEM when the memory is full or too fragmented, EACCES without permission.
        source: Errno,
    },
    /// The exporter refused, and says itself why and what to do.
    #[error("{reason}")]
    Refused {
        /// What kind of refusal it is: ENOMEM for memory that is full or too fragmented,
        /// ENODEV for a device or server that is gone, EDQUOT at a budget's limit.
        errno: Errno,
        /// What was found and what to do, to be read after a colon.
        reason: String,
    },
    /// What came back cannot be used as a buffer.
    #[error(transparent)]
    Buffer(#[from] DmaBufError),
}

impl ExportError {
    /// The error number, where there is one.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Os { source, .. } => Some(*source),
            Self::Refused { errno, .. } => Some(*errno),
            Self::Buffer(error) => error.errno(),
        }
    }
}
