//! Whole candidates are put to the devices.

use dmaflow_core::caps::{Properties, Property};

use super::Search;
use super::choices::Culprits;
use crate::solver::{Answer, HeapId, Kind, NodeId, Placement, PortId, Question, Refusal};

/// How often devices may propose something else to each other.
const ROUNDS: usize = 4;

/// What a changed answer may differ in.
const TERMS: [Property; 7] = super::AGREED;

impl Search<'_, '_, '_> {
    /// Asks everybody about the frames of all pools, and keeps where pixels will lie.
    pub(super) fn ask_formats(&mut self, blamed: &mut Culprits) -> bool {
        for pool in 0..self.graph.pools.len() {
            if !self.has_a_heap(pool, blamed) {
                return false;
            }
        }
        (0..self.graph.pools.len()).all(|pool| self.settle(pool, blamed))
    }

    /// Whether some heap will do for a pool, before anybody is asked.
    fn has_a_heap(&mut self, pool: usize, blamed: &mut Culprits) -> bool {
        let domain = self.graph.pools[pool].domain;
        let wanted = self.wanted(pool, self.state.terms[domain].modifier);
        let (Some(wanted), Some(placement)) = (wanted, self.placement(pool)) else {
            blamed.add_all(self.choices.everything(domain));
            return false;
        };
        let mut ruled_out = self.choices.nobody();
        let heaps = self.heaps_that_fit(pool, wanted.memory, placement.longest(), &mut ruled_out);
        // Devices make buffers longer, and never shorter.
        let bytes = self.bytes_of(pool, &placement);
        let (mut has_room, mut too_small) = (false, false);
        for heap in heaps {
            match self.room(heap).filter(|room| *room < bytes) {
                Some(room) => {
                    too_small = true;
                    self.devices.note_no_room(
                        self.problem,
                        self.graph.pools[pool].producer,
                        heap,
                        room,
                    );
                }
                None => has_room = true,
            }
        }
        if !has_room {
            blamed.add_all(&ruled_out);
        }
        if !has_room && too_small {
            blamed.add_all(self.choices.everything(domain));
        }
        has_room
    }

    /// Settles where the pixels of a pool lie, with its producer and all users.
    fn settle(&mut self, pool: usize, blamed: &mut Culprits) -> bool {
        let domain = self.graph.pools[pool].domain;
        let Some(mut placement) = self.placement(pool) else {
            blamed.add_all(self.choices.everything(domain));
            return false;
        };
        let ends: Vec<PortId> = self
            .ports_of(pool)
            .filter(|&port| self.problem.is_end(port))
            .collect();
        for _round in 0..ROUNDS {
            let mut settled = true;
            for &port in &ends {
                let input = self.input_of(port);
                let question = Question::Format {
                    port,
                    placement: &placement,
                    input: input.as_ref(),
                };
                let refusal = match self.devices.ask(self.problem, self.graph, &question) {
                    Answer::Yes => continue,
                    Answer::No(refusal) => refusal,
                    Answer::Instead(other) => match self.merged(pool, &placement, other) {
                        Ok(merged) => {
                            // Longer buffers are nobody else's matter.
                            settled = settled && merged.planes == placement.planes;
                            placement = merged;
                            if settled {
                                continue;
                            }
                            break;
                        }
                        Err(refusal) => {
                            self.devices.note_refusal(self.problem, &question, &refusal);
                            refusal
                        }
                    },
                };
                self.blame_for(pool, refusal.about, blamed);
                if input.is_some() && !refusal.about.is_empty() {
                    blamed.add_all(self.choices.everything(domain));
                }
                return false;
            }
            if settled {
                self.state.placements[pool] = Some(placement);
                return true;
            }
        }
        blamed.add_all(self.choices.everything(domain));
        false
    }

    /// Where pixels lie that a transform's output is made of.
    fn input_of(&self, port: PortId) -> Option<Placement> {
        let input = self.problem.mate(port)?;
        if self.problem.port(port).direction == crate::solver::problem::Direction::Input {
            return None;
        }
        let mut pools = self.graph.pools_of[input.0].iter();
        pools.find_map(|&pool| self.state.placements[pool].clone())
    }

    /// What becomes of a pool's placement when a device proposes another.
    fn merged(
        &self,
        pool: usize,
        asked: &Placement,
        mut answer: Placement,
    ) -> Result<Placement, Refusal> {
        let differs = asked.differs(&answer);
        if TERMS.into_iter().any(|term| differs.contains(term))
            || answer.buffer_lens.len() != asked.buffer_lens.len()
        {
            let reason = format!("it would be {answer} instead");
            let mut terms = TERMS.into_iter().filter(|term| differs.contains(*term));
            let about = match (terms.next(), terms.next()) {
                // Into how many buffers a format is split does not depend on the picture's size.
                (Some(Property::Split), None) => {
                    Properties::of(&[Property::Format, Property::Modifier, Property::Split])
                }
                _ => Properties::ALL,
            };
            return Err(Refusal::about(reason, about));
        }
        for (len, asked) in answer.buffer_lens.iter_mut().zip(&asked.buffer_lens) {
            *len = (*len).max(*asked);
        }
        let answer = self.lengthened(pool, answer);
        let misfits = self.misfits(pool, &answer);
        if misfits.is_empty() {
            return Ok(answer);
        }
        let reason = format!("it would be {answer} instead, and others take no such {misfits}");
        Err(Refusal::of_this(reason))
    }

    /// Asks heaps for the buffers of all pools, everybody to import them, and whoever has several
    /// inputs to show them together.
    pub(super) fn ask_memory(&mut self, blamed: &mut Culprits) -> bool {
        (0..self.graph.pools.len()).all(|pool| self.ask_pool(pool, blamed))
            && self.ask_to_arrange(blamed)
    }

    fn ask_to_arrange(&mut self, blamed: &mut Culprits) -> bool {
        let pools = self.pools();
        for (index, node) in self.problem.nodes.iter().enumerate() {
            if !matches!(node.kind, Kind::Ends) || node.inputs.len() < 2 {
                continue;
            }
            let mut inputs = node.inputs.iter();
            if inputs.all(|input| self.graph.pools_of[input.0].is_empty()) {
                continue;
            }
            let node = NodeId(index);
            let arrange = Question::Arrange {
                node,
                pools: &pools,
            };
            if let Answer::No(refusal) = self.devices.ask(self.problem, self.graph, &arrange) {
                let inputs = &self.problem.node(node).inputs;
                for (index, pool) in self.graph.pools.iter().enumerate() {
                    let is_shown = pool.users.iter().any(|user| inputs.contains(user));
                    // Of all pools each has to be there again.
                    if is_shown || refusal.about == Properties::ALL {
                        self.blame_attach(index, refusal.about, blamed);
                    }
                }
                return false;
            }
        }
        true
    }

    fn ask_pool(&mut self, pool: usize, blamed: &mut Culprits) -> bool {
        let shape = &self.graph.pools[pool];
        let (Some(placement), Some(heap)) =
            (self.state.placements[pool].clone(), self.state.heaps[pool])
        else {
            return false;
        };
        let allocate = Question::Allocate {
            producer: shape.producer,
            heap: HeapId(heap),
            placement: &placement,
            buffers: shape.buffers,
            beside: self.beside(pool, heap),
        };
        if let Answer::No(refusal) = self.devices.ask(self.problem, self.graph, &allocate) {
            self.blame_for(pool, refusal.about, blamed);
            blamed.add(self.choices.heap(pool));
            if refusal.about.contains(Property::Length) {
                self.blame_room(pool, heap, blamed);
            }
            return false;
        }
        let ends: Vec<PortId> = self
            .ports_of(pool)
            .filter(|&port| self.problem.is_end(port))
            .collect();
        for port in ends {
            let attach = Question::Attach {
                port,
                producer: shape.producer,
                heap: HeapId(heap),
                placement: &placement,
                buffers: shape.buffers,
            };
            if let Answer::No(refusal) = self.devices.ask(self.problem, self.graph, &attach) {
                self.blame_attach(pool, refusal.about, blamed);
                return false;
            }
        }
        true
    }

    fn blame_attach(&self, pool: usize, about: Properties, blamed: &mut Culprits) {
        self.blame_for(pool, about, blamed);
        if about.contains(Property::Memory) {
            blamed.add(self.choices.heap(pool));
        }
    }
}
