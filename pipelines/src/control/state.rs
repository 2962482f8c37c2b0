//! What a run is and does, for whoever looks at it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::names::queue;
use crate::QueuePolicy;

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Seconds since the start.
    pub elapsed_s: f64,
    /// The stages, in the order a frame travels; those that were added last.
    pub stages: Vec<StageState>,
    /// The links that frames pass.
    pub links: Vec<LinkState>,
    /// The frames' pools.
    pub pools: Vec<PoolState>,
}

/// What a stage is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageState {
    /// Its name.
    pub stage: String,
    /// What it does with frames.
    pub role: Role,
    /// The device behind it.
    pub device: Option<String>,
    /// Whether it runs: its branch may have been dropped, or its frames have come to an end.
    pub running: bool,
    /// Whether it was added while the run went on.
    pub added: bool,
    /// Why it ended, where it failed without ending the run.
    pub failure: Option<String>,
    /// Whether it has controls that can be set.
    pub controls: bool,
    /// Which input it passes on, counted from 0, where it chooses.
    pub selected: Option<usize>,
    /// Its inputs, by the names of the stages that lead there.
    pub inputs: Vec<String>,
}

/// What a stage does with frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes them.
    Source,
    /// Passes those of one link on.
    Filter,
    /// Passes those of several links on.
    Router,
    /// Makes others of them.
    Transform,
    /// Uses those of one link up.
    Sink,
    /// Uses those of several links up.
    Mixer,
}

/// What a link is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// The stage where it begins.
    pub from: String,
    /// The stage where it ends.
    pub to: String,
    /// Into which of its inputs.
    pub input: usize,
    /// Which frames are taken.
    #[serde(with = "queue")]
    pub queue: QueuePolicy,
    /// How the frames lie: format, size and strides, of each pool.
    pub layouts: Vec<String>,
}

/// A pool of frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolState {
    /// The stage that makes them.
    pub stage: String,
    /// The heap that they are from.
    pub heap: String,
    /// How many there are.
    pub frames: usize,
    /// How many no stage uses: those that wait at a V4L2 device to be filled count as well.
    pub free: usize,
    /// How many one more user may have.
    pub spare: usize,
}

/// What was done, in all and since the look before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Seconds since the start.
    pub elapsed_s: f64,
    /// Seconds since the look before, or the start.
    pub since_s: f64,
    /// The stages.
    pub stages: Vec<StageStatistics>,
    /// The links.
    pub links: Vec<LinkStatistics>,
}

/// What a stage did with frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageStatistics {
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
    /// Frames a second that it made, or else took, since the look before.
    pub frames_per_second: f64,
}

/// What passed a link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkStatistics {
    /// The stage where it begins.
    pub from: String,
    /// The stage where it ends.
    pub to: String,
    /// Into which of its inputs.
    pub input: usize,
    /// Which frames are taken.
    #[serde(with = "queue")]
    pub queue: QueuePolicy,
    /// Frames that were sent.
    pub sent: u64,
    /// Frames that were taken.
    pub taken: u64,
    /// Frames let go because a newer one had arrived.
    pub superseded: u64,
    /// Frames that nobody was there for any more.
    pub left: u64,
    /// Frames a second that were taken since the look before.
    pub frames_per_second: f64,
    /// Frames that were let go since the look before.
    pub dropped: u64,
}

/// A picture that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The file.
    pub path: PathBuf,
    /// The number of the frame.
    pub sequence: u64,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Statistics {
    /// Tells what was done since another look, or the start.
    pub(super) fn since(&mut self, before: Option<&Self>) {
        // A run that began anew counts anew.
        let before = before.filter(|before| before.elapsed_s <= self.elapsed_s);
        self.since_s = self.elapsed_s - before.map_or(0.0, |before| before.elapsed_s);
        let seconds = self.since_s;
        let rate = |now: u64, before: u64| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "frames between two looks are few"
            )]
            let frames = now.saturating_sub(before) as f64;
            if seconds > 0.0 { frames / seconds } else { 0.0 }
        };
        for stage in &mut self.stages {
            let known = before.and_then(|before| {
                let mut known = before.stages.iter();
                known.find(|known| known.stage == stage.stage)
            });
            let of = |stage: &StageStatistics| stage.made.max(stage.taken);
            stage.frames_per_second = rate(of(stage), known.map_or(0, of));
        }
        for link in &mut self.links {
            let known = before.and_then(|before| {
                let same = |known: &&LinkStatistics| {
                    (&known.from, &known.to, known.input) == (&link.from, &link.to, link.input)
                };
                before.links.iter().find(same)
            });
            let dropped = |link: &LinkStatistics| link.superseded + link.left;
            link.frames_per_second = rate(link.taken, known.map_or(0, |known| known.taken));
            link.dropped = dropped(link).saturating_sub(known.map_or(0, dropped));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(elapsed_s: f64, taken: u64, superseded: u64) -> Statistics {
        let link = LinkStatistics {
            from: "camera".to_owned(),
            to: "screen".to_owned(),
            sent: taken + superseded,
            taken,
            superseded,
            ..LinkStatistics::default()
        };
        Statistics {
            elapsed_s,
            links: vec![link],
            ..Statistics::default()
        }
    }

    #[test]
    fn rates_and_drops_are_those_since_the_look_before() {
        let mut first = seen(2.0, 60, 4);
        first.since(None);
        assert_eq!(first.links[0].frames_per_second, 30.0);
        assert_eq!(first.links[0].dropped, 4);
        let mut next = seen(4.0, 160, 5);
        next.since(Some(&first));
        assert_eq!((next.since_s, next.links[0].dropped), (2.0, 1));
        assert_eq!(next.links[0].frames_per_second, 50.0);
        let mut anew = seen(1.0, 10, 0);
        anew.since(Some(&next));
        assert_eq!(anew.links[0].frames_per_second, 10.0);
    }
}
