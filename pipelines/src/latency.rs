//! What a run measures of each frame: how long each step took.

use std::time::Duration;

use dmaflow_core::frame::Stamps;
use dmaflow_core::time::{Histogram, Quantiles, Timestamp};

/// A part of a frame's way from capture to scan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// From the driver's stamp until the source had the frame.
    CaptureToDequeue,
    /// From there until the sink took it from its link.
    DequeueToHandOver,
    /// From there until it was given to the display.
    HandOverToCommit,
    /// From there until the display began to scan it out.
    CommitToFlip,
    /// From the driver's stamp until scan-out.
    CaptureToFlip,
    /// From the moment the source had it until scan-out.
    DequeueToFlip,
}

impl Step {
    /// All steps, the whole ways last.
    pub const ALL: [Self; 6] = [
        Self::CaptureToDequeue,
        Self::DequeueToHandOver,
        Self::HandOverToCommit,
        Self::CommitToFlip,
        Self::DequeueToFlip,
        Self::CaptureToFlip,
    ];

    /// The step's name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::CaptureToDequeue => "capture→dequeue",
            Self::DequeueToHandOver => "dequeue→hand-over",
            Self::HandOverToCommit => "hand-over→commit",
            Self::CommitToFlip => "commit→flip",
            Self::CaptureToFlip => "capture→flip",
            Self::DequeueToFlip => "dequeue→flip",
        }
    }

    /// The step's name for programs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::CaptureToDequeue => "capture_to_dequeue",
            Self::DequeueToHandOver => "dequeue_to_hand_over",
            Self::HandOverToCommit => "hand_over_to_commit",
            Self::CommitToFlip => "commit_to_flip",
            Self::CaptureToFlip => "capture_to_flip",
            Self::DequeueToFlip => "dequeue_to_flip",
        }
    }
}

/// A histogram a step.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    histograms: [Histogram; Step::ALL.len()],
}

impl Latencies {
    /// Counts a frame that has come into view.
    ///
    /// A step whose end lies before its beginning, as with a driver that stamps ahead, is not
    /// counted: the source reports such stamps.
    fn record(&self, stamps: &Stamps) {
        let (dequeued, handed_over) = (stamps.dequeued, stamps.handed_over);
        let (committed, flipped) = (stamps.committed, stamps.flipped);
        let between = |earlier: Option<Timestamp>, later: Option<Timestamp>| later?.since(earlier?);
        for step in Step::ALL {
            let duration = match step {
                Step::CaptureToDequeue => dequeued.and_then(|at| stamps.capture_until(at)),
                Step::DequeueToHandOver => between(dequeued, handed_over),
                Step::HandOverToCommit => between(handed_over, committed),
                Step::CommitToFlip => between(committed, flipped),
                Step::CaptureToFlip => flipped.and_then(|at| stamps.capture_until(at)),
                Step::DequeueToFlip => between(dequeued, flipped),
            };
            if let Some(duration) = duration {
                self.histograms[step as usize].record(duration);
            }
        }
    }

    /// The whole way to scan-out: from the capture where most frames have a stamp that can be
    /// believed, otherwise from the dequeue.
    pub(crate) fn until_flip(&self) -> (Step, Quantiles) {
        let known = |step: Step| self.histograms[step as usize].count();
        let step = if known(Step::CaptureToFlip) * 2 > known(Step::DequeueToFlip) {
            Step::CaptureToFlip
        } else {
            Step::DequeueToFlip
        };
        (step, self.of(step))
    }

    pub(crate) fn of(&self, step: Step) -> Quantiles {
        self.histograms[step as usize].quantiles()
    }
}

/// Frames that are noted before they are counted together.
const BATCH: usize = 32;
/// A frame is counted after this time at the latest, so that a status line is of today.
const BATCH_AGE: Duration = Duration::from_millis(900);

/// Notes a frame in one place, and counts many at once: histograms are large, and what is
/// touched a frame should be little.
pub(crate) struct Recorder<'l> {
    latencies: &'l Latencies,
    noted: [Stamps; BATCH],
    used: usize,
}

impl<'l> Recorder<'l> {
    pub(crate) fn new(latencies: &'l Latencies) -> Self {
        Self {
            latencies,
            noted: [Stamps::default(); BATCH],
            used: 0,
        }
    }

    /// Notes a frame that has come into view.
    pub(crate) fn note(&mut self, stamps: Stamps) {
        self.noted[self.used] = stamps;
        self.used += 1;
        let age = stamps.flipped.zip(self.noted[0].flipped);
        let is_old = age
            .and_then(|(last, first)| last.since(first))
            .is_some_and(|age| age > BATCH_AGE);
        if self.used == BATCH || is_old {
            self.count();
        }
    }

    fn count(&mut self) {
        for stamps in &self.noted[..self.used] {
            self.latencies.record(stamps);
        }
        self.used = 0;
    }
}

impl Drop for Recorder<'_> {
    fn drop(&mut self) {
        self.count();
    }
}
