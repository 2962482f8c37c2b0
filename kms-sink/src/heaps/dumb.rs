//! Dumb buffers: linear memory that any display's driver allocates without a word about it.
//!
//! See "Dumb Buffer Objects" in the kernel's `Documentation/gpu/drm-kms.rst`.

use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};

use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ExportError, Exporter, HeapInfo, Request, memory_total};
use dmaflow_core::layout::Layout;
use drm_ffi::mode::dumbbuffer;
use nix::errno::Errno;

use super::card::{Closing, HeapCard};
use super::picture::{Picture, PictureError, PictureRequest, PictureSource, Sheet};
use crate::card::retry;
use crate::error::KmsSinkError;

/// Bytes a row where bytes are asked for: a whole number of any display's pitches, so that no
/// driver pads it.
const ROW: u32 = 4096;

/// The kernel computes sizes in 32 bits, page after page (`drm_mode_create_dumb`).
const LARGEST: u64 = (1 << 32) - ROW as u64;

/// Dumb buffers of a card. Clones are the same card.
///
/// Bytes are asked for as a picture of 8 bits a pixel, 4096 wide, which vkms, bochs and cirrus
/// take as they are; drivers that know 32 bits only, as virtio-gpu does, are asked for 1024
/// such pixels.
///
/// Pages of shared memory come when they are first used, so that a buffer is no promise of
/// memory: what is longer than all memory is refused, what is longer than the free memory shows
/// later.
///
/// *Needs:* permission for the card's primary node; neither DRM master nor authentication
/// (`DRM_IOCTL_MODE_CREATE_DUMB` has no flags in `drm_ioctl.c`, which rules render nodes out).
#[derive(Clone, Debug)]
pub struct Dumb {
    card: Arc<HeapCard>,
    /// The bits a pixel that the driver took when bytes were asked for.
    bits: Arc<OnceLock<u32>>,
}

impl Dumb {
    /// Opens the card with this node, driver or bus address.
    ///
    /// # Errors
    /// [`KmsSinkError::UnknownCard`], [`KmsSinkError::NoCards`], [`KmsSinkError::Open`];
    /// [`KmsSinkError::NoMemory`] when its driver has no dumb buffers.
    pub fn open(card: &str) -> Result<Self, KmsSinkError> {
        HeapCard::open(card).map(Self::new)
    }

    pub(super) fn new(card: HeapCard) -> Self {
        Self {
            card: Arc::new(card),
            bits: Arc::default(),
        }
    }

    /// What to register it with: `dumb:` and the driver's name.
    #[must_use]
    pub fn info(&self) -> HeapInfo {
        HeapInfo {
            largest: memory_total().map(|total| total.min(LARGEST)),
            ..self.card.info("dumb")
        }
    }

    /// Makes a buffer and says how many bytes a row of it has.
    #[doc(alias = "DRM_IOCTL_MODE_CREATE_DUMB")]
    fn create(&self, width: u32, height: u32, bits: u32) -> Result<(DmaBuf, u32), ExportError> {
        let card = &*self.card;
        let asked = || format!("a dumb buffer of {width}×{height} with {bits} bits a pixel");
        let made = retry(|| dumbbuffer::create(card.as_fd(), width, height, bits, 0))
            .map_err(|errno| card.failed("CREATE_DUMB", asked(), errno))?;
        let no_handle = || card.failed("CREATE_DUMB", asked(), Errno::EIO);
        let handle = drm::control::from_u32(made.handle).ok_or_else(no_handle)?;
        let _closing = Closing { card, handle };
        let buffer = card.export(handle)?;
        card.clear(&buffer)?;
        Ok((buffer, made.pitch))
    }

    fn bytes(&self, len: u64, bits: u32) -> Result<DmaBuf, ExportError> {
        let rows = u32::try_from(len.div_ceil(ROW.into()));
        let rows = rows.map_err(|_too_long| ExportError::Os {
            call: "CREATE_DUMB",
            source: Errno::ENOMEM,
        })?;
        let (buffer, _pitch) = self.create(ROW / (bits / 8), rows, bits)?;
        self.bits.get_or_init(|| bits);
        Ok(buffer)
    }
}

impl Exporter for Dumb {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let len = request.len.get() as u64;
        if let Some(&bits) = self.bits.get() {
            return self.bytes(len, bits);
        }
        match self.bytes(len, 8) {
            Err(error) if error.errno() == Some(Errno::EINVAL) => self.bytes(len, 32),
            outcome => outcome,
        }
    }
}

impl PictureSource for Dumb {
    /// Gives a linear picture; formats with several planes as one sheet of bytes, plane behind
    /// plane.
    fn picture(&self, request: &PictureRequest) -> Result<Picture, PictureError> {
        if !request.takes_linear() {
            return Err(PictureError::Modifiers {
                device: self.card.label(),
                asked: request.to_string(),
            });
        }
        let PictureRequest {
            format,
            width,
            height,
            ..
        } = *request;
        let sheet = Sheet::of(format, width, height)?;
        let made = self.create(sheet.columns, sheet.rows, sheet.bits);
        let (buffer, pitch) = made.map_err(|source| PictureError::Export {
            device: self.card.label(),
            asked: request.to_string(),
            source,
        })?;
        let layout = Layout::with_stride(format, width, height, pitch)?;
        Picture::whole(layout, buffer)
    }
}
