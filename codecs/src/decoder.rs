//! Whichever decoder a stream needs: one that reads it, or a stateless one.
//!
//! Which formats come in is agreed on only after stages are opened, and boards have a node for
//! some formats each. So all decoders of the machine are asked, those that read the stream
//! themselves before stateless ones, and those are kept that take what none before them does.

use std::sync::Arc;

use dmaflow_core::format::Format;
use dmaflow_core::frame::{Frame, FramePool};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{
    Choice, ControlValue, Controls, Counter, DeviceKey, Outlet, SourcePlan, StageError, Stopper,
    Transform,
};
use dmaflow_v4l2::{Function, VideoDevice};

use crate::codec::{CodecRole, V4l2Codec, V4l2CodecConfig};
use crate::error::V4l2ConverterError;
use crate::info::ConverterInfo;
use crate::stateless::{V4l2StatelessConfig, V4l2StatelessDecoder};

/// Which decoder, and what it is to make; what is left out is chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct V4l2DecoderConfig {
    /// Which device: a path, or the name of a driver, card or bus; otherwise the first that
    /// decodes the stream, a stateless one only where no other does.
    pub device: Option<String>,
    /// The format of what it makes; otherwise the best that the other end takes.
    pub format: Option<Format>,
    /// Controls to set, by name.
    pub controls: Vec<(String, ControlValue)>,
}

/// A decoder, and the streams for which it is the first.
struct Candidate {
    decoder: Box<dyn Transform>,
    takes: Vec<Format>,
}

/// A hardware decoder as a stage: a [`V4l2Codec`] or a [`V4l2StatelessDecoder`], by what comes in.
pub struct V4l2Decoder {
    /// One at least.
    candidates: Vec<Candidate>,
    /// By what was agreed on; the first before that.
    chosen: usize,
}

impl std::fmt::Debug for V4l2Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.candidates.iter().map(|one| one.decoder.device());
        f.debug_list().entries(names).finish()
    }
}

impl V4l2Decoder {
    /// Opens the decoders that may be meant.
    ///
    /// *Needs:* read and write permission for their nodes, which the group `video` has.
    ///
    /// # Errors
    /// As [`V4l2Codec::open`] and [`V4l2StatelessDecoder::open`], when there is none.
    pub fn open(config: &V4l2DecoderConfig) -> Result<Self, V4l2ConverterError> {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut refused = None;
        for function in [Function::Decoder, Function::StatelessDecoder] {
            for node in VideoDevice::all_matching(config.device.as_deref(), function) {
                match open(function, node.display().to_string(), config) {
                    Ok(mut found) => {
                        found.takes.retain(|format| {
                            let mut known = candidates.iter();
                            !known.any(|one| one.takes.contains(format))
                        });
                        candidates.extend(Some(found).filter(|found| !found.takes.is_empty()));
                    }
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
        }
        match (candidates.is_empty(), refused) {
            (false, _) => Ok(Self {
                candidates,
                chosen: 0,
            }),
            (true, Some(refused)) => Err(refused),
            // Which says what there is.
            (true, None) => none(config),
        }
    }

    fn chosen(&self) -> &dyn Transform {
        &*self.candidates[self.chosen].decoder
    }

    fn chosen_mut(&mut self) -> &mut dyn Transform {
        &mut *self.candidates[self.chosen].decoder
    }

    /// Who decodes a stream.
    fn decoder(&self, stream: Format) -> Option<usize> {
        let mut candidates = self.candidates.iter();
        candidates.position(|one| one.takes.contains(&stream))
    }
}

/// Opens a decoder of a kind, and asks which streams it takes.
fn open(
    function: Function,
    device: String,
    config: &V4l2DecoderConfig,
) -> Result<Candidate, V4l2ConverterError> {
    let (device, format, controls) = (Some(device), config.format, config.controls.clone());
    let streams = |info: &ConverterInfo| {
        let conversions = info.conversions.iter();
        conversions.map(|of| of.input.format).collect()
    };
    Ok(match function {
        Function::StatelessDecoder => {
            let config = V4l2StatelessConfig {
                device,
                format,
                controls,
            };
            let decoder = V4l2StatelessDecoder::open(config)?;
            let takes = streams(decoder.info());
            let decoder = Box::new(decoder);
            Candidate { decoder, takes }
        }
        _ => {
            let config = V4l2CodecConfig {
                device,
                format,
                controls,
                ..V4l2CodecConfig::new(CodecRole::Decoder)
            };
            let decoder = V4l2Codec::open(config)?;
            let takes = streams(decoder.info());
            let decoder = Box::new(decoder);
            Candidate { decoder, takes }
        }
    })
}

/// There is no such decoder of any kind.
fn none(config: &V4l2DecoderConfig) -> Result<V4l2Decoder, V4l2ConverterError> {
    let device = config.device.as_deref();
    VideoDevice::open_matching(device, Function::StatelessDecoder)?;
    VideoDevice::open_matching(device, Function::Decoder)?;
    // It came in between.
    V4l2Decoder::open(config)
}

impl Transform for V4l2Decoder {
    fn device(&self) -> String {
        self.chosen().device()
    }

    fn key(&self) -> Option<DeviceKey> {
        self.chosen().key()
    }

    fn reads_stream(&self) -> bool {
        self.chosen().reads_stream()
    }

    fn controls(&self) -> Option<Arc<dyn Controls>> {
        self.chosen().controls()
    }

    fn input_formats(&mut self) -> Result<Vec<Format>, StageError> {
        let all = self.candidates.iter().flat_map(|one| one.takes.clone());
        Ok(all.collect())
    }

    fn output_formats(&mut self, input: Format) -> Result<Vec<Format>, StageError> {
        match self.decoder(input) {
            Some(place) => self.candidates[place].decoder.output_formats(input),
            None => Ok(Vec::new()),
        }
    }

    fn configure(&mut self, input: &Layout, output: Format) -> Result<SourcePlan, StageError> {
        if let Some(place) = self.decoder(input.format())
            && place != self.chosen
        {
            self.detach_input();
            self.detach_output();
            self.chosen = place;
        }
        self.chosen_mut().configure(input, output)
    }

    fn attach_input(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.chosen_mut().attach_input(pool)
    }

    fn attach_output(&mut self, pool: &FramePool) -> Result<Vec<Choice>, StageError> {
        self.chosen_mut().attach_output(pool)
    }

    fn detach_input(&mut self) {
        self.chosen_mut().detach_input();
    }

    fn detach_output(&mut self) {
        self.chosen_mut().detach_output();
    }

    fn frames_held(&self) -> usize {
        let held = self.candidates.iter().map(|one| one.decoder.frames_held());
        held.max().unwrap_or_default()
    }

    fn start(&mut self) -> Result<Arc<dyn Stopper>, StageError> {
        self.chosen_mut().start()
    }

    fn transform(&mut self, frame: Frame, send: &mut dyn FnMut(Frame)) -> Result<(), StageError> {
        self.chosen_mut().transform(frame, send)
    }

    fn outlet(&mut self) -> Option<Box<dyn Outlet>> {
        self.chosen_mut().outlet()
    }

    fn finish(&mut self) -> Result<(), StageError> {
        self.chosen_mut().finish()
    }

    fn stop(&mut self) -> Result<(), StageError> {
        self.chosen_mut().stop()
    }

    fn counters(&self) -> Vec<Counter> {
        self.chosen().counters()
    }
}
