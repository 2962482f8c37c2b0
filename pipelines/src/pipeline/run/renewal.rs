//! Pools that take the place of others while a run goes on.
//!
//! A stream may go on in another size: its decoder's pictures then come in frames of a new pool,
//! of the same heap. Who shows them notices by the first of them that comes, on its own thread and
//! after the last of the old ones, and imports the new pool then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmaflow_core::dma_buf::CpuCounts;
use dmaflow_core::frame::{Frame, FramePool, PoolError, PoolId};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;

/// The pools that were made while a pipeline runs, from run to run. Clones are the same.
#[derive(Clone, Debug)]
pub(in crate::pipeline) struct Renewals(Arc<Mutex<Pools>>);

#[derive(Debug)]
struct Pools {
    /// Those that were agreed on.
    agreed: Vec<FramePool>,
    /// In the order in which they were made.
    renewed: Vec<Renewed>,
    /// What was counted of those that are gone.
    gone: CpuCounts,
}

/// A pool instead of another.
#[derive(Debug)]
struct Renewed {
    before: PoolId,
    pool: FramePool,
}

impl Pools {
    /// Lets go of pools that others took the place of, when all their frames have come back:
    /// nobody will ask for them.
    fn prune(&mut self) {
        let mut at = 0;
        while let Some(Renewed { before, pool }) = self.renewed.get(at) {
            let (before, id) = (*before, pool.id());
            let is_back = pool.free() == pool.len();
            let successor = self.renewed.iter().position(|other| other.before == id);
            match successor {
                Some(successor) if is_back => {
                    self.gone = [self.gone, pool.cpu_counts()].into_iter().sum();
                    self.renewed[successor].before = before;
                    self.renewed.remove(at);
                }
                _ => at += 1,
            }
        }
    }
}

impl Renewals {
    pub(in crate::pipeline) fn of(agreed: &[FramePool]) -> Self {
        Self(Arc::new(Mutex::new(Pools {
            agreed: agreed.to_vec(),
            renewed: Vec::new(),
            gone: CpuCounts::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Pools> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a pool of frames that lie so, of a pool's heap, to be used instead of it.
    ///
    /// # Errors
    /// As [`FramePool::allocate`].
    pub(super) fn make(&self, before: &FramePool, layout: &Layout) -> Result<FramePool, PoolError> {
        self.lock().prune();
        let pool = FramePool::allocate(before.heap(), layout, before.len())?;
        tracing::info!(%layout, heap = before.heap().name(), "pictures change: a new pool");
        self.lock().renewed.push(Renewed {
            before: before.id(),
            pool: pool.clone(),
        });
        Ok(pool)
    }

    /// The pool that was made while the pipeline runs; otherwise the one that was agreed on, once
    /// somebody may have let go of it.
    fn find(&self, id: PoolId, also_agreed: bool) -> Option<FramePool> {
        let pools = self.lock();
        let renewed = pools.renewed.iter().map(|renewed| &renewed.pool);
        let agreed = pools.agreed.iter().filter(|_pool| also_agreed);
        let known = renewed.chain(agreed).find(|pool| pool.id() == id);
        known.cloned()
    }

    /// What is used instead of a pool by now.
    pub(super) fn latest(&self, pool: &FramePool) -> Option<FramePool> {
        let pools = self.lock();
        let mut latest = None;
        let mut id = pool.id();
        // In the order in which they were made.
        for renewed in &pools.renewed {
            if renewed.before == id {
                id = renewed.pool.id();
                latest = Some(renewed.pool.clone());
            }
        }
        latest
    }

    /// What processors did to frames of all these pools, ever.
    pub(super) fn cpu_counts(&self) -> CpuCounts {
        let pools = self.lock();
        let renewed = pools.renewed.iter().map(|renewed| &renewed.pool);
        let all = renewed.chain(&pools.agreed).map(FramePool::cpu_counts);
        all.chain([pools.gone]).sum()
    }
}

/// What a stage knows of the pools whose frames come over one of its links.
#[derive(Debug)]
pub(super) struct Adoption {
    renewals: Renewals,
    /// Whose frame came last.
    last: Option<PoolId>,
    /// Those that the stage has.
    known: Vec<PoolId>,
    /// How frames of those lie that were adopted; `None` as long as none was.
    layout: Option<Layout>,
}

/// A pool that a stage has to have before it takes a frame of it.
pub(super) struct Needed {
    pub(super) pool: FramePool,
    /// It lies otherwise than those that the stage has, and takes their place.
    pub(super) instead: bool,
}

impl Adoption {
    pub(super) const fn new(renewals: Renewals) -> Self {
        Self {
            renewals,
            last: None,
            known: Vec::new(),
            layout: None,
        }
    }

    /// The pool of a frame, if the stage does not have it.
    #[inline]
    pub(super) fn needed(&mut self, frame: &Frame) -> Option<Needed> {
        let id = frame.pool();
        if self.last == Some(id) {
            return None;
        }
        self.last = Some(id);
        if self.known.contains(&id) {
            return None;
        }
        self.look_up(id)
    }

    #[cold]
    fn look_up(&mut self, id: PoolId) -> Option<Needed> {
        // Those that were agreed on it has until another takes their place.
        let Some(pool) = self.renewals.find(id, self.layout.is_some()) else {
            self.known.push(id);
            return None;
        };
        let instead = self.layout.as_ref() != Some(pool.layout());
        if instead {
            self.known.clear();
            self.layout = Some(pool.layout().clone());
        }
        self.known.push(id);
        Some(Needed { pool, instead })
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
            Some(needed) => Err(StageError::failed(RenewalError::Refused {
                device: device(),
                layout: Box::new(needed.pool.layout().clone()),
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
