//! How other stages' frames go through a driver's queue.
//!
//! ```text
//!   a source's pool ──▶ slots 0 to 3  ┐
//!   another's pool  ──▶ slots 4 to 7  ┘ one queue of a converter
//! ```

use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::frame::{Frame, FramePool, PoolId};
use dmaflow_core::layout::Layout;

use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::queue::Queue;
use crate::refusal::{AttachError, check_layout, not_queued, not_requested};

/// A queue that a driver reads the frames of pools from, which belong to other stages.
///
/// Each frame has a slot of its own in the queue, so that it is imported once.
#[derive(Debug)]
pub struct Intake {
    queue: Queue,
    pools: Vec<FramePool>,
    starts: Starts,
}

impl Intake {
    /// Has a driver that reads frames laid out so import every frame of these pools. None is
    /// queued when this is done, and nothing flows.
    ///
    /// # Errors
    /// [`AttachError::Refused`] when the device cannot use the memory of one of them.
    /// [`V4l2Error::OtherLayout`] for a pool of other frames. Otherwise as
    /// [`Queue::request_all`].
    pub fn attach(
        device: &Arc<VideoDevice>,
        reads: &Layout,
        pools: Vec<FramePool>,
    ) -> Result<Self, AttachError> {
        for pool in &pools {
            check_layout(device, "reads", reads, pool)?;
        }
        let queue = Queue::request_all(device, Direction::Output, &pools).map_err(|error| {
            match pools.last() {
                Some(newest) => not_requested(device, Direction::Output, newest, error),
                None => AttachError::Device(error),
            }
        })?;
        let starts = Starts::of(pools.iter().map(|pool| (pool.id(), pool.len())));
        // Of a buffer that is longer than the driver needs it takes no more than that, as long as
        // it does not know it (`__verify_length` in `videobuf2-v4l2.c`).
        let needed = reads.buffer_lens().first().copied();
        for (pool, (_id, start)) in pools.iter().zip(&starts.0) {
            for slot in 0..pool.len() {
                let taken = match queue.supports_requests() {
                    // They are handed over in no other way, and that would decode them.
                    true => match queue.import(start + slot, needed) {
                        Err(Errno::ENOTTY) => Ok(()),
                        tried => tried,
                    },
                    false => queue.submit(start + slot, needed, 0),
                };
                taken.map_err(|errno| not_queued(device, pool, slot, errno))?;
            }
        }
        // They were handed over to see whether they can be, and stay imported.
        queue.stream_off()?;
        Ok(Self {
            queue,
            pools,
            starts,
        })
    }

    /// Adds a pool to those that a driver imports, which has to forget what it knew for it: to
    /// `known`, or to none. A pool that is known already is left alone, and where the new one is
    /// refused all is as before.
    ///
    /// # Errors
    /// As [`Intake::attach`].
    pub fn add(
        known: &mut Option<Arc<Self>>,
        device: &Arc<VideoDevice>,
        reads: &Layout,
        pool: &FramePool,
    ) -> Result<(), AttachError> {
        let before = known.as_ref();
        let before = before.map_or_else(Vec::new, |intake| intake.pools.clone());
        if before.iter().any(|known| known.id() == pool.id()) {
            return Ok(());
        }
        let mut pools = before.clone();
        pools.push(pool.clone());
        // The driver forgets what it knew before it is told anew.
        *known = None;
        let added = Self::attach(device, reads, pools);
        let refused = match added {
            Ok(intake) => {
                *known = Some(Arc::new(intake));
                return Ok(());
            }
            Err(refused) => refused,
        };
        if !before.is_empty() {
            *known = Some(Arc::new(Self::attach(device, reads, before)?));
        }
        Err(refused)
    }

    /// The queue, by whose slots frames are handed over.
    #[must_use]
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The pools whose frames it takes.
    #[must_use]
    pub fn pools(&self) -> &[FramePool] {
        &self.pools
    }

    /// The queue's slot for a frame; `None` for a frame of another pool.
    #[inline]
    #[must_use]
    pub fn slot(&self, frame: &Frame) -> Option<usize> {
        self.starts.slot(frame.pool(), frame.slot())
    }

    /// Stops the flow, from any thread: every frame is with us again.
    ///
    /// # Errors
    /// As [`Queue::stream_off`].
    pub fn halt(&self) -> Result<(), V4l2Error> {
        self.queue.stream_off()
    }
}

/// Where each pool's slots begin in the queue.
#[derive(Debug, PartialEq, Eq)]
struct Starts(Vec<(PoolId, usize)>);

impl Starts {
    fn of(pools: impl Iterator<Item = (PoolId, usize)>) -> Self {
        let begin = |end: &mut usize, (id, frames): (PoolId, usize)| {
            let start = *end;
            *end += frames;
            Some((id, start))
        };
        Self(pools.scan(0, begin).collect())
    }

    #[inline]
    fn slot(&self, pool: PoolId, slot: usize) -> Option<usize> {
        let (_id, start) = self.0.iter().find(|(id, _start)| *id == pool)?;
        Some(start + slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::format::Format;
    use std::collections::BTreeSet;

    #[test]
    fn each_frame_of_each_pool_has_a_slot_of_its_own() {
        let heap = dmaflow_heaps::registry().open("memfd").unwrap();
        let layout = Layout::packed(Format::YUYV, 16, 16).unwrap();
        let pool = |frames| FramePool::allocate(&heap, &layout, frames).unwrap();
        let (pools, foreign) = ([pool(3), pool(1), pool(4)], pool(2));
        let starts = Starts::of(pools.iter().map(|pool| (pool.id(), pool.len())));
        let slots: BTreeSet<_> = pools
            .iter()
            .flat_map(|pool| (0..pool.len()).map(|slot| starts.slot(pool.id(), slot).unwrap()))
            .collect();
        assert_eq!(slots, (0..8).collect());
        assert_eq!(starts.slot(pools[2].id(), 0), Some(4));
        assert_eq!(starts.slot(foreign.id(), 0), None);
    }
}
