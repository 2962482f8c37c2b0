//! The way from a sensor to a video node.

use std::collections::BTreeMap;

use super::plan::LinkChange;
use super::topology::{EntityFunction, EntityId, PadId, Topology};

/// How many entities a chain may have: far more than any camera.
const LONGEST: usize = 32;

/// A way for pictures, from a sensor to a video node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The links it takes, by their place in [`Topology::links`], the sensor's first.
    pub links: Vec<usize>,
    /// What has to be changed for it, in this order: links that are in the way first.
    pub changes: Vec<LinkChange>,
}

/// What it costs to come from an entity to the video node: links to change, links.
type Cost = (usize, usize);

/// The cheapest way on from an entity.
#[derive(Clone, Copy)]
struct Step {
    cost: Cost,
    link: usize,
}

impl Chain {
    /// Where its pictures come from.
    #[must_use]
    pub fn sensor(&self, topology: &Topology) -> EntityId {
        let first = self
            .links
            .first()
            .and_then(|link| topology.links.get(*link));
        first.map(|link| link.source.entity).unwrap_or_default()
    }

    /// Where its pictures go.
    #[must_use]
    pub fn node(&self, topology: &Topology) -> EntityId {
        let last = self.links.last().and_then(|link| topology.links.get(*link));
        last.map(|link| link.sink.entity).unwrap_or_default()
    }

    /// Its entities, the sensor first and the video node last.
    #[must_use]
    pub fn entities(&self, topology: &Topology) -> Vec<EntityId> {
        let links = self
            .links
            .iter()
            .filter_map(|link| topology.links.get(*link));
        let mut entities: Vec<_> = links.map(|link| link.source.entity).collect();
        entities.push(self.node(topology));
        entities
    }
}

/// The chains from this sensor, or any, to this video node, or any: one for each pair, those
/// with the fewest links to change first, shorter ones before longer ones.
///
/// Without a sensor, every camera sensor is one; where a node is reached from none, whatever
/// has no way in is.
#[must_use]
pub fn chains(topology: &Topology, sensor: Option<EntityId>, node: Option<EntityId>) -> Vec<Chain> {
    let nodes = topology
        .entities
        .iter()
        .filter(|entity| node.map_or(entity.is_capture_node(), |node| node == entity.id));
    let mut found: Vec<(Cost, Chain)> = nodes
        .flat_map(|node| {
            let steps = steps_to(topology, node.id);
            let sources = sources(topology, &steps, sensor);
            let chains = sources
                .into_iter()
                .map(|(cost, source)| (cost, follow(topology, &steps, source)));
            chains.collect::<Vec<_>>()
        })
        .collect();
    found.sort_by_key(|(cost, _chain)| *cost);
    found.into_iter().map(|(_cost, chain)| chain).collect()
}

/// The cheapest way to a node from every entity that has one.
fn steps_to(topology: &Topology, node: EntityId) -> BTreeMap<EntityId, Step> {
    let mut steps: BTreeMap<EntityId, Step> = BTreeMap::new();
    let mut reached = vec![((0, 0), node)];
    // Costs only grow along the way, so each round is right about one entity more.
    for _round in 0..LONGEST {
        let mut better = Vec::new();
        for (cost, entity) in reached {
            for index in topology.links_into(entity) {
                let link = topology.links[index];
                let Some(changes) = changes_for(topology, index) else {
                    continue;
                };
                let step = Step {
                    cost: (cost.0 + changes.len(), cost.1 + 1),
                    link: index,
                };
                let source = link.source.entity;
                let known = steps.get(&source);
                if source != node && known.is_none_or(|known| step.cost < known.cost) {
                    steps.insert(source, step);
                    better.push((step.cost, source));
                }
            }
        }
        if better.is_empty() {
            break;
        }
        reached = better;
    }
    steps
}

