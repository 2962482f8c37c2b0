//! Why a pipeline could not be made or did not go on.

use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::frame::PoolError;
use dmaflow_core::heap::RegistryError;
use dmaflow_core::stage::StageError;

use crate::report::Report;
use crate::solver::{ProblemError, Unsolvable};

/// Why a pipeline cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A stage cannot be opened or asked.
    #[error("stage `{stage}`: {source}")]
    Stage {
        /// The stage's name.
        stage: String,
        /// What it says.
        source: StageError,
    },
    /// Source and sink have no format in common.
    #[error(
        "no common format: `{source_name}` offers {offered}; `{sink_name}` takes {taken}; \
         name a `format` that both have, or put a converter between them"
    )]
    NoCommonFormat {
        /// The source's name.
        source_name: String,
        /// Its formats.
        offered: String,
        /// The sink's name.
        sink_name: String,
        /// Its formats.
        taken: String,
    },
    /// Stages and links make no pipeline.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The stages cannot agree, by their own word.
    #[error(transparent)]
    Unsolvable(#[from] Unsolvable),
    /// A stage copies, and copies are not allowed.
    #[error(
        "stage `{stage}` copies: {how}; without copies, a device has to do that, such as \
         `v4l2-convert`, or the stage be left out; to have it copy, allow it: \
         zero-copy = \"allow\""
    )]
    Copies {
        /// The stage's name.
        stage: String,
        /// How the CPU carries pixels there.
        how: String,
    },
    /// There is no heap that would do.
    #[error(
        "no heap to try: devices import dma-bufs only, and this machine has neither \
         /dev/dma_heap nor /dev/udmabuf for this user"
    )]
    NoHeap,
    /// Nothing can be waited for.
    #[error("cannot supervise the pipeline: no descriptor for its stop handle")]
    Supervisor(#[source] std::io::Error),
    /// Every heap and format was refused.
    #[error("{}", refusals(.0))]
    Refused(Vec<Refusal>),
}

impl From<ProblemError> for PipelineError {
    fn from(error: ProblemError) -> Self {
        Self::Graph(error.into())
    }
}

/// Why stages and links make no pipeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A link begins where there is nothing.
    #[error("stage `{stage}` has no output {port}")]
    NoOutput {
        /// The stage's name; empty where there is none.
        stage: String,
        /// The output, counted from 0.
        port: usize,
    },
    /// A link ends where there is nothing.
    #[error("stage `{stage}` has no input {port}")]
    NoInput {
        /// The stage's name; empty where there is none.
        stage: String,
        /// The input, counted from 0.
        port: usize,
    },
    /// An input has no link.
    #[error("no link leads into input {port} of stage `{stage}`")]
    NothingComes {
        /// The stage's name.
        stage: String,
        /// The input, counted from 0.
        port: usize,
    },
    /// An output has no link.
    #[error("no link begins at output {port} of stage `{stage}`")]
    NothingLeaves {
        /// The stage's name.
        stage: String,
        /// The output, counted from 0.
        port: usize,
    },
    /// An input has several links.
    #[error(
        "several links lead into input {port} of stage `{stage}`: put a stage between that \
         has several inputs, such as a selector"
    )]
    TwoLinks {
        /// The stage's name.
        stage: String,
        /// The input, counted from 0.
        port: usize,
    },
    /// A link leads the wrong way.
    #[error(transparent)]
    Link(#[from] ProblemError),
    /// A frame would come back to a stage.
    #[error("stage `{0}` is in a cycle, or behind one: its frames would come back to it")]
    Cycle(String),
}

/// One try that came to nothing.
#[derive(Debug)]
pub struct Refusal {
    /// The format that was tried, where it came to that.
    pub format: Option<Format>,
    /// The heap that was tried, where it came to that.
    pub heap: Option<String>,
    /// Who said no, and why.
    pub reason: RefusalReason,
}

