//! What is given for a request: a kept buffer, cleared if need be, or a fresh one.

use std::sync::atomic::Ordering;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{CpuUse, DmaBuf, DmaBufError};
use dmaflow_core::heap::{ClientId, ExportError, Exporter, Request, page_size};

use super::class::SizeClass;
use super::figures::Figures;
use super::shelf::Kept;
use super::{Inner, LENT_NAME};
use crate::clearing::Clearing;
use crate::shrinker::shortage;

impl<E: Exporter> Inner<E> {
    /// Takes a kept buffer that may be given for a request, cleared if need be.
    pub(super) fn reuse(&self, class: SizeClass, request: &Request) -> Option<Kept> {
        loop {
            let kept = self.take_idle(class, request).or_else(|| {
                self.look_at_waiting(class);
                self.take_idle(class, request)
            })?;
            if let Some(mut ready) = self.cleared_for(request.client, class, kept) {
                self.take_from_cache(&ready);
                ready.buffer.renew();
                if request.client == ClientId::PROCESS {
                    ready.buffer.try_set_name(LENT_NAME);
                }
                return Some(ready);
            }
        }
    }

    /// Takes an idle buffer: the client's own rather than one to be cleared, and the latest,
    /// which the processor's caches may still hold. It counts as cached until it is given.
    fn take_idle(&self, class: SizeClass, request: &Request) -> Option<Kept> {
        let clearable = !self.unclearable.load(Ordering::Relaxed);
        let mut shelf = self.shelves.lock(class);
        let latest = |may: &dyn Fn(&Kept) -> bool| {
            let fits = |kept: &Kept| kept.suits(request) && may(kept);
            shelf.idle.iter().rposition(fits)
        };
        let at = latest(&|kept| !self.must_clear(kept, request.client))
            .or_else(|| latest(&|_other| clearable))?;
        shelf.idle.remove(at)
    }

    fn must_clear(&self, kept: &Kept, client: ClientId) -> bool {
        let may_see = match self.policy.clearing {
            Clearing::Always => false,
            Clearing::BetweenClients => kept.owner == client,
        };
        !(kept.clean || may_see)
    }

    /// Clears a buffer unless the client may see what is in it. No lock is held meanwhile. What
    /// cannot be cleared goes back to the exporter.
    fn cleared_for(&self, client: ClientId, class: SizeClass, mut kept: Kept) -> Option<Kept> {
        if !self.must_clear(&kept, client) {
            return Some(kept);
        }
        match kept.buffer.write(CpuUse::Clear).map(|mut all| all.fill(0)) {
            Ok(()) => {
                Figures::count(&self.figures.cleared);
                kept.clean = true;
                Some(kept)
            }
            Err(error) => {
                if let DmaBufError::Map { source, .. } = &error
                    && *source != Errno::ENOMEM
                {
                    self.unclearable.store(true, Ordering::Relaxed);
                }
                tracing::debug!(%error, len = class.len(), "a buffer cannot be cleared for reuse");
                self.give_back(kept);
                None
            }
        }
    }

    /// Whether what is released now could ever be given again.
    pub(super) fn clearable_if_need_be(&self) -> bool {
        self.policy.clearing != Clearing::Always || !self.unclearable.load(Ordering::Relaxed)
    }

    /// Asks the exporter: for a whole class, without idle memory in the way, and at last for
    /// no more than was asked.
    pub(super) fn fresh(&self, class: SizeClass, request: &Request) -> Result<DmaBuf, ExportError> {
        let rounded = Request {
            len: class.len(),
            ..*request
        };
        let mut outcome = self.exporter.allocate(&rounded);
        if outcome.as_ref().is_err_and(shortage) {
            // Another may have been quicker, so that what this frees says nothing.
            self.trim(0, u64::MAX);
            outcome = self.exporter.allocate(&rounded);
        }
        let slack = class.len().get() - request.len.get();
        if slack < page_size() {
            return outcome;
        }
        // The class may be longer than the longest buffer there is.
        outcome.or_else(|first| self.exporter.allocate(request).map_err(|_second| first))
    }
}
