//! Control of a pipeline while it runs.
//!
//! A [`Control`] asks the thread that watches a run, which does what it is asked between its own
//! looks: nothing here is on a frame's way. What is changed holds for this run; the next one is
//! as the pipeline was made, and so is one that a [`Supervisor`](crate::Supervisor) made anew.
//!
//! [`server`] has the same over a socket, for other programs and `dmaflow ctl`.
//!

mod added;
mod command;
mod error;
mod names;
pub mod protocol;
pub mod server;
mod state;

pub(crate) use command::{Command, NewBranch, Reply};
pub use error::{ControlError, Names};
pub use names::{LinkName, NotALink, NotAQueue};
pub use state::{
    LinkState, LinkStatistics, Picture, PoolState, Role, StageState, StageStatistics, State,
    Statistics,
};

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dmaflow_core::stage::ControlValue;

use crate::pipeline::Events;
use crate::{AnyStage, Halt, QueuePolicy};

/// How long a picture is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What looks at a run and changes it, from any thread. Clones control the same pipeline, each
/// with looks of its own.
pub struct Control {
    whose: Whose,
    /// What was seen last.
    last: Mutex<Option<Statistics>>,
}

/// What is controlled.
#[derive(Clone)]
pub(crate) enum Whose {
    Pipeline(Events),
    /// Whatever pipeline runs there at the moment.
    Supervisor(Halt),
}

impl Clone for Control {
    fn clone(&self) -> Self {
        Self::new(self.whose.clone())
    }
}

impl Control {
    pub(crate) const fn new(whose: Whose) -> Self {
        Self {
            whose,
            last: Mutex::new(None),
        }
    }

    /// What there is: stages, links, pools, and what is selected.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`].
    pub fn state(&self) -> Result<State, ControlError> {
        self.ask(Command::State)
    }

    /// What the stages and links have done, in all and since the last look by this handle.
    ///
    /// # Errors
    /// [`ControlError::NotRunning`].
    pub fn statistics(&self) -> Result<Statistics, ControlError> {
        let asked = self.ask(Command::Statistics);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_err() {
            // What comes next may have begun to count anew.
            *last = None;
        }
        let mut now = asked?;
        now.since(last.as_ref());
        *last = Some(now.clone());
        Ok(now)
    }

    /// Sets a control of a stage's device, while frames flow.
    ///
    /// # Errors
    /// [`ControlError::NoStage`]; [`ControlError::NoControls`]; [`ControlError::Stage`] with
    /// what the device says.
    pub fn set_control(
        &self,
        stage: &str,
        name: &str,
        value: &ControlValue,
    ) -> Result<(), ControlError> {
        let asked = stage.to_owned();
        let controls = self.ask(|reply| Command::Controls(asked, reply))?;
        // Here, where a driver that takes its time holds up nobody else.
        let set = controls.set(name, value);
        set.map_err(|source| ControlError::Stage {
            stage: stage.to_owned(),
            source,
        })
    }

    /// Has a link keep frames by another rule. No frame is lost by the change: those that wait
    /// are taken first.
    ///
    /// # Errors
    /// [`ControlError::NoLink`]; [`ControlError::SeveralLinks`]; [`ControlError::LinkEnded`];
    /// [`ControlError::TooFewFrames`] where more would wait than there are to spare, those of
    /// changes before counted until they are taken; [`ControlError::Waiting`].
    pub fn set_queue(&self, link: &LinkName, queue: QueuePolicy) -> Result<(), ControlError> {
        let link = link.clone();
        self.ask(|reply| Command::Queue { link, queue, reply })
    }

    /// Has a selector pass on another input: by its number, counted from 0, or by the name of
    /// the stage that leads there.
    ///
    /// # Errors
    /// [`ControlError::NoStage`]; [`ControlError::NoSwitch`]; [`ControlError::NoInput`].
    pub fn select(&self, stage: &str, input: &str) -> Result<(), ControlError> {
        let (stage, input) = (stage.to_owned(), input.to_owned());
        self.ask(|reply| Command::Select {
            stage,
            input,
            reply,
        })
    }

    /// Ends a link. The stages behind it to which no other leads use up what is on its way, let
    /// go of their frames and end; the others go on.
    ///
    /// # Errors
    /// [`ControlError::NoLink`]; [`ControlError::SeveralLinks`]; [`ControlError::LastLink`];
    /// [`ControlError::LinkEnded`]; [`ControlError::Waiting`].
    pub fn drop_branch(&self, link: &LinkName) -> Result<(), ControlError> {
        let link = link.clone();
        self.ask(|reply| Command::Drop { link, reply })
    }

    /// Leads the frames of a stage's first output to one more sink, which gets a name. Should it
    /// fail, it ends alone, and [`StageState::failure`] tells.
    ///
    /// # Errors
    /// [`ControlError::NoStage`]; [`ControlError::NoOutput`]; [`ControlError::NotASink`];
    /// [`ControlError::NameTaken`]; [`ControlError::NoCommonFormat`];
    /// [`ControlError::TooFewFrames`]; [`ControlError::Stage`] when the sink cannot use the
    /// frames' memory; [`ControlError::Spawn`]; [`ControlError::Waiting`].
    pub fn add_branch(
        &self,
        from: &str,
        name: &str,
        stage: AnyStage,
        queue: QueuePolicy,
    ) -> Result<(), ControlError> {
        let branch = NewBranch {
            from: from.to_owned(),
            name: name.to_owned(),
            stage,
            queue,
        };
        self.ask(|reply| Command::Add(Box::new(branch), reply))
    }

    /// Writes the next frame of a stage's first output, or of what a sink is given, as a PNG
    /// file, and says what it wrote. It copies: the CPU reads that frame.
    ///
    /// # Errors
    /// [`ControlError::NoStage`]; [`ControlError::NoCommonFormat`] for frames that no picture is
    /// made of; [`ControlError::NoFrame`] when none came in 10 s; [`ControlError::Ended`];
    /// [`ControlError::Stage`] when the file cannot be written.
    pub fn snapshot(&self, stage: &str, path: impl Into<PathBuf>) -> Result<Picture, ControlError> {
        let (stage, path) = (stage.to_owned(), path.into());
        let asked = stage.clone();
        let (reply, answer) = Reply::new();
        self.tell(Command::Snapshot { stage, path, reply })?;
        let waited = answer.wait(LONGEST_WAIT);
        waited.unwrap_or(Err(ControlError::NoFrame {
            stage: asked,
            waited: LONGEST_WAIT,
        }))
    }

    /// Ends the run in order, and the wait for one that is to be made anew, as [`StopHandle::stop`](crate::StopHandle::stop) does.
    pub fn stop(&self) {
        match &self.whose {
            Whose::Pipeline(events) => events.stop(),
            Whose::Supervisor(halt) => halt.stop(),
        }
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ControlError> {
        let (reply, answer) = Reply::new();
        self.tell(command(reply))?;
        answer.get()
    }

    fn tell(&self, command: Command) -> Result<(), ControlError> {
        let told = match &self.whose {
            Whose::Pipeline(events) => events.command(command),
            Whose::Supervisor(halt) => halt.command(command),
        };
        told.map_err(|_unheard| ControlError::NotRunning)
    }
}
