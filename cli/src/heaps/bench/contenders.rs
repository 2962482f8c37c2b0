//! What takes part.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use dmaflow_core::heap::{Exporter, Heap, HeapInfo};
use dmaflow_heaps::KernelHeap;
use dmaflow_heaps::kernel::KernelNode;

use crate::sys::RawHeap;

/// A way to a buffer.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Opens it on a kernel's heap.
    pub(super) enter: fn(&KernelNode) -> Result<Box<dyn Entrant>, String>,
}

/// All that take part; the first is what the others are compared with.
pub(super) const CONTENDERS: &[Contender] = &[
    Contender {
        name: "raw",
        about: "DMA_HEAP_IOCTL_ALLOC and close as a C program calls them",
        enter: |node| {
            let heap = RawHeap::open(&node.path).map_err(|error| closed(node, &error))?;
            Ok(each(move |len| heap.allocate(len)))
        },
    },
    Contender {
        name: "heap",
        about: "a heap without helpers",
        enter: |node| Ok(heap(node.info.clone(), opened(node)?)),
    },
];

/// The names of those that --only can choose.
pub(super) fn names() -> PossibleValuesParser {
    CONTENDERS[1..]
        .iter()
        .map(|contender| contender.name)
        .into()
}

/// A contender at work.
pub(super) trait Entrant {
    /// Allocates buffers and lets each go before the next, and tells how long all took.
    fn block(&self, len: NonZeroUsize, buffers: u32) -> Result<Duration, String>;
}

/// Takes part with whatever gives a buffer that is closed when it is dropped.
fn each<F, B, E>(allocate: F) -> Box<dyn Entrant>
where
    F: Fn(NonZeroUsize) -> Result<B, E> + 'static,
    E: Display,
{
    Box::new(Each(allocate))
}

struct Each<F>(F);

impl<F, B, E> Entrant for Each<F>
where
    F: Fn(NonZeroUsize) -> Result<B, E>,
    E: Display,
{
    fn block(&self, len: NonZeroUsize, buffers: u32) -> Result<Duration, String> {
        let began = Instant::now();
        for _buffer in 0..buffers {
            drop((self.0)(len).map_err(|error| error.to_string())?);
        }
        Ok(began.elapsed())
    }
}

/// Takes part with a heap over an exporter.
fn heap(info: HeapInfo, exporter: impl Exporter + 'static) -> Box<dyn Entrant> {
    let heap = Heap::new(info, exporter);
    each(move |len| heap.allocate(len.get()))
}

fn opened(node: &KernelNode) -> Result<KernelHeap, String> {
    KernelHeap::open(&node.path).map_err(|errno| closed(node, &errno))
}

fn closed(node: &KernelNode, error: &dyn Display) -> String {
    format!("{} cannot be opened: {error}", node.path.display())
}
