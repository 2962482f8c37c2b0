//! Permissions of device nodes, for as long as a test needs them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A node with other permissions; those that it had come back when this is dropped.
#[derive(Debug)]
pub struct NodeMode {
    path: PathBuf,
    before: Permissions,
}

impl NodeMode {
    /// Gives `path` the permissions `mode`, as for chmod(2).
    ///
    /// # Panics
    /// When there is no such node, or it is another user's.
    #[must_use]
    pub fn set(path: &Path, mode: u32) -> Self {
        let changed = Self {
            path: path.to_owned(),
            before: fs::metadata(path).expect("a node").permissions(),
        };
        changed.change(mode);
        changed
    }

    /// Gives it yet other permissions.
    ///
    /// # Panics
    /// When the node is gone.
    pub fn change(&self, mode: u32) {
        fs::set_permissions(&self.path, Permissions::from_mode(mode)).expect("a node of ours");
    }
}

impl Drop for NodeMode {
    fn drop(&mut self) {
        // The device may be gone by now, and its node with it.
        fs::set_permissions(&self.path, self.before.clone()).ok();
    }
}
