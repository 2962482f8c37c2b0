//! A media device's graph, as values that do no I/O: a driver fills them, or a test.

use std::fmt;
use std::path::PathBuf;

/// A media device's graph: what pictures pass on their way from a sensor to a video node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Sensors, processing steps and video nodes, in the driver's order.
    pub entities: Vec<Entity>,
    /// Where pictures can travel, from a source pad to a sink pad.
    pub links: Vec<Link>,
    /// Which entity belongs to which other without pictures between them: a sensor first, its
    /// lens or flash second.
    pub companions: Vec<(EntityId, EntityId)>,
}

/// The kernel's number of an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityId(pub u32);

/// A pad: where pictures enter or leave an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PadId {
    /// Whose it is.
    pub entity: EntityId,
    /// Its number there.
    pub index: u16,
}

/// A sensor, a processing step or a video node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// The kernel's number.
    pub id: EntityId,
    /// The driver's name: "imx219 4-0010".
    pub name: String,
    /// What it is for.
    pub function: EntityFunction,
    /// Where pictures enter and leave.
    pub pads: Vec<Pad>,
    /// The device node that speaks for it, where it has one.
    pub node: Option<Node>,
}

/// Where pictures enter or leave an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pad {
    /// Its number.
    pub index: u16,
    /// Whether pictures enter or leave.
    pub direction: PadDirection,
    /// Whether nothing streams unless one of its links is enabled.
    pub must_connect: bool,
}

/// Which way pictures pass a pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PadDirection {
    /// Into the entity.
    Sink,
    /// Out of the entity.
    Source,
}

/// A device node of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is; empty where that is not known.
    pub path: PathBuf,
    /// What it speaks.
    pub kind: NodeKind,
}

/// What a device node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Pictures: `/dev/video…`.
    Video,
    /// Formats of pads, and controls: `/dev/v4l-subdev…`.
    Subdevice,
    /// Something else, `MEDIA_INTF_T_…`.
    Other(u32),
}

/// A way for pictures, from one entity to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where they come from.
    pub source: PadId,
    /// Where they go.
    pub sink: PadId,
    /// Whether they do.
    pub enabled: bool,
    /// Whether that cannot be changed.
    pub immutable: bool,
    /// Whether that can be changed while it streams.
    pub dynamic: bool,
}

/// What an entity is for, `MEDIA_ENT_F_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityFunction(pub u32);

impl EntityFunction {
    /// A video node.
    pub const IO_V4L: Self = Self(0x1_0001);
    /// A camera's sensor.
    pub const CAMERA_SENSOR: Self = Self(0x2_0001);
    /// A flash light.
    pub const FLASH: Self = Self(0x2_0002);
    /// A lens that moves.
    pub const LENS: Self = Self(0x2_0003);
    /// A scaler.
    pub const SCALER: Self = Self(0x4005);
    /// An image signal processor.
    pub const ISP: Self = Self(0x4009);
    /// Changes how pixels are encoded: a debayer.
    pub const PIXEL_ENCODING_CONVERTER: Self = Self(0x4003);
    /// A receiver or bridge: CSI-2, a PHY.
    pub const INTERFACE_BRIDGE: Self = Self(0x5002);

    /// Its name in a few words; `None` for one that `linux/media.h` of Linux 7.3 does not have.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let known = FUNCTIONS.iter().find(|(number, _name)| *number == self.0);
        known.map(|(_number, name)| *name)
    }
}

impl fmt::Display for EntityFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "function {:#x}", self.0),
        }
    }
}

/// Source: `include/uapi/linux/media.h`.
const FUNCTIONS: &[(u32, &str)] = &[
    (0, "unknown"),
    (0x0001, "DTV demodulator"),
    (0x0002, "TS demultiplexer"),
    (0x1001, "DTV node"),
    (0x1002, "VBI node"),
    (0x1003, "software radio node"),
    (0x2001, "video IF decoder"),
    (0x2002, "audio IF decoder"),
    (0x3001, "audio capture"),
    (0x3002, "audio playback"),
    (0x3003, "audio mixer"),
    (0x4001, "composer"),
    (0x4002, "pixel formatter"),
    (0x4003, "pixel encoding converter"),
    (0x4004, "lookup table"),
    (0x4005, "scaler"),
    (0x4006, "statistics"),
    (0x4007, "encoder"),
    (0x4008, "decoder"),
    (0x4009, "image signal processor"),
    (0x5001, "multiplexer"),
    (0x5002, "interface bridge"),
    (0x6001, "digital video decoder"),
    (0x6002, "digital video encoder"),
    (0x1_0001, "video node"),
    (0x2_0000, "unknown sub-device"),
    (0x2_0001, "camera sensor"),
    (0x2_0002, "flash"),
    (0x2_0003, "lens"),
    (0x2_0004, "analog video decoder"),
    (0x2_0005, "tuner"),
];

impl Topology {
    /// The entity with this number.
    #[must_use]
    pub fn entity(&self, id: EntityId) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.id == id)
    }

    /// The entity with this name or node: "imx219 4-0010", "/dev/video0".
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entity> {
        let is_at = |entity: &&Entity| {
            let node = entity.node.as_ref();
            node.is_some_and(|node| node.path.as_os_str() == name)
        };
        let by_name = self.entities.iter().find(|entity| entity.name == name);
        by_name.or_else(|| self.entities.iter().find(is_at))
    }

    /// A pad's name: "Debayer A:1".
    #[must_use]
    pub fn pad_name(&self, pad: PadId) -> String {
        format!("{}:{}", self.name(pad.entity), pad.index)
    }

    /// An entity's name, or its number where there is none with it.
    #[must_use]
    pub fn name(&self, id: EntityId) -> String {
        self.entity(id)
            .map_or_else(|| format!("entity {}", id.0), |entity| entity.name.clone())
    }

    /// A link's name: "Debayer A:1 → Scaler:0".
    #[must_use]
    pub fn link_name(&self, link: &Link) -> String {
        let (source, sink) = (self.pad_name(link.source), self.pad_name(link.sink));
        format!("{source} → {sink}")
    }

    /// The links that leave an entity, by their place in [`Topology::links`].
    pub(super) fn links_from(&self, id: EntityId) -> impl Iterator<Item = usize> {
        let links = self.links.iter().enumerate();
        links
            .filter(move |(_index, link)| link.source.entity == id)
            .map(|(index, _link)| index)
    }

    /// The links that enter an entity, by their place in [`Topology::links`].
    pub(super) fn links_into(&self, id: EntityId) -> impl Iterator<Item = usize> {
        let links = self.links.iter().enumerate();
        links
            .filter(move |(_index, link)| link.sink.entity == id)
            .map(|(index, _link)| index)
    }
}

impl Entity {
    /// Whether it is a video node into which pictures come.
    #[must_use]
    pub fn is_capture_node(&self) -> bool {
        self.function == EntityFunction::IO_V4L
            && self
                .pads
                .iter()
                .any(|pad| pad.direction == PadDirection::Sink)
    }

    /// Whether a sub-device's node speaks for it.
    #[must_use]
    pub fn is_subdevice(&self) -> bool {
        let node = self.node.as_ref();
        node.is_some_and(|node| node.kind == NodeKind::Subdevice)
    }
}
