//! Doing what is asked of a run while it goes on, on the watching thread.

mod branches;
mod looks;
mod pictures;

use std::time::Instant;

use dmaflow_core::with_causes;

use super::super::graph::OutputId;
use super::events::Ended;
use super::roster::{Origin, Roster, StageEntry};
use super::threads::{End, Threads};
use crate::QueuePolicy;
use crate::control::{Command, ControlError, LinkName, Names, Role};
use crate::link::{NotTaken, Order, Orders, noting_link};

/// A run as it may be changed.
pub(super) struct Live<'l, 'scope, 'env: 'scope> {
    pub(super) roster: &'l mut Roster,
    pub(super) threads: Threads<'scope, 'env>,
    pub(super) started: Instant,
}

impl<'l, 'scope, 'env> Live<'l, 'scope, 'env> {
    pub(super) fn new(roster: &'l mut Roster, threads: Threads<'scope, 'env>) -> Self {
        Self {
            roster,
            threads,
            started: Instant::now(),
        }
    }

    /// Takes note that a thread has ended, and tells whether the run has one stage less.
    pub(super) fn ended(&mut self, ended: Ended) -> bool {
        if ended.failed {
            self.set_aside(ended.thread);
        }
        match self.threads.ended(ended.thread) {
            End::OfTheRun { stage } => {
                self.roster.stages[stage].running = false;
                true
            }
            End::Never => false,
            End::Aside { stage, failure } => {
                let entry = &mut self.roster.stages[stage];
                // Pictures may be taken several at once.
                entry.running = false;
                if let Some(failure) = failure {
                    let failure = with_causes(&failure);
                    tracing::warn!("{failure}; the other stages go on");
                    entry.failure = Some(failure);
                }
                false
            }
        }
    }

    /// A stage that fails alone does so aside, where frames are used elsewhere as well.
    fn set_aside(&self, thread: usize) {
        let Some(failed) = self.threads.stage(thread) else {
            return;
        };
        let mut others = self.roster.stages.iter().enumerate();
        let goes_on = others.any(|(stage, other)| {
            let uses_up = matches!(other.role, Role::Sink | Role::Mixer);
            stage != failed && uses_up && other.running && !other.aside.is_set()
        });
        let failed = &self.roster.stages[failed];
        if goes_on && failed.fails_alone {
            failed.aside.set(true);
        }
    }

