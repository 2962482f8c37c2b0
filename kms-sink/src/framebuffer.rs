//! Framebuffers: buffers of a pool as a card knows them, made once each.

mod refusal;

use std::os::fd::AsFd;
use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::heap::{Heap, HeapBuffer};
use dmaflow_core::layout::{Layout, MAX_PLANES, Modifier};
use dmaflow_core::stage::StageError;
use drm::DriverCapability;
use drm::control::{Device, from_u32};
use drm_ffi::{DRM_MODE_FB_MODIFIERS, gem, mode};
use nix::sys::stat::fstat;

use crate::card::{Card, retry};
use crate::error::KmsSinkError;
use refusal::{Made, refusal};

/// A framebuffer, removed when dropped; the kernel switches off what still shows it.
#[derive(Debug)]
pub(crate) struct Framebuffer {
    card: Arc<Card>,
    id: u32,
}

impl Framebuffer {
    /// The value of the property `FB_ID`.
    pub(crate) fn id(&self) -> u64 {
        self.id.into()
    }

    /// Makes a framebuffer of handles, one for each of the layout's buffers.
    #[doc(alias = "DRM_IOCTL_MODE_ADDFB2")]
    pub(crate) fn new(card: &Arc<Card>, layout: &Layout, handles: &[u32]) -> Result<Self, Errno> {
        let with_modifiers = card.capability(DriverCapability::AddFB2Modifiers) != 0;
        let mut plane_handles = [0; MAX_PLANES];
        let mut pitches = [0; MAX_PLANES];
        let mut offsets = [0; MAX_PLANES];
        let mut modifiers = [0; MAX_PLANES];
        for (index, plane) in layout.planes().iter().enumerate() {
            plane_handles[index] = *handles.get(plane.buffer).ok_or(Errno::EINVAL)?;
            pitches[index] = plane.stride;
            offsets[index] = plane.offset;
            if with_modifiers {
                modifiers[index] = layout.modifier().0;
            }
        }
        let made = retry(|| {
            mode::add_fb2(
                card.as_fd(),
                layout.width(),
                layout.height(),
                layout.format().drm().map_or(0, |code| code.to_u32()),
                &plane_handles,
                &pitches,
                &offsets,
                &modifiers,
                if with_modifiers {
                    DRM_MODE_FB_MODIFIERS
                } else {
                    0
                },
            )
        })?;
        Ok(Self {
            card: Arc::clone(card),
            id: made.fb_id,
        })
    }
}

impl Framebuffer {
    /// The inodes of the buffers behind it, by the kernel's word.
    ///
    /// # Errors
    /// EACCES without control of the card, EINVAL before Linux 5.7.
    #[doc(alias = "DRM_IOCTL_MODE_GETFB2")]
    pub(crate) fn inodes(&self) -> Result<Vec<u64>, Errno> {
        let card = &self.card;
        let found = retry(|| mode::get_framebuffer2(card.as_fd(), self.id))?;
        let mut handles: Vec<Handle<'_>> = Vec::with_capacity(MAX_PLANES);
        for number in found.handles.into_iter().filter(|&number| number != 0) {
            // Planes in one buffer have one handle.
            if handles.iter().all(|handle| handle.number != number) {
                handles.push(Handle { card, number });
            }
        }
        if handles.is_empty() {
            return Err(Errno::EACCES);
        }
        handles.iter().map(Handle::inode).collect()
    }
}

/// Makes framebuffers of a pool's frames.
#[derive(Debug)]
pub(crate) struct Importer<'p> {
    pub(crate) card: &'p Arc<Card>,
    /// Who imports, for people.
    pub(crate) label: String,
    pub(crate) heap: &'p Heap,
    pub(crate) layout: &'p Layout,
}

impl Importer<'_> {
    /// Imports a frame's buffers and makes a framebuffer of them.
    pub(crate) fn import(&self, buffers: &[HeapBuffer]) -> Result<Framebuffer, StageError> {
        let card = self.card;
        let mut imported = Vec::<Handle>::with_capacity(buffers.len());
        let mut handles = Vec::with_capacity(buffers.len());
        for buffer in buffers {
            let number = retry(|| gem::fd_to_handle(card.as_fd(), buffer.as_fd()))
                .map_err(|errno| refusal(self, Made::Handle, errno))?
                .handle;
            // One dma-buf has one handle however often it is imported, and closing it once
            // closes it for good.
            if imported.iter().all(|handle| handle.number != number) {
                imported.push(Handle { card, number });
            }
            handles.push(number);
        }
        let made = Framebuffer::new(card, self.layout, &handles);
        made.map_err(|errno| refusal(self, Made::Framebuffer, errno).into())
    }
}

