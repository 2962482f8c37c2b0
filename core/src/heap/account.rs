//! Whose memory it is: clients, their pipelines, and what they may have.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::counters::{Budget, Counters, Usage};
use crate::dma_buf::{BufferId, DmaBuf};

/// Somebody whose memory nobody else may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// This process, where it allocates for itself.
    pub const PROCESS: Self = Self(0);

    fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What somebody may have, and has: a user, a client of that user, a pipeline of that client.
///
/// What is charged to an account is charged to those above it too, and each budget on the way
/// must have it. A [`Heap`](super::Heap) that allocates for an account names its dma-bufs after
/// it. Clones are the same account.
#[derive(Clone)]
pub struct Account(Arc<Inner>);

struct Inner {
    name: String,
    /// What the kernel's listings call its buffers.
    buffer_name: CString,
    client: ClientId,
    above: Option<Account>,
    counters: Counters,
    held: Mutex<BTreeMap<u64, Held>>,
}

/// A buffer on loan to an account.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) heap: Arc<str>,
    pub(super) id: BufferId,
    pub(super) len: usize,
    pub(super) since: Instant,
}

/// A budget that does not have what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{whose} has {} bytes in {} buffers of {}; free some, or raise its budget",
    usage.live_bytes, usage.live, Limits(budget)
)]
pub struct OverBudget {
    /// Whose budget it is: an account's name, or the heap itself.
    pub whose: String,
    /// What it may have.
    pub budget: Budget,
    /// What it has.
    pub usage: Usage,
}

impl OverBudget {
    /// Whether it is an account's of this name.
    #[must_use]
    pub fn is_of(&self, account: &Account) -> bool {
        self.whose == quoted(account)
    }
}

fn quoted(account: &Account) -> String {
    format!("`{}`", account.name())
}

struct Limits<'a>(&'a Budget);

impl fmt::Display for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.bytes, self.0.buffers) {
            (Some(bytes), Some(buffers)) => {
                write!(f, "{bytes} bytes and {buffers} buffers allowed")
            }
            (Some(bytes), None) => write!(f, "{bytes} bytes allowed"),
            (None, Some(buffers)) => write!(f, "{buffers} buffers allowed"),
            (None, None) => f.write_str("all that can be counted"),
        }
    }
}

/// Buffers ever lent to accounts, which numbers them.
static SERIAL: AtomicU64 = AtomicU64::new(0);

impl Account {
    /// Opens the account of a client.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::below(name.into(), ClientId::fresh(), None)
    }

    /// Opens the account of something that this one does, such as a pipeline: it may see this
    /// one's memory.
    #[must_use]
    pub fn member(&self, name: impl Into<String>) -> Self {
        Self::below(name.into(), self.client(), Some(self.clone()))
    }

    /// Opens the account of a client that has a share of this one's budget, and whose memory
    /// nobody else may see.
    #[must_use]
    pub fn client_below(&self, name: impl Into<String>) -> Self {
        Self::below(name.into(), ClientId::fresh(), Some(self.clone()))
    }

    fn below(name: String, client: ClientId, above: Option<Self>) -> Self {
        Self(Arc::new(Inner {
            buffer_name: buffer_name(&name),
            name,
            client,
            above,
            counters: Counters::default(),
            held: Mutex::default(),
        }))
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whose memory it may see.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.0.client
    }

    /// Sets what it may have from now on; what it has stays.
    pub fn set_budget(&self, budget: Budget) {
        self.0.counters.set_budget(budget);
    }

    /// What it may have.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.0.counters.budget()
    }

    /// What it has, with all below it.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.0.counters.usage()
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |account| account.0.above.as_ref())
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// For whoever is not to keep it.
    pub(super) fn known(&self) -> KnownAccount {
        KnownAccount(Arc::downgrade(&self.0))
    }

    /// Charges a buffer to it and all above, or to none.
    #[inline(never)]
    pub(super) fn take(&self, len: usize) -> Result<(), OverBudget> {
        let Some(over) = self
            .chain()
            .find(|account| account.0.counters.take(len).is_none())
        else {
            return Ok(());
        };
        for charged in self.chain().take_while(|account| !account.is(over)) {
            charged.0.counters.undo(len);
        }
        Err(OverBudget {
            whose: quoted(over),
            budget: over.budget(),
            usage: over.usage(),
        })
    }

    /// Counts what was charged as given, and bytes that it turned out to be longer.
    pub(super) fn grant(&self, longer: usize) {
        for account in self.chain() {
            account.0.counters.grant(longer);
        }
    }

    pub(super) fn undo(&self, len: usize) {
        for account in self.chain() {
            account.0.counters.undo(len);
        }
    }

    pub(super) fn fail(&self) {
        for account in self.chain() {
            account.0.counters.fail();
        }
    }

    /// Remembers a buffer that was charged, and gives the number it is remembered by.
    pub(super) fn hold(&self, heap: &Arc<str>, buffer: &DmaBuf) -> u64 {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let held = Held {
            heap: Arc::clone(heap),
            id: buffer.id(),
            len: buffer.len(),
            since: Instant::now(),
        };
        self.ledger().insert(serial, held);
        serial
    }

    #[inline(never)]
    pub(super) fn give(&self, serial: u64, len: usize) {
        self.ledger().remove(&serial);
        for account in self.chain() {
            account.0.counters.give(len);
        }
    }

    pub(super) fn held(&self) -> Vec<Held> {
        self.ledger().values().cloned().collect()
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Held>> {
        // Whoever panicked did so between whole operations on the map.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the kernel's listings call its buffers.
    pub(super) fn buffer_name(&self) -> &CStr {
        &self.0.buffer_name
    }
}

/// An account as long as others have it: users, heaps that allocate for it, buffers.
pub(super) struct KnownAccount(Weak<Inner>);

impl KnownAccount {
    pub(super) fn is_in_use(&self) -> bool {
        self.0.strong_count() > 0
    }

    pub(super) fn is(&self, account: &Account) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&account.0))
    }

    pub(super) fn account(&self) -> Option<Account> {
        self.0.upgrade().map(Account)
    }
}

