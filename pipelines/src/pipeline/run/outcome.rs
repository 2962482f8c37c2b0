//! What a run came to.

use std::sync::PoisonError;
use std::time::Duration;

use super::super::Pipeline;
use super::super::graph::Stage;
use super::roster::{LinkEntry, Roster, StageEntry};
use crate::control::Role;
use crate::latency::Step;
use crate::report::{Dropped, Interruptions, LinkReport, Report, StageReport};

impl Pipeline {
    pub(super) fn report(&self, roster: &Roster, elapsed: Duration) -> Report {
        let main = self.main_sink().map(|stage| &roster.stages[stage].meter);
        let main = main.map(|meter| &meter.latencies);
        let sources = roster.stages.iter();
        let sources = sources.filter(|stage| stage.role == Role::Source);
        Report {
            elapsed,
            captured: sources.map(|stage| stage.totals().made).sum(),
            shown: roster.sum(|totals| totals.shown),
            dropped: Dropped {
                superseded: roster.over_links(|passed| passed.superseded),
                filtered: roster.sum(|totals| totals.filtered),
                at_stop: roster.over_links(|passed| passed.left)
                    + roster.sum(|totals| totals.unseen),
            },
            cpu: self.renewals.cpu_counts(),
            first_flip: main.and_then(|latencies| latencies.first_flip()),
            latencies: main.map_or_else(Vec::new, |latencies| {
                Step::ALL.map(|step| (step, latencies.of(step))).to_vec()
            }),
            counters: self.counters(roster),
            heap: self.pool().heap().stats(),
            stages: roster.in_order().map(stage_report).collect(),
            links: roster
                .links
                .iter()
                .map(|link| link_report(roster, link))
                .collect(),
            interruptions: Interruptions::default(),
            audit: None,
        }
    }

    /// The stage whose latencies are the pipeline's: the first display, or else what comes
    /// first of what uses frames up.
    pub(super) fn main_sink(&self) -> Option<usize> {
        let ends = || {
            self.order.iter().copied().filter(|&stage| {
                let stage = &self.graph.nodes[stage].stage;
                matches!(stage, Stage::Sink(_) | Stage::Mixer(_))
            })
        };
        let is_device = |stage: &usize| match &self.graph.nodes[*stage].stage {
            Stage::Sink(sink) => sink.imports(),
            Stage::Mixer(mixer) => mixer.imports(),
            _ => false,
        };
        ends().find(is_device).or_else(|| ends().next())
    }

    fn counters(&self, roster: &Roster) -> Vec<(String, dmaflow_core::stage::Counter)> {
        let nodes = self.order.iter().map(|&stage| &self.graph.nodes[stage]);
        let made = nodes.map(|node| (&node.name, node.stage.counters()));
        let added = roster.stages.iter();
        let added = added.map(|stage| {
            let counters = stage.counters.lock();
            let counters = counters.unwrap_or_else(PoisonError::into_inner);
            (&stage.name, counters.clone())
        });
        made.chain(added)
            .flat_map(|(name, counters)| {
                let counters = counters.into_iter();
                counters.map(|counter| (name.clone(), counter))
            })
            .collect()
    }
}

fn stage_report(stage: &StageEntry) -> StageReport {
    let totals = stage.totals();
    let latencies = &stage.meter.latencies;
    StageReport {
        stage: stage.name.clone(),
        made: totals.made,
        taken: totals.taken,
        passed: totals.passed,
        shown: totals.shown,
        filtered: totals.filtered,
        at_stop: totals.unseen,
        failure: stage.failure.clone(),
        first_flip: latencies.first_flip(),
        latencies: match stage.role {
            Role::Sink | Role::Mixer => Step::ALL.map(|step| (step, latencies.of(step))).to_vec(),
            _ => Vec::new(),
        },
    }
}

fn link_report(roster: &Roster, link: &LinkEntry) -> LinkReport {
    let passed = link.passed();
    LinkReport {
        from: roster.stages[link.from.stage].name.clone(),
        to: roster.stages[link.to.stage].name.clone(),
        input: link.to.port,
        queue: link.queue,
        sent: passed.sent,
        taken: passed.taken,
        superseded: passed.superseded,
        at_stop: passed.left,
    }
}
