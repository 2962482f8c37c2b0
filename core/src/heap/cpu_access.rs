//! CPU sight of a heap's buffer that no borrow bounds, for callers from other languages.

use std::ptr::NonNull;
use std::sync::Arc;

use super::HeapBuffer;
use crate::dma_buf::{Access, CpuUse, DmaBufError, Lent};

/// The bytes of a buffer, open to the CPU until this is dropped; the buffer stays until then.
///
/// It follows the rules of [`DmaBuf::read`](crate::dma_buf::DmaBuf::read) and
/// [`DmaBuf::write`](crate::dma_buf::DmaBuf::write), whose guards are for Rust: readers share, a
/// writer is alone.
#[derive(Debug)]
pub struct CpuAccess {
    /// Before the buffer, which it must not outlive.
    lent: Lent,
    buffer: Arc<HeapBuffer>,
}

impl CpuAccess {
    /// Opens the whole buffer; [`Access::Write`] is for reading as well.
    ///
    /// # Errors
    /// As [`DmaBuf::write`](crate::dma_buf::DmaBuf::write): [`DmaBufError::Busy`] while another
    /// access is open that this one would race with.
    pub fn begin(
        buffer: Arc<HeapBuffer>,
        access: Access,
        purpose: CpuUse,
    ) -> Result<Self, DmaBufError> {
        let lent = buffer.begin_cpu_access(access, purpose)?;
        Ok(Self { lent, buffer })
    }

    /// Where its bytes begin; they stay there for as long as this lives.
    #[must_use]
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.lent.address()
    }
}

impl Drop for CpuAccess {
    fn drop(&mut self) {
        self.buffer.end_cpu_access(&self.lent);
    }
}
