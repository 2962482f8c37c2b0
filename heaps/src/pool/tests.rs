//! What a pool promises, whatever is done with it.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use dmaflow_core::dma_buf::CpuUse;
use dmaflow_core::heap::page_size;
use proptest::prelude::*;

use super::*;
use crate::clearing::Clearing;
use crate::shrinker::Reclaim;
use crate::testing::{Counting, request, request_of};

fn policy(clearing: Clearing) -> PoolPolicy {
    PoolPolicy {
        clearing,
        most: 1 << 20,
        floor: 64 << 10,
        max_age: None,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Allocate {
        client: usize,
        len: usize,
        align: u32,
    },
    Release(prop::sample::Index),
    Lend(prop::sample::Index),
    Scan(u64),
    Press(bool),
    Refill(u64),
    Prewarm {
        len: usize,
        count: usize,
    },
    Limit(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![1_usize..20_000, 1_usize..400_000];
    let allocate = (0..3_usize, len.clone(), 0..17_u32)
        .prop_map(|(client, len, align)| Step::Allocate { client, len, align });
    let prewarm = (len, 0..5_usize).prop_map(|(len, count)| Step::Prewarm { len, count });
    let step = prop_oneof![
        8 => allocate,
        8 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => any::<prop::sample::Index>().prop_map(Step::Lend),
        1 => (0_u64..1 << 20).prop_map(Step::Scan),
        1 => any::<bool>().prop_map(Step::Press),
        1 => (0_u64..1 << 20).prop_map(Step::Refill),
        1 => prewarm,
        1 => (0_u64..8 << 20).prop_map(Step::Limit),
    ];
    prop::collection::vec(step, 1..120)
}

/// A pool and those who use it.
struct World {
    inner: Counting,
    pool: PagePool<Counting>,
    clients: [ClientId; 3],
    live: BTreeMap<BufferId, (DmaBuf, usize)>,
    reclaimed: u64,
    /// Whether the CPU sees the buffers.
    visible: bool,
}

impl World {
    fn new(policy: PoolPolicy, visible: bool) -> Self {
        let inner = Counting::default();
        if !visible {
            inner.pass_for_dma_bufs();
        }
        Self {
            pool: PagePool::new(inner.clone(), policy),
            inner,
            clients: [0; 3].map(|_| Account::new("client").client()),
            live: BTreeMap::new(),
            reclaimed: 0,
            visible,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Allocate { client, len, align } => self.allocate(client, len, 1 << align),
            Step::Release(which) => {
                if let Some(id) = self.pick(which) {
                    let (buffer, client) = self.live.remove(&id).unwrap();
                    self.pool.release(buffer, self.clients[client]);
                }
            }
            Step::Lend(which) => {
                if let Some(id) = self.pick(which) {
                    let _lent = self.live[&id].0.as_fd();
                }
            }
            Step::Scan(bytes) => {
                let before = self.pool.count();
                let freed = self.pool.scan(bytes);
                let after = self.pool.count();
                assert_eq!(before.idle - after.idle, freed);
                assert!(freed >= bytes || after.spare == 0);
            }
            Step::Press(pressed) => self.pool.press(pressed),
            Step::Refill(most) => assert!(self.pool.refill(most) <= most),
            Step::Prewarm { len, count } => {
                let outcome = self.pool.prewarm(len, count);
                let fits = (len * count) as u64 <= self.pool.policy().most;
                assert!(fits || outcome.is_err());
            }
            Step::Limit(bytes) => self.inner.set_limit(bytes),
        }
    }

    fn pick(&self, which: prop::sample::Index) -> Option<BufferId> {
        let some = (!self.live.is_empty()).then(|| which.index(self.live.len()));
        some.and_then(|at| self.live.keys().nth(at).copied())
    }

    fn allocate(&mut self, client: usize, len: usize, align: usize) {
        let request = Request {
            align,
            ..request_of(len, self.clients[client])
        };
        let Ok(buffer) = self.pool.allocate(&request) else {
            // A shortage stands only when the pool itself is in nobody's way.
            assert_eq!(self.pool.idle().cached, 0);
            return;
        };
        assert!(buffer.len() >= len);
        let whole = len.next_multiple_of(page_size());
        assert!(buffer.len() <= whole + whole / 8);
        assert!(self.inner.asked(buffer.id()).align.max(page_size()) >= align);
        if self.visible {
            let mark = u8::try_from(client + 1).unwrap();
            let mut bytes = buffer.write(CpuUse::Draw).unwrap();
            let own = self.pool.policy().clearing == Clearing::BetweenClients;
            let may_be = |byte: u8| byte == 0 || own && byte == mark;
            assert!(bytes.iter().all(|&byte| may_be(byte)), "another's memory");
            bytes.fill(mark);
        }
        let twice = self.live.insert(buffer.id(), (buffer, client));
        assert!(twice.is_none(), "given to two at once");
    }

    fn verify(&mut self) {
        let (stats, idle) = (self.pool.stats(), self.pool.idle());
        let live: usize = self.live.values().map(|(buffer, _)| buffer.len()).sum();
        assert_eq!(stats.lent, self.live.len() as u64);
        let there = stats.lent + stats.cached + stats.waiting;
        assert_eq!(self.inner.out() as u64, there, "{stats:?}");
        let bytes = live as u64 + idle.cached + idle.deferred;
        assert_eq!(self.inner.out_bytes(), bytes, "{idle:?}");
        assert!(idle.cached + idle.deferred <= self.pool.policy().most);
        let kept = self.pool.0.figures.kept.bytes();
        assert_eq!(kept, idle.cached + idle.deferred);
        assert!(idle.reclaimed >= self.reclaimed);
        self.reclaimed = idle.reclaimed;
    }

    fn end(mut self) {
        for (buffer, client) in std::mem::take(&mut self.live).into_values() {
            self.pool.release(buffer, self.clients[client]);
        }
        self.verify();
        drop(self.pool);
        assert_eq!(self.inner.out(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_the_sums_balance_and_nobody_sees_anothers_memory(
        steps in steps(),
        between_clients: bool,
        visible: bool,
        ages: bool,
    ) {
        let clearing = if between_clients { Clearing::BetweenClients } else { Clearing::Always };
        let max_age = ages.then_some(Duration::ZERO);
        let mut world = World::new(PoolPolicy { max_age, ..policy(clearing) }, visible);
        for step in steps {
            world.take(step);
            world.verify();
        }
        world.end();
    }
}

#[test]
fn a_freed_buffer_serves_the_next_request_of_its_class() {
    let pool = PagePool::new(Counting::default(), policy(Clearing::BetweenClients));
    let first = pool.allocate(&request(100_000)).unwrap();
    let id = first.id();
    pool.release(first, ClientId::PROCESS);
    let again = pool.allocate(&request(98_305)).unwrap();
    assert_eq!(again.id(), id);
    let stats = pool.stats();
    assert_eq!((stats.hits, stats.misses, stats.cleared), (1, 1, 0));
    pool.release(again, ClientId::PROCESS);
    let other = pool.allocate(&request(50_000)).unwrap();
    assert_ne!(other.id(), id);
    pool.release(other, ClientId::PROCESS);
}

#[test]
fn what_nobody_touched_is_not_cleared_again() {
    let pool = PagePool::new(Counting::default(), policy(Clearing::Always));
    pool.prewarm(4096, 1).unwrap();
    let aligned = Request {
        align: page_size(),
        ..request(4096)
    };
    for _round in 0..3 {
        let buffer = pool.allocate(&aligned).unwrap();
        pool.release(buffer, ClientId::PROCESS);
    }
    let stats = pool.stats();
    assert_eq!((stats.hits, stats.misses, stats.cleared), (3, 0, 0));
    for cleared in [0, 1] {
        let buffer = pool.allocate(&aligned).unwrap();
        let mut bytes = buffer.write(CpuUse::Draw).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 0));
        bytes.fill(1);
        drop(bytes);
        pool.release(buffer, ClientId::PROCESS);
        assert_eq!(pool.stats().cleared, cleared);
    }
}

#[test]
fn what_finds_no_room_is_not_prewarmed_silently() {
    let inner = Counting::default();
    inner.pass_for_dma_bufs();
    let page = page_size();
    let most = 4 * page as u64;
    let clearing = policy(Clearing::Always);
    let pool = PagePool::new(inner, PoolPolicy { most, ..clearing });
    let buffer = pool.allocate(&request(2 * page)).unwrap();
    let _lent = buffer.as_fd();
    pool.release(buffer, ClientId::PROCESS);
    assert_eq!(pool.idle().deferred, 2 * page as u64, "others hold it");
    let error = pool.prewarm(page, 4).unwrap_err();
    assert_eq!(error.errno(), Some(Errno::ENOSPC), "{error}");
    assert_eq!(pool.idle().cached, 2 * page as u64);
}

#[test]
fn memory_that_cannot_tell_who_has_it_is_not_kept() {
    let pool = PagePool::new(Counting::default(), policy(Clearing::BetweenClients));
    let buffer = pool.allocate(&request(1)).unwrap();
    let kept = buffer.as_fd().try_clone_to_owned().unwrap();
    pool.release(buffer, ClientId::PROCESS);
    assert_eq!(pool.idle(), Idle::default());
    drop(kept);
}

#[test]
fn a_buffer_that_others_hold_waits_and_is_not_given() {
    let inner = Counting::default();
    inner.pass_for_dma_bufs();
    let pool = PagePool::new(inner.clone(), policy(Clearing::BetweenClients));
    let buffer = pool.allocate(&request(1)).unwrap();
    let (id, _lent) = (buffer.id(), buffer.as_fd());
    pool.release(buffer, ClientId::PROCESS);
    assert_eq!(pool.stats().waiting, 1);
    assert_eq!(pool.idle().deferred, page_size() as u64);
    let other = pool.allocate(&request(1)).unwrap();
    assert_ne!(other.id(), id);
    assert_eq!(pool.scan(u64::MAX), 0, "never a buffer in use");
    pool.release(other, ClientId::PROCESS);
    assert_eq!((pool.stats().waiting, pool.stats().cached), (1, 1));
    drop(pool);
    assert_eq!(inner.out(), 0);
}

#[test]
fn the_oldest_make_room_but_for_what_was_prewarmed() {
    let page = page_size();
    let most = 4 * page as u64;
    let pool = PagePool::new(
        Counting::default(),
        PoolPolicy {
            most,
            ..policy(Clearing::BetweenClients)
        },
    );
    pool.prewarm(page, 1).unwrap();
    let buffers: Vec<_> = (0..4)
        .map(|_| pool.allocate(&request(2 * page)).unwrap())
        .collect();
    let ids: Vec<_> = buffers.iter().map(DmaBuf::id).collect();
    for buffer in buffers {
        pool.release(buffer, ClientId::PROCESS);
    }
    // A page prewarmed leaves room for one of two pages: the latest.
    assert_eq!(pool.idle().cached, 3 * page as u64);
    let again = pool.allocate(&request(2 * page)).unwrap();
    assert_eq!(again.id(), ids[3]);
    pool.release(again, ClientId::PROCESS);
    assert_eq!(pool.stats().misses, 4);
    let too_much = pool.prewarm(page, 5).unwrap_err();
    assert!(too_much.to_string().contains("raise the policy's `most`"));
    assert_eq!(pool.prewarm(0, 1).unwrap_err().errno(), Some(Errno::EINVAL));
}

#[test]
fn a_shortage_takes_what_is_idle_before_it_stands() {
    let inner = Counting::default();
    let pool = PagePool::new(inner.clone(), policy(Clearing::Always));
    pool.prewarm(64 << 10, 4).unwrap();
    inner.set_limit(256 << 10);
    let large = pool.allocate(&request(256 << 10)).unwrap();
    assert_eq!(pool.idle().cached, 0);
    assert_eq!(pool.idle().reclaimed, 256 << 10);
    let short = pool.allocate(&request(1)).unwrap_err();
    assert_eq!(short.errno(), Some(Errno::ENOMEM));
    pool.release(large, ClientId::PROCESS);
}

#[test]
fn a_request_that_fits_is_served_though_its_class_does_not() {
    let inner = Counting::default();
    let page = page_size();
    inner.set_limit(17 * page as u64);
    let pool = PagePool::new(inner.clone(), policy(Clearing::BetweenClients));
    let exact = pool.allocate(&request(17 * page)).unwrap();
    assert_eq!(exact.len(), 17 * page);
    let id = exact.id();
    pool.release(exact, ClientId::PROCESS);
    let again = pool.allocate(&request(17 * page)).unwrap();
    assert_eq!(again.id(), id);
    pool.release(again, ClientId::PROCESS);
}

#[test]
fn under_pressure_no_more_than_the_floor_is_kept_until_it_grows_back() {
    let inner = Counting::default();
    let pool = PagePool::new(inner.clone(), policy(Clearing::Always));
    let len = 64 << 10;
    pool.prewarm(len, 4).unwrap();
    pool.press(true);
    assert_eq!(pool.scan(1), len as u64, "at least a buffer");
    assert_eq!(pool.scan(u64::MAX), 2 * len as u64);
    assert_eq!(pool.idle().cached, pool.policy().floor);
    let buffers: Vec<_> = (0..3)
        .map(|_| pool.allocate(&request(len)).unwrap())
        .collect();
    for buffer in buffers {
        pool.release(buffer, ClientId::PROCESS);
    }
    assert_eq!(pool.idle().cached, pool.policy().floor);
    assert_eq!((pool.refill(u64::MAX), pool.missing()), (0, 3 * len as u64));
    pool.press(false);
    assert_eq!(pool.refill(2 * len as u64 + 1), 2 * len as u64);
    assert_eq!(pool.refill(u64::MAX), len as u64);
    assert_eq!((pool.stats().cached, pool.missing()), (4, 0));
}

#[test]
fn what_is_too_old_goes_except_the_floor_and_what_was_prewarmed() {
    let age = Duration::from_millis(20);
    let pool = PagePool::new(
        Counting::default(),
        PoolPolicy {
            max_age: Some(age),
            floor: 0,
            ..policy(Clearing::Always)
        },
    );
    assert_eq!(pool.expire(), None);
    pool.prewarm(64 << 10, 1).unwrap();
    let buffers: Vec<_> = (0..3)
        .map(|_| pool.allocate(&request(64 << 10)).unwrap())
        .collect();
    for buffer in buffers {
        pool.release(buffer, ClientId::PROCESS);
    }
    let due = pool.expire().unwrap();
    assert_eq!(pool.stats().cached, 3);
    thread::sleep(due.saturating_duration_since(Instant::now()) + age);
    // Anybody's next request sees to it.
    let other = pool.allocate(&request(1)).unwrap();
    assert_eq!((pool.stats().cached, pool.expire()), (1, None));
    pool.release(other, ClientId::PROCESS);
    assert!(pool.expire().is_some());
}

#[test]
fn threads_meet_in_a_pool_without_sharing_a_buffer() {
    let inner = Counting::default();
    let pool = PagePool::new(inner.clone(), policy(Clearing::BetweenClients));
    thread::scope(|scope| {
        for thread in 1..=4_u8 {
            let pool = pool.clone();
            scope.spawn(move || {
                let client = Account::new("thread").client();
                for round in 0..300_usize {
                    let len = 1 + round * 97 % 40_000;
                    let buffer = pool.allocate(&request_of(len, client)).unwrap();
                    let mut bytes = buffer.write(CpuUse::Draw).unwrap();
                    assert!(bytes.iter().all(|&byte| byte == 0 || byte == thread));
                    bytes.fill(thread);
                    thread::yield_now();
                    assert!(bytes.iter().all(|&byte| byte == thread), "two at once");
                    drop(bytes);
                    pool.release(buffer, client);
                    if round % 50 == 0 {
                        pool.scan(1);
                    }
                }
            });
        }
    });
    assert_eq!(pool.stats().lent, 0);
    assert_eq!(inner.out() as u64, pool.stats().cached);
    assert!(pool.stats().hits > 600, "{:?}", pool.stats());
    drop(pool);
    assert_eq!(inner.out(), 0);
}
