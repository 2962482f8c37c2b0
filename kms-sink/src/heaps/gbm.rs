//! GBM: memory that Mesa allocates on a card, laid out for its GPU and its display.

mod sys;
mod tries;

use std::sync::{Arc, Mutex, PoisonError};

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ExportError, Exporter, HeapInfo, Request, memory_total};
use dmaflow_core::layout::{Layout, Modifier, PlaneLayout};
use drm::buffer::{DrmModifier, Handle};
use drm::control::from_u32;

use super::card::HeapCard;
use super::picture::{Picture, PictureError, PictureRequest, PictureSource, len};
use crate::error::KmsSinkError;
use sys::{Device, Missing, Object, usage};
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
/// libgbm and Mesa are loaded at the first allocation, which takes tens of megabytes and milliseconds, and
/// it writes to standard error where it finds no driver for a card and draws in software, as
/// for vkms and bochs; what such cards then give are dumb buffers with rows padded for the
/// drawing.
///
/// *Needs:* permission for the card's primary node, libgbm and Mesa's drivers (Debian:
/// `libgbm1`, `libgl1-mesa-dri`). No DRM master. A GPU's driver may want the descriptor authenticated,
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
        take: impl Fn(&Try, &Object<'_>) -> Result<T, PictureError>,
    ) -> Result<T, PictureError> {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        let device = match &mut *device {
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
        Device::new(Arc::clone(&self.card)).map_err(|missing| {
            let errno = match missing {
                _ if self.card.is_gone() => Errno::ENODEV,
                Missing::Device(errno) => errno,
                Missing::Library(why) => {
                    return self.refused(ExportError::Refused {
                        errno: Errno::ENOENT,
                        reason: format!(
                            "libgbm cannot be loaded ({why}); install it (libgbm1), or use dumb \
                             buffers"
                        ),
                    });
                }
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

    fn exported(&self, gem: u32) -> Result<DmaBuf, PictureError> {
        let Some(handle) = from_u32::<Handle>(gem) else {
            return Err(self.refused(self.card.failed(
                "gbm_bo_get_handle",
                "memory",
                Errno::EINVAL,
            )));
        };
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
        object: &Object<'_>,
    ) -> Result<Picture, PictureError> {
        let modifier = match object.modifier().into() {
            // Drivers that know no modifiers say nothing, and linear was what was asked for.
            DrmModifier::Invalid if attempt.modifiers.is_empty() => Modifier::LINEAR,
            modifier => Modifier(modifier.into()),
        };
        let mut handles = Vec::new();
        let mut buffers = Vec::new();
        let mut planes = Vec::new();
        for plane in object.planes() {
            let known = handles.iter().position(|known| *known == plane.handle);
            let buffer = match known {
                Some(buffer) => buffer,
                None => {
                    handles.push(plane.handle);
                    buffers.push(self.exported(plane.handle)?);
                    buffers.len() - 1
                }
            };
            planes.push(PlaneLayout {
                buffer,
                offset: plane.offset,
                stride: plane.stride,
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
        object: &Object<'_>,
    ) -> Result<Picture, PictureError> {
        let sheet = object.first();
        let (width, height) = (request.width, request.height);
        let layout = Layout::with_stride(request.format, width, height, sheet.stride)?;
        Picture::whole(layout, self.exported(sheet.handle)?)
    }
}

impl Exporter for Gbm {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let len = request.len.get() as u64;
        let tries = sheets(
            bytes_sheet(len),
            &[usage::LINEAR, usage::LINEAR | usage::SCANOUT],
        );
        let made = self.first(tries, |_try, object| self.exported(object.first().handle));
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
