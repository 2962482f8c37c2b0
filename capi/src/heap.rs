//! Heaps as C has them.

use std::ffi::{CStr, CString};

use dmaflow_core::heap::{Account, AllocOptions, Heap};

use crate::buffer::{BUFFERS, Buffer};
use crate::call::for_c;
use crate::failure::Failure;
use crate::handles::Handles;

pub(crate) static HEAPS: Handles<OpenHeap> = Handles::new("heap");
pub(crate) static LISTS: Handles<Vec<CString>> = Handles::new("list of heaps");

/// A heap that was opened, and its name where C can read it.
pub(crate) struct OpenHeap {
    heap: Heap,
    name: CString,
}

/// Opens a heap by name or path, for an account where one is named; gives its handle.
pub(crate) fn open(name: &str, account: Option<&str>) -> Result<usize, Failure> {
    let heap = dmaflow_heaps::registry().open(name)?;
    let heap = match account {
        Some(account) => heap.for_account(&Account::new(account)),
        None => heap,
    };
    let name = for_c(heap.name());
    Ok(HEAPS.put(OpenHeap { heap, name }))
}

impl OpenHeap {
    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// Allocates a buffer and gives its handle; an alignment of 0 is none.
    pub(crate) fn alloc(&self, len: usize, align: usize, flags: u64) -> Result<usize, Failure> {
        let align = align.max(1);
        let buffer = self
            .heap
            .allocate_with(len, AllocOptions { align, flags })?;
        Ok(BUFFERS.put(Buffer::new(buffer)))
    }
}

/// Lists the heaps that can be opened, and gives the list's handle.
pub(crate) fn list() -> usize {
    let registry = dmaflow_heaps::registry();
    let names = registry.heaps().map(|heap| for_c(heap.name()));
    LISTS.put(names.collect())
}
