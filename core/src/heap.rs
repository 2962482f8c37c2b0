//! Heaps: exporters register them, users open them by name and allocate.
//!
//! The shape is that of the kernel's dma-buf heaps framework: an exporter hands the core a
//! [`HeapInfo`] and its operations ([`Exporter`]), the core gives each heap a name under which
//! it can be opened, and allocation as well as release stay in the exporter's control. What
//! exporters have in common (pools, deferred freeing, shrinking) are helpers outside the core.

mod account;
mod error;
mod exporter;
mod info;
mod loans;
mod registry;
mod stats;

pub use account::{Account, ClientId, OverBudget};
pub use error::AllocError;
pub use exporter::{ExportError, Exporter, Idle, Request};
pub use info::{Contiguity, HeapInfo, page_size};
pub use loans::{Loan, Loans};
pub use registry::{HeapRegistry, NodeOpener, RefusedHeap, RegistryError};
pub use stats::{AllocTimes, Budget, HeapStats, Usage};

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::dma_buf::{BufferId, DmaBuf};
use crate::time::Clock;
use stats::{Counters, Times};

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
    accounts: Mutex<Vec<Account>>,
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
    /// Naming costs a system call a buffer; a heap without an account makes no more of them
    /// than its exporter does.
    #[must_use]
    pub fn for_account(&self, account: &Account) -> Self {
        let mut accounts = self.accounts_known();
        accounts.retain(|known| known.usage().live > 0 && !known.is(account));
        accounts.push(account.clone());
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
        let accounts = self.accounts_known().clone();
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

    fn accounts_known(&self) -> std::sync::MutexGuard<'_, Vec<Account>> {
        let accounts = &self.0.registered.accounts;
        accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a buffer of at least `len` bytes, zeroed unless [`HeapInfo::zeroed`] says
    /// otherwise.
    ///
    /// # Errors
    /// [`AllocError`], each case counted in [`Usage::failed`].
    #[inline]
    pub fn allocate(&self, len: usize) -> Result<HeapBuffer, AllocError> {
        self.allocate_with(len, AllocOptions::default())
    }

    /// Gives a buffer as [`Heap::allocate`] does, with options.
    ///
    /// # Errors
    /// [`AllocError`], each case counted in [`Usage::failed`].
    #[inline]
    pub fn allocate_with(
        &self,
        len: usize,
        options: AllocOptions,
    ) -> Result<HeapBuffer, AllocError> {
        match NonZeroUsize::new(len) {
            Some(len) if self.takes(len, options) => self.export(&Request {
                len,
                align: options.align,
                client: self.0.client,
            }),
            _ => Err(self.failed(self.wrong(len, options))),
        }
    }

    #[inline]
    fn takes(&self, len: NonZeroUsize, options: AllocOptions) -> bool {
        let info = self.info();
        info.largest
            .is_none_or(|largest| len.get() as u64 <= largest)
            && (options.align == 1
                || options.align.is_power_of_two() && options.align <= info.alignment)
            && options.flags == 0
    }

    #[inline]
    fn export(&self, request: &Request) -> Result<HeapBuffer, AllocError> {
        match &self.0.account {
            None => self.charged(request),
            Some(account) => self.lent(request, account),
        }
    }

    /// Charges the request before it is made, so that budgets hold whoever asks at once.
    #[inline]
    fn charged(&self, request: &Request) -> Result<HeapBuffer, AllocError> {
        let registered = &*self.0.registered;
        let asked = request.len.get();
        let Some(serial) = registered.counters.take(asked) else {
            return Err(self.failed(self.over_budget(asked)));
        };
        let outcome = match Times::weight(asked, serial) {
            None => registered.exporter.allocate(request),
            Some(weight) => registered.timed(request, weight),
        };
        let buffer = match outcome {
            Ok(buffer) => buffer,
            Err(error) => return Err(self.failed(self.refused(request, error))),
        };
        if buffer.len() != asked {
            return self.other_len(request, buffer);
        }
        Ok(HeapBuffer {
            heap: self.clone(),
            loan: 0,
            buffer: Some(buffer),
        })
    }

    /// Charges the request to an account too, and enters the buffer there.
    #[inline(never)]
    fn lent(&self, request: &Request, account: &Account) -> Result<HeapBuffer, AllocError> {
        let asked = request.len.get();
        if let Err(over) = account.take(asked) {
            return Err(self.failed(self.over(asked, over)));
        }
        let mut buffer = match self.charged(request) {
            Ok(buffer) => buffer,
            Err(error) => {
                account.undo(asked);
                return Err(error);
            }
        };
        account.lengthen(buffer.len() - asked);
        name(&buffer, account);
        buffer.loan = account.hold(&self.0.registered.name, &buffer);
        Ok(buffer)
    }

    #[inline(never)]
    fn other_len(&self, request: &Request, buffer: DmaBuf) -> Result<HeapBuffer, AllocError> {
        let (registered, asked) = (&*self.0.registered, request.len.get());
        let Some(longer) = buffer.len().checked_sub(asked) else {
            return Err(self.failed(self.short(request, buffer)));
        };
        registered.counters.lengthen(longer);
        Ok(HeapBuffer {
            heap: self.clone(),
            loan: 0,
            buffer: Some(buffer),
        })
    }

    #[inline(never)]
    fn take_back(&self, buffer: Option<DmaBuf>, loan: u64) {
        let Some(buffer) = buffer else { return };
        let Opened {
            registered, client, ..
        } = &*self.0;
        let len = buffer.len();
        match registered.observer.get() {
            None => {
                registered.exporter.release(buffer, *client);
                self.0.given_back(len, loan);
            }
            Some(observer) => {
                observer.before_release(&buffer);
                let id = buffer.id();
                registered.exporter.release(buffer, *client);
                self.0.given_back(len, loan);
                observer.after_release(id, len);
            }
        }
    }

    // What follows is for requests that come to nothing. It stands apart so that the way of
    // those that do is short: on a small buffer, a heap may cost a fiftieth of the ioctl.

    #[cold]
    fn failed(&self, error: AllocError) -> AllocError {
        self.0.registered.counters.fail();
        if let Some(account) = &self.0.account {
            account.fail();
        }
        error
    }

    #[cold]
    fn wrong(&self, asked: usize, options: AllocOptions) -> AllocError {
        let (heap, info) = (self.name().to_owned(), self.info());
        match info.largest {
            _ if asked == 0 => AllocError::Empty { heap },
            Some(largest) if asked as u64 > largest => AllocError::TooLarge {
                heap,
                asked,
                largest,
            },
            _ if options.flags != 0 => AllocError::Flags {
                heap,
                flags: options.flags,
            },
            _ => AllocError::Alignment {
                heap,
                asked: options.align,
                most: info.alignment,
            },
        }
    }

    #[cold]
    fn over_budget(&self, asked: usize) -> AllocError {
        let over = OverBudget {
            whose: "it".to_owned(),
            budget: self.budget(),
            usage: self.0.registered.counters.usage(),
        };
        self.over(asked, over)
    }

    #[cold]
    fn over(&self, asked: usize, over: OverBudget) -> AllocError {
        AllocError::OverBudget {
            heap: self.name().to_owned(),
            asked,
            over: Box::new(over),
        }
    }

    #[cold]
    fn refused(&self, request: &Request, source: ExportError) -> AllocError {
        let asked = request.len.get();
        self.0.registered.counters.undo(asked);
        AllocError::Exporter {
            heap: self.name().to_owned(),
            asked,
            source,
        }
    }

    #[cold]
    fn short(&self, request: &Request, buffer: DmaBuf) -> AllocError {
        let (registered, asked) = (&*self.0.registered, request.len.get());
        let given = buffer.len();
        registered.exporter.release(buffer, request.client);
        registered.counters.undo(asked);
        AllocError::Short {
            heap: self.name().to_owned(),
            asked,
            given,
        }
    }
}

