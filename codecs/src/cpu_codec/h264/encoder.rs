//! Encoding of H.264, a picture at a time: of each frame there is one at once.

use std::fmt;
use std::sync::Arc;

use dmaflow_core::dma_buf::{CpuRead, CpuUse};
use dmaflow_core::format::{Encoding, Format, Range};
use dmaflow_core::frame::{Frame, FrameFlags, FrameMeta};
use dmaflow_core::layout::{Layout, MAX_PLANES, Modifier};
use openh264::encoder::{
    BitRate, ColorPrimaries, EncodedBitStream, Encoder, EncoderConfig, FrameRate, FrameType,
    IntraFramePeriod, MatrixCoefficients, RateControlMode, TransferCharacteristics, VuiConfig,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};

use super::controls::EncoderControls;
use super::sys;
use crate::cpu_codec::error::CpuCodecError;
use crate::cpu_codec::work::{Damage, Outcome, Work};

pub(in crate::cpu_codec) const NAME: &str = "CPU H.264 encoder";

/// What it takes, what costs least first.
const INPUTS: [&str; 4] = ["YUV420", "YVU420", "NV12", "NV21"];

/// What it takes.
pub(in crate::cpu_codec) fn inputs() -> impl Iterator<Item = Format> {
    INPUTS.iter().filter_map(|name| name.parse().ok())
}

/// Where the chroma of pictures is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chroma {
    /// A plane each; whether Cr comes first.
    Planes { swapped: bool },
    /// A plane of pairs; whether Cr is the first of them.
    Pairs { swapped: bool },
}

impl Chroma {
    fn of(format: Format) -> Option<Self> {
        Some(match format.name() {
            "YUV420" => Self::Planes { swapped: false },
            "YVU420" => Self::Planes { swapped: true },
            "NV12" => Self::Pairs { swapped: false },
            "NV21" => Self::Pairs { swapped: true },
            _ => return None,
        })
    }
}

/// An encoder, and how its frames lie.
pub(in crate::cpu_codec) fn set_up(
    input: &Layout,
    output: Format,
    controls: &Arc<EncoderControls>,
) -> Result<(Box<dyn Work>, Layout), CpuCodecError> {
    let refused = |why| CpuCodecError::Input {
        codec: NAME,
        found: input.to_string(),
        why,
    };
    let (width, height) = (input.width(), input.height());
    let chroma = Chroma::of(input.format()).ok_or(CpuCodecError::NoWay {
        codec: NAME,
        input: input.format(),
        output,
    })?;
    if input.modifier() != Modifier::LINEAR {
        return Err(refused("the pixels do not lie in rows"));
    }
    if width % 2 != 0 || height % 2 != 0 || width.min(height) < 16 {
        return Err(refused(
            "both sides have to be even, and 16 pixels at least",
        ));
    }
    if width.max(height) > 3840 || width.min(height) > 2160 {
        return Err(refused("3840×2160 pixels are the most, either way round"));
    }
    // Compressed it never takes as much as it did, but where it is tiny.
    let room = (width * height * 3 / 2).max(1 << 16);
    let layout = Layout::compressed(output, (width, height), room)
        .map_err(|source| CpuCodecError::Layout {
            codec: NAME,
            source,
        })?
        .with_colour(input.colour());
    let samples = match chroma {
        Chroma::Planes { .. } => 0,
        Chroma::Pairs { .. } => (width / 2 * height / 2) as usize,
    };
    let work = H264Encoder {
        encoder: None,
        chroma,
        reads: input.clone(),
        apart: [vec![0; samples], vec![0; samples]],
        controls: Arc::clone(controls),
    };
    Ok((Box::new(work), layout))
}

struct H264Encoder {
    /// `None` before a stream begins.
    encoder: Option<Encoder>,
    chroma: Chroma,
    reads: Layout,
    /// Cb and Cr that came in pairs.
    apart: [Vec<u8>; 2],
    controls: Arc<EncoderControls>,
}

impl fmt::Debug for H264Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H264Encoder")
            .field("reads", &self.reads)
            .field("controls", &self.controls)
            .finish_non_exhaustive()
    }
}

