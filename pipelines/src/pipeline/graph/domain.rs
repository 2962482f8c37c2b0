//! Domains: links whose frames are the same, and so lie in one layout.

use super::{Graph, InputId, OutputId, Stage};
use crate::error::GraphError;

/// Links and stages that pass the same frames on. Everybody in it agrees on one format; each of
/// its producers has a pool of its own.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Domain {
    /// The stages that make its frames.
    pub(in crate::pipeline) producers: Vec<usize>,
    /// The stages that use them, each once.
    pub(in crate::pipeline) consumers: Vec<Consumer>,
    /// Its links, by their numbers.
    pub(in crate::pipeline) links: Vec<usize>,
}

impl Domain {
    /// What its memory is for: "camera -> screen, pictures".
    pub(in crate::pipeline) fn name(&self, graph: &Graph) -> String {
        let named = |stages: &mut dyn Iterator<Item = usize>| {
            let names: Vec<_> = stages.map(|stage| graph.name(stage)).collect();
            names.join(", ")
        };
        let makers = named(&mut self.producers.iter().copied());
        let users = named(&mut self.consumers.iter().map(|consumer| consumer.stage));
        format!("{makers} -> {users}")
    }

    /// Whether a stage uses its frames.
    pub(in crate::pipeline) fn is_used_by(&self, stage: usize) -> bool {
        self.consumers
            .iter()
            .any(|consumer| consumer.stage == stage)
    }
}

/// A stage that uses a domain's frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pipeline) struct Consumer {
    pub(in crate::pipeline) stage: usize,
    /// By which of its inputs.
    pub(in crate::pipeline) inputs: Vec<usize>,
}

/// The domains of a graph, in an order in which what a transform takes comes before what it
/// makes.
pub(in crate::pipeline) fn domains(graph: &Graph) -> Result<Vec<Domain>, GraphError> {
    let order = graph.order()?;
    let mut sets = Sets((0..graph.edges.len()).collect());
    for (stage, node) in graph.nodes.iter().enumerate() {
        let outputs = (0..node.stage.outputs()).map(|port| OutputId { stage, port });
        let leaving = outputs.map(|output| graph.leading_from(output).collect::<Vec<_>>());
        match node.stage {
            Stage::Filter(_) | Stage::Router(_) => {
                let inputs = (0..node.stage.inputs()).map(|port| InputId { stage, port });
                let coming = inputs.filter_map(|input| graph.leading_into(input));
                let all: Vec<_> = coming.chain(leaving.flatten()).collect();
                sets.join(&all);
            }
            _ => leaving.for_each(|links| sets.join(&links)),
        }
    }
    let mut roots: Vec<usize> = Vec::new();
    let mut domains: Vec<Domain> = Vec::new();
    for &stage in &order {
        for port in 0..graph.nodes[stage].stage.outputs() {
            let first = graph.leading_from(OutputId { stage, port }).next();
            let Some(root) = first.map(|link| sets.root(link)) else {
                continue;
            };
            let makes = matches!(
                graph.nodes[stage].stage,
                Stage::Source(_) | Stage::Transform(_)
            );
            let place = roots.iter().position(|known| *known == root);
            let place = place.unwrap_or_else(|| {
                roots.push(root);
                domains.push(Domain::default());
                domains.len() - 1
            });
            if makes {
                domains[place].producers.push(stage);
            }
        }
    }
    for (link, edge) in graph.edges.iter().enumerate() {
        let root = sets.root(link);
        let Some(domain) = roots
            .iter()
            .position(|known| *known == root)
            .map(|place| &mut domains[place])
        else {
            continue;
        };
        domain.links.push(link);
        let stage = edge.to.stage;
        if matches!(
            graph.nodes[stage].stage,
            Stage::Filter(_) | Stage::Router(_)
        ) {
            continue;
        }
        match domain
            .consumers
            .iter_mut()
            .find(|known| known.stage == stage)
        {
            Some(known) => known.inputs.push(edge.to.port),
            None => domain.consumers.push(Consumer {
                stage,
                inputs: vec![edge.to.port],
            }),
        }
    }
    Ok(sorted(domains, graph))
}

/// The same domains, each behind those whose frames its own are made of.
fn sorted(mut domains: Vec<Domain>, graph: &Graph) -> Vec<Domain> {
    let mut sorted: Vec<Domain> = Vec::with_capacity(domains.len());
    while !domains.is_empty() {
        let is_next = |domain: &Domain| {
            let mut transforms = domain
                .producers
                .iter()
                .filter(|stage| matches!(graph.nodes[**stage].stage, Stage::Transform(_)));
            let placed = || sorted.iter().chain(std::iter::once(domain));
            transforms.all(|stage| placed().any(|placed| placed.is_used_by(*stage)))
        };
        // Without cycles there is always one.
        let next = domains.iter().position(is_next).unwrap_or(0);
        sorted.push(domains.remove(next));
    }
    sorted
}

/// Disjoint sets of links; each link points to another one of its set, the root to itself.
struct Sets(Vec<usize>);

impl Sets {
    fn root(&self, mut link: usize) -> usize {
        while self.0[link] != link {
            link = self.0[link];
        }
        link
    }

    fn join(&mut self, links: &[usize]) {
        for pair in links.windows(2) {
            let (one, other) = (self.root(pair[0]), self.root(pair[1]));
            self.0[other] = one;
        }
    }
}
