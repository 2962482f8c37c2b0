//! Which frames a driver has, and who may hand it more.
//!
//! ```text
//!            give                 taken
//!   ours ───────────▶ driver's ───────────▶ on loan
//!    ▲                 │    ▲                 │
//!    │      settle     │    └─────────────────┤ returned, gate open
//!    └─────────────────┴──────────────────────┘ returned, gate shut
//! ```
//!
//! Any thread may let go of a frame, which goes to the driver from there at once, while another
//! thread ends the flow. A frame on loan goes to the driver from whoever returns it and from
//! nobody else, also where the flow was ended and begun again meanwhile. Only atomics are shared;
//! [`Slots::open`] and [`Slots::settle`] alone wait, for threads that are inside one system call.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::thread;

use dmaflow_core::Errno;

/// The bit of [`Slots::gate`] that says that returned frames go to the driver; the other bits
/// count the threads that are at it.
const OPEN: u32 = 1 << 31;

/// Free, and with us.
const OURS: u8 = 0;
/// The driver has it, or somebody is just handing it over.
const DRIVERS: u8 = 1;
/// It came out of the driver, and has not been returned.
const ON_LOAN: u8 = 2;

/// The frames of a queue.
///
/// # Invariants
/// A frame is handed over only by who makes it the driver's, so never twice. After
/// [`Slots::settle`] no thread is handing one over and none is the driver's.
#[derive(Debug)]
pub(super) struct Slots {
    gate: AtomicU32,
    /// By slot: whose it is.
    whose: Vec<AtomicU8>,
    failed: AtomicU64,
}

impl Slots {
    /// Frames that are all ours, and stay so until the gate is opened.
    pub(super) fn new(count: usize) -> Self {
        Self {
            gate: AtomicU32::new(0),
            whose: (0..count).map(|_slot| AtomicU8::new(OURS)).collect(),
            failed: AtomicU64::new(0),
        }
    }

    /// From now on frames go to the driver as soon as they are returned. Those that were
    /// returned before are ours when this is done.
    pub(super) fn open(&self) {
        self.failed.store(0, Ordering::Relaxed);
        self.gate.fetch_or(OPEN, Ordering::AcqRel);
        self.wait_for_threads();
    }

    /// From now on frames stay here; some may just be on their way.
    pub(super) fn close(&self) {
        self.gate.fetch_and(!OPEN, Ordering::AcqRel);
    }

    pub(super) fn is_open(&self) -> bool {
        self.gate.load(Ordering::Acquire) & OPEN != 0
    }

    /// Whether a frame is free and with us, and not on its way from a thread that returns it.
    pub(super) fn is_ours(&self, slot: usize) -> bool {
        let whose = self.whose.get(slot);
        whose.is_some_and(|whose| whose.load(Ordering::Acquire) == OURS)
    }

    /// Frames that could not be handed over when they were returned, since the gate was opened.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Hands a frame over that is ours; others are left alone.
    pub(super) fn give(
        &self,
        slot: usize,
        enqueue: impl FnOnce(usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let whose = self.whose.get(slot).ok_or(Errno::EINVAL)?;
        hand_over(whose, OURS, || enqueue(slot))
    }

    /// Takes a frame back that nobody uses any more, and hands it over if the gate is open. The
    /// first failure is returned, all are counted. What was not on loan is left alone.
    #[inline]
    pub(super) fn returned(
        &self,
        slot: usize,
        enqueue: impl FnOnce(usize) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let whose = self.whose.get(slot).ok_or(Errno::EINVAL)?;
        let gate = self.gate.fetch_add(1, Ordering::AcqRel);
        let given = if gate & OPEN == 0 {
            set_free(whose, ON_LOAN);
            Ok(())
        } else {
            hand_over(whose, ON_LOAN, || enqueue(slot))
        };
        self.gate.fetch_sub(1, Ordering::AcqRel);
        if given.is_err() && self.failed.fetch_add(1, Ordering::Relaxed) > 0 {
            return Ok(());
        }
        given
    }

    /// The driver is done with a frame. Not to be called while [`Slots::settle`] runs.
    #[inline]
    pub(super) fn taken(&self, slot: usize) {
        if let Some(whose) = self.whose.get(slot) {
            whose.store(ON_LOAN, Ordering::Release);
        }
    }

    /// Closes the gate, waits until no thread is handing a frame over, and has `take_back` take
    /// all of them from the driver.
    pub(super) fn settle<T>(&self, take_back: impl FnOnce() -> T) -> T {
        self.close();
        self.wait_for_threads();
        // After the last thread, so that a frame which came late is taken back as well.
        let taken_back = take_back();
        for whose in &self.whose {
            set_free(whose, DRIVERS);
        }
        taken_back
    }

    /// Waits until no thread is at what the gate said before.
    fn wait_for_threads(&self) {
        while self.gate.load(Ordering::Acquire) & !OPEN != 0 {
            thread::yield_now();
        }
    }
}

/// Makes a frame the driver's, if it is whose we think it is. What is refused is ours.
#[inline]
fn hand_over(
    whose: &AtomicU8,
    from: u8,
    enqueue: impl FnOnce() -> Result<(), Errno>,
) -> Result<(), Errno> {
    // Before the call: as soon as the driver has it, it may come out again.
    match whose.compare_exchange(from, DRIVERS, Ordering::AcqRel, Ordering::Relaxed) {
        Ok(_from) => enqueue().inspect_err(|_refused| whose.store(OURS, Ordering::Release)),
        Err(_others) => Ok(()),
    }
}

/// Makes a frame ours, if it is whose we think it is.
fn set_free(whose: &AtomicU8, from: u8) {
    // What is somebody else's stays theirs.
    whose
        .compare_exchange(from, OURS, Ordering::AcqRel, Ordering::Relaxed)
        .ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize};
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

