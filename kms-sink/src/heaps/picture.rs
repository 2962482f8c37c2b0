//! Pictures whose device laid them out.

use std::fmt;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBuf;
use dmaflow_core::format::Format;
use dmaflow_core::heap::{ExportError, Exporter, Request};
use dmaflow_core::layout::{Layout, LayoutError, Modifier};

/// A picture that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureRequest {
    /// The pixel format.
    pub format: Format,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Whether a display is to show it.
    pub scanout: bool,
    /// The modifiers that its users take; none means linear.
    pub modifiers: Vec<Modifier>,
}

impl PictureRequest {
    /// A linear picture that a display can show.
    #[must_use]
    pub const fn new(format: Format, width: u32, height: u32) -> Self {
        Self {
            format,
            width,
            height,
            scanout: true,
            modifiers: Vec::new(),
        }
    }

    pub(super) fn takes_linear(&self) -> bool {
        self.modifiers.is_empty() || self.modifiers.contains(&Modifier::LINEAR)
    }
}

impl fmt::Display for PictureRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{} {}", self.width, self.height, self.format)?;
        for (index, modifier) in self.modifiers.iter().enumerate() {
            let word = if index == 0 { "" } else { "or " };
            write!(f, " {word}{modifier}")?;
        }
        if self.scanout {
            f.write_str(" for scanout")?;
        }
        Ok(())
    }
}

/// A picture's memory, and where its pixels lie in it.
#[derive(Debug)]
pub struct Picture {
    /// With the strides, offsets and the modifier that the driver chose.
    pub layout: Layout,
    /// By the numbers that the layout's planes name.
    pub buffers: Vec<DmaBuf>,
}

impl Picture {
    /// A picture in one buffer, which may be longer than it.
    pub(super) fn whole(layout: Layout, buffer: DmaBuf) -> Result<Self, PictureError> {
        let layout = layout.with_buffer_lens(&[len(&buffer)])?;
        Ok(Self {
            layout,
            buffers: vec![buffer],
        })
    }
}

/// A length as layouts have it; the rest of a longer buffer is of no use to them.
pub(super) fn len(buffer: &DmaBuf) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(u32::MAX)
}

/// Why there is no such picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// There is no memory of this shape.
    #[error("{device} gave no picture of {asked}{}", why(.source))]
    Export {
        /// Driver and node.
        device: String,
        /// What was asked for.
        asked: String,
        /// What the driver says.
        source: ExportError,
    },
    /// Only linear pictures can be had.
    #[error(
        "{device} gives linear pictures only, and {asked} was asked for: add linear to the list"
    )]
    Modifiers {
        /// Driver and node.
        device: String,
        /// What was asked for.
        asked: String,
    },
    /// The picture cannot be laid out, or not as the driver did.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A heap gives one buffer at a time.
    #[error(
        "{asked} takes {buffers} buffers, and a heap of pictures gives one each: allocate it as a picture"
    )]
    Buffers {
        /// What was asked for.
        asked: String,
        /// How many buffers it takes.
        buffers: usize,
    },
}

fn why(source: &ExportError) -> String {
    match source {
        ExportError::Refused { reason, .. } => format!(": {reason}"),
        _ => String::new(),
    }
}

impl PictureError {
    /// The error number, where there is one.
    #[must_use]
    pub const fn errno(&self) -> Option<Errno> {
        match self {
            Self::Export { source, .. } => source.errno(),
            Self::Modifiers { .. } | Self::Layout(_) | Self::Buffers { .. } => Some(Errno::EINVAL),
        }
    }
}

/// A device that gives pictures in a layout of its own.
pub trait PictureSource: Send + Sync {
    /// Gives a picture as asked, zeroed.
    ///
    /// # Errors
    /// [`PictureError`]; ENODEV when the device is gone.
    fn picture(&self, request: &PictureRequest) -> Result<Picture, PictureError>;
}

/// An exporter of pictures of one kind, so that a pool's frames have the layout that their
/// device wants and are counted like all of a heap's buffers.
///
/// ```no_run
/// use dmaflow_core::format::Format;
/// use dmaflow_core::frame::FramePool;
/// use dmaflow_core::heap::Heap;
/// use dmaflow_kms_sink::heaps::{Dumb, PictureRequest, Pictures};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let card = Dumb::open("vkms")?;
/// let info = card.info();
/// let pictures = Pictures::new(card, PictureRequest::new(Format::NV12, 1280, 720))?;
/// let layout = pictures.layout().clone();
/// let frames = FramePool::allocate(&Heap::new(info, pictures), &layout, 4)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pictures<S> {
    source: S,
    request: PictureRequest,
    layout: Layout,
}

impl<S: PictureSource> Pictures<S> {
    /// Asks the device once what such pictures look like.
    ///
    /// # Errors
    /// [`PictureError`]; [`PictureError::Buffers`] when one picture takes several buffers.
    pub fn new(source: S, request: PictureRequest) -> Result<Self, PictureError> {
        let picture = source.picture(&request)?;
        if picture.buffers.len() != 1 {
            return Err(PictureError::Buffers {
                asked: request.to_string(),
                buffers: picture.buffers.len(),
            });
        }
        Ok(Self {
            source,
            request,
            layout: picture.layout,
        })
    }

