//! Agreeing on formats and heaps by asking the devices.
//!
//! Nothing is inferred from what a driver says of itself: each candidate is tried as
//! [`probe`](crate::probe) tries it, in the order in which that ranks them, and the first that
//! all of them take is kept. Domains are settled one after the other; where one cannot be, the
//! one before it tries its next format.

mod ask;
mod heaps;
mod outcome;

use dmaflow_core::format::Format;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::{Account, Heap, HeapRegistry};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, SourcePlan};

use super::graph::{Domain, Graph, Stage, domains};
use super::{Builder, Pipeline};
use crate::error::{PipelineError, Refusal, RefusalReason};
use crate::probe::{Answers, Ask, Imported, Probe, Unfit, Wanted, attempt, probe};

/// Which heaps may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HeapRequest {
    /// The best that every device takes, see [`probe`](crate::probe).
    #[default]
    Any,
    /// The first of these that every device takes.
    Names(Vec<String>),
}

/// What the frames' pool is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolRequest {
    /// Which heaps may be used.
    pub heaps: HeapRequest,
    /// How many frames; by default what all stages hold that use them, and what waits in
    /// their links.
    pub buffers: Option<usize>,
}

pub(super) fn negotiate(
    mut builder: Builder,
    registry: &HeapRegistry,
) -> Result<Pipeline, PipelineError> {
    builder.graph.check()?;
    builder.graph.share();
    let domains = domains(&builder.graph)?;
    let mut refusals = Vec::new();
    let mut settling = Settling::new(&mut builder, registry, &domains, &mut refusals)?;
    let mut found = settling.settle(0);
    if let Err(Failed::Doubtful) = found {
        tracing::debug!("devices answer otherwise than before, and are asked afresh");
        settling.forget_answers();
        found = settling.settle(0);
    }
    let Settling { settled, .. } = settling;
    builder.answers.save();
    match found {
        Ok(choices) => {
            let agreed = Agreed {
                settled,
                choices,
                refusals,
            };
            outcome::assemble(builder, domains, agreed)
        }
        Err(Failed::Broken(error)) => Err(*error),
        Err(Failed::NoWay | Failed::Doubtful) => Err(PipelineError::Refused(refusals)),
    }
}

/// What stages chose by themselves, by stage.
type Choices = Vec<(usize, Choice)>;

/// What a stage will make, and the pool that it needs.
type Planned = (usize, SourcePlan, Wanted);

/// What was found for the frames of one stage.
struct Settled {
    /// The stage that makes them.
    stage: usize,
    plan: SourcePlan,
    pool: FramePool,
}

/// All that was found.
struct Agreed {
    settled: Vec<Settled>,
    choices: Choices,
    refusals: Vec<Refusal>,
}

/// Why a domain and those behind it cannot be settled.
enum Failed {
    /// All that there is was tried.
    NoWay,
    /// What devices are said to have answered is not so, or nothing is left to try because of
    /// it.
    Doubtful,
    /// A stage cannot be asked.
    Broken(Box<PipelineError>),
}

impl From<PipelineError> for Failed {
    fn from(error: PipelineError) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// A search through what may be tried.
struct Settling<'b> {
    graph: &'b mut Graph,
    answers: &'b mut Answers,
    domains: &'b [Domain],
    /// What each domain's pools may be allocated from, best first.
    heaps: Vec<Vec<Heap>>,
    /// How many frames were asked for, by stage.
    buffers: Vec<Option<usize>>,
    refusals: &'b mut Vec<Refusal>,
    /// Refusals before anything was tried.
    refused_before: usize,
    settled: Vec<Settled>,
}

impl<'b> Settling<'b> {
    fn new(
        builder: &'b mut Builder,
        registry: &HeapRegistry,
        domains: &'b [Domain],
        refusals: &'b mut Vec<Refusal>,
    ) -> Result<Self, PipelineError> {
        let mut candidates = Vec::with_capacity(domains.len());
        for domain in domains {
            let account = Account::new(domain.name(&builder.graph));
            let found = heaps::candidates(builder, domain, registry, refusals)?;
            let heaps = found.iter().map(|heap| heap.for_account(&account));
            candidates.push(heaps.collect());
        }
        let stages = 0..builder.graph.nodes.len();
        let asked = |stage: usize| builder.pools.get(&stage).and_then(|pool| pool.buffers);
        Ok(Self {
            buffers: stages.map(asked).collect(),
            graph: &mut builder.graph,
            answers: &mut builder.answers,
            domains,
            heaps: candidates,
            refused_before: refusals.len(),
            refusals,
            settled: Vec::new(),
        })
    }

