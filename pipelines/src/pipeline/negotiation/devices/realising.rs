//! From a plan to pools that everybody has imported.

use dmaflow_core::stage::{Choice, SourcePlan};

use super::super::Settled;
use super::Devices;
use crate::error::PipelineError;
use crate::pipeline::graph::Domain;
use crate::solver::{Answer, Plan, PoolPlan};

/// The pools that were made, and what stages chose by themselves, by stage.
type Realised = (Vec<Settled>, Vec<(usize, Choice)>);

impl Devices<'_> {
    /// Does again what a later question undid, and what was left to be done.
    pub(in crate::pipeline::negotiation) fn realise(
        &mut self,
        plan: &Plan,
    ) -> Result<Realised, PipelineError> {
        let refused = || PipelineError::Refused(Vec::new());
        self.bring(&plan.pools).map_err(|_told| refused())?;
        for stage in 0..self.graph.nodes.len() {
            if let Err(reason) = self.arrange(stage) {
                self.refuse(None, None, reason);
                return Err(refused());
            }
        }
        Ok(self.settled(&self.in_order(&plan.pools)))
    }

    /// Has all pools be as they are planned, and imported by everybody. Otherwise tells who
    /// refused.
    pub(super) fn bring(&mut self, pools: &[PoolPlan]) -> Result<(), Answer> {
        let order = self.in_order(pools);
        for pool in &order {
            let (maker, _) = self.place(pool.producer);
            let (format, heap) = (pool.placement.terms.format, pool.heap.index());
            let input = self.input_of(maker);
            self.set(maker, format, input.as_ref())
                .and_then(|()| self.allocate(maker, heap))
                .map_err(|reason| self.refuse(Some(format), Some(heap), reason))?;
        }
        // A transform is set before it imports what it takes.
        for pool in &order {
            let (maker, _) = self.place(pool.producer);
            let (format, heap) = (pool.placement.terms.format, pool.heap.index());
            for port in std::iter::once(&pool.producer).chain(&pool.users) {
                let port = self.place(*port);
                self.attach(port, maker)
                    .map_err(|reason| self.refuse(Some(format), Some(heap), reason))?;
            }
        }
        Ok(())
    }

    /// Pools in the order in which frames travel.
    fn in_order<'p>(&self, pools: &'p [PoolPlan]) -> Vec<&'p PoolPlan> {
        let mut order: Vec<&PoolPlan> = pools.iter().collect();
        order.sort_by_key(|pool| {
            let (stage, _) = self.place(pool.producer);
            let makes = |domain: &Domain| domain.producers.contains(&stage);
            (self.domains.iter().position(makes), stage)
        });
        order
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
