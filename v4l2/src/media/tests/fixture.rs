//! A media graph that answers like drivers do, without any.

use std::collections::HashMap;
use std::path::PathBuf;

use dmaflow_core::fourcc::FourCc;

use crate::media::topology::{
    Entity, EntityFunction, EntityId, Link, Node, NodeKind, Pad, PadDirection, PadId, Topology,
};
use crate::media::{
    Ask, Chain, LinkChange, MbusCode, MediaError, PadFormat, Plan, Setting, Wish, chains, plan,
};
use crate::modes::FrameSizes;

/// The formats of an entity's pads; `None` where nothing is routed.
pub(super) type Pads = Vec<Option<PadFormat>>;

type Codes = Box<dyn Fn(&Pads, u16) -> Vec<MbusCode>>;
type Set = Box<dyn Fn(&mut Pads, u16, PadFormat)>;

struct Part {
    active: Pads,
    tried: Pads,
    codes: Codes,
    sizes: FrameSizes,
    set: Set,
}

struct Video {
    formats: Vec<(MbusCode, Vec<FourCc>)>,
    max: (u32, u32),
}

/// A graph with its drivers.
#[derive(Default)]
pub(super) struct Fixture {
    pub(super) topology: Topology,
    parts: HashMap<EntityId, Part>,
    videos: HashMap<EntityId, Option<Video>>,
    pub(super) asked: usize,
}

pub(super) fn code(name: &str) -> MbusCode {
    name.parse().unwrap()
}

pub(super) fn codes(names: &[&str]) -> Vec<MbusCode> {
    names.iter().map(|name| code(name)).collect()
}

pub(super) fn four(name: &str) -> FourCc {
    name.parse().unwrap()
}

pub(super) fn format(name: &str, size: (u32, u32)) -> PadFormat {
    PadFormat {
        code: code(name),
        size,
    }
}

pub(super) fn up_to(max: (u32, u32)) -> FrameSizes {
    FrameSizes::Stepwise {
        min: (16, 16),
        max,
        step: (1, 1),
    }
}

impl Fixture {
    /// Adds an entity; its pads are written as `<` for a sink and `>` for a source.
    pub(super) fn entity(
        &mut self,
        name: &str,
        function: EntityFunction,
        pads: &str,
        kind: NodeKind,
    ) -> EntityId {
        let number = u32::try_from(self.topology.entities.len() + 1).unwrap();
        let id = EntityId(number);
        let pads = (0..).zip(pads.chars()).map(|(index, sign)| Pad {
            index,
            direction: if sign == '<' {
                PadDirection::Sink
            } else {
                PadDirection::Source
            },
            must_connect: false,
        });
        self.topology.entities.push(Entity {
            id,
            name: name.to_owned(),
            function,
            pads: pads.collect(),
            node: Some(Node {
                path: PathBuf::from(format!("/dev/of-{number}")),
                kind,
            }),
        });
        id
    }

    /// Adds a sub-device whose pads have `active` and that does with formats what `set` says.
    pub(super) fn subdevice(
        &mut self,
        (name, function, pads): (&str, EntityFunction, &str),
        active: PadFormat,
        sizes: FrameSizes,
        codes: impl Fn(&Pads, u16) -> Vec<MbusCode> + 'static,
        set: impl Fn(&mut Pads, u16, PadFormat) + 'static,
    ) -> EntityId {
        let id = self.entity(name, function, pads, NodeKind::Subdevice);
        let active: Pads = pads.chars().map(|_pad| Some(active)).collect();
        self.parts.insert(
            id,
            Part {
                tried: active.clone(),
                active,
                codes: Box::new(codes),
                sizes,
                set: Box::new(set),
            },
        );
        id
    }

    /// Adds a sensor that takes these codes and sizes as they are asked, and else its nearest.
    pub(super) fn sensor(&mut self, name: &str, list: &[&str], sizes: FrameSizes) -> EntityId {
        let list = codes(list);
        let first = PadFormat {
            code: list[0],
            size: sizes.nearest((640, 480), 1)[0],
        };
        let (known, all) = (list.clone(), sizes.clone());
        self.subdevice(
            (name, EntityFunction::CAMERA_SENSOR, ">"),
            first,
            sizes,
            move |_pads, _pad| list.clone(),
            move |pads, _pad, asked| {
                let code = if known.contains(&asked.code) {
                    asked.code
                } else {
                    known[0]
                };
                let size = all.nearest(asked.size, 1)[0];
                pads[0] = Some(PadFormat { code, size });
            },
        )
    }

    /// Adds a video node; `None` is one without pictures.
    pub(super) fn video(
        &mut self,
        name: &str,
        formats: Option<&[(&str, &[&str])]>,
        max: (u32, u32),
    ) -> EntityId {
        let id = self.entity(name, EntityFunction::IO_V4L, "<", NodeKind::Video);
        let formats = formats.map(|formats| Video {
            formats: formats
                .iter()
                .map(|(bus, pixels)| (code(bus), pixels.iter().map(|it| four(it)).collect()))
                .collect(),
            max,
        });
        self.videos.insert(id, formats);
        id
    }

    /// Has nothing routed to a pad.
    pub(super) fn unroute(&mut self, entity: EntityId, pad: usize) {
        let part = self.parts.get_mut(&entity).unwrap();
        part.active[pad] = None;
        part.tried[pad] = None;
    }

    pub(super) fn link(
        &mut self,
        source: (EntityId, u16),
        sink: (EntityId, u16),
        enabled: bool,
        immutable: bool,
    ) {
        let pad = |(entity, index)| PadId { entity, index };
        self.topology.links.push(Link {
            source: pad(source),
            sink: pad(sink),
            enabled,
            immutable,
            dynamic: false,
        });
    }

