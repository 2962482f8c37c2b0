//! Threads that meet at a whole pool, whose buffers nobody looks into.
//!
//! Nothing here needs a kernel, so that loom and miri can run it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::dma_buf::DmaBuf;
use crate::format::Format;
use crate::frame::FramePlace;
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
    fn loom_a_place_gives_a_frame_to_one_with_all_that_is_known_of_it() {
        loom::model(|| {
            let (pool, released) = pool(2);
            let place = Arc::new(FramePlace::default());
            let frames = [0, 1].map(|slot| pool.acquire_slot(slot).unwrap());
            let putting = Arc::clone(&place);
            let putter = thread::spawn(move || {
                let numbers = frames.into_iter().zip(1..);
                let replaced = numbers.filter_map(|(frame, n)| putting.put(numbered(frame, n)));
                replaced.count()
            });
            let taken = place.take().map(|frame| frame.meta().sequence);
            let replaced = putter.join().unwrap();
            let left = place.take().map(|frame| frame.meta().sequence);
            assert_eq!(replaced, usize::from(taken != Some(1)));
            assert_eq!(left, (taken != Some(2)).then_some(2));
            assert_eq!((pool.free(), released.0.load(Ordering::Relaxed)), (2, 2));
        });
    }

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
    fn a_place_holds_one_frame_and_lets_it_go() {
        const TURNS: u64 = if cfg!(miri) { 50 } else { 10_000 };
        let (pool, released) = pool(3);
        let place = FramePlace::default();
        let (sent, replaced, taken) = thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let frames = (0..TURNS).filter_map(|turn| Some(numbered(pool.acquire()?, turn)));
                let (mut sent, mut replaced) = (0, 0);
                for frame in frames {
                    sent += 1;
                    replaced += u64::from(place.put(frame).is_some());
                }
                (sent, replaced)
            });
            let (mut taken, mut newest) = (0, None);
            while !sending.is_finished() {
                if let Some(frame) = place.take() {
                    assert!(
                        newest < Some(frame.meta().sequence),
                        "an older frame came later"
                    );
                    newest = Some(frame.meta().sequence);
                    taken += 1;
                }
                thread::yield_now();
            }
            let (sent, replaced) = sending.join().unwrap();
            (sent, replaced, taken)
        });
        let left = u64::from(place.put(pool.acquire().unwrap()).is_some());
        assert_eq!(sent, replaced + taken + left);
        assert_eq!(pool.free(), 2);
        drop(place);
        assert_eq!(pool.free(), 3);
        assert_eq!(released.0.load(Ordering::Relaxed), sent + 1);
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
