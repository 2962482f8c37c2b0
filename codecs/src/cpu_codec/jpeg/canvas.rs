//! Where a picture's samples go: the planes of a frame, written in runs of a whole unit's row, so
//! that memory that is not cached is neither read nor written byte by byte.

use dmaflow_core::format::Format;
use dmaflow_core::layout::{Layout, PlaneLayout};

/// The most columns, and the most rows, of a unit.
pub(super) const SIDE: usize = 32;

/// How a format lays the samples of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrangement {
    /// Luma alone.
    Grey,
    /// A plane each; the numbers of Cb's and Cr's.
    Planar { cb: usize, cr: usize },
    /// Luma, and a plane of pairs; whether Cr is the first of them.
    SemiPlanar { swapped: bool },
    /// Two pixels in four bytes: the places of the first luma, of Cb and of Cr.
    Packed { luma: usize, cb: usize, cr: usize },
    /// Bytes a pixel, and which of them are red, green and blue.
    Rgb { bytes: usize, places: [usize; 3] },
}

/// A format's arrangement, and by how much it has fewer columns and rows of chroma than of luma,
/// as powers of 2.
type Known = (Arrangement, (u32, u32));

fn known(format: Format) -> Option<Known> {
    let semi = |swapped| Arrangement::SemiPlanar { swapped };
    let planar = |cb, cr| Arrangement::Planar { cb, cr };
    let packed = |luma, cb, cr| (Arrangement::Packed { luma, cb, cr }, (1, 0));
    let rgb = |bytes, places| (Arrangement::Rgb { bytes, places }, (0, 0));
    Some(match format.name() {
        "NV12" => (semi(false), (1, 1)),
        "NV21" => (semi(true), (1, 1)),
        "NV16" => (semi(false), (1, 0)),
        "NV61" => (semi(true), (1, 0)),
        "NV24" => (semi(false), (0, 0)),
        "NV42" => (semi(true), (0, 0)),
        "YUV420" => (planar(1, 2), (1, 1)),
        "YVU420" => (planar(2, 1), (1, 1)),
        "YUV422" => (planar(1, 2), (1, 0)),
        "YUV444" => (planar(1, 2), (0, 0)),
        "YUYV" => packed(0, 1, 3),
        "YVYU" => packed(0, 3, 1),
        "UYVY" => packed(1, 0, 2),
        "VYUY" => packed(1, 2, 0),
        "XRGB8888" => rgb(4, [2, 1, 0]),
        "XBGR8888" => rgb(4, [0, 1, 2]),
        "RGB888" => rgb(3, [2, 1, 0]),
        "BGR888" => rgb(3, [0, 1, 2]),
        "GREY" => (Arrangement::Grey, (0, 0)),
        _ => return None,
    })
}

/// The formats that pictures are made in, those first that lose nothing of what cameras send, or
/// what every next stage takes.
pub(super) fn formats() -> impl Iterator<Item = Format> {
    const ORDER: [&str; 19] = [
        "NV12", "NV16", "YUYV", "UYVY", "YUV420", "YUV422", "NV24", "YUV444", "NV21", "NV61",
        "NV42", "YVU420", "YVYU", "VYUY", "XRGB8888", "XBGR8888", "RGB888", "BGR888", "GREY",
    ];
    let all = ORDER.iter().filter_map(|name| name.parse().ok());
    all.filter(|format| known(*format).is_some())
}

/// The samples of one component in a unit.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    rows: [[u8; SIDE]; SIDE],
    /// By how much it has fewer columns and rows than the picture, as powers of 2.
    fewer: (u32, u32),
}

impl Samples {
    pub(super) const NONE: Self = Self {
        rows: [[0; SIDE]; SIDE],
        fewer: (0, 0),
    };

    pub(super) fn set_fewer(&mut self, fewer: (u32, u32)) {
        self.fewer = fewer;
    }

    /// Puts a block of eight rows there, counted in blocks.
    #[inline]
    pub(super) fn put(&mut self, (column, row): (usize, usize), block: &[[u8; 8]; 8]) {
        let rows = self.rows.iter_mut().skip(8 * row);
        for (place, samples) in rows.zip(block) {
            if let Some(place) = place.get_mut(8 * column..8 * column + 8) {
                place.copy_from_slice(samples);
            }
        }
    }

