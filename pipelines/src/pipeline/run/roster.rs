//! Who takes part in a run, and by what it can be changed. It grows with what is added, and
//! forgets nothing that was counted.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex};

use dmaflow_core::frame::FramePool;
use dmaflow_core::stage::{Controls, Counter, Switch};

use super::super::Pipeline;
use super::super::audit::AuditedLink;
use super::super::graph::{InputId, OutputId, Stage};
use super::meters::{Meter, Totals};
use super::renewal::Renewals;
use super::threads::Aside;
use super::wiring::Wiring;
use crate::QueuePolicy;
use crate::bell::Bell;
use crate::control::{LinkName, Role};
use crate::link::{Link, Orders, Relay};

/// A stage of a run.
pub(super) struct StageEntry {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) device: Option<String>,
    /// Frames that it keeps, of each of its inputs.
    pub(super) held: usize,
    /// Of all that had its name, one after the other.
    pub(super) meter: Arc<Meter>,
    pub(super) bell: Arc<Bell>,
    /// By output.
    pub(super) orders: Vec<Orders>,
    pub(super) aside: Aside,
    /// Whether its failure is its own affair, where frames are used elsewhere as well.
    pub(super) fails_alone: bool,
    pub(super) origin: Origin,
    /// Whether its thread has not ended.
    pub(super) running: bool,
    pub(super) failure: Option<String>,
    pub(super) controls: Option<Arc<dyn Controls>>,
    pub(super) switch: Option<Arc<dyn Switch>>,
    /// What it counted besides, where it was added and has ended; of all that had its name.
    pub(super) counters: Arc<Mutex<Vec<Counter>>>,
}

/// How a stage or link came into a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// With the pipeline.
    Made,
    /// While it went on.
    Added,
    /// For one picture.
    Passing,
}

/// A link of a run.
pub(super) struct LinkEntry {
    pub(super) from: OutputId,
    pub(super) to: InputId,
    pub(super) queue: QueuePolicy,
    /// What its output calls it.
    pub(super) number: usize,
    pub(super) relay: Relay,
    /// Over which frames are sent, now or soon.
    pub(super) link: Arc<Link>,
    /// Over which they were sent before, and may be on their way still.
    former: Vec<Arc<Link>>,
    /// What passed those that are gone.
    before: Passed,
    /// Whose frames pass it.
    pub(super) domain: Option<usize>,
    pub(super) origin: Origin,
    pub(super) dropped: bool,
}

/// What passed a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) sent: u64,
    pub(super) taken: u64,
    pub(super) superseded: u64,
    pub(super) left: u64,
}

impl Passed {
    fn over(self, link: &Link) -> Self {
        Self {
            sent: self.sent + link.sent(),
            taken: self.taken + link.taken(),
            superseded: self.superseded + link.superseded(),
            left: self.left + link.left(),
        }
    }
}

impl LinkEntry {
    /// A link whose frames nobody sent yet.
    pub(super) fn new(
        (from, to): (OutputId, InputId),
        (queue, number): (QueuePolicy, usize),
        (link, relay): (Arc<Link>, Relay),
        (domain, origin): (Option<usize>, Origin),
    ) -> Self {
        Self {
            from,
            to,
            queue,
            number,
            relay,
            link,
            former: Vec::new(),
            before: Passed::default(),
            domain,
            origin,
            dropped: false,
        }
    }

    /// Goes on with another link.
    pub(super) fn replace(&mut self, link: Arc<Link>) {
        let former = std::mem::replace(&mut self.link, link);
        self.former.push(former);
        let before = &mut self.before;
        self.former.retain(|link| {
            // Where both ends are gone, nothing is counted any more.
            let gone = Arc::strong_count(link) == 1;
            if gone {
                // With the release of their drops: what they counted is seen. The count alone is
                // read without any order.
                fence(Ordering::Acquire);
                *before = before.over(link);
            }
            !gone
        });
    }

    /// Frames that wait in those that it went on from.
    pub(super) fn in_former(&self) -> usize {
        let waiting = self.former.iter().map(|link| link.waiting_at_its_end());
        usize::try_from(waiting.sum::<u64>()).unwrap_or(usize::MAX)
    }

    pub(super) fn passed(&self) -> Passed {
        let all = self.former.iter().chain([&self.link]);
        all.fold(self.before, |passed, link| passed.over(link))
    }

    /// Whether frames pass it.
    pub(super) fn is_live(&self) -> bool {
        !self.dropped && !self.link.is_closed()
    }
}

/// A pool of a run.
pub(super) struct PoolEntry {
    /// The stage that makes its frames.
    pub(super) stage: String,
    pub(super) pool: FramePool,
    /// Frames that the device keeps to fill.
    pub(super) device: usize,
}

/// Everybody.
pub(super) struct Roster {
    /// Those of the pipeline, in its order, and those that were added.
    pub(super) stages: Vec<StageEntry>,
    pub(super) links: Vec<LinkEntry>,
    /// By domain.
    pub(super) pools: Vec<Vec<PoolEntry>>,
    /// The stages in the order a frame travels.
    pub(super) order: Vec<usize>,
    /// What the next link is called by its output.
    pub(super) next_number: usize,
    pub(super) renewals: Renewals,
}

