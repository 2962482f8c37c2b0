//! From a description to stages that are open.

use dmaflow_core::stage::StageError;
use dmaflow_kms_sink::{KmsSink, NullSink, PictureSink};
use dmaflow_v4l2_src::{TestSrc, V4l2Src};

use super::{Description, FilterKind, SinkKind, SourceKind, Stage, StageKind};
use crate::{
    AnySink, AnySource, Builder, Decimate, Pipeline, PipelineError, QueuePolicy, RateLimit,
};

impl Description {
    /// Opens every stage, and gives the pipeline that only has to be prepared.
    ///
    /// # Errors
    /// [`PipelineError::Stage`] with the name of the stage that cannot be opened.
    pub fn build(&self) -> Result<Builder, PipelineError> {
        let [first, between @ .., last] = &self.stages[..] else {
            return Err(PipelineError::NotAChain);
        };
        let in_a_row = self.links.len() + 1 == self.stages.len();
        let (StageKind::Source(source_kind, pool), StageKind::Sink(sink_kind), true) =
            (&first.kind, &last.kind, in_a_row)
        else {
            return Err(PipelineError::NotAChain);
        };
        let source = open_source(first, source_kind)?;
        let sink = open_sink(last, sink_kind)?;
        let mut builder = Pipeline::link((&first.name, source), (&last.name, sink));
        for (index, stage) in (1..).zip(between) {
            let StageKind::Filter(kind) = stage.kind else {
                return Err(PipelineError::NotAChain);
            };
            let queue = self.queue_into(index);
            builder = match kind {
                FilterKind::Decimate { every } => {
                    builder.filter(&stage.name, Decimate::new(every), queue)
                }
                FilterKind::RateLimit { rate } => {
                    builder.filter(&stage.name, RateLimit::new(rate), queue)
                }
            };
        }
        let queue = self.queue_into(self.stages.len() - 1);
        Ok(builder.queue(queue).pool(pool.clone()))
    }

    fn queue_into(&self, stage: usize) -> QueuePolicy {
        let mut links = self.links.iter();
        let link = links.find(|link| link.to.stage == stage);
        link.map_or_else(QueuePolicy::default, |link| link.queue)
    }
}

fn open_source(stage: &Stage, kind: &SourceKind) -> Result<AnySource, PipelineError> {
    Ok(match kind {
        SourceKind::V4l2(config) => {
            let opened = V4l2Src::open(config.clone());
            opened.map_err(failed(&stage.name))?.into()
        }
        SourceKind::Test(config) => TestSrc::new(config.clone()).into(),
    })
}

fn open_sink(stage: &Stage, kind: &SinkKind) -> Result<AnySink, PipelineError> {
    Ok(match kind {
        SinkKind::Kms(config) => {
            let opened = KmsSink::open(config.clone());
            opened.map_err(failed(&stage.name))?.into()
        }
        SinkKind::Picture(config) => PictureSink::new(config.clone()).into(),
        SinkKind::Null => NullSink::default().into(),
    })
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
