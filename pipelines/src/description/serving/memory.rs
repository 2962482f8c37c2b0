//! Where a served heap's memory comes from, and the helpers around it.

use std::ops::Range;
use std::time::Duration;

use dmaflow_heaps::carveout::{CarveOutConfig, Pages};
use dmaflow_heaps::{Clearing, PoolPolicy};
use toml::de::DeTable;

use super::Size;
use crate::description::diagnostic::Finding;
use crate::description::reader::{Reader, Value};
use crate::description::value::{FromToml, one_of};

/// Where memory comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A heap of this machine, by name.
    Heap(String),
    /// A region of its own, set aside when the server starts.
    CarveOut(CarveOutConfig),
}

/// What stands for [`Origin::CarveOut`] where a heap's name is asked for.
const CARVE_OUT: &str = "carve-out";

/// Buffers that are kept when they are freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedPool {
    /// What is kept, and how.
    pub policy: PoolPolicy,
    /// Buffers to have ready from the start: of how many bytes, and how many.
    pub prewarm: Option<(u64, usize)>,
}

impl FromToml for Clearing {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        let words = [
            ("always", Self::Always),
            ("between-clients", Self::BetweenClients),
        ];
        one_of(key, value, &words)
    }
}

impl FromToml for Pages {
    fn from_toml(key: &str, value: &Value<'_>) -> Result<Self, Finding> {
        one_of(
            key,
            value,
            &[("normal", Self::Normal), ("huge", Self::Huge)],
        )
    }
}

/// Reads `from` and the keys that belong to a carve-out.
pub(super) fn origin(reader: &mut Reader<'_, '_>) -> Option<Origin> {
    let from: Option<String> =
        reader.required("from", "add `from = \"system\"`, or another heap's name");
    if from.as_deref()? != CARVE_OUT {
        return from.map(Origin::Heap);
    }
    let size: Option<Size> = reader.required("size", "add `size = \"64MiB\"`: what is set aside");
    let pages: Option<Pages> = reader.optional("pages");
    let clearing: Option<Clearing> = reader.optional("clearing");
    Some(Origin::CarveOut(CarveOutConfig {
        size: size?.0,
        pages: pages.unwrap_or_default(),
        clearing: clearing.unwrap_or_default(),
    }))
}

/// Reads `[heap.NAME.pool]`.
pub(super) fn pool(
    table: &DeTable<'_>,
    named: Range<usize>,
    findings: &mut Vec<Finding>,
) -> ServedPool {
    let mut reader = Reader::new(table, "a heap's pool", named.clone(), findings);
    let default = PoolPolicy::default();
    let bytes = |size: Option<Size>| size.map(|Size(bytes)| bytes);
    let max_age: Option<Duration> = reader.optional("max-age");
    let policy = PoolPolicy {
        clearing: reader.optional("clearing").unwrap_or_default(),
        most: bytes(reader.optional("keep")).unwrap_or(default.most),
        floor: bytes(reader.optional("floor")).unwrap_or(default.floor),
        max_age: max_age.or(default.max_age),
    };
    let wanted = "a table, as in `{ size = \"4MiB\", buffers = 4 }`";
    let prewarm = reader.table("prewarm", wanted);
    reader.finish(|_| None);
    let prewarm = prewarm.and_then(|table| {
        let mut reader = Reader::new(table, "what is prewarmed", named, findings);
        let size: Option<Size> = reader.required("size", "add `size = \"4MiB\"`");
        let buffers = reader.number("buffers", 1..);
        reader.finish(|_| None);
        Some((size?.0, buffers.unwrap_or(1)))
    });
    ServedPool { policy, prewarm }
}
