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

use crate::canvas::Canvas;
use crate::card::Card;
use crate::choice::{Place, Rect};
use crate::compare::{Picture, compare};
use crate::error::KmsSinkError;
use crate::flip::{PATIENCE, wait_for};
use crate::output::Output;
use crate::props::{Properties, Request, Target};
use crate::sys::FenceSlot;
use dmaflow_core::pixels::RgbBytes;

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

/// Compares every Nth commit's frames with what the display made of them.
#[derive(Debug)]
pub(crate) struct Verifier {
    every: NonZeroU32,
    /// Commits until the next one that is compared.
    until_next: u32,
    targets: WritebackTargets,
    canvas: Canvas,
    fence: FenceSlot,
}

/// A frame that should be seen on the screen, unscaled.
#[derive(Clone, Debug)]
pub(crate) struct Expected<'f> {
    pub(crate) frame: &'f Frame,
    pub(crate) place: Place,
    /// Parts of the screen that something else covers.
    pub(crate) covered: Vec<Rect>,
    /// Which input of several it came from.
    pub(crate) input: Option<&'f str>,
}

impl Verifier {
    /// Makes a buffer for what a mode shows.
    pub(crate) fn new(
        output: &Output,
        every: NonZeroU32,
        targets: WritebackTargets,
        mode: usize,
    ) -> Result<Self, KmsSinkError> {
        let card = &output.card;
        let canvas = Canvas::new(card, output.mode_infos[mode].size());
        Ok(Self {
            every,
            until_next: 0,
            targets,
            canvas: canvas.map_err(|(what, source)| failed(card, what, source))?,
            fence: FenceSlot::new(),
        })
    }

    /// Has the next frame compared, as the first of a run is.
    pub(crate) fn restart(&mut self) {
        self.until_next = 0;
        drop(self.fence.take());
    }

    /// Adds an order to write down what is shown to a commit that is to be compared, and says
    /// whether it is. Asked once a commit.
    pub(crate) fn watch(&mut self, request: &mut Request) -> bool {
        if let Some(left) = self.until_next.checked_sub(1) {
            self.until_next = left;
            return false;
        }
        self.until_next = self.every.get() - 1;
        request.set(self.targets.framebuffer, self.canvas.framebuffer());
        request.set(self.targets.fence, self.fence.address());
        true
    }

    /// Waits until what is in view has been written down, and compares each frame.
    pub(crate) fn verify(
        &mut self,
        card: &Card,
        frames: &[Expected<'_>],
        verified: &mut Verified,
    ) -> Result<(), KmsSinkError> {
        let first = frames.first();
        self.wait(card, first.map_or(0, |it| it.frame.meta().sequence))?;
        let stride = self.canvas.stride();
        let mut written = self
            .canvas
            .map(card)
            .map_err(|(what, source)| failed(card, what, source))?;
        let mut wrong = Ok(());
        for expected in frames {
            let found = Picture {
                bytes: written.as_ref(),
                offset: expected.place.at.y as usize * stride + expected.place.at.x as usize * 4,
                stride,
                pixels: RgbBytes {
                    bytes: 4,
                    channels: [2, 1, 0],
                },
            };
            wrong = wrong.and(compare_one(expected, &found, verified));
        }
        // A display that writes nothing next time must not be taken for one that shows the
        // same picture again.
        for byte in written.as_mut() {
            *byte = !*byte;
        }
        wrong
    }

    fn wait(&mut self, card: &Card, sequence: u64) -> Result<(), KmsSinkError> {
        let not_done = || KmsSinkError::NoWritebackDone {
            sequence,
            card: card.label(),
            waited: PATIENCE,
        };
        let fence = self.fence.take().ok_or_else(not_done)?;
        let done = wait_for(&fence, PATIENCE).map_err(|source| failed(card, "wait for", source))?;
        done.then_some(()).ok_or_else(not_done)
    }
}

fn failed(card: &Card, what: &'static str, source: Errno) -> KmsSinkError {
    KmsSinkError::WritebackBuffer {
        what,
        card: card.label(),
        source,
    }
}

/// Compares one frame with what the screen showed, from its upper left corner there on.
fn compare_one(
    expected: &Expected<'_>,
    found: &Picture<'_>,
    verified: &mut Verified,
) -> Result<(), KmsSinkError> {
    let Expected { frame, place, .. } = expected;
    let of_input = |error| match expected.input {
        Some(input) => KmsSinkError::of_input(error, input),
        None => error,
    };
    let sequence = frame.meta().sequence;
    let pixels = pixels(frame.layout())?;
    let plane = frame.layout().planes()[0];
    let shown = frame.buffers()[plane.buffer]
        .read(CpuUse::Inspect)
        .map_err(|source| of_input(KmsSinkError::Look { sequence, source }))?;
    let (x, y) = (place.source.x as usize, place.source.y as usize);
    let picture = Picture {
        bytes: &shown,
        offset: plane.offset as usize + y * plane.stride as usize + x * pixels.bytes,
        stride: plane.stride as usize,
        pixels,
    };
    let Rect { x, y, .. } = place.at;
    let covered = |dx, dy| {
        expected
            .covered
            .iter()
            .any(|it| it.contains(x + dx, y + dy))
    };
    let comparison = compare(&picture, found, place.at.size(), covered);
    verified.frames += 1;
    verified.pixels += comparison.pixels;
    verified.differing += comparison.differing;
    comparison.first.map_or(Ok(()), |first| {
        Err(of_input(KmsSinkError::Different {
            sequence,
            count: comparison.differing,
            pixels: comparison.pixels,
            first,
        }))
    })
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
