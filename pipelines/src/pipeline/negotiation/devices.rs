//! The stages of a graph, asked by the solver.

use std::collections::BTreeMap;

use dmaflow_core::caps::{Properties, Property};
use dmaflow_core::format::Format;
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, SourcePlan, StageError};

use super::super::Builder;
use super::super::graph::{Domain, Edge, Graph, InputId, OutputId, Stage, domains};
use super::converters::Converter;
use super::heaps::Candidates;
use super::pools::{Made, Making, Set, buffers};
use super::stated::{Side, Stated};
use super::{Settled, drivers, importers};
use crate::error::{PipelineError, Refusal, RefusalReason};
use crate::probe::{Answers, Unfit, Wanted, is_for_good};
use crate::solver::{Answer, Ask, HeapId, Inserted, Placement, Plan, PoolPlan, PortId};
use crate::solver::{Question, Refusal as No, Unsolvable};

/// The pools that were made, and what stages chose by themselves, by stage.
type Realised = (Vec<Settled>, Vec<(usize, Choice)>);

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
    /// A converter cannot be opened, or leads round in circles: nothing more is asked.
    broken: bool,
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
            broken: false,
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
        }
    }

    /// Whether what devices are said to have answered is not so, or nothing was left to try
    /// because of it.
    pub(super) const fn are_doubtful(&self, found: bool) -> bool {
        self.lied || (!found && self.passed_over)
    }

    /// Has every device asked anew from now on.
    pub(super) fn forget_answers(&mut self) {
        let stages = self.graph.nodes.iter();
        let keys: Vec<_> = stages.filter_map(|node| node.stage.key()).collect();
        self.answers.forget(&keys);
        self.refusals.truncate(self.refused_before);
        (self.passed_over, self.lied) = (false, false);
        for node in &mut self.graph.nodes {
            node.stage.detach();
        }
        self.arranged.clear();
        for making in self.making.values_mut() {
            (making.set, making.pool) = (None, None);
        }
    }

    /// Has converters put in where the solver asks for them.
    pub(super) fn offer(&mut self, converters: &'b [Converter]) {
        self.converters = converters;
        self.refusals.truncate(self.refused_before);
    }

    /// Adds what is known of the drivers to why they cannot agree.
    pub(super) fn explain(&self, unsolvable: &mut Unsolvable) {
        drivers::explain(unsolvable, self.graph, self.stated);
    }

    /// The domains, with those of converters that were put in, and what was refused.
    pub(super) fn into_parts(self) -> (Vec<Domain>, Vec<Refusal>) {
        (self.domains, self.refusals)
    }

    /// Whose port it is, also of converters that were put in.
    fn place(&self, port: PortId) -> Port {
        match port.index().checked_sub(self.base.ports) {
            None => self.stated.place(port),
            Some(behind) if behind.is_multiple_of(2) => {
                (self.base.nodes + behind / 2, Side::Input(0))
            }
            Some(behind) => (self.base.nodes + behind / 2, Side::Output(0)),
        }
    }

    /// Puts converters into the graph, in the place of those that were put in before.
    fn put_in(&mut self, inserted: &[Inserted]) -> Result<(), PipelineError> {
        for node in &mut self.graph.nodes {
            node.stage.detach();
        }
        self.graph.nodes.truncate(self.base.nodes);
        self.graph.edges.clone_from(&self.base.edges);
        self.arranged.clear();
        for new in inserted {
            let converter = &self.converters[new.converter];
            let stage = self.graph.nodes.len();
            let name = format!("converter-{}", stage + 1 - self.base.nodes);
            self.graph.nodes.push(converter.open(name)?);
            let (input, output) = (InputId { stage, port: 0 }, OutputId { stage, port: 0 });
            let (to, queue) = match self.graph.edges.get_mut(new.link.index()) {
                Some(edge) => (std::mem::replace(&mut edge.to, input), edge.queue),
                None => continue,
            };
            let onward = Edge {
                from: output,
                to,
                queue,
            };
            self.graph.edges.push(onward);
        }
        self.asked.resize(self.graph.nodes.len(), None);
        self.domains = domains(self.graph)?;
        self.making = making(self.graph, &self.domains);
        Ok(())
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
                self.lied |= known.is_accepted();
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

    /// What an importer of a pool said before, if it was a no.
    fn refused_before(&mut self, stage: usize, heap: usize) -> Option<Vec<RefusalReason>> {
        let domain = self
            .domains
            .iter()
            .find(|domain| domain.producers.contains(&stage))?;
        let set = self.making.get(&stage)?.set.as_ref()?;
        let wanted = Wanted {
            layout: set.plan.layout.clone(),
            buffers: set.buffers,
        };
        let mut importers = importers::of_pool(self.graph, domain, stage);
        let importers = importers::borrowed(&mut importers);
        let heap = &self.heaps.heaps[heap];
        let known = self.answers.on(heap, &importers, &wanted);
        if known.refused.is_empty() {
            return None;
        }
        self.passed_over = true;
        Some(Unfit::Refused(known.refused).reasons())
    }

    fn refuse(
        &mut self,
        format: Option<Format>,
        heap: Option<usize>,
        reason: RefusalReason,
    ) -> Answer {
        let heap = heap.map(|heap| &self.heaps.heaps[heap]);
        let about = match self.lied {
            // Everything is asked afresh: the search is to end.
            true => Properties::NONE,
            false => about(&reason, heap),
        };
        let no = No::about(reason.to_string(), about);
        self.refusals.push(Refusal {
            format,
            heap: heap.map(|heap| heap.name().to_owned()),
            reason,
        });
        Answer::No(no)
    }

    /// Does again what a later question undid, and what was left to be done.
    pub(super) fn realise(&mut self, plan: &Plan) -> Result<Realised, PipelineError> {
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

    fn format(&mut self, port: Port, placement: &Placement, input: Option<&Placement>) -> Answer {
        let (stage, Side::Output(_)) = port else {
            // Whoever takes frames is asked with the frames themselves.
            return Answer::Yes;
        };
        if matches!(
            self.graph.nodes[stage].stage,
            Stage::Filter(_) | Stage::Router(_)
        ) {
            return Answer::Yes;
        }
        let format = placement.terms.format;
        let input = input.and_then(|input| input.layout().ok());
        if let Err(reason) = self.set(stage, format, input.as_ref()) {
            return self.refuse(Some(format), None, reason);
        }
        let Some(set) = &self.making(stage).set else {
            return Answer::Yes;
        };
        let mut given = Placement::of(&set.plan.layout, placement.terms.rate);
        // What nobody asked for is nobody's disagreement.
        given.terms.colour = placement.terms.colour;
        if given == *placement {
            Answer::Yes
        } else {
            Answer::Instead(given)
        }
    }

    fn allocation(&mut self, stage: usize, heap: HeapId, placement: &Placement) -> Answer {
        let (format, heap) = (placement.terms.format, heap.index());
        // Another format may have been tried meanwhile.
        let input = self.input_of(stage);
        if let Err(reason) = self.set(stage, format, input.as_ref()) {
            return self.refuse(Some(format), None, reason);
        }
        if let Some(reasons) = self.refused_before(stage, heap) {
            let answers = reasons
                .into_iter()
                .map(|reason| self.refuse(Some(format), Some(heap), reason));
            if let Some(no) = answers.last() {
                return no;
            }
        }
        match self.allocate(stage, heap) {
            Ok(()) => Answer::Yes,
            Err(reason) => self.refuse(Some(format), Some(heap), reason),
        }
    }
}

impl Ask for Devices<'_> {
    fn with_converters(&mut self, inserted: &[Inserted]) {
        let done = self.put_in(inserted);
        if let Err(error) = &done {
            tracing::warn!(%error, "a converter cannot be put in");
        }
        self.broken = done.is_err();
    }

    fn ask(&mut self, question: &Question<'_>) -> Answer {
        if self.broken {
            return Answer::No(No::about("a converter cannot be used", Properties::NONE));
        }
        match *question {
            Question::Format {
                port,
                placement,
                input,
            } => self.format(self.place(port), placement, input),
            Question::Allocate {
                producer,
                heap,
                placement,
                ..
            } => {
                let (stage, _) = self.place(producer);
                self.allocation(stage, heap, placement)
            }
            Question::Attach {
                port,
                producer,
                heap,
                placement,
                ..
            } => {
                let (format, heap) = (placement.terms.format, heap.index());
                let (port, (maker, _)) = (self.place(port), self.place(producer));
                let input = self.input_of(maker);
                let done = self
                    .set(maker, format, input.as_ref())
                    .and_then(|()| self.allocate(maker, heap))
                    .and_then(|()| self.attach(port, maker))
                    .and_then(|()| self.arrange(port.0));
                match done {
                    Ok(()) => Answer::Yes,
                    Err(reason) => self.refuse(Some(format), Some(heap), reason),
                }
            }
        }
    }
}

