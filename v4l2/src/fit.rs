//! Whether a frame holds what a device writes, and whether the device wrote all of it.

use dmaflow_core::frame::FrameFlags;
use dmaflow_core::layout::{Layout, MAX_PLANES};

/// Whether frames of layout `found` hold what is written in layout `written`: the same pixels in
/// the same places, in buffers that are no shorter.
#[must_use]
pub fn same_place(written: &Layout, found: &Layout) -> bool {
    let size = |layout: &Layout| (layout.width(), layout.height());
    let (needed, given) = (written.buffer_lens(), found.buffer_lens());
    written.format() == found.format()
        && written.modifier() == found.modifier()
        && size(written) == size(found)
        && written.planes() == found.planes()
        && needed.len() == given.len()
        && needed
            .iter()
            .zip(given)
            .all(|(needed, given)| needed <= given)
}

/// Whether the driver wrote less than the picture into a buffer. Drivers that do not say how
/// much they wrote say 0, and so does a last frame without a picture. `needed` is what
/// [`needed_bytes`] says of the layout.
#[must_use]
pub fn is_short(
    written: &[u32; MAX_PLANES],
    needed: &[u32; MAX_PLANES],
    flags: FrameFlags,
) -> bool {
    let buffers = written.iter().zip(needed);
    // All of them, without a branch.
    buffers.fold(false, |short, (written, needed)| {
        short | ((*written != 0) | flags.last) & (written < needed)
    })
}

/// Where the last row of a whole picture ends in each buffer. Padding behind it may be missing.
#[must_use]
pub fn needed_bytes(layout: &Layout) -> [u32; MAX_PLANES] {
    let mut needed = [0; MAX_PLANES];
    for (plane, info) in layout.planes().iter().zip(layout.format().planes()) {
        // The layout holds its planes, so none of this overflows.
        let rows_before = info.rows(layout.height()).saturating_sub(1);
        let row = info.row_bytes(layout.width()).unwrap_or(0);
        let end = plane
            .offset
            .saturating_add(plane.stride.saturating_mul(rows_before))
            .saturating_add(row);
        if let Some(needed) = needed.get_mut(plane.buffer) {
            *needed = end.max(*needed);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::format::Format;

    #[test]
    fn a_buffer_may_be_longer_and_nothing_else_may_differ() {
        let layout = |stride| Layout::with_stride(Format::NV12, 64, 64, stride).unwrap();
        let longer = layout(64).with_buffer_lens(&[10_000]).unwrap();
        assert!(same_place(&layout(64), &layout(64)));
        assert!(same_place(&layout(64), &longer));
        assert!(!same_place(&longer, &layout(64)));
        assert!(!same_place(&layout(64), &layout(128)));
        let split = Layout::with_buffers(Format::NV12, 64, 64, &[64, 64]).unwrap();
        assert!(!same_place(&layout(64), &split));
    }

    #[test]
    fn short_is_less_than_the_picture_in_any_buffer() {
        let needed = [100, 50, 0, 0];
        let is_short = |written, last| {
            let flags = FrameFlags {
                last,
                ..FrameFlags::default()
            };
            is_short(written, &needed, flags)
        };
        assert!(!is_short(&[100, 50, 0, 0], false));
        assert!(!is_short(&[128, 64, 0, 0], true));
        assert!(is_short(&[100, 49, 0, 0], false));
        assert!(!is_short(&[0, 0, 0, 0], false), "the driver does not say");
        assert!(is_short(&[0, 0, 0, 0], true), "the end without a picture");
    }

    #[test]
    fn padding_after_the_last_row_may_be_missing() {
        let packed = Layout::with_stride(Format::XRGB8888, 100, 10, 512).unwrap();
        assert_eq!(needed_bytes(&packed), [512 * 9 + 400, 0, 0, 0]);
        let planes = Layout::with_buffers(Format::NV12, 100, 10, &[128, 128]).unwrap();
        assert_eq!(needed_bytes(&planes), [128 * 9 + 100, 128 * 4 + 100, 0, 0]);
        let one = Layout::with_stride(Format::NV12, 100, 10, 128).unwrap();
        assert_eq!(needed_bytes(&one), [128 * 10 + 128 * 4 + 100, 0, 0, 0]);
    }
}
