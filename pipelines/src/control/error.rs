//! Why something was not done.

use std::io;
use std::time::Duration;

use dmaflow_core::stage::StageError;

use super::names::LinkName;

/// Why what was asked of a running pipeline was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is nothing to control.
    #[error("the pipeline does not run at the moment")]
    NotRunning,
    /// The run ended before it was done.
    #[error("the run ended before that was done")]
    Ended,
    /// No stage is called so.
    #[error("no stage is called `{asked}`; there are: {known}")]
    NoStage {
        /// The name that was asked for.
        asked: String,
        /// The names of the stages that run.
        known: Names,
    },
    /// The stage has ended, and the run goes on without it.
    #[error("`{stage}` has ended: {why}")]
    StageEnded {
        /// Its name.
        stage: String,
        /// What it failed with, or that it came to its end.
        why: String,
    },
    /// There is no such link.
    #[error("there is no link {asked}; there are: {known}")]
    NoLink {
        /// The link that was asked for.
        asked: LinkName,
        /// The links that there are.
        known: Names,
    },
    /// Several links are meant.
    #[error("several links lead from `{}` to `{}`; one of them is meant by: {known}", asked.from, asked.to)]
    SeveralLinks {
        /// The link that was asked for.
        asked: LinkName,
        /// How each is named.
        known: Names,
    },
    /// The output would have no link any more.
    #[error(
        "{link} is the last link that takes the frames of `{}`: to end all of it, stop the \
         pipeline",
        link.from
    )]
    LastLink {
        /// The link.
        link: LinkName,
    },
    /// Nobody sends or takes frames over it any more.
    #[error("nothing passes {link} any more: the stage at one of its ends has ended")]
    LinkEnded {
        /// The link.
        link: LinkName,
    },
    /// A stage has changes to make and sends no frame, before which it would make them.
    #[error(
        "stage `{stage}` sends no frames at the moment, and has {} changes to make with its next \
         one already",
        crate::link::MOST_ORDERS
    )]
    Waiting {
        /// The stage.
        stage: String,
    },
    /// Compressed frames build on each other.
    #[error("frames over {link} are compressed, and none may be left out: `block` alone will do")]
    Compressed {
        /// The link.
        link: LinkName,
    },
    /// A stage has nothing that can be set.
    #[error("stage `{stage}` has no controls; these have some: {known}")]
    NoControls {
        /// The stage.
        stage: String,
        /// Stages that have controls.
        known: Names,
    },
    /// A stage does not choose between inputs.
    #[error("stage `{stage}` does not choose between its inputs; these do: {known}")]
    NoSwitch {
        /// The stage.
        stage: String,
        /// Stages that do.
        known: Names,
    },
    /// A stage has no such input.
    #[error("`{stage}` has no input `{asked}`; it has: {known}")]
    NoInput {
        /// The stage.
        stage: String,
        /// The input that was asked for.
        asked: String,
        /// Its inputs, by the stages that lead there.
        known: Names,
    },
    /// No frames come out of a stage.
    #[error("no frames leave stage `{stage}`; they leave: {known}")]
    NoOutput {
        /// The stage.
        stage: String,
        /// Stages that frames leave.
        known: Names,
    },
    /// Only what uses frames up can be added.
    #[error("`{name}` does not use frames up: only sinks can be added")]
    NotASink {
        /// The new stage.
        name: String,
    },
    /// Another stage runs by this name.
    #[error("a stage is called `{name}` already: choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// The sink does not take such frames.
    #[error("`{stage}` does not take {found} frames, which `{from}` has; it takes: {taken}")]
    NoCommonFormat {
        /// The new stage.
        stage: String,
        /// The stage whose frames it should get.
        from: String,
        /// The frames' format.
        found: String,
        /// What it takes.
        taken: Names,
    },
    /// The stages and links would keep all frames of a pool between them.
    #[error(
        "there are too few frames to spare: the pool of `{pool}` has {frames}; it keeps \
         {device} to fill, {held} are held by stages or wait in links, and `{stage}` needs {needed} \
         more. Give the description `control`, which adds two, or more `buffers`"
    )]
    TooFewFrames {
        /// The stage that makes the frames.
        pool: String,
        /// Frames in the pool.
        frames: usize,
        /// Those that the device needs.
        device: usize,
        /// Those that other stages hold, or that wait for them.
        held: usize,
        /// The stage that would take them.
        stage: String,
        /// What it would hold more, and what more would wait for it.
        needed: usize,
    },
    /// No frame came.
    #[error("no frame left stage `{stage}` for {waited:?}")]
    NoFrame {
        /// The stage.
        stage: String,
        /// How long one was waited for.
        waited: Duration,
    },
    /// A stage refuses.
    #[error("stage `{stage}`: {source}")]
    Stage {
        /// The stage.
        stage: String,
        /// What it says.
        source: StageError,
    },
    /// There can be no more threads.
    #[error("cannot start the thread of stage `{stage}`")]
    Spawn {
        /// The stage.
        stage: String,
        /// EAGAIN at the limit of threads.
        source: io::Error,
    },
}

/// What there is to choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0.join(", "))
    }
}

impl<T: ToString> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        Self(names.into_iter().map(|name| name.to_string()).collect())
    }
}
