//! GBM: memory that Mesa allocates on a card, laid out for its GPU and its display.

mod tries;

use std::sync::{Arc, Mutex, PoisonError};

use ::gbm::{BufferObject, BufferObjectFlags as Use, Device};
use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ExportError, Exporter, HeapInfo, Request, memory_total};
use dmaflow_core::layout::{Layout, Modifier, PlaneLayout};
use drm::buffer::{DrmModifier, Handle, PlanarBuffer as _};

use super::card::HeapCard;
use super::picture::{Picture, PictureError, PictureRequest, PictureSource, len};
use crate::card::errno;
use crate::error::KmsSinkError;
use tries::{SIDE, Try, What, bytes_sheet, sheets, tries};

/// Memory of a card through Mesa's libgbm. Clones are the same card.
///
/// Bytes are asked for as a linear R8 picture, and where Mesa has none of those as XRGB8888. A
/// picture is asked for in this order, until Mesa gives one:
///
/// 1. its format with the list of modifiers, where there is one;
/// 2. its format, linear;
/// 3. all its planes one behind the other as one R8 picture, linear: how NV12 is had from Mesa
///    drivers that know no YUV (vc4, amdgpu, software); then the same as XRGB8888;
/// 4. the same as R8 again, no longer for scanout: displays that cannot scan R8 out can well
///    show what lies in it.
///
/// The last three only where linear is among the modifiers, or no list was given.
///
/// Mesa is loaded at the first allocation, which takes tens of megabytes and milliseconds, and
/// it writes to standard error where it finds no driver for a card and draws in software, as
/// for vkms and bochs; what such cards then give are dumb buffers with rows padded for the
/// drawing.
///
/// *Needs:* permission for the card's primary node, and Mesa's drivers (Debian:
/// `libgl1-mesa-dri`). No DRM master. A GPU's driver may want the descriptor authenticated,
/// which it is if nobody controlled the card when the heap was opened.
#[derive(Clone, Debug)]
pub struct Gbm {
    card: Arc<HeapCard>,
    /// Made when it is needed. One call at a time: Mesa promises no more of a device.
    device: Arc<Mutex<Option<Device<Arc<HeapCard>>>>>,
}

impl Gbm {
    /// Opens the card with this node, driver or bus address.
    ///
    /// # Errors
    /// [`KmsSinkError::UnknownCard`], [`KmsSinkError::NoCards`], [`KmsSinkError::Open`];
    /// [`KmsSinkError::NoMemory`] when its driver exports no buffers.
    pub fn open(card: &str) -> Result<Self, KmsSinkError> {
        HeapCard::open(card).map(Self::new)
    }

    pub(super) fn new(card: HeapCard) -> Self {
        Self {
            card: Arc::new(card),
            device: Arc::default(),
        }
    }

    /// What to register it with: `gbm:` and the driver's name.
    #[must_use]
    pub fn info(&self) -> HeapInfo {
        let largest = u64::from(SIDE) * u64::from(SIDE);
        HeapInfo {
            largest: memory_total().map(|total| total.min(largest)),
            ..self.card.info("gbm")
        }
    }

    /// Goes through tries until Mesa gives something, and says of each what it said otherwise.
    fn first<T>(
        &self,
        tries: impl IntoIterator<Item = Try>,
        take: impl Fn(&Try, &BufferObject<()>) -> Result<T, PictureError>,
    ) -> Result<T, PictureError> {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        let device = match &*device {
            Some(device) => device,
            None => device.insert(self.load()?),
        };
        let mut refusals = Vec::new();
        let mut last = Errno::EINVAL;
        for attempt in tries {
            match attempt.make(device) {
                // Mesa's object goes as soon as the dma-bufs hold the memory.
                Ok(object) => return take(&attempt, &object),
                Err(errno) => {
                    refusals.push(format!("{attempt} gave {errno:?}"));
                    last = errno;
                }
            }
            if self.card.is_gone() {
                last = Errno::ENODEV;
                break;
            }
        }
        Err(self.refused(match last {
            Errno::ENODEV => self.card.failed("gbm_bo_create", "anything", last),
            errno => ExportError::Refused {
                errno,
                reason: format!(
                    "Mesa has none for {} ({})",
                    self.card.label(),
                    refusals.join(", ")
                ),
            },
        }))
    }

