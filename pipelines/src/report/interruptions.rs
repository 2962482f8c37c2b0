//! What interrupted a run that went on.

use std::collections::VecDeque;
use std::time::Duration;

/// How many interruptions are told one by one.
const TOLD: usize = 100;

/// What interrupted a run that went on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interruptions {
    /// How often a stage failed and the pipeline was made anew.
    pub restarts: u64,
    /// How often a signal changed and was agreed on anew.
    pub changes: u64,
    /// How long nothing ran, all together.
    pub away: Duration,
    /// The last hundred of them, in their order.
    pub last: VecDeque<Interruption>,
}

/// Something that interrupted a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// When, since the start.
    pub at: Duration,
    /// The stage that could not go on.
    pub stage: String,
    /// What it said.
    pub reason: String,
    /// A signal changed, and nothing failed.
    pub is_change: bool,
    /// How long nothing ran.
    pub away: Duration,
    /// How often it was tried to go on; 0 where the end came first.
    pub tries: u32,
}

impl Interruptions {
    pub(crate) fn add(&mut self, interruption: Interruption) {
        if interruption.tries == 0 {
            // Nothing was begun anew.
        } else if interruption.is_change {
            self.changes += 1;
        } else {
            self.restarts += 1;
        }
        self.away += interruption.away;
        if self.last.len() == TOLD {
            self.last.pop_front();
        }
        self.last.push_back(interruption);
    }
}
