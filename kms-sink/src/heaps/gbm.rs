//! GBM: memory that Mesa allocates on a card, laid out for its GPU and its display.

use std::sync::{Arc, Mutex, PoisonError};

use ::gbm::{BufferObject, BufferObjectFlags as Use, Device};
use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::heap::{ExportError, Exporter, HeapInfo, Request, memory_total, page_size};
use dmaflow_core::layout::{Layout, Modifier, PlaneLayout};
use drm::buffer::{DrmFourcc, DrmModifier, Handle, PlanarBuffer as _};

use super::card::HeapCard;
use super::picture::{Picture, PictureError, PictureRequest, PictureSource, Sheet, len};
use crate::card::errno;
use crate::error::KmsSinkError;

/// The widest and highest picture that is asked for where bytes are: GPUs take so much.
const SIDE: u32 = 16_384;

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
        let len = request.len.get().div_ceil(page_size()) as u64 * page_size() as u64;
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

/// What a try is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Picture,
    Sheet,
}

/// One way to ask Mesa.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Try {
    what: What,
    format: DrmFourcc,
    width: u32,
    height: u32,
    usage: Use,
    modifiers: Vec<DrmModifier>,
}

impl Try {
    #[doc(alias = "gbm_bo_create")]
    fn make(&self, device: &Device<Arc<HeapCard>>) -> Result<BufferObject<()>, Errno> {
        // Mesa does not always say why: what an earlier call left there must not speak for it.
        Errno::clear();
        let (width, height, format) = (self.width, self.height, self.format);
        let made = if self.modifiers.is_empty() {
            device.create_buffer_object(width, height, format, self.usage)
        } else {
            let modifiers = self.modifiers.iter().copied();
            device
                .create_buffer_object_with_modifiers2(width, height, format, modifiers, self.usage)
        };
        made.map_err(|error| match errno(&error) {
            Errno::UnknownErrno => Errno::EINVAL,
            errno => errno,
        })
    }
}

impl std::fmt::Display for Try {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}×{}", self.format, self.width, self.height)?;
        for modifier in &self.modifiers {
            write!(f, " {}", Modifier((*modifier).into()))?;
        }
        for (usage, word) in [(Use::LINEAR, " linear"), (Use::SCANOUT, " for scanout")] {
            if self.usage.contains(usage) {
                f.write_str(word)?;
            }
        }
        Ok(())
    }
}

/// The ways to ask for a picture, in the order of [`Gbm`].
fn tries(request: &PictureRequest) -> Result<Vec<Try>, PictureError> {
    let PictureRequest {
        format,
        width,
        height,
        ..
    } = *request;
    let scanout = if request.scanout {
        Use::SCANOUT
    } else {
        Use::empty()
    };
    let sheet = Sheet::of(format, width, height)?;
    let mut tries = Vec::new();
    let code = format
        .drm()
        .and_then(|code| DrmFourcc::try_from(code.to_u32()).ok());
    let picture = |format, usage, modifiers| Try {
        what: What::Picture,
        format,
        width,
        height,
        usage,
        modifiers,
    };
    if let Some(code) = code
        && !request.modifiers.is_empty()
    {
        let modifiers = request.modifiers.iter().map(|modifier| modifier.0.into());
        tries.push(picture(code, scanout, modifiers.collect()));
    }
    if request.takes_linear() {
        let linear = scanout | Use::LINEAR;
        tries.extend(code.map(|code| picture(code, linear, Vec::new())));
        let usages = [linear, Use::LINEAR];
        tries.extend(sheets(sheet, &usages[..1 + usize::from(request.scanout)]));
    }
    Ok(tries)
}

/// The ways to ask for a sheet of bytes: R8, XRGB8888, then R8 with the other uses.
fn sheets(sheet: Sheet, usages: &[Use]) -> Vec<Try> {
    let attempt = |format, width, usage| Try {
        what: What::Sheet,
        format,
        width,
        height: sheet.rows,
        usage,
        modifiers: Vec::new(),
    };
    let mut tries = Vec::new();
    for (index, &usage) in usages.iter().enumerate() {
        tries.push(attempt(DrmFourcc::R8, sheet.row(), usage));
        if index == 0 {
            tries.push(attempt(DrmFourcc::Xrgb8888, sheet.row().div_ceil(4), usage));
        }
    }
    tries
}

/// A sheet of at least so many bytes, no wider and no higher than it must be.
fn bytes_sheet(len: u64) -> Sheet {
    let mut columns = 4096;
    while columns < SIDE && len.div_ceil(columns.into()) > u64::from(SIDE / 2) {
        columns *= 2;
    }
    Sheet {
        columns,
        rows: u32::try_from(len.div_ceil(columns.into())).unwrap_or(u32::MAX),
        bits: 8,
    }
}

#[cfg(test)]
mod tests {
    use dmaflow_core::format::Format;

    use super::*;

    fn said(request: &PictureRequest) -> Vec<String> {
        let tries = tries(request).unwrap();
        tries.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_picture_is_asked_for_in_this_order() {
        let mut request = PictureRequest::new(Format::NV12, 1280, 720);
        let linear = [
            "NV12 1280×720 linear for scanout",
            "R8   1280×1080 linear for scanout",
            "XR24 320×1080 linear for scanout",
            "R8   1280×1080 linear",
        ];
        assert_eq!(said(&request), linear);
        request.modifiers = vec![Modifier(7), Modifier::LINEAR];
        let all = said(&request);
        assert_eq!(all[1..], linear);
        assert!(all[0].starts_with("NV12 1280×720 modifier 0x"), "{all:?}");
        request.modifiers.pop();
        assert_eq!(
            said(&request),
            all[..1]
                .iter()
                .map(|first| first.replace(" linear for", " for"))
                .collect::<Vec<_>>()
        );
        request.modifiers.clear();
        request.scanout = false;
        let unseen = [
            "NV12 1280×720 linear",
            "R8   1280×1080 linear",
            "XR24 320×1080 linear",
        ];
        assert_eq!(said(&request), unseen);
    }

    #[test]
    fn bytes_fit_into_what_gpus_take() {
        let sides = |len| {
            let sheet = bytes_sheet(len);
            assert!(u64::from(sheet.columns) * u64::from(sheet.rows) >= len);
            (sheet.columns, sheet.rows)
        };
        assert_eq!(sides(1), (4096, 1));
        assert_eq!(sides(32 << 20), (4096, 8192));
        assert_eq!(sides(48 << 20), (8192, 6144));
        assert_eq!(sides(256 << 20), (16_384, 16_384));
    }
}
