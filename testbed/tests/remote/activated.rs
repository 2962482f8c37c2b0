//! The program, started by systemd's own hand at the first client.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use dmaflow_testbed::{command, eventually};

/// A socket of `systemd-socket-activate`, and the server behind it once somebody came.
pub(crate) struct Activated {
    child: Child,
    directory: PathBuf,
}

impl Activated {
    /// Listens for a server of the heap `system`.
    pub(crate) fn start() -> Self {
        let directory = std::env::temp_dir().join("dmaflow-activated");
        fs::create_dir(&directory).unwrap();
        let file = directory.join("heaps.toml");
        fs::write(&file, "[heap.camera]\nfrom = \"system\"\n").unwrap();
        let activated = Self {
            child: command("systemd-socket-activate", &["--seqpacket", "-l"])
                .arg(directory.join("camera"))
                .args(["--fdname=camera", "dmaflow", "heaps", "serve"])
                .arg(file)
                .spawn()
                .unwrap(),
            directory,
        };
        let is_socket = |path: &Path| fs::metadata(path).is_ok_and(|at| at.file_type().is_socket());
        eventually("socket of systemd's", || is_socket(&activated.node()));
        activated
    }

    pub(crate) fn node(&self) -> PathBuf {
        self.directory.join("camera")
    }

    /// What runs at the moment behind the socket.
    pub(crate) fn program(&self) -> String {
        let comm = fs::read_to_string(format!("/proc/{}/comm", self.child.id()));
        comm.unwrap().trim_end().to_owned()
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        fs::remove_dir_all(&self.directory).unwrap();
    }
}
