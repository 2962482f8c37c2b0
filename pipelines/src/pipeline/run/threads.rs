//! Beginning and ending the stages' threads.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};

use dmaflow_core::stage::{StageError, Stopper};

use super::super::audit::{Witness, Witnesses};
use super::events::{Ended, Events};
use crate::error::RunFailure;

/// Tells the watching thread that this one has ended, however it did.
struct Farewell {
    events: Events,
    ended: Ended,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.events.ended(self.ended);
    }
}

/// Ends the source's flow when it is dropped.
pub(super) struct StopAtEnd(pub(super) Arc<dyn Stopper>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Whether a stage's end, and its failure, is its own affair and none of the run's: its branch
/// came while the run went on, or was dropped, or it failed and fails alone. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside(Arc<AtomicBool>);

impl Aside {
    pub(super) fn set(&self, aside: bool) {
        self.0.store(aside, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Has a stage aside stop now; the others do so together, when the run has ended.
    pub(super) fn stop(
        &self,
        stop: impl FnOnce() -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        if self.is_set() { stop() } else { Ok(()) }
    }
}

/// What a stage's thread does.
pub(super) type Work<'w> = Box<dyn FnOnce() -> Result<(), StageError> + Send + 'w>;

/// A thread, and whose it is.
struct Running<'scope> {
    number: usize,
    /// The stage, by its place in the roster.
    stage: usize,
    name: String,
    aside: Aside,
    handle: ScopedJoinHandle<'scope, Result<(), StageError>>,
}

/// What a thread's end means.
pub(super) enum End {
    /// The run has one stage less.
    OfTheRun { stage: usize },
    /// It never began.
    Never,
    /// A stage aside has ended.
    Aside {
        stage: usize,
        failure: Option<RunFailure>,
    },
}

/// The threads of a run, each with its stage's name.
pub(super) struct Threads<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    events: Events,
    /// Who is told what the threads did, where that is wanted.
    witnesses: Option<Witnesses>,
    all: Vec<Running<'scope>>,
    /// Numbers of those that could not be started.
    unborn: Vec<usize>,
    begun: usize,
    ended: usize,
}

impl<'scope, 'env> Threads<'scope, 'env> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        events: &Events,
        witnesses: Option<Witnesses>,
    ) -> Self {
        Self {
            scope,
            events: events.clone(),
            witnesses,
            all: Vec::new(),
            unborn: Vec::new(),
            begun: 0,
            ended: 0,
        }
    }

    /// Whether all that began have said that they end.
    pub(super) const fn have_ended(&self) -> bool {
        self.begun == self.ended
    }

    /// Who looks at what a stage's thread does, where that is wanted.
    pub(super) fn witness(&self, name: &str, aside: &Aside) -> Option<Witness> {
        let witnesses = self.witnesses.as_ref();
        witnesses.map(|all| all.of(name, aside.is_set()))
    }

    /// Begins a stage's thread.
    pub(super) fn spawn(
        &mut self,
        (stage, name): (usize, &str),
        aside: &Aside,
        work: impl FnOnce() -> Result<(), StageError> + Send + 'scope,
    ) -> Result<(), RunFailure> {
        let number = self.begun;
        let ended = Ended {
            thread: number,
            failed: true,
        };
        let events = self.events.clone();
        let farewell = Farewell { events, ended };
        let witness = self.witness(name, aside);
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(self.scope, move || {
                // The whole of it, so that it is dropped here.
                let mut farewell = farewell;
                let seen = witness.map(Witness::begin);
                let done = work();
                drop(seen);
                farewell.ended.failed = done.is_err();
                done
            })
            .map_err(|source| RunFailure::Spawn {
                stage: name.to_owned(),
                source,
            });
        // One that was not started says farewell too, when its work is let go of.
        self.begun += 1;
        let handle = handle.inspect_err(|_failure| self.unborn.push(number))?;
        self.all.push(Running {
            number,
            stage,
            name: name.to_owned(),
            aside: aside.clone(),
            handle,
        });
        Ok(())
    }

    /// The stage of a thread, by its place in the roster.
    pub(super) fn stage(&self, thread: usize) -> Option<usize> {
        let mut all = self.all.iter();
        all.find(|known| known.number == thread)
            .map(|known| known.stage)
    }

    /// Takes note that a thread has ended.
    pub(super) fn ended(&mut self, thread: usize) -> End {
        self.ended += 1;
        if self.unborn.contains(&thread) {
            return End::Never;
        }
        let mut all = self.all.iter();
        let Some(found) = all.position(|known| known.number == thread) else {
            return End::Never;
        };
        let Running { stage, aside, .. } = &self.all[found];
        let stage = *stage;
        if !aside.is_set() {
            return End::OfTheRun { stage };
        }
        let aside = self.all.remove(found);
        let failure = joined(aside).err();
        End::Aside { stage, failure }
    }

    /// Joins every thread; the failure nearest to the end counts, others are logged.
    pub(super) fn join(self) -> Result<(), RunFailure> {
        let mut outcome = Ok(());
        for running in self.all {
            let is_aside = running.aside.is_set();
            let Err(failure) = joined(running) else {
                continue;
            };
            if outcome.is_ok() && !is_aside {
                outcome = Err(failure);
            } else {
                tracing::warn!(%failure, "another stage failed too");
            }
        }
        outcome
    }
}

fn joined(running: Running<'_>) -> Result<(), RunFailure> {
    let stage = running.name;
    match running.handle.join() {
        Ok(Ok(())) => Ok(()),
        Ok(Err(source)) => Err(RunFailure::Stage { stage, source }),
        Err(panic) => Err(RunFailure::Panicked {
            stage,
            message: panic_message(panic.as_ref()),
        }),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