/// What a graph was.
struct Base {
    nodes: usize,
    edges: Vec<Edge>,
    /// Of the problem that it was stated as.
    ports: usize,
}

impl Base {
    fn of(graph: &Graph, stated: &Stated) -> Self {
        Self {
            nodes: graph.nodes.len(),
            edges: graph.edges.clone(),
            ports: stated.problem.ports().count(),
        }
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

/// What a refusal depends on: what is the same in these would be refused as well.
fn about(reason: &RefusalReason, heap: Option<&Heap>) -> Properties {
    let picture = &[
        Property::Format,
        Property::Modifier,
        Property::Split,
        Property::Width,
        Property::Height,
        Property::Stride,
        Property::Rows,
    ];
    match (reason, heap) {
        (RefusalReason::TooFewBuffers { .. }, _) => Properties::NONE,
        // The memory itself will not do.
        (RefusalReason::Stage(reason), Some(heap)) if is_for_good(reason, heap) => {
            Properties::of(&[Property::Memory])
        }
        (RefusalReason::Stage(StageError::Refused(_)) | RefusalReason::Pool(_), _) => {
            Properties::ALL
        }
        (_, None) => Properties::of(&[Property::Format, Property::Split]),
        // Whatever it lies in.
        _ => Properties::of(picture),
    }
}
