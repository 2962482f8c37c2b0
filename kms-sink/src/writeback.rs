//! Verification: what the display showed, through a writeback connector.
//!
//! A writeback connector writes what its CRTC composes into a buffer of ours, once for each
//! commit that names one, and signals a fence when it is done. Kernel documentation:
//! `drivers/gpu/drm/drm_writeback.c`, "overview".

use std::num::NonZeroU32;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::Frame;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::Counter;
use drm::buffer::Buffer;
use drm::control::Device;

use crate::card::errno;
use crate::choice::{Placement, Rect};
use crate::compare::{Picture, compare};
use crate::error::KmsSinkError;
use crate::flip::{PATIENCE, wait_for};
use crate::framebuffer::{Dumb, Framebuffer};
use crate::mode::ModeInfo;
use crate::output::Output;
use crate::props::{Properties, Request, Target};
use crate::rgb::RgbBytes;
use crate::sys::FenceSlot;

/// What was compared so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verified {
    pub(crate) frames: u64,
    pub(crate) pixels: u64,
    pub(crate) differing: u64,
}

impl Verified {
    pub(crate) fn counters(&self) -> Vec<Counter> {
        vec![
            Counter {
                name: "verified",
                count: self.frames,
            },
            Counter {
                name: "verified_pixels",
                count: self.pixels,
            },
            Counter {
                name: "differing_pixels",
                count: self.differing,
            },
        ]
    }
}

/// Compares every Nth frame with what the display made of it.
#[derive(Debug)]
pub(crate) struct Verifier {
    every: NonZeroU32,
    /// Frames until the next one that is compared.
    until_next: u32,
    targets: WritebackTargets,
    framebuffer: Framebuffer,
    dumb: Dumb,
    fence: FenceSlot,
    pixels: RgbBytes,
    at: Rect,
}

impl Verifier {
    /// Makes a buffer for what a mode shows.
    pub(crate) fn new(
        output: &Output,
        every: NonZeroU32,
        targets: WritebackTargets,
        pixels: RgbBytes,
        placement: &Placement,
    ) -> Result<Self, KmsSinkError> {
        let card = &output.card;
        let ModeInfo { width, height, .. } = output.mode_infos[placement.mode];
        let failed = |what| {
            move |source| KmsSinkError::WritebackBuffer {
                what,
                card: card.label(),
                source,
            }
        };
        let dumb = Dumb::new(card, width, height).map_err(failed("allocate"))?;
        let pitch = dumb.buffer.pitch();
        let screen = Layout::with_stride(Format::XRGB8888, width, height, pitch)
            .map_err(|_too_large| failed("lay out")(Errno::EOVERFLOW))?;
        let handle: u32 = dumb.buffer.handle().into();
        let framebuffer =
            Framebuffer::new(card, &screen, &[handle]).map_err(failed("make a framebuffer of"))?;
        Ok(Self {
            every,
            until_next: 0,
            targets,
            framebuffer,
            dumb,
            fence: FenceSlot::new(),
            pixels,
            at: placement.at,
        })
    }

    /// Has the next frame compared, as the first of a run is.
    pub(crate) fn restart(&mut self) {
        self.until_next = 0;
        drop(self.fence.take());
    }

    /// Adds an order to write down what is shown to the commit of a frame that is to be
    /// compared, and says whether it is. Asked once a frame.
    pub(crate) fn watch(&mut self, request: &mut Request) -> bool {
        if let Some(left) = self.until_next.checked_sub(1) {
            self.until_next = left;
            return false;
        }
        self.until_next = self.every.get() - 1;
        request.set(self.targets.framebuffer, self.framebuffer.id());
        request.set(self.targets.fence, self.fence.address());
        true
    }

    /// Waits until the frame in view has been written down, and compares.
    pub(crate) fn verify(
        &mut self,
        output: &Output,
        frame: &Frame,
        verified: &mut Verified,
    ) -> Result<(), KmsSinkError> {
        let sequence = frame.meta().sequence;
        let card = &output.card;
        let not_done = || KmsSinkError::NoWritebackDone {
            sequence,
            card: card.label(),
            waited: PATIENCE,
        };
        let fence = self.fence.take().ok_or_else(not_done)?;
        let failed = |source| KmsSinkError::WritebackBuffer {
            what: "wait for",
            card: card.label(),
            source,
        };
        if !wait_for(&fence, PATIENCE).map_err(failed)? {
            return Err(not_done());
        }
        let plane = frame.layout().planes()[0];
        let shown = frame.buffers()[plane.buffer]
            .read(CpuUse::Inspect)
            .map_err(|source| KmsSinkError::Look { sequence, source })?;
        let expected = Picture {
            bytes: &shown,
            offset: plane.offset as usize,
            stride: plane.stride as usize,
            pixels: self.pixels,
        };
        let stride = self.dumb.buffer.pitch() as usize;
        let mut written = card
            .map_dumb_buffer(&mut self.dumb.buffer)
            .map_err(|error| KmsSinkError::WritebackBuffer {
                what: "map",
                card: card.label(),
                source: errno(&error),
            })?;
        let found = Picture {
            bytes: written.as_ref(),
            offset: self.at.y as usize * stride + self.at.x as usize * 4,
            stride,
            pixels: RgbBytes {
                bytes: 4,
                channels: [2, 1, 0],
            },
        };
        let comparison = compare(&expected, &found, self.at.size);
        // A display that writes nothing next time must not be taken for one that shows the
        // same picture again.
        for byte in written.as_mut() {
            *byte = !*byte;
        }
        verified.frames += 1;
        verified.pixels += comparison.pixels;
        verified.differing += comparison.differing;
        match comparison.first {
            None => Ok(()),
            Some(first) => Err(KmsSinkError::Different {
                sequence,
                count: comparison.differing,
                pixels: comparison.pixels,
                first,
            }),
        }
    }
}

/// Where a commit says what to write and where to signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WritebackTargets {
    framebuffer: Target,
    fence: Target,
}

impl WritebackTargets {
    /// Looks at a writeback connector, which must be able to write XRGB8888.
    pub(crate) fn of(output: &Output, writeback: &Properties) -> Result<Self, KmsSinkError> {
        let card = &output.card;
        let code = Format::XRGB8888.drm().map_or(0, |code| code.to_u32());
        let writes = writeback.blob(card, "WRITEBACK_PIXEL_FORMATS");
        let writes = writes.unwrap_or_default();
        if !writes
            .chunks_exact(4)
            .any(|known| known == code.to_ne_bytes())
        {
            return Err(KmsSinkError::WritebackFormat { card: card.label() });
        }
        Ok(Self {
            framebuffer: writeback.target(card, "WRITEBACK_FB_ID")?,
            fence: writeback.target(card, "WRITEBACK_OUT_FENCE_PTR")?,
        })
    }
}

/// How to read a frame for comparison.
pub(crate) fn pixels(layout: &Layout) -> Result<RgbBytes, KmsSinkError> {
    RgbBytes::of(layout.format()).ok_or_else(|| KmsSinkError::NotVerifiable(layout.format()))
}
