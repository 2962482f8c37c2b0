//! Pictures that are not coded and nothing else, described in a file beside: `NAME.raw` by
//! `NAME.raw.json`.
//!
//! ```json
//! {
//!   "fourcc": "NV12",
//!   "modifier": "linear",
//!   "width": 640,
//!   "height": 480,
//!   "frame_bytes": 460800,
//!   "planes": [{ "offset": 0, "stride": 640 }, { "offset": 307200, "stride": 640 }],
//!   "rate": [30, 1],
//!   "colour": { "primaries": 1, "transfer": 1, "matrix": 1, "full_range": false }
//! }
//! ```
//! `rate` and `colour` may be missing, and `modifier` too, which can be `linear` only. The numbers
//! of `colour` are those of ITU-T H.273.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{ContainerError, Found};
use crate::format::Format;
use crate::framed::{Announced, Framed, Framing};
use crate::packet::{Codec, Colour, Packet, Plane, Track};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::stamps::Stamps;
use crate::writer::{Muxer, Output};

const FORMAT: Format = Format::Raw;

/// The most bytes of a description.
const MOST_OF_A_SIDECAR: usize = 64 << 10;

/// The most planes of a picture.
const MOST_PLANES: usize = 4;

/// The file that describes a file of pictures: its name and `.json`.
#[must_use]
pub fn sidecar_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

/// What is said of pictures that are not coded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    /// The format of `drm_fourcc.h`, four characters; spaces at the end may be missing.
    pub fourcc: String,
    /// `linear`.
    #[serde(default = "linear")]
    pub modifier: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one picture to the next.
    pub frame_bytes: u64,
    /// Where the planes of a picture lie in it.
    pub planes: Vec<SidecarPlane>,
    /// Pictures a second as a fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<(u32, u32)>,
    /// How colours are to be understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<SidecarColour>,
}

/// Where a plane lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidecarPlane {
    /// Bytes of the picture before it.
    pub offset: u32,
    /// Bytes from a row to the next.
    pub stride: u32,
}

/// How colours are to be understood, in the numbers of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidecarColour {
    /// `ColourPrimaries`.
    #[serde(default = "unspecified")]
    pub primaries: u8,
    /// `TransferCharacteristics`.
    #[serde(default = "unspecified")]
    pub transfer: u8,
    /// `MatrixCoefficients`.
    #[serde(default = "unspecified")]
    pub matrix: u8,
    /// `VideoFullRangeFlag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_range: Option<bool>,
}

fn linear() -> String {
    "linear".to_owned()
}

const fn unspecified() -> u8 {
    2
}

fn wrong(expected: &'static str, found: Found) -> ContainerError {
    ContainerError::Unexpected {
        format: FORMAT,
        offset: 0,
        expected,
        found,
    }
}

impl Sidecar {
    /// Reads a description.
    ///
    /// # Errors
    /// [`ContainerError::Unexpected`] for other text, and for one that contradicts itself;
    /// [`ContainerError::Unsupported`] for other modifiers; [`ContainerError::Read`].
    pub fn read(mut input: Input) -> Result<Self, ContainerError> {
        let mut text = vec![0; MOST_OF_A_SIDECAR];
        let len = input.fill(&mut text)?;
        let text = text.get(..len).unwrap_or_default();
        let sidecar: Self = serde_json::from_slice(text).map_err(|error| {
            let found = Found::Text(error.to_string());
            wrong("a description of raw pictures", found)
        })?;
        sidecar.check()?;
        Ok(sidecar)
    }

    /// Describes pictures of a track, each of so many bytes.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for coded pictures, and for those without size or planes.
    pub fn of(track: &Track, frame_bytes: u64) -> Result<Self, ContainerError> {
        let cannot = |what: String| ContainerError::CannotHold {
            format: FORMAT,
            what,
        };
        let Codec::Raw(fourcc) = track.codec else {
            return Err(cannot(format!("{:?}", track.codec)));
        };
        let size = track.size;
        let (width, height) =
            size.ok_or_else(|| cannot("pictures of an unknown size".to_owned()))?;
        let planes = track.planes.iter();
        let colour = track.colour.map(|colour| SidecarColour {
            primaries: colour.primaries,
            transfer: colour.transfer,
            matrix: colour.matrix,
            full_range: colour.full_range,
        });
        let sidecar = Self {
            fourcc: String::from_utf8_lossy(&fourcc.to_le_bytes()).into_owned(),
            modifier: linear(),
            width,
            height,
            frame_bytes,
            planes: planes
                .map(|plane| SidecarPlane {
                    offset: plane.offset,
                    stride: plane.stride,
                })
                .collect(),
            rate: track.rate,
            colour,
        };
        sidecar.check().map_err(|error| cannot(error.to_string()))?;
        Ok(sidecar)
    }