impl Opened {
    fn given_back(&self, len: usize, loan: u64) {
        self.registered.counters.give(len);
        if let Some(account) = &self.account {
            account.give(loan, len);
        }
    }
}

impl Registered {
    /// Has the exporter allocate, and counts how long that took for so many allocations.
    #[inline(never)]
    fn timed(&self, request: &Request, weight: u64) -> Result<DmaBuf, ExportError> {
        let started = Clock::Monotonic.now();
        let outcome = self.exporter.allocate(request);
        let took = Clock::Monotonic.now().as_nanos() - started.as_nanos();
        self.times.record(took, weight);
        outcome
    }
}

fn name(buffer: &DmaBuf, account: &Account) {
    if buffer.is_importable()
        && let Err(error) = buffer.set_name(&account.buffer_name())
    {
        // A name is a help for whoever reads the kernel's listings, nothing more.
        tracing::debug!(%error, account = account.name(), "a buffer stays without a name");
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Heap").field(&self.name()).finish()
    }
}

/// A buffer on loan from a heap. Dropping it hands it back to the exporter.
///
/// # Invariants
/// `buffer` is there until `Drop` runs.
#[derive(Debug)]
pub struct HeapBuffer {
    heap: Heap,
    /// The number by which the heap's account, where it has one, remembers it.
    loan: u64,
    buffer: Option<DmaBuf>,
}

impl HeapBuffer {
    /// The heap it came from.
    #[must_use]
    pub const fn heap(&self) -> &Heap {
        &self.heap
    }
}

impl Deref for HeapBuffer {
    type Target = DmaBuf;

    #[expect(clippy::expect_used, reason = "the type's invariant")]
    fn deref(&self) -> &DmaBuf {
        self.buffer.as_ref().expect("a buffer until dropped")
    }
}

impl Drop for HeapBuffer {
    #[inline]
    fn drop(&mut self) {
        let opened = &*self.heap.0;
        if !opened.registered.closes.load(Ordering::Relaxed) {
            return self.heap.take_back(self.buffer.take(), self.loan);
        }
        let Some(len) = self.buffer.as_ref().map(|buffer| buffer.len()) else {
            return;
        };
        // Closed where it is: moving it to its exporter first would cost as much again.
        self.buffer = None;
        opened.given_back(len, self.loan);
    }
}
