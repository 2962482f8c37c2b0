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

mod sidecar;

pub use sidecar::{Sidecar, SidecarColour, SidecarPlane, sidecar_of};

use crate::error::ContainerError;
use crate::format::Format;
use crate::framed::{Announced, Framed, Framing};
use crate::packet::{Codec, Colour, Packet, Plane, Track};
use crate::reader::{Demuxer, Input, ReadOptions};
use crate::stamps::Stamps;
use crate::writer::{Muxer, Output};

const FORMAT: Format = Format::Raw;

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
