//! The watching thread: limits, silence, and a look once a second where somebody looks.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dmaflow_core::frame::FramePool;

use super::super::PoolAgreement;
use super::events::{Events, News};
use super::live::Live;
use super::meters::{Meter, Totals};
use super::renewal::Renewals;
use super::roster::Roster;
use super::threads::StopAtEnd;
use crate::error::RunFailure;
use crate::report::Progress;

/// Who looks at a run, and may end it.
pub(super) type Look<'l> = &'l mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

/// How often somebody looks.
const LOOK: Duration = Duration::from_secs(1);

/// How long a stage may deliver nothing, in frames of its rate; and at least.
const SILENT_FRAMES: u32 = 30;
const SILENT_AT_LEAST: Duration = Duration::from_secs(3);

/// What a stage delivers frames on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Works {
    /// A source, which delivers until it is stopped.
    ByItself,
    /// A transform, which delivers when it has taken a frame.
    OnFrames,
}

/// A stage that is watched for silence.
pub(super) struct Watched<'r> {
    /// By its place in the roster.
    stage: usize,
    name: &'r str,
    works: Works,
    meter: Arc<Meter>,
    /// Its frames, and how many it needs to go on.
    pool: Option<(&'r FramePool, usize)>,
    /// What takes the place of those frames.
    renewals: Renewals,
    /// How long it may deliver nothing.
    silence: Duration,
    /// Ends a source in good order; wakes a transform, which may have to leave its frame.
    stopper: StopAtEnd,
}

impl<'r> Watched<'r> {
    pub(super) fn new(
        (stage, name): (usize, &'r str),
        works: Works,
        (meter, pool): (Arc<Meter>, Option<(&'r PoolAgreement, &'r FramePool)>),
        renewals: Renewals,
        stopper: StopAtEnd,
    ) -> Self {
        let rate = pool.and_then(|(agreed, _pool)| agreed.plan.rate);
        let silence = rate.map_or(SILENT_AT_LEAST, |rate| {
            SILENT_AT_LEAST.max(rate.interval() * SILENT_FRAMES)
        });
        Self {
            stage,
            name,
            works,
            meter,
            pool: pool.map(|(agreed, pool)| (pool, agreed.plan.min_buffers.max(1))),
            renewals,
            silence,
            stopper,
        }
    }

    /// What grows while it goes on.
    fn progress(&self) -> u64 {
        let made = Meter::get(&self.meter.made);
        match self.works {
            Works::ByItself => made,
            Works::OnFrames => made + Meter::get(&self.meter.taken),
        }
    }

    /// Whether it waits for others: for a frame to work on, for one to fill, or for whoever
    /// takes its frames.
    fn waits_for_others(&self) -> bool {
        let totals = Totals::of(&self.meter);
        let is_idle = self.works == Works::OnFrames && totals.taken == totals.passed;
        let sends = totals.made > Meter::get(&self.meter.sent);
        let lacks_frames = self.pool.is_some_and(|(pool, needs)| {
            let latest = self.renewals.latest(pool);
            latest.as_ref().unwrap_or(pool).free() < needs
        });
        is_idle || sends || lacks_frames
    }

    /// That it delivered nothing.
    pub(super) fn failure(&self) -> RunFailure {
        let (stage, waited) = (self.name.to_owned(), self.silence);
        match self.works {
            Works::ByItself => RunFailure::Silent { stage, waited },
            Works::OnFrames => RunFailure::Stuck { stage, waited },
        }
    }
}

/// The watching thread's view of a run.
pub(super) struct Watch<'r> {
    pub(super) watched: &'r [Watched<'r>],
    pub(super) started: Instant,
    pub(super) deadline: Option<Instant>,
    /// The stage whose latencies are the pipeline's.
    pub(super) main: Option<Arc<Meter>>,
}

impl<'r> Watch<'r> {
    fn sources(&self) -> impl Iterator<Item = &'r Watched<'r>> {
        let watched = self.watched.iter();
        watched.filter(|stage| stage.works == Works::ByItself)
    }

    /// Ends the flow in good order.
    pub(super) fn stop_sources(&self) {
        self.sources().for_each(|source| source.stopper.0.stop());
    }

    /// Looks on until every thread has ended; tells the stage that had to be stopped because
    /// it delivered nothing.
    pub(super) fn until_ended(
        &self,
        events: &Events,
        mut look: Option<Look<'_>>,
        live: &mut Live<'_, '_, '_>,
    ) -> Option<&'r Watched<'r>> {
        let mut silent = None;
        // Somebody ended the flow: that nothing comes any more is as it should be.
        let ending = Cell::new(false);
        let end = || {
            self.stop_sources();
            ending.set(true);
        };
        let mut last = Progress::default();
        let mut heard = vec![(self.started, 0); self.watched.len()];
        // Without anybody who looks, only silence is watched for.
        let shortest = self.watched.iter().map(|stage| stage.silence).min();
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
                self.watched.iter().for_each(|stage| stage.stopper.0.stop());
            }
            commands.into_iter().for_each(|command| live.obey(command));
            if stop || !ended.is_empty() {
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
            for (stage, (at, known)) in self.watched.iter().zip(&mut heard) {
                let progress = stage.progress();
                if progress > *known || stage.waits_for_others() {
                    (*at, *known) = (now, progress);
                    continue;
                }
                let entry = &live.roster.stages[stage.stage];
                let is_awaited = stage.works == Works::OnFrames || !ending.get();
                if now - *at < stage.silence || !entry.running || !is_awaited {
                    continue;
                }
                stage.stopper.0.stop();
                if !entry.aside.is_set() {
                    silent = silent.or(Some(stage));
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
        let captured = self.sources();
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
