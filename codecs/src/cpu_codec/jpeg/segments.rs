//! What stands before the entropy-coded data of a JPEG picture (ITU-T T.81, annex B.2).

use super::cosine::{Block, scale};
use super::error::{JpegError, JpegFault};
use super::huffman::{Table, Tables};

/// A quantisation table: what coefficients are multiplied with, columns first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(pub(super) Block);

/// Where the coefficients of a block stand that come one after the other: the column in the upper
/// three bits, the row in the lower ones.
pub(super) const ZIGZAG: [u8; 64] = zigzag();

const fn zigzag() -> [u8; 64] {
    let mut order = [0; 64];
    let (mut column, mut row, mut at) = (0_u8, 0_u8, 0);
    while at < 64 {
        order[at] = column * 8 + row;
        let up = (column + row) % 2 == 0;
        if up && column == 7 {
            row += 1;
        } else if up && row == 0 {
            column += 1;
        } else if up {
            (column, row) = (column + 1, row - 1);
        } else if row == 7 {
            column += 1;
        } else if column == 0 {
            row += 1;
        } else {
            (column, row) = (column - 1, row + 1);
        }
        at += 1;
    }
    order
}

/// A component of the picture.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Component {
    id: u8,
    /// Blocks of it in a unit, across and down.
    pub(super) blocks: (usize, usize),
    /// Its quantisation table.
    pub(super) steps: usize,
    /// Its tables of first and of other coefficients.
    pub(super) tables: (usize, usize),
}

/// What the picture is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) size: (u32, u32),
    pub(super) components: [Component; 3],
    pub(super) count: usize,
}

/// What was read before the data.
#[derive(Debug)]
pub(super) struct Segments {
    standard: Tables,
    tables: Tables,
    /// Which of the tables the picture brought: for first, for other coefficients.
    brought: ([bool; 4], [bool; 4]),
    steps: [Steps; 4],
    has_steps: [bool; 4],
    pub(super) header: Option<Header>,
    /// Units an interval; 0 where there are none.
    pub(super) interval: u32,
    /// Whether colours are coded as red, green and blue.
    rgb: bool,
}

const DHT: u8 = 0xc4;
const RST: std::ops::RangeInclusive<u8> = 0xd0..=0xd7;
const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DRI: u8 = 0xdd;
const APP14: u8 = 0xee;

impl Segments {
    pub(super) fn new() -> Self {
        Self {
            standard: Tables::standard(),
            tables: Tables::empty(),
            brought: ([false; 4], [false; 4]),
            steps: [Steps([[0.0; 8]; 8]); 4],
            has_steps: [false; 4],
            header: None,
            interval: 0,
            rgb: false,
        }
    }

