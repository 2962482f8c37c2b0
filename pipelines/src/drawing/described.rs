//! A description as a drawing: what its user wrote, before any device is asked.

use super::{Drawing, Edge, Node, NodeStyle};
use crate::description::{
    Description, FilterKind, LinkDescription, MixerInput, MixerKind, RouterKind, SinkKind,
    SourceKind, Stage, StageKind, TransformKind,
};
use crate::{HeapRequest, PoolRequest, QueuePolicy};

impl Description {
    /// Its stages and links as a drawing. Nodes are called like the stages, so that
    /// what becomes known of these can be added.
    #[must_use]
    pub fn drawing(&self, title: impl Into<String>) -> Drawing {
        let mut drawing = Drawing::new(title);
        for stage in &self.stages {
            drawing.node(node(stage));
        }
        for link in &self.links {
            drawing.edge(self.edge(link));
        }
        drawing
    }

    pub(super) fn edge(&self, link: &LinkDescription) -> Edge {
        let (from, to) = (&self.stages[link.from.stage], &self.stages[link.to.stage]);
        let mut edge = Edge::new(&from.name, &to.name);
        if let Some(port) = inputs(&to.kind).get(link.to.port) {
            edge = edge.to_port(port);
        }
        match link.queue {
            QueuePolicy::Latest => edge,
            QueuePolicy::Fifo { depth: None } => edge.line("fifo"),
            QueuePolicy::Fifo { depth: Some(depth) } => edge.line(format!("fifo, {depth} deep")),
            QueuePolicy::Block { depth } => edge.line(format!("block, {depth} deep")),
        }
    }
}

/// What a stage with several inputs calls them.
fn inputs(kind: &StageKind) -> Vec<String> {
    match kind {
        StageKind::Router(RouterKind::Selector { inputs, .. }) => inputs.clone(),
        StageKind::Mixer(MixerKind::Kms { inputs, .. }) => {
            inputs.iter().map(|input| input.name.clone()).collect()
        }
        _ => Vec::new(),
    }
}

fn node(stage: &Stage) -> Node {
    let (style, mut lines) = match &stage.kind {
        StageKind::Source(kind, pool) => (NodeStyle::Source, with_pool(source(kind), pool)),
        StageKind::Filter(kind) => (NodeStyle::Filter, filter(*kind)),
        StageKind::Router(RouterKind::Selector { inputs, selected }) => {
            let begins = inputs
                .get(*selected)
                .map(|input| format!("begins with {input}"));
            (NodeStyle::Router, with_kind("selector", [begins]))
        }
        StageKind::Transform(kind, pool) => {
            (NodeStyle::Transform, with_pool(transform(kind), pool))
        }
        StageKind::Sink(kind) => (NodeStyle::Sink, sink(kind)),
        StageKind::Mixer(MixerKind::Kms { config, inputs }) => (
            NodeStyle::Sink,
            mixer(sink(&SinkKind::Kms(config.clone())), inputs),
        ),
    };
    lines.retain(|line| !line.is_empty());
    let node = Node::new(&stage.name, style);
    let node = lines.into_iter().fold(node, Node::line);
    inputs(&stage.kind).into_iter().fold(node, Node::input)
}

fn with_kind<const N: usize>(kind: &str, lines: [Option<String>; N]) -> Vec<String> {
    std::iter::once(kind.to_owned())
        .chain(lines.into_iter().flatten())
        .collect()
}

/// Words in one line.
fn words<const N: usize>(words: [Option<String>; N]) -> Option<String> {
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn source(kind: &SourceKind) -> Vec<String> {
    match kind {
        SourceKind::V4l2(config) => {
            let picture = words([
                config.size.map(size),
                config.format.map(|format| format.to_string()),
                config.rate.map(|rate| format!("{rate} fps")),
            ]);
            with_kind("v4l2-src", [config.device.clone(), picture])
        }
        SourceKind::Test(config) => {
            let picture = words([
                Some(format!("{}×{}", config.width, config.height)),
                Some(config.format.to_string()),
                config.rate.map(|rate| format!("{rate} fps")),
            ]);
            with_kind("test-src", [picture])
        }
        SourceKind::File(request) => {
            let picture = words([
                request.size.map(size),
                request.likely_codec().map(|codec| codec.to_string()),
            ]);
            with_kind(
                "file-src",
                [Some(request.path.display().to_string()), picture],
            )
        }
    }
}

fn filter(kind: FilterKind) -> Vec<String> {
    match kind {
        FilterKind::Decimate { every } => {
            with_kind("decimate", [Some(format!("one frame of {every}"))])
        }
        FilterKind::RateLimit { rate } => {
            with_kind("rate-limit", [Some(format!("{rate} fps at most"))])
        }
    }
}

fn transform(kind: &TransformKind) -> Vec<String> {
    match kind {
        TransformKind::V4l2Convert(request) => {
            let picture = words([
                request.size.map(size),
                request.format.map(|format| format.to_string()),
            ]);
            with_kind("v4l2-convert", [request.device.clone(), picture])
        }
        TransformKind::V4l2Decode(request) => {
            let picture = request.format.map(|format| format.to_string());
            with_kind("v4l2-decode", [request.device.clone(), picture])
        }
        TransformKind::V4l2Encode(request) => {
            let stream = request.codec.map(|codec| codec.to_string());
            with_kind("v4l2-encode", [request.device.clone(), stream])
        }
    }
}

fn size((width, height): (u32, u32)) -> String {
    format!("{width}×{height}")
}

fn sink(kind: &SinkKind) -> Vec<String> {
    match kind {
        SinkKind::Kms(config) => {
            let place = words([config.card.clone(), config.connector.clone()]);
            let plane = config.plane.as_ref().map(|plane| format!("plane {plane}"));
            with_kind("kms-sink", [place, plane])
        }
        SinkKind::Picture(config) => {
            let every = (config.every.get() > 1).then(|| format!("one frame of {}", config.every));
            with_kind(
                "picture-sink",
                [Some(config.path.display().to_string()), every],
            )
        }
        SinkKind::File(config) => with_kind("file-sink", [Some(config.path.display().to_string())]),
        SinkKind::Null => with_kind("null-sink", []),
    }
}

fn mixer(mut lines: Vec<String>, inputs: &[MixerInput]) -> Vec<String> {
    lines.push(format!("{} pictures at once", inputs.len()));
    lines
}

fn with_pool(mut lines: Vec<String>, pool: &PoolRequest) -> Vec<String> {
    let heap = match &pool.heaps {
        HeapRequest::Any => None,
        HeapRequest::Names(names) => Some(format!("heap {}", names.join(" or "))),
    };
    let buffers = pool.buffers.map(|buffers| format!("{buffers} buffers"));
    let asked: Vec<String> = [heap, buffers].into_iter().flatten().collect();
    if !asked.is_empty() {
        lines.push(asked.join(", "));
    }
    lines
}
