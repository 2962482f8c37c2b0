//! What the library `yuv` makes of what, by our formats' names.

use dmaflow_core::format::{Colour, Encoding, Format, Range};
use dmaflow_core::layout::{Layout, MAX_PLANES};
use yuv::{
    BufferStoreMut, YuvBiPlanarImage, YuvBiPlanarImageMut, YuvConversionMode, YuvError,
    YuvPackedImage, YuvPlanarImage, YuvRange, YuvStandardMatrix,
};

type Converted = Result<(), YuvError>;
type OfPacked =
    fn(&YuvPackedImage<'_, u8>, &mut [u8], u32, YuvRange, YuvStandardMatrix) -> Converted;
type OfSemiPlanar = fn(
    &YuvBiPlanarImage<'_, u8>,
    &mut [u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Converted;
type OfPlanar =
    fn(&YuvPlanarImage<'_, u8>, &mut [u8], u32, YuvRange, YuvStandardMatrix) -> Converted;
type ToSemiPlanar = fn(
    &mut YuvBiPlanarImageMut<'_, u8>,
    &[u8],
    u32,
    YuvRange,
    YuvStandardMatrix,
    YuvConversionMode,
) -> Converted;
type Reorder = fn(&[u8], u32, &mut [u8], u32, u32, u32) -> Converted;

/// A frame's planes as bytes, each with all its rows and their padding.
pub(super) type Planes<'b> = [&'b [u8]; MAX_PLANES];

/// How one format is made of another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Conversion {
    OfPacked(OfPacked),
    OfSemiPlanar(OfSemiPlanar),
    /// `true` where Cr comes before Cb.
    OfPlanar(OfPlanar, bool),
    ToSemiPlanar(ToSemiPlanar),
    Reorder(Reorder),
}

/// The bytes of an RGB pixel, in memory.
#[derive(Clone, Copy, Debug)]
enum Order {
    Bgrx,
    Rgbx,
    Bgr,
    Rgb,
}

impl Order {
    /// What is read; transparency is not looked at.
    fn read(format: Format) -> Option<Self> {
        match format.name() {
            "ARGB8888" => Some(Self::Bgrx),
            "ABGR8888" => Some(Self::Rgbx),
            _ => Self::made(format),
        }
    }

    /// What is made: nothing with transparency, which nobody could know.
    fn made(format: Format) -> Option<Self> {
        Some(match format.name() {
            "XRGB8888" => Self::Bgrx,
            "XBGR8888" => Self::Rgbx,
            "RGB888" => Self::Bgr,
            "BGR888" => Self::Rgb,
            _ => return None,
        })
    }

    /// The one of four functions that is for this order: they are for BGRX, RGBX, BGR and RGB.
    fn of<F: Copy>(self, functions: [F; 4]) -> F {
        let [bgrx, rgbx, bgr, rgb] = functions;
        match self {
            Self::Bgrx => bgrx,
            Self::Rgbx => rgbx,
            Self::Bgr => bgr,
            Self::Rgb => rgb,
        }
    }
}

impl Conversion {
    /// The conversion between two formats, where there is one.
    pub(super) fn of(input: Format, output: Format) -> Option<Self> {
        if output == Format::NV12 {
            return Some(Self::ToSemiPlanar(Order::read(input)?.of([
                yuv::bgra_to_yuv_nv12,
                yuv::rgba_to_yuv_nv12,
                yuv::bgr_to_yuv_nv12,
                yuv::rgb_to_yuv_nv12,
            ])));
        }
        let made = Order::made(output)?;
        if let Some(read) = Order::read(input) {
            return reorder(read, made).map(Self::Reorder);
        }
        of_packed(input, made)
            .map(Self::OfPacked)
            .or_else(|| of_semi_planar(input, made).map(Self::OfSemiPlanar))
            .or_else(|| of_planar(input, made))
    }

    /// Converts a picture. What is written lies in one buffer.
    pub(super) fn run(
        self,
        (reads, planes): (&Layout, &Planes<'_>),
        (writes, into): (&Layout, &mut [u8]),
    ) -> Converted {
        let stride = |plane: usize| reads.planes().get(plane).map_or(0, |plane| plane.stride);
        let (width, height) = (reads.width(), reads.height());
        let made = writes.planes()[0].stride;
        let (range, matrix) = (range(reads.colour()), matrix(reads.colour()));
        let mode = YuvConversionMode::Balanced;
        match self {
            Self::OfPacked(convert) => {
                let image = YuvPackedImage {
                    yuy: planes[0],
                    yuy_stride: stride(0),
                    width,
                    height,
                };
                convert(&image, into, made, range, matrix)
            }
            Self::OfSemiPlanar(convert) => {
                let image = YuvBiPlanarImage {
                    y_plane: planes[0],
                    y_stride: stride(0),
                    uv_plane: planes[1],
                    uv_stride: stride(1),
                    width,
                    height,
                };
                convert(&image, into, made, range, matrix, mode)
            }
            Self::OfPlanar(convert, swapped) => {
                let (cb, cr) = if swapped { (2, 1) } else { (1, 2) };
                let image = YuvPlanarImage {
                    y_plane: planes[0],
                    y_stride: stride(0),
                    u_plane: planes[cb],
                    u_stride: stride(cb),
                    v_plane: planes[cr],
                    v_stride: stride(cr),
                    width,
                    height,
                };
                convert(&image, into, made, range, matrix)
            }
            Self::ToSemiPlanar(convert) => {
                let chroma = writes.planes()[1];
                let (luma, chroma_rows) = into.split_at_mut(chroma.offset as usize);
                let mut image = YuvBiPlanarImageMut {
                    y_plane: BufferStoreMut::Borrowed(luma),
                    y_stride: made,
                    uv_plane: BufferStoreMut::Borrowed(chroma_rows),
                    uv_stride: chroma.stride,
                    width,
                    height,
                };
                let colour = writes.colour();
                let (range, matrix) = (self::range(colour), self::matrix(colour));
                convert(&mut image, planes[0], stride(0), range, matrix, mode)
            }
            Self::Reorder(convert) => convert(planes[0], stride(0), into, made, width, height),
        }
    }
}

fn of_packed(input: Format, made: Order) -> Option<OfPacked> {
    let functions: [OfPacked; 4] = match input.name() {
        "YUYV" => [
            yuv::yuyv422_to_bgra,
            yuv::yuyv422_to_rgba,
            yuv::yuyv422_to_bgr,
            yuv::yuyv422_to_rgb,
        ],
        "UYVY" => [
            yuv::uyvy422_to_bgra,
            yuv::uyvy422_to_rgba,
            yuv::uyvy422_to_bgr,
            yuv::uyvy422_to_rgb,
        ],
        "YVYU" => [
            yuv::yvyu422_to_bgra,
            yuv::yvyu422_to_rgba,
            yuv::yvyu422_to_bgr,
            yuv::yvyu422_to_rgb,
        ],
        "VYUY" => [
            yuv::vyuy422_to_bgra,
            yuv::vyuy422_to_rgba,
            yuv::vyuy422_to_bgr,
            yuv::vyuy422_to_rgb,
        ],
        _ => return None,
    };
    Some(made.of(functions))
}

fn of_semi_planar(input: Format, made: Order) -> Option<OfSemiPlanar> {
    let functions: [OfSemiPlanar; 4] = match input.name() {
        "NV12" => [
            yuv::yuv_nv12_to_bgra,
            yuv::yuv_nv12_to_rgba,
            yuv::yuv_nv12_to_bgr,
            yuv::yuv_nv12_to_rgb,
        ],
        "NV21" => [
            yuv::yuv_nv21_to_bgra,
            yuv::yuv_nv21_to_rgba,
            yuv::yuv_nv21_to_bgr,
            yuv::yuv_nv21_to_rgb,
        ],
        _ => return None,
    };
    Some(made.of(functions))
}

fn of_planar(input: Format, made: Order) -> Option<Conversion> {
    let swapped = match input.name() {
        "YUV420" => false,
        "YVU420" => true,
        _ => return None,
    };
    let functions: [OfPlanar; 4] = [
        yuv::yuv420_to_bgra,
        yuv::yuv420_to_rgba,
        yuv::yuv420_to_bgr,
        yuv::yuv420_to_rgb,
    ];
    Some(Conversion::OfPlanar(made.of(functions), swapped))
}

/// `None` where the bytes are those already.
fn reorder(read: Order, made: Order) -> Option<Reorder> {
    Some(match (read, made) {
        (Order::Bgrx, Order::Bgrx)
        | (Order::Rgbx, Order::Rgbx)
        | (Order::Bgr, Order::Bgr)
        | (Order::Rgb, Order::Rgb) => return None,
        (Order::Bgrx, Order::Rgbx) => yuv::bgra_to_rgba,
        (Order::Bgrx, Order::Bgr) => yuv::bgra_to_bgr,
        (Order::Bgrx, Order::Rgb) => yuv::bgra_to_rgb,
        (Order::Rgbx, Order::Bgrx) => yuv::rgba_to_bgra,
        (Order::Rgbx, Order::Bgr) => yuv::rgba_to_bgr,
        (Order::Rgbx, Order::Rgb) => yuv::rgba_to_rgb,
        (Order::Bgr, Order::Bgrx) => yuv::bgr_to_bgra,
        (Order::Bgr, Order::Rgbx) => yuv::bgr_to_rgba,
        (Order::Bgr, Order::Rgb) => yuv::bgr_to_rgb,
        (Order::Rgb, Order::Bgrx) => yuv::rgb_to_bgra,
        (Order::Rgb, Order::Rgbx) => yuv::rgb_to_rgba,
        (Order::Rgb, Order::Bgr) => yuv::rgb_to_bgr,
    })
}

/// What is left open is taken as a webcam would mean it, as displays do.
fn matrix(colour: Colour) -> YuvStandardMatrix {
    match colour.encoding {
        Some(Encoding::Bt601) | None => YuvStandardMatrix::Bt601,
        Some(Encoding::Bt709) => YuvStandardMatrix::Bt709,
        Some(Encoding::Bt2020) => YuvStandardMatrix::Bt2020,
    }
}

fn range(colour: Colour) -> YuvRange {
    match colour.range {
        Some(Range::Limited) | None => YuvRange::Limited,
        Some(Range::Full) => YuvRange::Full,
    }
}
