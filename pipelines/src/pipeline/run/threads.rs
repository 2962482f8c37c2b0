//! Beginning and ending the stages' threads.

use std::any::Any;
use std::sync::Arc;
use std::thread::{self, Scope, ScopedJoinHandle};

use dmaflow_core::stage::{StageError, Stopper};

use super::events::Events;
use crate::error::RunFailure;

/// Tells the watching thread that this one has ended, however it did.
struct Farewell {
    events: Events,
    failed: bool,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.events.ended(self.failed);
    }
}

/// Ends the source's flow when it is dropped.
pub(super) struct StopAtEnd(pub(super) Arc<dyn Stopper>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The threads of a run, each with its stage's name.
pub(super) struct Threads<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    events: Events,
    handles: Vec<(String, ScopedJoinHandle<'scope, Result<(), StageError>>)>,
}

impl<'scope, 'env> Threads<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, events: &Events) -> Self {
        Self {
            scope,
            events: events.clone(),
            handles: Vec::new(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.handles.len()
    }

    pub(super) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(), StageError> + Send + 'scope,
    ) -> Result<(), RunFailure> {
        let farewell = Farewell {
            events: self.events.clone(),
            failed: true,
        };
        let handle = thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(self.scope, move || {
                // The whole of it, so that it is dropped here.
                let mut farewell = farewell;
                let done = work();
                farewell.failed = done.is_err();
                done
            })
            .map_err(|source| RunFailure::Spawn {
                stage: name.to_owned(),
                source,
            })?;
        self.handles.push((name.to_owned(), handle));
        Ok(())
    }

    /// Joins every thread; the failure nearest to the end counts, others are logged.
    pub(super) fn join(self) -> Result<(), RunFailure> {
        let mut outcome = Ok(());
        for (stage, handle) in self.handles {
            let failure = match handle.join() {
                Ok(Ok(())) => continue,
                Ok(Err(source)) => RunFailure::Stage { stage, source },
                Err(panic) => RunFailure::Panicked {
                    stage,
                    message: panic_message(panic.as_ref()),
                },
            };
            if outcome.is_ok() {
                outcome = Err(failure);
            } else {
                tracing::warn!(%failure, "another stage failed too");
            }
        }
        outcome
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
