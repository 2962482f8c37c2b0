//! Why there is no plan.

use dmaflow_core::caps::{Properties, Property};

use super::graph::Graph;
use super::{LinkId, PortId, Problem};

/// Why there is no plan.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct Unsolvable {
    /// The shortest sufficient reason, for people: without one of the ports or properties below
    /// there would be a plan.
    pub reason: String,
    /// The ports that cannot agree.
    pub ports: Vec<PortId>,
    /// The links between them.
    pub links: Vec<LinkId>,
    /// What they cannot agree on.
    pub properties: Properties,
    /// The refusals that stand in the way, for people.
    pub refusals: Vec<String>,
    /// The search was given up: there may be a plan.
    pub gave_up: bool,
}

/// Looks for what no search can mend: too few buffers, sizes that nobody bounds.
pub(super) fn check(problem: &Problem, graph: &Graph) -> Result<(), Unsolvable> {
    for pool in &graph.pools {
        if pool.buffers < pool.needed {
            let reason = format!(
                "{} buffers are too few for {}: its stage and all that use its frames keep {}; ask \
                 for {} or more, or leave the number out",
                pool.buffers,
                problem.label(pool.producer),
                pool.needed,
                pool.needed,
            );
            return Err(Unsolvable::of(reason, &[pool.producer], Property::Buffers));
        }
    }
    for domain in &graph.domains {
        let (width, height) = domain.hull;
        for (span, property) in [(width, Property::Width), (height, Property::Height)] {
            if span.max == u32::MAX {
                let labels: Vec<_> = (domain.producers.iter())
                    .map(|&port| problem.label(port))
                    .collect();
                let reason = format!(
                    "nobody says what {property} the frames of {} are to have: name one",
                    labels.join(" and ")
                );
                return Err(Unsolvable::of(reason, &domain.producers, property));
            }
        }
    }
    Ok(())
}

impl Unsolvable {
    fn of(reason: String, ports: &[PortId], property: Property) -> Self {
        Self {
            reason,
            ports: ports.to_vec(),
            links: Vec::new(),
            properties: Properties::of(&[property]),
            refusals: Vec::new(),
            gave_up: false,
        }
    }
}