    #[doc(alias = "gbm_create_device")]
    fn load(&self) -> Result<Device<Arc<HeapCard>>, PictureError> {
        Device::new(Arc::clone(&self.card)).map_err(|error| {
            let errno = if self.card.is_gone() {
                Errno::ENODEV
            } else {
                errno(&error)
            };
            self.refused(match errno {
                Errno::ENODEV => self.card.failed("gbm_create_device", "Mesa", errno),
                errno => ExportError::Refused {
                    errno,
                    reason: format!(
                        "Mesa cannot work with {} ({errno:?}); install its drivers \
                         (libgl1-mesa-dri), or use dumb buffers",
                        self.card.label()
                    ),
                },
            })
        })
    }

    fn refused(&self, source: ExportError) -> PictureError {
        PictureError::Export {
            device: self.card.label(),
            asked: "memory".to_owned(),
            source,
        }
    }

    fn exported(&self, handle: Handle) -> Result<DmaBuf, PictureError> {
        let exported = self.card.export(handle).and_then(|buffer| {
            self.card.clear(&buffer)?;
            Ok(buffer)
        });
        exported.map_err(|source| self.refused(source))
    }

    /// Takes a picture that Mesa gave in the format asked for.
    fn laid_out(
        &self,
        request: &PictureRequest,
        attempt: &Try,
        object: &BufferObject<()>,
    ) -> Result<Picture, PictureError> {
        let modifier = match object.modifier() {
            // Drivers that know no modifiers say nothing, and linear was what was asked for.
            DrmModifier::Invalid if attempt.modifiers.is_empty() => Modifier::LINEAR,
            modifier => Modifier(modifier.into()),
        };
        let count = usize::try_from(object.plane_count()).unwrap_or(usize::MAX);
        let mut handles = Vec::<Handle>::new();
        let mut buffers = Vec::new();
        let mut planes = Vec::new();
        let strides = object.pitches();
        let offsets = object.offsets();
        for (index, handle) in object.handles().iter().take(count).enumerate() {
            let Some(handle) = *handle else { break };
            let buffer = match handles.iter().position(|known| *known == handle) {
                Some(buffer) => buffer,
                None => {
                    handles.push(handle);
                    buffers.push(self.exported(handle)?);
                    buffers.len() - 1
                }
            };
            planes.push(PlaneLayout {
                buffer,
                offset: offsets[index],
                stride: strides[index],
            });
        }
        let lens: Vec<_> = buffers.iter().map(len).collect();
        let size = (request.width, request.height);
        let layout = Layout::with_planes(request.format, modifier, size, &planes, &lens)?;
        Ok(Picture { layout, buffers })
    }

    /// Takes a sheet of bytes for the picture.
    fn as_sheet(
        &self,
        request: &PictureRequest,
        object: &BufferObject<()>,
    ) -> Result<Picture, PictureError> {
        let handle = drm::buffer::Buffer::handle(object);
        let stride = object.stride();
        let layout = Layout::with_stride(request.format, request.width, request.height, stride)?;
        Picture::whole(layout, self.exported(handle)?)
    }
}

impl Exporter for Gbm {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let len = request.len.get() as u64;
        let tries = sheets(bytes_sheet(len), &[Use::LINEAR, Use::LINEAR | Use::SCANOUT]);
        let made = self.first(tries, |_try, object| {
            self.exported(drm::buffer::Buffer::handle(object))
        });
        made.map_err(|error| match error {
            PictureError::Export { source, .. } => source,
            other => ExportError::Refused {
                errno: other.errno().unwrap_or(Errno::EIO),
                reason: other.to_string(),
            },
        })
    }
}

impl PictureSource for Gbm {
    fn picture(&self, request: &PictureRequest) -> Result<Picture, PictureError> {
        let tries = tries(request)?;
        self.first(tries, |attempt, object| match attempt.what {
            What::Picture => self.laid_out(request, attempt, object),
            What::Sheet => self.as_sheet(request, object),
        })
        .map_err(|error| match error {
            PictureError::Export { device, source, .. } => PictureError::Export {
                device,
                asked: request.to_string(),
                source,
            },
            other => other,
        })
    }
}
