//! Pools, deferred freeing and the CMA's low-water mark, over the kernel's own memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use dmaflow_core::dma_buf::{Access, CpuUse};
use dmaflow_core::heap::{Account, Contiguity, Exporter, Heap, HeapInfo};
use dmaflow_heaps::shrinker::Cost;
use dmaflow_heaps::{
    Clearing, DeferredFree, KernelHeap, Memfd, PagePool, PoolPolicy, Reclaim, Shrinker,
    ShrinkerConfig, Udmabuf, kernel,
};
use dmaflow_testbed::{Board, DmaBufs, Timeline, conformance, eventually, open_files};

const MIB: usize = 1 << 20;

type Open = Box<dyn Fn() -> Box<dyn Exporter>>;

/// Every kind of memory that helpers may stand around.
fn exporters() -> Vec<(HeapInfo, Open)> {
    let mut all: Vec<(HeapInfo, Open)> = Vec::new();
    for node in kernel::list(Path::new(kernel::NODES)).unwrap() {
        let path = node.path;
        let open = move || Box::new(KernelHeap::open(&path).unwrap()) as Box<dyn Exporter>;
        all.push((node.info, Box::new(open)));
    }
    assert!(all.iter().any(|(info, _)| info.name == "system"));
    assert!(all.iter().any(|(info, _)| Cost::of(info) == Cost::Cma));
    let udmabuf = || Box::new(Udmabuf::open().unwrap()) as Box<dyn Exporter>;
    all.push((Udmabuf::info(), Box::new(udmabuf)));
    let memfd = || Box::new(Memfd) as Box<dyn Exporter>;
    all.push((Memfd::info(), Box::new(memfd)));
    all
}

fn cma() -> (HeapInfo, KernelHeap) {
    let nodes = kernel::list(Path::new(kernel::NODES)).unwrap();
    let mut nodes = nodes.into_iter();
    let node = nodes.find(|node| node.info.contiguity == Contiguity::Contiguous);
    let node = node.unwrap();
    let heap = KernelHeap::open(&node.path).unwrap();
    (node.info, heap)
}

fn policy(clearing: Clearing) -> PoolPolicy {
    PoolPolicy {
        clearing,
        max_age: None,
        ..PoolPolicy::default()
    }
}

fn cma_free() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("CmaFree:"));
    let kibibytes: u64 = line.unwrap().trim_end_matches("kB").trim().parse().unwrap();
    kibibytes << 10
}

#[test]
fn helpers_keep_the_promises_of_a_heap_and_leave_nothing_behind() {
    let test = "helpers_keep_the_promises_of_a_heap_and_leave_nothing_behind";
    let Some(_board) = Board::for_test(test) else {
        return;
    };
    let peer = Path::new(env!("CARGO_BIN_EXE_heap-peer"));
    let (buffers, files) = (DmaBufs::now(), open_files());
    for (info, open) in exporters() {
        for clearing in [Clearing::Always, Clearing::BetweenClients] {
            let policy = policy(clearing);
            let pool = PagePool::new(open(), policy);
            let heap = Heap::new(policy.info(info.clone()), pool.clone());
            assert_eq!(heap.info().zeroed, clearing == Clearing::Always);
            conformance::conforms(&heap, peer);
            assert!(pool.stats().hits > 0, "{info:?}: {pool:?}");
            assert_eq!(pool.stats().lent, 0);
            drop((heap, pool));

            let both = PagePool::new(DeferredFree::new(open()), policy);
            conformance::conforms(&Heap::new(policy.info(info.clone()), both), peer);
        }
        let deferred = DeferredFree::new(open());
        conformance::conforms(&Heap::new(info, deferred.clone()), peer);
        deferred.drain();
        assert_eq!(deferred.idle().deferred, 0);
    }
    assert_eq!(open_files(), files);
    buffers.assert_none_since();
}

#[test]
fn a_client_may_see_its_own_memory_again_and_nobody_elses() {
    let test = "a_client_may_see_its_own_memory_again_and_nobody_elses";
    let Some(_board) = Board::for_test(test) else {
        return;
    };
    for (info, open) in exporters() {
        for clearing in [Clearing::Always, Clearing::BetweenClients] {
            let pool = PagePool::new(open(), policy(clearing));
            let heap = Heap::new(pool.policy().info(info.clone()), pool.clone());
            let [ours, theirs] = ["ours", "theirs"].map(Account::new);
            let write = |account: &Account| {
                let buffer = heap.for_account(account).allocate(MIB).unwrap();
                let mut bytes = buffer.write(CpuUse::Draw).unwrap();
                let before = bytes.iter().fold(0, |all, byte| all | byte);
                bytes.fill(0xa5);
                (buffer.id(), before)
            };
            let (id, first) = write(&ours);
            let expected = match clearing {
                Clearing::Always => 0,
                Clearing::BetweenClients => 0xa5,
            };
            let name = &info.name;
            assert_eq!(first, 0, "{name}");
            assert_eq!(write(&ours), (id, expected), "{name}");
            assert_eq!(write(&theirs), (id, 0), "{name}: another's memory");
            assert_eq!(write(&ours), (id, 0), "{name}: another's memory");
        }
    }
}

