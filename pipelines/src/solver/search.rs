//! Looking for the best plan.
//!
//! What is open are *choices*, in the order in which a plan's [`Rank`](super::Rank) looks at
//! them: for each domain which of its caps each producer uses, the format and all else that is
//! agreed on, then which of its caps each other port uses; then a heap a pool. Each choice tries
//! its values best first, so that the first whole plan is the best.
//!
//! A value strikes out the caps that it does not fit, all over its domain, and the choice that
//! struck a cap is remembered. Where a choice has no value left, what was struck out tells which
//! earlier choices are to blame: the latest of these is gone back to, and those between, which
//! have nothing to do with it, are not tried through. What led nowhere is remembered as a
//! [nogood](nogoods).

mod asking;
mod choices;
mod nogoods;
mod pools;
mod sizes;
mod state;
mod values;

use std::collections::HashMap;

use dmaflow_core::caps::{Properties, Property, Steps};
use dmaflow_core::format::Format;

use super::devices::Devices;
use super::graph::Graph;
use super::{DomainPlan, NodeId, Plan, PoolPlan, PortId, Problem, Rank};
use choices::{Choice, Choices, Culprits};
use nogoods::Nogoods;
use pools::CommonStrides;
use state::State;
use values::{Value, Values};

/// How a search ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Solved(Box<Plan>),
    /// There is no plan.
    Unsolvable,
    /// So many steps led nowhere, or so much was asked, that the search was given up.
    GaveUp,
}

/// How long is searched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) steps: usize,
    /// Sizes that nobody bounds are bounded near the least.
    pub(super) small_sizes: bool,
}

impl Limits {
    pub(super) const FULL: Self = Self {
        steps: 1_000_000,
        small_sizes: false,
    };

    /// To find out what is no part of a reason.
    pub(super) const SHORT: Self = Self {
        steps: 20_000,
        small_sizes: true,
    };
}

/// The properties of frames that are agreed on, in order.
const AGREED: [Property; 7] = [
    Property::Format,
    Property::Modifier,
    Property::Split,
    Property::Rate,
    Property::Colour,
    Property::Width,
    Property::Height,
];

pub(super) struct Search<'p, 'd, 'a> {
    problem: &'p Problem,
    graph: &'p Graph,
    choices: Choices,
    state: State,
    open: Vec<Open>,
    devices: &'d mut Devices<'a>,
    limits: Limits,
    nogoods: Nogoods,
    /// Whether some width will do: by format, widths, and the strides that pools may have.
    widths_known: HashMap<(Format, Vec<Steps>, Vec<CommonStrides>), bool>,
}

/// A choice's values, and who is to blame where none is left.
struct Open {
    values: Values,
    /// The one that is tried.
    value: Option<Value>,
    blamed: Culprits,
    /// Whether a nogood already tells that there are none.
    known: bool,
}

impl<'p, 'd, 'a> Search<'p, 'd, 'a> {
    pub(super) fn new(
        problem: &'p Problem,
        graph: &'p Graph,
        devices: &'d mut Devices<'a>,
        limits: Limits,
    ) -> Self {
        let choices = Choices::new(problem, graph);
        let open = (0..choices.len()).map(|_| Open {
            values: Values::default(),
            value: None,
            blamed: choices.nobody(),
            known: false,
        });
        Self {
            problem,
            graph,
            state: State::new(problem, graph),
            open: open.collect(),
            nogoods: Nogoods::new(choices.len()),
            choices,
            devices,
            limits,
            widths_known: HashMap::new(),
        }
    }

