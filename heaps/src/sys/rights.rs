//! Descriptors that others would send us.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

/// `SO_PASSRIGHTS` of `include/uapi/asm-generic/socket.h`.
const SO_PASSRIGHTS: libc::c_int = 83;

const LEN: libc::socklen_t = 4;
const _: () = assert!(size_of::<libc::c_int>() == LEN as usize);

/// Has the kernel refuse descriptors that are sent to a socket, or to one that it accepts from
/// now on: their sender gets EPERM. What the socket itself sends is as before.
///
/// ENOPROTOOPT before Linux 6.16.
#[doc(alias = "SO_PASSRIGHTS")]
pub(crate) fn refuse(socket: impl AsFd) -> Result<(), Errno> {
    let pass: libc::c_int = 0;
    let fd = socket.as_fd().as_raw_fd();
    let value = (&raw const pass).cast();
    // SAFETY: `value` leads to a live integer of `LEN` bytes, which the kernel only reads.
    let done = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, SO_PASSRIGHTS, value, LEN) };
    Errno::result(done).map(drop)
}
