//! Pools as a card knows them: a framebuffer for each frame.

use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::frame::{Frame, FramePool, PoolId};
use dmaflow_core::stage::{StageError, Untold};

use crate::card::Card;
use crate::error::KmsSinkError;
use crate::framebuffer::{Framebuffer, Importer};

/// The framebuffers of one pool.
#[derive(Debug)]
pub(crate) struct Imported {
    pool: PoolId,
    /// By slot; there is one at least.
    framebuffers: Vec<Framebuffer>,
}

impl Imported {
    /// Imports every frame of a pool; `label` names who imports, for people.
    pub(crate) fn new(
        card: &Arc<Card>,
        label: String,
        pool: &FramePool,
    ) -> Result<Self, StageError> {
        let importer = Importer {
            card,
            label,
            heap: pool.heap(),
            layout: pool.layout(),
        };
        let framebuffers = pool
            .buffers()
            .map(|buffers| importer.import(buffers))
            .collect::<Result<Vec<_>, _>>()?;
        if framebuffers.is_empty() {
            return Err(KmsSinkError::NoFrames.into());
        }
        Ok(Self {
            pool: pool.id(),
            framebuffers,
        })
    }

    /// A framebuffer to test with: they are all alike.
    pub(crate) fn sample(&self) -> u64 {
        self.framebuffers[0].id()
    }
}

/// The pools whose frames come to one place: one as a rule, more where several sources lead
/// there by turns.
#[derive(Debug, Default)]
pub(crate) struct Pools(Vec<Imported>);

impl Pools {
    pub(crate) fn add(&mut self, imported: Imported) {
        self.0.push(imported);
    }

    pub(crate) fn has(&self, pool: &FramePool) -> bool {
        self.0.iter().any(|imported| imported.pool == pool.id())
    }

    /// A frame's framebuffer, as a value of the property `FB_ID`.
    pub(crate) fn framebuffer(&self, frame: &Frame) -> Option<u64> {
        let pool = frame.pool();
        let imported = self.0.iter().find(|imported| imported.pool == pool)?;
        Some(imported.framebuffers.get(frame.slot())?.id())
    }

    /// The buffers behind all framebuffers, as the kernel knows them.
    pub(crate) fn inodes(&self) -> Result<Vec<u64>, Errno> {
        let framebuffers = self.0.iter().flat_map(|imported| &imported.framebuffers);
        let each = framebuffers.map(Framebuffer::inodes);
        let found: Vec<Vec<u64>> = each.collect::<Result<_, _>>()?;
        Ok(found.concat())
    }

    /// A framebuffer of the first pool, to test with.
    pub(crate) fn sample(&self) -> Option<u64> {
        self.0.first().map(Imported::sample)
    }
}

/// Why the kernel does not tell of imports, for audits.
pub(crate) fn untold(errno: Errno) -> Untold {
    Untold(match errno {
        Errno::EACCES => "only who controls the card is told (EACCES): let no other program take \
                          it, or run as root"
            .into(),
        Errno::EINVAL => "the kernel cannot be asked (EINVAL): Linux 5.7 and later can".into(),
        Errno::ENODEV => "the card is gone (ENODEV)".into(),
        errno => format!("the kernel does not tell ({errno})").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_apart_with_what_to_do() {
        let told = |errno| untold(errno).to_string();
        assert!(told(Errno::EACCES).ends_with("or run as root"));
        assert!(told(Errno::EINVAL).contains("Linux 5.7"));
        assert!(told(Errno::ENODEV).contains("gone"));
        assert!(told(Errno::EMFILE).contains("EMFILE"));
    }
}
