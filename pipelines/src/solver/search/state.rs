//! What was chosen so far, and which caps that struck out.

use dmaflow_core::caps::{Cap, Property, Split};
use dmaflow_core::format::{Colour, Format};
use dmaflow_core::layout::Modifier;
use dmaflow_core::time::Rate;

use super::Search;
use super::choices::{Choice, Culprits};
use super::values::Value;
use crate::solver::graph::Graph;
use crate::solver::{Placement, PortId, Problem, Terms};

/// What was chosen so far.
#[derive(Debug)]
pub(super) struct State {
    /// The caps that ports use.
    pub(super) ways: Vec<Option<usize>>,
    /// For each port and cap, the choice that struck it out.
    pub(super) struck: Vec<Vec<Option<usize>>>,
    /// The caps of ports that lead nowhere, whatever else is chosen.
    pub(super) dead: Vec<Vec<bool>>,
    /// How many of a port's caps are left.
    pub(super) left: Vec<usize>,
    /// What was struck out, in order.
    trail: Vec<(usize, PortId, usize)>,
    pub(super) terms: Vec<Partial>,
    pub(super) placements: Vec<Option<Placement>>,
    pub(super) heaps: Vec<Option<usize>>,
}

/// Terms that are still being agreed on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Partial {
    pub(super) format: Option<Format>,
    pub(super) modifier: Option<Modifier>,
    pub(super) split: Option<Split>,
    pub(super) rate: Option<Option<Rate>>,
    pub(super) colour: Option<Colour>,
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
}

impl Partial {
    pub(super) fn whole(&self) -> Option<Terms> {
        Some(Terms {
            format: self.format?,
            modifier: self.modifier?,
            split: self.split?,
            rate: self.rate?,
            colour: self.colour?,
            width: self.width?,
            height: self.height?,
        })
    }

    fn set(&mut self, value: &Value) {
        match *value {
            Value::Format(format) => self.format = Some(format),
            Value::Modifier(modifier) => self.modifier = Some(modifier),
            Value::Split(split) => self.split = Some(split),
            Value::Rate(rate) => self.rate = Some(rate),
            Value::Colour(colour) => self.colour = Some(colour),
            Value::Width(width) => self.width = Some(width),
            Value::Height(height) => self.height = Some(height),
            Value::Way(_) | Value::Heap(_) | Value::Asked => {}
        }
    }

    fn clear(&mut self, property: Property) {
        match property {
            Property::Format => self.format = None,
            Property::Modifier => self.modifier = None,
            Property::Split => self.split = None,
            Property::Rate => self.rate = None,
            Property::Colour => self.colour = None,
            Property::Width => self.width = None,
            Property::Height => self.height = None,
            _ => {}
        }
    }

    /// Whether a cap lets a value pass, with the format that was agreed on before.
    fn fits(&self, cap: &Cap, value: &Value) -> bool {
        match *value {
            Value::Format(format) => cap.formats.contains(&format),
            Value::Modifier(modifier) => cap.modifiers.contains(&modifier),
            Value::Split(split) => {
                (self.format).is_none_or(|format| cap.allows_split(format, split))
            }
            Value::Rate(rate) => match rate {
                Some(rate) => cap.rates.contains(&rate),
                None => cap.rates == dmaflow_core::caps::Set::Any,
            },
            Value::Colour(colour) => cap.colours.contains(&colour),
            Value::Width(width) => {
                (self.format).is_none_or(|format| cap.allows_width(format, width))
            }
            Value::Height(height) => {
                (self.format).is_none_or(|format| cap.allows_height(format, height))
            }
            Value::Way(_) | Value::Heap(_) | Value::Asked => true,
        }
    }
}

impl State {
    pub(super) fn new(problem: &Problem, graph: &Graph) -> Self {
        let caps = |port| problem.caps(PortId(port)).len();
        let ports = 0..problem.ports.len();
        Self {
            ways: vec![None; problem.ports.len()],
            struck: ports.clone().map(|port| vec![None; caps(port)]).collect(),
            dead: ports.clone().map(|port| vec![false; caps(port)]).collect(),
            left: ports.map(caps).collect(),
            trail: Vec::new(),
            terms: vec![Partial::default(); graph.domains.len()],
            placements: vec![None; graph.pools.len()],
            heaps: vec![None; graph.pools.len()],
        }
    }

