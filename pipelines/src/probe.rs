//! Choosing a heap by asking: each candidate's buffers are really imported by every device.
//!
//! No driver says which memory it takes, so that [`probe`] allocates what is wanted from each
//! heap, has every importer import it, and undoes everything again. What comes out is a ranking
//! with the reason of each refusal. Only what would be imported and then used wrongly is not
//! asked about ([`rules`]).
//!
//! ```text
//!   heap ──▶ FramePool ──▶ camera: REQBUFS, QBUF of every frame          accepted
//!    │                 └─▶ display: PRIME, AddFB2, TEST_ONLY             or why not
//!    └── the next one ◀── undone: REQBUFS(0), RMFB, GEM_CLOSE, close
//! ```
//!
//! # Ranking
//! Heaps that every importer accepts come first. Among them, and among the others:
//!
//! 1. memory that fits the importers: dma-bufs where a device is among them, ordinary memory
//!    where none is, and what the CPU may see before what is protected;
//! 2. memory that is not scarce: scattered, then contiguous pieces, then contiguous, then what
//!    does not say how it lies, as the memory of a device or of a vendor's heap;
//! 3. where a stage touches pixels with the CPU, memory that goes through its caches;
//! 4. the order in which the candidates were given.
//!
//! How long an allocation takes is told and does not count: a pool is allocated once, before
//! anything flows, and a measurement would have the ranking change from one probe to the next.
//! For the same reason negotiation, which stops at the first heap that is accepted, finds the
//! heap that a probe ranks first.

mod answers;
mod attempt;
mod importer;
mod preference;

pub use answers::Answers;
pub use importer::{Importer, SinkImporter, SourceImporter};
pub(crate) use importer::{InputImporter, MixerImporter, OutputImporter};

use std::time::Duration;

use dmaflow_core::frame::PoolError;
use dmaflow_core::heap::Heap;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;

use crate::error::RefusalReason;
use crate::solver::rules::{self, Rule};

use attempt::attempt;
pub(crate) use attempt::is_for_good;
pub(crate) use preference::{Needs, in_order};

/// What is to be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where the pixels of each frame lie.
    pub layout: Layout,
    /// How many frames.
    pub buffers: usize,
}

/// What came out of asking.
#[derive(Debug)]
pub struct Probe {
    /// What was to be imported.
    pub wanted: Wanted,
    /// Who was asked, for people.
    pub importers: Vec<String>,
    /// A verdict on each candidate, best first.
    pub ranked: Vec<Verdict>,
}

impl Probe {
    /// The best heap that every importer accepted.
    #[must_use]
    pub fn best(&self) -> Option<&Verdict> {
        self.ranked.first().filter(|verdict| verdict.is_accepted())
    }
}

/// What came out of asking about one heap.
#[derive(Debug)]
pub struct Verdict {
    /// The heap.
    pub heap: Heap,
    /// How long a buffer took to allocate, on average, where it came to that.
    pub allocation: Option<Duration>,
    /// Whether the importers were asked earlier, and not again.
    pub remembered: bool,
    /// Whether it may be used, or why not.
    pub outcome: Result<(), Unfit>,
}

impl Verdict {
    /// Whether every importer accepted the heap.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Whether it may not be used whatever the format: the memory itself will not do.
    pub(crate) fn is_for_good(&self) -> bool {
        let outcome = self.outcome.as_ref();
        outcome.is_err_and(|unfit| unfit.is_for_good(&self.heap))
    }
}

/// Why a heap may not be used.
#[derive(Debug)]
pub enum Unfit {
    /// It gave no buffers, so that nobody could be asked.
    NoBuffers(PoolError),
    /// Not everybody imports its buffers.
    Refused(Vec<Refused>),
}

/// An importer's no.
#[derive(Debug)]
pub struct Refused {
    /// Who said so, for people.
    pub device: String,
    /// Why; a [`StageError::Refused`] has the errno, what it means and what helps.
    pub reason: StageError,
}

impl Unfit {
    /// Why, one after the other.
    pub(crate) fn reasons(self) -> Vec<RefusalReason> {
        match self {
            Self::NoBuffers(error) => vec![error.into()],
            Self::Refused(refused) => refused.into_iter().map(|no| no.reason.into()).collect(),
        }
    }

    /// Whether it is so whatever the format: the memory itself will not do.
    pub(crate) fn is_for_good(&self, heap: &Heap) -> bool {
        let Self::Refused(refused) = self else {
            return false;
        };
        refused
            .iter()
            .any(|no| attempt::is_for_good(&no.reason, heap))
    }
}

/// Asks every importer about every candidate, and ranks the candidates.
///
/// What is in `answers` already is not asked again; what is asked is added and saved. Nothing
/// is held afterwards: every buffer is given back and every import undone.
#[must_use]
pub fn probe(
    candidates: &[Heap],
    importers: &mut [&mut dyn Importer],
    wanted: &Wanted,
    answers: &mut Answers,
) -> Probe {
    let mut heaps = candidates.to_vec();
    in_order(&mut heaps, Needs::of(importers));
    let mut ranked: Vec<_> = heaps
        .into_iter()
        .map(|heap| verdict(heap, importers, wanted, answers))
        .collect();
    ranked.sort_by_key(|verdict| !verdict.is_accepted());
    answers.save();
    Probe {
        wanted: wanted.clone(),
        importers: importers.iter().map(|importer| importer.device()).collect(),
        ranked,
    }
}

fn verdict(
    heap: Heap,
    importers: &mut [&mut dyn Importer],
    wanted: &Wanted,
    answers: &mut Answers,
) -> Verdict {
    let unmappable = unmappable(&heap, importers);
    if !unmappable.is_empty() {
        return Verdict {
            heap,
            allocation: None,
            remembered: false,
            outcome: Err(Unfit::Refused(unmappable)),
        };
    }
    if let Some(known) = answers.on(&heap, importers, wanted).whole() {
        return Verdict {
            heap,
            allocation: known.allocation,
            remembered: true,
            outcome: match known.refused.is_empty() {
                true => Ok(()),
                false => Err(Unfit::Refused(known.refused)),
            },
        };
    }
    let attempt = attempt(&heap, importers, wanted, answers);
    Verdict {
        heap,
        allocation: attempt.allocation,
        remembered: false,
        outcome: attempt.outcome,
    }
}

/// A driver that would take a heap's buffers and not find them as they are.
#[derive(Debug, thiserror::Error)]
#[error("{} maps buffers for the CPU: {}", .0.driver, .0.otherwise)]
struct Unmappable(&'static Rule);

/// Who would take a heap's buffers and use them wrongly, which asking does not show.
fn unmappable(heap: &Heap, importers: &[&mut dyn Importer]) -> Vec<Refused> {
    if heap.info().vmap {
        return Vec::new();
    }
    let known = importers.iter().filter_map(|importer| {
        let rule = rules::mapping(&importer.key()?.driver)?;
        Some(Refused {
            device: importer.device(),
            reason: StageError::failed(Unmappable(rule)),
        })
    });
    known.collect()
}
