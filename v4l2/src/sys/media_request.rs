//! Requests of the media controller: `linux/media.h`.

use std::ffi::c_int;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use rustix::ioctl::opcode;

use super::call;
use super::request::{Number, Request, request};

const REQUEST_ALLOC: Request<c_int> =
    request(opcode::read::<c_int>(b'|', 5) as Number, 0x8004_7c05);
const REQUEST_QUEUE: Request<()> = request(opcode::none(b'|', 0x80) as Number, 0x7c80);
const REQUEST_REINIT: Request<()> = request(opcode::none(b'|', 0x81) as Number, 0x7c81);

/// Makes a request of a media device.
#[doc(alias = "MEDIA_IOC_REQUEST_ALLOC")]
pub(crate) fn alloc(media: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let mut fd: c_int = -1;
    // SAFETY: a number holds no pointers.
    unsafe { call(media, REQUEST_ALLOC, &mut fd) }?;
    // SAFETY: the kernel made the descriptor for us, close-on-exec, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Hands a request to its driver, with all that was put into it.
#[doc(alias = "MEDIA_REQUEST_IOC_QUEUE")]
pub(crate) fn queue(request: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the kernel takes no argument.
    unsafe { call(request, REQUEST_QUEUE, &mut ()) }
}

/// Empties a request that is done, or was not handed over, to be used again.
#[doc(alias = "MEDIA_REQUEST_IOC_REINIT")]
pub(crate) fn reinit(request: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: the kernel takes no argument.
    unsafe { call(request, REQUEST_REINIT, &mut ()) }
}