        fn dequeue(&self, slot: usize) {
            self.0.lock().unwrap().retain(|queued| *queued != slot);
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
    fn returned_frames_stay_here_until_the_gate_is_open() {
        let (slots, driver) = (Slots::new(2), Driver::default());
        let enqueue = |slot| driver.enqueue(slot);
        slots.taken(0);
        slots.returned(0, enqueue).unwrap();
        assert!(driver.queued().is_empty());
        slots.open();
        slots.give(0, enqueue).unwrap();
        slots.give(0, enqueue).unwrap();
        slots.returned(0, enqueue).unwrap();
        assert_eq!(driver.queued(), [0], "it was ours once");
        slots.settle(|| driver.stream_off());
        assert!(!slots.is_open());
        slots.taken(1);
        slots.returned(1, enqueue).unwrap();
        assert!(driver.queued().is_empty());
        assert_eq!(slots.give(2, enqueue), Err(Errno::EINVAL));
    }

    #[test]
    fn a_frame_on_loan_over_a_restart_is_queued_by_who_returns_it() {
        let (slots, driver) = (Slots::new(1), Driver::default());
        let enqueue = |slot| driver.enqueue(slot);
        slots.open();
        slots.taken(0);
        slots.settle(|| driver.stream_off());
        slots.open();
        slots.give(0, enqueue).unwrap();
        assert!(driver.queued().is_empty(), "somebody may still look at it");
        slots.returned(0, enqueue).unwrap();
        assert_eq!(driver.queued(), [0]);
    }

    #[test]
    fn a_refused_frame_is_still_ours_and_said_once() {
        let slots = Slots::new(2);
        let gone = |_slot| Err(Errno::ENODEV);
        slots.open();
        slots.taken(0);
        slots.taken(1);
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
        let lent: [AtomicBool; COUNT] = std::array::from_fn(|_slot| AtomicBool::new(false));
        let letting_go = Barrier::new(3);
        let (running, refused) = (AtomicBool::new(true), AtomicUsize::new(0));
        let count = |given: Result<(), Errno>| {
            refused.fetch_add(usize::from(given.is_err()), Ordering::Relaxed)
        };
        let (mut late, mut borrowed) = (0, 0);
        thread::scope(|scope| {
            for first in [0, COUNT / 2] {
                let (slots, lent, running) = (&slots, &lent, &running);
                let (letting_go, enqueue, count) = (&letting_go, &enqueue, &count);
                scope.spawn(move || {
                    letting_go.wait();
                    while running.load(Ordering::Relaxed) {
                        for (slot, lent) in lent.iter().enumerate().skip(first).take(COUNT / 2) {
                            if lent.swap(false, Ordering::AcqRel) {
                                count(slots.returned(slot, enqueue));
                            }
                        }
                    }
                });
            }
            letting_go.wait();
            for _run in 0..100 {
                slots.open();
                for slot in 0..COUNT {
                    count(slots.give(slot, enqueue));
                }
                for slot in driver.queued() {
                    driver.dequeue(slot);
                    slots.taken(slot);
                    lent[slot].store(true, Ordering::Release);
                    borrowed += 1;
                }
                slots.settle(|| driver.stream_off());
                late += driver.queued().len();
            }
            // Nothing is asserted before, or the threads would run on.
            running.store(false, Ordering::Relaxed);
        });
        assert_eq!(late, 0, "a frame came after the end");
        assert_eq!(
            refused.load(Ordering::Relaxed),
            0,
            "a frame was handed over twice"
        );
        assert!(borrowed >= COUNT, "the driver gave {borrowed} frames");
        for slot in (0..COUNT).filter(|slot| lent[*slot].load(Ordering::Relaxed)) {
            slots.returned(slot, enqueue).unwrap();
        }
        slots.open();
        for slot in 0..COUNT {
            slots.give(slot, enqueue).unwrap();
        }
        assert_eq!(driver.queued().len(), COUNT, "a frame was lost");
    }
}
