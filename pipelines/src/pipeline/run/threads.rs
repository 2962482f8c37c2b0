//! Beginning and ending the stages' threads.

use std::any::Any;
use std::sync::Arc;
use std::thread::{self, ScopedJoinHandle};

use dmaflow_core::stage::{StageError, Stopper};

use super::events::Events;
use crate::error::RunFailure;

/// Tells the watching thread that this one has ended, however it did.
struct Farewell(Events);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// Ends the source's flow when it is dropped.
pub(super) struct StopAtEnd(pub(super) Arc<dyn Stopper>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

pub(super) type Joined<'scope> = (String, ScopedJoinHandle<'scope, Result<(), StageError>>);

pub(super) fn spawn<'scope, 'env>(
    scope: &'scope thread::Scope<'scope, 'env>,
    name: &str,
    events: &Events,
    work: impl FnOnce() -> Result<(), StageError> + Send + 'scope,
) -> Result<Joined<'scope>, RunFailure> {
    let farewell = Farewell(events.clone());
    let handle = thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, move || {
            let _told_however_it_ends = farewell;
            work()
        })
        .map_err(|source| RunFailure::Spawn {
            stage: name.to_owned(),
            source,
        })?;
    Ok((name.to_owned(), handle))
}

/// Joins every thread; the failure nearest to the sink counts, others are logged.
pub(super) fn join(joined: Vec<Joined<'_>>) -> Result<(), RunFailure> {
    let mut outcome = Ok(());
    for (stage, handle) in joined {
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

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