#[test]
fn what_others_hold_waits_until_they_let_go() {
    let Some(_board) = Board::for_test("what_others_hold_waits_until_they_let_go") else {
        return;
    };
    for (info, open) in exporters().into_iter().filter(|(info, _)| info.importable) {
        let pool = PagePool::new(open(), policy(Clearing::Always));
        let heap = Heap::new(info, pool.clone());
        let buffer = heap.allocate(MIB).unwrap();
        let id = buffer.id();
        let held = buffer.as_fd().try_clone_to_owned().unwrap();
        drop(buffer);
        let stats = pool.stats();
        assert_eq!((stats.waiting, stats.cached), (1, 0), "{heap:?}");
        assert_eq!(heap.stats().idle.deferred, MIB as u64);
        assert_ne!(heap.allocate(MIB).unwrap().id(), id);
        // The other one is idle now, and the kernel says so.
        let named = |name: &str| {
            let listing = fs::read_to_string("/sys/kernel/debug/dma_buf/bufinfo").unwrap();
            listing.contains(name)
        };
        assert!(named("dmaflow idle"));
        assert_eq!(pool.scan(u64::MAX), MIB as u64, "the idle one alone");
        assert!(!named("dmaflow idle"));
        assert_eq!(pool.stats().waiting, 1);
        drop(held);
        let again = heap.allocate(MIB).unwrap();
        assert_eq!(again.id(), id, "{heap:?}");
        assert!(!named("dmaflow idle"));
        assert_eq!(pool.stats().waiting, 0);
        // Under pressure it goes back to the kernel, not into the cache.
        let held = again.as_fd().try_clone_to_owned().unwrap();
        drop(again);
        pool.press(true);
        assert_eq!(pool.stats().waiting, 1, "in use");
        drop(held);
        pool.press(true);
        let stats = pool.stats();
        assert_eq!((stats.waiting, stats.cached), (0, 0), "{heap:?}");
    }
}

#[test]
fn what_has_a_fence_in_it_waits_until_that_is_signalled() {
    let test = "what_has_a_fence_in_it_waits_until_that_is_signalled";
    let Some(_board) = Board::for_test(test) else {
        return;
    };
    let (info, open) = exporters().remove(0);
    let pool = PagePool::new(open(), policy(Clearing::Always));
    let heap = Heap::new(info, pool.clone());
    let buffer = heap.allocate(MIB).unwrap();
    let id = buffer.id();
    let timeline = Timeline::new();
    let fence = timeline.fence();
    buffer
        .import_sync_file(Access::Write, fence.as_fd())
        .unwrap();
    drop((buffer, fence));
    // To clear it would be to wait for the fence, which nobody signals.
    assert_ne!(heap.allocate(MIB).unwrap().id(), id);
    assert_eq!(pool.stats().waiting, 1);
    drop(timeline);
    let ids = [(); 2].map(|()| heap.allocate(MIB).unwrap());
    assert!(ids.iter().any(|buffer| buffer.id() == id));
}

#[test]
fn idle_contiguous_memory_is_in_nobodys_way() {
    let Some(_board) = Board::for_test("idle_contiguous_memory_is_in_nobodys_way") else {
        return;
    };
    let buffers = DmaBufs::now();
    let (_info, raw) = cma();
    let heap = Heap::new(HeapInfo::new("raw"), raw);
    let mut all = Vec::new();
    while let Ok(buffer) = heap.allocate(8 * MIB) {
        all.push(buffer);
    }
    let fit = all.len();
    assert!(fit >= 4, "{fit} buffers of 8 MiB in the CMA");
    drop(all);
    buffers.assert_none_since();

    let policy = PoolPolicy {
        most: u64::MAX,
        ..policy(Clearing::Always)
    };
    let pool = PagePool::new(DeferredFree::new(cma().1), policy);
    pool.prewarm(8 * MIB, fit).unwrap();
    let raw_again = heap.allocate(8 * MIB);
    assert!(raw_again.is_err(), "the pool has it all");
    let pooled = Heap::new(HeapInfo::new("pooled"), pool.clone());
    let large = pooled.allocate(16 * MIB).unwrap();
    assert_eq!(pool.stats().cached, 0);
    assert_eq!(pool.idle().reclaimed, (fit * 8 * MIB) as u64);
    drop(large);
    drop((pooled, pool));
    buffers.assert_none_since();
}

