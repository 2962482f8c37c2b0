//! Canvases: memory of a card's own, of the size of what it shows.

use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;
use drm::buffer::{Buffer, DrmFourcc};
use drm::control::Device;
use drm::control::dumbbuffer::{DumbBuffer, DumbMapping};

use crate::card::{Card, errno};
use crate::choice::Size;
use crate::framebuffer::Framebuffer;

/// A black XRGB8888 picture of the card's own, with its framebuffer.
#[derive(Debug)]
pub(crate) struct Canvas {
    framebuffer: Framebuffer,
    dumb: Dumb,
    layout: Layout,
}

/// What of a canvas failed, and why.
pub(crate) type Failed = (&'static str, Errno);

impl Canvas {
    pub(crate) fn new(card: &Arc<Card>, size: Size) -> Result<Self, Failed> {
        let dumb = Dumb::new(card, size).map_err(|errno| ("allocate", errno))?;
        let pitch = dumb.buffer.pitch();
        let layout = Layout::with_stride(Format::XRGB8888, size.width, size.height, pitch)
            .map_err(|_too_large| ("lay out", Errno::EOVERFLOW))?;
        let handle: u32 = dumb.buffer.handle().into();
        let framebuffer = Framebuffer::new(card, &layout, &[handle])
            .map_err(|errno| ("make a framebuffer of", errno))?;
        Ok(Self {
            framebuffer,
            dumb,
            layout,
        })
    }

    /// The value of the property `FB_ID`.
    pub(crate) fn framebuffer(&self) -> u64 {
        self.framebuffer.id()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes from a row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.dumb.buffer.pitch() as usize
    }

    /// Its pixels.
    pub(crate) fn map(&mut self, card: &Card) -> Result<DumbMapping<'_>, Failed> {
        card.map_dumb_buffer(&mut self.dumb.buffer)
            .map_err(|error| ("map", errno(&error)))
    }
}

/// A buffer that the CPU can see, zeroed by the kernel, destroyed when dropped.
#[derive(Debug)]
struct Dumb {
    card: Arc<Card>,
    buffer: DumbBuffer,
}

impl Dumb {
    #[doc(alias = "DRM_IOCTL_MODE_CREATE_DUMB")]
    fn new(card: &Arc<Card>, size: Size) -> Result<Self, Errno> {
        let buffer = card
            .create_dumb_buffer((size.width, size.height), DrmFourcc::Xrgb8888, 32)
            .map_err(|error| errno(&error))?;
        Ok(Self {
            card: Arc::clone(card),
            buffer,
        })
    }
}

impl Drop for Dumb {
    fn drop(&mut self) {
        if let Err(error) = self.card.destroy_dumb_buffer(self.buffer) {
            tracing::warn!(%error, "cannot free a buffer of the card's own");
        }
    }
}
