//! What a run measures of each frame: how long each step took.

use std::sync::OnceLock;
use std::time::Duration;

use dmaflow_core::frame::FrameMeta;
use dmaflow_core::stage::{FLIPS_KEPT, StageError};
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

/// A frame that was given to the display, and when it passed each step until then.
struct Given {
    source: FrameMeta,
    handed_over: Timestamp,
    committed: Timestamp,
    /// The last of those that were given together.
    is_last: bool,
}

impl Given {
    /// How long a step took, of a frame that came into view at `flipped`.
    fn took(&self, step: Step, flipped: Timestamp) -> Option<Duration> {
        let (capture, dequeued) = (self.source.capture, self.source.dequeued);
        match step {
            Step::CaptureToDequeue => capture?.until(dequeued?),
            Step::DequeueToHandOver => self.handed_over.since(dequeued?),
            Step::HandOverToCommit => self.committed.since(self.handed_over),
            Step::CommitToFlip => flipped.since(self.committed),
            Step::CaptureToFlip => capture?.until(flipped),
            Step::DequeueToFlip => flipped.since(dequeued?),
        }
    }
}

/// A histogram a step.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    histograms: [Histogram; Step::ALL.len()],
    first_flip: OnceLock<Timestamp>,
}

impl Latencies {
    /// Counts a frame that has come into view.
    ///
    /// A step whose end lies before its beginning, as with a driver that stamps ahead, is not
    /// counted: the source reports such stamps.
    fn record(&self, frame: &Given, flipped: Timestamp) {
        self.first_flip.get_or_init(|| flipped);
        for step in Step::ALL {
            if let Some(duration) = frame.took(step, flipped) {
                self.histograms[step as usize].record(duration);
            }
        }
    }

    /// When the first frame came into view, on the monotonic clock.
    pub(crate) fn first_flip(&self) -> Option<Timestamp> {
        self.first_flip.get().copied()
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
const BATCH: usize = 48;
const _: () = assert!(BATCH < FLIPS_KEPT);
/// A frame is counted after this time at the latest, so that a status line is of today.
const BATCH_AGE: Duration = Duration::from_secs(1);

/// Notes a frame in one place, and counts many at once: histograms are large, and what is
/// touched a frame should be little.
pub(crate) struct Recorder<'l> {
    latencies: &'l Latencies,
    /// Frames whose flips were not asked for yet, oldest first.
    given: Vec<Given>,
    /// From which of them on the next commit is to be noted.
    uncommitted: usize,
    flipped: Vec<Timestamp>,
    /// When the frames are to be counted.
    due: Timestamp,
}

impl<'l> Recorder<'l> {
    pub(crate) fn new(latencies: &'l Latencies) -> Self {
        Self {
            latencies,
            given: Vec::with_capacity(2 * BATCH),
            uncommitted: 0,
            flipped: Vec::with_capacity(FLIPS_KEPT),
            due: Timestamp::default(),
        }
    }

    /// Notes a frame that goes into the next commit.
    #[inline]
    pub(crate) fn given(&mut self, source: FrameMeta, handed_over: Timestamp) {
        self.given.push(Given {
            source,
            // The sink may have been woken for a frame that this one superseded.
            handed_over: handed_over.max(source.dequeued.unwrap_or(handed_over)),
            committed: Timestamp::default(),
            is_last: false,
        });
    }

    /// Notes when the frames that were given since the last commit were given to the display,
    /// and says whether it is time to count.
    #[inline]
    pub(crate) fn committed(&mut self, committed: Timestamp) -> bool {
        for given in &mut self.given[self.uncommitted..] {
            given.committed = committed;
        }
        if let Some(last) = self.given.last_mut() {
            last.is_last = true;
        }
        self.uncommitted = self.given.len();
        self.given.len() >= BATCH || committed >= self.due
    }

    /// Counts the frames that have come into view.
    #[cold]
    pub(crate) fn count(
        &mut self,
        flips: impl FnOnce(&mut Vec<Timestamp>) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        flips(&mut self.flipped)?;
        let mut counted = 0;
        let mut flipped = self.flipped.drain(..);
        for commit in self.given.chunk_by(|frame, _next| !frame.is_last) {
            let Some(flipped) = flipped.next() else { break };
            for given in commit {
                self.due = given.committed + BATCH_AGE;
                self.latencies.record(given, flipped);
            }
            counted += commit.len();
        }
        drop(flipped);
        self.given.drain(..counted);
        if self.given.len() >= BATCH {
            // A sink that does not tell.
            self.given.clear();
        }
        self.uncommitted = self.given.len();
        Ok(())
    }
}
