//! An ioctl that no package knows.
#![expect(
    unsafe_code,
    reason = "ioctls have no safe form; every block names what makes it sound"
)]

use std::fs::File;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// `struct sw_sync_create_fence_data` in `drivers/dma-buf/sw_sync.c`.
#[repr(C)]
struct SwSyncCreateFenceData {
    value: u32,
    name: [u8; 32],
    fence: i32,
}

const _: () = assert!(size_of::<SwSyncCreateFenceData>() == 40);
const _: () = assert!(offset_of!(SwSyncCreateFenceData, fence) == 36);

nix::ioctl_readwrite!(ioctl_create_fence, b'W', 0, SwSyncCreateFenceData);

/// Makes a sync file that signals when the timeline behind `sw_sync` reaches `value`.
#[doc(alias = "SW_SYNC_IOC_CREATE_FENCE")]
pub(crate) fn create_fence(sw_sync: &File, value: u32) -> Result<OwnedFd, Errno> {
    let mut data = SwSyncCreateFenceData {
        value,
        name: [0; 32],
        fence: -1,
    };
    // SAFETY: `data` is a live structure of the driver's own layout.
    unsafe { ioctl_create_fence(sw_sync.as_raw_fd(), &raw mut data) }?;
    // Whatever is behind the file has to have stored a descriptor.
    if data.fence < 0 {
        return Err(Errno::ENOTTY);
    }
    // SAFETY: the driver has stored a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(data.fence) })
}
