//! Gathering what an audit judges.

mod witness;

use std::collections::{BTreeMap, BTreeSet};

use dmaflow_core::dma_buf::CpuCounts;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::page_size;

use super::Pipeline;
use super::graph::Stage;
use crate::audit::{
    AuditReport, BounceUse, EndAudit, LinkAudit, Listed, PoolAudit, StageAudit, findings, kernel,
};
use crate::link::Noted;

pub(super) use witness::{Witness, Witnesses};

/// What was noted of a link.
pub(super) struct AuditedLink<'r> {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) input: usize,
    pub(super) names: [&'r str; 2],
    pub(super) domain: usize,
    pub(super) noted: Noted,
    pub(super) sent: u64,
    pub(super) taken: u64,
}

/// What was known before a run.
pub(super) struct Audit {
    witnesses: Witnesses,
    /// By pool.
    cpu: Vec<CpuCounts>,
    bounce: BounceUse,
}

impl Audit {
    pub(super) fn begin(pipeline: &Pipeline) -> Self {
        Self {
            witnesses: Witnesses::default(),
            cpu: pipeline.pools.iter().map(FramePool::cpu_counts).collect(),
            bounce: bounce_before(pipeline),
        }
    }

    /// Who is told what the stages' threads do.
    pub(super) fn witnesses(&self) -> Witnesses {
        self.witnesses.clone()
    }

