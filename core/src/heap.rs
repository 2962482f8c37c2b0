//! Heaps: exporters register them, users open them by name and allocate.
//!
//! The shape is that of the kernel's dma-buf heaps framework: an exporter hands the core a
//! [`HeapInfo`] and its operations ([`Exporter`]), the core gives each heap a name under which
//! it can be opened, and allocation as well as release stay in the exporter's control. What
//! exporters have in common (pools, deferred freeing, shrinking) are helpers outside the core.

mod account;
mod allocation;
mod buffer;
mod counters;
mod cpu_access;
mod error;
mod exporter;
mod info;
mod loans;
mod registry;
mod stats;

pub use account::{Account, ClientId, OverBudget};
pub use buffer::HeapBuffer;
pub use counters::{Budget, Usage};
pub use cpu_access::CpuAccess;
pub use error::AllocError;
pub use exporter::{ExportError, Exporter, Idle, Request};
pub use info::{Contiguity, HeapInfo, memory_total, page_size, whole_pages};
pub use loans::{Loan, Loans};
pub use registry::{HeapRegistry, NodeOpener, RefusedHeap, RegistryError};
pub use stats::{AllocTimes, HeapStats};

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::dma_buf::{BufferId, DmaBuf};
use account::KnownAccount;
use counters::Counters;
use stats::Times;

/// What a heap's owner does when a buffer comes back, before and after its exporter has it.
pub trait ReleaseObserver: Send + Sync {
    /// The buffer is about to go back to its exporter.
    fn before_release(&self, buffer: &DmaBuf) {
        let _unused = buffer;
    }

    /// The exporter has the buffer back, and may have given it to another already.
    fn after_release(&self, id: BufferId, len: usize) {
        let _unused = (id, len);
    }
}

/// A heap has one observer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the heap has a release observer already")]
pub struct AlreadyObserved;

/// What a request may ask for besides a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocOptions {
    /// What the memory's beginning is to be aligned to, in bytes, as devices see it: a power
    /// of two up to [`HeapInfo::alignment`].
    pub align: usize,
    /// None is defined, as in the kernel: must be 0.
    pub flags: u64,
}

impl Default for AllocOptions {
    fn default() -> Self {
        Self { align: 1, flags: 0 }
    }
}

/// A registered heap, open for allocation. Clones are the same heap.
#[derive(Clone)]
pub struct Heap(Arc<Opened>);

/// A registered heap with whom it allocates for: one thing, so that a buffer keeps one count of
/// references.
struct Opened {
    registered: Arc<Registered>,
    account: Option<Account>,
    client: ClientId,
}

struct Registered {
    info: HeapInfo,
    name: Arc<str>,
    exporter: Box<dyn Exporter>,
    /// Whether all that happens to a buffer at its end is that it is closed.
    closes: AtomicBool,
    counters: Counters,
    times: Times,
    observer: OnceLock<Box<dyn ReleaseObserver>>,
    /// Those that ever allocated and are somebody's still, for lists of what is on loan.
    accounts: Mutex<Vec<KnownAccount>>,
}

impl Heap {
    /// Makes a heap of an exporter without registering it anywhere.
    #[must_use]
    pub fn new(info: HeapInfo, exporter: impl Exporter + 'static) -> Self {
        let registered = Registered {
            name: info.name.as_str().into(),
            info,
            closes: AtomicBool::new(exporter.only_closes()),
            exporter: Box::new(exporter),
            counters: Counters::default(),
            times: Times::default(),
            observer: OnceLock::new(),
            accounts: Mutex::default(),
        };
        Self(Arc::new(Opened {
            registered: Arc::new(registered),
            account: None,
            client: ClientId::PROCESS,
        }))
    }

    /// What its exporter says of it.
    #[must_use]
    pub fn info(&self) -> &HeapInfo {
        &self.0.registered.info
    }