    /// Does what is asked.
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::State(reply) => reply.give(Ok(self.state())),
            Command::Statistics(reply) => reply.give(Ok(self.statistics())),
            Command::Controls(stage, reply) => {
                let found = self.stage(&stage);
                reply.give(found.and_then(|found| self.controls(found)));
            }
            Command::Queue { link, queue, reply } => reply.give(self.set_queue(&link, queue)),
            Command::Select {
                stage,
                input,
                reply,
            } => reply.give(self.select(&stage, &input)),
            Command::Drop { link, reply } => reply.give(self.drop_branch(&link)),
            Command::Add(branch, reply) => reply.give(self.add_branch(*branch)),
            Command::Snapshot { stage, path, reply } => self.snapshot(&stage, path, reply),
        }
    }

    /// The stage of a name, by its place in the roster.
    fn stage(&self, name: &str) -> Result<usize, ControlError> {
        let mut stages = self.roster.stages.iter();
        let found = stages.position(|stage| stage.name == name && stage.origin != Origin::Passing);
        found.ok_or_else(|| ControlError::NoStage {
            asked: name.to_owned(),
            known: self.names(|_stage| true),
        })
    }

    /// The names of the stages for which something holds.
    fn names(&self, holds: impl Fn(&StageEntry) -> bool) -> Names {
        let stages = self.roster.in_order();
        stages
            .filter(|stage| stage.origin != Origin::Passing && holds(stage))
            .map(|stage| &stage.name)
            .collect()
    }

    /// The link of a name, by its place in the roster.
    fn link(&self, asked: &LinkName) -> Result<usize, ControlError> {
        let name = |stage: usize| self.roster.stages[stage].name.as_str();
        let links = self.roster.links.iter().enumerate();
        let named = links.filter(|(_, link)| {
            !link.dropped
                && link.origin != Origin::Passing
                && name(link.from.stage) == asked.from
                && name(link.to.stage) == asked.to
                && asked.input.is_none_or(|input| input == link.to.port)
        });
        let named: Vec<_> = named.collect();
        match named[..] {
            [(place, link)] if link.is_live() => Ok(place),
            [_] => Err(ControlError::LinkEnded {
                link: asked.clone(),
            }),
            [] => Err(ControlError::NoLink {
                asked: asked.clone(),
                known: self.links_of(self.roster.live_links()),
            }),
            [..] => Err(ControlError::SeveralLinks {
                asked: asked.clone(),
                known: self.links_of(named.iter().map(|(_, link)| *link)),
            }),
        }
    }

    fn links_of<'r>(&'r self, links: impl Iterator<Item = &'r super::roster::LinkEntry>) -> Names {
        let links = links.map(|link| {
            let mut name = self.roster.link_name(link);
            let mut others = self.roster.live_links();
            let has_twin = others.any(|other| {
                other.to.stage == link.to.stage
                    && other.from.stage == link.from.stage
                    && other.to.port != link.to.port
            });
            name.input = has_twin.then_some(link.to.port);
            name
        });
        links.collect()
    }

    fn controls(
        &self,
        stage: usize,
    ) -> Result<std::sync::Arc<dyn dmaflow_core::stage::Controls>, ControlError> {
        let entry = &self.roster.stages[stage];
        if !entry.running {
            let why = entry.failure.as_deref();
            return Err(ControlError::StageEnded {
                stage: entry.name.clone(),
                why: why.unwrap_or("nothing more came").to_owned(),
            });
        }
        entry
            .controls
            .clone()
            .ok_or_else(|| ControlError::NoControls {
                stage: entry.name.clone(),
                known: self.names(|stage| stage.controls.is_some()),
            })
    }

    fn set_queue(&mut self, asked: &LinkName, queue: QueuePolicy) -> Result<(), ControlError> {
        let place = self.link(asked)?;
        let entry = &self.roster.links[place];
        let from = entry.from;
        let others = self.roster.live_links();
        let shared = others.filter(|other| other.from == from).count() > 1;
        let queue = if shared { queue.shared() } else { queue };
        if self.roster.is_compressed(entry.domain) && queue != queue.lossless() {
            return Err(ControlError::Compressed {
                link: asked.clone(),
            });
        }
        // What waits in links before is there beside what is going to.
        let wait = queue.frames() + entry.in_former();
        let more = wait.saturating_sub(entry.queue.frames());
        if more > 0 {
            let stage = &self.roster.stages[entry.to.stage].name;
            self.check_room(entry.domain, stage, more)?;
        }
        // Before anything is left for whoever takes frames, who would keep it.
        let orders = self.orders(from).map_or(Err(NotTaken::Gone), Orders::check);
        orders.map_err(|not_taken| self.not_taken(not_taken, from, asked))?;
        let frames = self.frames(entry.domain);
        let bell = &self.roster.stages[entry.to.stage].bell;
        let noted = entry.link.noted().cloned();
        let (outlet, inlet, new) = noting_link(queue, frames, bell, noted);
        // In this order: whoever takes frames knows of the new link before the old one ends.
        if !entry.relay.follow_with(inlet) {
            return Err(ControlError::LinkEnded {
                link: asked.clone(),
            });
        }
        self.order(from, Order::Replace(entry.number, outlet), asked)?;
        let entry = &mut self.roster.links[place];
        entry.queue = queue;
        entry.replace(new);
        Ok(())
    }

    /// Leaves an order for a stage.
    fn order(&self, from: OutputId, order: Order, link: &LinkName) -> Result<(), ControlError> {
        let orders = self.orders(from);
        let given = orders.map_or(Err(NotTaken::Gone), |orders| orders.give(order));
        given.map_err(|not_taken| self.not_taken(not_taken, from, link))
    }

    /// Where orders for an output are left.
    fn orders(&self, from: OutputId) -> Option<&Orders> {
        self.roster.stages[from.stage].orders.get(from.port)
    }

    fn not_taken(&self, not_taken: NotTaken, from: OutputId, link: &LinkName) -> ControlError {
        match not_taken {
            NotTaken::Gone => ControlError::LinkEnded { link: link.clone() },
            NotTaken::TooMany => ControlError::Waiting {
                stage: self.roster.stages[from.stage].name.clone(),
            },
        }
    }

    /// How many frames there are in a domain.
    fn frames(&self, domain: Option<usize>) -> usize {
        let pools = domain.and_then(|domain| self.roster.pools.get(domain));
        pools
            .into_iter()
            .flatten()
            .map(|entry| entry.pool.len())
            .sum()
    }

    fn select(&self, stage: &str, input: &str) -> Result<(), ControlError> {
        let place = self.stage(stage)?;
        let entry = &self.roster.stages[place];
        let switch = entry
            .switch
            .as_ref()
            .ok_or_else(|| ControlError::NoSwitch {
                stage: stage.to_owned(),
                known: self.names(|stage| stage.switch.is_some()),
            })?;
        let inputs = self.inputs(place);
        let named = inputs.iter().position(|name| name == input);
        let numbered = || {
            let number: usize = input.parse().ok()?;
            (number < inputs.len()).then_some(number)
        };
        let found = named.or_else(numbered);
        let found = found.ok_or_else(|| ControlError::NoInput {
            stage: stage.to_owned(),
            asked: input.to_owned(),
            known: Names(inputs.clone()),
        });
        switch.select(found?);
        Ok(())
    }

    /// The inputs of a stage, by the names of the stages that lead there.
    fn inputs(&self, stage: usize) -> Vec<String> {
        let links = self.roster.links.iter();
        let mut into: Vec<_> = links
            .filter(|link| link.to.stage == stage && link.origin != Origin::Passing)
            .map(|link| (link.to.port, &self.roster.stages[link.from.stage].name))
            .collect();
        into.sort_by_key(|(port, _)| *port);
        into.dedup_by_key(|(port, _)| *port);
        into.into_iter().map(|(_, name)| name.clone()).collect()
    }
}