impl Roster {
    pub(super) fn new(pipeline: &Pipeline, wiring: &Wiring) -> Self {
        let nodes = pipeline.graph.nodes.iter().enumerate();
        let stages = nodes.map(|(stage, node)| StageEntry {
            name: node.name.clone(),
            role: role(&node.stage),
            device: node.stage.device(),
            held: node.stage.frames_held(),
            meter: Arc::default(),
            bell: Arc::clone(&wiring.bells[stage]),
            orders: wiring.orders[stage].clone(),
            aside: Aside::default(),
            fails_alone: node.stage.fails_alone(),
            origin: Origin::Made,
            running: true,
            failure: None,
            controls: node.stage.controls(),
            switch: node.stage.switch(),
            counters: Arc::default(),
        });
        let edges = pipeline.graph.edges.iter().zip(&wiring.wires).enumerate();
        let links = edges.map(|(number, (edge, wire))| {
            let mut domains = pipeline.domains.iter();
            let domain = domains.position(|domain| domain.links.contains(&number));
            LinkEntry::new(
                (edge.from, edge.to),
                (edge.queue, number),
                (Arc::clone(&wire.link), wire.relay.clone()),
                (domain, Origin::Made),
            )
        });
        let links: Vec<_> = links.collect();
        Self {
            stages: stages.collect(),
            next_number: links.len(),
            links,
            pools: pools(pipeline),
            order: pipeline.order.clone(),
            renewals: pipeline.renewals.clone(),
        }
    }

    /// The stages in the order a frame travels, those that were added last.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &StageEntry> {
        let made = self.order.iter().map(|&stage| &self.stages[stage]);
        made.chain(self.stages.iter().skip(self.order.len()))
    }

    pub(super) fn sum(&self, count: fn(&Totals) -> u64) -> u64 {
        self.stages.iter().map(|stage| count(&stage.totals())).sum()
    }

    pub(super) fn over_links(&self, count: fn(&Passed) -> u64) -> u64 {
        self.links.iter().map(|link| count(&link.passed())).sum()
    }

    /// What was noted of each link.
    pub(super) fn audited_links(&self) -> Vec<AuditedLink<'_>> {
        let links = self.links.iter().filter_map(|link| {
            Some(AuditedLink {
                from: link.from.stage,
                to: link.to.stage,
                input: link.to.port,
                names: [link.from.stage, link.to.stage]
                    .map(|stage| self.stages[stage].name.as_str()),
                domain: link.domain?,
                noted: link.link.noted()?.clone(),
                sent: link.passed().sent,
                taken: link.passed().taken,
            })
        });
        links.collect()
    }

    /// What a link is called.
    pub(super) fn link_name(&self, link: &LinkEntry) -> LinkName {
        let name = |stage: usize| self.stages[stage].name.clone();
        LinkName::new(name(link.from.stage), name(link.to.stage))
    }

    /// The links that frames pass or may pass again, but for those of pictures.
    pub(super) fn live_links(&self) -> impl Iterator<Item = &LinkEntry> {
        let links = self.links.iter();
        links.filter(|link| link.is_live() && link.origin != Origin::Passing)
    }

    /// Whether the frames of a domain are compressed.
    pub(super) fn is_compressed(&self, domain: Option<usize>) -> bool {
        let pools = domain.and_then(|domain| self.pools.get(domain));
        pools
            .into_iter()
            .flatten()
            .any(|entry| entry.pool.layout().planes().is_empty())
    }

    /// Frames of a domain that stages hold, or that wait for them.
    pub(super) fn held(&self, domain: usize) -> usize {
        let links = self.live_links();
        links
            .filter(|link| link.domain == Some(domain))
            .map(|link| self.stages[link.to.stage].held + link.queue.frames())
            .sum()
    }
}

impl StageEntry {
    pub(super) fn totals(&self) -> Totals {
        Totals::of(&self.meter)
    }
}

/// The pools of each domain.
fn pools(pipeline: &Pipeline) -> Vec<Vec<PoolEntry>> {
    let of = |producer: &usize| {
        let name = pipeline.graph.name(*producer);
        let mut agreed = pipeline.agreement.pools.iter().zip(&pipeline.pools);
        let (agreed, pool) = agreed.find(|(agreed, _)| agreed.stage == name)?;
        Some(PoolEntry {
            stage: name.to_owned(),
            pool: pool.clone(),
            device: agreed.plan.min_buffers,
        })
    };
    let domains = pipeline.domains.iter();
    domains
        .map(|domain| domain.producers.iter().filter_map(of).collect())
        .collect()
}

const fn role(stage: &Stage) -> Role {
    match stage {
        Stage::Source(_) => Role::Source,
        Stage::Filter(_) => Role::Filter,
        Stage::Router(_) => Role::Router,
        Stage::Transform(_) => Role::Transform,
        Stage::Sink(_) => Role::Sink,
        Stage::Mixer(_) => Role::Mixer,
    }
}
