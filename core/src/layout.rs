//! Where the pixels of a frame lie in its buffers.

mod error;
mod planes;

use std::fmt;

pub use error::LayoutError;

use crate::format::{Colour, Format};

/// The most planes, and the most buffers, that a frame has.
pub const MAX_PLANES: usize = 4;

/// How pixels are arranged beyond rows from top to bottom, as `drm_fourcc.h` numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modifier(pub u64);

impl Modifier {
    /// `DRM_FORMAT_MOD_LINEAR`: rows from top to bottom.
    pub const LINEAR: Self = Self(0);
}

impl fmt::Display for Modifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::LINEAR => f.pad("linear"),
            Self(number) => write!(f, "modifier {number:#018x}"),
        }
    }
}

/// Where one plane lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneLayout {
    /// Which of the frame's buffers it is in.
    pub buffer: usize,
    /// Bytes from the start of the buffer to the first pixel.
    pub offset: u32,
    /// Bytes from a row to the next.
    pub stride: u32,
}

/// Where the pixels of a frame lie, in whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    format: Format,
    modifier: Modifier,
    width: u32,
    height: u32,
    colour: Colour,
    planes: Vec<PlaneLayout>,
    buffer_lens: Vec<u32>,
}

impl Layout {
    /// Lays planes one behind the other in one buffer, rows without padding.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn packed(format: Format, width: u32, height: u32) -> Result<Self, LayoutError> {
        let needed = row_bytes(format, 0, width, height)?;
        Self::with_stride(format, width, height, needed)
    }

    /// Lays planes one behind the other in one buffer, the first with this stride in bytes.
    ///
    /// The strides of further planes follow from it as V4L2 defines for its formats with one
    /// buffer: each plane's padding is in proportion.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn with_stride(
        format: Format,
        width: u32,
        height: u32,
        stride: u32,
    ) -> Result<Self, LayoutError> {
        let too_large = || LayoutError::TooLarge {
            format,
            width,
            height,
        };
        let mut planes = Vec::with_capacity(format.planes().len());
        let mut end = 0_u32;
        for (index, info) in format.planes().iter().enumerate() {
            let stride = derived_stride(format, index, stride)?;
            check_stride(format, index, width, height, stride)?;
            planes.push(PlaneLayout {
                buffer: 0,
                offset: end,
                stride,
            });
            let bytes = stride
                .checked_mul(info.rows(height))
                .ok_or_else(too_large)?;
            end = end.checked_add(bytes).ok_or_else(too_large)?;
        }
        row_bytes(format, 0, width, height)?;
        Ok(Self::linear(format, (width, height), planes, vec![end]))
    }

    /// Lays each plane into a buffer of its own, with these strides in bytes, one a plane.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn with_buffers(
        format: Format,
        width: u32,
        height: u32,
        strides: &[u32],
    ) -> Result<Self, LayoutError> {
        row_bytes(format, 0, width, height)?;
        if strides.len() != format.planes().len() {
            return Err(LayoutError::Planes {
                format,
                planes: format.planes().len(),
                strides: strides.len(),
            });
        }
        let mut planes = Vec::with_capacity(format.planes().len());
        let mut buffer_lens = Vec::with_capacity(format.planes().len());
        for (buffer, (info, &stride)) in format.planes().iter().zip(strides).enumerate() {
            check_stride(format, buffer, width, height, stride)?;
            planes.push(PlaneLayout {
                buffer,
                offset: 0,
                stride,
            });
            let len = stride
                .checked_mul(info.rows(height))
                .ok_or(LayoutError::TooLarge {
                    format,
                    width,
                    height,
                })?;
            buffer_lens.push(len);
        }
        Ok(Self::linear(format, (width, height), planes, buffer_lens))
    }

    /// A compressed frame: no planes, and room for so many bytes in one buffer. How many of them a
    /// frame takes is told with it ([`FrameMeta::bytes_used`]).
    ///
    /// # Errors
    /// [`LayoutError::Empty`]; [`LayoutError::NotCompressed`] for a format with planes.
    ///
    /// [`FrameMeta::bytes_used`]: crate::frame::FrameMeta::bytes_used
    pub fn compressed(
        format: Format,
        (width, height): (u32, u32),
        len: u32,
    ) -> Result<Self, LayoutError> {
        if width == 0 || height == 0 {
            return Err(LayoutError::Empty { width, height });
        }
        if !format.planes().is_empty() {
            return Err(LayoutError::NotCompressed(format));
        }
        Ok(Self::linear(format, (width, height), Vec::new(), vec![len]))
    }

    fn linear(
        format: Format,
        (width, height): (u32, u32),
        planes: Vec<PlaneLayout>,
        buffer_lens: Vec<u32>,
    ) -> Self {
        Self {
            format,
            modifier: Modifier::LINEAR,
            width,
            height,
            colour: Colour::default(),
            planes,
            buffer_lens,
        }
    }

    /// The same with longer buffers, as a driver that keeps more than pixels in them asks.
    ///
    /// # Errors
    /// [`LayoutError::ShortBuffer`] where a length does not hold the planes.
    pub fn with_buffer_lens(mut self, lens: &[u32]) -> Result<Self, LayoutError> {
        for (buffer, (needed, &len)) in self.buffer_lens.iter_mut().zip(lens).enumerate() {
            if len < *needed {
                return Err(LayoutError::ShortBuffer {
                    buffer,
                    len,
                    needed: *needed,
                });
            }
            *needed = len;
        }
        Ok(self)
    }

    /// The same, of which the first columns and rows alone are to be seen: codecs write whole
    /// blocks. `None` where it has fewer.
    #[must_use]
    pub fn seen(mut self, (width, height): (u32, u32)) -> Option<Self> {
        let fits = (1..=self.width).contains(&width) && (1..=self.height).contains(&height);
        (self.width, self.height) = (width, height);
        fits.then_some(self)
    }

    /// The same with colours understood so.
    #[must_use]
    pub fn with_colour(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    /// The pixel format.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// How pixels are arranged.
    #[must_use]
    pub const fn modifier(&self) -> Modifier {
        self.modifier
    }

    /// Pixels a row.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// How its numbers become colours.
    #[must_use]
    pub const fn colour(&self) -> Colour {
        self.colour
    }

    /// Where each plane lies.
    #[must_use]
    pub fn planes(&self) -> &[PlaneLayout] {
        &self.planes
    }

    /// The length of each buffer in bytes.
    #[must_use]
    pub fn buffer_lens(&self) -> &[u32] {
        &self.buffer_lens
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([], [len]) = (&*self.planes, &*self.buffer_lens) {
            let Self {
                width,
                height,
                format,
                ..
            } = self;
            return write!(f, "{width}×{height} {format}, room for {len} bytes");
        }
        write!(
            f,
            "{}×{} {} {}",
            self.width, self.height, self.format, self.modifier
        )?;
        for (index, plane) in self.planes.iter().enumerate() {
            let word = if index == 0 { ", stride" } else { " +" };
            write!(f, "{word} {}", plane.stride)?;
        }
        let bytes: u64 = self.buffer_lens.iter().copied().map(u64::from).sum();
        write!(f, ", {bytes} bytes")
    }
}

