//! One heap tried out, short of keeping it.

use std::time::{Duration, Instant};

use dmaflow_core::Errno;
use dmaflow_core::frame::FramePool;
use dmaflow_core::heap::Heap;
use dmaflow_core::stage::StageError;

use super::{Answers, Importer, Refused, Unfit, Wanted};

/// What came out of one try.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) allocation: Option<Duration>,
    pub(crate) outcome: Result<(), Unfit>,
}

/// Allocates what is wanted, has every importer import it, and leaves everything as it was.
pub(crate) fn attempt(
    heap: &Heap,
    importers: &mut [&mut dyn Importer],
    wanted: &Wanted,
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
    let mut refused = Vec::new();
    for importer in importers.iter_mut() {
        let answer = importer.import(&pool);
        answers.note(heap, *importer, wanted, allocation, &answer);
        if let Err(reason) = answer {
            let device = importer.device();
            tracing::debug!(heap = heap.name(), device, %reason, "not imported");
            refused.push(Refused { device, reason });
        }
    }
    for importer in importers.iter_mut().rev() {
        importer.undo();
    }
    let outcome = match refused.is_empty() {
        true => Ok(()),
        false => Err(Unfit::Refused(refused)),
    };
    Attempt {
        allocation: Some(allocation),
        outcome,
    }
}

/// Whether a refusal is about the memory itself, so that no other format would change it.
pub(crate) fn is_for_good(reason: &StageError, heap: &Heap) -> bool {
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
