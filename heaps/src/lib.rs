//! The exporters that come with dmaflow: the kernel's dma-heaps, udmabuf over ordinary and over
//! huge pages, carve-outs, and memfd.
//!
//! [`registry`] finds what this machine has. Each exporter can also be registered alone, next
//! to a program's own. [`open`] takes the path of a node instead: a device of the kernel's, or
//! a socket behind which [`server`] lends out another process's heap.
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
mod node;
mod pool;
pub mod remote;
pub mod server;
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
pub use node::{OpenHeap, open};
pub use pool::{PagePool, PoolPolicy, PoolStats, WeakPool};
pub use remote::RemoteHeap;
pub use shrinker::{Reclaim, Shrinker, ShrinkerConfig};
pub use udmabuf::Udmabuf;

use std::fmt::Display;
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::heap::{Exporter, HeapInfo, HeapRegistry, RegistryError};

/// Registers every heap of this machine: the kernel's, then udmabuf, over ordinary and over huge
/// pages, then memfd. Carve-outs are made by whoever wants one.
///
/// The order is one of preference: scattered memory is never scarce, contiguous memory is, and
/// memfds serve built-in stages only. A heap that is there and may not be opened is remembered
/// with the reason. A name with a `/` is taken for the path of a node, as [`open`] takes it.
#[must_use]
pub fn registry() -> HeapRegistry {
    let mut registry = HeapRegistry::with_nodes(|node| open(node));
    for Found { info, opened } in found() {
        register(&mut registry, info, opened);
    }
    registry
}

/// Registers a heap, or remembers why it may not be used. A second heap of a name is left out,
/// with a word in the log.
pub fn register(
    registry: &mut HeapRegistry,
    info: HeapInfo,
    opened: Result<impl Exporter + 'static, impl Display>,
) {
    match opened {
        Ok(exporter) => {
            if let Err(error) = registry.register(info, exporter) {
                tracing::warn!(%error, "a heap is left out");
            }
        }
        Err(reason) => registry.refuse(info, reason.to_string()),
    }
}

/// The exporter of one of this machine's heaps, with what it says of itself: for those who put a
/// helper around it.
///
/// # Errors
/// As of opening a heap of [`registry`].
pub fn exporter(name: &str) -> Result<(HeapInfo, Box<dyn Exporter>), RegistryError> {
    let found = found();
    let known = found.iter().map(|heap| heap.info.name.clone()).collect();
    let mut found = found.into_iter();
    let Some(Found { info, opened }) = found.find(|heap| heap.info.answers_to(name)) else {
        let asked = name.to_owned();
        return Err(RegistryError::Unknown { asked, known });
    };
    match opened {
        Ok(exporter) => Ok((info, exporter)),
        Err(reason) => Err(RegistryError::Refused {
            name: name.to_owned(),
            reason,
        }),
    }
}

/// A heap of this machine, with its exporter or the reason why it may not be opened.
struct Found {
    info: HeapInfo,
    opened: Result<Box<dyn Exporter>, String>,
}

impl Found {
    fn new(info: HeapInfo, node: &Path, opened: Result<impl Exporter + 'static, Errno>) -> Self {
        let opened = match opened {
            Ok(exporter) => Ok(Box::new(exporter) as Box<dyn Exporter>),
            Err(errno) => Err(refusal(node, errno)),
        };
        Self { info, opened }
    }
}

fn found() -> Vec<Found> {
    let mut found = Vec::new();
    match kernel::list(Path::new(kernel::NODES)) {
        Ok(nodes) => found.extend(nodes.into_iter().map(|node| {
            let opened = KernelHeap::open(&node.path);
            Found::new(node.info, &node.path, opened)
        })),
        Err(error) => tracing::debug!(%error, "no kernel heaps below {}", kernel::NODES),
    }
    let node = Path::new(Udmabuf::NODE);
    found.push(Found::new(Udmabuf::info(), node, Udmabuf::open()));
    let huge = HugeUdmabuf::info();
    found.push(match HugeUdmabuf::reserved() {
        Ok(()) => Found::new(huge, node, HugeUdmabuf::open()),
        Err(none) => Found {
            info: huge,
            opened: Err(none.to_string()),
        },
    });
    found.push(Found::new(Memfd::info(), Path::new(""), Ok(Memfd)));
    found
}

fn refusal(node: &Path, errno: Errno) -> String {
    let shown = node.display();
    match errno {
        Errno::EACCES | Errno::EPERM => {
            // That of udmabuf is one of the class `misc`, as many that are nobody's business.
            let matched = if node == Path::new(Udmabuf::NODE) {
                "KERNEL==\"udmabuf\""
            } else {
                "SUBSYSTEM==\"dma_heap\""
            };
            format!(
                "permission denied on {shown}; run as a user who may open it, or add a udev rule \
                 such as `{matched}, GROUP=\"video\", MODE=\"0660\"`"
            )
        }
        Errno::ENOENT => format!("this kernel has no {shown}; load its module or build it in"),
        Errno::ENOTTY => format!(
            "{shown} is no device of the kernel's heaps, as far as /sys tells; is sysfs mounted?"
        ),
        Errno::ESTALE => format!("{shown} is being replaced; try again"),
        other => format!("{shown} cannot be opened: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_is_registered_or_refused_or_left_out() {
        let mut registry = HeapRegistry::new();
        let opened = || Ok::<_, Errno>(Memfd);
        register(&mut registry, Memfd::info(), opened());
        register(&mut registry, Memfd::info(), opened());
        let closed = Err::<Memfd, _>(Errno::EACCES);
        register(&mut registry, HeapInfo::new("closed"), closed);
        assert_eq!(registry.heaps().count(), 1);
        assert_eq!(registry.refused()[0].reason, Errno::EACCES.to_string());
    }

    #[test]
    fn a_rule_matches_the_node_that_is_closed() {
        let remedy = |node: &str| refusal(Path::new(node), Errno::EACCES);
        assert!(remedy("/dev/dma_heap/system").contains("`SUBSYSTEM==\"dma_heap\","));
        assert!(remedy(Udmabuf::NODE).contains("`KERNEL==\"udmabuf\","));
    }
}
