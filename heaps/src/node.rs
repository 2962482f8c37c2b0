//! Opening a heap by its node, whoever is behind it.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::heap::{Heap, RegistryError};

use crate::kernel::{self, KernelHeap};
use crate::remote::RemoteHeap;

/// Opens the heap behind a node: a device of the kernel's, or a socket of a server's. What it
/// returns does not show which.
///
/// # Errors
/// [`RegistryError::Refused`] where there is no such node, where it may not be opened, where
/// nobody is behind it, and where it is something else.
pub fn open(node: impl AsRef<Path>) -> Result<Heap, RegistryError> {
    let node = node.as_ref();
    heap(node).map_err(|reason| RegistryError::Refused {
        name: node.display().to_string(),
        reason,
    })
}

/// `Heap::open`.
pub trait OpenHeap: Sized {
    /// Opens the heap behind a node, as [`open`] does.
    ///
    /// # Errors
    /// As [`open`].
    fn open(node: impl AsRef<Path>) -> Result<Self, RegistryError>;
}

impl OpenHeap for Heap {
    fn open(node: impl AsRef<Path>) -> Result<Self, RegistryError> {
        open(node)
    }
}

fn heap(node: &Path) -> Result<Heap, String> {
    let shown = node.display();
    let found = std::fs::metadata(node).map_err(|error| refusal(node, errno(&error)))?;
    if found.file_type().is_socket() {
        let remote = RemoteHeap::open(node).map_err(|error| error.to_string())?;
        return Ok(Heap::new(remote.info().clone(), remote));
    }
    let opened = KernelHeap::open(node).map_err(|errno| match errno {
        Errno::ENOTTY => {
            format!("{shown} is neither a device of the kernel's heaps nor a heap server's socket")
        }
        errno => refusal(node, errno),
    })?;
    let real = std::fs::canonicalize(node).unwrap_or_else(|_unreadable| node.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    Ok(Heap::new(kernel::describe(&name), opened))
}

/// What the system says, as far as it is the system that does.
pub(crate) fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// Why a node cannot be opened, and what to do about it.
pub(crate) fn refusal(node: &Path, errno: Errno) -> String {
    let shown = node.display();
    match errno {
        Errno::ENOENT | Errno::ENOTDIR => format!(
            "there is no node {shown}; is the server started that makes it (`dmaflow heaps \
             serve`), or the kernel's driver loaded?"
        ),
        Errno::EACCES | Errno::EPERM => match std::fs::metadata(node) {
            Ok(found) if found.file_type().is_socket() => format!(
                "permission denied on {shown}, which is of user {}, group {} and mode {:04o}; \
                 join the group, or have the server's file give it another `group` or `mode`",
                found.uid(),
                found.gid(),
                found.permissions().mode() & 0o7777,
            ),
            _ => crate::refusal(node, errno),
        },
        other => crate::refusal(node, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_heaps_node_is_told_so() {
        let reason = |path: &str| open(path).unwrap_err().to_string();
        assert!(reason("/nowhere/at/all").contains("there is no node"));
        for other in ["/dev/null", "/proc/self/exe", "/"] {
            assert!(reason(other).contains("neither"), "{}", reason(other));
        }
    }
}
