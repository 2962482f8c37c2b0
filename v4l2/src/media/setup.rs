//! Carrying a plan out, and back.

mod rate;

use std::collections::HashMap;
use std::sync::Arc;

use dmaflow_core::time::Rate;

use super::device::MediaDevice;
use super::devices::{Devices, request, routed};
use super::error::MediaError;
use super::plan::{LinkChange, Plan, Setting};
use super::subdevice::{Role, parse};
use super::topology::{EntityId, Link, PadDirection, PadId, Topology};
use crate::controls::{ControlValue, find};
use crate::sys::subdev::{BusFormat, Rect, Which};
use crate::sys::{self, RawFormat, raw};

/// A media pipeline that is set up. Dropping it puts links, formats and rate back to what they
/// were; controls keep their values, as V4L2 means it.
#[derive(Debug)]
pub struct MediaSetup {
    media: Arc<MediaDevice>,
    topology: Arc<Topology>,
    devices: Devices,
    plan: Plan,
    /// In the order in which it was changed.
    before: Vec<Before>,
    /// The sensor's rate, which follows its format: it is put back when all else is.
    rate_before: Option<(PadId, Rate)>,
}

/// What something was before it was changed.
#[derive(Debug)]
enum Before {
    Link(LinkChange),
    Subdevice(EntityId, Vec<PadBefore>),
    Node(EntityId, RawFormat),
}

#[derive(Debug)]
struct PadBefore {
    index: u16,
    format: BusFormat,
    /// Targets and their rectangles.
    rects: Vec<(u32, Rect)>,
}

/// The rectangles that a new format may change.
const TARGETS: [u32; 2] = [raw::V4L2_SEL_TGT_CROP, raw::V4L2_SEL_TGT_COMPOSE];

impl MediaSetup {
    /// Carries a plan out: links first, then formats from the sensor on. What was done until
    /// something failed is undone.
    ///
    /// # Errors
    /// [`MediaError::Device`]: EBUSY while another program streams from the same sensor;
    /// [`MediaError::Changed`] when a driver takes a format as a try only.
    pub(super) fn apply(
        media: Arc<MediaDevice>,
        topology: Arc<Topology>,
        devices: Devices,
        plan: Plan,
    ) -> Result<Self, MediaError> {
        let mut setup = Self {
            media,
            topology,
            devices,
            plan,
            before: Vec::new(),
            rate_before: None,
        };
        // Formats may change it.
        setup.rate_before = setup.rate();
        // Until it is returned, dropping it undoes it.
        for change in setup.plan.links.clone() {
            setup.switch(change)?;
        }
        let mut colours: HashMap<PadId, BusFormat> = HashMap::new();
        for setting in setup.plan.settings.clone() {
            match setting {
                Setting::Pad(..) => setup.set_pad(setting, &mut colours)?,
                Setting::Node(..) => setup.set_node(setting)?,
            }
        }
        tracing::debug!(pipeline = %setup.plan.describe(&setup.topology), "set up");
        Ok(setup)
    }

