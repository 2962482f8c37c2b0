//! The watching thread: limits, silence, and a look once a second where somebody looks.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dmaflow_core::frame::FramePool;

use super::super::PoolAgreement;
use super::events::{Events, News};
use super::live::Live;
use super::meters::Meter;
use super::roster::Roster;
use super::threads::StopAtEnd;
use crate::report::Progress;

/// Who looks at a run, and may end it.
pub(super) type Look<'l> = &'l mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// How often somebody looks.
const LOOK: Duration = Duration::from_secs(1);

/// How long a source may deliver nothing, in frames of its rate; and at least.
const SILENT_FRAMES: u32 = 30;
const SILENT_AT_LEAST: Duration = Duration::from_secs(3);

/// A source that is watched for silence.
pub(super) struct Watched<'r> {
    pub(super) name: &'r str,
    meter: Arc<Meter>,
    /// Its frames, and how many it needs to go on.
    pool: Option<(&'r FramePool, usize)>,
    /// How long it may deliver nothing.
    pub(super) silence: Duration,
}

impl<'r> Watched<'r> {
    pub(super) fn new(
        name: &'r str,
        meter: Arc<Meter>,
        pool: Option<(&'r PoolAgreement, &'r FramePool)>,
    ) -> Self {
        let rate = pool.and_then(|(agreed, _pool)| agreed.plan.rate);
        let silence = rate.map_or(SILENT_AT_LEAST, |rate| {
            SILENT_AT_LEAST.max(rate.interval() * SILENT_FRAMES)
        });
        Self {
            name,
            meter,
            pool: pool.map(|(agreed, pool)| (pool, agreed.plan.min_buffers.max(1))),
            silence,
        }
    }

    /// Whether others keep its frames, so that it has none to fill.
    fn is_kept_waiting(&self) -> bool {
        self.pool.is_some_and(|(pool, needs)| pool.free() < needs)
    }
}

/// The watching thread's view of a run.
pub(super) struct Watch<'r> {
    pub(super) sources: &'r [Watched<'r>],
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
    /// The stage whose latencies are the pipeline's.
    pub(super) main: Option<Arc<Meter>>,
}

impl<'r> Watch<'r> {
    /// Looks on until every thread has ended; tells the source that had to be stopped because
    /// it delivered nothing.
    pub(super) fn until_ended(
        &self,
        events: &Events,
        stoppers: &[StopAtEnd],
        wakers: &[StopAtEnd],
        mut look: Option<Look<'_>>,
        live: &mut Live<'_, '_, '_>,
    ) -> Option<&'r Watched<'r>> {
        let mut silent = None;
        // Somebody or something ended the flow: that nothing comes any more is as it should be.
        let ending = Cell::new(false);
        let end = || {
            stoppers.iter().for_each(|stopper| stopper.0.stop());
            ending.set(true);
        };
        let mut last = Progress::default();
        let mut heard: Vec<_> = self.sources.iter().map(|_| (self.started, 0)).collect();
        // Without anybody who looks, only silence is watched for.
        let shortest = self.sources.iter().map(|source| source.silence).min();
        let interval = if look.is_some() {
            LOOK
        } else {
            shortest.unwrap_or(SILENT_AT_LEAST)
        };
        let mut next_look = self.started + interval;
        let mut deadline = self.deadline;
        while !live.threads.have_ended() {
            let wake = deadline.map_or(next_look, |end| end.min(next_look));
            let News {
                stop,
                ended,
                commands,
            } = events.wait(wake);
            let ended: Vec<_> = ended.into_iter().filter(|one| live.ended(*one)).collect();
            let failed = ended.iter().any(|one| one.failed);
            if stop || failed {
                end();
            }
            if failed {
                wakers.iter().for_each(|waker| waker.0.stop());
            }
            commands.into_iter().for_each(|command| live.obey(command));
            if stop || !ended.is_empty() {
                // One source has come to its end: the others may go on, but are not alone any
                // more in deciding what is silence.
                ending.set(ending.get() || !ended.is_empty());
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
            for (source, (at, made)) in self.sources.iter().zip(&mut heard) {
                let count = Meter::get(&source.meter.made);
                if count > *made || source.is_kept_waiting() {
                    (*at, *made) = (now, count);
                } else if now - *at >= source.silence && !ending.get() {
                    silent = Some(source);
                    end();
                }
            }
            let progress = self.progress(now, &last, live.roster);
            if let Some(look) = &mut look
                && look(&progress).is_break()
            {
                end();
            }
            last = progress;
        }
        silent
    }

    fn progress(&self, now: Instant, last: &Progress<'_>, roster: &Roster) -> Progress<'_> {
        let elapsed = now - self.started;
        let shown = roster.sum(|totals| totals.shown);
        let superseded = roster.over_links(|passed| passed.superseded);
        #[expect(clippy::cast_precision_loss, reason = "frames of one second are few")]
        let shown_since = (shown - last.shown) as f64;
        let captured = self.sources.iter();
        Progress {
            elapsed,
            captured: captured.map(|source| Meter::get(&source.meter.made)).sum(),
            shown,
            dropped: superseded + roster.sum(|totals| totals.filtered),
            frames_per_second: shown_since / (elapsed - last.elapsed).as_secs_f64(),
            latencies: self.main.as_ref().map(|meter| &meter.latencies),
        }
    }
}
