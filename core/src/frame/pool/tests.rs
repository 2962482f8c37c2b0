//! Threads that meet at a whole pool, whose buffers nobody looks into.
//!
//! Nothing here needs a kernel, so that loom and miri can run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::dma_buf::DmaBuf;
use crate::format::Format;
use crate::heap::{ExportError, Exporter, HeapInfo, Request};

/// Gives buffers that nobody looks into.
struct Nothing;

impl Exporter for Nothing {
    fn allocate(&self, request: &Request) -> Result<DmaBuf, ExportError> {
        let file = std::fs::File::open("/dev/null").unwrap();
        Ok(DmaBuf::with_len(file.into(), request.len))
    }
}

/// What the hook was told, counted beside the model.
#[derive(Clone, Default)]
struct Released(Arc<AtomicU64>);

impl ReleaseHook for Released {
    fn released(&self, _slot: usize) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn pool(frames: usize) -> (FramePool, Released) {
    let layout = Layout::packed(Format::XRGB8888, 16, 16).unwrap();
    let heap = Heap::new(HeapInfo::new("nothing"), Nothing);
    let pool = FramePool::allocate(&heap, &layout, frames).unwrap();
    let released = Released::default();
    pool.on_release(released.clone()).unwrap();
    (pool, released)
}

fn numbered(mut frame: Frame, sequence: u64) -> Frame {
    frame.set_meta(FrameMeta {
        sequence,
        ..FrameMeta::default()
    });
    frame
}

/// Every order in which they can meet.
#[cfg(loom)]
mod models {
    use super::*;
    use loom::thread;

    #[test]
    fn loom_threads_never_have_one_frame_and_each_release_is_told_once() {
        loom::model(|| {
            let (pool, released) = pool(2);
            let source = |sequence: u64| {
                let pool = pool.clone();
                move || {
                    let frame = numbered(pool.acquire()?, sequence);
                    assert_eq!(frame.meta().sequence, sequence, "it is another's too");
                    Some(frame.slot())
                }
            };
            let threads = [thread::spawn(source(1)), thread::spawn(source(2))];
            let slots = threads.map(|thread| thread.join().unwrap());
            assert!(slots.iter().all(Option::is_some), "there was one for each");
            assert_eq!(released.0.load(Ordering::Relaxed), 2);
            assert_eq!(pool.free(), 2);
        });
    }

    #[test]
    fn loom_users_of_a_picture_see_what_its_source_said_until_the_last() {
        loom::model(|| {
            let (pool, released) = pool(1);
            let frame = numbered(pool.acquire().unwrap(), 7);
            let clone = frame.clone();
            let looking = thread::spawn(move || clone.meta().sequence);
            drop(frame);
            let again = pool.acquire().map(|frame| numbered(frame, 8));
            let given = 1 + u64::from(again.is_some());
            drop(again);
            assert_eq!(looking.join().unwrap(), 7);
            assert_eq!(released.0.load(Ordering::Relaxed), given);
            assert_eq!(pool.free(), 1);
        });
    }
}

#[cfg(not(loom))]
mod threads {
    use super::*;
    use std::thread;

    #[test]
    fn a_frame_is_one_users_and_told_once_when_it_is_free() {
        const TURNS: u64 = if cfg!(miri) { 50 } else { 10_000 };
        let (pool, released) = pool(2);
        let acquired: u64 = thread::scope(|scope| {
            let threads = [1, 2, 3].map(|own| {
                let pool = pool.clone();
                scope.spawn(move || {
                    let mut acquired = 0;
                    for turn in 0..TURNS {
                        let Some(frame) = pool.acquire() else {
                            continue;
                        };
                        let frame = numbered(frame, own * TURNS + turn);
                        let clone = frame.clone();
                        drop(frame);
                        assert_eq!(clone.meta().sequence, own * TURNS + turn);
                        acquired += 1;
                    }
                    acquired
                })
            });
            threads.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert!(acquired > 0);
        assert_eq!(released.0.load(Ordering::Relaxed), acquired);
        assert_eq!(pool.free(), 2);
    }

    #[test]
    fn frames_are_given_until_there_are_none() {
        let (pool, released) = pool(2);
        let frames = [pool.acquire().unwrap(), pool.acquire_slot(1).unwrap()];
        assert!(pool.acquire().is_none() && pool.acquire_slot(0).is_none());
        assert!(pool.acquire_slot(2).is_none());
        assert!(matches!(
            pool.on_release(Released::default()),
            Err(PoolError::Hooked)
        ));
        drop(pool);
        drop(frames);
        assert_eq!(
            released.0.load(Ordering::Relaxed),
            2,
            "they outlive the pool"
        );
    }
}
