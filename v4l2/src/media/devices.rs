//! The devices of a media graph, and what they answer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use dmaflow_core::Errno;
use dmaflow_core::fourcc::FourCc;

use super::ask::{Ask, PadFormat};
use super::error::MediaError;
use super::mbus_code::MbusCode;
use super::subdevice::{Role, Subdevice, parse};
use super::topology::{EntityId, NodeKind, PadId, Topology};
use crate::device::{Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::modes::{FrameSizes, list};
use crate::sys::subdev::Which;
use crate::sys::{self, RawFormat, RawPicture, raw};

/// What a pad says of its format; `None` where no pictures pass it, as on one that its entity
/// routes nothing to.
pub(super) fn routed<T>(format: Result<T, V4l2Error>) -> Result<Option<T>, V4l2Error> {
    match format {
        Ok(format) => Ok(Some(format)),
        Err(error) if error.errno() == Some(Errno::EINVAL) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The devices of a media graph, opened when they are asked for the first time.
#[derive(Debug)]
pub(super) struct Devices {
    topology: Arc<Topology>,
    subdevices: HashMap<EntityId, Subdevice>,
    videos: HashMap<EntityId, Arc<VideoDevice>>,
}

impl Devices {
    pub(super) fn new(topology: Arc<Topology>) -> Self {
        Self {
            topology,
            subdevices: HashMap::new(),
            videos: HashMap::new(),
        }
    }

    /// Has this device speak for the entity, instead of its node opened once more.
    pub(super) fn know(&mut self, entity: EntityId, video: Arc<VideoDevice>) {
        self.videos.insert(entity, video);
    }

    fn node(&self, id: EntityId) -> (PathBuf, String) {
        let node = self.topology.entity(id).and_then(|it| it.node.as_ref());
        let path = node.map(|node| node.path.clone()).unwrap_or_default();
        (path, self.topology.name(id))
    }

    pub(super) fn subdevice(&mut self, id: EntityId) -> Result<&Subdevice, MediaError> {
        if !self.subdevices.contains_key(&id) {
            let (path, name) = self.node(id);
            self.subdevices.insert(id, Subdevice::open(&path, &name)?);
        }
        Ok(&self.subdevices[&id])
    }

    pub(super) fn video(&mut self, id: EntityId) -> Result<&Arc<VideoDevice>, MediaError> {
        if !self.videos.contains_key(&id) {
            let (path, _name) = self.node(id);
            self.videos.insert(id, Arc::new(VideoDevice::open(&path)?));
        }
        Ok(&self.videos[&id])
    }
}

/// A format of a video node, to be tried or set.
pub(super) fn request(video: &VideoDevice, code: FourCc, size: (u32, u32)) -> RawFormat {
    RawFormat {
        queue: video.queue_type(Direction::Capture),
        picture: RawPicture {
            width: size.0,
            height: size.1,
            code: code.to_u32(),
            field: raw::v4l2_field_V4L2_FIELD_NONE,
            planes: 1,
            ..RawPicture::default()
        },
    }
}

impl Ask for Devices {
    fn speaks(&self, entity: EntityId) -> bool {
        let node = self.topology.entity(entity).and_then(|it| it.node.as_ref());
        node.is_some_and(|node| node.kind == NodeKind::Subdevice)
    }

    fn codes(&mut self, pad: PadId) -> Result<Vec<MbusCode>, MediaError> {
        Ok(self.subdevice(pad.entity)?.codes(pad.index)?)
    }

    fn sizes(&mut self, pad: PadId, code: MbusCode) -> Result<FrameSizes, MediaError> {
        Ok(self.subdevice(pad.entity)?.sizes(pad.index, code)?)
    }

    fn active(&mut self, pad: PadId) -> Result<PadFormat, MediaError> {
        Ok(self.subdevice(pad.entity)?.format(pad.index)?)
    }

    fn tried(&mut self, pad: PadId) -> Result<Option<PadFormat>, MediaError> {
        let format = self.subdevice(pad.entity)?.get(pad.index, Which::Try);
        Ok(routed(format)?.map(parse))
    }

    fn try_format(
        &mut self,
        pad: PadId,
        format: PadFormat,
    ) -> Result<Option<PadFormat>, MediaError> {
        let role = Role::of(&self.topology, pad);
        let subdevice = self.subdevice(pad.entity)?;
        let Some(mut asked) = routed(subdevice.get(pad.index, Which::Try))? else {
            return Ok(None);
        };
        (asked.width, asked.height) = format.size;
        asked.code = format.code.0;
        asked.field = raw::v4l2_field_V4L2_FIELD_NONE;
        let got = subdevice.set_uncropped(pad.index, role, Which::Try, asked);
        Ok(routed(got)?.map(parse))
    }

    fn pixel_formats(
        &mut self,
        node: EntityId,
        code: MbusCode,
    ) -> Result<Option<Vec<FourCc>>, MediaError> {
        let video = self.video(node)?;
        if !video.capabilities().captures() {
            return Ok(None);
        }
        let queue = video.queue_type(Direction::Capture);
        let formats = if video.capabilities().needs_media_controller() {
            let listed = list(|index| sys::enum_fmt_of_code(video.fd(), queue, code.0, index));
            let doing = format!("list its formats for {code}");
            let listed = listed.map_err(video.failed("VIDIOC_ENUM_FMT", doing))?;
            listed.into_iter().map(FourCc::from_u32).collect()
        } else {
            // Its driver does not look at the code.
            let usual = code.usual_pixel_formats();
            let listed = video.formats(Direction::Capture)?;
            let listed = listed.into_iter().map(|info| info.code);
            listed
                .filter(|code| usual.is_empty() || usual.contains(code))
                .collect()
        };
        Ok(Some(formats))
    }

    fn try_pixel_format(
        &mut self,
        node: EntityId,
        format: FourCc,
        size: (u32, u32),
    ) -> Result<Option<(u32, u32)>, MediaError> {
        let video = self.video(node)?;
        match sys::try_fmt(video.fd(), request(video, format, size)) {
            Ok(got) if got.picture.code == format.to_u32() => {
                Ok(Some((got.picture.width, got.picture.height)))
            }
            Ok(_other) => Ok(None),
            // What cannot be tried is seen when it is set.
            Err(Errno::ENOTTY) => Ok(Some(size)),
            Err(Errno::EINVAL) => Ok(None),
            Err(errno) => {
                let doing = format!("try the format {format}");
                Err(video.failed("VIDIOC_TRY_FMT", doing)(errno).into())
            }
        }
    }
}
