//! The first line of a file.

use std::fmt;

use super::unexpected;
use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::packet::{Codec, Colour, Track};
use crate::planar::{Planar, fourcc};

/// What every file begins with.
pub(super) const MAGIC: &[u8] = b"YUV4MPEG2";

const fn planar(name: [u8; 4], bytes: u32, chroma: Option<(u32, u32)>) -> Planar {
    Planar {
        fourcc: fourcc(name),
        bytes,
        chroma,
    }
}

const YUV420: Planar = planar(*b"YU12", 1, Some((2, 2)));
const S010: Planar = planar(*b"S010", 2, Some((2, 2)));

/// What formats are called, the name that is written first. Where samples of 4:2:0 lie is not
/// kept.
const PIXELS: [(&str, Planar); 12] = [
    ("420jpeg", YUV420),
    ("420mpeg2", YUV420),
    ("420paldv", YUV420),
    ("420", YUV420),
    ("422", planar(*b"YU16", 1, Some((2, 1)))),
    ("444", planar(*b"YU24", 1, Some((1, 1)))),
    ("411", planar(*b"YU11", 1, Some((4, 1)))),
    ("mono", planar(*b"R8  ", 1, None)),
    ("420p10", S010),
    ("422p10", planar(*b"S210", 2, Some((2, 1)))),
    ("444p10", planar(*b"S410", 2, Some((1, 1)))),
    ("mono10", planar(*b"R10 ", 2, None)),
];

/// What the first line says.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) size: (u32, u32),
    pub(super) rate: Option<(u32, u32)>,
    pub(super) aspect: Option<(u32, u32)>,
    pub(super) name: &'static str,
    pub(super) pixels: Planar,
    pub(super) full_range: Option<bool>,
}

impl Header {
    /// Reads the line, without its end.
    pub(super) fn parse(line: &[u8]) -> Result<Self, ContainerError> {
        let mut width = None;
        let mut height = None;
        let (name, pixels) = PIXELS[0];
        let mut header = Self {
            size: (0, 0),
            rate: None,
            aspect: None,
            name,
            pixels,
            full_range: None,
        };
        let mut at = 0;
        for token in line.split(|byte| *byte == b' ') {
            let offset = at as u64;
            at += token.len() + 1;
            let Some((kind, value)) = token.split_first().filter(|_| offset > 0) else {
                continue;
            };
            let text = || Found::Text(String::from_utf8_lossy(token).into_owned());
            let value = std::str::from_utf8(value);
            let value = value.map_err(|_bytes| unexpected(offset, "text", text()))?;
            let unsupported = |what| ContainerError::Unsupported {
                format: Format::Y4m,
                offset,
                what,
                found: text(),
            };
            match kind {
                b'W' | b'H' => {
                    let number = value.parse().ok().filter(|number| *number > 0);
                    let number: u32 = number.ok_or_else(|| unexpected(offset, "a size", text()))?;
                    *(if *kind == b'W' {
                        &mut width
                    } else {
                        &mut height
                    }) = Some(number);
                }
                b'F' | b'A' => {
                    let fraction = fraction(value);
                    let fraction =
                        fraction.ok_or_else(|| unexpected(offset, "a fraction", text()))?;
                    let known = (fraction.0 > 0 && fraction.1 > 0).then_some(fraction);
                    *(if *kind == b'F' {
                        &mut header.rate
                    } else {
                        &mut header.aspect
                    }) = known;
                }
                b'I' if matches!(value, "p" | "?") => {}
                b'I' => return Err(unsupported("interlacing")),
                b'C' => {
                    let known = PIXELS.into_iter().find(|(name, _)| *name == value);
                    let known = known.ok_or_else(|| unsupported("the kind of pixels"))?;
                    (header.name, header.pixels) = known;
                }
                b'X' => match value {
                    "COLORRANGE=FULL" => header.full_range = Some(true),
                    "COLORRANGE=LIMITED" => header.full_range = Some(false),
                    _ => {}
                },
                _ => return Err(unexpected(offset, "a known token", text())),
            }
        }
        let missing = |what| unexpected(0, what, Found::Text(String::from_utf8_lossy(line).into()));
        header.size = (
            width.ok_or_else(|| missing("a width"))?,
            height.ok_or_else(|| missing("a height"))?,
        );
        Ok(header)
    }

    /// For a track, and the bytes of its pictures.
    pub(super) fn of(track: &Track) -> Result<(Self, u64), ContainerError> {
        let cannot = |what: String| ContainerError::CannotHold {
            format: Format::Y4m,
            what,
        };
        let Codec::Raw(wanted) = track.codec else {
            return Err(cannot(format!("{:?}", track.codec)));
        };
        let known = PIXELS
            .into_iter()
            .find(|(_, planar)| planar.fourcc == wanted);
        let characters = wanted.to_le_bytes();
        let unknown = || cannot(format!("{}", String::from_utf8_lossy(&characters)));
        let (name, pixels) = known.ok_or_else(unknown)?;
        let size = track.size.unwrap_or_default();
        let layout = pixels.planes(size);
        let (planes, len) = layout.ok_or_else(|| cannot(format!("pictures of {size:?}")))?;
        if !track.planes.is_empty() && track.planes != planes {
            return Err(cannot("planes with padding or in another order".to_owned()));
        }
        let header = Self {
            size,
            rate: track.rate,
            aspect: track.pixel_aspect,
            name,
            pixels,
            full_range: track.colour.and_then(|colour| colour.full_range),
        };
        Ok((header, len))
    }

    pub(super) fn colour(&self) -> Option<Colour> {
        let full_range = self.full_range?;
        Some(Colour {
            full_range: Some(full_range),
            ..Colour::default()
        })
    }
}

fn fraction(text: &str) -> Option<(u32, u32)> {
    let (above, below) = text.split_once(':')?;
    Some((above.parse().ok()?, below.parse().ok()?))
}

impl fmt::Display for Header {
    /// The line, with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.size;
        let (pictures, seconds) = self.rate.unwrap_or((0, 0));
        let (across, down) = self.aspect.unwrap_or((0, 0));
        write!(
            f,
            "YUV4MPEG2 W{width} H{height} F{pictures}:{seconds} Ip A{across}:{down} C{}",
            self.name
        )?;
        match self.full_range {
            Some(true) => f.write_str(" XCOLORRANGE=FULL")?,
            Some(false) => f.write_str(" XCOLORRANGE=LIMITED")?,
            None => {}
        }
        f.write_str("\n")
    }
}