/// What is wrong in the library itself.
fn failed(source: openh264::Error) -> CpuCodecError {
    CpuCodecError::Library {
        codec: NAME,
        source: source.into(),
    }
}

impl H264Encoder {
    fn config(&self) -> EncoderConfig {
        let asked = self.controls.asked();
        EncoderConfig::new()
            .bitrate(BitRate::from_bps(asked.bitrate))
            .intra_frame_period(IntraFramePeriod::from_num_frames(asked.interval))
            // By the frames' own stamps, since nobody tells their rate.
            .rate_control_mode(RateControlMode::Timestamp)
            .max_frame_rate(FrameRate::from_hz(60.0))
            .skip_frames(false)
            .scene_change_detect(false)
            .num_threads(1)
            .vui(self.colours())
    }

    /// What the stream tells of its numbers (ITU-T H.264, E.2.1).
    fn colours(&self) -> VuiConfig {
        let colour = self.reads.colour();
        let of = match colour.encoding {
            Some(Encoding::Bt601) => VuiConfig::bt601(),
            Some(Encoding::Bt709) => VuiConfig::bt709(),
            Some(Encoding::Bt2020) => VuiConfig::bt2020(),
            None => VuiConfig::new()
                .color_primaries(ColorPrimaries::Unspecified)
                .transfer_characteristics(TransferCharacteristics::Unspecified)
                .matrix_coefficients(MatrixCoefficients::Unspecified),
        };
        of.full_range(colour.range == Some(Range::Full))
    }

    /// Does what was asked since the picture before.
    fn heed(&mut self) -> Result<(), CpuCodecError> {
        let Some(encoder) = &mut self.encoder else {
            let encoder = Encoder::with_api_config(OpenH264API::from_source(), self.config());
            let mut encoder = encoder.map_err(failed)?;
            sys::silence(&mut encoder);
            self.encoder = Some(encoder);
            return Ok(());
        };
        let Some(asked) = self.controls.changed() else {
            return Ok(());
        };
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        if !sys::set_bitrate(encoder, number(asked.bitrate)) {
            tracing::warn!(
                bitrate = asked.bitrate,
                "the {NAME} does not take the bit rate"
            );
        }
        if !sys::set_interval(encoder, number(asked.interval)) {
            tracing::warn!(
                interval = asked.interval,
                "the {NAME} does not take the GOP's size"
            );
        }
        if asked.key {
            encoder.force_intra_frame();
        }
        Ok(())
    }
}

/// A plane's bytes from its first pixel to its last, if they are there.
fn plane<'g>(
    layout: &Layout,
    index: usize,
    guards: &'g [Option<CpuRead<'_>>; MAX_PLANES],
) -> Option<&'g [u8]> {
    let (plane, info) = (
        layout.planes().get(index)?,
        layout.format().planes().get(index)?,
    );
    let begin = plane.offset as usize;
    let rows = info.rows(layout.height()).checked_sub(1)? as usize;
    let end = begin + rows * plane.stride as usize + info.row_bytes(layout.width())? as usize;
    guards.get(plane.buffer)?.as_deref()?.get(begin..end)
}

/// A picture as the library reads it, which trusts that all rows are there.
struct Planes<'p> {
    size: (usize, usize),
    planes: [&'p [u8]; 3],
    strides: [usize; 3],
}

impl YUVSource for Planes<'_> {
    fn dimensions(&self) -> (usize, usize) {
        self.size
    }
    fn strides(&self) -> (usize, usize, usize) {
        self.strides.into()
    }
    fn y(&self) -> &[u8] {
        self.planes[0]
    }
    fn u(&self) -> &[u8] {
        self.planes[1]
    }
    fn v(&self) -> &[u8] {
        self.planes[2]
    }
}

/// Takes pairs of samples apart.
fn take_apart(
    pairs: &[u8],
    stride: usize,
    [first, second]: [&mut [u8]; 2],
    (columns, rows): (usize, usize),
) {
    let apart = first
        .chunks_exact_mut(columns)
        .zip(second.chunks_exact_mut(columns));
    for (row, (first, second)) in pairs.chunks(stride).take(rows).zip(apart) {
        let (row, _padding) = row.as_chunks::<2>();
        for (pair, (first, second)) in row.iter().zip(first.iter_mut().zip(second)) {
            [*first, *second] = *pair;
        }
    }
}

