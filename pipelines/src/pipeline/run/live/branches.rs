//! Branches that come and go while a run goes on.

use std::sync::{Arc, PoisonError};

use dmaflow_core::stage::{Controls, StageError};

use super::super::super::graph::{InputId, OutputId, Stage};
use super::super::roster::{LinkEntry, Origin, StageEntry};
use super::super::stages::RunSink;
use super::super::threads::Aside;
use super::Live;
use crate::QueuePolicy;
use crate::bell::Bell;
use crate::control::{ControlError, LinkName, NewBranch, Role};
use crate::error::RunFailure;
use crate::link::{Input, Link, Noted, Order, Relay, noting_link};
use crate::report::join_counters;

impl Live<'_, '_, '_> {
    pub(super) fn drop_branch(&mut self, asked: &LinkName) -> Result<(), ControlError> {
        let place = self.link(asked)?;
        let (from, number) = (
            self.roster.links[place].from,
            self.roster.links[place].number,
        );
        let links = self.roster.live_links();
        if links.filter(|link| link.from == from).count() < 2 {
            return Err(ControlError::LastLink {
                link: asked.clone(),
            });
        }
        self.roster.links[place].dropped = true;
        // Before the link ends: a stage looks when it does.
        let ending = self.fed_by_nobody();
        let set = |live: &Self, aside: bool| {
            for &stage in &ending {
                live.roster.stages[stage].aside.set(aside);
            }
        };
        set(self, true);
        let ordered = self.order(from, Order::Drop(number), asked);
        if ordered.is_err() {
            set(self, false);
            self.roster.links[place].dropped = false;
        }
        ordered
    }

    /// Stages that take frames and to which nobody who goes on sends any, but for those that are
    /// known to end.
    fn fed_by_nobody(&self) -> Vec<usize> {
        let mut ending: Vec<usize> = Vec::new();
        loop {
            let is_fed = |stage: usize, ending: &[usize]| {
                let mut links = self.roster.links.iter();
                links.any(|link| {
                    link.to.stage == stage && !link.dropped && !ending.contains(&link.from.stage)
                })
            };
            let next = self
                .roster
                .stages
                .iter()
                .enumerate()
                .position(|(place, stage)| {
                    stage.role != Role::Source
                        && !stage.aside.is_set()
                        && !ending.contains(&place)
                        && !is_fed(place, &ending)
                });
            match next {
                Some(stage) => ending.push(stage),
                None => return ending,
            }
        }
    }

    pub(super) fn add_branch(&mut self, branch: NewBranch) -> Result<(), ControlError> {
        let NewBranch {
            from,
            name,
            stage,
            queue,
        } = branch;
        let Stage::Sink(mut sink) = stage.0 else {
            return Err(ControlError::NotASink { name });
        };
        let output = self.output(&from)?;
        let mut stages = self.roster.stages.iter();
        let known = stages.position(|stage| stage.name == name && stage.origin != Origin::Passing);
        let is_taken = known.is_some_and(|known| {
            let known = &self.roster.stages[known];
            known.running || known.origin != Origin::Added
        });
        if is_taken {
            return Err(ControlError::NameTaken { name });
        }
        let domain = self.domain(output);
        let queue = match self.roster.is_compressed(domain) {
            true => queue.shared().lossless(),
            false => queue.shared(),
        };
        self.check_room(domain, &name, queue.frames() + sink.frames_held())?;
        self.attach(&mut sink, &name, (&from, domain))?;
        let new = NewStage {
            name,
            device: Some(sink.device()),
            held: sink.frames_held(),
            origin: Origin::Added,
            controls: sink.controls(),
        };
        let stage = self.enter(new);
        let input = self.join(output, stage, queue)?;
        let entry = &self.roster.stages[stage];
        let (meter, counters) = (Arc::clone(&entry.meter), Arc::clone(&entry.counters));
        let renewals = self.roster.renewals.clone();
        self.begin(stage, move || {
            let run = sink.run(input, &meter, renewals);
            let stopped = sink.stop();
            // Whoever looks later finds what was counted.
            let mut counted = counters.lock().unwrap_or_else(PoisonError::into_inner);
            join_counters(&mut counted, sink.counters());
            drop(counted);
            sink.detach();
            run.and(stopped)
        })
    }

    /// Has a sink import what passes a domain.
    pub(super) fn attach(
        &self,
        sink: &mut Box<dyn RunSink>,
        name: &str,
        (from, domain): (&str, Option<usize>),
    ) -> Result<(), ControlError> {
        let failed = |source: StageError| ControlError::Stage {
            stage: name.to_owned(),
            source,
        };
        let pools = domain.and_then(|domain| self.roster.pools.get(domain));
        let taken = sink.formats().map_err(failed)?;
        for entry in pools.into_iter().flatten() {
            let found = entry.pool.layout().format();
            if let Some(taken) = &taken
                && !taken.contains(&found)
            {
                return Err(ControlError::NoCommonFormat {
                    stage: name.to_owned(),
                    from: from.to_owned(),
                    found: found.to_string(),
                    taken: taken.iter().map(|format| format.name()).collect(),
                });
            }
            sink.attach(&entry.pool).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether every pool of a domain has so many frames to spare.
    pub(super) fn check_room(
        &self,
        domain: Option<usize>,
        stage: &str,
        needed: usize,
    ) -> Result<(), ControlError> {
        let Some((pools, domain)) =
            domain.and_then(|domain| Some((self.roster.pools.get(domain)?, domain)))
        else {
            return Ok(());
        };
        let held = self.roster.held(domain);
        let mut pools = pools.iter();
        let short = pools.find(|entry| entry.pool.len() < entry.device + held + needed);
        short.map_or(Ok(()), |entry| {
            Err(ControlError::TooFewFrames {
                pool: entry.stage.clone(),
                frames: entry.pool.len(),
                device: entry.device,
                held,
                stage: stage.to_owned(),
                needed,
            })
        })
    }

    /// The first output of a stage, by its name.
    pub(super) fn output(&self, stage: &str) -> Result<OutputId, ControlError> {
        let place = self.stage(stage)?;
        if self.roster.stages[place].orders.is_empty() {
            return Err(ControlError::NoOutput {
                stage: stage.to_owned(),
                known: self.names(|stage| !stage.orders.is_empty()),
            });
        }
        Ok(OutputId {
            stage: place,
            port: 0,
        })
    }

    /// Whose frames leave an output.
    pub(super) fn domain(&self, output: OutputId) -> Option<usize> {
        let mut links = self.roster.links.iter();
        links.find(|link| link.from == output)?.domain
    }

    /// Enters a stage; it goes on counting for one of its name that has ended.
    pub(super) fn enter(&mut self, new: NewStage) -> usize {
        let mut stages = self.roster.stages.iter();
        let known = stages.position(|stage| stage.name == new.name && stage.origin == new.origin);
        let before = known.map(|known| &self.roster.stages[known]);
        let before = before.map(|known| (Arc::clone(&known.meter), Arc::clone(&known.counters)));
        let (meter, counters) = before.unwrap_or_default();
        let aside = Aside::default();
        aside.set(true);
        let entry = StageEntry {
            name: new.name,
            role: Role::Sink,
            device: new.device,
            held: new.held,
            meter,
            bell: Arc::new(Bell::default()),
            orders: Vec::new(),
            aside,
            fails_alone: true,
            origin: new.origin,
            running: true,
            failure: None,
            controls: new.controls,
            switch: None,
            counters,
        };
        match known {
            Some(known) => {
                self.roster.stages[known] = entry;
                known
            }
            None => {
                self.roster.stages.push(entry);
                self.roster.stages.len() - 1
            }
        }
    }

    /// Leads an output to a stage that was entered.
    pub(super) fn join(
        &mut self,
        output: OutputId,
        stage: usize,
        queue: QueuePolicy,
    ) -> Result<Input, ControlError> {
        let domain = self.domain(output);
        let bell = &self.roster.stages[stage].bell;
        let noted = self.noted(output, stage, domain);
        let (outlet, inlet, shared) = noting_link(queue, self.frames(domain), bell, noted);
        let (relay, number) = (Relay::default(), self.roster.next_number);
        let input = Input::new(inlet, relay.clone());
        let to = InputId { stage, port: 0 };
        let name = |stage: usize| self.roster.stages[stage].name.clone();
        let called = LinkName::new(name(output.stage), name(stage));
        if let Err(error) = self.order(output, Order::Add(number, outlet), &called) {
            self.roster.stages[stage].running = false;
            return Err(error);
        }
        self.roster.next_number += 1;
        self.record((output, to), (queue, number), (shared, relay));
        Ok(input)
    }

    /// Where it is noted which frames pass a new link, if it is of the others of its domain: one
    /// between the same stages goes on with what was noted.
    fn noted(&self, from: OutputId, stage: usize, domain: Option<usize>) -> Option<Noted> {
        let links = || self.roster.links.iter();
        let audited = links().any(|link| link.link.noted().is_some());
        if !audited {
            return None;
        }
        let to = InputId { stage, port: 0 };
        let known = links().find(|link| (link.from, link.to) == (from, to));
        let known = known.and_then(|link| link.link.noted().cloned());
        known.or_else(|| {
            let pools = self.roster.pools.get(domain?)?;
            Some(Noted::nothing(pools.iter().map(|entry| &entry.pool)))
        })
    }

    /// Notes a link; one between the same stages goes on counting.
    fn record(
        &mut self,
        (from, to): (OutputId, InputId),
        (queue, number): (QueuePolicy, usize),
        (link, relay): (Arc<Link>, Relay),
    ) {
        let domain = self.domain(from);
        let mut links = self.roster.links.iter_mut();
        if let Some(known) = links.find(|link| (link.from, link.to) == (from, to)) {
            known.replace(link);
            (known.queue, known.number, known.relay) = (queue, number, relay);
            known.dropped = false;
            return;
        }
        let origin = self.roster.stages[to.stage].origin;
        self.roster.links.push(LinkEntry::new(
            (from, to),
            (queue, number),
            (link, relay),
            (domain, origin),
        ));
    }

    /// Begins the thread of a stage that was entered.
    pub(super) fn begin(
        &mut self,
        stage: usize,
        work: impl FnOnce() -> Result<(), StageError> + Send + 'static,
    ) -> Result<(), ControlError> {
        let entry = &mut self.roster.stages[stage];
        let spawned = self.threads.spawn((stage, &entry.name), &entry.aside, work);
        spawned.map_err(|failure| {
            entry.running = false;
            match failure {
                RunFailure::Spawn { stage, source } => ControlError::Spawn { stage, source },
                _ => ControlError::Ended,
            }
        })
    }
}

/// A stage that is to be entered.
pub(super) struct NewStage {
    pub(super) name: String,
    pub(super) device: Option<String>,
    pub(super) held: usize,
    pub(super) origin: Origin,
    pub(super) controls: Option<Arc<dyn Controls>>,
}
