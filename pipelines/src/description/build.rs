//! From a description to stages that are open.

use dmaflow_codecs::{CodecRole, V4l2Codec, V4l2CodecConfig, V4l2Converter, V4l2ConverterConfig};
use dmaflow_core::stage::StageError;
use dmaflow_files::{FileSink, FileSrc};
use dmaflow_kms_sink::{KmsInputConfig, KmsMixer, KmsMixerConfig, KmsSink, KmsSinkConfig};
use dmaflow_kms_sink::{NullSink, PictureSink};
use dmaflow_v4l2_src::{TestSrc, V4l2Src};

use super::{Description, FilterKind, MixerInput, MixerKind, RouterKind, SinkKind, SourceKind};
use super::{Stage, StageKind, TransformKind};
use crate::{AnyStage, Builder, Decimate, PipelineError, RateLimit, Selector};

/// Frames for what is added while a run goes on.
const SPARE: usize = 2;

impl Description {
    /// Opens every stage, and gives the pipeline that only has to be prepared.
    ///
    /// # Errors
    /// [`PipelineError::Stage`] with the name of the stage that cannot be opened.
    pub fn build(&self) -> Result<Builder, PipelineError> {
        let mut builder = Builder::new();
        builder.set_zero_copy(self.zero_copy);
        if self.control.is_some() {
            builder.set_spare(SPARE);
        }
        let mut ids = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let id = builder.add(&stage.name, open(stage)?);
            if let StageKind::Source(_, pool) | StageKind::Transform(_, pool) = &stage.kind {
                builder.set_pool(id, pool.clone());
            }
            ids.push(id);
        }
        for link in &self.links {
            let from = ids[link.from.stage].output(link.from.port);
            let to = ids[link.to.stage].input(link.to.port);
            builder.connect(from, to, link.queue);
        }
        Ok(builder)
    }
}

/// Opens a stage.
pub(crate) fn open(stage: &Stage) -> Result<AnyStage, PipelineError> {
    let name = &stage.name;
    Ok(match &stage.kind {
        StageKind::Source(SourceKind::V4l2(config), _) => {
            AnyStage::source(V4l2Src::open(config.clone()).map_err(failed(name))?)
        }
        StageKind::Source(SourceKind::Test(config), _) => {
            AnyStage::source(TestSrc::new(config.clone()))
        }
        StageKind::Source(SourceKind::File(config), _) => {
            AnyStage::source(FileSrc::open(config.clone()).map_err(failed(name))?)
        }
        StageKind::Filter(FilterKind::Decimate { every }) => {
            AnyStage::filter(Decimate::new(*every))
        }
        StageKind::Filter(FilterKind::RateLimit { rate }) => {
            AnyStage::filter(RateLimit::new(*rate))
        }
        StageKind::Router(RouterKind::Selector { inputs, selected }) => {
            AnyStage::router(Selector::new(inputs.len(), *selected))
        }
        StageKind::Sink(SinkKind::Kms(config)) => {
            AnyStage::sink(KmsSink::open(config.clone()).map_err(failed(name))?)
        }
        StageKind::Sink(SinkKind::Picture(config)) => {
            AnyStage::sink(PictureSink::new(config.clone()))
        }
        StageKind::Sink(SinkKind::File(config)) => {
            AnyStage::sink(FileSink::new(config.clone()).map_err(failed(name))?)
        }
        StageKind::Sink(SinkKind::Null) => AnyStage::sink(NullSink::default()),
        StageKind::Transform(TransformKind::V4l2Convert(asked), _) => {
            let config = V4l2ConverterConfig {
                device: asked.device.clone(),
                format: asked.format,
                size: asked.size,
                controls: asked.controls.clone(),
            };
            AnyStage::transform(V4l2Converter::open(config).map_err(failed(name))?)
        }
        StageKind::Transform(TransformKind::V4l2Decode(asked), _) => {
            let config = V4l2CodecConfig {
                device: asked.device.clone(),
                format: asked.format,
                controls: asked.controls.clone(),
                ..V4l2CodecConfig::new(CodecRole::Decoder)
            };
            AnyStage::transform(V4l2Codec::open(config).map_err(failed(name))?)
        }
        StageKind::Transform(TransformKind::V4l2Encode(asked), _) => {
            let config = V4l2CodecConfig {
                device: asked.device.clone(),
                format: asked.codec,
                controls: asked.controls.clone(),
                ..V4l2CodecConfig::new(CodecRole::Encoder)
            };
            AnyStage::transform(V4l2Codec::open(config).map_err(failed(name))?)
        }
        StageKind::Mixer(MixerKind::Kms { config, inputs }) => {
            let opened = KmsMixer::open(screen(config, inputs));
            AnyStage::mixer(opened.map_err(failed(name))?)
        }
    })
}

/// A display that shows several inputs.
fn screen(config: &KmsSinkConfig, inputs: &[MixerInput]) -> KmsMixerConfig {
    let inputs = inputs.iter().map(|input| KmsInputConfig {
        name: input.name.clone(),
        at: input.place.at,
        size: input.place.size,
        plane: input.place.plane,
        zpos: 0,
    });
    KmsMixerConfig {
        card: config.card.clone(),
        connector: config.connector.clone(),
        mode: config.mode,
        verify: config.verify,
        inputs: inputs.collect(),
        ..KmsMixerConfig::default()
    }
}

fn failed<E>(stage: &str) -> impl FnOnce(E) -> PipelineError
where
    E: std::error::Error + Send + Sync + 'static,
{
    let stage = stage.to_owned();
    |error| PipelineError::Stage {
        stage,
        source: StageError::failed(error),
    }
}
