//! The test source on memory that devices cannot import: it needs no device and no kernel.

use std::thread;
use std::time::Duration;

use dmaflow_core::heap::Heap;
use dmaflow_heaps::Memfd;

use super::*;

fn attached(config: TestSrcConfig, frames: usize) -> (TestSrc, FramePool) {
    let heap = Heap::new(Memfd::info(), Memfd);
    let format = config.format;
    let mut source = TestSrc::new(config);
    let plan = source.configure(format).unwrap();
    let pool = FramePool::allocate(&heap, &plan.layout, frames).unwrap();
    source.attach(&pool).unwrap();
    (source, pool)
}

fn number(frame: &Frame) -> Option<u32> {
    let bytes = frame.buffers()[0].read(CpuUse::Inspect).unwrap();
    read_frame_number(frame.layout(), &bytes)
}

fn unpaced(format: Format, frames: u64) -> TestSrcConfig {
    TestSrcConfig {
        format,
        width: 320,
        height: 240,
        rate: None,
        frames: Some(frames),
    }
}

fn counter(source: &TestSrc, name: &str) -> u64 {
    let counters = source.counters();
    let found = counters.iter().find(|counter| counter.name == name);
    found.unwrap().count
}

#[test]
fn frames_carry_their_number_and_end() {
    for format in pixels::FORMATS {
        // More frames than buffers, so that pictures are drawn over others.
        let (mut source, _pool) = attached(unpaced(format, 20), 3);
        let _stopper = source.start().unwrap();
        for expected in 0..20 {
            let frame = source.next_frame().unwrap().unwrap();
            assert_eq!(frame.meta().sequence, expected);
            assert_eq!(number(&frame).map(u64::from), Some(expected), "{format}");
            let captured = frame.meta().capture.unwrap();
            assert!(captured.until(Clock::Monotonic.now()).is_some());
        }
        assert!(source.next_frame().unwrap().is_none());
        assert_eq!(counter(&source, "lost"), 0);
    }
}

#[test]
fn it_starts_again_from_0_with_frames_still_held() {
    let (mut source, pool) = attached(unpaced(Format::YUYV, 2), 3);
    let mut held = Vec::new();
    for _run in 0..3 {
        let stopper = source.start().unwrap();
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!((frame.meta().sequence, number(&frame)), (0, Some(0)));
        held.push(frame);
        stopper.stop();
        assert!(source.next_frame().unwrap().is_none());
        source.stop().unwrap();
    }
    assert_eq!(pool.free(), 0);
}

#[test]
fn a_starving_source_goes_on_when_a_frame_is_let_go() {
    let (mut source, pool) = attached(unpaced(Format::NV12, 2000), 2);
    let _stopper = source.start().unwrap();
    let (frames, taken) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Some(frame) = source.next_frame().unwrap() {
                frames.send(frame).unwrap();
            }
        });
        let sequences = taken.iter().map(|frame: Frame| frame.meta().sequence);
        assert!(sequences.eq(0..2000));
    });
    assert_eq!(pool.free(), 2);
}

#[test]
fn the_stopper_ends_every_wait() {
    for rate in [None, Rate::new(1, 3600)] {
        let config = TestSrcConfig {
            rate,
            frames: None,
            ..unpaced(Format::NV12, 0)
        };
        let (mut source, pool) = attached(config, 1);
        let stopper = source.start().unwrap();
        let first = source.next_frame().unwrap().unwrap();
        thread::scope(|scope| {
            // With no frame free it waits for one, and otherwise for an hour.
            let waiting = scope.spawn(|| source.next_frame().unwrap().is_none());
            thread::sleep(Duration::from_millis(20));
            stopper.stop();
            assert!(waiting.join().unwrap());
        });
        drop(first);
        assert_eq!(pool.free(), 1);
    }
}

#[test]
fn a_picture_without_a_free_frame_is_lost_and_counted() {
    let config = TestSrcConfig {
        rate: Rate::new(1000, 1),
        frames: None,
        ..unpaced(Format::NV12, 0)
    };
    let (mut source, _pool) = attached(config, 1);
    let stopper = source.start().unwrap();
    let held = source.next_frame().unwrap().unwrap();
    let first = held.meta().sequence;
    let next = thread::scope(|scope| {
        let waiting = scope.spawn(|| source.next_frame().unwrap().unwrap());
        thread::sleep(Duration::from_millis(30));
        drop(held);
        waiting.join().unwrap()
    });
    let lost = counter(&source, "lost");
    assert!(lost > 0 && lost >= counter(&source, "late"));
    assert!(next.meta().sequence > first + 1);
    assert_eq!(lost, next.meta().sequence - 1, "two pictures were drawn");
    stopper.stop();
}

#[test]
fn what_cannot_be_drawn_is_refused_with_the_reason() {
    let refused = |config: TestSrcConfig| {
        let format = config.format;
        let error = TestSrc::new(config).configure(format).unwrap_err();
        error.to_string()
    };
    let uyvy = TestSrcConfig {
        format: "UYVY".parse().unwrap(),
        ..TestSrcConfig::default()
    };
    assert!(refused(uyvy).contains("it draws: XRGB8888, NV12, YUYV"));
    let small = TestSrcConfig {
        width: 64,
        ..TestSrcConfig::default()
    };
    assert!(refused(small).contains("80×16 pixels or more"));
    let mut source = TestSrc::new(TestSrcConfig::default());
    assert!(source.start().is_err());
}

#[test]
fn another_pool_may_be_attached_and_the_same_one_not_twice() {
    let (mut source, pool) = attached(unpaced(Format::NV12, 1), 1);
    assert!(source.attach(&pool).is_err());
    let other = FramePool::allocate(pool.heap(), pool.layout(), 1).unwrap();
    source.attach(&other).unwrap();
    let _stopper = source.start().unwrap();
    assert!(source.next_frame().unwrap().is_some());
}
