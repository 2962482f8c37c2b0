//! The shrinker's thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::calm::Calm;
use super::relief::{Member, let_grow, relieve};
use super::watch::Watches;
use super::{Cgroup, Cost, Shared, ShrinkerConfig};
use crate::kernel::meminfo;

/// What the thread knows.
pub(super) struct Worker {
    shared: Arc<Shared>,
    watches: Watches,
    config: ShrinkerConfig,
    /// Whose limits caches must leave room to when they grow.
    group: Option<Cgroup>,
    memory: Calm,
    cma: Calm,
    cma_looked_at: Option<Instant>,
}

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, watches: Watches, config: ShrinkerConfig) -> Self {
        // A stall is told of once in its window at most: it is calm when two have passed.
        let windows = config.stalls.iter().map(|stall| stall.window);
        let silence = windows.max().unwrap_or_default().saturating_mul(2);
        let group = config.cgroup.clone();
        Self {
            shared,
            watches,
            group: group.or_else(|| Cgroup::of_this_process().ok()),
            memory: Calm::new(config.calm.max(silence)),
            cma: Calm::new(config.calm),
            cma_looked_at: None,
            config,
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            let due = self.next_due();
            let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
            let short = self.watches.wait(&self.shared.bell, timeout);
            self.shared.bell.answer();
            if self.shared.ending.load(Ordering::Acquire) {
                return;
            }
            add(&self.shared.counts.wakeups, 1);
            self.wake(short, Instant::now());
        }
    }

    /// A list of their own, so that nobody waits for a lock while memory is freed.
    fn members(&self) -> Vec<Member> {
        let mut members = self.shared.members();
        members.retain(|member| !member.cache.is_gone());
        members.clone()
    }

    fn wake(&mut self, short: bool, now: Instant) {
        let members = self.members();
        // They are in the order of their cost, and the CMA's come last.
        let cma = members.partition_point(|member| member.cost < Cost::Cma);
        let (others, of_cma) = members.split_at(cma);
        if short {
            self.memory.disturb(now);
            add(&self.shared.counts.pressures, 1);
            self.relieved(relieve(&members), "memory");
        }
        if self.cma_is_due(of_cma, now).is_some_and(|due| due <= now) {
            self.cma_looked_at = Some(now);
            if self.cma_room() == 0 {
                self.cma.disturb(now);
                add(&self.shared.counts.cma_shortages, 1);
                self.relieved(relieve(of_cma), "contiguous memory");
            }
        }
        let memory_over = self.memory.is_over(now);
        let cma_over = self.cma.is_over(now);
        if memory_over {
            let (bytes, missing) = self.grow(others, self.memory_room());
            self.memory.grew(now, bytes, missing);
        }
        let may_grow = !self.memory.is_pressed() && !self.cma.is_pressed();
        if (memory_over || cma_over) && may_grow {
            let room = self.memory_room().min(self.cma_room());
            let (bytes, missing) = self.grow(of_cma, room);
            self.cma.grew(now, bytes, missing);
        }
    }

    fn relieved(&self, freed: u64, of_what: &str) {
        add(&self.shared.counts.trimmed, freed);
        tracing::debug!(freed, "{of_what} is short");
    }

    fn grow(&self, members: &[Member], room: u64) -> (u64, u64) {
        let (bytes, missing) = let_grow(members, room);
        add(&self.shared.counts.refilled, bytes);
        tracing::debug!(bytes, missing, "caches may grow");
        (bytes, missing)
    }

    /// Half of the memory that could be taken now: to take all of it would be the next
    /// shortage.
    fn memory_room(&self) -> u64 {
        let group = self.group.as_ref();
        let rooms = [group.and_then(Cgroup::headroom), meminfo("MemAvailable")];
        let room = rooms.into_iter().flatten().min();
        room.map_or(u64::MAX, |room| room / 2)
    }

    /// Contiguous memory above the low-water mark.
    fn cma_room(&self) -> u64 {
        let Some(low) = self.config.cma_low else {
            return u64::MAX;
        };
        meminfo("CmaFree").map_or(u64::MAX, |free| free.saturating_sub(low))
    }

    /// When free contiguous memory is to be looked at, if there are caches to trim.
    fn cma_is_due(&self, of_cma: &[Member], now: Instant) -> Option<Instant> {
        self.config.cma_low?;
        let mut counts = of_cma.iter().map(|member| member.cache.count());
        counts.find(|count| count.spare > 0 || count.waiting > 0)?;
        let due = |looked: Instant| looked.checked_add(self.config.cma_every);
        self.cma_looked_at.map_or(Some(now), due)
    }

    /// When the thread has something to do though nobody tells it to. What becomes idle after
    /// this was asked rings the bell, where that matters.
    fn next_due(&self) -> Option<Instant> {
        let bell = &self.shared.bell;
        bell.arm();
        let members = self.members();
        let mut unheard = false;
        let mut due = vec![self.memory.over_at(), self.cma.over_at()];
        for member in &members {
            let expiry = member.cache.expire();
            unheard |= expiry.is_none() && member.cache.ages();
            due.push(expiry);
        }
        let cma = members.partition_point(|member| member.cost < Cost::Cma);
        let of_cma = &members[cma..];
        let look = self.cma_is_due(of_cma, Instant::now());
        unheard |= look.is_none() && self.config.cma_low.is_some() && !of_cma.is_empty();
        due.push(look);
        if !unheard {
            bell.disarm();
        }
        let due = due.into_iter().flatten().min()?;
        // What is overdue and does not go away is no reason never to sleep.
        Some(due.max(Instant::now() + Duration::from_millis(1)))
    }
}
