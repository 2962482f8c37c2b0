//! A pool's promises: frames come back, once, from whichever thread.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use dmaflow_core::format::Format;
use dmaflow_core::frame::{FramePool, ReleaseHook};
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_heaps::Memfd;

fn pool(frames: usize) -> (FramePool, Heap) {
    let heap = Heap::new(Memfd::info(), Memfd);
    let layout = Layout::packed(Format::NV12, 64, 48).unwrap();
    (FramePool::allocate(&heap, &layout, frames).unwrap(), heap)
}

#[test]
fn every_frame_is_given_once_and_comes_back() {
    let (pool, heap) = pool(8);
    for _round in 0..3 {
        let frames: Vec<_> = std::iter::from_fn(|| pool.acquire()).collect();
        let mut slots: Vec<_> = frames
            .iter()
            .map(dmaflow_core::frame::Frame::slot)
            .collect();
        slots.sort_unstable();
        assert_eq!(slots, (0..8).collect::<Vec<_>>());
        assert!(pool.acquire_slot(3).is_none());
        drop(frames);
        assert_eq!(pool.free(), 8);
    }
    assert_eq!(heap.stats().usage.live, 8);
    drop(pool);
    assert_eq!((heap.stats().usage.live, heap.stats().usage.total), (0, 8));
}

#[test]
fn a_shared_frame_returns_with_its_last_user() {
    let (pool, _heap) = pool(1);
    let frame = pool.acquire().unwrap();
    let other = frame.clone();
    drop(frame);
    assert!(pool.acquire().is_none());
    drop(other);
    assert!(pool.acquire().is_some());
}

#[test]
fn a_frame_outlives_its_pool_with_its_own_memory_only() {
    let (pool, heap) = pool(4);
    let frame = pool.acquire().unwrap();
    drop(pool);
    assert_eq!(heap.stats().usage.live, 1);
    assert_eq!(frame.layout().format(), Format::NV12);
    drop(frame);
    assert_eq!(heap.stats().usage.live, 0);
}

struct Log(Arc<Mutex<Vec<(usize, ThreadId)>>>);

impl ReleaseHook for Log {
    fn released(&self, slot: usize) {
        self.0.lock().unwrap().push((slot, thread::current().id()));
    }
}

#[test]
fn the_hook_is_called_once_from_the_dropping_thread() {
    let (pool, _heap) = pool(2);
    let log = Arc::default();
    pool.on_release(Log(Arc::clone(&log))).unwrap();
    assert!(pool.on_release(Log(Arc::clone(&log))).is_err());
    let frame = pool.acquire_slot(1).unwrap();
    let other = frame.clone();
    drop(frame);
    assert!(log.lock().unwrap().is_empty());
    let dropper = thread::spawn(move || {
        drop(other);
        thread::current().id()
    });
    let dropper = dropper.join().unwrap();
    assert_eq!(*log.lock().unwrap(), [(1, dropper)]);
}

#[test]
fn the_owner_may_take_the_frame_again_inside_the_hook() {
    struct Again(FramePool, Arc<AtomicUsize>);
    impl ReleaseHook for Again {
        fn released(&self, slot: usize) {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                drop(self.0.acquire_slot(slot).expect("free when the hook runs"));
            }
        }
    }
    let (pool, _heap) = pool(1);
    let calls = Arc::new(AtomicUsize::new(0));
    let again = Again(pool.clone(), Arc::clone(&calls));
    pool.on_release(again).unwrap();
    drop(pool.acquire());
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[test]
fn threads_never_hold_the_same_frame() {
    let (pool, _heap) = pool(3);
    let holders: Vec<_> = (0..3).map(|_| AtomicUsize::new(0)).collect();
    thread::scope(|scope| {
        for _thread in 0..4 {
            scope.spawn(|| {
                for _turn in 0..20_000 {
                    if let Some(frame) = pool.acquire() {
                        let holder = &holders[frame.slot()];
                        assert_eq!(holder.fetch_add(1, Ordering::SeqCst), 0);
                        let shared = frame.clone();
                        drop(frame);
                        holder.fetch_sub(1, Ordering::SeqCst);
                        drop(shared);
                    }
                }
            });
        }
    });
    assert_eq!(pool.free(), 3);
}