    pub(super) fn run(mut self) -> Outcome {
        let mut at = 0;
        if self.choices.len() == 0 {
            return Outcome::Solved(Box::new(self.plan()));
        }
        self.begin(at);
        for _step in 0..self.limits.steps {
            let Some(value) = self.open[at].values.next() else {
                let (earlier, here) = (&self.open[..at], &self.open[at]);
                let Some(back) = here.blamed.latest_before(at) else {
                    return Outcome::Unsolvable;
                };
                let value_of = |choice: usize| earlier[choice].value;
                if !here.known
                    && let Some((choice, value)) = self.nogoods.note(at, &here.blamed, value_of)
                {
                    self.bury(choice, value);
                }
                for choice in (back..at).rev() {
                    self.undo(choice);
                }
                let (earlier, later) = self.open.split_at_mut(at);
                earlier[back].blamed.add_all(&later[0].blamed);
                at = back;
                continue;
            };
            self.open[at].value = Some(value);
            let mut blamed = self.choices.nobody();
            if self.choose(at, &value, &mut blamed) {
                at += 1;
                if at == self.choices.len() {
                    return Outcome::Solved(Box::new(self.plan()));
                }
                self.begin(at);
            } else if self.devices.exhausted {
                return Outcome::GaveUp;
            } else {
                self.open[at].blamed.add_all(&blamed);
                self.undo(at);
            }
        }
        Outcome::GaveUp
    }

    /// Lists a choice's values, as all earlier choices leave them.
    fn begin(&mut self, at: usize) {
        let earlier = &self.open[..at];
        let nogood = self.nogoods.find(at, |choice| earlier[choice].value);
        let known = nogood.is_some();
        let (values, blamed) = if let Some(blamed) = nogood {
            (Values::default(), blamed.clone())
        } else {
            let mut blamed = self.choices.nobody();
            (self.values_of(at, &mut blamed), blamed)
        };
        self.open[at] = Open {
            values,
            value: None,
            blamed,
            known,
        };
    }

    /// Leaves out a way that leads nowhere, whatever else is chosen; of a transform both its sides.
    fn bury(&mut self, choice: usize, value: Value) {
        let (Choice::Way(port), Value::Way(way)) = (self.choice(choice), value) else {
            return;
        };
        for port in [Some(port), self.problem.mate(port)].into_iter().flatten() {
            self.state.dead[port.0][way] = true;
        }
    }

    fn domain_choices(&self, domain: usize) -> impl Iterator<Item = PortId> + '_ {
        let domain = &self.graph.domains[domain];
        domain.producers.iter().chain(&domain.takers).copied()
    }

    /// The plan, when every choice is made.
    fn plan(&self) -> Plan {
        let domains = self.graph.domains.iter().enumerate();
        let domains = domains.filter_map(|(index, domain)| {
            let ports = domain.producers.iter().chain(&domain.takers);
            Some(DomainPlan {
                ports: ports.copied().collect(),
                terms: self.state.terms[index].whole()?,
            })
        });
        let ways = self.problem.nodes.iter().enumerate();
        let ways = ways.filter_map(|(index, node)| {
            let output = *node.outputs.first()?;
            self.problem.mate(output)?;
            Some((NodeId(index), self.state.ways[output.0]?))
        });
        let mut rank = Vec::new();
        for open in &self.open {
            open.values.rank(&mut rank);
        }
        Plan {
            problem: self.problem.clone(),
            domains: domains.collect(),
            pools: self.pools(),
            ways: ways.collect(),
            inserted: Vec::new(),
            rank: Rank(rank),
        }
    }

    /// The pools, as far as they are chosen.
    fn pools(&self) -> Vec<PoolPlan> {
        let pools = self.graph.pools.iter().enumerate();
        let pools = pools.filter_map(|(index, pool)| {
            Some(PoolPlan {
                producer: pool.producer,
                users: pool.users.clone(),
                domain: pool.domain,
                placement: self.state.placements[index].clone()?,
                heap: super::HeapId(self.state.heaps[index]?),
                buffers: pool.buffers,
            })
        });
        pools.collect()
    }

    /// Blames the choices on which an answer about a pool's frames depends.
    fn blame_for(&self, pool: usize, about: Properties, blamed: &mut Culprits) {
        let domain = self.graph.pools[pool].domain;
        for property in AGREED {
            if about.contains(property) {
                blamed.add(self.choices.of(domain, property));
            }
        }
        let placed = [Property::Stride, Property::Rows, Property::Length];
        if placed.into_iter().any(|property| about.contains(property)) {
            blamed.add_all(self.choices.everything(domain));
        }
    }

    fn choice(&self, at: usize) -> Choice {
        self.choices.get(at)
    }
}