    fn forget_answers(&mut self) {
        let stages = self.graph.nodes.iter();
        let keys: Vec<_> = stages.filter_map(|node| node.stage.key()).collect();
        self.answers.forget(&keys);
        self.settled.clear();
        for node in &mut self.graph.nodes {
            node.stage.detach();
        }
        self.refusals.truncate(self.refused_before);
    }

    /// Settles a domain and all behind it, and tells what stages chose.
    fn settle(&mut self, index: usize) -> Result<Choices, Failed> {
        let Some(domain) = self.domains.get(index) else {
            return self.arrange();
        };
        let formats = ask::common_formats(self.graph, domain)?;
        let mut heaps = self.heaps[index].clone();
        let mut passed_over = false;
        let before = self.settled.len();
        for format in formats {
            let plans = match self.plan(domain, format) {
                Ok(plans) => plans,
                Err(reason) => {
                    self.refuse(Some(format), None, reason);
                    continue;
                }
            };
            let mut usable = Vec::with_capacity(heaps.len());
            let mut heaps_left = heaps.into_iter();
            for heap in heaps_left.by_ref() {
                let tried = self.offer(domain, &heap, &plans, &mut passed_over)?;
                let unfit = match tried {
                    Ok(mut choices) => {
                        match self.settle(index + 1) {
                            Ok(further) => {
                                choices.extend(further);
                                return Ok(choices);
                            }
                            Err(Failed::NoWay) => {}
                            Err(failed) => return Err(failed),
                        }
                        self.settled.truncate(before);
                        ask::undo(self.graph, domain);
                        // Another heap would not help those behind.
                        usable.push(heap);
                        break;
                    }
                    Err(unfit) => unfit,
                };
                let for_good = unfit.is_for_good(&heap);
                for reason in unfit.reasons() {
                    self.refuse(Some(format), Some(&heap), reason);
                }
                if !for_good {
                    usable.push(heap);
                }
            }
            usable.extend(heaps_left);
            heaps = usable;
            if heaps.is_empty() {
                break;
            }
        }
        Err(if passed_over {
            Failed::Doubtful
        } else {
            Failed::NoWay
        })
    }

    /// Sets a domain's producers to a format, and tells what their pools must then be.
    fn plan(&mut self, domain: &Domain, format: Format) -> Result<Vec<Planned>, RefusalReason> {
        let held = ask::frames_held(self.graph, domain);
        let waiting: usize = domain
            .links
            .iter()
            .map(|&link| self.graph.edges[link].queue.frames())
            .sum();
        let mut plans: Vec<Planned> = Vec::new();
        for &stage in &domain.producers {
            let input = self.input_of(stage, &plans);
            let plan = match (&mut self.graph.nodes[stage].stage, input) {
                (Stage::Source(source), _) => source.configure(format)?,
                (Stage::Transform(transform), Some(input)) => {
                    transform.configure(&input, format)?
                }
                _ => continue,
            };
            if let Some((first, known, _)) = plans.first()
                && !is_alike(known, &plan)
            {
                return Err(RefusalReason::Unlike {
                    stage: self.graph.name(stage).to_owned(),
                    makes: plan.layout.to_string(),
                    other: self.graph.name(*first).to_owned(),
                    wants: known.layout.to_string(),
                });
            }
            let needed = plan.min_buffers + held;
            let buffers = self.buffers[stage].unwrap_or(needed + waiting);
            if buffers < needed {
                return Err(RefusalReason::TooFewBuffers {
                    asked: buffers,
                    needed,
                });
            }
            let layout = plan.layout.clone();
            plans.push((stage, plan, Wanted { layout, buffers }));
        }
        Ok(plans)
    }

    /// How the frames lie that a transform is to take.
    fn input_of(&self, stage: usize, plans: &[Planned]) -> Option<Layout> {
        let domain = self
            .domains
            .iter()
            .find(|domain| domain.is_used_by(stage))?;
        let earlier = self
            .settled
            .iter()
            .map(|settled| (settled.stage, &settled.plan));
        let now = plans.iter().map(|(stage, plan, _)| (*stage, plan));
        let mut known = earlier.chain(now);
        let (_, plan) = known.find(|(maker, _)| domain.producers.contains(maker))?;
        Some(plan.layout.clone())
    }

    /// Has a domain's stages import pools of a heap, one a producer; all of them or none.
    fn offer(
        &mut self,
        domain: &Domain,
        heap: &Heap,
        plans: &[Planned],
        passed_over: &mut bool,
    ) -> Result<Result<Choices, Unfit>, Failed> {
        let before = self.settled.len();
        let mut all = Choices::new();
        for planned in plans {
            match self.offer_one(domain, heap, planned, passed_over)? {
                Ok(choices) => all.extend(choices),
                Err(unfit) => {
                    self.settled.truncate(before);
                    ask::undo(self.graph, domain);
                    return Ok(Err(unfit));
                }
            }
        }
        Ok(Ok(all))
    }

