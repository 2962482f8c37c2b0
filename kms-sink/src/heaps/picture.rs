//! Pictures whose device laid them out.

mod sheet;

pub(super) use sheet::Sheet;

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

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
