//! What was agreed on, put into words and into a pipeline.

use std::sync::Arc;

use dmaflow_core::stage::SourcePlan;

use super::super::graph::{Domain, Graph, Stage};
use super::super::run::events::Events;
use super::super::run::renewal::Renewals;
use super::super::{Agreement, Builder, LinkAgreement, Pipeline, PoolAgreement};
use super::{Agreed, Settled};
use crate::audit::BounceUse;
use crate::error::PipelineError;

/// Makes the pipeline.
pub(super) fn assemble(
    builder: Builder,
    domains: Vec<Domain>,
    agreed: Agreed,
) -> Result<Pipeline, PipelineError> {
    let mut graph = builder.graph;
    keep_all_compressed(&mut graph, &domains, &agreed.settled);
    let order = graph.order()?;
    let named = |stage: usize| graph.name(stage).to_owned();
    let devices = order.iter().filter_map(|&stage| {
        let device = graph.nodes[stage].stage.device()?;
        Some((named(stage), device))
    });
    let choices = agreed.choices.into_iter();
    let nodes = graph.nodes.iter();
    let copies = nodes.filter_map(|node| Some((node.name.clone(), node.copies()?)));
    let agreement = Agreement {
        devices: devices.collect(),
        zero_copy: graph.nodes.iter().all(|node| imports(&node.stage)),
        copies: copies.collect(),
        pools: agreed
            .settled
            .iter()
            .map(|settled| told(&graph, settled))
            .collect(),
        links: links(&graph, &domains, &agreed.settled),
        choices: choices
            .map(|(stage, choice)| (named(stage), choice))
            .collect(),
        refusals: agreed.refusals,
    };
    let pools = agreed.settled.into_iter().map(|settled| settled.pool);
    let pools: Vec<_> = pools.collect();
    Ok(Pipeline {
        order,
        domains,
        renewals: Renewals::of(&pools),
        pools,
        agreement: Arc::new(agreement),
        events: Events::default(),
        audited: false,
        bounce_before: BounceUse::default(),
        graph,
    })
}

/// Has links over which compressed frames go let none go.
fn keep_all_compressed(graph: &mut Graph, domains: &[Domain], settled: &[Settled]) {
    let compressed = |settled: &&Settled| settled.pool.layout().planes().is_empty();
    for made in settled.iter().filter(compressed) {
        let mut domains = domains.iter();
        let domain = domains.find(|domain| domain.producers.contains(&made.stage));
        for &link in domain.iter().flat_map(|domain| &domain.links) {
            let edge = &mut graph.edges[link];
            edge.queue = edge.queue.lossless();
        }
    }
}

/// Whether no CPU sees the frames' pixels there.
fn imports(stage: &Stage) -> bool {
    match stage {
        Stage::Source(source) => source.imports(),
        Stage::Transform(transform) => transform.imports(),
        Stage::Sink(sink) => sink.imports(),
        Stage::Mixer(mixer) => mixer.imports(),
        Stage::Filter(_) | Stage::Router(_) => true,
    }
}

fn told(graph: &Graph, settled: &Settled) -> PoolAgreement {
    PoolAgreement {
        stage: graph.name(settled.stage).to_owned(),
        plan: SourcePlan::clone(&settled.plan),
        heap: settled.pool.heap().name().to_owned(),
        buffers: settled.pool.len(),
    }
}

fn links(graph: &Graph, domains: &[Domain], settled: &[Settled]) -> Vec<LinkAgreement> {
    let edges = graph.edges.iter().enumerate();
    edges
        .map(|(link, edge)| {
            let domain = domains.iter().find(|domain| domain.links.contains(&link));
            let is_here = |settled: &&Settled| {
                domain.is_some_and(|domain| domain.producers.contains(&settled.stage))
            };
            LinkAgreement {
                from: graph.name(edge.from.stage).to_owned(),
                to: graph.name(edge.to.stage).to_owned(),
                queue: edge.queue,
                layouts: settled
                    .iter()
                    .filter(is_here)
                    .map(|settled| settled.plan.layout.clone())
                    .collect(),
            }
        })
        .collect()
}
