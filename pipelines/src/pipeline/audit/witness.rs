//! What the stages' threads did, told at their ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmaflow_core::dma_buf::CpuCounts;

use crate::audit::{StageAudit, kernel};

/// Where the stages' threads leave what they did, at their ends. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub(in crate::pipeline) struct Witnesses(Arc<Mutex<Vec<StageAudit>>>);

impl Witnesses {
    /// Who looks at the thread of a stage, of one that came while the run went on where `added`.
    pub(in crate::pipeline) fn of(&self, stage: &str, added: bool) -> Witness {
        Witness {
            told: self.clone(),
            stage: stage.to_owned(),
            added,
        }
    }

    pub(super) fn told(&self) -> Vec<StageAudit> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<StageAudit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is going to look at a thread.
pub(in crate::pipeline) struct Witness {
    told: Witnesses,
    stage: String,
    added: bool,
}

impl Witness {
    /// Looks from now on, in the thread that is meant, until what is returned is dropped there.
    pub(in crate::pipeline) fn begin(self) -> Watched {
        Watched {
            witness: self,
            cpu: CpuCounts::of_this_thread(),
            minor_faults: kernel::minor_faults(),
        }
    }
}

/// What a thread had done before.
pub(in crate::pipeline) struct Watched {
    witness: Witness,
    cpu: CpuCounts,
    minor_faults: Option<u64>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let faults = kernel::minor_faults().zip(self.minor_faults);
        let told = StageAudit {
            stage: std::mem::take(&mut self.witness.stage),
            added: self.witness.added,
            threads: 1,
            cpu: CpuCounts::of_this_thread().since(self.cpu),
            minor_faults: faults.map(|(now, before)| now.saturating_sub(before)),
            ..StageAudit::default()
        };
        let mut all = self.witness.told.lock();
        match all.iter_mut().find(|known| known.is_same(&told)) {
            Some(known) => known.join(told),
            None => all.push(told),
        }
    }
}