/// A name as `DMA_BUF_SET_NAME` takes it: at most 31 bytes, and no NUL within.
fn buffer_name(of: &str) -> CString {
    const MOST: usize = 31;
    let mut name = format!("dmaflow {}", of.replace('\0', " "));
    while name.len() > MOST {
        name.pop();
    }
    CString::new(name).unwrap_or_default()
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name())
            .field("client", &self.client())
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_everybodys_above_or_nobodys() {
        let user = Account::new("user");
        let client = user.client_below("client");
        let pipeline = client.member("pipeline");
        user.set_budget(Budget {
            bytes: Some(100),
            buffers: None,
        });
        pipeline.take(60).unwrap();
        let over = pipeline.take(60).unwrap_err();
        assert_eq!(over.whose, "`user`");
        for account in [&user, &client, &pipeline] {
            assert_eq!(account.usage().live_bytes, 60, "{account:?}");
            assert_eq!(account.usage().total, 1, "{account:?}");
        }
        pipeline.give(0, 60);
        assert_eq!(user.usage().live, 0);
    }

    #[test]
    fn pipelines_share_their_clients_memory_and_clients_do_not() {
        let user = Account::new("user");
        let client = user.client_below("client");
        assert_eq!(client.member("pipeline").client(), client.client());
        assert_ne!(client.client(), user.client());
        assert_ne!(client.client(), ClientId::PROCESS);
    }

    #[test]
    fn a_buffers_name_is_cut_between_characters() {
        let name = buffer_name(&"ä".repeat(40)).into_string().unwrap();
        assert!(name.len() <= 31);
        assert!(name.starts_with("dmaflow ä"));
        assert_eq!(buffer_name("a\0b"), c"dmaflow a b".to_owned());
    }
}

/// Every order in which two of a user's clients can meet at the user's budget.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::thread;

    #[test]
    fn loom_clients_never_pass_their_users_budget_together() {
        loom::model(|| {
            let user = Account::new("user");
            user.set_budget(Budget {
                bytes: Some(10),
                buffers: None,
            });
            let clients = ["one", "two"].map(|name| user.client_below(name));
            let other = clients[1].clone();
            let taker = thread::spawn(move || other.take(6).is_ok());
            let here = clients[0].take(6).is_ok();
            let there = taker.join().unwrap();
            assert!(here ^ there, "one of two gets it");
            for (client, taken) in clients.iter().zip([here, there]) {
                assert_eq!(client.usage().live_bytes, if taken { 6 } else { 0 });
                assert_eq!(client.usage().total, u64::from(taken));
            }
            assert_eq!(user.usage().live_bytes, 6);
            clients[usize::from(there)].grant(0);
            assert_eq!(user.usage().peak_bytes, 6);
        });
    }
}