    /// Where the pixels of each of its pictures lie.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl<S: PictureSource> Exporter for Pictures<S> {
    fn allocate(&self, _request: &Request) -> Result<DmaBuf, ExportError> {
        let refused = |errno, reason| ExportError::Refused { errno, reason };
        let mut picture = self
            .source
            .picture(&self.request)
            .map_err(|error| match error {
                PictureError::Export { source, .. } => source,
                other => refused(other.errno().unwrap_or(Errno::EIO), other.to_string()),
            })?;
        if picture.layout != self.layout {
            let reason = format!(
                "its device laid the first picture out as {}, and this one as {}",
                self.layout, picture.layout
            );
            return Err(refused(Errno::EIO, reason));
        }
        let none = || {
            refused(
                Errno::EIO,
                "its device gave a picture without memory".to_owned(),
            )
        };
        picture.buffers.pop().ok_or_else(none)
    }
}

/// The planes of a picture one behind the other, as a picture of one plane that any driver
/// can allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) columns: u32,
    pub(super) rows: u32,
    /// Of a column, a multiple of 8.
    pub(super) bits: u32,
}

impl Sheet {
    pub(super) fn of(format: Format, width: u32, height: u32) -> Result<Self, LayoutError> {
        let too_large = || LayoutError::TooLarge {
            format,
            width,
            height,
        };
        let planes = format.planes();
        let first = planes.first().ok_or(LayoutError::Compressed(format))?;
        // A row ends where the samples of all planes do, so that their strides stay whole.
        let steps = planes
            .iter()
            .map(|plane| plane.horizontal * plane.block_columns);
        let step = steps.max().unwrap_or(1);
        let columns = width.checked_next_multiple_of(step).ok_or_else(too_large)?;
        let stride = first.row_bytes(columns).ok_or_else(too_large)?;
        let packed = Layout::with_stride(format, width, height, stride)?;
        // The strides of all planes are in proportion, and so is what they add up to: as many
        // rows do whatever stride the driver chooses.
        let rows = packed
            .buffer_lens()
            .iter()
            .map(|len| len.div_ceil(stride))
            .sum();
        let bits = first.block_bytes * 8;
        if bits % (8 * first.block_columns) == 0 {
            let bits = bits / first.block_columns;
            return Ok(Self {
                columns,
                rows,
                bits,
            });
        }
        Ok(Self {
            columns: stride,
            rows,
            bits: 8,
        })
    }

    /// Bytes of a row.
    #[cfg(any(feature = "gbm", test))]
    pub(super) const fn row(self) -> u32 {
        self.columns * (self.bits / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(format: &str, width: u32, height: u32) -> (u32, u32, u32) {
        let sheet = Sheet::of(format.parse().unwrap(), width, height).unwrap();
        (sheet.columns, sheet.rows, sheet.bits)
    }

    #[test]
    fn planes_make_a_sheet() {
        assert_eq!(sheet("XRGB8888", 641, 480), (641, 480, 32));
        assert_eq!(sheet("RGB888", 641, 480), (641, 480, 24));
        assert_eq!(sheet("YUYV", 641, 480), (642, 480, 16));
        assert_eq!(sheet("NV12", 1280, 720), (1280, 1080, 8));
        assert_eq!(sheet("NV12", 5, 5), (6, 8, 8));
        assert_eq!(sheet("YU12", 1280, 720), (1280, 1080, 8));
        assert_eq!(sheet("P010", 1280, 720), (1280, 1080, 16));
        // Four samples in five bytes.
        assert_eq!(sheet("NV15", 1280, 720), (1600, 1080, 8));
    }

    #[test]
    fn a_sheet_holds_its_picture_whatever_the_stride() {
        for format in Format::all().filter(|format| !format.planes().is_empty()) {
            for (width, height) in [(1, 1), (5, 3), (641, 479), (1280, 720)] {
                let sheet = Sheet::of(format, width, height).unwrap();
                for padding in [0, 64, 2048] {
                    let stride = sheet.row() + padding;
                    // Not every stride suits every format: that is an error of its own.
                    let Ok(layout) = Layout::with_stride(format, width, height, stride) else {
                        assert!(padding > 0, "{format}: {sheet:?}");
                        continue;
                    };
                    let has = u64::from(stride) * u64::from(sheet.rows);
                    assert!(
                        u64::from(layout.buffer_lens()[0]) <= has,
                        "{format}: {sheet:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_asked_for_reads_well() {
        let mut request = PictureRequest::new(Format::NV12, 64, 32);
        assert_eq!(request.to_string(), "64×32 NV12 for scanout");
        request.scanout = false;
        request.modifiers = vec![Modifier(1), Modifier::LINEAR];
        assert!(request.takes_linear());
        assert_eq!(
            request.to_string(),
            "64×32 NV12 modifier 0x0000000000000001 or linear"
        );
        request.modifiers.pop();
        assert!(!request.takes_linear());
        assert!(Sheet::of("H264".parse().unwrap(), 8, 8).is_err());
        assert!(Sheet::of(Format::XRGB8888, u32::MAX, 1).is_err());
    }
}
