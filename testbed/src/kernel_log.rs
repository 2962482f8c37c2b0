//! What the kernel says while something runs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::libc::O_NONBLOCK;

/// A parameter of a module that makes the kernel talk more, for as long as this lives.
#[derive(Debug)]
pub struct Verbose {
    parameter: PathBuf,
    before: String,
}

impl Verbose {
    /// Sets `/sys/module/MODULE/parameters/debug`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn module(module: &str, level: u32) -> Self {
        let parameter = PathBuf::from(format!("/sys/module/{module}/parameters/debug"));
        let before = fs::read_to_string(&parameter).unwrap();
        fs::write(&parameter, level.to_string()).unwrap();
        Self { parameter, before }
    }
}

impl Drop for Verbose {
    fn drop(&mut self) {
        // The module may be gone by now.
        fs::write(&self.parameter, self.before.trim()).ok();
    }
}

/// The kernel's log from now on.
#[derive(Debug)]
pub struct KernelLog(File);

impl KernelLog {
    /// From the next record on.
    ///
    /// # Panics
    /// When `/dev/kmsg` cannot be read.
    #[must_use]
    pub fn from_now() -> Self {
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(O_NONBLOCK);
        let mut log = Self(file.open("/dev/kmsg").unwrap());
        log.drain(|_before| ());
        log
    }

    /// Hands over each record that there is by now.
    ///
    /// # Panics
    /// When some were lost, since they were not read in time.
    pub fn drain(&mut self, mut each: impl FnMut(&str)) {
        // One read is one record.
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(len) => each(&String::from_utf8_lossy(&record[..len])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("/dev/kmsg: {error}"),
            }
        }
    }
}
