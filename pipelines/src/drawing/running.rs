//! A pipeline that runs, as a drawing: its stages, and what passes the links now.

use super::{Drawing, Edge, Emphasis, Node, NodeStyle};
use crate::QueuePolicy;
use crate::control::{LinkState, LinkStatistics, Role, StageState, State, Statistics};

impl Drawing {
    /// Draws a run by what it told of itself ([`Control`](crate::Control)). Links over which
    /// frames were let go since the look before stand out, and stages that failed.
    #[must_use]
    pub fn of_run(title: impl Into<String>, state: &State, seen: &Statistics) -> Self {
        let mut drawing = Self::new(title);
        for stage in &state.stages {
            drawing.node(node(stage));
        }
        for link in &state.links {
            let mut seen = seen.links.iter();
            let same = |known: &&LinkStatistics| {
                (&known.from, &known.to, known.input) == (&link.from, &link.to, link.input)
            };
            drawing.edge(edge(state, link, seen.find(same)));
        }
        drawing
    }
}

fn node(stage: &StageState) -> Node {
    let style = match stage.role {
        Role::Source => NodeStyle::Source,
        Role::Filter => NodeStyle::Filter,
        Role::Router => NodeStyle::Router,
        Role::Transform => NodeStyle::Transform,
        Role::Sink | Role::Mixer => NodeStyle::Sink,
    };
    let mut node = Node::new(&stage.stage, style);
    if let Some(device) = &stage.device {
        node = node.line(device);
    }
    let selected = stage.selected.and_then(|input| stage.inputs.get(input));
    if let Some(selected) = selected {
        node = node.line(format!("passes {selected} on"));
    }
    if stage.added {
        node = node.line("added");
    }
    if stage.failure.is_some() {
        node.line("failed").emphasis(Emphasis::Fault)
    } else if stage.running {
        node
    } else {
        node.line("has ended")
    }
}

fn edge(state: &State, link: &LinkState, seen: Option<&LinkStatistics>) -> Edge {
    let mut edge = Edge::new(&link.from, &link.to);
    let mut stages = state.stages.iter();
    let to = stages.find(|stage| stage.stage == link.to);
    if let Some(to) = to
        && matches!(to.role, Role::Router | Role::Mixer)
        && let Some(input) = to.inputs.get(link.input)
    {
        edge = edge.to_port(input);
    }
    for layout in &link.layouts {
        edge = edge.line(layout);
    }
    if link.queue != QueuePolicy::Latest {
        edge = edge.line(link.queue.to_string());
    }
    let Some(seen) = seen else {
        return edge;
    };
    edge = edge.line(format!("{:.1} fps", seen.frames_per_second));
    let dropped = seen.superseded + seen.left;
    if dropped > 0 {
        edge = edge.line(format!("{dropped} dropped"));
    }
    if seen.dropped > 0 {
        edge = edge.emphasis(Emphasis::Notice);
    }
    edge
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, role: Role) -> StageState {
        StageState {
            stage: name.to_owned(),
            role,
            device: None,
            running: true,
            added: false,
            failure: None,
            controls: false,
            selected: None,
            inputs: Vec::new(),
        }
    }

    #[test]
    fn links_tell_rates_and_drops() {
        let mut state = State {
            stages: vec![stage("camera", Role::Source), stage("screen", Role::Sink)],
            ..State::default()
        };
        state.stages[1].failure = Some("the cable".to_owned());
        state.links.push(LinkState {
            from: "camera".to_owned(),
            to: "screen".to_owned(),
            input: 0,
            queue: "fifo:2".parse().unwrap(),
            layouts: vec!["80×16 XRGB8888".to_owned()],
        });
        let mut seen = Statistics::default();
        seen.links.push(LinkStatistics {
            from: "camera".to_owned(),
            to: "screen".to_owned(),
            superseded: 7,
            frames_per_second: 29.97,
            dropped: 1,
            ..LinkStatistics::default()
        });
        let mermaid = Drawing::of_run("it", &state, &seen).to_mermaid();
        for told in [
            "80×16 XRGB8888",
            "30.0 fps",
            "7 dropped",
            "fifo of 2",
            "failed",
        ] {
            assert!(mermaid.contains(told), "{told} is not in\n{mermaid}");
        }
    }
}