/// What has to be changed for pictures to take a link; `None` where that cannot be.
fn changes_for(topology: &Topology, index: usize) -> Option<Vec<LinkChange>> {
    let link = topology.links.get(index)?;
    if link.enabled {
        return Some(Vec::new());
    }
    if link.immutable {
        return None;
    }
    let mut changes = Vec::new();
    for other in topology.links_into(link.sink.entity) {
        let rival = topology.links[other];
        if other == index || rival.sink != link.sink || !rival.enabled {
            continue;
        }
        if rival.immutable {
            return None;
        }
        changes.push(LinkChange {
            link: other,
            enable: false,
        });
    }
    changes.push(LinkChange {
        link: index,
        enable: true,
    });
    Some(changes)
}

/// Where chains may begin, among the entities that have a way.
fn sources(
    topology: &Topology,
    steps: &BTreeMap<EntityId, Step>,
    asked: Option<EntityId>,
) -> Vec<(Cost, EntityId)> {
    let with = |is_one: &dyn Fn(EntityId) -> bool| -> Vec<_> {
        let those = steps.iter().filter(|(id, _step)| is_one(**id));
        those.map(|(id, step)| (step.cost, *id)).collect()
    };
    if let Some(asked) = asked {
        return with(&|id| id == asked);
    }
    let is_sensor = |id| {
        let entity = topology.entity(id);
        entity.is_some_and(|entity| entity.function == EntityFunction::CAMERA_SENSOR)
    };
    let sensors = with(&is_sensor);
    if !sensors.is_empty() {
        return sensors;
    }
    // An HDMI receiver, a pattern generator. What a video node puts in is no source of ours.
    with(&|id| {
        let entity = topology.entity(id);
        topology.links_into(id).next().is_none()
            && entity.is_some_and(|entity| entity.function != EntityFunction::IO_V4L)
    })
}

fn follow(topology: &Topology, steps: &BTreeMap<EntityId, Step>, source: EntityId) -> Chain {
    let (mut links, mut changes) = (Vec::new(), Vec::new());
    let mut entity = source;
    while let Some(step) = steps.get(&entity) {
        links.push(step.link);
        changes.extend(changes_for(topology, step.link).unwrap_or_default());
        entity = topology.links[step.link].sink.entity;
    }
    changes.sort_by_key(|change| change.enable);
    Chain { links, changes }
}

/// Who else gets the pictures of a chain. The kernel checks everything that hangs on it, so what
/// stays must agree with the chain, and what need not hang on it is cut off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Branches {
    /// Links to be disabled.
    pub(super) cut: Vec<usize>,
    /// Links that pictures will take beside the chain.
    pub(super) stay: Vec<usize>,
}

pub(super) fn branches(topology: &Topology, chain: &Chain) -> Branches {
    let mut branches = Branches::default();
    let mut seen = chain.entities(topology);
    let mut next = 0;
    while let Some(entity) = seen.get(next).copied() {
        next += 1;
        for index in topology.links_from(entity) {
            let link = topology.links[index];
            let changed = chain.changes.iter().find(|change| change.link == index);
            if chain.links.contains(&index) || !changed.map_or(link.enabled, |it| it.enable) {
                continue;
            }
            if !link.immutable && !must_stay(topology, chain, link.source) {
                branches.cut.push(index);
                continue;
            }
            branches.stay.push(index);
            if !seen.contains(&link.sink.entity) {
                seen.push(link.sink.entity);
            }
        }
    }
    branches
}

/// Whether a pad that must be connected is so by its branches alone.
fn must_stay(topology: &Topology, chain: &Chain, source: PadId) -> bool {
    let entity = topology.entity(source.entity);
    let pads = entity.into_iter().flat_map(|entity| &entity.pads);
    let mut pads = pads.filter(|pad| pad.index == source.index);
    let on_chain = |index: &usize| topology.links[*index].source == source;
    pads.any(|pad| pad.must_connect) && !chain.links.iter().any(on_chain)
}