    /// The name it was registered under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.registered.info.name
    }

    /// What was allocated from it through this process's handles.
    #[must_use]
    pub fn stats(&self) -> HeapStats {
        HeapStats {
            usage: self.0.registered.counters.usage(),
            idle: self.0.registered.exporter.idle(),
            times: self.0.registered.times.snapshot(),
        }
    }

    /// The longest buffer it could give now, in bytes, where its exporter can tell.
    #[must_use]
    pub fn available(&self) -> Option<u64> {
        self.0.registered.exporter.available()
    }

    /// Sets how much of it may be on loan at once; what is on loan stays.
    pub fn set_budget(&self, budget: Budget) {
        self.0.registered.counters.set_budget(budget);
    }

    /// How much of it may be on loan at once.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.0.registered.counters.budget()
    }

    /// Has `observer` told of each release.
    ///
    /// # Errors
    /// [`AlreadyObserved`] when there is one already, which stays.
    pub fn observe(&self, observer: impl ReleaseObserver + 'static) -> Result<(), AlreadyObserved> {
        let observers = &self.0.registered.observer;
        let set = observers.set(Box::new(observer));
        self.0.registered.closes.store(false, Ordering::Relaxed);
        set.map_err(|_refused| AlreadyObserved)
    }

    /// This heap, allocating for an account: buffers are charged to it, named after it, and
    /// listed by [`Heap::loans`].
    ///
    /// Naming and listing cost two system calls a buffer; a heap without an account makes no
    /// more of them than its exporter does.
    #[must_use]
    pub fn for_account(&self, account: &Account) -> Self {
        let mut accounts = self.accounts_known();
        accounts.retain(|known| known.is_in_use() && !known.is(account));
        accounts.push(account.known());
        drop(accounts);
        Self(Arc::new(Opened {
            registered: Arc::clone(&self.0.registered),
            account: Some(account.clone()),
            client: account.client(),
        }))
    }

    /// The account it allocates for.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        self.0.account.as_ref()
    }

    /// What is on loan, and to whom.
    #[must_use]
    pub fn loans(&self) -> Loans {
        let known = self.accounts_known();
        let accounts: Vec<_> = known.iter().filter_map(KnownAccount::account).collect();
        drop(known);
        let mut named = Vec::new();
        for account in accounts {
            let ours = account.held().into_iter();
            let ours = ours.filter(|held| Arc::ptr_eq(&held.heap, &self.0.registered.name));
            named.extend(ours.map(|held| Loan {
                heap: self.name().to_owned(),
                account: account.name().to_owned(),
                id: held.id,
                len: held.len,
                age: held.since.elapsed(),
            }));
        }
        let usage = self.0.registered.counters.usage();
        let bytes: usize = named.iter().map(|loan| loan.len).sum();
        let buffers = usage.live.saturating_sub(named.len() as u64);
        let rest = usage.live_bytes.saturating_sub(bytes as u64);
        let unnamed = (buffers > 0).then(|| (self.name().to_owned(), buffers, rest));
        Loans {
            named,
            unnamed: unnamed.into_iter().collect(),
        }
    }

    fn accounts_known(&self) -> std::sync::MutexGuard<'_, Vec<KnownAccount>> {
        let accounts = &self.0.registered.accounts;
        accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heap").field(&self.name()).finish()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use crate::Errno;

    struct Full;

    impl Exporter for Full {
        fn allocate(&self, _request: &Request) -> Result<DmaBuf, ExportError> {
            Err(ExportError::Os {
                call: "full",
                source: Errno::ENOMEM,
            })
        }
    }

    #[test]
    fn an_account_that_nobody_has_any_more_is_forgotten() {
        let heaps = ["one", "two"].map(|name| Heap::new(HeapInfo::new(name), Full));
        let candidates = |name: &str| {
            let account = Account::new(name);
            heaps.each_ref().map(|heap| heap.for_account(&account))
        };
        drop(candidates("a pipeline"));
        let _kept = candidates("another");
        let _kept_too = candidates("a third");
        assert_eq!(heaps[0].accounts_known().len(), 2);
    }
}