#[test]
fn caches_of_the_cma_go_when_it_runs_low_and_come_back() {
    let test = "caches_of_the_cma_go_when_it_runs_low_and_come_back";
    let Some(_board) = Board::for_test(test) else {
        return;
    };
    let files = open_files();
    let (info, exporter) = cma();
    let pool = PagePool::new(exporter, policy(Clearing::Always));
    let scattered = PagePool::new(Memfd, policy(Clearing::Always));
    let before = cma_free();
    let cached = 32 * MIB as u64;
    pool.prewarm(4 * MIB, 8).unwrap();
    scattered.prewarm(MIB, 4).unwrap();
    let shrinker = Shrinker::start(ShrinkerConfig {
        cma_low: Some(before - cached - 8 * MIB as u64),
        cma_every: Duration::from_millis(50),
        calm: Duration::from_millis(500),
        ..ShrinkerConfig::default()
    })
    .unwrap();
    shrinker.add(Cost::of(&info), pool.weak());
    shrinker.add(Cost::of(&Memfd::info()), scattered.weak());
    thread::sleep(Duration::from_millis(300));
    assert_eq!(pool.idle().cached, cached, "enough is free");
    // Others take more than there is above the mark, until every idle buffer has gone.
    let others = Heap::new(HeapInfo::new("others"), cma().1);
    let held: Vec<_> = (0..10).map(|_| others.allocate(4 * MIB).unwrap()).collect();
    eventually("idle buffer less", || pool.idle().cached == 0);
    assert_eq!(scattered.idle().cached, 4 * MIB as u64, "not of the CMA");
    // With nothing to trim nobody looks.
    thread::sleep(Duration::from_millis(200));
    let asleep = shrinker.stats();
    drop(held);
    // Its figures follow what it did.
    eventually("cache", || {
        let stats = shrinker.stats();
        pool.idle().cached == cached && stats.trimmed == stats.refilled
    });
    let stats = shrinker.stats();
    println!("asleep: {asleep:?}\nat the end: {stats:?}");
    assert!(stats.cma_shortages > 0);
    assert_eq!(stats.pressures, 0);
    // On a slow machine it was calm for long enough in between to grow and shrink once more.
    assert!(stats.trimmed >= cached, "{stats:?}");
    drop((shrinker, pool, scattered, others));
    assert_eq!(open_files(), files);
}

#[test]
fn what_is_too_old_goes_though_nobody_asks() {
    let Some(_board) = Board::for_test("what_is_too_old_goes_though_nobody_asks") else {
        return;
    };
    let (buffers, files) = (DmaBufs::now(), open_files());
    let policy = PoolPolicy {
        max_age: Some(Duration::from_millis(300)),
        ..PoolPolicy::default()
    };
    let pool = PagePool::new(Udmabuf::open().unwrap(), policy);
    let shrinker = Shrinker::start(ShrinkerConfig::of_this_process()).unwrap();
    shrinker.add(Cost::Scattered, pool.weak());
    let heap = Heap::new(policy.info(Udmabuf::info()), pool.clone());
    thread::sleep(Duration::from_millis(500));
    for round in 1..=3 {
        let begun = shrinker.stats().wakeups;
        drop(heap.allocate(MIB).unwrap());
        let gone = round * MIB as u64;
        eventually("buffer too old", || pool.idle().reclaimed == gone);
        assert_eq!(pool.stats().cached, 0);
        let woken = shrinker.stats().wakeups - begun;
        println!("woken {woken} times to let a buffer go");
        // It woke to hear of the buffer and to let it go, and sleeps now.
        thread::sleep(Duration::from_secs(1));
        assert_eq!(shrinker.stats().wakeups - begun, woken);
    }
    let buffer = heap.allocate(MIB).unwrap();
    let held = buffer.as_fd().try_clone_to_owned().unwrap();
    drop(buffer);
    assert_eq!(pool.stats().waiting, 1);
    eventually("buffer waiting for others", || pool.stats().waiting == 0);
    drop((heap, pool, held));
    buffers.assert_none_since();
    drop(shrinker);
    assert_eq!(open_files(), files);
}

#[test]
fn a_pool_asks_the_kernel_once() {
    let Some(_board) = Board::for_test("a_pool_asks_the_kernel_once") else {
        return;
    };
    let rounds = 200_u32;
    for len in [4 << 10, MIB, 8 * MIB] {
        let system = || KernelHeap::open(Path::new("/dev/dma_heap/system")).unwrap();
        let raw = Heap::new(HeapInfo::new("system"), system());
        let pool = PagePool::new(system(), policy(Clearing::BetweenClients));
        let pooled = Heap::new(HeapInfo::new("pooled"), pool.clone());
        let time = |heap: &Heap| {
            let started = Instant::now();
            for _round in 0..rounds {
                drop(heap.allocate(len).unwrap());
            }
            started.elapsed() / rounds
        };
        let took = [time(&raw), time(&pooled)];
        let times = took[0].as_secs_f64() / took[1].as_secs_f64();
        println!(
            "{len} bytes: raw {:?}, pooled {:?}: {times:.1} times",
            took[0], took[1]
        );
        let stats = pool.stats();
        assert_eq!((stats.misses, stats.hits), (1, u64::from(rounds) - 1));
    }
}
