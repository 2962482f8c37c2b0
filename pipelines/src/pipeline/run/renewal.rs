//! Pools that take the place of others while a run goes on.
//!
//! A stream may go on in another size: its decoder's pictures then come in frames of a new pool,
//! of the same heap. Who shows them notices by the first of them that comes, on its own thread and
//! after the last of the old ones, and imports the new pool then.

use std::sync::{Arc, Mutex, PoisonError};

use dmaflow_core::frame::{Frame, FramePool, PoolError, PoolId};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;

/// The pools that were made while a run goes on. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(in crate::pipeline) struct Renewals(Arc<Mutex<Vec<Renewed>>>);

/// A pool instead of another.
#[derive(Debug)]
struct Renewed {
    before: PoolId,
    pool: FramePool,
}

impl Renewals {
    /// Makes a pool of frames that lie so, of a pool's heap, to be used instead of it.
    ///
    /// # Errors
    /// As [`FramePool::allocate`].
    pub(super) fn make(&self, before: &FramePool, layout: &Layout) -> Result<FramePool, PoolError> {
        let pool = FramePool::allocate(before.heap(), layout, before.len())?;
        tracing::info!(%layout, heap = before.heap().name(), "pictures change: a new pool");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Renewed {
            before: before.id(),
            pool: pool.clone(),
        });
        Ok(pool)
    }

    fn find(&self, id: PoolId) -> Option<FramePool> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|renewed| renewed.pool.id() == id);
        known.map(|renewed| renewed.pool.clone())
    }

    /// What is used instead of a pool by now.
    pub(super) fn latest(&self, pool: &FramePool) -> Option<FramePool> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest = None;
        let mut id = pool.id();
        // In the order in which they were made.
        for renewed in all.iter() {
            if renewed.before == id {
                id = renewed.pool.id();
                latest = Some(renewed.pool.clone());
            }
        }
        latest
    }
}

/// What a stage knows of the pools whose frames come over one of its links.
#[derive(Debug)]
pub(super) struct Adoption {
    renewals: Renewals,
    /// Whose frame came last.
    last: Option<PoolId>,
    adopted: Vec<PoolId>,
}

impl Adoption {
    pub(super) const fn new(renewals: Renewals) -> Self {
        Self {
            renewals,
            last: None,
            adopted: Vec::new(),
        }
    }

    /// The pool of a frame, if it was made while the run goes on and the stage does not have it.
    #[inline]
    pub(super) fn needed(&mut self, frame: &Frame) -> Option<FramePool> {
        let id = frame.pool();
        if self.last == Some(id) {
            return None;
        }
        self.last = Some(id);
        self.look_up(id)
    }

    #[cold]
    fn look_up(&mut self, id: PoolId) -> Option<FramePool> {
        if self.adopted.contains(&id) {
            return None;
        }
        let pool = self.renewals.find(id)?;
        self.adopted.push(id);
        Some(pool)
    }

    /// Takes a frame that comes to a transform: it is set up once, for one kind of frames.
    ///
    /// # Errors
    /// [`RenewalError::Refused`] for a frame of a pool that was made while the run goes on.
    #[inline]
    pub(super) fn same(
        &mut self,
        frame: &Frame,
        device: impl Fn() -> String,
    ) -> Result<(), StageError> {
        match self.needed(frame) {
            None => Ok(()),
            Some(pool) => Err(StageError::failed(RenewalError::Refused {
                device: device(),
                layout: Box::new(pool.layout().clone()),
            })),
        }
    }
}

/// Why a run cannot go on when pictures change.
#[derive(Debug, thiserror::Error)]
pub(super) enum RenewalError {
    #[error(
        "{device}: pictures change to {layout} in mid-stream, and a stage between a decoder and \
         its sinks goes on only with those that it was set up for; link the decoder to the sinks, \
         or play each part by itself"
    )]
    Refused {
        /// Card name and node.
        device: String,
        layout: Box<Layout>,
    },
    #[error("pictures change to {layout} in mid-stream, and there is no pool to make one like it")]
    NoPool { layout: Box<Layout> },
}
