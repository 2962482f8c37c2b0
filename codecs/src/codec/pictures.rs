//! The pictures that come out of a codec: how they lie, and the frames they come in. A stream may
//! go on with others.

use std::sync::{Arc, Mutex, PoisonError};

use dmaflow_core::Errno;
use dmaflow_core::frame::FramePool;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;
use dmaflow_v4l2::{Direction, Feed, FormatRequest, V4l2Error, VideoDevice, same_place};

use crate::error::V4l2ConverterError;
use crate::setup::seen;

/// What comes out by now.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    pub(super) feed: Arc<Feed>,
    /// How they lie.
    pub(super) writes: Layout,
}

/// The same for several threads: it is looked at when a flow begins, changes or ends, and by
/// nobody for a frame.
#[derive(Debug)]
pub(super) struct CurrentPictures(Mutex<Pictures>);

impl CurrentPictures {
    pub(super) const fn new(pictures: Pictures) -> Self {
        Self(Mutex::new(pictures))
    }

    pub(super) fn get(&self) -> Pictures {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    pub(super) fn set(&self, pictures: Pictures) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *current = pictures;
    }
}

impl Pictures {
    /// Has a decoder that has read what its pictures are like make them as they lay before, in the
    /// same frames, if they are of the same size; whether they are. It proposes a format of its
    /// own each time.
    pub(super) fn take_up(&self, device: &VideoDevice) -> Result<bool, StageError> {
        let size = (self.writes.width(), self.writes.height());
        if device.visible_size()? != size {
            return Ok(false);
        }
        let needs = device.min_buffers(Direction::Capture).unwrap_or(0);
        if needs > self.feed.pool().len() {
            return Ok(false);
        }
        let mut set = None;
        self.feed.renew(|| {
            let asked = FormatRequest::of(&self.writes);
            let asked = asked.map(|asked| device.set_format(Direction::Capture, &asked));
            set = asked.transpose()?;
            Ok(())
        })?;
        match set {
            Some(set) if !same_place(&seen(set.clone(), size), &self.writes) => {
                Err(StageError::failed(V4l2ConverterError::OtherPicture {
                    device: device.to_string(),
                    agreed: Box::new(self.writes.clone()),
                    found: Box::new(set),
                }))
            }
            _ => Ok(true),
        }
    }

    /// How pictures lie from here on, in the format as before; the frames they came in are
    /// forgotten.
    pub(super) fn changed(&self, device: &VideoDevice) -> Result<Layout, StageError> {
        let coded = device.size(Direction::Capture)?;
        let size = device.visible_size()?;
        self.feed.retire()?;
        let format = self.writes.format();
        let code = FormatRequest::of(&self.writes).map(|request| request.code);
        let set = code.map(|code| {
            let request = FormatRequest::aligned(format, code, coded);
            device.set_format(Direction::Capture, &request)
        });
        let set = set.transpose()?.filter(|set| set.format() == format);
        let found = device.code(Direction::Capture)?;
        let set = set.ok_or_else(|| {
            StageError::failed(V4l2ConverterError::OtherFormat {
                device: device.to_string(),
                agreed: format.name(),
                found,
            })
        })?;
        Ok(seen(set, size).with_colour(self.writes.colour()))
    }

    /// Has a decoder fill the frames of a pool that lie so.
    pub(super) fn attach(
        device: &Arc<VideoDevice>,
        writes: Layout,
        pool: &FramePool,
    ) -> Result<Self, StageError> {
        let needs = device.min_buffers(Direction::Capture).unwrap_or(0);
        if needs > pool.len() {
            return Err(V4l2ConverterError::TooFewPictures {
                device: device.to_string(),
                needs,
                has: pool.len(),
            }
            .into());
        }
        let feed = Feed::attach(device, &writes, needs.max(1), pool)?;
        Ok(Self { feed, writes })
    }
}

/// Tells a decoder again that nothing follows: to set its pictures up anew may have made it forget.
pub(super) fn drain_again(device: &VideoDevice) -> Result<(), StageError> {
    match device.drain_decoder() {
        // It has not forgotten.
        Err(V4l2Error::Call {
            source: Errno::EBUSY,
            ..
        }) => Ok(()),
        done => Ok(done?),
    }
}
