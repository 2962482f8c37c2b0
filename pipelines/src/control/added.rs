//! Sinks that are added to a run, as their users write them.

use crate::description::{Description, Diagnostics, Stage, StageKind};
use crate::{AnyStage, PipelineError, QueuePolicy};

/// What stands before the sink, so that it is a pipeline in a line. Its name is nobody's.
const SOURCE: &str = "test-src name=_ ! ";

/// A sink that is open.
pub(super) struct Added {
    pub(super) name: String,
    /// Whether its user named it.
    pub(super) is_named: bool,
    pub(super) stage: AnyStage,
    pub(super) queue: QueuePolicy,
}

/// Why there is no such sink.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddError {
    #[error("the sink is not understood\n{0}")]
    Wrong(Box<Diagnostics>),
    #[error("`{0}` is more than a sink: one is added at a time, with no stage before it")]
    NoSink(String),
    #[error(transparent)]
    Open(#[from] PipelineError),
}

/// Opens a sink that is written as in a pipeline in a line.
pub(super) fn open(text: &str) -> Result<Added, AddError> {
    let line = format!("{SOURCE}{text}");
    let described = Description::parse_line(&line, &[]);
    let described = described.map_err(|wrong| AddError::Wrong(Box::new(wrong)))?;
    let (
        [
            _source,
            Stage {
                name,
                kind: StageKind::Sink(_),
                ..
            },
        ],
        [link],
    ) = (&described.stages[..], &described.links[..])
    else {
        return Err(AddError::NoSink(text.to_owned()));
    };
    let stage = crate::description::open(&described.stages[1])?;
    let kind = text.split_whitespace().next();
    Ok(Added {
        is_named: kind != Some(name),
        name: name.clone(),
        stage,
        queue: link.queue,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_are_opened_as_they_are_written() {
        let added = open("picture-sink path=/tmp/{n}.png every=30 queue=fifo depth=2").unwrap();
        assert_eq!(
            (added.name.as_str(), added.is_named),
            ("picture-sink", false)
        );
        assert_eq!(added.queue, "fifo:2".parse().unwrap());
        let named = open("null-sink name=nothing").unwrap();
        assert_eq!((named.name.as_str(), named.is_named), ("nothing", true));
    }

    #[test]
    fn what_is_no_sink_says_why() {
        let refused = |text: &str| open(text).map(|_added| ()).unwrap_err().to_string();
        let wrong = refused("picture-sink pat=x");
        assert!(wrong.contains("path"), "{wrong}");
        let more = refused("decimate every=2 ! null-sink");
        assert!(more.contains("one is added at a time"), "{more}");
        for wrong in ["", "test-src", "nosuch", "null-sink !", "! null-sink"] {
            assert!(!refused(wrong).is_empty(), "{wrong}");
        }
    }
}
