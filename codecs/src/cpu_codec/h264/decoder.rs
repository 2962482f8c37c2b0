//! Decoding of H.264. Pictures come out in the order in which they are shown, so that those with B
//! pictures among them come later than they went in.

use std::fmt;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FrameFlags, FrameMeta};
use dmaflow_core::layout::Layout;
use dmaflow_v4l2::aligned_layout;
use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig, Flush};

use super::sys::{self, Decoded};
use crate::cpu_codec::error::CpuCodecError;
use crate::cpu_codec::work::{Damage, Outcome, Work, compressed};

pub(in crate::cpu_codec) const NAME: &str = "CPU H.264 decoder";

/// Frames that are remembered; the decoder keeps sixteen at most.
const REMEMBERED: usize = 64;

/// What it makes.
pub(in crate::cpu_codec) fn outputs() -> impl Iterator<Item = Format> {
    const OUTPUTS: [&str; 2] = ["YUV420", "NV12"];
    OUTPUTS.iter().filter_map(|name| name.parse().ok())
}

/// A decoder, and how its frames lie.
pub(in crate::cpu_codec) fn set_up(
    input: &Layout,
    output: Format,
) -> Result<(Box<dyn Work>, Layout), CpuCodecError> {
    let layout = aligned_layout(output, input.width(), input.height());
    let layout = layout.map_err(|source| CpuCodecError::Layout {
        codec: NAME,
        source,
    })?;
    let layout = layout.with_colour(input.colour());
    let work = H264Decoder {
        decoder: None,
        writes: layout.clone(),
        known: [FrameMeta::default(); REMEMBERED],
        next: 0,
    };
    Ok((Box::new(work), layout))
}

struct H264Decoder {
    /// `None` before a stream begins.
    decoder: Option<Decoder>,
    writes: Layout,
    /// What is known of the frames that went in, by the numbers that they went in with.
    known: [FrameMeta; REMEMBERED],
    next: u64,
}

impl fmt::Debug for H264Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H264Decoder")
            .field("writes", &self.writes)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// What OpenH264's number says (`codec_app_def.h`), the gravest first.
fn damage(state: i32) -> Damage {
    const STATES: [(i32, &str); 6] = [
        (16, "no parameter sets came before it"),
        (4, "its bits are wrong"),
        (2, "a picture that it builds on is missing"),
        (64, "a picture that it builds on is missing"),
        (8, "a layer that it builds on is missing"),
        (16384, "there is no memory"),
    ];
    let mut known = STATES.iter();
    let what = known.find(|(bit, _what)| state & bit != 0);
    let what = what.map_or("it does not say why", |(_bit, what)| what);
    Damage::H264 { what, state }
}

impl H264Decoder {
    fn remembered(&mut self, number: u64) -> Option<&mut FrameMeta> {
        let place = usize::try_from(number).ok()? % REMEMBERED;
        self.known.get_mut(place)
    }

    fn begun(&mut self) -> Result<(), CpuCodecError> {
        if self.decoder.is_none() {
            // A picture that is flushed before its time comes out of order.
            let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
            let decoder = Decoder::with_api_config(OpenH264API::from_source(), config);
            self.decoder = Some(decoder.map_err(|source| CpuCodecError::Library {
                codec: NAME,
                source: source.into(),
            })?);
        }
        Ok(())
    }
}

impl Work for H264Decoder {
    fn begin(&mut self) {
        self.decoder = None;
    }

    fn keeps(&self) -> bool {
        true
    }

    fn run(&mut self, frame: &Frame, made: &Frame) -> Result<Outcome, CpuCodecError> {
        self.begun()?;
        let number = self.next;
        self.next += 1;
        let known = frame.meta();
        if let Some(place) = self.remembered(number) {
            *place = known;
        }
        let (bytes, used) = compressed(NAME, frame)?;
        let Some(decoder) = &mut self.decoder else {
            return Ok(Outcome::LeftOut);
        };
        let number = match sys::decode(decoder, &bytes[..used], number) {
            Ok(Some(picture)) => copied(&picture, &self.writes, made)?,
            Ok(None) => return Ok(Outcome::LeftOut),
            Err(state) => return Ok(Outcome::Damaged(damage(state))),
        };
        Ok(Outcome::Made(self.of(number)))
    }