    fn offer_one(
        &mut self,
        domain: &Domain,
        heap: &Heap,
        (producer, plan, wanted): &Planned,
        passed_over: &mut bool,
    ) -> Result<Result<Choices, Unfit>, Failed> {
        let (stages, mut importers) = ask::importers(self.graph, domain, *producer);
        let mut importers = ask::borrowed(&mut importers);
        let known = self.answers.on(heap, &importers, wanted);
        let is_accepted = known.is_accepted();
        if !known.refused.is_empty() {
            *passed_over = true;
            return Ok(Err(Unfit::Refused(known.refused)));
        }
        let how = Ask::UntilRefused;
        let tried = attempt(heap, &mut importers, wanted, how, self.answers);
        let Imported { pool, choices } = match tried.outcome {
            Ok(imported) => imported,
            Err(Unfit::Refused(_)) if is_accepted => return Err(Failed::Doubtful),
            Err(unfit) => return Ok(Err(unfit)),
        };
        let own = plan
            .choices
            .iter()
            .map(|choice| (*producer, choice.clone()));
        let theirs = stages.into_iter().zip(choices);
        let theirs = theirs
            .flat_map(|(stage, choices)| choices.into_iter().map(move |choice| (stage, choice)));
        let choices = own.chain(theirs).collect();
        self.settled.push(Settled {
            stage: *producer,
            plan: plan.clone(),
            pool,
        });
        Ok(Ok(choices))
    }

    /// Has mixers find a way to show all their inputs together, once these have their frames.
    fn arrange(&mut self) -> Result<Choices, Failed> {
        let mut all = Vec::new();
        for stage in 0..self.graph.nodes.len() {
            let Stage::Mixer(mixer) = &mut self.graph.nodes[stage].stage else {
                continue;
            };
            match mixer.arrange() {
                Ok(choices) => all.extend(choices.into_iter().map(|choice| (stage, choice))),
                Err(reason) => {
                    self.refuse(None, None, reason.into());
                    return Err(Failed::NoWay);
                }
            }
        }
        Ok(all)
    }

    fn refuse(&mut self, format: Option<Format>, heap: Option<&Heap>, reason: RefusalReason) {
        self.refusals.push(Refusal {
            format,
            heap: heap.map(|heap| heap.name().to_owned()),
            reason,
        });
    }
}

/// Whether frames of both can take turns in one place.
fn is_alike(one: &SourcePlan, other: &SourcePlan) -> bool {
    let size = |plan: &SourcePlan| (plan.layout.width(), plan.layout.height());
    size(one) == size(other)
}

impl Builder {
    /// Asks the stages about every heap as [`probe`] does, in each format that they have in
    /// common until one heap is accepted: the last probe is the one that went best. The log tells
    /// of formats that they cannot be set to.
    ///
    /// Of a pipeline with several pools the first one's stages are asked.
    ///
    /// # Errors
    /// [`PipelineError`] when they have no format in common, or cannot be set to any.
    pub fn probe(&mut self, heaps: &[Heap]) -> Result<Vec<Probe>, PipelineError> {
        self.graph.check()?;
        self.graph.share();
        let domains = domains(&self.graph)?;
        let Some(domain) = domains.first() else {
            return Err(PipelineError::Refused(Vec::new()));
        };
        let formats = ask::common_formats(&mut self.graph, domain)?;
        let mut heaps = heaps.to_vec();
        let (mut probes, mut refusals) = (Vec::new(), Vec::new());
        let mut settling = Settling::new(self, &HeapRegistry::new(), &[], &mut refusals)?;
        for format in formats {
            let plans = match settling.plan(domain, format) {
                Ok(plans) => plans,
                Err(reason) => {
                    settling.refuse(Some(format), None, reason);
                    continue;
                }
            };
            let Some((producer, _, wanted)) = plans.first() else {
                continue;
            };
            let (_, mut importers) = ask::importers(settling.graph, domain, *producer);
            let importers = &mut ask::borrowed(&mut importers)[..];
            let asked = probe(&heaps, importers, wanted, settling.answers);
            heaps.clear();
            let rest = asked.ranked.iter().filter(|verdict| !verdict.is_for_good());
            heaps.extend(rest.map(|verdict| verdict.heap.clone()));
            let done = asked.best().is_some() || heaps.is_empty();
            probes.push(asked);
            if done {
                break;
            }
        }
        if probes.is_empty() {
            return Err(PipelineError::Refused(refusals));
        }
        for refusal in refusals {
            tracing::warn!("{} is not asked about: {}", refusal.tried(), refusal.reason);
        }
        Ok(probes)
    }
}
