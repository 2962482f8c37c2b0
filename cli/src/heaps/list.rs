//! `dmaflow heaps`: each heap with what it can give now, and who may open it.

use std::path::Path;

use clap::Args;
use dmaflow_heaps::kernel::NODES;
use serde_json::{Value, json};

use super::largest::{Largest, largest_now};
use super::listing::{Listed, listed};
use crate::failure::Failure;
use crate::memory::Memory;
use crate::node::{For, Node};
use crate::numbers::bytes;
use crate::output;
use crate::registry;
use crate::table::{Row, aligned};

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Allocate nothing: tell the longest buffer only where the exporter knows it, or where it can
    /// be estimated
    #[arg(long)]
    no_try: bool,
    /// List the heaps of displays, cameras and codecs too, by whose names they are asked for
    #[arg(long)]
    devices: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn list(args: &ListArgs) -> Result<(), Failure> {
    let registry = if args.devices {
        registry::with_devices()
    } else {
        dmaflow_heaps::registry()
    };
    let memory = Memory::now();
    let described: Vec<_> = listed(&registry)
        .map(|heap| Described::of(heap, &memory, !args.no_try))
        .collect();
    if args.json {
        let heaps: Value = described.iter().map(Described::json).collect();
        output::json(&json!({ "heaps": heaps, "memory": memory.json() }))
    } else {
        output::result(text(&described, &memory).as_bytes())
    }
}

/// A heap with what was found out about it.
struct Described<'r> {
    listed: Listed<'r>,
    node: Option<Node>,
    largest: Option<Largest>,
}

/// What a heap's node is opened for: only the kernel's own heaps take a descriptor that reads.
fn purpose(node: &Path) -> For {
    if node.starts_with(NODES) {
        For::Reading
    } else {
        For::ReadingAndWriting
    }
}

impl<'r> Described<'r> {
    fn of(listed: Listed<'r>, memory: &Memory, may_try: bool) -> Self {
        let node = listed.info.node.as_deref();
        let heap = listed.heap.ok();
        Self {
            // What the registry could open, this user may.
            node: node.and_then(|path| Node::of(path, purpose(path)).ok()),
            largest: heap.map(|heap| largest_now(heap, memory, may_try)),
            listed,
        }
    }

    fn rows(&self) -> Vec<Row> {
        let info = self.listed.info;
        let flag = |held: bool, word: &str| held.then(|| word.to_owned());
        let mut properties = vec![info.contiguity.to_string()];
        properties.extend(flag(info.cached == Some(true), "cached"));
        properties.extend(flag(info.cached == Some(false), "uncached"));
        properties.extend(flag(info.protected, "protected"));
        properties.extend(flag(info.zeroed, "zeroed"));
        properties.extend(flag(!info.importable, "not importable"));
        properties.push(format!("aligned to {}", bytes(info.alignment as u64)));
        let node = self.node.as_ref();
        let mut rows = vec![Row::Cells(vec![
            info.name.clone(),
            properties.join(", "),
            self.listed.size(),
            self.largest
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            node.map_or_else(String::new, |node| {
                format!("{} {}", node.permissions(), node.path.display())
            }),
        ])];
        let notes = self.listed.notes().into_iter();
        let refused = self.listed.heap.err().map(str::to_owned);
        rows.extend(
            notes
                .chain(refused)
                .map(|note| Row::Remark(String::new(), note)),
        );
        rows
    }

    fn json(&self) -> Value {
        let mut value = self.listed.json();
        value["node"] = self.node.as_ref().map(Node::json).into();
        value["largest_now"] = self.largest.as_ref().map(Largest::json).into();
        value
    }
}

fn text(heaps: &[Described<'_>], memory: &Memory) -> String {
    let heads = ["heap", "memory", "size", "longest buffer now", "node"];
    let mut rows = vec![Row::Cells(heads.map(str::to_owned).to_vec())];
    rows.extend(heaps.iter().flat_map(Described::rows));
    format!("{}{}\n", aligned(&rows), memory.cma())
}
