//! What a run tells of itself.

use super::super::roster::{Origin, StageEntry};
use super::Live;
use crate::control::{
    LinkState, LinkStatistics, PoolState, StageState, StageStatistics, State, Statistics,
};

impl Live<'_, '_, '_> {
    pub(super) fn state(&self) -> State {
        let places = (0..self.roster.stages.len())
            .filter(|place| self.roster.stages[*place].origin != Origin::Passing);
        let made = self.roster.order.iter().copied();
        let added = places.filter(|place| !self.roster.order.contains(place));
        State {
            elapsed_s: self.elapsed_s(),
            stages: made
                .chain(added)
                .map(|place| self.stage_state(place))
                .collect(),
            links: self.link_states(),
            pools: self.pool_states(),
        }
    }

    fn stage_state(&self, place: usize) -> StageState {
        let entry = &self.roster.stages[place];
        StageState {
            stage: entry.name.clone(),
            role: entry.role,
            device: entry.device.clone(),
            running: entry.running,
            added: entry.origin == Origin::Added,
            failure: entry.failure.clone(),
            controls: entry.controls.is_some(),
            selected: entry.switch.as_ref().map(|switch| switch.selected()),
            inputs: self.inputs(place),
        }
    }

    fn link_states(&self) -> Vec<LinkState> {
        let links = self.roster.live_links().map(|link| {
            let name = self.roster.link_name(link);
            let pools = link.domain.and_then(|domain| self.roster.pools.get(domain));
            let layouts = pools.into_iter().flatten();
            LinkState {
                from: name.from,
                to: name.to,
                input: link.to.port,
                queue: link.queue,
                layouts: layouts
                    .map(|entry| entry.pool.layout().to_string())
                    .collect(),
            }
        });
        links.collect()
    }

    fn pool_states(&self) -> Vec<PoolState> {
        let domains = self.roster.pools.iter().enumerate();
        let pools = domains.flat_map(|(domain, pools)| {
            let held = self.roster.held(domain);
            pools.iter().map(move |entry| PoolState {
                stage: entry.stage.clone(),
                heap: entry.pool.heap().name().to_owned(),
                frames: entry.pool.len(),
                free: entry.pool.free(),
                spare: entry.pool.len().saturating_sub(entry.device + held),
            })
        });
        pools.collect()
    }

    pub(super) fn statistics(&self) -> Statistics {
        let stages = self.roster.in_order();
        let stages = stages.filter(|stage| stage.origin != Origin::Passing);
        let links = self.roster.live_links().map(|link| {
            let (name, passed) = (self.roster.link_name(link), link.passed());
            LinkStatistics {
                from: name.from,
                to: name.to,
                input: link.to.port,
                queue: link.queue,
                sent: passed.sent,
                taken: passed.taken,
                superseded: passed.superseded,
                left: passed.left,
                ..LinkStatistics::default()
            }
        });
        Statistics {
            elapsed_s: self.elapsed_s(),
            since_s: 0.0,
            stages: stages.map(stage_statistics).collect(),
            links: links.collect(),
        }
    }

    fn elapsed_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

fn stage_statistics(stage: &StageEntry) -> StageStatistics {
    let totals = stage.totals();
    StageStatistics {
        stage: stage.name.clone(),
        made: totals.made,
        taken: totals.taken,
        passed: totals.passed,
        shown: totals.shown,
        filtered: totals.filtered,
        frames_per_second: 0.0,
    }
}
