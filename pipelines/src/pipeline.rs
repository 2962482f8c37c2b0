//! A pipeline: stages that agreed on formats and share pools.

mod audit;
mod builder;
mod copies;
mod graph;
mod negotiation;
mod run;

pub use builder::{AnySink, AnySource, Builder};
pub use copies::ZeroCopy;
pub use graph::{AnyStage, InputId, OutputId, StageId};
pub use negotiation::{HeapRequest, PoolRequest};
use run::renewal::Renewals;
pub use run::{Limits, StopHandle};

use std::sync::Arc;

use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::{Choice, DeviceKey, SourcePlan};

use crate::audit::BounceUse;
use crate::control::{Control, Whose};
use crate::error::Refusal;
use crate::link::QueuePolicy;
use graph::{Domain, Graph};
pub(crate) use run::events::Events;

/// What was agreed on, for people to check.
#[derive(Debug)]
pub struct Agreement {
    /// The device behind each stage that has one, by the stage's name.
    pub devices: Vec<(String, String)>,
    /// Whether every stage imports the frames, so that none of our code sees a pixel. What a
    /// driver does inside, as that of USB cameras, which copies out of its transfers, cannot
    /// be told.
    pub zero_copy: bool,
    /// The stages that copy pixels from frames into others, and how.
    pub copies: Vec<(String, String)>,
    /// The pools, in the order in which they were agreed on: one a stage that makes frames.
    pub pools: Vec<PoolAgreement>,
    /// The links, as they were described.
    pub links: Vec<LinkAgreement>,
    /// What each stage chose by itself, by the stage's name.
    pub choices: Vec<(String, Choice)>,
    /// What was tried before, and why it was refused.
    pub refusals: Vec<Refusal>,
}

/// What was agreed on for the frames of one stage.
#[derive(Clone, Debug)]
pub struct PoolAgreement {
    /// The stage that makes them.
    pub stage: String,
    /// What it will deliver.
    pub plan: SourcePlan,
    /// The heap's name.
    pub heap: String,
    /// Frames in the pool.
    pub buffers: usize,
}

/// What was agreed on for a link.
#[derive(Clone, Debug)]
pub struct LinkAgreement {
    /// The stage where it begins.
    pub from: String,
    /// The stage where it ends.
    pub to: String,
    /// Which frames are taken.
    pub queue: QueuePolicy,
    /// How the frames lie that pass it, of each pool whose frames do.
    pub layouts: Vec<Layout>,
}

impl Agreement {
    /// The pool of the stage that was agreed on first.
    #[must_use]
    pub fn pool(&self) -> &PoolAgreement {
        &self.pools[0]
    }
}

/// A pipeline that can run, again and again.
pub struct Pipeline {
    graph: Graph,
    /// The stages in the order a frame travels.
    order: Vec<usize>,
    domains: Vec<Domain>,
    /// By producer, in the order of the agreement.
    pools: Vec<FramePool>,
    renewals: Renewals,
    agreement: Arc<Agreement>,
    events: Events,
    /// Whether runs prove what was promised.
    audited: bool,
    /// Before it was made.
    bounce_before: BounceUse,
}

impl Pipeline {
    /// Begins a pipeline from `source` to `sink`, each with the name that messages call it by.
    /// For anything else than a chain see [`Builder::new`].
    #[must_use]
    pub fn link(source: (&str, impl Into<AnySource>), sink: (&str, impl Into<AnySink>)) -> Builder {
        Builder::chain(source, sink)
    }

    /// What was agreed on.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The same, to be kept longer than the pipeline.
    #[must_use]
    pub fn shared_agreement(&self) -> Arc<Agreement> {
        Arc::clone(&self.agreement)
    }

    /// The devices behind the stages, by the stages' names: who they are from boot to boot.
    pub fn devices(&self) -> impl Iterator<Item = (&str, DeviceKey)> {
        let nodes = self.order.iter().map(|&stage| &self.graph.nodes[stage]);
        nodes.filter_map(|node| Some((node.name.as_str(), node.stage.key()?)))
    }

    /// The names of the stages, in the order a frame travels.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(|&stage| self.graph.name(stage))
    }

    /// The pool of the stage that was agreed on first.
    #[must_use]
    pub fn pool(&self) -> &FramePool {
        &self.pools[0]
    }

    /// All pools, in the order of [`Agreement::pools`].
    #[must_use]
    pub fn pools(&self) -> &[FramePool] {
        &self.pools
    }

    /// Has the runs from now on prove that nothing was copied ([`Report::audit`]), or not any
    /// more. It costs an atomic operation a frame and link end.
    ///
    /// [`Report::audit`]: crate::Report::audit
    pub const fn set_audited(&mut self, audited: bool) {
        self.audited = audited;
    }

    /// What looks at a run and changes it, from another thread.
    #[must_use]
    pub fn control_handle(&self) -> Control {
        Control::new(Whose::Pipeline(self.events.clone()))
    }

    /// What ends a run from another thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle::new(self.events.clone())
    }
}

impl Drop for Pipeline {
    /// Devices let go of the frames before the pools do.
    fn drop(&mut self) {
        for node in &mut self.graph.nodes {
            node.stage.detach();
        }
    }
}