/// Who said no.
#[derive(Debug, thiserror::Error)]
pub enum RefusalReason {
    /// The stages would hold every frame and wait for one more.
    #[error(
        "{asked} buffers are too few: camera and display keep {needed} between them; ask for \
         {needed} or more, or leave `buffers` out"
    )]
    TooFewBuffers {
        /// How many were asked for.
        asked: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Only sources can be asked about heaps alone.
    #[error("{0} makes frames of other frames, and cannot be asked about heaps alone")]
    NoSource(String),
    /// The registry: the heap cannot be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The heap.
    #[error("{0}: {source}", source = root(.0))]
    Pool(#[from] PoolError),
    /// A stage.
    #[error(transparent)]
    Stage(#[from] StageError),
}

fn root(error: &PoolError) -> String {
    std::error::Error::source(error).map_or_else(String::new, ToString::to_string)
}

impl Refusal {
    /// What was tried: "heap `system` with NV12".
    #[must_use]
    pub fn tried(&self) -> String {
        match (&self.heap, self.format) {
            (Some(heap), Some(format)) => format!("heap `{heap}` with {format}"),
            (Some(heap), None) => format!("heap `{heap}`"),
            (None, Some(format)) => format.to_string(),
            (None, None) => String::new(),
        }
    }
}

/// One refusal by its reason alone, several as a list.
fn refusals(refusals: &[Refusal]) -> String {
    match by_reason(refusals).as_slice() {
        [(only, _tried)] => only.clone(),
        _ => "nothing that was tried works:".to_owned() + &list_of(refusals),
    }
}

/// Refusals as a list, in which equal reasons stand once.
pub(crate) fn list_of(refusals: &[Refusal]) -> String {
    let lines = by_reason(refusals).into_iter().map(|(reason, tried)| {
        let tried: Vec<_> = tried.into_iter().filter(|what| !what.is_empty()).collect();
        match tried.is_empty() {
            true => format!("\n  {reason}"),
            false => format!("\n  {}: {reason}", tried.join(", ")),
        }
    });
    lines.collect()
}

/// Reasons, each with what was refused because of it.
fn by_reason(refusals: &[Refusal]) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for refusal in refusals {
        let (tried, reason) = (refusal.tried(), refusal.reason.to_string());
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, same)) if same.contains(&tried) => {}
            Some((_, same)) => same.push(tried),
            None => groups.push((reason, vec![tried])),
        }
    }
    groups
}

/// Why a run ended before its time, with what was known until then.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct RunError {
    /// What happened until then.
    pub report: Box<Report>,
    /// Why it ended.
    #[source]
    pub cause: RunFailure,
}

/// What ended a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunFailure {
    /// A stage could not go on.
    #[error("stage `{stage}`: {source}")]
    Stage {
        /// The stage's name.
        stage: String,
        /// What it says.
        source: StageError,
    },
    /// A stage's thread panicked: a defect of the stage.
    #[error("stage `{stage}` panicked: {message}")]
    Panicked {
        /// The stage's name.
        stage: String,
        /// What it said.
        message: String,
    },
    /// A thread could not be started.
    #[error("cannot start the thread of stage `{stage}`")]
    Spawn {
        /// The stage's name.
        stage: String,
        /// EAGAIN at the limit of threads.
        source: std::io::Error,
    },
    /// The source delivers nothing.
    #[error(
        "stage `{stage}` delivered no usable frame for {waited:?}: is a signal connected and a \
         media link set up? The report's counters tell of lost, damaged and short frames"
    )]
    Silent {
        /// The source's name.
        stage: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A stage makes nothing of a frame that it has taken.
    #[error("stage `{stage}` took a frame and made nothing of it for {waited:?}")]
    Stuck {
        /// The stage's name.
        stage: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The pipeline of a run before had failed, and could not be made anew.
    #[error("{source}")]
    Unmade {
        /// The first stage's name.
        stage: String,
        /// Why.
        source: Box<PipelineError>,
    },
    /// A stage could not go on, and the pipeline could not be made anew.
    #[error("{cause}; the pipeline could not be made anew, after {tries} tries: {source}")]
    NotAgain {
        /// What ended it.
        cause: Box<RunFailure>,
        /// How often it was tried.
        tries: u32,
        /// Why the last try failed.
        source: Box<PipelineError>,
    },
}

impl RunFailure {
    /// The stage that could not go on.
    #[must_use]
    pub fn stage(&self) -> &str {
        match self {
            Self::Stage { stage, .. }
            | Self::Panicked { stage, .. }
            | Self::Spawn { stage, .. }
            | Self::Silent { stage, .. }
            | Self::Stuck { stage, .. }
            | Self::Unmade { stage, .. } => stage,
            Self::NotAgain { cause, .. } => cause.stage(),
        }
    }

    /// Whether a signal changed, so that the pipeline can go on after a new agreement.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        let Self::Stage { source, .. } = self else {
            return false;
        };
        matches!(source, StageError::Changed { .. })
    }

    /// Whether a device went away, which may come back.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        let Self::Stage { source, .. } = self else {
            return false;
        };
        matches!(source, StageError::Gone { .. })
    }
}
