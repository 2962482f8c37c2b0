//! Where the first tile of each frame lies: from the places of headers in a trace, and from the
//! size in front of the tile.

use std::fs;
use std::path::Path;

use dmaflow_stateless::uapi::av1::Av1TileGroupEntry;

/// `OBU_FRAME_HEADER`.
const FRAME_HEADER: i64 = 3;
/// `OBU_TILE_GROUP`.
const TILE_GROUP: i64 = 4;
/// `OBU_FRAME`.
const FRAME: i64 = 6;

/// The first tiles of all frames that are decoded.
pub(super) fn first(stream: &Path, trace: &Path) -> Vec<Av1TileGroupEntry> {
    let stream = elementary(&fs::read(stream).unwrap());
    let mut rest = &stream[..];
    let mut tiles = Vec::new();
    // Bytes that come before those of the OBU: the headers in front of tile groups.
    let mut before = 0;
    let mut begun = false;
    let (mut tile_size_bytes, mut count) = (0, 1);
    for obu in obus(trace) {
        let payload = obu.payload(&mut rest);
        if obu.kind == FRAME || obu.kind == FRAME_HEADER {
            if obu.value("show_existing_frame") == 1 {
                continue;
            }
            (before, begun) = (0, true);
            tile_size_bytes = obu.value("tile_size_bytes_minus1") as usize + 1;
            count = 1 << (obu.value("tile_cols_log2") + obu.value("tile_rows_log2"));
        }
        if obu.kind == FRAME_HEADER {
            before = payload.len();
        }
        if begun && (obu.kind == FRAME || obu.kind == TILE_GROUP) {
            begun = false;
            let mut offset = obu.read - obu.header;
            let partial = obu.value("tile_start_and_end_present_flag") == 1;
            let last = if partial {
                obu.value("tg_end")
            } else {
                count - 1
            };
            let size = if last == 0 {
                payload.len() - offset
            } else {
                let size = &payload[offset..offset + tile_size_bytes];
                offset += tile_size_bytes;
                let bytes = size.iter().rev();
                bytes.fold(0, |size, &byte| size << 8 | usize::from(byte)) + 1
            };
            tiles.push(Av1TileGroupEntry {
                tile_offset: (before + offset) as u32,
                tile_size: size as u32,
                tile_row: 0,
                tile_col: 0,
            });
        }
    }
    assert!(rest.is_empty(), "not traced to its end");
    tiles
}

/// OBUs one behind the other: of an IVF file those of its frames.
fn elementary(file: &[u8]) -> Vec<u8> {
    let Some(ivf) = file.strip_prefix(b"DKIF") else {
        return file.to_vec();
    };
    let mut frames = &ivf[28..];
    let mut obus = Vec::new();
    while let Some((header, rest)) = frames.split_first_chunk::<12>() {
        let [a, b, c, d, ..] = *header;
        let (frame, rest) = rest.split_at(u32::from_le_bytes([a, b, c, d]) as usize);
        obus.extend_from_slice(frame);
        frames = rest;
    }
    obus
}

/// What a trace tells of an OBU.
#[derive(Debug, Default)]
struct Obu {
    kind: i64,
    /// Bytes before its payload.
    header: usize,
    /// Bytes up to the end of what was traced of it.
    read: usize,
    fields: Vec<(String, i64)>,
}

impl Obu {
    fn value(&self, name: &str) -> i64 {
        let mut fields = self.fields.iter();
        let found = fields.find(|(field, _value)| field == name);
        found.map_or(0, |(_field, value)| *value)
    }

    /// Takes it from the stream, which has it next.
    fn payload<'s>(&self, stream: &mut &'s [u8]) -> &'s [u8] {
        assert_eq!(i64::from(stream[0] >> 3 & 15), self.kind);
        let (obu, rest) = stream.split_at(self.header + self.value("obu_size") as usize);
        *stream = rest;
        &obu[self.header..]
    }
}

/// All of a trace, but for extra data before the first packet.
fn obus(trace: &Path) -> Vec<Obu> {
    let text = fs::read(trace).unwrap();
    let text = String::from_utf8_lossy(&text);
    let mut obus: Vec<Obu> = Vec::new();
    let mut packets = false;
    for line in text.split(['\n', '\r']) {
        let Some((_, said)) = line.split_once("[trace_headers @ ") else {
            continue;
        };
        let said = said.split_once("] ").map_or("", |(_, said)| said);
        packets |= said.starts_with("Packet:");
        if packets && said == "OBU header" {
            obus.push(Obu::default());
        }
        let (Some(obu), Some((name, end, value))) = (obus.last_mut(), field(said)) else {
            continue;
        };
        obu.read = obu.read.max(end.div_ceil(8));
        if name == "obu_type" {
            obu.kind = value;
        }
        if name.starts_with("obu_") || name.starts_with("leb128_") {
            obu.header = obu.read;
        }
        obu.fields.push((name.to_owned(), value));
    }
    obus
}

/// `POSITION NAME BITS = VALUE`: the name, the bits up to the end of it, the value.
fn field(said: &str) -> Option<(&str, usize, i64)> {
    let (before, value) = said.rsplit_once(" = ")?;
    let mut words = before.split_whitespace();
    let position: usize = words.next()?.parse().ok()?;
    let name = words.next()?;
    let bits = words.next().map_or(0, str::len);
    Some((name, position + bits, value.trim().parse().ok()?))
}
