//! Why there is no plan: as few ports, properties and refusals as do it.
//!
//! Found by leaving out: what can be left out, so that there is still no plan, is no part of the
//! reason; what is left over at the end is all needed. Properties are left out first, those last
//! that people ask for first, then stages, then what devices answered.

mod counting;
mod text;

use dmaflow_core::caps::{Properties, Property, Set};
use dmaflow_core::format::Format;

use super::devices::Answers;
use super::graph::Graph;
use super::problem::Kind;
use super::{LinkId, PortId, Problem, Unsolvable};
use crate::solver::converters::Joining;
use counting::Counting;

/// Why there is no plan.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) ports: Vec<PortId>,
    pub(super) properties: Properties,
    /// What devices answered; empty where the reason is in what is stated.
    pub(super) refusals: Vec<String>,
    pub(super) gave_up: bool,
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