fn row_bytes(format: Format, plane: usize, width: u32, height: u32) -> Result<u32, LayoutError> {
    if width == 0 || height == 0 {
        return Err(LayoutError::Empty { width, height });
    }
    let info = format
        .planes()
        .get(plane)
        .ok_or(LayoutError::Compressed(format))?;
    info.row_bytes(width).ok_or(LayoutError::TooLarge {
        format,
        width,
        height,
    })
}

fn check_stride(
    format: Format,
    plane: usize,
    width: u32,
    height: u32,
    stride: u32,
) -> Result<(), LayoutError> {
    let needed = row_bytes(format, plane, width, height)?;
    if stride < needed {
        return Err(LayoutError::ShortStride {
            format,
            width,
            stride,
            needed,
        });
    }
    Ok(())
}

/// The stride of a plane when the first plane's is `first`: both cover the same columns.
fn derived_stride(format: Format, plane: usize, first: u32) -> Result<u32, LayoutError> {
    let (a, b) = (format.planes()[0], format.planes()[plane]);
    let numerator = u64::from(first) * u64::from(b.block_bytes) * u64::from(a.block_columns);
    let denominator =
        u64::from(a.block_bytes) * u64::from(b.horizontal) * u64::from(b.block_columns);
    let uneven = LayoutError::UnevenStride {
        format,
        stride: first,
    };
    if numerator % denominator != 0 {
        return Err(uneven);
    }
    u32::try_from(numerator / denominator).map_err(|_too_large| uneven)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_of_a_picture_lies_where_it_lay() {
        let whole = Layout::packed(Format::NV12, 1920, 1088).unwrap();
        let seen = whole.clone().seen((1920, 1080)).unwrap();
        assert_eq!((seen.width(), seen.height()), (1920, 1080));
        assert_eq!(seen.planes(), whole.planes());
        assert_eq!(seen.buffer_lens(), whole.buffer_lens());
        assert_eq!(whole.clone().seen((1928, 1080)), None);
        assert_eq!(whole.seen((0, 1080)), None);
    }

    fn layout(format: &str, width: u32, height: u32, stride: u32) -> Layout {
        Layout::with_stride(format.parse().unwrap(), width, height, stride).unwrap()
    }

    #[test]
    fn semi_planar_chroma_follows_luma() {
        let nv12 = layout("NV12", 1280, 720, 1344);
        assert_eq!(nv12.planes()[1].offset, 1344 * 720);
        assert_eq!(nv12.planes()[1].stride, 1344);
        assert_eq!(nv12.buffer_lens(), [1344 * 720 * 3 / 2]);
    }

    #[test]
    fn planar_chroma_has_half_the_stride() {
        let yuv = layout("YU12", 640, 480, 704);
        let strides: Vec<_> = yuv.planes().iter().map(|plane| plane.stride).collect();
        assert_eq!(strides, [704, 352, 352]);
        assert_eq!(yuv.planes()[2].offset, 704 * 480 + 352 * 240);
    }

    #[test]
    fn odd_sizes_round_chroma_up() {
        let nv12 = Layout::with_stride(Format::NV12, 5, 5, 6).unwrap();
        assert_eq!(nv12.buffer_lens(), [6 * 5 + 6 * 3]);
    }

    #[test]
    fn what_cannot_be_laid_out_says_why() {
        let format = Format::XRGB8888;
        assert_eq!(
            Layout::packed(format, 0, 7),
            Err(LayoutError::Empty {
                width: 0,
                height: 7
            })
        );
        assert!(matches!(
            Layout::with_stride(format, 100, 7, 399),
            Err(LayoutError::ShortStride { needed: 400, .. })
        ));
        assert!(matches!(
            Layout::packed(format, u32::MAX, 1),
            Err(LayoutError::TooLarge { .. })
        ));
        assert!(matches!(
            Layout::packed(format, 65_536, 65_536),
            Err(LayoutError::TooLarge { .. })
        ));
        assert!(matches!(
            Layout::with_stride("YU12".parse().unwrap(), 8, 8, 9),
            Err(LayoutError::UnevenStride { .. })
        ));
        assert!(matches!(
            Layout::with_buffers(Format::NV12, 8, 8, &[8]),
            Err(LayoutError::Planes {
                planes: 2,
                strides: 1,
                ..
            })
        ));
        assert!(matches!(
            Layout::packed("H264".parse().unwrap(), 8, 8),
            Err(LayoutError::Compressed(_))
        ));
        assert!(matches!(
            Layout::packed(format, 8, 8)
                .unwrap()
                .with_buffer_lens(&[255]),
            Err(LayoutError::ShortBuffer { needed: 256, .. })
        ));
    }

    #[test]
    fn a_compressed_frame_has_a_buffer_and_no_planes() {
        let format: Format = "H264".parse().unwrap();
        let layout = Layout::compressed(format, (1920, 1080), 1 << 20).unwrap();
        assert_eq!((layout.width(), layout.height()), (1920, 1080));
        assert!(layout.planes().is_empty());
        assert_eq!(layout.buffer_lens(), [1 << 20]);
        assert_eq!(layout.to_string(), "1920×1080 H264, room for 1048576 bytes");
        assert_eq!(
            Layout::compressed(Format::NV12, (8, 8), 1),
            Err(LayoutError::NotCompressed(Format::NV12))
        );
        assert!(matches!(
            Layout::compressed(format, (8, 0), 1),
            Err(LayoutError::Empty { .. })
        ));
    }

    #[test]
    fn every_format_with_planes_has_a_layout_that_holds_them() {
        for format in Format::all().filter(|format| !format.planes().is_empty()) {
            let layout = Layout::packed(format, 1280, 720).unwrap();
            let last = layout.planes().last().unwrap();
            let rows = format.planes().last().unwrap().rows(720);
            assert_eq!(
                layout.buffer_lens(),
                [last.offset + last.stride * rows],
                "{format}"
            );
        }
    }
}
