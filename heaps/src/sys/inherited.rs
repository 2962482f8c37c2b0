//! Descriptors that this process was started with.

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// The first descriptor that systemd passes (`SD_LISTEN_FDS_START`).
const FIRST: i32 = 3;

/// Takes the first `count` descriptors behind standard error, and keeps them from programs that
/// are started later. EALREADY when they were taken before.
pub(crate) fn take(count: i32) -> Result<Vec<OwnedFd>, Errno> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(Errno::EALREADY);
    }
    let numbers = FIRST..FIRST.saturating_add(count);
    let fds = numbers.map(|number| {
        if std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err() {
            return Err(Errno::EBADF);
        }
        // SAFETY: whoever started us left these descriptors for us and says so in `LISTEN_FDS`,
        // and this one is open; nothing else in this process has it, since they are taken once,
        // above, and before this process opens what could have its number (`server::inherited`).
        let fd = unsafe { OwnedFd::from_raw_fd(number) };
        fcntl(&fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        Ok(fd)
    });
    fds.collect()
}