impl Drop for Framebuffer {
    fn drop(&mut self) {
        if let Err(error) = mode::rm_fb(self.card.as_fd(), self.id) {
            tracing::warn!(%error, framebuffer = self.id, "cannot remove a framebuffer");
        }
    }
}

/// A handle of an imported buffer; framebuffers made of it keep the memory when it is closed.
struct Handle<'c> {
    card: &'c Card,
    number: u32,
}

impl Handle<'_> {
    /// The inode of the dma-buf behind it: of an imported buffer the one that was imported.
    #[doc(alias = "DRM_IOCTL_PRIME_HANDLE_TO_FD")]
    fn inode(&self) -> Result<u64, Errno> {
        let handle = from_u32(self.number).ok_or(Errno::ENOENT)?;
        let fd = retry(|| self.card.buffer_to_prime_fd(handle, drm::CLOEXEC))?;
        Ok(fstat(fd)?.st_ino)
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        if let Err(error) = gem::close(self.card.as_fd(), self.number) {
            tracing::warn!(%error, handle = self.number, "cannot close a buffer's handle");
        }
    }
}

/// Whether displays can take such frames, as far as their drivers fail to check it: tidss
/// divides strides without looking at the rest, VOP2 rounds them up to 4 bytes.
pub(crate) fn check(card: &Card, layout: &Layout) -> Result<(), KmsSinkError> {
    let format = layout.format();
    if format.drm().is_none() {
        return Err(KmsSinkError::NotShowable(format));
    }
    if layout.modifier() != Modifier::LINEAR
        && card.capability(DriverCapability::AddFB2Modifiers) == 0
    {
        return Err(KmsSinkError::NotLinear {
            card: card.label(),
            modifier: layout.modifier().to_string(),
        });
    }
    check_layout(layout)
}

fn check_layout(layout: &Layout) -> Result<(), KmsSinkError> {
    let format = layout.format();
    for (index, (plane, info)) in layout.planes().iter().zip(format.planes()).enumerate() {
        for step in [4, info.block_bytes] {
            if !plane.stride.is_multiple_of(step) {
                return Err(KmsSinkError::Stride {
                    plane: index,
                    stride: plane.stride,
                    step,
                });
            }
        }
        let (columns, rows) = (info.horizontal * info.block_columns, info.vertical);
        if !(layout.width().is_multiple_of(columns) && layout.height().is_multiple_of(rows)) {
            return Err(KmsSinkError::Size {
                format,
                width: layout.width(),
                height: layout.height(),
                columns,
                rows,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(format: &str, width: u32, height: u32, stride: u32) -> Result<(), KmsSinkError> {
        let format = format.parse().unwrap();
        check_layout(&Layout::with_stride(format, width, height, stride).unwrap())
    }

    #[test]
    fn layouts_that_displays_skew_are_refused() {
        assert!(checked("XRGB8888", 1280, 720, 5120).is_ok());
        assert!(checked("NV12", 1280, 720, 1280).is_ok());
        assert!(checked("YUYV", 1280, 720, 2560).is_ok());
        let stride = checked("RGB565", 641, 480, 1282);
        assert!(matches!(stride, Err(KmsSinkError::Stride { step: 4, .. })));
        let stride = checked("RGB888", 640, 480, 1924);
        assert!(matches!(stride, Err(KmsSinkError::Stride { step: 3, .. })));
        let chroma = checked("YU12", 644, 480, 644);
        assert!(matches!(chroma, Err(KmsSinkError::Stride { plane: 1, .. })));
        let odd = checked("YUYV", 641, 480, 1284);
        assert!(matches!(odd, Err(KmsSinkError::Size { columns: 2, .. })));
        let odd = checked("NV12", 640, 481, 640);
        assert!(matches!(odd, Err(KmsSinkError::Size { rows: 2, .. })));
    }
}