    /// A row as if it had `fewer` columns and rows than the picture: means of its samples where it
    /// has more, the same ones again where it has not as many.
    #[inline]
    fn row(&self, row: usize, fewer: (u32, u32)) -> [u8; SIDE] {
        let first = (row << fewer.1) >> self.fewer.1;
        let mut found = self.rows.get(first).copied().unwrap_or([0; SIDE]);
        let down = fewer.1.saturating_sub(self.fewer.1);
        if down > 0 {
            let mut sums = [1_u16 << (down - 1); SIDE];
            for row in self.rows.iter().skip(first).take(1 << down) {
                for (sum, &sample) in sums.iter_mut().zip(row) {
                    *sum += u16::from(sample);
                }
            }
            found = sums.map(|sum| (sum >> down).to_le_bytes()[0]);
        }
        match (self.fewer.0, fewer.0) {
            (has, wants) if has == wants => found,
            (0, 1) => std::array::from_fn(|column| {
                let pair = |at: usize| u16::from(found[at % SIDE]);
                let sum = pair(2 * column) + pair(2 * column + 1) + 1;
                (sum >> 1).to_le_bytes()[0]
            }),
            (has, wants) => std::array::from_fn(|column| found[((column << wants) >> has) % SIDE]),
        }
    }
}

/// The samples of a unit: of luma, and of Cb and Cr if there are such.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) samples: [Samples; 3],
    /// Pixels across and down.
    pub(super) size: (usize, usize),
    /// Whether there is luma alone.
    pub(super) grey: bool,
}

impl Unit {
    pub(super) const NONE: Self = Self {
        samples: [Samples::NONE; 3],
        size: (0, 0),
        grey: true,
    };

    #[inline]
    fn chroma(&self, row: usize, fewer: (u32, u32)) -> [[u8; SIDE]; 2] {
        if self.grey {
            return [[128; SIDE]; 2];
        }
        let [_luma, cb, cr] = &self.samples;
        [cb.row(row, fewer), cr.row(row, fewer)]
    }
}

/// How the samples of a frame's picture lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    arrangement: Arrangement,
    fewer: (u32, u32),
    /// Width and height in pixels.
    pub(super) size: (u32, u32),
    planes: [PlaneLayout; 3],
}

impl Shape {
    /// That of frames which lie so; `None` where they are not of a format that is made, or in
    /// several buffers.
    pub(super) fn of(layout: &Layout) -> Option<Self> {
        let (arrangement, fewer) = known(layout.format())?;
        let mut planes = [PlaneLayout::default(); 3];
        for (place, plane) in planes.iter_mut().zip(layout.planes()) {
            *place = *plane;
        }
        (layout.buffer_lens().len() == 1).then_some(Self {
            arrangement,
            fewer,
            size: (layout.width(), layout.height()),
            planes,
        })
    }
}

/// A frame's bytes, to be written.
#[derive(Debug)]
pub(super) struct Canvas<'b> {
    shape: Shape,
    bytes: &'b mut [u8],
}

impl<'b> Canvas<'b> {
    pub(super) const fn new(shape: Shape, bytes: &'b mut [u8]) -> Self {
        Self { shape, bytes }
    }

    pub(super) const fn size(&self) -> (u32, u32) {
        self.shape.size
    }

    /// Writes a part of a plane's row.
    #[inline]
    fn line(&mut self, plane: usize, (from, row): (usize, usize), line: &[u8]) {
        let place = self.shape.planes[plane];
        let begin = place.offset as usize + row * place.stride as usize + from;
        // A layout's planes lie in its buffer.
        if let Some(place) = self.bytes.get_mut(begin..begin + line.len()) {
            place.copy_from_slice(line);
        }
    }

    /// Writes a unit whose first pixel is `x`, `y`; what lies outside of the picture is left out.
    pub(super) fn put(&mut self, unit: &Unit, (x, y): (usize, usize)) {
        let (width, height) = self.shape.size;
        let columns = unit
            .size
            .0
            .min((width as usize).saturating_sub(x))
            .min(SIDE);
        let rows = unit
            .size
            .1
            .min((height as usize).saturating_sub(y))
            .min(SIDE);
        let luma = unit.samples[0].rows.iter().take(rows);
        match self.shape.arrangement {
            Arrangement::Packed {
                luma: first,
                cb,
                cr,
            } => {
                for (row, luma) in luma.enumerate() {
                    let mut line = [0; 2 * SIDE];
                    packed(
                        &mut line,
                        luma,
                        &unit.chroma(row, self.shape.fewer),
                        [first, cb, cr],
                    );
                    self.line(0, (2 * x, y + row), &line[..columns.div_ceil(2) * 4]);
                }
            }
            Arrangement::Rgb { bytes, places } => {
                for (row, luma) in luma.enumerate() {
                    let mut line = [0; 4 * SIDE];
                    let chroma = unit.chroma(row, (0, 0));
                    match bytes {
                        3 => coloured::<3>(&mut line, luma, &chroma, places),
                        _ => coloured::<4>(&mut line, luma, &chroma, places),
                    }
                    self.line(0, (bytes * x, y + row), &line[..bytes * columns]);
                }
            }
            Arrangement::Grey | Arrangement::Planar { .. } | Arrangement::SemiPlanar { .. } => {
                for (row, luma) in luma.enumerate() {
                    self.line(0, (x, y + row), &luma[..columns]);
                }
                self.put_chroma(unit, (x, y), (columns, rows));
            }
        }
    }

