//! A frame as a picture for files: PNG, or JPEG.
//!
//! It copies: the CPU reads the frame. Rows go to the encoder one after the other; of a picture in
//! luma and chroma as JFIF has them (BT.601, full range), JPEG gets the numbers themselves.

mod error;
mod jpeg;

pub use error::SnapshotError;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use dmaflow_core::dma_buf::{CpuRead, CpuUse};
use dmaflow_core::format::Format;
use dmaflow_core::frame::Frame;
use dmaflow_core::layout::{Layout, MAX_PLANES};
use dmaflow_core::pixels::Pixels;

/// How a picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFormat {
    /// PNG with 8 bits of red, green and blue: every colour as it is shown.
    Png,
    /// JPEG, whose quality goes from 1 to 100.
    Jpeg {
        /// 100 loses the least.
        quality: u8,
    },
}

impl SnapshotFormat {
    /// JPEG of a quality that nobody sees a loss in.
    pub const JPEG: Self = Self::Jpeg { quality: 90 };

    /// What the end of a file's name says, in any case: `.png`, `.jpg` or `.jpeg`.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let end = path.extension()?.to_str()?.to_ascii_lowercase();
        match &*end {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::JPEG),
            _ => None,
        }
    }
}

impl fmt::Display for SnapshotFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Png => "PNG",
            Self::Jpeg { .. } => "JPEG",
        })
    }
}

/// The formats of frames that pictures can be written of.
pub fn formats() -> impl Iterator<Item = Format> {
    Format::all().filter(|&format| Pixels::of(format).is_some())
}

/// Writes a frame's picture. Its colour encoding and range are respected; what its source left
/// open is BT.601 and limited.
///
/// # Errors
/// [`SnapshotError`]; `into` may then have got a part of the picture.
pub fn write(frame: &Frame, format: SnapshotFormat, into: impl Write) -> Result<(), SnapshotError> {
    let layout = frame.layout();
    let pixels = Pixels::of_layout(layout).ok_or_else(|| SnapshotError::Pixels {
        found: layout.to_string(),
    })?;
    let mut guards: [Option<CpuRead<'_>>; MAX_PLANES] = Default::default();
    for (guard, buffer) in guards.iter_mut().zip(frame.buffers()) {
        let look = buffer.read(CpuUse::Copy);
        *guard = Some(look.map_err(|source| SnapshotError::Access {
            slot: frame.slot(),
            source,
        })?);
    }
    let buffers = guards
        .each_ref()
        .map(|guard| guard.as_deref().unwrap_or_default());
    let picture = Picture {
        layout,
        pixels,
        buffers: &buffers,
    };
    match format {
        SnapshotFormat::Png => picture.write_png(into),
        SnapshotFormat::Jpeg { quality } => picture.write_jpeg(quality, into),
    }
}

/// A frame, open for reading.
struct Picture<'f> {
    layout: &'f Layout,
    pixels: Pixels,
    buffers: &'f [&'f [u8]],
}

impl Picture<'_> {
    fn write_png(&self, into: impl Write) -> Result<(), SnapshotError> {
        let unwritten = |source| SnapshotError::Write {
            format: SnapshotFormat::Png,
            source,
        };
        let failed = |error| {
            unwritten(match error {
                png::EncodingError::IoError(source) => source,
                error => io::Error::other(error),
            })
        };
        let mut into = BufWriter::new(into);
        let mut encoder = png::Encoder::new(&mut into, self.layout.width(), self.layout.height());
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().map_err(failed)?;
        let mut rows = writer.stream_writer().map_err(failed)?;
        let mut row = Vec::with_capacity(3 * self.layout.width() as usize);
        for y in 0..self.layout.height() {
            row.clear();
            self.pixels.rgb_row(self.layout, self.buffers, y, &mut row);
            rows.write_all(&row).map_err(unwritten)?;
        }
        rows.finish().map_err(failed)?;
        writer.finish().map_err(failed)?;
        into.flush().map_err(unwritten)
    }
}