    /// Reads a picture up to its data, and says where those begin. Nothing stays of the picture
    /// before.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<usize, JpegError> {
        self.brought = ([false; 4], [false; 4]);
        self.has_steps = [false; 4];
        (self.header, self.interval, self.rgb) = (None, 0, false);
        if !bytes.starts_with(&[0xff, SOI]) {
            return Err(JpegFault::NoStart.at(0));
        }
        let mut at = 2;
        loop {
            let segment = Segment::read(bytes, &mut at)?;
            match segment.marker {
                DHT => self.huffman(&segment)?,
                DQT => self.quantisation(&segment)?,
                DRI => match segment.body {
                    &[high, low] => self.interval = u32::from(u16::from_be_bytes([high, low])),
                    _ => return Err(segment.wrong("they are not two bytes")),
                },
                0xc0 | 0xc1 => self.frame(&segment)?,
                SOS => {
                    self.scan(&segment)?;
                    return Ok(at);
                }
                APP14 => {
                    self.rgb = matches!(segment.body, [b'A', b'd', b'o', b'b', b'e', .., 0] if segment.body.len() == 12);
                }
                marker => {
                    if let Some(kind) = other_kind(marker) {
                        return Err(JpegFault::Unsupported(kind).at(segment.at));
                    }
                }
            }
        }
    }

    /// The tables of a component: its steps, those of first and of other coefficients.
    pub(super) fn tables(&self, of: &Component) -> (&Block, &Table, &Table) {
        let choose = |brought: bool| {
            if brought {
                &self.tables
            } else {
                &self.standard
            }
        };
        let (direct, alternating) = of.tables;
        (
            &self.steps[of.steps].0,
            &choose(self.brought.0[direct]).direct[direct],
            &choose(self.brought.1[alternating]).alternating[alternating],
        )
    }

    /// B.2.4.1.
    fn quantisation(&mut self, segment: &Segment<'_>) -> Result<(), JpegError> {
        let mut body = segment.body;
        while let Some((&what, rest)) = body.split_first() {
            let (wide, number) = (what >> 4, usize::from(what & 15));
            if wide > 1 || number > 3 {
                return Err(segment.wrong("there are no such quantisation tables"));
            }
            let bytes = if wide == 1 { 128 } else { 64 };
            let Some((values, rest)) = rest.split_at_checked(bytes) else {
                return Err(segment.wrong("a quantisation table is cut off"));
            };
            let table = self.steps[number].0.as_flattened_mut();
            for (&place, value) in ZIGZAG.iter().zip(values.chunks_exact(bytes / 64)) {
                let step = value
                    .iter()
                    .fold(0_u16, |step, &byte| step << 8 | u16::from(byte));
                if step == 0 {
                    return Err(segment.wrong("a quantisation step is 0"));
                }
                let (column, row) = (usize::from(place >> 3), usize::from(place & 7));
                table[usize::from(place)] = scaled(step, scale(column) * scale(row));
            }
            self.has_steps[number] = true;
            body = rest;
        }
        Ok(())
    }

    /// B.2.4.2.
    fn huffman(&mut self, segment: &Segment<'_>) -> Result<(), JpegError> {
        let mut body = segment.body;
        while let Some((&what, rest)) = body.split_first() {
            let (class, number) = (what >> 4, usize::from(what & 15));
            if class > 1 || number > 3 {
                return Err(segment.wrong("there are no such Huffman tables"));
            }
            let Some((counts, rest)) = rest.split_first_chunk::<16>() else {
                return Err(segment.wrong("a Huffman table is cut off"));
            };
            let total = counts.iter().copied().map(usize::from).sum();
            let Some((symbols, rest)) = rest.split_at_checked(total) else {
                return Err(segment.wrong("a Huffman table is cut off"));
            };
            let (tables, brought) = match class {
                0 => (&mut self.tables.direct, &mut self.brought.0),
                _ => (&mut self.tables.alternating, &mut self.brought.1),
            };
            let set = tables[number].set(counts, symbols);
            set.map_err(|why| segment.wrong(why))?;
            brought[number] = true;
            body = rest;
        }
        Ok(())
    }

    /// B.2.2.
    fn frame(&mut self, segment: &Segment<'_>) -> Result<(), JpegError> {
        if self.header.is_some() {
            return Err(JpegFault::Marker(segment.marker).at(segment.at));
        }
        let &[precision, y1, y0, x1, x0, count, ref parts @ ..] = segment.body else {
            return Err(segment.wrong("they are cut off"));
        };
        let unsupported = |what| Err(JpegFault::Unsupported(what).at(segment.at));
        if precision != 8 {
            return unsupported("deep");
        }
        let count = usize::from(count);
        if !matches!(count, 1 | 3) {
            return unsupported("neither grey nor YCbCr");
        }
        if parts.len() != 3 * count {
            return Err(segment.wrong("there are not as many components as they say"));
        }
        let mut components = [Component::default(); 3];
        for (component, part) in components.iter_mut().zip(parts.chunks_exact(3)) {
            let (across, down) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            if !matches!((across, down), (1..=4, 1..=4)) || part[2] > 3 {
                return Err(segment.wrong("a component is sampled as none can be"));
            }
            *component = Component {
                id: part[0],
                // Alone, it has a block a unit, whatever it says (A.2.2).
                blocks: if count == 1 { (1, 1) } else { (across, down) },
                steps: usize::from(part[2]),
                tables: (0, 0),
            };
        }
        let most = components[0].blocks;
        let divides = |(across, down): (usize, usize)| {
            most.0.is_multiple_of(across) && most.1.is_multiple_of(down)
        };
        let used = &components[..count];
        if !matches!(most, (1 | 2 | 4, 1 | 2 | 4)) || !used.iter().all(|part| divides(part.blocks))
        {
            return unsupported("oddly sampled");
        }
        if used
            .iter()
            .map(|part| part.blocks.0 * part.blocks.1)
            .sum::<usize>()
            > 10
        {
            return Err(segment.wrong("a unit has more than ten blocks"));
        }
        self.header = Some(Header {
            size: (
                u32::from(u16::from_be_bytes([x1, x0])),
                u32::from(u16::from_be_bytes([y1, y0])),
            ),
            components,
            count,
        });
        Ok(())
    }

    /// B.2.3. What it says of progressions is not looked at: in what is decoded here there are
    /// none.
    fn scan(&mut self, segment: &Segment<'_>) -> Result<(), JpegError> {
        let Some(header) = &mut self.header else {
            return Err(JpegFault::Marker(segment.marker).at(segment.at));
        };
        let unsupported = |what| Err(JpegFault::Unsupported(what).at(segment.at));
        if self.rgb && header.count == 3 {
            return unsupported("red, green and blue");
        }
        let (count, parts) = match segment.body {
            &[count, ref parts @ ..] => (usize::from(count), parts),
            [] => return Err(segment.wrong("they are cut off")),
        };
        if count != header.count {
            return unsupported("scan by scan");
        }
        if parts.len() != 2 * count + 3 {
            return Err(segment.wrong("there are not as many components as they say"));
        }
        let components = header.components.iter_mut();
        for (component, part) in components.zip(parts.chunks_exact(2).take(count)) {
            let tables = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            if part[0] != component.id || tables.0 > 3 || tables.1 > 3 {
                return Err(segment.wrong("a component is not one of the picture's"));
            }
            let known = |brought: &[bool; 4], number: usize| brought[number] || number < 2;
            if !known(&self.brought.0, tables.0) || !known(&self.brought.1, tables.1) {
                return Err(segment.wrong("a Huffman table was not brought"));
            }
            if !self.has_steps[component.steps] {
                return Err(segment.wrong("a quantisation table was not brought"));
            }
            component.tables = tables;
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a step loses digits that eight bits have no use for"
)]
fn scaled(step: u16, by: f64) -> f32 {
    (f64::from(step) * by) as f32
}

