//! Events.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;

use super::{call, raw, request};

/// Has events of a kind queued for this descriptor; EINVAL where the driver has none of it.
#[doc(alias = "VIDIOC_SUBSCRIBE_EVENT")]
pub(crate) fn subscribe_event(fd: BorrowedFd<'_>, kind: u32, id: u32) -> Result<(), Errno> {
    let mut arg = request::zeroed::<raw::v4l2_event_subscription>();
    (arg.type_, arg.id) = (kind, id);
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::SUBSCRIBE_EVENT, &mut arg) }
}

/// Ends every subscription of this descriptor; what waits is forgotten.
#[doc(alias = "VIDIOC_UNSUBSCRIBE_EVENT")]
pub(crate) fn forget_events(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut arg = request::zeroed::<raw::v4l2_event_subscription>();
    arg.type_ = raw::V4L2_EVENT_ALL;
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::UNSUBSCRIBE_EVENT, &mut arg) }
}

/// Takes the event that waits longest, and tells its kind. On a descriptor in blocking mode it
/// waits for one, and a device that goes away meanwhile does not wake it.
#[doc(alias = "VIDIOC_DQEVENT")]
pub(crate) fn dequeue_event(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut arg = request::zeroed::<raw::v4l2_event>();
    // SAFETY: the structure holds no pointers.
    unsafe { call(fd, request::DQEVENT, &mut arg) }?;
    Ok(arg.type_)
}
