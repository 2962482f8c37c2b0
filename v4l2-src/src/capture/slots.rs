//! Which frames a driver has, and who may hand it more.
//!
//! Any thread may let go of a frame, which goes to the driver from there at once, while another
//! thread ends the flow. Only atomics are shared; [`Slots::settle`] alone waits, for threads
//! that are inside one system call.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use dmaflow_core::Errno;

/// The bit of [`Slots::gate`] that says that free frames go to the driver; the other bits count
/// the threads that are at it.
const OPEN: u32 = 1 << 31;

/// The frames of a queue.
///
/// # Invariants
/// A frame is handed over only by who sets its flag, so never twice. After [`Slots::settle`] no
/// thread is handing one over and no flag is set.
#[derive(Debug)]
pub(super) struct Slots {
    gate: AtomicU32,
    /// By slot: the driver has it, or somebody is just handing it over.
    with_driver: Vec<AtomicBool>,
    failed: AtomicU64,
}

impl Slots {
    /// Frames that are all with us, and stay here until the gate is opened.
    pub(super) fn new(count: usize) -> Self {
        Self {
            gate: AtomicU32::new(0),
            with_driver: (0..count).map(|_slot| AtomicBool::new(false)).collect(),
            failed: AtomicU64::new(0),
        }
    }

    /// From now on frames go to the driver as soon as they are free.
    pub(super) fn open(&self) {
        self.failed.store(0, Ordering::Relaxed);
        self.gate.fetch_or(OPEN, Ordering::AcqRel);
    }

    /// From now on frames stay here; some may just be on their way.
    pub(super) fn close(&self) {
        self.gate.fetch_and(!OPEN, Ordering::AcqRel);
    }

    pub(super) fn is_open(&self) -> bool {
        self.gate.load(Ordering::Acquire) & OPEN != 0
    }

    /// Frames that could not be handed over when they were let go, since the gate was opened.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Hands a free frame over, unless the driver has it already.
    #[inline]
    pub(super) fn give(
        &self,
        slot: usize,
        enqueue: impl FnOnce(usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let with_driver = self.with_driver.get(slot).ok_or(Errno::EINVAL)?;
        if with_driver.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        enqueue(slot).inspect_err(|_not_there| with_driver.store(false, Ordering::Release))
    }

    /// Hands a frame over that nobody uses any more, if the gate is open. The first failure is
    /// returned, all are counted.
    #[inline]
    pub(super) fn returned(
        &self,
        slot: usize,
        enqueue: impl FnOnce(usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let gate = self.gate.fetch_add(1, Ordering::AcqRel);
        let given = if gate & OPEN == 0 {
            Ok(())
        } else {
            self.give(slot, enqueue)
        };
        self.gate.fetch_sub(1, Ordering::AcqRel);
        if given.is_err() && self.failed.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        given
    }

    /// The driver is done with a frame.
    pub(super) fn taken(&self, slot: usize) {
        if let Some(with_driver) = self.with_driver.get(slot) {
            with_driver.store(false, Ordering::Release);
        }
    }

    /// Closes the gate, waits until no thread is handing a frame over, and has `take_back` take
    /// all of them from the driver.
    pub(super) fn settle<T>(&self, take_back: impl FnOnce() -> T) -> T {
        self.close();
        while self.gate.load(Ordering::Acquire) != 0 {
            thread::yield_now();
        }
        // After the last thread, so that a frame which came late is taken back as well.
        let taken_back = take_back();
        for with_driver in &self.with_driver {
            with_driver.store(false, Ordering::Release);
        }
        taken_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Barrier, Mutex};

    /// A driver, as strict as vb2 is.
    #[derive(Default)]
    struct Driver(Mutex<Vec<usize>>);

    impl Driver {
        fn enqueue(&self, slot: usize) -> Result<(), Errno> {
            let mut queued = self.0.lock().unwrap();
            if queued.contains(&slot) {
                return Err(Errno::EINVAL);
            }
            queued.push(slot);
            Ok(())
        }

        fn stream_off(&self) {
            self.0.lock().unwrap().clear();
        }

        fn queued(&self) -> Vec<usize> {
            let mut queued = self.0.lock().unwrap().clone();
            queued.sort_unstable();
            queued
        }
    }

    #[test]
    fn frames_stay_here_until_the_gate_is_open() {
        let (slots, driver) = (Slots::new(2), Driver::default());
        let enqueue = |slot| driver.enqueue(slot);
        slots.returned(0, enqueue).unwrap();
        assert!(driver.queued().is_empty());
        slots.open();
        slots.returned(0, enqueue).unwrap();
        slots.returned(0, enqueue).unwrap();
        slots.give(0, enqueue).unwrap();
        assert_eq!(driver.queued(), [0]);
        slots.settle(|| driver.stream_off());
        assert!(!slots.is_open());
        slots.returned(1, enqueue).unwrap();
        assert!(driver.queued().is_empty());
        assert_eq!(slots.give(2, enqueue), Err(Errno::EINVAL));
    }

    #[test]
    fn a_refused_frame_is_still_ours_and_said_once() {
        let slots = Slots::new(2);
        let gone = |_slot| Err(Errno::ENODEV);
        slots.open();
        assert_eq!(slots.returned(0, gone), Err(Errno::ENODEV));
        assert_eq!(slots.returned(1, gone), Ok(()));
        assert_eq!(slots.failed(), 2);
        let driver = Driver::default();
        slots.give(0, |slot| driver.enqueue(slot)).unwrap();
        assert_eq!(driver.queued(), [0]);
    }

    #[test]
    fn threads_that_let_go_while_others_stop_and_start() {
        const COUNT: usize = 8;
        let (slots, driver) = (Slots::new(COUNT), Driver::default());
        let enqueue = |slot| {
            // A system call takes its time.
            thread::yield_now();
            driver.enqueue(slot)
        };
        let letting_go = Barrier::new(3);
        let (running, refused) = (AtomicBool::new(true), AtomicUsize::new(0));
        let mut late = 0;
        thread::scope(|scope| {
            for first in [0, COUNT / 2] {
                let (slots, running, refused) = (&slots, &running, &refused);
                let (letting_go, enqueue) = (&letting_go, &enqueue);
                scope.spawn(move || {
                    letting_go.wait();
                    while running.load(Ordering::Relaxed) {
                        for slot in first..first + COUNT / 2 {
                            let given = slots.returned(slot, enqueue);
                            refused.fetch_add(usize::from(given.is_err()), Ordering::Relaxed);
                        }
                    }
                });
            }
            letting_go.wait();
            for _run in 0..100 {
                slots.open();
                for slot in 0..COUNT {
                    let given = slots.give(slot, enqueue);
                    refused.fetch_add(usize::from(given.is_err()), Ordering::Relaxed);
                }
                slots.settle(|| driver.stream_off());
                late += driver.queued().len();
            }
            // Nothing is asserted before, or the threads would run on.
            running.store(false, Ordering::Relaxed);
        });
        assert_eq!(late, 0, "a frame came after the end");
        assert_eq!(refused.into_inner(), 0, "a frame was handed over twice");
    }
}
