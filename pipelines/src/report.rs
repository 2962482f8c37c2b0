//! What a run tells: while it goes on, and at its end.

mod interruptions;
mod join;

pub use interruptions::{Interruption, Interruptions};
pub(crate) use join::{join_counters, join_each};

use std::time::Duration;

use dmaflow_core::dma_buf::CpuCounts;
use dmaflow_core::heap::HeapStats;
use dmaflow_core::stage::Counter;
use dmaflow_core::time::{Quantiles, Timestamp};

use crate::audit::AuditReport;
use crate::latency::{Latencies, Step};
use crate::link::QueuePolicy;

/// How far a run is, for a status line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress<'r> {
    /// Time since the start.
    pub elapsed: Duration,
    /// Frames that the source delivered.
    pub captured: u64,
    /// Frames that came into view.
    pub shown: u64,
    /// Frames let go by a stage's policy.
    pub dropped: u64,
    /// Frames that came into view in the second before, by the time between two looks.
    pub frames_per_second: f64,
    pub(crate) latencies: Option<&'r Latencies>,
}

impl Progress<'_> {
    /// Until scan-out so far: from the capture where most frames have a stamp that can be
    /// believed, otherwise from the dequeue. It is summed up when it is asked for.
    #[must_use]
    pub fn latency(&self) -> (Step, Quantiles) {
        self.latencies.map_or(
            (Step::CaptureToFlip, Quantiles::default()),
            Latencies::until_flip,
        )
    }
}

/// Why frames were captured and not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// A newer frame had arrived (queue policy `latest`).
    pub superseded: u64,
    /// A filter let them go.
    pub filtered: u64,
    /// They were on their way when the run ended.
    pub at_stop: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.superseded + self.filtered + self.at_stop
    }
}

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How long it took, from the first start of a stage.
    pub elapsed: Duration,
    /// Frames that the sources delivered.
    pub captured: u64,
    /// Frames that came into view, of several sinks all of theirs.
    pub shown: u64,
    /// Frames that did not, by reason; one that has several users may be among these and those.
    pub dropped: Dropped,
    /// What the CPU saw of the frames' memory in this run.
    pub cpu: CpuCounts,
    /// When the first frame came into view, on the monotonic clock; of several sinks on the
    /// first display.
    pub first_flip: Option<Timestamp>,
    /// How long each step took to there.
    pub latencies: Vec<(Step, Quantiles)>,
    /// What each stage counted besides, by the stage's name.
    pub counters: Vec<(String, Counter)>,
    /// The frames' heap, as it is at the end; of several pools the first one's.
    pub heap: HeapStats,
    /// What each stage did, in the order a frame travels.
    pub stages: Vec<StageReport>,
    /// What passed each link.
    pub links: Vec<LinkReport>,
    /// What interrupted it; nothing can where nobody supervises the pipeline.
    pub interruptions: Interruptions,
    /// The proof of what was promised, of a run that was to be
    /// [audited](crate::Pipeline::set_audited).
    pub audit: Option<Box<AuditReport>>,
}

/// What a stage did with frames in a run.
#[derive(Clone, Debug, Default)]
pub struct StageReport {
    /// Its name.
    pub stage: String,
    /// Frames that it made.
    pub made: u64,
    /// Frames that it took.
    pub taken: u64,
    /// Frames that it took and passed on.
    pub passed: u64,
    /// Frames that it took and that came into view.
    pub shown: u64,
    /// Frames that it took and let go, as it was asked to.
    pub filtered: u64,
    /// Frames that it took and had not used when the run ended.
    pub at_stop: u64,
    /// Why it ended before the run did, which went on without it.
    pub failure: Option<String>,
    /// When the first frame came into view there, on the monotonic clock.
    pub first_flip: Option<Timestamp>,
    /// How long each step took to there, of a stage that uses frames up.
    pub latencies: Vec<(Step, Quantiles)>,
}

/// What passed a link in a run.
#[derive(Clone, Debug, Default)]
pub struct LinkReport {
    /// The stage where it begins.
    pub from: String,
    /// The stage where it ends.
    pub to: String,
    /// Into which of its inputs, counted from 0.
    pub input: usize,
    /// Which frames are taken.
    pub queue: QueuePolicy,
    /// Frames that were sent.
    pub sent: u64,
    /// Frames that were taken.
    pub taken: u64,
    /// Frames let go because a newer one had arrived.
    pub superseded: u64,
    /// Frames that were on their way when the run ended.
    pub at_stop: u64,
}

impl Report {
    /// Frames whose fate is not known: a defect where it is not 0. Of each link all that was
    /// sent was taken or let go, and of each stage all that was taken was used or let go.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        let links = self.links.iter().map(|link| {
            let known = link.taken + link.superseded + link.at_stop;
            link.sent.abs_diff(known)
        });
        let stages = self.stages.iter().map(|stage| {
            let known = stage.passed + stage.shown + stage.filtered + stage.at_stop;
            stage.taken.abs_diff(known)
        });
        links.chain(stages).sum()
    }

    /// What a stage counted under a name.
    #[must_use]
    pub fn counter(&self, name: &str) -> Option<u64> {
        let mut found = self
            .counters
            .iter()
            .filter(|(_stage, counter)| counter.name == name)
            .map(|(_stage, counter)| counter.count);
        found.next()
    }
}
