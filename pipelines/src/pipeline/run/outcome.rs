//! What a run came to.

use std::sync::Arc;
use std::time::Duration;

use super::super::Pipeline;
use super::super::graph::Stage;
use super::meters::Meter;
use crate::latency::Step;
use crate::link::Link;
use crate::report::{Dropped, LinkReport, Report, StageReport};

impl Pipeline {
    pub(super) fn report(
        &self,
        meters: &[Meter],
        links: &[Arc<Link>],
        elapsed: Duration,
    ) -> Report {
        let sum = |count: fn(&Meter) -> u64| meters.iter().map(count).sum::<u64>();
        let over = |count: fn(&Link) -> u64| links.iter().map(|link| count(link)).sum::<u64>();
        let main = self.main_sink().map(|stage| &meters[stage].latencies);
        Report {
            elapsed,
            captured: self.captured(meters),
            shown: sum(|meter| Meter::get(&meter.shown)),
            dropped: Dropped {
                superseded: over(Link::superseded),
                filtered: sum(|meter| Meter::get(&meter.filtered)),
                at_stop: over(Link::left) + sum(|meter| Meter::get(&meter.unseen)),
            },
            cpu: self.cpu_counts(),
            first_flip: main.and_then(|latencies| latencies.first_flip()),
            latencies: main.map_or_else(Vec::new, |latencies| {
                Step::ALL.map(|step| (step, latencies.of(step))).to_vec()
            }),
            counters: self.counters(),
            heap: self.pool().heap().stats(),
            stages: self.stage_reports(meters),
            links: self.link_reports(links),
        }
    }

    /// Frames that sources delivered.
    fn captured(&self, meters: &[Meter]) -> u64 {
        let nodes = self.graph.nodes.iter().zip(meters);
        let sources = nodes.filter(|(node, _)| matches!(node.stage, Stage::Source(_)));
        sources.map(|(_, meter)| Meter::get(&meter.made)).sum()
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

    fn counters(&self) -> Vec<(String, dmaflow_core::stage::Counter)> {
        let nodes = self.order.iter().map(|&stage| &self.graph.nodes[stage]);
        let counters = nodes.flat_map(|node| {
            let counters = node.stage.counters().into_iter();
            counters.map(|counter| (node.name.clone(), counter))
        });
        counters.collect()
    }

    fn stage_reports(&self, meters: &[Meter]) -> Vec<StageReport> {
        let of = |&stage: &usize| {
            let (node, meter) = (&self.graph.nodes[stage], &meters[stage]);
            let ends = matches!(node.stage, Stage::Sink(_) | Stage::Mixer(_));
            StageReport {
                stage: node.name.clone(),
                made: Meter::get(&meter.made),
                taken: Meter::get(&meter.taken),
                passed: Meter::get(&meter.passed),
                shown: Meter::get(&meter.shown),
                filtered: Meter::get(&meter.filtered),
                at_stop: Meter::get(&meter.unseen),
                first_flip: meter.latencies.first_flip(),
                latencies: if ends {
                    Step::ALL
                        .map(|step| (step, meter.latencies.of(step)))
                        .to_vec()
                } else {
                    Vec::new()
                },
            }
        };
        self.order.iter().map(of).collect()
    }

    fn link_reports(&self, links: &[Arc<Link>]) -> Vec<LinkReport> {
        let edges = self.graph.edges.iter().zip(links);
        let told = edges.map(|(edge, link)| LinkReport {
            from: self.graph.name(edge.from.stage).to_owned(),
            to: self.graph.name(edge.to.stage).to_owned(),
            queue: edge.queue,
            sent: link.sent(),
            taken: link.taken(),
            superseded: link.superseded(),
            at_stop: link.left(),
        });
        told.collect()
    }
}
