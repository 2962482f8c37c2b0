//! A graph as a configuration wants it.

use super::config::MediaConfig;
use super::device::MediaDevice;
use super::error::MediaError;
use super::plan::LinkChange;
use super::topology::{EntityId, Link, PadId, Topology};

/// The graph as a configuration wants it: what it says of links is as if it could not be
/// changed.
pub(super) fn configured(
    device: &MediaDevice,
    topology: &Topology,
    config: &MediaConfig,
) -> Result<(Topology, Vec<LinkChange>), MediaError> {
    let mut wanted = topology.clone();
    let mut changes: Vec<LinkChange> = Vec::new();
    for asked in &config.links {
        let find = |name: &str| entity_named(device, topology, name);
        let source = PadId {
            entity: find(&asked.source.0)?,
            index: asked.source.1,
        };
        let sink = PadId {
            entity: find(&asked.sink.0)?,
            index: asked.sink.1,
        };
        let between = |link: &Link| link.source == source && link.sink == sink;
        let Some(index) = topology.links.iter().position(between) else {
            let near = topology.links.iter().filter(|link| {
                link.source.entity == source.entity || link.sink.entity == sink.entity
            });
            return Err(MediaError::NoLink {
                device: device.to_string(),
                asked: asked.clone(),
                known: near.map(|link| topology.link_name(link)).collect(),
            });
        };
        let link = topology.links[index];
        if link.enabled != asked.enable {
            if link.immutable {
                return Err(MediaError::Immutable {
                    device: device.to_string(),
                    link: topology.link_name(&link),
                    enable: asked.enable,
                });
            }
            changes.push(LinkChange {
                link: index,
                enable: asked.enable,
            });
        }
        wanted.links[index].enabled = asked.enable;
        wanted.links[index].immutable = true;
    }
    // Off before on: a sink takes one at a time.
    changes.sort_by_key(|change| change.enable);
    Ok((wanted, changes))
}

pub(super) fn entity_named(
    device: &MediaDevice,
    topology: &Topology,
    name: &str,
) -> Result<EntityId, MediaError> {
    topology
        .find(name)
        .map(|entity| entity.id)
        .ok_or_else(|| MediaError::NoEntity {
            device: device.to_string(),
            asked: name.to_owned(),
            known: topology.entities.iter().map(|it| it.name.clone()).collect(),
        })
}
