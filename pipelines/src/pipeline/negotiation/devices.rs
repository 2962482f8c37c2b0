//! The stages of a graph, asked by the solver.

mod asking;
mod inserting;
mod realising;

use std::collections::BTreeMap;

use dmaflow_core::caps::Property;
use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, DeviceKey};

use super::super::Builder;
use super::super::graph::{Domain, Graph, Stage};
use super::converters::Converter;
use super::heaps::Candidates;
use super::pools::{Made, Making, Set, buffers};
use super::stated::{Side, Stated};
use super::{drivers, importers};
use crate::error::{Refusal, RefusalReason, list_of};
use crate::probe::{Answers, Wanted};
use crate::solver::Unsolvable;
use inserting::Base;

/// A stage's port.
type Port = (usize, Side);

/// Stages that are asked, and what they hold meanwhile.
pub(super) struct Devices<'b> {
    graph: &'b mut Graph,
    answers: &'b mut Answers,
    domains: Vec<Domain>,
    heaps: &'b Candidates,
    stated: &'b Stated,
    /// What the graph was before converters were put in.
    base: Base,
    /// What may be put in.
    converters: &'b [Converter],
    /// By stage that makes frames.
    making: BTreeMap<usize, Making>,
    /// How many frames were asked for, by stage.
    asked: Vec<Option<usize>>,
    /// What mixers chose when they were arranged last, by stage; they are so still.
    arranged: BTreeMap<usize, Vec<Choice>>,
    refusals: Vec<Refusal>,
    /// Refusals before anything was tried.
    refused_before: usize,
    /// What was refused earlier was not tried.
    passed_over: bool,
    /// What was accepted earlier was refused.
    lied: bool,
    /// The devices whose earlier answers were forgotten: what is known of them, they said today.
    afresh: Vec<DeviceKey>,
}

impl<'b> Devices<'b> {
    pub(super) fn new(
        builder: &'b mut Builder,
        domains: Vec<Domain>,
        heaps: &'b Candidates,
        stated: &'b Stated,
        refusals: Vec<Refusal>,
    ) -> Self {
        let stages = 0..builder.graph.nodes.len();
        let asked = stages.map(|stage| builder.pools.get(&stage)?.buffers);
        Self {
            making: making(&builder.graph, &domains),
            asked: asked.collect(),
            base: Base::of(&builder.graph, stated),
            converters: &[],
            graph: &mut builder.graph,
            answers: &mut builder.answers,
            domains,
            heaps,
            stated,
            arranged: BTreeMap::new(),
            refused_before: refusals.len(),
            refusals,
            passed_over: false,
            lied: false,
            afresh: Vec::new(),
        }
    }

    /// Whether what devices are said to have answered is not so, or nothing was left to try
    /// because of it.
    pub(super) const fn are_doubtful(&self, found: bool) -> bool {
        self.lied || (!found && self.passed_over)
    }

    /// Has every device asked anew from now on, and takes converters out again.
    pub(super) fn forget_answers(&mut self) {
        let stages = self.graph.nodes.iter();
        let keys = stages.filter_map(|node| node.stage.key());
        self.afresh.extend(keys);
        self.afresh
            .extend(self.converters.iter().filter_map(Converter::key));
        self.answers.forget(&self.afresh);
        self.refusals.truncate(self.refused_before);
        (self.passed_over, self.lied) = (false, false);
        if let Err(error) = self.put_in(&[]) {
            tracing::warn!(%error, "the graph is not as it was");
        }
    }

    /// Has converters put in where the solver asks for them.
    pub(super) fn offer(&mut self, converters: &'b [Converter]) {
        self.converters = converters;
        self.refusals.truncate(self.refused_before);
    }

    /// Adds what is known of the drivers to why they cannot agree; and where that is so by their
    /// own word, what converters refused that might have helped, and the heaps that were asked
    /// for and cannot be opened.
    pub(super) fn explain(&self, unsolvable: &mut Unsolvable) {
        drivers::explain(unsolvable, self.graph, self.stated);
        if unsolvable.refusals.is_empty() {
            let first = match unsolvable.properties.contains(Property::Memory) {
                true => 0,
                false => self.refused_before,
            };
            let told = self.refusals.get(first..).unwrap_or_default();
            unsolvable.reason.push_str(&list_of(told));
        }
    }

    /// The domains, with those of converters that were put in, and what was refused.
    pub(super) fn into_parts(self) -> (Vec<Domain>, Vec<Refusal>) {
        (self.domains, self.refusals)
    }

    fn making(&mut self, stage: usize) -> &mut Making {
        self.making
            .entry(stage)
            .or_insert_with(|| Making::new(String::new()))
    }

