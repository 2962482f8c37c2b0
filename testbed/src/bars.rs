//! The colour bars that vivid draws, looked for in frames and in pictures.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use dmaflow_core::dma_buf::{CpuUse, DmaBufError};
use dmaflow_core::frame::Frame;

use crate::rgb::{Rgb, of_rgb565, of_yuv};

/// White, yellow, cyan, green, magenta, red, blue, black, from the left.
const BARS: [Rgb; 8] = [
    [191, 191, 191],
    [191, 191, 0],
    [0, 191, 191],
    [0, 191, 0],
    [191, 0, 191],
    [191, 0, 0],
    [0, 0, 191],
    [0, 0, 0],
];

/// A colour goes by way of YUV, in limited range and with fewer samples.
const TOLERANCE: u8 = 24;

/// Looks at the middle of each bar, below the text that vivid writes into its pictures; says
/// which is wrong.
fn judge(width: u32, height: u32, pixel: impl Fn(usize, usize) -> Rgb) -> Option<String> {
    let (width, y) = (width as usize, height as usize * 7 / 8);
    BARS.iter().enumerate().find_map(|(bar, expected)| {
        let x = width * (2 * bar + 1) / 16;
        let found = pixel(x, y);
        let near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= TOLERANCE;
        let right = found.iter().zip(expected).all(near);
        (!right).then(|| format!("bar {bar} at {x},{y} is {found:?}, not {expected:?}"))
    })
}

/// What is wrong with a frame of vivid in XRGB8888, RGB565 or NV12.
///
/// # Errors
/// When the CPU cannot look at it.
///
/// # Panics
/// With any other format.
pub fn wrong_in_frame(frame: &Frame) -> Result<Option<String>, DmaBufError> {
    let layout = frame.layout();
    let buffers = frame.buffers().iter();
    let bytes: Vec<_> = buffers
        .map(|buffer| buffer.read(CpuUse::Inspect))
        .collect::<Result<_, _>>()?;
    let at = |plane: usize, x: usize, y: usize| {
        let plane = layout.planes()[plane];
        &bytes[plane.buffer][plane.offset as usize + y * plane.stride as usize + x..]
    };
    Ok(judge(
        layout.width(),
        layout.height(),
        |x, y| match layout.format().name() {
            "XRGB8888" => {
                let pixel = at(0, 4 * x, y);
                [pixel[2], pixel[1], pixel[0]]
            }
            "RGB565" => {
                let pixel = at(0, 2 * x, y);
                of_rgb565([pixel[0], pixel[1]])
            }
            "NV12" => {
                let chroma = at(1, x / 2 * 2, y / 2);
                of_yuv(at(0, x, y)[0], chroma[0], chroma[1])
            }
            other => unreachable!("no test judges {other}"),
        },
    ))
}

/// What is wrong with a PNG file that was made of a frame of vivid.
///
/// # Panics
/// When it is no PNG file of red, green and blue.
#[must_use]
pub fn wrong_in_picture(path: &Path) -> Option<String> {
    let file = BufReader::new(File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
    assert_eq!(reader.info().color_type, png::ColorType::Rgb);
    let (width, height) = reader.info().size();
    let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut bytes).expect("pixels");
    judge(width, height, |x, y| {
        let pixel = &bytes[(y * width as usize + x) * 3..];
        [pixel[0], pixel[1], pixel[2]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_told_from_others() {
        let drawn = |x: usize, _y: usize| BARS[x * 8 / 640];
        assert_eq!(judge(640, 480, drawn), None);
        let swapped = |x: usize, y: usize| {
            let [red, green, blue] = drawn(x, y);
            [blue, green, red]
        };
        assert!(judge(640, 480, swapped).is_some());
        assert!(judge(640, 480, |_x, _y| [0; 3]).is_some());
    }
}
