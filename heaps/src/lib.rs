//! The exporters that come with dmaflow: the kernel's dma-heaps, udmabuf over ordinary and over
//! huge pages, carve-outs, and memfd.
//!
//! [`registry`] finds what this machine has. Each exporter can also be registered alone, next
//! to a program's own.
//!
//! Helpers are exporters around exporters, offered and never forced: [`PagePool`] keeps freed
//! buffers for reuse, [`DeferredFree`] frees on a worker. A [`Shrinker`] trims what pools keep
//! when memory becomes scarce.

pub mod carveout;
mod clearing;
mod deferred;
mod huge_udmabuf;
mod hugepages;
pub mod kernel;
mod memfd;
mod pool;
pub mod shrinker;
mod sys;
#[cfg(test)]
mod testing;
mod udmabuf;

pub use carveout::{CarveOut, CarveOutConfig, Pages};
pub use clearing::Clearing;
pub use deferred::DeferredFree;
pub use huge_udmabuf::HugeUdmabuf;
pub use kernel::KernelHeap;
pub use memfd::Memfd;
pub use pool::{PagePool, PoolPolicy, PoolStats, WeakPool};
pub use shrinker::{Reclaim, Shrinker, ShrinkerConfig};
pub use udmabuf::Udmabuf;

use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::heap::{Exporter, HeapInfo, HeapRegistry, RegistryError};

/// Registers every heap of this machine: the kernel's, then udmabuf, over ordinary and over huge
/// pages, then memfd. Carve-outs are made by whoever wants one.
///
/// The order is one of preference: scattered memory is never scarce, contiguous memory is, and
/// memfds serve built-in stages only. A heap that is there and may not be opened is remembered
/// with the reason.
#[must_use]
pub fn registry() -> HeapRegistry {
    let mut registry = HeapRegistry::new();
    match kernel::list(Path::new(kernel::NODES)) {
        Ok(nodes) => {
            for node in nodes {
                let opened = KernelHeap::open(&node.path);
                add(&mut registry, node.info, opened, &node.path);
            }
        }
        Err(error) => tracing::debug!(%error, "no kernel heaps below {}", kernel::NODES),
    }
    add(
        &mut registry,
        Udmabuf::info(),
        Udmabuf::open(),
        Path::new(Udmabuf::NODE),
    );
    match HugeUdmabuf::reserved() {
        Ok(()) => add(
            &mut registry,
            HugeUdmabuf::info(),
            HugeUdmabuf::open(),
            Path::new(Udmabuf::NODE),
        ),
        Err(none) => registry.refuse(HugeUdmabuf::info(), none.to_string()),
    }
    add(&mut registry, Memfd::info(), Ok(Memfd), Path::new(""));
    registry
}

fn add(
    registry: &mut HeapRegistry,
    info: HeapInfo,
    opened: Result<impl Exporter + 'static, Errno>,
    node: &Path,
) {
    match opened {
        Ok(exporter) => {
            if let Err(RegistryError::NameTaken { name }) = registry.register(info, exporter) {
                tracing::warn!(name, "a second heap of this name is left out");
            }
        }
        Err(errno) => registry.refuse(info, refusal(node, errno)),
    }
}

fn refusal(node: &Path, errno: Errno) -> String {
    let node = node.display();
    match errno {
        Errno::EACCES | Errno::EPERM => format!(
            "permission denied on {node}; run as a user who may open it, or add a udev rule \
             such as `SUBSYSTEM==\"dma_heap\", GROUP=\"video\", MODE=\"0660\"`"
        ),
        Errno::ENOENT => format!("this kernel has no {node}; load its module or build it in"),
        other => format!("{node} cannot be opened: {other}"),
    }
}
