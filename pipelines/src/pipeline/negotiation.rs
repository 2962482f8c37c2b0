//! Agreeing on formats and heaps: the [solver](crate::solver) looks for a plan, and the devices
//! are asked whatever it wants to know.
//!
//! Nothing is inferred from what a driver says of itself: a format is set, a heap's buffers are
//! imported, a display tests with the real framebuffers. What was asked last is kept as it is,
//! so that where the first plan holds, as a rule, nothing is done twice.
//!
//! ```text
//!   Stated     what the ports can do, by their own word      one question a stage
//!     │ solve: Format, Allocate, Attach, Arrange             asked of Devices, until all say yes
//!   Plan       formats, layouts, heaps
//!     │ realise: what a later question undid is done again
//!   Pipeline   every pool imported everywhere
//! ```

mod converters;
mod devices;
mod drivers;
mod heaps;
mod importers;
mod outcome;
mod pools;
mod probing;
mod stated;

use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::HeapRegistry;
use dmaflow_core::stage::{Choice, SourcePlan};

use super::copies::{self, ZeroCopy};
use super::graph::domains;
use super::{Builder, Pipeline};
use crate::error::{PipelineError, Refusal};
use crate::solver::{
    Explanation, Plan, Unsolvable, solve_explained, solve_with_converters_explained,
};
use devices::Devices;
use heaps::Candidates;
use stated::Stated;

/// Which heaps may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HeapRequest {
    /// The best that every device takes, see [`solver`](crate::solver).
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
    /// What stages chose by themselves, by stage.
    choices: Vec<(usize, Choice)>,
    refusals: Vec<Refusal>,
}

pub(super) fn negotiate(
    mut builder: Builder,
    registry: &HeapRegistry,
    explanation: &mut Explanation,
) -> Result<Pipeline, PipelineError> {
    builder.graph.check()?;
    let zero_copy = builder.zero_copy;
    copies::check(&builder.graph, zero_copy)?;
    builder.graph.share();
    let domains = domains(&builder.graph)?;
    let mut refusals = Vec::new();
    let heaps = Candidates::of(&builder, registry, &mut refusals)?;
    let stated = Stated::new(&mut builder, &heaps)?;
    let (all, caps);
    let mut devices = Devices::new(&mut builder, domains, &heaps, &stated, refusals);
    let problem = &stated.problem;
    let mut found = undoubted(&mut devices, |devices| {
        solve_explained(problem, devices, explanation)
    });
    if let Err(unsolvable) = &found {
        (all, caps) = converters::of_machine();
        let allow_cpu = zero_copy == ZeroCopy::Allow;
        let usable = caps.iter().any(|converter| allow_cpu || !converter.cpu);
        // Where no device is in the way, looking again asks none, and tells of the CPU.
        if usable || unsolvable.refusals.is_empty() {
            devices.offer(&all);
            found = undoubted(&mut devices, |devices| {
                solve_with_converters_explained(problem, &caps, allow_cpu, devices, explanation)
            });
        }
    }
    let inserted: Vec<_> = found
        .iter()
        .flat_map(|plan| plan.inserted.clone())
        .collect();
    let realised = match found {
        Ok(plan) => devices.realise(&plan),
        Err(mut unsolvable) => {
            devices.explain(&mut unsolvable);
            Err(unsolvable.into())
        }
    };
    let (domains, refusals) = devices.into_parts();
    builder.answers.save();
    let (settled, mut choices) = match realised {
        Ok(realised) => realised,
        // Nothing that a device said is in the way.
        Err(PipelineError::Unsolvable(why)) if why.refusals.is_empty() => return Err(why.into()),
        // What devices said is the better reason.
        Err(_) if !refusals.is_empty() => return Err(PipelineError::Refused(refusals)),
        Err(error) => return Err(error),
    };
    let first = builder.graph.nodes.len() - inserted.len();
    choices.extend(inserted.into_iter().enumerate().map(|(place, inserted)| {
        let put_in = Choice {
            what: "converter",
            chosen: format!("put in: {}", inserted.reason),
        };
        (first + place, put_in)
    }));
    let agreed = Agreed {
        settled,
        choices,
        refusals,
    };
    outcome::assemble(builder, domains, agreed)
}

/// Solves; and once more with everybody asked afresh, where devices answer otherwise than they are
/// said to have answered before, or nothing was left to try because of that.
fn undoubted(
    devices: &mut Devices<'_>,
    mut solve: impl FnMut(&mut Devices<'_>) -> Result<Plan, Unsolvable>,
) -> Result<Plan, Unsolvable> {
    let found = solve(devices);
    if !devices.are_doubtful(found.is_ok()) {
        return found;
    }
    tracing::debug!("devices answer otherwise than before, and are asked afresh");
    devices.forget_answers();
    solve(devices)
}
