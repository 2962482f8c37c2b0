//! What a frame leaves behind for those after it.

use super::header::{ColorConfig, FrameHeader, LoopFilter};
use super::segmentation::Segmentation;

/// A reference frame, as far as headers need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// Its samples.
    pub color: ColorConfig,
}

/// What a frame leaves behind for those after it, as far as headers need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub(super) slots: [Option<Slot>; 8],
    pub(super) color: ColorConfig,
    pub(super) loop_filter: LoopFilter,
    pub(super) segmentation: Segmentation,
}

impl Memory {
    /// Before the first frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frame was decoded with this header (8.10).
    pub fn keep(&mut self, header: &FrameHeader) {
        self.color = header.color;
        self.loop_filter = header.loop_filter;
        self.segmentation = header.segmentation;
        let (width, height) = (header.width, header.height);
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if header.refreshes(at) {
                *slot = Some(Slot {
                    width,
                    height,
                    color: header.color,
                });
            }
        }
    }

    /// No reference frame is there any more: decoding begins anew elsewhere.
    pub fn forget_references(&mut self) {
        self.slots = [None; 8];
    }
}
