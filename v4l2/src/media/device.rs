//! Media devices: the nodes that tell a graph and switch its links.

use std::collections::HashMap;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat, major, minor, stat};

use super::error::MediaError;
use super::topology::{
    Entity, EntityFunction, EntityId, Link, Node, NodeKind, Pad, PadDirection, PadId, Topology,
};
use crate::device::{Handle, VideoDevice, numbered};
use crate::error::V4l2Error;
use crate::sys::{self, media};

/// Who a media device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaInfo {
    /// The driver's name: "rkisp1".
    pub driver: String,
    /// The device's name: "rkisp1".
    pub model: String,
    /// Where it sits: "platform:ff910000.isp0".
    pub bus: String,
}

/// An open media device.
#[derive(Debug)]
pub struct MediaDevice {
    fd: OwnedFd,
    path: PathBuf,
    info: MediaInfo,
}

/// The media devices' nodes, by number.
#[must_use]
pub fn media_nodes() -> Vec<PathBuf> {
    numbered(Path::new("/sys/bus/media/devices"), "media")
}

impl MediaDevice {
    /// Opens a node.
    ///
    /// *Needs:* read and write permission for the node, which the group `video` has.
    ///
    /// # Errors
    /// [`V4l2Error::Open`]; [`V4l2Error::Call`] with ENOTTY when it is no media device.
    #[doc(alias = "MEDIA_IOC_DEVICE_INFO")]
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        let fd = open(path, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).map_err(|source| {
            V4l2Error::Open {
                path: path.to_owned(),
                source,
            }
        })?;
        let info = media::device_info(fd.as_fd()).map_err(|source| V4l2Error::Call {
            device: path.display().to_string(),
            doing: "be asked as a media device".to_owned(),
            call: "MEDIA_IOC_DEVICE_INFO",
            source,
        })?;
        let info = MediaInfo {
            driver: sys::text(&info.driver),
            model: sys::text(&info.model),
            bus: sys::text(&info.bus_info),
        };
        Ok(Self {
            fd,
            path: path.to_owned(),
            info,
        })
    }

    /// Opens the media device with this path, driver, model or bus, or the one that has the
    /// video node of this path.
    ///
    /// # Errors
    /// [`MediaError::NoMatch`], which lists what there is; [`V4l2Error::Open`] for a path.
    pub fn open_matching(asked: &str) -> Result<Self, MediaError> {
        if asked.contains('/') {
            return match VideoDevice::open(Path::new(asked)) {
                Ok(video) => Ok(Self::of(&video)?.0),
                Err(V4l2Error::NotVideo { .. }) => Self::open(Path::new(asked)),
                Err(error) => Err(error.into()),
            };
        }
        let mut known = Vec::new();
        for path in media_nodes() {
            match Self::open(&path) {
                Ok(device) => {
                    let info = &device.info;
                    let names = [&info.driver, &info.model, &info.bus];
                    if names.iter().any(|name| name.eq_ignore_ascii_case(asked)) {
                        return Ok(device);
                    }
                    known.push(device.to_string());
                }
                Err(error) => known.push(error.to_string()),
            }
        }
        Err(MediaError::NoMatch {
            asked: asked.to_owned(),
            known,
        })
    }

    /// The media device that a video node belongs to, its graph and the node's entity.
    ///
    /// # Errors
    /// [`MediaError::NoMedia`] when it belongs to none, as with drivers that need none.
    pub fn of(video: &VideoDevice) -> Result<(Self, Topology, EntityId), MediaError> {
        let node = || video.to_string();
        let number = fstat(video.fd()).map_err(|source| V4l2Error::Open {
            path: video.path().to_owned(),
            source,
        })?;
        let mut refused = Vec::new();
        for path in media_nodes() {
            let topology = Self::open(&path).and_then(|it| Ok((it.topology()?, it)));
            let (topology, device) = match topology {
                Ok(found) => found,
                Err(error) => {
                    refused.push(error.to_string());
                    continue;
                }
            };
            let is_it = |entity: &&Entity| {
                let node = entity.node.as_ref();
                node.is_some_and(|node| {
                    stat(&node.path).is_ok_and(|found| found.st_rdev == number.st_rdev)
                })
            };
            let entity = topology.entities.iter().find(is_it).map(|entity| entity.id);
            if let Some(entity) = entity {
                return Ok((device, topology, entity));
            }
        }
        Err(MediaError::NoMedia {
            node: node(),
            refused,
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Who it is.
    #[must_use]
    pub const fn info(&self) -> &MediaInfo {
        &self.info
    }

    /// The node.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The graph as it is now.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "MEDIA_IOC_G_TOPOLOGY")]
    pub fn topology(&self) -> Result<Topology, MediaError> {
        let failed = self
            .handle()
            .failed("MEDIA_IOC_G_TOPOLOGY", "tell its graph");
        let graph = media::topology(self.fd.as_fd()).map_err(failed)?;
        Ok(parse(&graph, &path_of))
    }

    /// Switches a link.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]: EBUSY while it streams or its sink is taken, EINVAL when it cannot
    /// be changed, ENODEV when the device is gone.
    #[doc(alias = "MEDIA_IOC_SETUP_LINK")]
    pub fn set_link(
        &self,
        topology: &Topology,
        link: &Link,
        enable: bool,
    ) -> Result<(), MediaError> {
        let mut flags = if enable { media::LINK_ENABLED } else { 0 };
        if link.dynamic {
            flags |= media::LINK_DYNAMIC;
        }
        if link.immutable {
            flags |= media::LINK_IMMUTABLE;
        }
        let end = |pad: PadId| (pad.entity.0, pad.index);
        let doing = if enable { "enable" } else { "disable" };
        media::setup_link(self.fd.as_fd(), end(link.source), end(link.sink), flags).map_err(
            self.handle().failed(
                "MEDIA_IOC_SETUP_LINK",
                format!("{doing} the link {}", topology.link_name(link)),
            ),
        )?;
        Ok(())
    }

    pub(crate) fn handle(&self) -> Handle<'_> {
        Handle {
            fd: self.fd.as_fd(),
            name: self.to_string(),
        }
    }
}

impl fmt::Display for MediaDevice {
    /// Writes model, driver and node: "Virtual Media Controller (vimc, /dev/media0)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MediaInfo { model, driver, .. } = &self.info;
        write!(f, "{model} ({driver}, {})", self.path.display())
    }
}

