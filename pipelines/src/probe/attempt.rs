//! One heap tried out: the one place where buffers are offered to devices.

use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::Heap;
use dmaflow_core::stage::{Choice, StageError};

use super::{Answers, Importer, Refused, Unfit, Wanted};

/// Who is asked about a heap that somebody has refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Everybody, so that all there is to know is known.
    Everybody,
    /// Nobody more: the heap will not do.
    UntilRefused,
}

/// What came out of one try.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) allocation: Option<Duration>,
    pub(crate) outcome: Result<Imported, Unfit>,
}

/// A pool that every importer holds.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) pool: FramePool,
    /// What each importer chose by itself.
    pub(crate) choices: Vec<Vec<Choice>>,
}

impl Imported {
    /// Has every importer let go, and gives the buffers back.
    pub(crate) fn undo(self, importers: &mut [&mut dyn Importer]) {
        undo(importers);
        drop(self.pool);
    }
}

fn undo(importers: &mut [&mut dyn Importer]) {
    for importer in importers.iter_mut().rev() {
        importer.undo();
    }
}

/// Allocates what is wanted and has every importer import it, or leaves everything as it was.
pub(crate) fn attempt(
    heap: &Heap,
    importers: &mut [&mut dyn Importer],
    wanted: &Wanted,
    ask: Ask,
    answers: &mut Answers,
) -> Attempt {
    let started = Instant::now();
    let pool = match FramePool::allocate(heap, &wanted.layout, wanted.buffers) {
        Ok(pool) => pool,
        Err(error) => {
            return Attempt {
                allocation: None,
                outcome: Err(Unfit::NoBuffers(error)),
            };
        }
    };
    let frames = u32::try_from(pool.len().max(1)).unwrap_or(u32::MAX);
    let allocation = started.elapsed() / frames;
    let mut choices = Vec::with_capacity(importers.len());
    let mut refused = Vec::new();
    for importer in importers.iter_mut() {
        let answer = importer.import(&pool);
        answers.note(heap, *importer, wanted, allocation, &answer);
        match answer {
            Ok(chosen) => choices.push(chosen),
            Err(reason) => {
                let device = importer.device();
                tracing::debug!(heap = heap.name(), device, %reason, "not imported");
                refused.push(Refused { device, reason });
                if ask == Ask::UntilRefused {
                    break;
                }
            }
        }
    }
    let outcome = if refused.is_empty() {
        Ok(Imported { pool, choices })
    } else {
        undo(importers);
        Err(Unfit::Refused(refused))
    };
    Attempt {
        allocation: Some(allocation),
        outcome,
    }
}

/// Whether a refusal is about the memory itself, so that no other format would change it.
pub(super) fn is_for_good(reason: &StageError, heap: &Heap) -> bool {
    match reason {
        StageError::Refused(refused) => refused.errno == Errno::EFAULT || !heap.info().importable,
        _ => false,
    }
}

/// Whether a refusal will be the same tomorrow: shortages, and devices in use, pass.
pub(super) fn will_last(errno: Errno) -> bool {
    !matches!(
        errno,
        Errno::ENOMEM
            | Errno::ENOSPC
            | Errno::EMFILE
            | Errno::ENFILE
            | Errno::EDQUOT
            | Errno::EBUSY
            | Errno::EAGAIN
            | Errno::EINTR
            | Errno::EIO
    )
}
