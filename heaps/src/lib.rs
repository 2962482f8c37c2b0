//! The exporters that come with dmaflow: the kernel's dma-heaps, udmabuf, and memfd.
//!
//! [`registry`] finds what this machine has. Each exporter can also be registered alone, next
//! to a program's own. [`open`] takes the path of a node instead: a device of the kernel's, or
//! a socket behind which [`server`] lends out another process's heap.

pub mod kernel;
mod memfd;
mod node;
pub mod remote;
pub mod server;
mod sys;
mod udmabuf;

pub use kernel::KernelHeap;
pub use memfd::Memfd;
pub use node::{OpenHeap, open};
pub use remote::RemoteHeap;
pub use udmabuf::Udmabuf;

use std::path::{Path, PathBuf};

use dmaflow_core::Errno;
use dmaflow_core::heap::{Exporter, HeapInfo, HeapRegistry, RegistryError};

/// Registers every heap of this machine: the kernel's, then udmabuf, then memfd.
///
/// The order is one of preference: scattered memory is never scarce, contiguous memory is, and
/// memfds serve built-in stages only. A heap that is there and may not be opened is remembered
/// with the reason. A name with a `/` is taken for the path of a node, as [`open`] takes it.
#[must_use]
pub fn registry() -> HeapRegistry {
    let mut registry = HeapRegistry::with_nodes(|node| open(node));
    for heap in found() {
        add(&mut registry, heap);
    }
    registry
}

/// The exporter of one of this machine's heaps, with what it says of itself: for those who put a helper around it.
///
/// # Errors
/// As of opening a heap of [`registry`].
pub fn exporter(name: &str) -> Result<(HeapInfo, Box<dyn Exporter>), RegistryError> {
    let found = found();
    let known = found.iter().map(|heap| heap.info.name.clone()).collect();
    let mut found = found.into_iter();
    let Some(Found { info, node, opened }) = found.find(|heap| heap.info.answers_to(name)) else {
        let asked = name.to_owned();
        return Err(RegistryError::Unknown { asked, known });
    };
    match opened {
        Ok(exporter) => Ok((info, exporter)),
        Err(errno) => Err(RegistryError::Refused {
            name: name.to_owned(),
            reason: refusal(&node, errno),
        }),
    }
}

/// A heap of this machine, which may be opened or not.
struct Found {
    info: HeapInfo,
    node: PathBuf,
    opened: Result<Box<dyn Exporter>, Errno>,
}

fn found() -> Vec<Found> {
    fn boxed(exporter: impl Exporter + 'static) -> Box<dyn Exporter> {
        Box::new(exporter)
    }
    let mut found = Vec::new();
    match kernel::list(Path::new(kernel::NODES)) {
        Ok(nodes) => found.extend(nodes.into_iter().map(|node| Found {
            info: node.info,
            opened: KernelHeap::open(&node.path).map(boxed),
            node: node.path,
        })),
        Err(error) => tracing::debug!(%error, "no kernel heaps below {}", kernel::NODES),
    }
    found.push(Found {
        info: Udmabuf::info(),
        node: PathBuf::from(Udmabuf::NODE),
        opened: Udmabuf::open().map(boxed),
    });
    found.push(Found {
        info: Memfd::info(),
        node: PathBuf::new(),
        opened: Ok(boxed(Memfd)),
    });
    found
}

fn add(registry: &mut HeapRegistry, Found { info, node, opened }: Found) {
    match opened {
        Ok(exporter) => {
            if let Err(RegistryError::NameTaken { name }) = registry.register(info, exporter) {
                tracing::warn!(name, "a second heap of this name is left out");
            }
        }
        Err(errno) => registry.refuse(info, refusal(&node, errno)),
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
