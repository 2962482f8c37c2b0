//! Whether a frame holds what the camera writes, and whether the camera wrote all of it.

use dmaflow_core::frame::FrameFlags;
use dmaflow_core::layout::{Layout, MAX_PLANES};

/// Whether frames of layout `found` hold what is written in layout `written`.
pub(super) fn same_place(written: &Layout, found: &Layout) -> bool {
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
/// much they wrote say 0, and so does a last frame without a picture.
pub(super) fn is_short(
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
}