    fn flush(&mut self, made: &Frame) -> Result<Option<FrameMeta>, CpuCodecError> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(None);
        };
        match sys::flush(decoder) {
            Ok(Some(picture)) => {
                let number = copied(&picture, &self.writes, made)?;
                Ok(Some(self.of(number)))
            }
            Ok(None) | Err(_) => Ok(None),
        }
    }
}

impl H264Decoder {
    /// What is known of the picture of a frame with this number.
    fn of(&mut self, number: u64) -> FrameMeta {
        let known = self.remembered(number).copied().unwrap_or_default();
        FrameMeta {
            bytes_used: None,
            flags: FrameFlags::default(),
            ..known
        }
    }
}

/// Copies a picture into a frame, and returns its number.
fn copied(picture: &Decoded<'_>, writes: &Layout, made: &Frame) -> Result<u64, CpuCodecError> {
    let agreed = (writes.width(), writes.height());
    if picture.size != (agreed.0 as usize, agreed.1 as usize) {
        return Err(CpuCodecError::OtherSize {
            codec: NAME,
            agreed,
            found: picture.size,
        });
    }
    let Some(buffer) = made.buffers().first() else {
        return Err(CpuCodecError::ForeignFrame { codec: NAME });
    };
    let slot = made.slot();
    let into = buffer.write(CpuUse::Draw);
    let mut into = into.map_err(|source| CpuCodecError::Access {
        codec: NAME,
        verb: "write",
        slot,
        source,
    })?;
    let half = (picture.size.0.div_ceil(2), picture.size.1.div_ceil(2));
    let [y, cb, cr] = picture.planes;
    let [luma, chroma] = picture.strides;
    let mut places = writes
        .planes()
        .iter()
        .map(|plane| (plane.offset as usize, plane.stride as usize));
    let mut place = || places.next().unwrap_or_default();
    rows(&mut into, place(), (y, luma), picture.size);
    if writes.planes().len() == 3 {
        rows(&mut into, place(), (cb, chroma), half);
        rows(&mut into, place(), (cr, chroma), half);
    } else {
        pairs(&mut into, place(), [cb, cr], chroma, half);
    }
    Ok(picture.stamp)
}

/// Copies a plane's rows.
fn rows(
    into: &mut [u8],
    (offset, stride): (usize, usize),
    (plane, own_stride): (&[u8], usize),
    (columns, rows): (usize, usize),
) {
    let places = into
        .get_mut(offset..)
        .unwrap_or_default()
        .chunks_mut(stride);
    for (place, row) in places.zip(plane.chunks(own_stride)).take(rows) {
        if let (Some(place), Some(row)) = (place.get_mut(..columns), row.get(..columns)) {
            place.copy_from_slice(row);
        }
    }
}

/// Puts the samples of two planes together.
fn pairs(
    into: &mut [u8],
    (offset, stride): (usize, usize),
    [first, second]: [&[u8]; 2],
    own_stride: usize,
    (columns, rows): (usize, usize),
) {
    let places = into
        .get_mut(offset..)
        .unwrap_or_default()
        .chunks_mut(stride);
    let samples = first.chunks(own_stride).zip(second.chunks(own_stride));
    for (place, (first, second)) in places.zip(samples).take(rows) {
        let (place, _padding) = place.as_chunks_mut::<2>();
        let samples = first.iter().zip(second);
        for (pair, (&first, &second)) in place.iter_mut().zip(samples).take(columns) {
            *pair = [first, second];
        }
    }
}
