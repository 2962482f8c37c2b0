//! Gives idle memory back when the system needs it.
//!
//! One thread sleeps until the kernel tells of a shortage, has [pools](crate::PagePool) give
//! back what nobody uses, and lets them grow back when it is over. What is in use is never
//! touched.

mod calm;
mod cgroup;
mod error;
mod reclaim;
mod relief;
mod watch;
mod worker;

pub use cgroup::Cgroup;
pub use error::ShrinkerError;
pub use reclaim::{Bell, Cost, Reclaim, Reclaimable};

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use dmaflow_core::Errno;
use dmaflow_core::heap::ExportError;

use crate::kernel::meminfo;
use relief::Member;
use watch::Watches;
use worker::Worker;

/// Whether idle memory, or idle descriptors, are what an exporter lacks.
pub(crate) fn shortage(error: &ExportError) -> bool {
    matches!(
        error.errno(),
        Some(Errno::ENOMEM | Errno::ENOSPC | Errno::EMFILE | Errno::ENFILE)
    )
}

/// A share of time in which tasks stalled for want of memory, as
/// `Documentation/accounting/psi.rst` explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// `/proc/pressure/memory`, or a cgroup's `memory.pressure`.
    pub file: PathBuf,
    /// How long some task must have stalled within a window.
    pub stall: Duration,
    /// The window, up to 10 s. Without `CAP_SYS_RESOURCE` the kernel takes whole multiples of
    /// 2 s only (since Linux 6.4; before that, none).
    pub window: Duration,
}

impl Stall {
    /// Where the kernel tells of the whole system.
    pub const SYSTEM: &str = "/proc/pressure/memory";

    /// A tenth of a second within two seconds, which needs no privilege.
    #[must_use]
    pub fn of(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            stall: Duration::from_millis(100),
            window: Duration::from_secs(2),
        }
    }
}

/// What a shrinker watches, and how long it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShrinkerConfig {
    /// Stalls that are told of.
    pub stalls: Vec<Stall>,
    /// The control group whose `memory.high` and `memory.max` are heeded, with those above it.
    pub cgroup: Option<Cgroup>,
    /// The least free contiguous memory, in bytes: with less, caches of the CMA are trimmed,
    /// and no others.
    pub cma_low: Option<u64>,
    /// How often that is looked at. The kernel tells nobody, so it must be asked; only while
    /// caches of the CMA hold anything.
    pub cma_every: Duration,
    /// How long nothing must have happened before caches may grow again; at least two windows
    /// of stalls, which are told of once in each.
    pub calm: Duration,
}

impl Default for ShrinkerConfig {
    /// Watches nothing yet.
    fn default() -> Self {
        Self {
            stalls: Vec::new(),
            cgroup: None,
            cma_low: None,
            cma_every: Duration::from_secs(1),
            calm: Duration::from_secs(10),
        }
    }
}

impl ShrinkerConfig {
    /// Watches what concerns this process, as far as this kernel tells this user: stalls of its
    /// control group and of the system, the limits of its control group and of those above, and
    /// whether less than an eighth of the CMA is free.
    ///
    /// Limits are told of at once. Stalls come later: above its `memory.high` a group's tasks
    /// are slowed down whenever they take memory, even to read their own program again, and a
    /// pipeline among them may have halted for seconds when the stalls have added up.
    #[must_use]
    pub fn of_this_process() -> Self {
        let cgroup = Cgroup::of_this_process()
            .inspect_err(|error| tracing::debug!(%error, "no control group to watch"))
            .ok();
        let own = cgroup.as_ref().map(|cgroup| cgroup.file("memory.pressure"));
        let files = own.into_iter().chain([PathBuf::from(Stall::SYSTEM)]);
        // A trigger is a write, for which a control group's file may not be open to everybody.
        let writable = |file: &PathBuf| OpenOptions::new().write(true).open(file).is_ok();
        let stalls = files.filter(writable).map(Stall::of);
        Self {
            stalls: stalls.collect(),
            cgroup,
            cma_low: meminfo("CmaTotal")
                .filter(|&total| total > 0)
                .map(|total| total / 8),
            ..Self::default()
        }
    }
}

/// What a shrinker did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShrinkerStats {
    /// How often memory was short.
    pub pressures: u64,
    /// How often contiguous memory was.
    pub cma_shortages: u64,
    /// Bytes given back.
    pub trimmed: u64,
    /// Bytes allocated again.
    pub refilled: u64,
    /// How often its thread woke up.
    pub wakeups: u64,
}

#[derive(Debug, Default)]
struct Counts {
    pressures: AtomicU64,
    cma_shortages: AtomicU64,
    trimmed: AtomicU64,
    refilled: AtomicU64,
    wakeups: AtomicU64,
}

struct Shared {
    members: Mutex<Vec<Member>>,
    bell: Bell,
    ending: AtomicBool,
    counts: Counts,
}

impl Shared {
    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        // Whoever panicked did so between whole changes of the list.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Trims idle memory under pressure, the cheapest to get back first. Its thread ends when it is
/// dropped.
///
/// Each sign of pressure takes half of what is idle above the floors, and at least one buffer,
/// so that repeated ones reach the floors; until it has been calm for a while pools keep no
/// more than their floor. Then they may grow, and what was prewarmed is allocated again, as far
/// as half of the memory that is free has room for it.
pub struct Shrinker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Shrinker {
    /// Begins to watch.
    ///
    /// # Errors
    /// [`ShrinkerError`]: what cannot be watched, and what to do about it.
    pub fn start(config: ShrinkerConfig) -> Result<Self, ShrinkerError> {
        let watches = Watches::open(&config)?;
        let shared = Arc::new(Shared {
            members: Mutex::default(),
            bell: Bell::new().map_err(ShrinkerError::Bell)?,
            ending: AtomicBool::new(false),
            counts: Counts::default(),
        });
        let mut worker = Worker::new(Arc::clone(&shared), watches, config);
        let thread = std::thread::Builder::new()
            .name("dmaflow-shrink".to_owned())
            .spawn(move || worker.run())
            .map_err(ShrinkerError::Thread)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Looks after a cache from now on, until it [is gone](Reclaim::is_gone).
    pub fn add(&self, cost: Cost, cache: impl Reclaim + 'static) {
        cache.tell(&self.shared.bell);
        let mut members = self.shared.members();
        let at = members.partition_point(|member| member.cost <= cost);
        let cache = Arc::new(cache);
        members.insert(at, Member { cost, cache });
        drop(members);
        self.shared.bell.ring();
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> ShrinkerStats {
        let counts = &self.shared.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ShrinkerStats {
            pressures: read(&counts.pressures),
            cma_shortages: read(&counts.cma_shortages),
            trimmed: read(&counts.trimmed),
            refilled: read(&counts.refilled),
            wakeups: read(&counts.wakeups),
        }
    }
}

impl Drop for Shrinker {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the shrinker's thread panicked");
        }
        // Nobody tells the caches any more that the pressure is over.
        for member in self.shared.members().iter() {
            member.cache.press(false);
        }
    }
}

impl std::fmt::Debug for Shrinker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shrinker")
            .field("caches", &self.shared.members().len())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
