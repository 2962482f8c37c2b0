//! What is to be chosen, in order, and sets of that.

use dmaflow_core::caps::Property;

use super::AGREED;
use crate::solver::graph::Graph;
use crate::solver::{PortId, Problem};

/// Something to be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Which of its caps a port uses.
    Way(PortId),
    /// What a domain agrees on.
    Agreed(usize, Property),
    /// Nothing: ask the devices about formats.
    AskFormats,
    /// Where a pool comes from.
    Heap(usize),
    /// Nothing: ask the devices about memory.
    AskMemory,
}

/// All choices of a problem, in order.
#[derive(Debug)]
pub(super) struct Choices {
    all: Vec<Choice>,
    ways: Vec<Option<usize>>,
    agreed: Vec<[usize; AGREED.len()]>,
    heaps: Vec<usize>,
    /// A domain's own choices, and those of domains of which its frames are made.
    everything: Vec<Culprits>,
}

/// A set of choices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Culprits(Vec<u64>);

impl Choices {
    pub(super) fn new(problem: &Problem, graph: &Graph) -> Self {
        let mut choices = Self {
            all: Vec::new(),
            ways: vec![None; problem.ports.len()],
            agreed: Vec::with_capacity(graph.domains.len()),
            heaps: Vec::with_capacity(graph.pools.len()),
            everything: Vec::new(),
        };
        for (index, domain) in graph.domains.iter().enumerate() {
            for &port in &domain.producers {
                choices.add_way(port);
            }
            let first = choices.all.len();
            let agreed = AGREED.map(|property| Choice::Agreed(index, property));
            choices.all.extend(agreed);
            choices
                .agreed
                .push(std::array::from_fn(|place| first + place));
            for &port in &domain.takers {
                choices.add_way(port);
            }
        }
        choices.all.push(Choice::AskFormats);
        for pool in 0..graph.pools.len() {
            choices.heaps.push(choices.all.len());
            choices.all.push(Choice::Heap(pool));
        }
        choices.all.push(Choice::AskMemory);
        choices.everything = choices.dependences(problem, graph);
        choices
    }

    fn add_way(&mut self, port: PortId) {
        self.ways[port.0] = Some(self.all.len());
        self.all.push(Choice::Way(port));
    }

    fn dependences(&self, problem: &Problem, graph: &Graph) -> Vec<Culprits> {
        let own = |index: usize| {
            let domain = &graph.domains[index];
            let mut own = self.nobody();
            for choice in self.agreed[index] {
                own.add(choice);
            }
            let ports = domain.producers.iter().chain(&domain.takers);
            for choice in ports.filter_map(|port| self.ways[port.0]) {
                own.add(choice);
            }
            own
        };
        let mut all: Vec<_> = (0..graph.domains.len()).map(own).collect();
        // Each round carries what is made of what one transform further.
        for _round in 0..graph.domains.len() {
            for (index, domain) in graph.domains.iter().enumerate() {
                let inputs = domain
                    .producers
                    .iter()
                    .filter_map(|port| problem.mate(*port));
                for from in inputs.filter_map(|input| graph.domain_of[input.0]) {
                    let from = all[from].clone();
                    all[index].add_all(&from);
                }
            }
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, at: usize) -> Choice {
        self.all[at]
    }

    /// The choice of something that is agreed on.
    pub(super) fn of(&self, domain: usize, property: Property) -> usize {
        let place = AGREED.iter().position(|known| *known == property);
        self.agreed[domain][place.unwrap_or_default()]
    }

    pub(super) fn heap(&self, pool: usize) -> usize {
        self.heaps[pool]
    }

    pub(super) fn everything(&self, domain: usize) -> &Culprits {
        &self.everything[domain]
    }

    pub(super) fn nobody(&self) -> Culprits {
        Culprits(vec![0; self.all.len().div_ceil(64)])
    }
}

impl Culprits {
    pub(super) fn add(&mut self, choice: usize) {
        self.0[choice / 64] |= 1 << (choice % 64);
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&others.0) {
            *mine |= theirs;
        }
    }

    /// The latest of them before a choice.
    pub(super) fn latest_before(&self, choice: usize) -> Option<usize> {
        self.before(choice).next_back()
    }

    /// Those of them before a choice.
    pub(super) fn before(&self, choice: usize) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..choice).filter(|earlier| self.0[earlier / 64] & (1 << (earlier % 64)) != 0)
    }
}
