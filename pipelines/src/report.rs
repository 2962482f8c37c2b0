//! What a run tells: while it goes on, and at its end.

use std::time::Duration;

use dmaflow_core::dma_buf::CpuCounts;
use dmaflow_core::heap::HeapStats;
use dmaflow_core::stage::Counter;
use dmaflow_core::time::{Quantiles, Timestamp};

use crate::latency::{Latencies, Step};

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
    /// Frames that the source delivered.
    pub captured: u64,
    /// Frames that came into view.
    pub shown: u64,
    /// Frames that did not, by reason.
    pub dropped: Dropped,
    /// What the CPU saw of the frames' memory in this run.
    pub cpu: CpuCounts,
    /// When the first frame came into view, on the monotonic clock.
    pub first_flip: Option<Timestamp>,
    /// How long each step took.
    pub latencies: Vec<(Step, Quantiles)>,
    /// What each stage counted besides, by the stage's name.
    pub counters: Vec<(String, Counter)>,
    /// The frames' heap, as it is at the end.
    pub heap: HeapStats,
}

impl Report {
    /// Frames whose fate is not known: a defect where it is not 0.
    #[must_use]
    pub const fn unaccounted(&self) -> u64 {
        self.captured.abs_diff(self.shown + self.dropped.total())
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
