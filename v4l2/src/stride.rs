//! A stride that displays, codecs and cameras take.

use dmaflow_core::format::Format;
use dmaflow_core::layout::{Layout, LayoutError};

/// What the strides of a plane should be a multiple of, in bytes: enough for the displays and
/// codecs of TI and Rockchip as well as for cache lines.
const ALIGNMENT: u32 = 64;

/// The least multiple of 64, which most devices want strides to be, that is no less than `bytes`;
/// `bytes` itself where there is none.
#[must_use]
pub fn aligned(bytes: u32) -> u32 {
    bytes.checked_next_multiple_of(ALIGNMENT).unwrap_or(bytes)
}

/// The layout in one buffer with the least strides that are multiples of 64 bytes in every plane,
/// as most devices want them.
///
/// # Errors
/// [`LayoutError`].
pub fn aligned_layout(format: Format, width: u32, height: u32) -> Result<Layout, LayoutError> {
    layout_aligned_to(ALIGNMENT, format, width, height)
}

/// The layout in one buffer with the least strides that are multiples of `alignment` bytes in
/// every plane: displays and codecs want such rows.
///
/// # Errors
/// [`LayoutError`].
pub fn layout_aligned_to(
    alignment: u32,
    format: Format,
    width: u32,
    height: u32,
) -> Result<Layout, LayoutError> {
    let row = format
        .planes()
        .first()
        .and_then(|plane| plane.row_bytes(width));
    let row = row.unwrap_or(0);
    let least = row.checked_next_multiple_of(alignment).unwrap_or(row);
    let is_aligned = |layout: &Layout| {
        let mut planes = layout.planes().iter();
        planes.all(|plane| plane.stride.is_multiple_of(alignment))
    };
    // Subsampled planes have a fraction of the first one's stride.
    (0..8)
        .map(|step| least.saturating_add(alignment.saturating_mul(step)))
        .filter_map(|stride| Layout::with_stride(format, width, height, stride).ok())
        .find(is_aligned)
        .map_or_else(|| Layout::with_stride(format, width, height, least), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plane_of_every_format_is_aligned() {
        for format in Format::all().filter(|format| !format.planes().is_empty()) {
            for width in [1, 2, 81, 640, 1000, 1280, 1920, 3840] {
                for alignment in [ALIGNMENT, 256] {
                    let layout = layout_aligned_to(alignment, format, width, 16).unwrap();
                    for plane in layout.planes() {
                        assert_eq!(plane.stride % alignment, 0, "{format} {width}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_more_than_needed() {
        let stride = |format: &str, width| {
            let layout = aligned_layout(format.parse().unwrap(), width, 2).unwrap();
            layout.planes()[0].stride
        };
        assert_eq!(stride("XRGB8888", 1280), 5120);
        assert_eq!(stride("NV12", 1280), 1280);
        assert_eq!(stride("NV12", 1366), 1408);
        assert_eq!(stride("YUV420", 1280), 1280);
        assert_eq!(stride("YUV420", 1344), 1408);
        let layout = layout_aligned_to(256, "YUV420".parse().unwrap(), 640, 480).unwrap();
        let strides = layout.planes().iter().map(|plane| plane.stride);
        assert_eq!(strides.collect::<Vec<_>>(), [1024, 512, 512]);
    }
}
