//! Why there is no plan: as few ports, properties and refusals as do it.
//!
//! Found by leaving out: what can be left out, so that there is still no plan, is no part of the
//! reason; what is left over at the end is all needed. Properties are left out first, those last
//! that people ask for first, then stages, then what devices answered.

mod text;

use dmaflow_core::caps::{Cap, Properties, Property, Set, Split, Steps, Strides};
use dmaflow_core::format::Format;

use super::devices::{Answers, Devices};
use super::graph::Graph;
use super::problem::Kind;
use super::search::{Limits, Outcome, Search};
use super::{
    Alternative, Believe, Explanation, HeapFacts, LinkId, NodeId, PortId, Problem, Scale,
    Unsolvable,
};
use crate::solver::converters::Joining;

/// More answers than these are not left out one by one.
const MOST_ANSWERS: usize = 64;

/// Why there is no plan.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) ports: Vec<PortId>,
    pub(super) properties: Properties,
    /// What devices answered; empty where the reason is in what is stated.
    pub(super) refusals: Vec<String>,
    pub(super) gave_up: bool,
}

/// What of a problem counts.
struct Counting<'p> {
    problem: &'p Problem,
    properties: Properties,
    nodes: Vec<bool>,
}

impl Finding {
    pub(super) fn new(problem: &Problem, answers: &Answers, gave_up: bool) -> Self {
        let mut counting = Counting {
            problem,
            properties: Properties::ALL,
            nodes: vec![true; problem.nodes.len()],
        };
        let nothing = Answers::default();
        if counting.has_no_plan(&nothing) {
            counting.leave_out_properties();
            counting.leave_out_nodes();
            let ports = problem
                .ports()
                .filter(|(_, placed)| counting.nodes[placed.node.0]);
            return Self {
                ports: ports.map(|(id, _)| id).collect(),
                properties: counting.properties,
                refusals: Vec::new(),
                gave_up: false,
            };
        }
        let needed = counting.needed(answers);
        let mut properties = Properties::NONE;
        for property in needed.about().flat_map(Properties::iter) {
            properties = properties.with(property);
        }
        let mut ports: Vec<PortId> = problem
            .ports()
            .filter(|(_, placed)| needed.is_about(placed.asked_as))
            .map(|(id, _)| id)
            .collect();
        ports.dedup();
        Self {
            ports,
            properties,
            refusals: needed.texts(problem),
            gave_up,
        }
    }

    /// The links into which a converter could be put: those between ports that cannot agree. One
    /// port that cannot be had at all, no converter helps.
    pub(super) fn links_to_part(&self, problem: &Problem) -> Vec<LinkId> {
        if self.refusals.is_empty() && self.ports.len() < 2 {
            return Vec::new();
        }
        let between = self.links(problem);
        if !between.is_empty() && self.refusals.is_empty() {
            return between;
        }
        // Who refuses a heap or a format may take what a converter makes.
        let graph = Graph::new(problem);
        let domain = |port: PortId| graph.domain_of[port.0];
        let concerned =
            |port| self.ports.is_empty() || self.ports.iter().any(|p| domain(*p) == domain(port));
        let links = problem.links().filter(|(_, link)| concerned(link.from));
        links.map(|(id, _)| id).collect()
    }

    /// The links between the ports: what is left of the graph without its loose ends.
    pub(super) fn links(&self, problem: &Problem) -> Vec<LinkId> {
        let mut edges: Vec<(usize, usize, Option<LinkId>)> = problem
            .links()
            .map(|(id, link)| (link.from.0, link.to.0, Some(id)))
            .collect();
        for node in &problem.nodes {
            if !matches!(node.kind, Kind::Ends) {
                let ports: Vec<_> = node.inputs.iter().chain(&node.outputs).collect();
                edges.extend(ports.windows(2).map(|two| (two[0].0, two[1].0, None)));
            }
        }
        loop {
            let ends = |port: usize| {
                let at = edges.iter().filter(|(a, b, _)| *a == port || *b == port);
                at.count()
            };
            let loose = |port: usize| ends(port) < 2 && !self.ports.contains(&PortId(port));
            let Some(index) = edges.iter().position(|(a, b, _)| loose(*a) || loose(*b)) else {
                break;
            };
            edges.remove(index);
        }
        edges.iter().filter_map(|(_, _, link)| *link).collect()
    }

    /// Whether formats are all there is to it, by the ports' own word.
    pub(super) fn is_about_formats(&self) -> bool {
        self.properties == Properties::of(&[Property::Format]) && self.refusals.is_empty()
    }

    /// The formats before and behind where a converter would have to be, if that is all there
    /// is to it.
    pub(super) fn formats(&self, problem: &Problem) -> Option<(Vec<Format>, Vec<Format>)> {
        if !self.is_about_formats() {
            return None;
        }
        let named = |side: super::Direction| -> Vec<Format> {
            let mut all = Vec::new();
            for &port in self
                .ports
                .iter()
                .filter(|&&port| problem.port(port).direction == side)
            {
                for cap in problem.caps(port) {
                    if let Set::Of(formats) = &cap.formats {
                        all.extend(
                            formats
                                .iter()
                                .filter(|format| !all.contains(*format))
                                .copied()
                                .collect::<Vec<_>>(),
                        );
                    }
                }
            }
            all
        };
        let (from, to) = (
            named(super::Direction::Output),
            named(super::Direction::Input),
        );
        (!from.is_empty() && !to.is_empty()).then_some((from, to))
    }

    pub(super) fn unsolvable(&self, problem: &Problem, joining: &Joining) -> Unsolvable {
        let mut reason = self.text(problem);
        if !joining.text.is_empty() {
            reason.push_str("; ");
            reason.push_str(&joining.text);
        }
        Unsolvable {
            reason,
            ports: self.ports.clone(),
            links: self.links(problem),
            properties: self.properties,
            refusals: self.refusals.clone(),
            gave_up: self.gave_up,
        }
    }
}

impl Counting<'_> {
    /// Whether there is no plan, with these answers and yes to everything else.
    fn has_no_plan(&self, answers: &Answers) -> bool {
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

    fn leave_out_properties(&mut self) {
        for property in Property::ALL.into_iter().rev() {
            let before = self.properties;
            self.properties = before.without(property);
            if !self.has_no_plan(&Answers::default()) {
                self.properties = before;
            }
        }
    }

    /// Leaves out stages: half of them at first, then fewer, so that few tries leave few.
    fn leave_out_nodes(&mut self) {
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
    fn needed(&self, answers: &Answers) -> Answers {
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
                    scale: if free {
                        Scale {
                            down: u32::MAX,
                            up: u32::MAX,
                        }
                    } else {
                        way.scale
                    },
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
                    scale: Scale {
                        down: u32::MAX,
                        up: u32::MAX,
                    },
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
