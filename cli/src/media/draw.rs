//! A media graph as a drawing.

use dmaflow_pipelines::drawing::{Drawing, Edge, EdgeStyle, Node, NodeStyle};
use dmaflow_v4l2::media::{Entity, EntityFunction, Link, PadDirection};

use super::look::Look;

/// All graphs in one drawing, each in a frame of its own where there are several.
pub(super) fn drawing(looks: &[Look]) -> Drawing {
    let title = match looks {
        [look] => format!("{} ({})", look.info.model, look.info.driver),
        _ => "media devices".to_owned(),
    };
    let mut drawing = Drawing::new(title);
    for look in looks {
        for entity in &look.topology.entities {
            drawing.node(node(look, entity));
        }
        for link in &look.topology.links {
            drawing.edge(edge(look, link));
        }
        if looks.len() > 1 {
            let members = look
                .topology
                .entities
                .iter()
                .map(|entity| id(look, entity.id.0));
            drawing.group(format!("{} ({})", look.info.model, look.node), members);
        }
    }
    drawing
}

fn id(look: &Look, entity: u32) -> String {
    format!("{} {entity}", look.node)
}

fn node(look: &Look, entity: &Entity) -> Node {
    let style = match entity.function {
        EntityFunction::CAMERA_SENSOR => NodeStyle::Source,
        EntityFunction::IO_V4L => NodeStyle::Sink,
        _ => NodeStyle::Device,
    };
    let mut node = Node::new(id(look, entity.id.0), style).title(&entity.name);
    node = node.line(entity.function.to_string());
    if let Some(path) = Look::node_of(entity) {
        node = node.line(path);
    }
    if let Some(format) = look.video(entity.id) {
        node = node.line(format);
    }
    for pad in &entity.pads {
        node = match pad.direction {
            PadDirection::Sink => node.input(pad.index.to_string()),
            PadDirection::Source => node.output(pad.index.to_string()),
        };
    }
    node
}

fn edge(look: &Look, link: &Link) -> Edge {
    let style = match (link.enabled, link.immutable) {
        (true, true) => EdgeStyle::Immutable,
        (true, false) => EdgeStyle::Frames,
        (false, _) => EdgeStyle::Disabled,
    };
    let (source, sink) = (link.source, link.sink);
    let edge = Edge::new(id(look, source.entity.0), id(look, sink.entity.0))
        .from_port(source.index.to_string())
        .to_port(sink.index.to_string())
        .style(style);
    let comes = look.format(source.entity, source.index);
    let goes = look.format(sink.entity, sink.index);
    match (comes.filter(|_format| link.enabled), goes) {
        // Ends that disagree are what a start fails of.
        (Some(comes), Some(goes)) if comes != goes => edge
            .line(format!("{comes} ≠ {goes}"))
            .emphasis(dmaflow_pipelines::drawing::Emphasis::Notice),
        (Some(comes), _) => edge.line(comes.to_string()),
        (None, _) => edge,
    }
}