    /// The caps of a port that are left, best first.
    pub(super) fn left_of(&self, port: PortId) -> impl Iterator<Item = usize> + '_ {
        let struck = self.struck[port.0].iter().enumerate();
        struck.filter_map(|(cap, by)| by.is_none().then_some(cap))
    }

    /// The one cap of a port that is left.
    pub(super) fn only_one_of(&self, port: PortId) -> Option<usize> {
        match self.left[port.0] {
            1 => self.left_of(port).next(),
            _ => None,
        }
    }

    fn strike(&mut self, choice: usize, port: PortId, cap: usize) {
        let by = &mut self.struck[port.0][cap];
        if by.is_none() {
            *by = Some(choice);
            self.left[port.0] -= 1;
            self.trail.push((choice, port, cap));
        }
    }

    fn restore(&mut self, choice: usize) {
        while let Some((_, port, cap)) = self.trail.pop_if(|(by, ..)| *by == choice) {
            self.struck[port.0][cap] = None;
            self.left[port.0] += 1;
        }
    }
}

impl Search<'_, '_, '_> {
    /// Makes a choice. Where that leaves some port or pool nothing, blames whoever took it.
    pub(super) fn choose(&mut self, at: usize, value: &Value, blamed: &mut Culprits) -> bool {
        match (self.choice(at), value) {
            (Choice::Way(port), Value::Way(way)) => self.choose_way(at, port, *way, blamed),
            (Choice::Agreed(domain, property), value) => {
                self.agree(at, domain, property, value, blamed)
            }
            (Choice::AskFormats, _) => self.ask_formats(blamed),
            (Choice::Heap(pool), Value::Heap(heap)) => self.take_heap(pool, *heap, blamed),
            (Choice::AskMemory, _) => self.ask_memory(blamed),
            // No other values are listed for these choices.
            (Choice::Way(_) | Choice::Heap(_), _) => false,
        }
    }

    /// Takes a choice back.
    pub(super) fn undo(&mut self, at: usize) {
        match self.choice(at) {
            Choice::Way(port) => self.state.ways[port.0] = None,
            Choice::Agreed(domain, property) => self.state.terms[domain].clear(property),
            Choice::AskFormats => self.state.placements.fill(None),
            Choice::Heap(pool) => self.state.heaps[pool] = None,
            Choice::AskMemory => {}
        }
        self.state.restore(at);
    }

    fn choose_way(&mut self, at: usize, port: PortId, way: usize, blamed: &mut Culprits) -> bool {
        self.state.ways[port.0] = Some(way);
        let mate = self.problem.mate(port);
        for port in [Some(port), mate].into_iter().flatten() {
            for cap in 0..self.state.struck[port.0].len() {
                if cap != way {
                    self.state.strike(at, port, cap);
                }
            }
            if self.state.left[port.0] == 0 {
                self.blame_struck(port, blamed);
                return false;
            }
        }
        if let Some(mate) = mate
            && !self.scales(port, mate, way, blamed)
        {
            return false;
        }
        let pools = self.graph.pools_of[port.0].iter();
        let mut pools = pools.copied().collect::<Vec<_>>().into_iter();
        pools.all(|pool| self.pool_fits(pool, blamed))
    }

    fn agree(
        &mut self,
        at: usize,
        domain: usize,
        property: Property,
        value: &Value,
        blamed: &mut Culprits,
    ) -> bool {
        self.state.terms[domain].set(value);
        let terms = self.state.terms[domain];
        let all = &self.graph.domains[domain];
        for &port in all.producers.iter().chain(&all.takers) {
            for (cap, stated) in self.problem.caps(port).iter().enumerate() {
                if self.state.struck[port.0][cap].is_none() && !terms.fits(stated, value) {
                    self.state.strike(at, port, cap);
                }
            }
            if self.state.left[port.0] == 0 {
                self.devices.note_nothing_left(self.problem, port, property);
                self.blame_struck(port, blamed);
                return false;
            }
        }
        if !matches!(property, Property::Width | Property::Height) {
            return true;
        }
        let pools = &self.graph.domains[domain].pools;
        pools.iter().all(|&pool| self.pool_fits(pool, blamed))
    }

    /// Blames whoever struck out caps of a port.
    pub(super) fn blame_struck(&self, port: PortId, blamed: &mut Culprits) {
        let caps = self.state.struck[port.0]
            .iter()
            .zip(&self.state.dead[port.0]);
        // A cap that leads nowhere is missed by nobody.
        let missed = caps.filter_map(|(by, dead)| by.filter(|_| !dead));
        for by in missed {
            blamed.add(by);
            // Whether a size or a split fits depends on the format.
            if let Choice::Agreed(domain, property) = self.choice(by)
                && matches!(
                    property,
                    Property::Width | Property::Height | Property::Split
                )
            {
                blamed.add(self.choices.of(domain, Property::Format));
            }
        }
    }
}
