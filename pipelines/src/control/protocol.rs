//! What is said over a control socket: a JSON object a line, and one a line back.
//!
//! `docs/control.md` has all requests with examples.

use std::path::PathBuf;

use dmaflow_core::stage::ControlValue;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::added::{self, Added};
use super::names::queue;
use super::{Control, LinkName, StageState};
use crate::QueuePolicy;

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: usize = 16 * 1024;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// What there is: [`State`](super::State).
    State {},
    /// What was done: [`Statistics`](super::Statistics). Rates are those since this client's
    /// look before.
    Stats {},
    /// Sets a control of a stage's device.
    Set {
        /// The stage.
        stage: String,
        /// The control, by its name.
        control: String,
        /// What it is to be.
        value: Value,
    },
    /// Has a link keep frames by another rule.
    Queue {
        /// The link.
        link: LinkName,
        /// The rule.
        #[serde(with = "queue")]
        queue: QueuePolicy,
    },
    /// Has a selector pass on another input.
    Select {
        /// The selector.
        stage: String,
        /// The input, by its number or the stage that leads there.
        input: String,
    },
    /// Leads a stage's frames to one more sink; the answer tells its name: [`NewStage`].
    Add {
        /// The stage whose frames it gets.
        from: String,
        /// The sink, as in a pipeline in a line: `picture-sink path=/tmp/{n}.png every=30`.
        sink: String,
    },
    /// Ends a link and what hangs on it alone.
    Drop {
        /// The link.
        link: LinkName,
    },
    /// Writes the next frame as a PNG file: [`Picture`](super::Picture).
    Snapshot {
        /// The stage.
        stage: String,
        /// The file, by its whole path.
        path: PathBuf,
    },
    /// Ends the run in order.
    Stop {},
}

/// A control's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// On or off; `true` presses a button.
    Boolean(bool),
    /// A number.
    Integer(i64),
    /// A menu's entry, or a text.
    Text(String),
}

impl From<Value> for ControlValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Boolean(value) => Self::Boolean(value),
            Value::Integer(value) => Self::Integer(value),
            Value::Text(value) => Self::Text(value),
        }
    }
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer<T> {
    /// It was done.
    Ok(T),
    /// It was not done, and why.
    Error(String),
}

/// A sink that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewStage {
    /// Its name: the one that was asked for, or its kind, with a number where that was taken.
    pub stage: String,
}

/// What is done once a client has its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    /// The run is ended, and with it all connections.
    Stop,
}

/// Does what a line asks for, and tells how it went.
pub(super) fn answer(control: &Control, line: &[u8]) -> (Answer<Json>, Then) {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            let reason = format!("not a request: {error}");
            return (Answer::Error(reason), Then::GoOn);
        }
    };
    let then = match request {
        Request::Stop {} => Then::Stop,
        _ => Then::GoOn,
    };
    match obey(control, request) {
        Ok(told) => (Answer::Ok(told), then),
        Err(reason) => {
            let reason = dmaflow_core::with_causes(reason.as_ref());
            (Answer::Error(reason), Then::GoOn)
        }
    }
}

type Done = Result<Json, Box<dyn std::error::Error + Send + Sync>>;

fn obey(control: &Control, request: Request) -> Done {
    match request {
        Request::State {} => return Ok(serde_json::to_value(control.state()?)?),
        Request::Stats {} => return Ok(serde_json::to_value(control.statistics()?)?),
        Request::Set {
            stage,
            control: name,
            value,
        } => control.set_control(&stage, &name, &value.into())?,
        Request::Queue { link, queue } => control.set_queue(&link, queue)?,
        Request::Select { stage, input } => control.select(&stage, &input)?,
        Request::Add { from, sink } => return add(control, &from, &sink),
        Request::Drop { link } => control.drop_branch(&link)?,
        Request::Snapshot { stage, path } => {
            return Ok(serde_json::to_value(control.snapshot(&stage, path)?)?);
        }
        // Once the client has its answer.
        Request::Stop {} => {}
    }
    Ok(json!({}))
}

fn add(control: &Control, from: &str, sink: &str) -> Done {
    let Added {
        name,
        is_named,
        stage,
        queue,
    } = added::open(sink)?;
    let stages = control.state()?.stages;
    let taken = |name: &str| {
        // The name of one that came with the pipeline stays its own.
        let is_taken = |known: &StageState| known.running || !known.added;
        stages
            .iter()
            .any(|known| known.stage == name && is_taken(known))
    };
    let mut numbered = (2_u32..).map(|number| format!("{name}-{number}"));
    let free = if is_named || !taken(&name) {
        Some(name)
    } else {
        numbered.find(|name| !taken(name))
    };
    let stage_name = free.unwrap_or_default();
    control.add_branch(from, &stage_name, stage, queue)?;
    Ok(serde_json::to_value(NewStage { stage: stage_name })?)
}
