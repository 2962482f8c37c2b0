//! A camera that is made of several devices.

use std::sync::Arc;

use dmaflow_core::fourcc::FourCc;

use super::chain::{Chain, chains};
use super::config::MediaConfig;
use super::device::MediaDevice;
use super::devices::Devices;
use super::error::MediaError;
use super::plan::{LinkChange, PadWish, Plan, Wish, plan, plans};
use super::setup::MediaSetup;
use super::subdevice::Subdevice;
use super::topology::{EntityFunction, EntityId, PadId, Topology};
use super::wanted::{configured, entity_named};
use crate::device::VideoDevice;

/// A camera that is made of several devices: a sensor, what its pictures pass, and a video
/// node, which is the one that is opened.
#[derive(Debug)]
pub struct MediaCamera {
    video: Arc<VideoDevice>,
    media: Arc<MediaDevice>,
    /// As it is.
    topology: Arc<Topology>,
    /// As the configuration wants it, which plans rest on.
    wanted: Topology,
    asked_links: Vec<LinkChange>,
    pads: Vec<PadWish>,
    node: EntityId,
    chain: Chain,
}

impl MediaCamera {
    /// The camera behind a video node; `None` where the node is all there is of it. Nothing is
    /// set yet.
    ///
    /// With a configuration, or on a node that must be set up through the media controller
    /// (`V4L2_CAP_IO_MC`), there has to be one.
    ///
    /// *Needs:* read and write permission for the nodes of media device and sub-devices, which
    /// the group `video` has.
    ///
    /// # Errors
    /// [`MediaError`], which names what is missing: media device, entity, link, pad or a way.
    pub fn behind(
        video: &Arc<VideoDevice>,
        config: Option<&MediaConfig>,
    ) -> Result<Option<Self>, MediaError> {
        let must = config.is_some() || video.capabilities().needs_media_controller();
        let unasked = MediaConfig::default();
        match Self::new(video, config.unwrap_or(&unasked)) {
            Ok(camera) if must || camera.is_for_us() => Ok(Some(camera)),
            Ok(_node_alone) => Ok(None),
            Err(error) if must => Err(error),
            Err(error) => {
                tracing::debug!(device = %video, %error, "no media pipeline");
                Ok(None)
            }
        }
    }

    fn new(video: &Arc<VideoDevice>, config: &MediaConfig) -> Result<Self, MediaError> {
        let (media, topology, node) = MediaDevice::of(video)?;
        let (wanted, asked_links) = configured(&media, &topology, config)?;
        let mut pads = Vec::new();
        for asked in &config.pads {
            let entity = entity_named(&media, &topology, &asked.entity)?;
            let has = topology.entity(entity).map_or(&[][..], |it| &it.pads[..]);
            if !has.iter().any(|pad| pad.index == asked.pad) {
                return Err(MediaError::NoPad {
                    device: media.to_string(),
                    asked: asked.clone(),
                    pads: has.len(),
                });
            }
            let index = asked.pad;
            pads.push(PadWish {
                pad: PadId { entity, index },
                code: asked.code,
                size: asked.size,
            });
        }
        let sensor = match &config.sensor {
            Some(name) => Some(entity_named(&media, &topology, name)?),
            None => None,
        };
        let chain = choose(&media, &wanted, sensor, node)?;
        Ok(Self {
            video: Arc::clone(video),
            media: Arc::new(media),
            topology: Arc::new(topology),
            wanted,
            asked_links,
            pads,
            node,
            chain,
        })
    }

    /// Whether it has sub-devices, and their driver leaves them to whoever opens them. A driver
    /// that shows them read-only sets them itself, as its video node asks.
    fn is_for_us(&self) -> bool {
        let entities = self.chain.entities(&self.wanted);
        let mut entities = entities.iter().filter_map(|id| self.wanted.entity(*id));
        // It shows all of them so, or none.
        let Some(first) = entities.find(|entity| entity.is_subdevice()) else {
            return false;
        };
        let opened = self
            .devices()
            .subdevice(first.id)
            .map(Subdevice::is_read_only);
        // One that cannot be opened says why when it is asked for formats.
        !opened.unwrap_or(false)
    }