    /// Sets a stage to make frames of a format, where it is not set so.
    fn set(
        &mut self,
        stage: usize,
        format: Format,
        input: Option<&Layout>,
    ) -> Result<(), RefusalReason> {
        if self.making(stage).is_set(format, input) {
            return Ok(());
        }
        self.let_go(stage);
        self.making(stage).set = None;
        if matches!(self.graph.nodes[stage].stage, Stage::Transform(_)) {
            // It lets go of what it takes when it is set, and is to import that again.
            self.detach((stage, Side::Input(0)));
        }
        let plan = match (&mut self.graph.nodes[stage].stage, input) {
            (Stage::Source(source), _) => source.configure(format)?,
            (Stage::Transform(transform), Some(input)) => transform.configure(input, format)?,
            // Nobody makes what it would take.
            _ => return Ok(()),
        };
        let of = |domain: &&Domain| domain.producers.contains(&stage);
        let buffers = match self.domains.iter().find(of) {
            Some(domain) => buffers(self.graph, domain, &plan, self.asked[stage])?,
            None => plan.min_buffers,
        };
        self.making(stage).set = Some(Set {
            format,
            input: input.cloned(),
            plan,
            buffers,
        });
        Ok(())
    }

    /// Has everybody let go of a stage's pool, and gives it back.
    fn let_go(&mut self, stage: usize) {
        let Some(made) = self.making(stage).pool.take() else {
            return;
        };
        for (port, _) in made.held_by.iter().rev() {
            self.detach(*port);
        }
    }

    /// Has a port let go of its pools: also of others' than the one that is meant.
    fn detach(&mut self, port: Port) {
        let (stage, side) = port;
        let node = &mut self.graph.nodes[stage];
        if let Some(mut importer) = importers::importer(&mut node.stage, side) {
            importer.undo();
        }
        self.arranged.remove(&stage);
        for made in self
            .making
            .values_mut()
            .filter_map(|making| making.pool.as_mut())
        {
            made.held_by.retain(|(known, _)| *known != port);
        }
    }

    /// Allocates a stage's pool, where there is none like it.
    fn allocate(&mut self, stage: usize, heap: usize) -> Result<(), RefusalReason> {
        let candidate = &self.heaps.heaps[heap];
        let making = self.making(stage);
        let Some(set) = &making.set else {
            return Ok(());
        };
        let (layout, buffers) = (set.plan.layout.clone(), set.buffers);
        let is_there = |made: &Made| made.heap == heap && *made.pool.layout() == layout;
        if making.pool.as_ref().is_some_and(is_there) {
            return Ok(());
        }
        let candidate = candidate.for_account(&making.account);
        self.let_go(stage);
        let made = Made::allocate(heap, &candidate, &layout, buffers)?;
        self.making(stage).pool = Some(made);
        Ok(())
    }

    /// Has a port import a stage's pool, where it has not.
    fn attach(&mut self, port: Port, maker: usize) -> Result<(), RefusalReason> {
        let Self {
            graph,
            answers,
            making,
            afresh,
            ..
        } = self;
        let Some(made) = making
            .get_mut(&maker)
            .and_then(|making| making.pool.as_mut())
        else {
            return Ok(());
        };
        if made.is_held_by(port) {
            return Ok(());
        }
        let (stage, side) = port;
        let Some(mut importer) = importers::importer(&mut graph.nodes[stage].stage, side) else {
            made.held_by.push((port, Vec::new()));
            return Ok(());
        };
        let wanted = Wanted {
            layout: made.pool.layout().clone(),
            buffers: made.pool.len(),
        };
        let heap = made.pool.heap();
        let known = answers.on(heap, &[importer.as_mut()], &wanted);
        let answer = importer.import(&made.pool);
        answers.note(heap, importer.as_ref(), &wanted, made.took, &answer);
        match answer {
            Ok(choices) => {
                made.held_by.push((port, choices));
                self.arranged.remove(&stage);
                Ok(())
            }
            Err(reason) => {
                let device = importer.device();
                tracing::debug!(heap = heap.name(), device, %reason, "not imported");
                let is_afresh = importer.key().is_some_and(|key| afresh.contains(&key));
                self.lied |= known.is_accepted() && !is_afresh;
                Err(reason.into())
            }
        }
    }

    /// Has a mixer find a way to show all its inputs together, as soon as all have a pool.
    fn arrange(&mut self, stage: usize) -> Result<(), RefusalReason> {
        let pools = self
            .making
            .values()
            .filter_map(|making| making.pool.as_ref());
        let held: Vec<Port> = pools
            .flat_map(|made| made.held_by.iter().map(|(port, _)| *port))
            .collect();
        let Stage::Mixer(mixer) = &mut self.graph.nodes[stage].stage else {
            return Ok(());
        };
        let mut inputs = 0..mixer.inputs();
        let all = inputs.all(|input| held.contains(&(stage, Side::Input(input))));
        if all && !self.arranged.contains_key(&stage) {
            let choices = mixer.arrange()?;
            self.arranged.insert(stage, choices);
        }
        Ok(())
    }
    /// How the frames lie that a transform takes.
    fn input_of(&self, stage: usize) -> Option<Layout> {
        let domain = self
            .domains
            .iter()
            .find(|domain| domain.is_used_by(stage))?;
        let maker = domain.producers.first()?;
        let set = self.making.get(maker)?.set.as_ref()?;
        Some(set.plan.layout.clone())
    }
}

/// What makes frames, not set and without pools.
fn making(graph: &Graph, domains: &[Domain]) -> BTreeMap<usize, Making> {
    let making = domains.iter().flat_map(|domain| {
        let name = domain.name(graph);
        let makers = domain.producers.iter();
        makers.map(move |&stage| (stage, Making::new(name.clone())))
    });
    making.collect()
}