    fn check(&self) -> Result<(), ContainerError> {
        if self.modifier != "linear" {
            return Err(ContainerError::Unsupported {
                format: FORMAT,
                offset: 0,
                what: "modifier",
                found: Found::Text(self.modifier.clone()),
            });
        }
        self.fourcc_number()?;
        if self.width == 0 || self.height == 0 {
            let found = Found::Text(format!("{}x{}", self.width, self.height));
            return Err(wrong("a size", found));
        }
        if self.frame_bytes == 0 {
            return Err(wrong("frame_bytes", 0_u32.into()));
        }
        if self.planes.is_empty() || self.planes.len() > MOST_PLANES {
            let found = Found::Number(self.planes.len() as u64);
            return Err(wrong("one to four planes", found));
        }
        for plane in &self.planes {
            // Its rows are not known here; one at least has to be there.
            let end = u64::from(plane.offset) + u64::from(plane.stride);
            if plane.stride == 0 || end > self.frame_bytes {
                return Err(wrong("planes within frame_bytes", end.into()));
            }
        }
        Ok(())
    }

    fn fourcc_number(&self) -> Result<u32, ContainerError> {
        let mut characters = [b' '; 4];
        let text = self.fourcc.as_bytes();
        if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_graphic) {
            let spaced = text.len() == 4 && text.iter().all(|byte| (0x20..0x7f).contains(byte));
            if !spaced {
                let found = Found::Text(self.fourcc.clone());
                return Err(wrong("a fourcc of four characters", found));
            }
        }
        for (to, from) in characters.iter_mut().zip(text) {
            *to = *from;
        }
        Ok(u32::from_le_bytes(characters))
    }

    fn to_text(&self) -> Result<String, ContainerError> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|error| {
            let what = error.to_string();
            ContainerError::CannotHold {
                format: FORMAT,
                what,
            }
        })
    }
}

/// Reads pictures as they are described.
///
/// # Errors
/// [`ContainerError::Unexpected`] and [`ContainerError::Unsupported`] for a description that cannot
/// be.
pub fn read(
    input: Input,
    sidecar: &Sidecar,
    options: &ReadOptions,
) -> Result<Box<dyn Demuxer>, ContainerError> {
    sidecar.check()?;
    let stamps = Stamps::new(options, sidecar.rate);
    let planes = sidecar.planes.iter();
    let track = Track {
        size: Some((sidecar.width, sidecar.height)),
        planes: planes
            .map(|plane| Plane {
                offset: plane.offset,
                stride: plane.stride,
            })
            .collect(),
        colour: sidecar.colour.map(|colour| Colour {
            primaries: colour.primaries,
            transfer: colour.transfer,
            matrix: colour.matrix,
            full_range: colour.full_range,
        }),
        ..Track::new(Codec::Raw(sidecar.fourcc_number()?), stamps.timescale)
    };
    let track = stamps.into_track(track);
    let len = sidecar.frame_bytes;
    let framing = RawFraming { stamps, len };
    Ok(Box::new(Framed::new(input, framing, track, options)))
}

#[derive(Debug)]
struct RawFraming {
    stamps: Stamps,
    len: u64,
}

impl Framing for RawFraming {
    const FORMAT: Format = FORMAT;
    const WHAT: &'static str = "a picture";

    fn announce(&mut self, input: &mut Input, number: u64) -> Result<Announced, ContainerError> {
        if input.peek(1)?.is_empty() {
            return Ok(Announced::End);
        }
        Ok(Announced::Packet {
            len: self.len,
            packet: self.stamps.packet(number, true),
        })
    }
}

/// Writes pictures, and what describes them once the first is there. Times are lost but for the
/// rate.
#[derive(Debug)]
pub struct RawMuxer {
    output: Output,
    track: Track,
    /// Where the description goes.
    sidecar: Option<Output>,
    frame_bytes: u64,
}

impl RawMuxer {
    /// Into a file, with its description into another.
    ///
    /// # Errors
    /// [`ContainerError::CannotHold`] for coded pictures, and for those without size or planes.
    pub fn new(track: &Track, output: Output, sidecar: Output) -> Result<Self, ContainerError> {
        Sidecar::of(track, u64::MAX)?;
        Ok(Self {
            output,
            track: track.clone(),
            sidecar: Some(sidecar),
            frame_bytes: 0,
        })
    }
}

impl Muxer for RawMuxer {
    fn format(&self) -> Format {
        FORMAT
    }

    fn write(&mut self, _packet: &Packet, pieces: &[&[u8]]) -> Result<(), ContainerError> {
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        if let Some(mut sidecar) = self.sidecar.take() {
            let description = Sidecar::of(&self.track, len).and_then(|it| it.to_text());
            let text = match description {
                Ok(text) => text,
                Err(error) => {
                    self.sidecar = Some(sidecar);
                    return Err(error);
                }
            };
            self.frame_bytes = len;
            sidecar.write(&[text.as_bytes()])?;
            sidecar.flush()?;
        }
        if len != self.frame_bytes {
            return Err(ContainerError::Packet {
                format: FORMAT,
                what: "has not as many bytes as the first",
            });
        }
        self.output.write(pieces)
    }

    fn written(&self) -> u64 {
        self.output.written()
    }

    fn finish(&mut self) -> Result<(), ContainerError> {
        self.output.flush()
    }
}
