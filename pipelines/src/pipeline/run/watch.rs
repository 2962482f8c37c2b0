//! The watching thread: limits, silence, and a look once a second where somebody looks.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dmaflow_core::stage::Stopper;

use super::events::{Events, News};
use super::meters::Meters;
use crate::link::Link;
use crate::report::Progress;

/// Who looks at a run, and may end it.
pub(super) type Look<'l> = &'l mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// How often somebody looks.
const LOOK: Duration = Duration::from_secs(1);

/// The watching thread's view of a run.
pub(super) struct Watch<'r> {
    pub(super) meters: &'r Meters,
    pub(super) links: &'r [Arc<Link>],
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
    /// How long the source may deliver nothing.
    pub(super) silence: Duration,
    pub(super) threads: usize,
}

impl Watch<'_> {
    /// Looks on until every thread has ended; `true` if the source had to be stopped because
    /// it delivered nothing.
    pub(super) fn until_ended(
        &self,
        events: &Events,
        stopper: &dyn Stopper,
        mut look: Option<Look<'_>>,
    ) -> bool {
        let mut running = self.threads;
        let mut silent = false;
        // Somebody or something ended the flow: that nothing comes any more is as it should be.
        let ending = Cell::new(false);
        let end = || {
            stopper.stop();
            ending.set(true);
        };
        let mut last = Progress::default();
        let mut last_frame = self.started;
        // Without anybody who looks, only silence is watched for.
        let interval = if look.is_some() { LOOK } else { self.silence };
        let mut next_look = self.started + interval;
        let mut deadline = self.deadline;
        while running > 0 {
            let wake = deadline.map_or(next_look, |end| end.min(next_look));
            let News { stop, ended } = events.wait(wake);
            // Whichever stage ended: no more frames are wanted.
            if stop || ended > 0 {
                end();
                running -= ended;
                continue;
            }
            let now = Instant::now();
            if deadline.take_if(|deadline| now >= *deadline).is_some() {
                end();
            }
            if now < next_look {
                continue;
            }
            next_look = now + interval;
            let progress = self.progress(now, &last);
            if progress.captured > last.captured {
                last_frame = now;
            } else if now - last_frame >= self.silence && !ending.get() {
                silent = true;
                end();
            }
            if let Some(look) = &mut look
                && look(&progress).is_break()
            {
                end();
            }
            last = progress;
        }
        silent
    }

    fn progress(&self, now: Instant, last: &Progress<'_>) -> Progress<'_> {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let elapsed = now - self.started;
        let shown = load(&self.meters.shown);
        let superseded: u64 = self.links.iter().map(|link| link.superseded()).sum();
        #[expect(clippy::cast_precision_loss, reason = "frames of one second are few")]
        let shown_since = (shown - last.shown) as f64;
        Progress {
            elapsed,
            captured: load(&self.meters.captured),
            shown,
            dropped: superseded + load(&self.meters.filtered),
            frames_per_second: shown_since / (elapsed - last.elapsed).as_secs_f64(),
            latencies: Some(&self.meters.latencies),
        }
    }
}
