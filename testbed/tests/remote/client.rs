//! Clients in processes of their own, as other users.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use dmaflow_testbed::as_user;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// A client that has its buffers.
pub(crate) struct Client(Child);

fn command(user: u32, node: &Path, len: usize, count: usize) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_heap-client"));
    let (len, count) = (len.to_string(), count.to_string());
    let node = node.to_str().unwrap();
    as_user(user, program, &[node, &len, &count])
}

impl Client {
    /// Starts one and waits until it has its buffers.
    pub(crate) fn start(user: u32, node: &Path, len: usize, count: usize) -> Self {
        let mut command = command(user, node, len, count);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        assert_eq!(line, format!("has {count}\n"));
        Self(child)
    }

    /// Runs one that is to be refused, and returns what it says.
    pub(crate) fn refused(user: u32, node: &Path, len: usize, count: usize) -> String {
        let output = command(user, node, len, count).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    /// Takes a duplicate of one of its dma-bufs.
    pub(crate) fn steal_a_buffer(&self) -> OwnedFd {
        let pid = self.0.id();
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let is_buffer = |path: &Path| {
            let target = fs::read_link(path).unwrap();
            target.to_string_lossy().starts_with("/dmabuf:")
        };
        let buffer = fds
            .map(|fd| fd.path())
            .find(|path| is_buffer(path))
            .unwrap();
        let number = buffer.file_name().unwrap().to_str().unwrap();
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let flags = PidfdGetfdFlags::empty();
        pidfd_getfd(process, number.parse().unwrap(), flags).unwrap()
    }

    /// Has it end in order.
    pub(crate) fn ends(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
