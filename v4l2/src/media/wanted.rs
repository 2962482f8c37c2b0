//! A graph as a configuration wants it.

use std::fmt::Display;

use super::config::MediaConfig;
use super::error::MediaError;
use super::plan::LinkChange;
use super::topology::{EntityId, Link, PadId, Topology};

/// The graph as a configuration wants it: what it says of links is as if it could not be
/// changed. What else enters the pad that a link is asked to lead to is switched off.
pub(super) fn configured(
    device: &impl Display,
    topology: &Topology,
    config: &MediaConfig,
) -> Result<(Topology, Vec<LinkChange>), MediaError> {
    let mut wanted = topology.clone();
    let (mut changes, mut asked_on) = (Vec::new(), Vec::new());
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
        // One that cannot be off asks for nothing.
        if asked.enable && !link.immutable {
            asked_on.push(index);
        }
    }
    for index in asked_on {
        let link = topology.links[index];
        for rival in topology.links_into(link.sink.entity) {
            let other = &mut wanted.links[rival];
            if rival == index || other.sink != link.sink || !other.enabled {
                continue;
            }
            if other.immutable {
                return Err(MediaError::Rivals {
                    device: device.to_string(),
                    link: topology.link_name(&link),
                    rival: topology.link_name(other),
                });
            }
            (other.enabled, other.immutable) = (false, true);
            changes.push(LinkChange {
                link: rival,
                enable: false,
            });
        }
    }
    // Off before on: a sink takes one at a time.
    changes.sort_by_key(|change| change.enable);
    Ok((wanted, changes))
}

pub(super) fn entity_named(
    device: &impl Display,
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