impl Work for H264Encoder {
    fn begin(&mut self) {
        self.encoder = None;
    }

    fn run(&mut self, frame: &Frame, made: &Frame) -> Result<Outcome, CpuCodecError> {
        self.heed()?;
        let access = |verb, of: &Frame| {
            let slot = of.slot();
            move |source| CpuCodecError::Access {
                codec: NAME,
                verb,
                slot,
                source,
            }
        };
        let mut guards: [Option<CpuRead<'_>>; MAX_PLANES] = Default::default();
        for (guard, buffer) in guards.iter_mut().zip(frame.buffers()) {
            *guard = Some(buffer.read(CpuUse::Copy).map_err(access("read", frame))?);
        }
        let layout = frame.layout();
        let (width, height) = (layout.width() as usize, layout.height() as usize);
        let stride = |index: usize| layout.planes().get(index).map_or(0, |p| p.stride as usize);
        let there = |index| {
            plane(layout, index, &guards).ok_or_else(|| CpuCodecError::Input {
                codec: NAME,
                found: layout.to_string(),
                why: "its buffers are too short",
            })
        };
        let luma = there(0)?;
        let ((cb, cr), chroma_strides) = match self.chroma {
            Chroma::Planes { swapped: false } => ((there(1)?, there(2)?), [stride(1), stride(2)]),
            Chroma::Planes { swapped: true } => ((there(2)?, there(1)?), [stride(2), stride(1)]),
            Chroma::Pairs { swapped } => {
                let [cb, cr] = self.apart.each_mut().map(Vec::as_mut_slice);
                let into = if swapped { [cr, cb] } else { [cb, cr] };
                take_apart(there(1)?, stride(1), into, (width / 2, height / 2));
                let [cb, cr] = self.apart.each_ref().map(Vec::as_slice);
                ((cb, cr), [width / 2; 2])
            }
        };
        let [cb_stride, cr_stride] = chroma_strides;
        let picture = Planes {
            size: (width, height),
            planes: [luma, cb, cr],
            strides: [stride(0), cb_stride, cr_stride],
        };
        let Some(encoder) = &mut self.encoder else {
            return Ok(Outcome::LeftOut);
        };
        let stream = encoder
            .encode_at(&picture, stamp(frame.meta()))
            .map_err(failed)?;
        if stream.frame_type() == FrameType::Skip {
            return Ok(Outcome::LeftOut);
        }
        let Some(buffer) = made.buffers().first() else {
            return Err(CpuCodecError::ForeignFrame { codec: NAME });
        };
        let mut into = buffer.write(CpuUse::Draw).map_err(access("write", made))?;
        let room = into.len();
        let Some(bytes) = written(&stream, &mut into) else {
            // Those behind it would build on it.
            self.controls.force_key();
            return Ok(Outcome::Damaged(Damage::NoRoom { room }));
        };
        Ok(Outcome::Made(FrameMeta {
            bytes_used: u32::try_from(bytes).ok(),
            flags: FrameFlags {
                key: stream.frame_type() == FrameType::IDR,
                last: false,
            },
            ..frame.meta()
        }))
    }
}

/// When a frame was captured, in milliseconds; of frames of an unknown time there are 30 a second.
fn stamp(known: FrameMeta) -> Timestamp {
    let captured = known.capture.map(|stamp| stamp.at.as_nanos() / 1_000_000);
    Timestamp::from_millis(captured.unwrap_or(known.sequence.saturating_mul(1000) / 30))
}

/// Writes all of a picture, and says how many bytes it takes; `None` where there is no room.
fn written(stream: &EncodedBitStream<'_>, into: &mut [u8]) -> Option<usize> {
    let mut end = 0_usize;
    for layer in (0..stream.num_layers()).filter_map(|layer| stream.layer(layer)) {
        for unit in (0..layer.nal_count()).filter_map(|unit| layer.nal_unit(unit)) {
            let place = into.get_mut(end..end.checked_add(unit.len())?)?;
            place.copy_from_slice(unit);
            end += unit.len();
        }
    }
    Some(end)
}
