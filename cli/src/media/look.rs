//! What a media device says of itself, and the nodes of its entities.

use std::collections::HashMap;

use dmaflow_v4l2::media::{
    Entity, EntityId, Link, MediaDevice, MediaError, MediaInfo, NodeKind, PadDirection, PadFormat,
    PadId, Subdevice, Topology, media_nodes,
};
use dmaflow_v4l2::{Direction, VideoDevice};
use serde_json::{Value, json};

use crate::failure::with_causes;

/// A media device's graph, with the formats that are set.
pub(super) struct Look {
    pub(super) node: String,
    pub(super) info: MediaInfo,
    pub(super) topology: Topology,
    formats: HashMap<PadId, PadFormat>,
    videos: HashMap<EntityId, String>,
    /// Nodes that could not be asked, by entity.
    refused: HashMap<EntityId, String>,
}

/// Every media device, and those that cannot be asked.
pub(super) fn all() -> (Vec<Look>, Vec<String>) {
    let (mut looks, mut refused) = (Vec::new(), Vec::new());
    for path in media_nodes() {
        match MediaDevice::open(&path).and_then(|device| Look::of(&device)) {
            Ok(look) => looks.push(look),
            Err(error) => refused.push(with_causes(&error)),
        }
    }
    (looks, refused)
}

impl Look {
    pub(super) fn at(device: &str) -> Result<Self, MediaError> {
        Self::of(&MediaDevice::open_matching(device)?)
    }

    fn of(device: &MediaDevice) -> Result<Self, MediaError> {
        let topology = device.topology()?;
        let mut look = Self {
            node: device.path().display().to_string(),
            info: device.info().clone(),
            topology: Topology::default(),
            formats: HashMap::new(),
            videos: HashMap::new(),
            refused: HashMap::new(),
        };
        for entity in &topology.entities {
            if let Err(error) = look.ask(entity) {
                look.refused.insert(entity.id, with_causes(&error));
            }
        }
        look.topology = topology;
        Ok(look)
    }

    fn ask(&mut self, entity: &Entity) -> Result<(), MediaError> {
        let Some(node) = &entity.node else {
            return Ok(());
        };
        match node.kind {
            NodeKind::Subdevice => {
                let subdevice = Subdevice::open(&node.path, &entity.name)?;
                for pad in &entity.pads {
                    // Pads that nothing is routed to have no format.
                    if let Ok(format) = subdevice.format(pad.index) {
                        let (entity, index) = (entity.id, pad.index);
                        self.formats.insert(PadId { entity, index }, format);
                    }
                }
            }
            NodeKind::Video => {
                let video = VideoDevice::open(&node.path)?;
                if video.capabilities().captures() {
                    let layout = video.layout(Direction::Capture)?;
                    let (width, height) = (layout.width(), layout.height());
                    let text = format!("{width}×{height} {}", layout.format());
                    self.videos.insert(entity.id, text);
                }
            }
            NodeKind::Other(_) => {}
        }
        Ok(())
    }

    /// The entities with names and nodes.
    pub(super) fn node_of(entity: &Entity) -> Option<String> {
        let path = &entity.node.as_ref()?.path;
        (!path.as_os_str().is_empty()).then(|| path.display().to_string())
    }

    pub(super) fn format(&self, entity: EntityId, index: u16) -> Option<PadFormat> {
        self.formats.get(&PadId { entity, index }).copied()
    }

    /// The format of a video node.
    pub(super) fn video(&self, entity: EntityId) -> Option<&str> {
        self.videos.get(&entity).map(String::as_str)
    }

    pub(super) fn refused(&self, entity: EntityId) -> Option<&str> {
        self.refused.get(&entity).map(String::as_str)
    }

    /// The links that leave a pad.
    pub(super) fn links_from(&self, entity: EntityId, index: u16) -> impl Iterator<Item = &Link> {
        let links = self.topology.links.iter();
        links.filter(move |link| link.source == PadId { entity, index })
    }

    /// The links that enter a pad.
    pub(super) fn links_into(&self, entity: EntityId, index: u16) -> impl Iterator<Item = &Link> {
        let links = self.topology.links.iter();
        links.filter(move |link| link.sink == PadId { entity, index })
    }
}

pub(super) fn json(looks: &[Look], refused: &[String]) -> Value {
    json!({
        "media": looks.iter().map(look_json).collect::<Vec<_>>(),
        "refused": refused,
    })
}

fn look_json(look: &Look) -> Value {
    let end = |pad: PadId| {
        json!({
            "entity": look.topology.name(pad.entity),
            "pad": pad.index,
        })
    };
    let links = look.topology.links.iter().map(|link| {
        json!({
            "source": end(link.source),
            "sink": end(link.sink),
            "enabled": link.enabled,
            "immutable": link.immutable,
            "dynamic": link.dynamic,
        })
    });
    let companions = look.topology.companions.iter().map(|(of, companion)| {
        json!({ "of": look.topology.name(*of), "entity": look.topology.name(*companion) })
    });
    let entities = look.topology.entities.iter();
    json!({
        "node": look.node,
        "driver": look.info.driver,
        "model": look.info.model,
        "bus": look.info.bus,
        "entities": entities.map(|entity| entity_json(look, entity)).collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "companions": companions.collect::<Vec<_>>(),
    })
}

fn entity_json(look: &Look, entity: &Entity) -> Value {
    let pads = entity.pads.iter().map(|pad| {
        let format = look.format(entity.id, pad.index).map(|format| {
            json!({
                "code": format.code.to_string(),
                "width": format.size.0,
                "height": format.size.1,
            })
        });
        json!({
            "pad": pad.index,
            "direction": if pad.direction == PadDirection::Sink { "in" } else { "out" },
            "format": format,
        })
    });
    json!({
        "id": entity.id.0,
        "name": entity.name,
        "function": entity.function.to_string(),
        "node": Look::node_of(entity),
        "format": look.video(entity.id),
        "pads": pads.collect::<Vec<_>>(),
        "refused": look.refused(entity.id),
    })
}
