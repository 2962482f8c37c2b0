//! A transform whose frames come out by themselves: one thread hands frames over, another waits
//! for what becomes of them.
//!
//! ```text
//!   link ──▶ the stage's thread ──transform──▶ device ──outlet──▶ a thread beside it ──▶ links
//! ```

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Outlet, StageError, Stopper, Transform};

use super::super::audit::Witness;
use super::meters::Meter;
use super::renewal::{Adoption, RenewalError, Renewals};
use super::stages::{Unseen, next};
use crate::link::{Input, Outputs};

/// Runs such a transform until no more frames come, or nobody takes its own.
pub(super) fn run(
    transform: &mut dyn Transform,
    outlet: Box<dyn Outlet>,
    (mut input, outputs): (Input, Outputs),
    meter: &Meter,
    (stopper, witness): (Arc<dyn Stopper>, Option<Witness>),
    renewal: Renewal,
) -> Result<(), StageError> {
    let _unseen = Lost {
        unseen: Unseen::new(meter),
        meter,
    };
    let open = AtomicBool::new(true);
    let adoption = Adoption::new(renewal.renewals.clone());
    let name = thread::current().name().unwrap_or_default().to_owned();
    let (fed, given) = thread::scope(|scope| {
        let closing = Closing {
            open: &open,
            stopper: Arc::clone(&stopper),
        };
        let give = move || {
            let _closing = closing;
            let _seen = witness.map(Witness::begin);
            give(outlet, outputs, meter, renewal)
        };
        let giver = thread::Builder::new().name(name).spawn_scoped(scope, give);
        let mut unfinished = StopUnless {
            finished: false,
            stopper: &stopper,
        };
        let fed = match &giver {
            Ok(_giver) => feed(transform, (&mut input, adoption), meter, &open),
            Err(_no_thread) => Ok(()),
        };
        unfinished.finished = fed.is_ok();
        drop(unfinished);
        let given = giver.map_err(StageError::failed).and_then(|giver| {
            giver
                .join()
                .unwrap_or_else(|panic| panic::resume_unwind(panic))
        });
        (fed, given)
    });
    given.and(fed)
}

/// Counts the frames that went in and of which nothing came out, when both threads have ended,
/// however they did.
struct Lost<'m> {
    unseen: Unseen<'m>,
    meter: &'m Meter,
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        let taken = Meter::get(&self.meter.taken);
        let lost = taken.saturating_sub(Meter::get(&self.meter.made));
        self.meter.passed.store(taken - lost, Ordering::Relaxed);
        self.unseen.frames = lost;
    }
}

/// Ends the work of who feeds a transform when nothing comes out of it any more.
struct Closing<'r> {
    open: &'r AtomicBool,
    stopper: Arc<dyn Stopper>,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Relaxed);
        self.stopper.stop();
    }
}

/// Ends the wait for what is inside, which might never come, where feeding failed or panicked.
struct StopUnless<'r> {
    finished: bool,
    stopper: &'r Arc<dyn Stopper>,
}

impl Drop for StopUnless<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.stopper.stop();
        }
    }
}

fn feed(
    transform: &mut dyn Transform,
    (input, mut adoption): (&mut Input, Adoption),
    meter: &Meter,
    open: &AtomicBool,
) -> Result<(), StageError> {
    while open.load(Ordering::Relaxed)
        && let Some(frame) = next(input)
    {
        Meter::add(&meter.taken);
        adoption.same(&frame, || transform.device())?;
        // With an outlet nothing is sent here.
        transform.transform(frame, &mut drop)?;
        Meter::add(&meter.passed);
    }
    if !open.load(Ordering::Relaxed) {
        return Ok(());
    }
    // Until the outlet has ended it is at work for whoever watches.
    let taken = Meter::get(&meter.taken);
    meter
        .passed
        .store(taken.saturating_sub(1), Ordering::Relaxed);
    transform.finish()
}

fn give(
    mut outlet: Box<dyn Outlet>,
    mut outputs: Outputs,
    meter: &Meter,
    mut renewal: Renewal,
) -> Result<(), StageError> {
    loop {
        while let Some(frame) = outlet.next_frame()? {
            Meter::add(&meter.made);
            let wanted = outputs.send(frame).is_ok();
            Meter::add(&meter.sent);
            if !wanted {
                // The stages behind have ended and say why themselves.
                return Ok(());
            }
        }
        let Some(layout) = outlet.changed()? else {
            return Ok(());
        };
        outlet.attach(renewal.renew(&layout)?)?;
    }
}

/// The pool of an outlet's frames, and how another is made.
pub(in crate::pipeline) struct Renewal {
    pub(super) pool: Option<FramePool>,
    pub(super) renewals: Renewals,
}

impl Renewal {
    fn renew(&mut self, layout: &Layout) -> Result<&FramePool, StageError> {
        let before = self.pool.as_ref().ok_or_else(|| {
            let layout = Box::new(layout.clone());
            StageError::failed(RenewalError::NoPool { layout })
        })?;
        let pool = self.renewals.make(before, layout);
        Ok(self.pool.insert(pool.map_err(StageError::failed)?))
    }
}
