//! Where the pixels of a frame lie in its buffers.

mod error;

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

    /// Takes a layout that another computed: planes anywhere in buffers of these lengths.
    ///
    /// A modifier other than linear has its own rules, which nobody but its driver knows: of
    /// such planes no more is checked than that they begin inside their buffers.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn with_planes(
        format: Format,
        modifier: Modifier,
        (width, height): (u32, u32),
        planes: &[PlaneLayout],
        buffer_lens: &[u32],
    ) -> Result<Self, LayoutError> {
        row_bytes(format, 0, width, height)?;
        let known = format.planes().len();
        let linear = modifier == Modifier::LINEAR;
        // Compression keeps its book in planes of its own, behind those of the format.
        let most = if linear { known } else { MAX_PLANES };
        if !(known..=most).contains(&planes.len()) {
            return Err(LayoutError::Planes {
                format,
                planes: known,
                strides: planes.len(),
            });
        }
        for (index, plane) in planes.iter().enumerate() {
            let buffer = plane.buffer;
            let &len = buffer_lens.get(buffer).ok_or(LayoutError::NoBuffer {
                plane: index,
                buffer,
                buffers: buffer_lens.len(),
            })?;
            let needed = if linear {
                check_stride(format, index, width, height, plane.stride)?;
                linear_end(format, index, (width, height), plane)?
            } else {
                plane.offset.saturating_add(1)
            };
            if needed > len {
                return Err(LayoutError::ShortBuffer {
                    buffer,
                    len,
                    needed,
                });
            }
        }
        Ok(Self {
            modifier,
            ..Self::linear(
                format,
                (width, height),
                planes.to_vec(),
                buffer_lens.to_vec(),
            )
        })
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

/// Where the last pixel of a linear plane ends in its buffer; padding behind it may be missing.
fn linear_end(
    format: Format,
    index: usize,
    (width, height): (u32, u32),
    plane: &PlaneLayout,
) -> Result<u32, LayoutError> {
    let last_row = row_bytes(format, index, width, height)?;
    let rows = format.planes()[index].rows(height);
    plane
        .stride
        .checked_mul(rows.saturating_sub(1))
        .and_then(|bytes| bytes.checked_add(last_row))
        .and_then(|bytes| bytes.checked_add(plane.offset))
        .ok_or(LayoutError::TooLarge {
            format,
            width,
            height,
        })
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
    fn what_others_computed_is_checked_as_far_as_it_is_known() {
        let tiled = Modifier(0x0100_0000_0000_0001);
        let plane = |buffer, offset, stride| PlaneLayout {
            buffer,
            offset,
            stride,
        };
        let nv12 = |modifier, planes: &[PlaneLayout], lens: &[u32]| {
            Layout::with_planes(Format::NV12, modifier, (8, 8), planes, lens)
        };
        let planes = [plane(0, 0, 16), plane(1, 64, 16)];
        // The padding of the last row need not be there.
        let layout = nv12(Modifier::LINEAR, &planes, &[120, 64 + 56]).unwrap();
        assert_eq!(layout.planes(), planes);
        assert_eq!(layout.buffer_lens(), [120, 120]);
        assert!(matches!(
            nv12(Modifier::LINEAR, &planes, &[120, 64 + 55]),
            Err(LayoutError::ShortBuffer {
                buffer: 1,
                needed: 120,
                ..
            })
        ));
        assert!(matches!(
            nv12(Modifier::LINEAR, &planes, &[120]),
            Err(LayoutError::NoBuffer { plane: 1, .. })
        ));
        let three = [planes[0], planes[1], plane(0, 100, 1)];
        assert!(matches!(
            nv12(Modifier::LINEAR, &three, &[120, 120]),
            Err(LayoutError::Planes { strides: 3, .. })
        ));
        let compressed = nv12(tiled, &three, &[120, 120]).unwrap();
        assert_eq!(
            (compressed.modifier(), compressed.planes().len()),
            (tiled, 3)
        );
        assert!(nv12(tiled, &planes[..1], &[120]).is_err());
        assert!(nv12(tiled, &[plane(0, 120, 16), plane(0, 0, 16)], &[120]).is_err());
        let narrow = [plane(0, 0, 7), plane(0, 64, 8)];
        assert!(nv12(Modifier::LINEAR, &narrow, &[1000]).is_err());
        assert!(nv12(tiled, &narrow, &[1000]).is_ok());
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