    /// The best chain from a sensor to a node, by their names.
    pub(super) fn chain(&self, sensor: Option<&str>, node: &str) -> Option<Chain> {
        let id = |name: &str| self.topology.find(name).unwrap().id;
        let mut found = chains(&self.topology, sensor.map(id), Some(id(node)));
        (!found.is_empty()).then(|| found.remove(0))
    }

    /// A plan, or why there is none.
    pub(super) fn plan(
        &mut self,
        sensor: Option<&str>,
        node: &str,
        format: &str,
        size: Option<(u32, u32)>,
    ) -> Result<Plan, String> {
        let wish = Wish {
            pixel_formats: vec![four(format)],
            size,
            pads: Vec::new(),
        };
        self.plan_wish(sensor, node, &wish)
    }

    pub(super) fn plan_wish(
        &mut self,
        sensor: Option<&str>,
        node: &str,
        wish: &Wish,
    ) -> Result<Plan, String> {
        let chain = self.chain(sensor, node).ok_or("no chain")?;
        let topology = self.topology.clone();
        let found = plan(&topology, &chain, wish, self).map_err(|error| error.to_string())?;
        self.holds(&found);
        Ok(found)
    }

    /// Carries a plan out, and checks what the kernel checks when the node starts: every enabled
    /// link that hangs on the chain has the same format at both ends.
    fn holds(&mut self, plan: &Plan) {
        for LinkChange { link, enable } in &plan.links {
            assert!(!self.topology.links[*link].immutable);
            self.topology.links[*link].enabled = *enable;
        }
        let mut nodes = HashMap::from([(
            plan.chain.node(&self.topology),
            (plan.pixel_format, plan.size),
        )]);
        for setting in &plan.settings {
            match setting {
                Setting::Pad(pad, format) => {
                    let part = self.parts.get_mut(&pad.entity).unwrap();
                    (part.set)(&mut part.active, pad.index, *format);
                    assert_eq!(part.active[usize::from(pad.index)], Some(*format));
                }
                Setting::Node(node, code, size) => {
                    nodes.insert(*node, (*code, *size));
                }
            }
        }
        let mut seen = vec![plan.chain.sensor(&self.topology)];
        let mut next = 0;
        while let Some(entity) = seen.get(next).copied() {
            next += 1;
            for link in self.topology.links.clone() {
                let touches = link.source.entity == entity || link.sink.entity == entity;
                if !touches || !link.enabled {
                    continue;
                }
                self.agrees(&link, &nodes);
                for end in [link.source.entity, link.sink.entity] {
                    if !seen.contains(&end) {
                        seen.push(end);
                    }
                }
            }
        }
    }

    fn agrees(&self, link: &Link, nodes: &HashMap<EntityId, (FourCc, (u32, u32))>) {
        let at = |pad: PadId| {
            let part = self.parts.get(&pad.entity)?;
            part.active[usize::from(pad.index)]
        };
        let name = self.topology.link_name(link);
        let Some(source) = at(link.source) else {
            return;
        };
        if let Some(sink) = at(link.sink) {
            assert_eq!(source, sink, "{name}");
        }
        if let Some(Some(video)) = self.videos.get(&link.sink.entity) {
            let (code, size) = nodes.get(&link.sink.entity).expect("a format of the node");
            assert_eq!(*size, source.size, "{name}");
            let made = video.formats.iter().find(|(bus, _)| *bus == source.code);
            assert!(
                made.is_some_and(|(_, pixels)| pixels.contains(code)),
                "{name}"
            );
        }
    }
}

impl Ask for Fixture {
    fn speaks(&self, entity: EntityId) -> bool {
        self.parts.contains_key(&entity)
    }

    fn codes(&mut self, pad: PadId) -> Result<Vec<MbusCode>, MediaError> {
        self.asked += 1;
        let part = &self.parts[&pad.entity];
        Ok((part.codes)(&part.tried, pad.index))
    }

    fn sizes(&mut self, pad: PadId, _code: MbusCode) -> Result<FrameSizes, MediaError> {
        Ok(self.parts[&pad.entity].sizes.clone())
    }

    fn active(&mut self, pad: PadId) -> Result<PadFormat, MediaError> {
        let part = &self.parts[&pad.entity];
        Ok(part.active[usize::from(pad.index)].unwrap())
    }

    fn tried(&mut self, pad: PadId) -> Result<Option<PadFormat>, MediaError> {
        Ok(self.parts[&pad.entity].tried[usize::from(pad.index)])
    }

    fn try_format(
        &mut self,
        pad: PadId,
        format: PadFormat,
    ) -> Result<Option<PadFormat>, MediaError> {
        self.asked += 1;
        let part = self.parts.get_mut(&pad.entity).unwrap();
        if part.tried[usize::from(pad.index)].is_some() {
            (part.set)(&mut part.tried, pad.index, format);
        }
        Ok(part.tried[usize::from(pad.index)])
    }

    fn pixel_formats(
        &mut self,
        node: EntityId,
        code: MbusCode,
    ) -> Result<Option<Vec<FourCc>>, MediaError> {
        let Some(video) = &self.videos[&node] else {
            return Ok(None);
        };
        let made = video.formats.iter().find(|(bus, _)| *bus == code);
        Ok(Some(
            made.map(|(_, pixels)| pixels.clone()).unwrap_or_default(),
        ))
    }

    fn try_pixel_format(
        &mut self,
        node: EntityId,
        _format: FourCc,
        size: (u32, u32),
    ) -> Result<Option<(u32, u32)>, MediaError> {
        let max = self.videos[&node].as_ref().unwrap().max;
        Ok(Some((size.0.min(max.0), size.1.min(max.1))))
    }
}