    fn wish(&self, pixel_formats: Vec<FourCc>, size: Option<(u32, u32)>) -> Wish {
        Wish {
            pixel_formats,
            size,
            pads: self.pads.clone(),
        }
    }

    fn devices(&self) -> Devices {
        let mut devices = Devices::new(Arc::clone(&self.topology));
        devices.know(self.node, Arc::clone(&self.video));
        devices
    }

    /// The pixel formats that it delivers in a size, or in the size that the sensor is set to,
    /// by V4L2's codes. Every device along the way was asked; nothing is set.
    ///
    /// # Errors
    /// [`MediaError::Refused`] when there is none; [`MediaError::Device`].
    pub fn pixel_formats(&self, size: Option<(u32, u32)>) -> Result<Vec<FourCc>, MediaError> {
        let wish = self.wish(Vec::new(), size);
        let plans = plans(&self.wanted, &self.chain, &wish, &mut self.devices())?;
        Ok(plans.into_iter().map(|plan| plan.pixel_format).collect())
    }

    /// The size that it delivers where none is asked for: what the sensor is set to, and what
    /// becomes of that on the way.
    ///
    /// # Errors
    /// As [`MediaCamera::pixel_formats`].
    pub fn size(&self) -> Result<(u32, u32), MediaError> {
        let wish = self.wish(Vec::new(), None);
        let plan = plan(&self.wanted, &self.chain, &wish, &mut self.devices())?;
        Ok(plan.size)
    }

    /// What to switch and set for it to deliver a pixel format in a size, or in the size that
    /// the sensor is set to. Nothing is set.
    ///
    /// # Errors
    /// [`MediaError::Refused`] with what was asked and what there is; [`MediaError::Device`].
    pub fn plan(&self, pixel_format: FourCc, size: Option<(u32, u32)>) -> Result<Plan, MediaError> {
        let wish = self.wish(vec![pixel_format], size);
        let mut plan = plan(&self.wanted, &self.chain, &wish, &mut self.devices())?;
        plan.links.splice(0..0, self.asked_links.iter().copied());
        Ok(plan)
    }

    /// Carries a plan out; dropping what is returned puts back what was there before. The video
    /// node's own format is left to its user.
    ///
    /// # Errors
    /// [`MediaError::Device`]: EBUSY while another program streams from the same sensor;
    /// [`MediaError::Changed`].
    pub fn apply(&self, plan: Plan) -> Result<MediaSetup, MediaError> {
        let (media, topology) = (Arc::clone(&self.media), Arc::clone(&self.topology));
        MediaSetup::apply(media, topology, self.devices(), plan)
    }
}

/// The chain to the node that needs the fewest links changed.
fn choose(
    device: &MediaDevice,
    topology: &Topology,
    sensor: Option<EntityId>,
    node: EntityId,
) -> Result<Chain, MediaError> {
    let mut found = chains(topology, sensor, Some(node)).into_iter();
    let name = |id: EntityId| topology.name(id);
    let Some(best) = found.next() else {
        let entities = topology.entities.iter();
        let sensors = entities.filter(|it| it.function == EntityFunction::CAMERA_SENSOR);
        return Err(MediaError::NoWay {
            device: device.to_string(),
            sensor: sensor.map(name),
            node: name(node),
            sensors: sensors.map(|it| it.name.clone()).collect(),
        });
    };
    let mut rivals: Vec<_> = found
        .filter(|other| !best.changes.is_empty() && other.changes.len() == best.changes.len())
        .map(|other| name(other.sensor(topology)))
        .collect();
    if rivals.is_empty() {
        return Ok(best);
    }
    rivals.insert(0, name(best.sensor(topology)));
    Err(MediaError::SeveralSensors {
        device: device.to_string(),
        node: name(node),
        sensors: rivals,
    })
}
