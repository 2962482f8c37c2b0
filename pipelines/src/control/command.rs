//! What the watching thread is asked for, and how it answers.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use dmaflow_core::stage::Controls;

use super::error::ControlError;
use super::names::LinkName;
use super::state::{Picture, State, Statistics};
use crate::{AnyStage, QueuePolicy};

/// Something to do. One whose reply is dropped was not done: the run has ended.
pub(crate) enum Command {
    State(Reply<State>),
    /// What was counted so far.
    Statistics(Reply<Statistics>),
    /// The controls of a stage.
    Controls(String, Reply<Arc<dyn Controls>>),
    Queue {
        link: LinkName,
        queue: QueuePolicy,
        reply: Reply<()>,
    },
    Select {
        stage: String,
        input: String,
        reply: Reply<()>,
    },
    Drop {
        link: LinkName,
        reply: Reply<()>,
    },
    Add(Box<NewBranch>, Reply<()>),
    Snapshot {
        stage: String,
        path: PathBuf,
        reply: Reply<Picture>,
    },
}

/// A sink that is to get the frames of a stage that runs.
pub(crate) struct NewBranch {
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) stage: AnyStage,
    pub(crate) queue: QueuePolicy,
}

type Answered<T> = Result<T, ControlError>;

/// Where an answer goes.
pub(crate) struct Reply<T> {
    sender: SyncSender<Answered<T>>,
    asker: Weak<()>,
}

/// Where it comes from.
pub(crate) struct Answer<T> {
    receiver: Receiver<Answered<T>>,
    _asker: Arc<()>,
}

impl<T> Reply<T> {
    pub(crate) fn new() -> (Self, Answer<T>) {
        let (sender, receiver) = sync_channel(1);
        let asker = Arc::new(());
        let reply = Self {
            sender,
            asker: Arc::downgrade(&asker),
        };
        let answer = Answer {
            receiver,
            _asker: asker,
        };
        (reply, answer)
    }

    /// Answers.
    pub(crate) fn give(self, answer: Answered<T>) {
        if self.sender.try_send(answer).is_err() {
            tracing::debug!("nobody waits for the answer any more");
        }
    }

    /// Whether somebody waits for the answer still.
    pub(crate) fn is_wanted(&self) -> bool {
        self.asker.strong_count() > 0
    }
}

impl<T> Answer<T> {
    /// Waits for the answer.
    pub(crate) fn get(self) -> Answered<T> {
        let answered = self.receiver.recv();
        answered.unwrap_or(Err(ControlError::Ended))
    }

    /// The same, but for so long at most.
    pub(crate) fn wait(self, longest: Duration) -> Option<Answered<T>> {
        match self.receiver.recv_timeout(longest) {
            Ok(answered) => Some(answered),
            Err(RecvTimeoutError::Disconnected) => Some(Err(ControlError::Ended)),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }
}

#[cfg(test)]
impl Command {
    /// A command, and where its answer would come.
    pub(crate) fn for_test() -> (Self, Receiver<Answered<State>>) {
        let (reply, answer) = Reply::new();
        (Self::State(reply), answer.receiver)
    }
}
