//! A pool that keeps freed buffers for reuse, as a helper around any exporter.
//!
//! What makes an allocation slow is that the kernel finds and clears pages. A pool pays once:
//! a buffer that comes back stays open, and is given to whoever asks for its length next.

mod class;
mod figures;
mod limbo;
mod policy;
mod reclaim;
mod reuse;
mod shelf;
#[cfg(test)]
mod tests;

pub use figures::PoolStats;
pub use policy::PoolPolicy;
pub use reclaim::WeakPool;

use std::collections::HashMap;
use std::ffi::CStr;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dmaflow_core::Errno;
use dmaflow_core::dma_buf::{BufferId, DmaBuf};
use dmaflow_core::heap::{Account, ClientId, ExportError, Exporter, Idle, Request};
use nix::sys::resource::{Resource, getrlimit};

use crate::shrinker::Bell;
use class::SizeClass;
use figures::Figures;
use shelf::{Kept, Shelves};

/// An exporter whose freed buffers are kept for reuse. Clones are the same pool.
///
/// Lengths fall into classes, eight between a power of two and the next, so that a buffer is
/// at most an eighth longer than asked for. A buffer is given again only when nobody else
/// [has it](DmaBuf::is_alone): one that a device or another process still holds waits until
/// they let go. Memory of which that cannot be told, as of a memfd once it was lent, is never
/// kept.
///
/// A kept buffer costs a descriptor: a pool keeps as many as a quarter of what the process may
/// have open, and drops them all before it lets its exporter's shortage of memory or
/// descriptors stand.
pub struct PagePool<E: Exporter>(Arc<Inner<E>>);

impl<E: Exporter> Clone for PagePool<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<E: Exporter> {
    exporter: E,
    policy: PoolPolicy,
    /// Descriptors kept at most.
    most_buffers: u64,
    shelves: Shelves,
    loans: Mutex<HashMap<BufferId, Loan>>,
    figures: Figures,
    /// Memory is scarce: no more than the floor is kept.
    pressed: AtomicBool,
    /// The CPU was refused sight of this memory, so that it cannot be cleared.
    unclearable: AtomicBool,
    /// For whom memory is prewarmed: a client that never had any, so that it comes cleared.
    nobody: ClientId,
    born: Instant,
    /// When the oldest idle buffer becomes too old, in nanoseconds since `born`.
    due: AtomicU64,
    bell: Mutex<Option<Bell>>,
}

/// What a buffer on loan was asked for.
#[derive(Clone, Copy, Debug)]
struct Loan {
    class: SizeClass,
    align: usize,
    /// It was given as its exporter made it, or cleared.
    clean: bool,
}

/// What the kernel's listings call a buffer that nobody uses.
const IDLE_NAME: &CStr = c"dmaflow idle";
/// What they call one on loan to nobody's account; heaps name what they lend to accounts.
const LENT_NAME: &CStr = c"dmaflow";

impl<E: Exporter> PagePool<E> {
    /// Makes an empty pool around an exporter. Register it with [`PoolPolicy::info`].
    #[must_use]
    pub fn new(exporter: E, policy: PoolPolicy) -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _hard)| soft);
        Self(Arc::new(Inner {
            exporter,
            policy,
            most_buffers: (files / 4).max(1),
            shelves: Shelves::new(),
            loans: Mutex::default(),
            figures: Figures::default(),
            pressed: AtomicBool::new(false),
            unclearable: AtomicBool::new(false),
            nobody: Account::new("prewarmed").client(),
            born: Instant::now(),
            due: AtomicU64::new(u64::MAX),
            bell: Mutex::default(),
        }))
    }

    /// What it keeps, and how.
    #[must_use]
    pub fn policy(&self) -> &PoolPolicy {
        &self.0.policy
    }

    /// What it has done so far, and what it holds.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.0.figures.stats()
    }

    /// Sees to it that there are `count` buffers of at least `len` bytes, on loan or idle: now,
    /// and again when pressure has taken them. For each class of lengths the latest call counts.
    ///
    /// # Errors
    /// EINVAL for no bytes, ENOSPC for more than the pool may keep; otherwise what the exporter
    /// refuses with, and what was allocated until then stays.
    pub fn prewarm(&self, len: usize, count: usize) -> Result<(), ExportError> {
        self.0.prewarm(len, count)
    }
}

