//! From a description to stages that are open.

use dmaflow_core::stage::StageError;
use dmaflow_kms_sink::{KmsSink, NullSink, PictureSink};
use dmaflow_v4l2_src::{TestSrc, V4l2Src};

use super::{Description, FilterKind, SinkKind, SourceKind};
use crate::{AnySink, AnySource, Builder, Decimate, Pipeline, PipelineError};

impl Description {
    /// Opens every stage, and gives the pipeline that only has to be prepared.
    ///
    /// # Errors
    /// [`PipelineError::Stage`] with the name of the stage that cannot be opened.
    pub fn build(&self) -> Result<Builder, PipelineError> {
        let source: AnySource = match &self.source.kind {
            SourceKind::V4l2(config) => {
                let opened = V4l2Src::open(config.clone());
                opened.map_err(failed(&self.source.name))?.into()
            }
            SourceKind::Test(config) => TestSrc::new(config.clone()).into(),
        };
        let sink: AnySink = match &self.sink.kind {
            SinkKind::Kms(config) => {
                let opened = KmsSink::open(config.clone());
                opened.map_err(failed(&self.sink.name))?.into()
            }
            SinkKind::Picture(config) => PictureSink::new(config.clone()).into(),
            SinkKind::Null => NullSink::default().into(),
        };
        let ends = Pipeline::link((&self.source.name, source), (&self.sink.name, sink));
        let whole = self.filters.iter().fold(ends, |builder, stage| {
            let filter = match stage.kind {
                FilterKind::Decimate { every } => Decimate::new(every),
            };
            builder.filter(&stage.name, filter, stage.queue)
        });
        Ok(whole.queue(self.sink.queue).pool(self.source.pool.clone()))
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
