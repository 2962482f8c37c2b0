//! Widths and heights, best first.

use dmaflow_core::caps::{Cap, Property, Steps};

use super::Search;
use super::choices::Culprits;
use crate::solver::PortId;
use crate::solver::graph::Span;
use crate::solver::problem::Direction;

/// More lists of steps than this are not intersected before they are tried through.
const MOST_STEPS: usize = 64;
/// So far above the least a size is looked for that nobody bounds.
const SMALL: u32 = 4096;

/// Numbers of several steps: those first that need no scaling, then the greatest first.
#[derive(Debug)]
pub(super) struct Sizes {
    steps: Vec<Steps>,
    unscaled: Option<u32>,
    taken: Option<u32>,
    /// The greatest that was not looked at yet; `None` when all were.
    below: Option<u32>,
}

impl Sizes {
    pub(super) fn new(steps: Vec<Steps>, unscaled: Option<u32>) -> Self {
        let has = |number: &u32| steps.iter().any(|steps| steps.contains(*number));
        Self {
            unscaled: unscaled.filter(has),
            steps,
            taken: None,
            below: Some(u32::MAX),
        }
    }

    pub(super) fn next(&mut self) -> Option<u32> {
        if self.taken.is_none() && self.unscaled.is_some() {
            self.taken = self.unscaled;
            return self.taken;
        }
        loop {
            let below = self.below?;
            let next = self.steps.iter().filter_map(|steps| steps.at_most(below));
            let next = next.max();
            self.below = next.and_then(|next| next.checked_sub(1));
            let next = next?;
            if Some(next) != self.unscaled {
                self.taken = Some(next);
                return Some(next);
            }
        }
    }

    pub(super) fn rank(&self) -> [u32; 2] {
        let scaled = u32::from(self.unscaled.is_none() || self.taken != self.unscaled);
        [scaled, u32::MAX - self.taken.unwrap_or(0)]
    }
}

impl Search<'_, '_, '_> {
    /// The widths or heights that a domain's caps have in common, and scalers reach.
    pub(super) fn sizes(&self, domain: usize, property: Property, blamed: &mut Culprits) -> Sizes {
        let side = |cap: &Cap| match property {
            Property::Width => cap.width,
            _ => cap.height,
        };
        let hull = &self.graph.domains[domain].hull;
        let mut span = match property {
            Property::Width => hull.0,
            _ => hull.1,
        };
        if self.limits.small_sizes && span.max == u32::MAX {
            span.max = span.min.saturating_add(SMALL);
        }
        let (span, unscaled) = self.reachable(domain, property, span, blamed);
        Sizes::new(self.common(domain, span, side), unscaled)
    }

    /// Whether some width will do at all. Where none does, the format is to blame, and no size
    /// that was chosen elsewhere.
    pub(super) fn some_width(&mut self, domain: usize, blamed: &mut Culprits) -> bool {
        let mut span = self.graph.domains[domain].hull.0;
        if self.limits.small_sizes && span.max == u32::MAX {
            span.max = span.min.saturating_add(SMALL);
        }
        let widths = self.common(domain, span, |cap| cap.width);
        if self.some_width_fits(domain, widths) {
            return true;
        }
        blamed.add(self.choices.of(domain, Property::Format));
        blamed.add(self.choices.of(domain, Property::Modifier));
        false
    }

    /// The numbers of a span that a domain's caps have in common.
    fn common(&self, domain: usize, span: Span, side: impl Fn(&Cap) -> Steps) -> Vec<Steps> {
        let mut steps = vec![Steps::between(span.min, span.max)];
        for port in self.domain_choices(domain) {
            let caps = self.problem.caps(port);
            let mut common: Vec<Steps> = Vec::new();
            for own in self.state.left_of(port).map(|cap| side(&caps[cap])) {
                for both in steps.iter().filter_map(|steps| steps.intersect(&own)) {
                    if !common.contains(&both) {
                        common.push(both);
                    }
                }
            }
            // Too many pieces: what is left out here is found out when values are tried.
            if common.len() <= MOST_STEPS {
                steps = common;
            }
        }
        steps
    }

    /// What scalers leave of a span, and the size with which the first of them does nothing.
    fn reachable(
        &self,
        domain: usize,
        property: Property,
        mut span: Span,
        blamed: &mut Culprits,
    ) -> (Span, Option<u32>) {
        let mut unscaled = None;
        for port in self.domain_choices(domain) {
            let Some(other) = self
                .problem
                .mate(port)
                .and_then(|mate| self.graph.domain_of[mate.0])
            else {
                continue;
            };
            let Some(size) = self.size_of(other, property) else {
                continue;
            };
            if other == domain {
                continue;
            }
            blamed.add(self.choices.of(other, property));
            let makes = self.problem.port(port).direction == Direction::Output;
            if makes {
                unscaled = unscaled.or(Some(size));
            }
            let ways = self.problem.ways(port);
            let windows = self.state.left_of(port).map(|way| match makes {
                true => ways[way].scale.window(size),
                false => ways[way].scale.window_back(size),
            });
            let window = windows.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            let (least, most) = window.unwrap_or((1, 0));
            span.min = span.min.max(least);
            span.max = span.max.min(most);
        }
        (span, unscaled)
    }

    fn size_of(&self, domain: usize, property: Property) -> Option<u32> {
        match property {
            Property::Width => self.state.terms[domain].width,
            _ => self.state.terms[domain].height,
        }
    }

    /// Whether a transform makes what both its sides agreed on, as far as they did.
    pub(super) fn scales(
        &self,
        port: PortId,
        mate: PortId,
        way: usize,
        blamed: &mut Culprits,
    ) -> bool {
        let (input, output) = match self.problem.port(port).direction {
            Direction::Input => (port, mate),
            Direction::Output => (mate, port),
        };
        let domain = |port: PortId| self.graph.domain_of[port.0];
        let (Some(from), Some(to)) = (domain(input), domain(output)) else {
            return true;
        };
        let scale = self.problem.ways(port).get(way).map(|way| way.scale);
        for property in [Property::Width, Property::Height] {
            let sizes = (self.size_of(from, property), self.size_of(to, property));
            if let ((Some(a), Some(b)), Some(scale)) = (sizes, scale)
                && !scale.allows(a, b)
            {
                blamed.add(self.choices.of(from, property));
                blamed.add(self.choices.of(to, property));
                return false;
            }
        }
        true
    }
}
