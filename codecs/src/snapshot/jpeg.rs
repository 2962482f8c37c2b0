//! JPEG of frames, by the library `jpeg-encoder`.

use std::io::{self, BufWriter, Write};

use dmaflow_core::format::{Encoding, Family, Range};
use jpeg_encoder::{
    ChromaSubsamplingMethod, Encoder, EncodingError, ImageBuffer, JpegColorType, SamplingFactor,
    rgb_to_ycbcr,
};

use super::{Picture, SnapshotError, SnapshotFormat};

impl Picture<'_> {
    pub(super) fn write_jpeg(&self, quality: u8, into: impl Write) -> Result<(), SnapshotError> {
        let quality = quality.clamp(1, 100);
        let format = SnapshotFormat::Jpeg { quality };
        let (width, height) = (self.layout.width(), self.layout.height());
        let (Ok(columns), Ok(rows)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(SnapshotError::TooLarge {
                format,
                width,
                height,
            });
        };
        let failed = |source| SnapshotError::Write { format, source };
        let mut into = BufWriter::new(into);
        let mut encoder = Encoder::new(&mut into, quality);
        encoder.set_sampling_factor(self.sampling());
        // The mean of samples that are the same is the sample that they were made of.
        encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        let rows = Rows {
            picture: self,
            size: (columns, rows),
            is_jfif: self.is_jfif(),
        };
        encoder.encode_image(rows).map_err(|error| {
            failed(match error {
                EncodingError::IoError(source) => source,
                error => io::Error::other(error),
            })
        })?;
        into.flush().map_err(failed)
    }

    /// As many samples of chroma as the frame has.
    fn sampling(&self) -> SamplingFactor {
        let format = self.layout.format();
        match (format.family(), format.planes()) {
            (Family::Yuv, [packed]) if packed.block_columns == 2 => SamplingFactor::F_2_1,
            (Family::Yuv, [_luma, chroma, ..]) => match (chroma.horizontal, chroma.vertical) {
                (2, 2) => SamplingFactor::F_2_2,
                (2, 1) => SamplingFactor::F_2_1,
                _ => SamplingFactor::F_1_1,
            },
            _ => SamplingFactor::F_1_1,
        }
    }

    /// Whether the frame's numbers are those that JPEG files have (ITU-T T.871, 7).
    fn is_jfif(&self) -> bool {
        let colour = self.layout.colour();
        self.layout.format().family() == Family::Yuv
            && matches!(colour.encoding, Some(Encoding::Bt601) | None)
            && colour.range == Some(Range::Full)
    }
}

struct Rows<'p, 'f> {
    picture: &'p Picture<'f>,
    size: (u16, u16),
    is_jfif: bool,
}

impl ImageBuffer for Rows<'_, '_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        match self.picture.layout.format().name() {
            "GREY" => JpegColorType::Luma,
            _ => JpegColorType::Ycbcr,
        }
    }

    fn width(&self) -> u16 {
        self.size.0
    }

    fn height(&self) -> u16 {
        self.size.1
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let Picture {
            layout,
            pixels,
            buffers: bytes,
        } = self.picture;
        let is_grey = layout.format().name() == "GREY";
        let [luma, cb, cr, _key] = buffers;
        let mut push = |[y, b, r]: [u8; 3]| {
            luma.push(y);
            if !is_grey {
                cb.push(b);
                cr.push(r);
            }
        };
        let row = (*layout, *bytes, u32::from(y));
        if self.is_jfif {
            pixels.numbers(row, push);
        } else {
            pixels.colours(row, |[red, green, blue]| {
                let (y, b, r) = rgb_to_ycbcr(red, green, blue);
                push([y, b, r]);
            });
        }
    }
}
