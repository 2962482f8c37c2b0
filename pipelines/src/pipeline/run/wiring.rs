//! The ends of a run's links, before the stages' threads have them.

use std::sync::Arc;

use super::super::graph::{Graph, InputId, OutputId};
use crate::bell::Bell;
use crate::link::{Inlet, Input, Inputs, Link, Noted, Orders, Outlet, Outputs, Relay, noting_link};

/// What a stage's thread is given.
pub(super) struct Ends {
    pub(super) inputs: Inputs,
    /// By output.
    pub(super) outputs: Vec<Outputs>,
}

/// A link, and where the one that follows it is left.
pub(super) struct Wire {
    pub(super) link: Arc<Link>,
    pub(super) relay: Relay,
}

/// A run's links.
pub(super) struct Wiring {
    /// By number.
    pub(super) wires: Vec<Wire>,
    /// What each stage listens for.
    pub(super) bells: Vec<Arc<Bell>>,
    /// Where each stage is told what becomes of its links, by output.
    pub(super) orders: Vec<Vec<Orders>>,
    /// By stage.
    ends: Vec<Option<Ends>>,
}

impl Wiring {
    /// Makes the links of a graph; `frames` tells how many there are for each, and `noted` where
    /// it is noted which of them pass.
    pub(super) fn new(
        graph: &Graph,
        frames: impl Fn(usize) -> usize,
        noted: impl Fn(usize) -> Option<Noted>,
    ) -> Self {
        let bells: Vec<Arc<Bell>> = graph.nodes.iter().map(|_stage| Arc::default()).collect();
        let mut wires = Vec::with_capacity(graph.edges.len());
        let mut loose: Vec<(Option<Outlet>, Option<Inlet>)> = Vec::new();
        for (number, edge) in graph.edges.iter().enumerate() {
            let bell = &bells[edge.to.stage];
            let (outlet, inlet, link) =
                noting_link(edge.queue, frames(number), bell, noted(number));
            loose.push((Some(outlet), Some(inlet)));
            let relay = Relay::default();
            wires.push(Wire { link, relay });
        }
        let orders: Vec<Vec<Orders>> = graph
            .nodes
            .iter()
            .map(|node| {
                (0..node.stage.outputs())
                    .map(|_port| Orders::default())
                    .collect()
            })
            .collect();
        let ends = graph.nodes.iter().enumerate().map(|(stage, node)| {
            let inputs = (0..node.stage.inputs()).filter_map(|port| {
                let number = graph.leading_into(InputId { stage, port })?;
                let inlet = loose[number].1.take()?;
                Some(Input::new(inlet, wires[number].relay.clone()))
            });
            let inputs = Inputs::new(inputs.collect(), Arc::clone(&bells[stage]));
            let outputs = orders[stage].iter().enumerate().map(|(port, orders)| {
                let numbers = graph.leading_from(OutputId { stage, port });
                let outlets = numbers.filter_map(|number| Some((number, loose[number].0.take()?)));
                Outputs::new(outlets.collect(), orders.clone())
            });
            let outputs = outputs.collect();
            Some(Ends { inputs, outputs })
        });
        let ends = ends.collect();
        Self {
            wires,
            bells,
            orders,
            ends,
        }
    }

    /// What a stage's thread is given, once.
    pub(super) fn take(&mut self, stage: usize) -> Option<Ends> {
        self.ends.get_mut(stage)?.take()
    }
}

impl Ends {
    /// The only input of a stage that has one.
    pub(super) fn input(&mut self) -> Option<Input> {
        self.inputs.take_first()
    }

    /// The only output of a stage that has one.
    pub(super) fn output(&mut self) -> Outputs {
        self.outputs.pop().unwrap_or_default()
    }
}