    /// The plan that it carried out.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What was set up, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        self.plan.describe(&self.topology)
    }

    fn link(&self, index: usize) -> Option<Link> {
        self.topology.links.get(index).copied()
    }

    fn switch(&mut self, change: LinkChange) -> Result<(), MediaError> {
        let Some(link) = self.link(change.link) else {
            return Ok(());
        };
        self.media.set_link(&self.topology, &link, change.enable)?;
        self.before.push(Before::Link(LinkChange {
            link: change.link,
            enable: !change.enable,
        }));
        Ok(())
    }

    /// Sets a pad, in the colours that come in.
    fn set_pad(
        &mut self,
        setting: Setting,
        colours: &mut HashMap<PadId, BusFormat>,
    ) -> Result<(), MediaError> {
        let Setting::Pad(pad, format) = setting else {
            return Ok(());
        };
        self.remember(pad.entity)?;
        let source = self.topology.links.iter().find_map(|link| {
            let came = colours.get(&link.source)?;
            (link.sink == pad).then_some(*came)
        });
        let role = Role::of(&self.topology, pad);
        let subdevice = self.devices.subdevice(pad.entity)?;
        let mut asked = match source {
            Some(came) => came,
            None => subdevice.get(pad.index, Which::Active)?,
        };
        (asked.width, asked.height) = format.size;
        asked.code = format.code.0;
        asked.field = raw::v4l2_field_V4L2_FIELD_NONE;
        let got = subdevice.set_uncropped(pad.index, role, Which::Active, asked)?;
        if parse(got) != format {
            return Err(MediaError::Changed {
                pad: self.topology.pad_name(pad),
                asked: format.to_string(),
                got: parse(got).to_string(),
            });
        }
        colours.insert(pad, got);
        Ok(())
    }

    fn set_node(&mut self, setting: Setting) -> Result<(), MediaError> {
        let Setting::Node(node, code, size) = setting else {
            return Ok(());
        };
        let video = Arc::clone(self.devices.video(node)?);
        let asked = request(&video, code, size);
        let before = sys::get_fmt(video.fd(), asked.queue)
            .map_err(video.failed("VIDIOC_G_FMT", "ask for its format"))?;
        let doing = format!("set the format {code} at {}×{}", size.0, size.1);
        let got = sys::set_fmt(video.fd(), asked).map_err(video.failed("VIDIOC_S_FMT", doing))?;
        self.before.push(Before::Node(node, before));
        let picture = got.picture;
        if (picture.code, (picture.width, picture.height)) != (code.to_u32(), size) {
            return Err(MediaError::Changed {
                pad: video.to_string(),
                asked: format!("{}×{} {code}", size.0, size.1),
                got: format!("{}×{}", picture.width, picture.height),
            });
        }
        Ok(())
    }

    /// Keeps what all pads of an entity have, before the first of them is changed.
    fn remember(&mut self, id: EntityId) -> Result<(), MediaError> {
        let known = |before: &Before| matches!(before, Before::Subdevice(of, _) if *of == id);
        if self.before.iter().any(known) {
            return Ok(());
        }
        let topology = Arc::clone(&self.topology);
        let mut pads: Vec<_> = topology
            .entity(id)
            .into_iter()
            .flat_map(|it| &it.pads)
            .collect();
        // What enters decides about what leaves, so it is put back first.
        pads.sort_by_key(|pad| pad.direction == PadDirection::Source);
        let subdevice = self.devices.subdevice(id)?;
        if subdevice.is_read_only() {
            return Ok(()); // It will refuse the change.
        }
        let mut before = Vec::new();
        for pad in pads {
            let Some(format) = routed(subdevice.get(pad.index, Which::Active))? else {
                continue;
            };
            let rects = TARGETS.iter().filter_map(|target| {
                let rect = subdevice.rect(pad.index, Which::Active, *target)?;
                Some((*target, rect))
            });
            before.push(PadBefore {
                index: pad.index,
                rects: rects.collect(),
                format,
            });
        }
        self.before.push(Before::Subdevice(id, before));
        Ok(())
    }

    /// Sets a control on the device along the way that has it: the sensor, its lens and flash,
    /// then what follows it.
    ///
    /// # Errors
    /// [`MediaError::UnknownControl`], which lists what each device has; what
    /// [`VideoDevice::set_control`](crate::VideoDevice::set_control) says of the one that has it.
    pub fn set_control(&mut self, name: &str, value: &ControlValue) -> Result<(), MediaError> {
        let mut known = Vec::new();
        for id in self.with_controls() {
            let subdevice = self.devices.subdevice(id)?;
            let controls = subdevice.controls()?;
            if find(&controls, name).is_some() {
                tracing::debug!(%subdevice, control = name, %value, "set");
                return Ok(subdevice.set_control(name, value)?);
            }
            if !controls.is_empty() {
                let names: Vec<_> = controls.iter().map(crate::Control::key).collect();
                known.push(format!("{subdevice} has {}", names.join(", ")));
            }
        }
        Err(MediaError::UnknownControl {
            asked: name.to_owned(),
            known,
        })
    }

    fn with_controls(&self) -> Vec<EntityId> {
        let mut found = Vec::new();
        for entity in self.plan.chain.entities(&self.topology) {
            found.push(entity);
            let companions = self.topology.companions.iter();
            found.extend(
                companions
                    .filter(|(of, _companion)| *of == entity)
                    .map(|(_of, companion)| *companion),
            );
        }
        found.retain(|id| {
            let entity = self.topology.entity(*id);
            entity.is_some_and(super::topology::Entity::is_subdevice)
        });
        found
    }

    fn put_back(&mut self, before: Before) -> Result<(), MediaError> {
        match before {
            Before::Link(change) => match self.link(change.link) {
                Some(link) => self.media.set_link(&self.topology, &link, change.enable),
                None => Ok(()),
            },
            Before::Subdevice(id, pads) => {
                let subdevice = self.devices.subdevice(id)?;
                for pad in pads {
                    subdevice.set(pad.index, Which::Active, pad.format)?;
                    for (target, rect) in pad.rects {
                        // Some rectangles are there to be read only.
                        if subdevice.rect(pad.index, Which::Active, target) != Some(rect) {
                            subdevice.set_rect(pad.index, Which::Active, target, rect)?;
                        }
                    }
                }
                Ok(())
            }
            Before::Node(id, format) => {
                let video = self.devices.video(id)?;
                sys::set_fmt(video.fd(), format)
                    .map_err(video.failed("VIDIOC_S_FMT", "put its format back"))?;
                Ok(())
            }
        }
    }
}

impl Drop for MediaSetup {
    fn drop(&mut self) {
        while let Some(before) = self.before.pop() {
            match self.put_back(before) {
                Ok(()) => {}
                Err(error) if error.is_gone() => return,
                Err(error) => tracing::warn!(%error, "cannot put a media pipeline back"),
            }
        }
        if let Some((pad, rate)) = self.rate_before.take()
            && let Err(error) = self.put_rate_back(pad, rate)
            && !error.is_gone()
        {
            tracing::warn!(%error, "cannot put a sensor's rate back");
        }
    }
}
