//! Problems with parts left out.

use dmaflow_core::caps::{Cap, Properties, Property, Set, Split, Steps, Strides};

use crate::solver::devices::{Answers, Devices};
use crate::solver::graph::Graph;
use crate::solver::search::{Limits, Outcome, Search};
use crate::solver::{Alternative, Believe, Explanation, HeapFacts, Kind, NodeId, Problem, Scale};

/// More answers than these are not left out one by one.
const MOST_ANSWERS: usize = 64;

/// What of a problem counts.
pub(super) struct Counting<'p> {
    pub(super) problem: &'p Problem,
    pub(super) properties: Properties,
    pub(super) nodes: Vec<bool>,
}

impl Counting<'_> {
    /// Whether there is no plan, with these answers and yes to everything else.
    pub(super) fn has_no_plan(&self, answers: &Answers) -> bool {
        let problem = self.relaxed();
        let graph = Graph::new(&problem);
        let mut believe = Believe;
        let mut silent = Explanation::default();
        let mut answers = answers.clone();
        let mut devices = Devices::new(&mut believe, &mut answers, &mut silent);
        let limits = Limits::SHORT;
        let outcome = Search::new(&problem, &graph, &mut devices, limits).run();
        matches!(outcome, Outcome::Unsolvable)
    }

    pub(super) fn leave_out_properties(&mut self) {
        for property in Property::ALL.into_iter().rev() {
            let before = self.properties;
            self.properties = before.without(property);
            if !self.has_no_plan(&Answers::default()) {
                self.properties = before;
            }
        }
    }

    /// Leaves out stages: half of them at first, then fewer, so that few tries leave few.
    pub(super) fn leave_out_nodes(&mut self) {
        let mut size = self.nodes.len().div_ceil(2).max(1);
        loop {
            let mut from = 0;
            while from < self.nodes.len() {
                let to = (from + size).min(self.nodes.len());
                let before = self.nodes.clone();
                self.nodes[from..to].fill(false);
                if self.nodes != before && !self.has_no_plan(&Answers::default()) {
                    self.nodes = before;
                }
                from = to;
            }
            if size == 1 {
                break;
            }
            size = size.div_ceil(2);
        }
    }

    /// The answers without any of which there would be a plan.
    pub(super) fn needed(&self, answers: &Answers) -> Answers {
        let mut needed = answers.clone();
        needed.keep_only_objections();
        if needed.len() > MOST_ANSWERS {
            return needed;
        }
        let mut at = 0;
        while at < needed.len() {
            let fewer = needed.without(at);
            if self.has_no_plan(&fewer) {
                needed = fewer;
            } else {
                at += 1;
            }
        }
        needed
    }

    /// The problem without what does not count.
    fn relaxed(&self) -> Problem {
        let mut problem = self.problem.clone();
        for index in 0..problem.nodes.len() {
            self.relax_node(&mut problem, NodeId(index));
        }
        if !self.properties.contains(Property::Memory) {
            problem.heaps = vec![HeapFacts {
                address_bits: Some(0),
                ..HeapFacts::new("any", dmaflow_core::heap::Contiguity::Contiguous)
            }];
        }
        if !self.properties.contains(Property::Length) {
            for heap in &mut problem.heaps {
                (heap.room, heap.largest) = (None, None);
            }
        }
        problem
    }

    fn relax_node(&self, problem: &mut Problem, id: NodeId) {
        let counts = self.nodes[id.0];
        let relax = |cap: &Cap| self.relax(cap, counts);
        if let Kind::Transforms(ways) = &mut problem.nodes[id.0].kind {
            for way in ways.iter_mut() {
                let free = !counts
                    || !self.properties.contains(Property::Width)
                    || !self.properties.contains(Property::Height);
                *way = Alternative {
                    input: relax(&way.input),
                    output: relax(&way.output),
                    scale: if free { Scale::ANY } else { way.scale },
                };
            }
        }
        let node = problem.nodes[id.0].clone();
        for port in node.inputs.iter().chain(&node.outputs) {
            let port = &mut problem.ports[port.0].port;
            for cap in &mut port.caps.0 {
                *cap = relax(cap);
            }
            if !counts {
                port.caps.0.truncate(1);
                if port.caps.0.is_empty() {
                    port.caps.0.push(Cap::any());
                }
            }
            if !counts || !self.properties.contains(Property::Memory) {
                port.heaps = Set::Any;
            }
        }
        if !counts && let Kind::Transforms(ways) = &mut problem.nodes[id.0].kind {
            ways.truncate(1);
            if ways.is_empty() {
                ways.push(Alternative {
                    input: Cap::any(),
                    output: Cap::any(),
                    scale: Scale::ANY,
                });
            }
        }
    }

    fn relax(&self, cap: &Cap, counts: bool) -> Cap {
        if !counts {
            return Cap::any();
        }
        let any = Cap::any();
        let has = |property| self.properties.contains(property);
        let mut cap = cap.clone();
        if !has(Property::Format) {
            cap.formats = Set::Any;
        }
        if !has(Property::Modifier) {
            cap.modifiers = Set::Any;
        }
        if !has(Property::Split) {
            cap.split = Set::<Split>::Any;
        }
        if !has(Property::Rate) {
            cap.rates = Set::Any;
        }
        if !has(Property::Colour) {
            cap.colours = Set::Any;
        }
        if !has(Property::Width) {
            cap.width = Steps::ANY;
        }
        if !has(Property::Height) {
            cap.height = Steps::ANY;
        }
        if !has(Property::Stride) {
            cap.strides = Strides::ANY;
            cap.whole_pixels = false;
        }
        if !has(Property::Rows) {
            cap.rows = any.rows;
        }
        if !has(Property::Memory) {
            cap.memory = any.memory;
        }
        if !has(Property::Length) {
            cap.behind = any.behind;
        }
        cap
    }
}
