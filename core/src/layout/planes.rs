//! Layouts that others computed.

use super::{Layout, LayoutError, MAX_PLANES, Modifier, PlaneLayout, check_stride, row_bytes};
use crate::format::Format;

impl Layout {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