/// The path of a character device, as the kernel names it to whoever makes the nodes.
fn path_of(number: (u32, u32)) -> Option<PathBuf> {
    let event = format!("/sys/dev/char/{}:{}/uevent", number.0, number.1);
    let event = std::fs::read_to_string(event).ok()?;
    let name = event
        .lines()
        .find_map(|line| line.strip_prefix("DEVNAME="))?;
    let path = Path::new("/dev").join(name);
    // A container may have given it another number.
    let found = stat(&path).ok()?.st_rdev;
    ((major(found), minor(found)) == (number.0.into(), number.1.into())).then_some(path)
}

/// The kernel's lists as a graph; what nothing belongs to is left out.
fn parse(graph: &media::Graph, path_of: &dyn Fn((u32, u32)) -> Option<PathBuf>) -> Topology {
    let mut entities: Vec<_> = graph
        .entities
        .iter()
        .map(|raw| entity(graph, raw))
        .collect();
    let pads: HashMap<u32, PadId> = graph
        .pads
        .iter()
        .filter_map(|pad| {
            let entity = EntityId(pad.entity);
            let index = u16::try_from(pad.index).ok()?;
            Some((pad.id, PadId { entity, index }))
        })
        .collect();
    let (mut links, mut companions) = (Vec::new(), Vec::new());
    for link in &graph.links {
        match link.flags & media::LINK_TYPE {
            0 => {
                let ends = pads.get(&link.source).zip(pads.get(&link.sink));
                links.extend(ends.map(|(source, sink)| Link {
                    source: *source,
                    sink: *sink,
                    enabled: link.flags & media::LINK_ENABLED != 0,
                    immutable: link.flags & media::LINK_IMMUTABLE != 0,
                    dynamic: link.flags & media::LINK_DYNAMIC != 0,
                }));
            }
            media::LINK_INTERFACE => {
                let interface = graph.interfaces.iter().find(|it| it.id == link.source);
                let entity = entities.iter_mut().find(|it| it.id.0 == link.sink);
                if let Some((interface, entity)) = interface.zip(entity) {
                    let number = (interface.major, interface.minor);
                    entity.node = Some(Node {
                        path: path_of(number).unwrap_or_default(),
                        kind: match interface.kind {
                            media::INTERFACE_VIDEO => NodeKind::Video,
                            media::INTERFACE_SUBDEV => NodeKind::Subdevice,
                            other => NodeKind::Other(other),
                        },
                    });
                }
            }
            media::LINK_ANCILLARY => {
                companions.push((EntityId(link.source), EntityId(link.sink)));
            }
            _ => {}
        }
    }
    Topology {
        entities,
        links,
        companions,
    }
}

fn entity(graph: &media::Graph, raw: &media::Entity) -> Entity {
    let of_it = graph.pads.iter().filter(|pad| pad.entity == raw.id);
    let mut pads: Vec<_> = of_it
        .filter_map(|pad| {
            let direction = if pad.flags & media::PAD_SINK == 0 {
                PadDirection::Source
            } else {
                PadDirection::Sink
            };
            Some(Pad {
                index: u16::try_from(pad.index).ok()?,
                direction,
                must_connect: pad.flags & media::PAD_MUST_CONNECT != 0,
            })
        })
        .collect();
    pads.sort_by_key(|pad| pad.index);
    Entity {
        id: EntityId(raw.id),
        name: sys::text(&raw.name),
        function: EntityFunction(raw.function),
        pads,
        node: None,
    }
}