/// What kind of JPEG a marker announces that is not decoded here.
const fn other_kind(marker: u8) -> Option<&'static str> {
    match marker {
        0xc2 => Some("progressive"),
        0xc3 => Some("lossless"),
        0xc5..=0xc7 | 0xde..=0xdf => Some("hierarchical"),
        0xc9..=0xcf => Some("arithmetic"),
        _ => None,
    }
}

/// A marker with its parameters.
struct Segment<'b> {
    marker: u8,
    /// Where the marker stands.
    at: usize,
    body: &'b [u8],
}

impl<'b> Segment<'b> {
    /// Reads the segment at a place, which is then behind it.
    fn read(bytes: &'b [u8], at: &mut usize) -> Result<Self, JpegError> {
        let ends = || JpegFault::Ends.at(bytes.len());
        match bytes.get(*at) {
            None => return Err(ends()),
            Some(0xff) => {}
            Some(&other) => return Err(JpegFault::NoMarker(other).at(*at)),
        }
        // Any number of ff may stand before a marker.
        while bytes.get(*at + 1) == Some(&0xff) {
            *at += 1;
        }
        let begin = *at;
        let &marker = bytes.get(begin + 1).ok_or_else(ends)?;
        if RST.contains(&marker) || matches!(marker, 0 | 1 | SOI | EOI) {
            return Err(JpegFault::Marker(marker).at(begin));
        }
        let length = bytes.get(begin + 2..begin + 4).ok_or_else(ends)?;
        let length = length
            .iter()
            .fold(0, |length, &byte| length << 8 | usize::from(byte));
        let segment = Self {
            marker,
            at: begin,
            body: &[],
        };
        if length < 2 {
            return Err(segment.wrong("their length counts itself, and is less than that"));
        }
        *at = begin + 2 + length;
        let body = bytes.get(begin + 4..*at).ok_or_else(ends)?;
        Ok(Self { body, ..segment })
    }

    const fn wrong(&self, why: &'static str) -> JpegError {
        let marker = self.marker;
        JpegFault::Parameters { marker, why }.at(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_go_zigzag() {
        // Figure A.6: numbers by row and column.
        for (number, (row, column)) in [
            (0, (0, 0)),
            (1, (0, 1)),
            (2, (1, 0)),
            (5, (0, 2)),
            (9, (3, 0)),
            (20, (5, 0)),
            (35, (7, 0)),
            (28, (0, 7)),
            (62, (7, 6)),
            (63, (7, 7)),
        ] {
            assert_eq!(ZIGZAG[number], column * 8 + row, "{number}");
        }
        let mut seen = ZIGZAG;
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..64));
    }

    fn fault(bytes: &[u8]) -> JpegError {
        Segments::new().read(bytes).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(fault(b"MJPG"), JpegFault::NoStart.at(0));
        assert_eq!(fault(&[0xff, 0xd8]), JpegFault::Ends.at(2));
        assert_eq!(fault(&[0xff, 0xd8, 7]), JpegFault::NoMarker(7).at(2));
        assert_eq!(
            fault(&[0xff, 0xd8, 0xff, 0xff, 0xc2, 0, 2]),
            JpegFault::Unsupported("progressive").at(3)
        );
        assert_eq!(
            fault(&[0xff, 0xd8, 0xff, 0xd9]),
            JpegFault::Marker(0xd9).at(2)
        );
        let why = fault(&[0xff, 0xd8, 0xff, 0xdb, 0, 4, 0x20, 1]).to_string();
        assert_eq!(
            why,
            "byte 2: the parameters of ff db are wrong: there are no such quantisation tables"
        );
    }
}
