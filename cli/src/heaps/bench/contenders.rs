//! What takes part.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use dmaflow_core::heap::{AllocError, Exporter, Heap, HeapInfo};
use dmaflow_heaps::kernel::KernelNode;
use dmaflow_heaps::{CarveOut, CarveOutConfig, Clearing, KernelHeap, PagePool, Pages, PoolPolicy};

/// What carve-outs set aside: the longest buffer that udmabuf makes unless told otherwise.
const REGION: u64 = 64 << 20;

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
    Contender {
        name: "pool",
        about: "a page pool, which gives a client its own memory back",
        enter: |node| pool(node, Clearing::BetweenClients),
    },
    Contender {
        name: "pool-cleared",
        about: "a page pool that clears what it gives",
        enter: |node| pool(node, Clearing::Always),
    },
    Contender {
        name: "carve-out",
        about: "a carve-out, which gives a client its own memory back",
        enter: |_node| carve_out(Pages::Normal, Clearing::BetweenClients),
    },
    Contender {
        name: "carve-out-huge",
        about: "the same, on huge pages",
        enter: |_node| carve_out(Pages::Huge, Clearing::BetweenClients),
    },
    Contender {
        name: "carve-out-cleared",
        about: "a carve-out that clears what it gives",
        enter: |_node| carve_out(Pages::Normal, Clearing::Always),
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

/// Takes part with a heap that gives memory again. Each buffer's descriptor is lent, as it is
/// to any device, so that whether somebody still has it must be asked when it comes back.
fn reusing(info: HeapInfo, exporter: impl Exporter + 'static) -> Box<dyn Entrant> {
    let heap = Heap::new(info, exporter);
    each(move |len| {
        let buffer = heap.allocate(len.get())?;
        std::hint::black_box(buffer.as_fd());
        Ok::<_, AllocError>(buffer)
    })
}

fn pool(node: &KernelNode, clearing: Clearing) -> Result<Box<dyn Entrant>, String> {
    let policy = PoolPolicy {
        clearing,
        ..PoolPolicy::default()
    };
    let pool = PagePool::new(opened(node)?, policy);
    Ok(reusing(policy.info(node.info.clone()), pool))
}

fn carve_out(pages: Pages, clearing: Clearing) -> Result<Box<dyn Entrant>, String> {
    let config = CarveOutConfig {
        size: REGION,
        pages,
        clearing,
    };
    let region = CarveOut::new(config).map_err(|error| error.to_string())?;
    Ok(reusing(region.info("carve-out"), region))
}

fn opened(node: &KernelNode) -> Result<KernelHeap, String> {
    KernelHeap::open(&node.path).map_err(|errno| closed(node, &errno))
}

fn closed(node: &KernelNode, error: &dyn Display) -> String {
    format!("{} cannot be opened: {error}", node.path.display())
}
