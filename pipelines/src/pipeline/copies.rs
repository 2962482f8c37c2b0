//! Stages that copy, and whether they may.

use super::graph::{Graph, Node, Stage};
use crate::error::PipelineError;

/// Whether a way will do on which the CPU copies pixels from frames into others.
///
/// To draw into a frame is no copy, nor is to look at one, or to write it into a file: sources
/// and sinks do that and are never refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZeroCopy {
    /// No.
    #[default]
    Require,
    /// Yes, where there is no other.
    Allow,
}

impl Node {
    /// How the CPU carries pixels there from frames into others.
    pub(super) fn copies(&self) -> Option<String> {
        match &self.stage {
            Stage::Transform(transform) => transform.copies(),
            // Frames are passed on as they are, made, or used up.
            Stage::Source(_)
            | Stage::Filter(_)
            | Stage::Router(_)
            | Stage::Sink(_)
            | Stage::Mixer(_) => None,
        }
    }
}

/// Says no to the first stage that copies, where none may.
pub(super) fn check(graph: &Graph, asked: ZeroCopy) -> Result<(), PipelineError> {
    if asked == ZeroCopy::Allow {
        return Ok(());
    }
    let copies = |node: &Node| Some((node.name.clone(), node.copies()?));
    match graph.nodes.iter().find_map(copies) {
        Some((stage, how)) => Err(PipelineError::Copies { stage, how }),
        None => Ok(()),
    }
}
