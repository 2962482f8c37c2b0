//! A queue whose frames a driver fills when their owner says so.

use std::sync::Arc;

use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;

use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::queue::Queue;
use crate::refusal::{AttachError, check_layout, not_queued, not_requested};

/// A queue for the frames of a pool which their owner hands over one by one: the frames of a
/// stateless decoder, which must not be written while others refer to them. Slots of the queue are
/// those of the pool.
#[derive(Debug)]
pub struct Fill {
    queue: Queue,
    pool: FramePool,
}

impl Fill {
    /// Has a driver that writes frames laid out so import every frame of a pool; it needs `least`
    /// frames. None is queued when this is done, and nothing flows.
    ///
    /// # Errors
    /// [`AttachError::Refused`] when the device cannot use the pool's memory.
    /// [`V4l2Error::OtherLayout`] and [`V4l2Error::TooFewFrames`] for another pool than it was
    /// set up for. Otherwise as [`Queue::request`]; [`V4l2Error::DataOffset`].
    pub fn attach(
        device: &Arc<VideoDevice>,
        writes: &Layout,
        least: usize,
        pool: &FramePool,
    ) -> Result<Self, AttachError> {
        check_layout(device, "writes", writes, pool)?;
        if pool.len() < least {
            return Err(AttachError::Device(V4l2Error::TooFewFrames {
                device: device.to_string(),
                least,
                found: pool.len(),
            }));
        }
        let queue = Queue::request(device, Direction::Capture, pool)
            .map_err(|error| not_requested(device, Direction::Capture, pool, error))?;
        for slot in 0..pool.len() {
            queue
                .enqueue(slot)
                .map_err(|errno| not_queued(device, pool, slot, errno))?;
        }
        let offsets = queue.data_offsets(0)?;
        if let Some(offset) = offsets.into_iter().find(|offset| *offset != 0) {
            return Err(AttachError::Device(V4l2Error::DataOffset {
                device: device.to_string(),
                format: pool.layout().format().name(),
                offset,
            }));
        }
        // They were queued to see whether they can be, and stay imported.
        queue.stream_off()?;
        Ok(Self {
            queue,
            pool: pool.clone(),
        })
    }

    /// The queue.
    #[must_use]
    pub const fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The pool whose frames it takes.
    #[must_use]
    pub const fn pool(&self) -> &FramePool {
        &self.pool
    }
}