    pub(super) fn end(self, pipeline: &Pipeline, links: &[AuditedLink<'_>]) -> AuditReport {
        let bounce_after = kernel::least_bounce_use();
        let pools = self.pools(pipeline, links);
        let mut audit = AuditReport {
            links: links.iter().map(|link| of_link(pipeline, link)).collect(),
            ends: ends(pipeline, links, &pools),
            stages: self.stages(pipeline),
            pools,
            bounce_before: self.bounce,
            bounce_after,
            frame_pages: frame_pages(pipeline),
            mapped_unseen: mapped_unseen(pipeline),
            findings: Vec::new(),
        };
        audit.findings = findings(&audit);
        audit
    }

    fn pools(&self, pipeline: &Pipeline, links: &[AuditedLink<'_>]) -> Vec<PoolAudit> {
        let attached = kernel::attached();
        let agreed = pipeline.agreement.pools.iter().zip(&pipeline.pools);
        let pools = agreed.zip(&self.cpu).map(|((agreed, pool), cpu_before)| {
            let buffers = inodes(pool, |_slot| true);
            let sent = links.iter().filter(|link| link.names[0] == agreed.stage);
            let sent: Vec<_> = sent.map(|link| &link.noted.0.sent).collect();
            PoolAudit {
                stage: agreed.stage.clone(),
                heap: agreed.heap.clone(),
                compressed: pool.layout().format().planes().is_empty(),
                filled: inodes(pool, |slot| {
                    sent.iter().any(|marks| marks.has(pool.id(), slot))
                }),
                cpu: pool.cpu_counts().since(*cpu_before),
                importable: pool.heap().info().importable,
                listed: attached.as_ref().map(|attached| {
                    let found: Vec<_> = buffers
                        .iter()
                        .filter_map(|inode| attached.get(inode))
                        .collect();
                    in_list(&found)
                }),
                buffers,
            }
        });
        pools.collect()
    }

    fn stages(&self, pipeline: &Pipeline) -> Vec<StageAudit> {
        let mut told = self.witnesses.told();
        for stage in &mut told {
            let mut nodes = pipeline.graph.nodes.iter();
            let node = nodes.find(|node| !stage.added && node.name == stage.stage);
            stage.by_cpu = node.and_then(|node| node.stage.cpu_use());
        }
        // As they come to their ends no order is theirs; branches that were added come last.
        let place = |stage: &StageAudit| pipeline.stages().position(|name| name == stage.stage);
        told.sort_by_key(|stage| (stage.added, place(stage)));
        told
    }
}

/// How many bounce buffers there were before devices imported anything, and how many there were
/// at most before the run: heaps that were only tried may have needed some. What is in use now
/// includes ours already; where it is less, others had more for a moment.
fn bounce_before(pipeline: &Pipeline) -> BounceUse {
    match pipeline.bounce_before {
        before @ BounceUse::Slots { .. } => before.least_of(kernel::least_bounce_use()),
        before => before,
    }
}

/// How often the program has the pools' buffers mapped, beyond what their own guards mapped;
/// `None` where it cannot be read. All that there is counts, whenever it was made: stages are
/// given their pools long before a run.
fn mapped_unseen(pipeline: &Pipeline) -> Option<usize> {
    let mapped = kernel::mapped()?;
    let mut by_guards: BTreeMap<kernel::Mapped, usize> = BTreeMap::new();
    for buffer in pipeline.pools.iter().flat_map(FramePool::buffers).flatten() {
        let mapped = kernel::Mapped {
            is_dma_buf: buffer.is_importable(),
            inode: buffer.id().inode(),
        };
        *by_guards.entry(mapped).or_default() += usize::from(buffer.cpu_counts().mapped > 0);
    }
    let unseen = by_guards.iter().map(|(buffer, by_guards)| {
        let times = mapped.get(buffer).copied().unwrap_or_default();
        times.saturating_sub(*by_guards)
    });
    Some(unseen.sum())
}

/// Pages of the smallest frame; what is smaller than a page counts as one.
fn frame_pages(pipeline: &Pipeline) -> u64 {
    let sizes = pipeline.pools.iter().filter_map(|pool| {
        let buffers = pool.buffers().next()?;
        Some(buffers.iter().map(|buffer| buffer.len()).sum::<usize>())
    });
    let pages = sizes.map(|bytes| bytes.div_ceil(page_size()).max(1) as u64);
    pages.min().unwrap_or_default()
}

/// What the kernel's listing says of those buffers of a pool that it has.
fn in_list(found: &[&BTreeSet<String>]) -> Listed {
    let any: BTreeSet<_> = found.iter().copied().flatten().collect();
    let is_common = |device: &&&String| found.iter().all(|devices| devices.contains(**device));
    let (devices, some): (Vec<_>, Vec<_>) = any.iter().partition(is_common);
    let owned = |names: Vec<&&String>| names.into_iter().map(|name| (*name).clone()).collect();
    Listed {
        buffers: found.len(),
        devices: owned(devices),
        some: owned(some),
    }
}

/// The inodes of some of a pool's frames, in ascending order.
fn inodes(pool: &FramePool, wanted: impl Fn(usize) -> bool) -> Vec<u64> {
    let slots = pool.buffers().enumerate();
    let slots = slots.filter(|(slot, _)| wanted(*slot));
    let all: BTreeSet<u64> = slots
        .flat_map(|(_, buffers)| buffers.iter().map(|buffer| buffer.id().inode()))
        .collect();
    all.into_iter().collect()
}

fn of_link(pipeline: &Pipeline, link: &AuditedLink<'_>) -> LinkAudit {
    let [from, to] = link.names.map(str::to_owned);
    let noted = &link.noted.0;
    let through = |marks: &crate::link::Marks| {
        let pools = pipeline.pools.iter();
        let all: BTreeSet<u64> = pools
            .flat_map(|pool| inodes(pool, |slot| marks.has(pool.id(), slot)))
            .collect();
        all.into_iter().collect()
    };
    LinkAudit {
        from,
        to,
        input: link.input,
        sent: through(&noted.sent),
        taken: through(&noted.taken),
        strange: noted.sent.strange(),
    }
}

/// The stages that use frames and do not pass them on.
fn ends(pipeline: &Pipeline, links: &[AuditedLink<'_>], pools: &[PoolAudit]) -> Vec<EndAudit> {
    let stages = pipeline.order.iter().filter_map(|&stage| {
        let node = &pipeline.graph.nodes[stage];
        let imported = match &node.stage {
            Stage::Sink(sink) => sink.imports().then(|| sink.imported()),
            Stage::Mixer(mixer) => mixer.imports().then(|| mixer.imported()),
            Stage::Transform(_) => None,
            Stage::Source(_) | Stage::Filter(_) | Stage::Router(_) => return None,
        };
        let into: Vec<_> = links.iter().filter(|link| link.to == stage).collect();
        let makers: BTreeSet<usize> = into
            .iter()
            .flat_map(|link| pipeline.domains[link.domain].producers.iter().copied())
            .collect();
        let made = |maker: &usize| {
            let leaving = links.iter().filter(|link| link.from == *maker);
            leaving.map(|link| link.sent).max().unwrap_or_default()
        };
        let of_makers = |of: fn(&PoolAudit) -> &Vec<u64>| -> Vec<u64> {
            let names: Vec<_> = makers
                .iter()
                .map(|&maker| pipeline.graph.name(maker))
                .collect();
            let pools = pools
                .iter()
                .filter(|pool| names.contains(&pool.stage.as_str()));
            let all: BTreeSet<u64> = pools.flat_map(of).copied().collect();
            all.into_iter().collect()
        };
        let seen: BTreeSet<u64> = into
            .iter()
            .flat_map(|link| of_link(pipeline, link).taken)
            .collect();
        Some(EndAudit {
            stage: node.name.clone(),
            seen: seen.into_iter().collect(),
            filled: of_makers(|pool| &pool.filled),
            buffers: of_makers(|pool| &pool.buffers),
            whole: into.iter().map(|link| link.taken).sum::<u64>()
                == makers.iter().map(made).sum::<u64>(),
            imported: imported.map(|told| {
                let each: BTreeSet<u64> = told?.into_iter().collect();
                Ok(each.into_iter().collect())
            }),
        })
    });
    stages.collect()
}
