//! From a plan to pools that everybody has imported.

use dmaflow_core::format::Format;
use dmaflow_core::stage::{Choice, SourcePlan};

use super::super::Settled;
use super::Devices;
use crate::error::{PipelineError, RefusalReason};
use crate::pipeline::graph::Domain;
use crate::solver::{Plan, PoolPlan};

/// The pools that were made, and what stages chose by themselves, by stage.
type Realised = (Vec<Settled>, Vec<(usize, Choice)>);

impl Devices<'_> {
    /// Does again what a later question undid, and what was left to be done.
    pub(in crate::pipeline::negotiation) fn realise(
        &mut self,
        plan: &Plan,
    ) -> Result<Realised, PipelineError> {
        let mut order: Vec<&PoolPlan> = plan.pools.iter().collect();
        let place = |pool: &&PoolPlan| {
            let (stage, _) = self.place(pool.producer);
            let makes = |domain: &Domain| domain.producers.contains(&stage);
            (self.domains.iter().position(makes), stage)
        };
        order.sort_by_key(place);
        for pool in &order {
            let (maker, _) = self.place(pool.producer);
            let (format, heap) = (pool.placement.terms.format, pool.heap.index());
            let input = self.input_of(maker);
            let done = self
                .set(maker, format, input.as_ref())
                .and_then(|()| self.allocate(maker, heap));
            self.done(done, format, heap)?;
        }
        // A transform is set before it imports what it takes.
        for pool in &order {
            let (maker, _) = self.place(pool.producer);
            let (format, heap) = (pool.placement.terms.format, pool.heap.index());
            for port in std::iter::once(&pool.producer).chain(&pool.users) {
                let port = self.place(*port);
                let done = self.attach(port, maker);
                self.done(done, format, heap)?;
            }
        }
        for stage in 0..self.graph.nodes.len() {
            let done = self.arrange(stage);
            if let Err(reason) = done {
                self.refuse(None, None, reason);
                return Err(PipelineError::Refused(Vec::new()));
            }
        }
        Ok(self.settled(&order))
    }

    fn done(
        &mut self,
        done: Result<(), RefusalReason>,
        format: Format,
        heap: usize,
    ) -> Result<(), PipelineError> {
        done.map_err(|reason| {
            self.refuse(Some(format), Some(heap), reason);
            PipelineError::Refused(Vec::new())
        })
    }

    fn settled(&mut self, order: &[&PoolPlan]) -> Realised {
        let (mut settled, mut choices) = (Vec::new(), Vec::new());
        for pool in order {
            let (stage, _) = self.place(pool.producer);
            let making = self.making(stage);
            let (Some(set), Some(made)) = (making.set.take(), making.pool.take()) else {
                continue;
            };
            let own = set.plan.choices.iter();
            choices.extend(own.map(|choice| (stage, choice.clone())));
            for ((stage, _), chosen) in made.held_by {
                choices.extend(chosen.into_iter().map(|choice| (stage, choice)));
            }
            settled.push(Settled {
                stage,
                plan: SourcePlan::clone(&set.plan),
                pool: made.pool,
            });
        }
        for (stage, chosen) in std::mem::take(&mut self.arranged) {
            choices.extend(chosen.into_iter().map(|choice| (stage, choice)));
        }
        (settled, choices)
    }
}