impl<E: Exporter> Exporter for PagePool<E> {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let pool = &*self.0;
        pool.expire_if_due();
        let Some(class) = SizeClass::of(request.len) else {
            return pool.exporter.allocate(request);
        };
        let (buffer, loan) = if let Some(kept) = pool.reuse(class, request) {
            Figures::count(&pool.figures.hits);
            let (align, clean) = (kept.align, kept.clean);
            let loan = Loan {
                class,
                align,
                clean,
            };
            (kept.buffer, loan)
        } else {
            Figures::count(&pool.figures.misses);
            let loan = Loan {
                class,
                align: request.align,
                // Its exporter may give a client its own memory back.
                clean: false,
            };
            (pool.fresh(class, request)?, loan)
        };
        pool.shelves.lock(class).lent += 1;
        pool.figures.lent.add(buffer.len());
        pool.loans().insert(buffer.id(), loan);
        Ok(buffer)
    }

    fn release(&self, buffer: DmaBuf, client: ClientId) {
        let pool = &*self.0;
        let loan = pool.loans().remove(&buffer.id());
        let Some(loan) = loan else {
            // Too long for any class.
            return pool.exporter.release(buffer, client);
        };
        pool.shelves.lock(loan.class).lent -= 1;
        pool.figures.lent.sub(buffer.len());
        let alone = buffer.is_alone();
        let may_be_alone_later = buffer.counts_holders();
        if !(alone || may_be_alone_later) || !pool.clearable_if_need_be() {
            return pool.exporter.release(buffer, client);
        }
        if !pool.reserve(buffer.len()) {
            return pool.exporter.release(buffer, client);
        }
        let kept = Kept {
            clean: loan.clean && buffer.is_untouched(),
            buffer,
            owner: client,
            align: loan.align,
            since: Instant::now(),
        };
        if alone {
            pool.shelve(loan.class, kept);
        } else {
            pool.wait_for_others(loan.class, kept);
        }
        pool.expire_if_due();
    }

    fn idle(&self) -> Idle {
        self.0.figures.idle() + self.0.exporter.idle()
    }

    fn available(&self) -> Option<u64> {
        let inner = self.0.exporter.available()?;
        Some(inner.max(self.0.shelves.longest_idle()))
    }
}

impl<E: Exporter> Inner<E> {
    fn loans(&self) -> MutexGuard<'_, HashMap<BufferId, Loan>> {
        // Whoever panicked did so between whole operations on the map.
        self.loans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a buffer to be kept, if need be in place of older ones.
    fn reserve(&self, len: usize) -> bool {
        let kept = &self.figures.kept;
        loop {
            if kept.add_within(len, self.limit(), self.most_buffers) {
                return true;
            }
            if self.is_pressed() || len as u64 > self.policy.most {
                return false;
            }
            let Some((_class, oldest)) = self.shelves.take_oldest(|shelf| shelf.spare() > 0) else {
                return false;
            };
            self.give_back(oldest);
        }
    }

    /// Bytes kept at most now.
    fn limit(&self) -> u64 {
        if self.is_pressed() {
            self.policy.floor.min(self.policy.most)
        } else {
            self.policy.most
        }
    }

    fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }

    /// Lays a buffer for which there is room with those that may be given.
    fn shelve(&self, class: SizeClass, kept: Kept) {
        kept.buffer.try_set_name(IDLE_NAME);
        self.figures.cached.add(kept.buffer.len());
        let since = kept.since;
        self.shelves.lock(class).idle.push_back(kept);
        self.expect_expiry(since);
        self.ring();
    }

    fn take_from_cache(&self, kept: &Kept) {
        let len = kept.buffer.len();
        self.figures.cached.sub(len);
        self.figures.kept.sub(len);
    }

    /// Gives a buffer that was cached back to the exporter.
    fn give_back(&self, kept: Kept) {
        self.take_from_cache(&kept);
        self.reclaimed(kept);
    }

    /// Gives a buffer that is counted no more back to the exporter.
    fn reclaimed(&self, kept: Kept) {
        let len = kept.buffer.len() as u64;
        self.figures.reclaimed.fetch_add(len, Ordering::Relaxed);
        self.exporter.release(kept.buffer, kept.owner);
    }

    fn prewarm(&self, len: usize, count: usize) -> Result<(), ExportError> {
        let refused = |errno, reason: String| ExportError::Refused { errno, reason };
        let class = NonZeroUsize::new(len).and_then(SizeClass::of);
        let class = class.ok_or_else(|| {
            let reason =
                format!("no buffers of {len} bytes can be prewarmed; ask for another length");
            refused(Errno::EINVAL, reason)
        })?;
        let bytes = (class.len().get() as u64).saturating_mul(count as u64);
        if bytes > self.policy.most || count as u64 > self.most_buffers {
            let reason = format!(
                "prewarming {count} buffers of {} bytes takes {bytes} bytes, and the pool keeps at \
                 most {} in {} buffers; raise the policy's `most` or `ulimit -n`",
                class.len(),
                self.policy.most,
                self.most_buffers,
            );
            return Err(refused(Errno::ENOSPC, reason));
        }
        self.shelves.lock(class).prewarmed = count;
        self.fill(class, u64::MAX).1
    }
}

impl<E: Exporter> Drop for Inner<E> {
    fn drop(&mut self) {
        self.trim(0, u64::MAX);
        self.let_waiting_go(|_any| true);
    }
}

impl<E: Exporter> fmt::Debug for PagePool<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagePool")
            .field("policy", &self.0.policy)
            .field("stats", &self.stats())
            .field("idle", &self.idle())
            .finish_non_exhaustive()
    }
}