    fn put_chroma(&mut self, unit: &Unit, (x, y): (usize, usize), (columns, rows): (usize, usize)) {
        let Shape {
            arrangement, fewer, ..
        } = self.shape;
        let (x, y) = (x >> fewer.0, y >> fewer.1);
        let columns = columns.div_ceil(1 << fewer.0);
        for row in 0..rows.div_ceil(1 << fewer.1) {
            match arrangement {
                Arrangement::SemiPlanar { swapped } => {
                    let [cb, cr] = unit.chroma(row, fewer);
                    let (first, second) = if swapped { (cr, cb) } else { (cb, cr) };
                    let mut line = [0; 2 * SIDE];
                    let samples = first.into_iter().zip(second);
                    for (pair, (first, second)) in line.chunks_exact_mut(2).zip(samples) {
                        pair.copy_from_slice(&[first, second]);
                    }
                    self.line(1, (2 * x, y + row), &line[..2 * columns]);
                }
                Arrangement::Planar { cb, cr } => {
                    let chroma = unit.chroma(row, fewer);
                    for (plane, line) in [cb, cr].into_iter().zip(chroma) {
                        self.line(plane, (x, y + row), &line[..columns]);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Two pixels in four bytes each.
#[inline]
fn packed(
    line: &mut [u8; 2 * SIDE],
    luma: &[u8; SIDE],
    [cb, cr]: &[[u8; SIDE]; 2],
    [first, cb_place, cr_place]: [usize; 3],
) {
    let chroma = cb.iter().zip(cr);
    let pairs = luma.chunks_exact(2).zip(chroma);
    for (four, (pair, (&cb, &cr))) in line.chunks_exact_mut(4).zip(pairs) {
        four[first] = pair[0];
        four[first + 2] = pair[1];
        four[cb_place] = cb;
        four[cr_place] = cr;
    }
}

/// The colours of pixels by BT.601 in full range, as JFIF says (T.871, 7), in 1/65536.
#[inline]
fn coloured<const BYTES: usize>(
    line: &mut [u8; 4 * SIDE],
    luma: &[u8; SIDE],
    [cb, cr]: &[[u8; SIDE]; 2],
    [red, green, blue]: [usize; 3],
) {
    let part = |cb_weight: i32, cr_weight: i32| -> [u8; SIDE] {
        std::array::from_fn(|at| {
            let (cb, cr) = (i32::from(cb[at]) - 128, i32::from(cr[at]) - 128);
            let luma = (i32::from(luma[at]) << 16) + (1 << 15);
            let channel = luma + cb_weight * cb + cr_weight * cr;
            (channel >> 16).clamp(0, 255).to_le_bytes()[0]
        })
    };
    // One after the other, so that each becomes vector instructions.
    let reds = part(0, 91_881);
    let greens = part(-22_554, -46_802);
    let blues = part(116_130, 0);
    for (at, pixel) in line
        .as_chunks_mut::<BYTES>()
        .0
        .iter_mut()
        .take(SIDE)
        .enumerate()
    {
        pixel[red] = reds[at];
        pixel[green] = greens[at];
        pixel[blue] = blues[at];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_samples_are_drawn_together_or_spread() {
        let mut samples = Samples::NONE;
        let block = std::array::from_fn(|row| {
            std::array::from_fn(|column| [10, 21][column % 2] + 4 * u8::try_from(row).unwrap())
        });
        samples.put((0, 0), &block);
        assert_eq!(samples.row(1, (0, 0))[..4], [14, 25, 14, 25]);
        // Means of two rows, of two columns, and of both.
        assert_eq!(samples.row(1, (0, 1))[..2], [20, 31]);
        assert_eq!(samples.row(1, (1, 0))[..2], [20, 20]);
        assert_eq!(samples.row(0, (1, 1))[..2], [18, 18]);
        samples.set_fewer((1, 1));
        assert_eq!(samples.row(3, (1, 0))[..3], [14, 25, 14]);
        assert_eq!(samples.row(3, (0, 0))[..5], [14, 14, 25, 25, 14]);
    }

    #[test]
    fn every_format_that_is_made_is_known() {
        assert_eq!(formats().count(), 19);
        for format in formats() {
            let layout = Layout::packed(format, 32, 17).unwrap();
            assert!(Shape::of(&layout).is_some(), "{format}");
        }
        assert_eq!(formats().next(), Some(Format::NV12));
    }

    #[test]
    fn colours_are_those_of_jfif() {
        let mut line = [0; 4 * SIDE];
        let luma = [76; SIDE];
        coloured::<4>(&mut line, &luma, &[[85; SIDE], [255; SIDE]], [2, 1, 0]);
        assert_eq!(line[..4], [0, 0, 254, 0]);
    }
}
