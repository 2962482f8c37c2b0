//! A picture of several planes as one of a single plane, which every driver can allocate.

use dmaflow_core::format::Format;
use dmaflow_core::layout::{Layout, LayoutError};

/// The planes of a picture one behind the other, as a picture of one plane that any driver
/// can allocate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::heaps) struct Sheet {
    pub(in crate::heaps) columns: u32,
    pub(in crate::heaps) rows: u32,
    /// Of a column, a multiple of 8.
    pub(in crate::heaps) bits: u32,
}

impl Sheet {
    pub(in crate::heaps) fn of(
        format: Format,
        width: u32,
        height: u32,
    ) -> Result<Self, LayoutError> {
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
    pub(in crate::heaps) const fn row(self) -> u32 {
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
    fn what_has_no_planes_makes_no_sheet() {
        assert!(Sheet::of("H264".parse().unwrap(), 8, 8).is_err());
        assert!(Sheet::of(Format::XRGB8888, u32::MAX, 1).is_err());
    }
}
