//! What a file leads to on this machine: heaps, nodes, users and groups.

use std::path::{Path, PathBuf};

use dmaflow_core::heap::{Budget, Heap};
use dmaflow_heaps::server::{Access, Quotas};
use dmaflow_pipelines::description::serving::{Origin, Quota, ServedHeap, Serving};
use nix::unistd::{Group, User};
use serde_json::{Value, json};

use super::compose::{self, Cache};
use crate::failure::Failure;
use crate::numbers::bytes;
use crate::table::{Row, aligned};

/// What is to be served.
pub(super) struct Plan {
    connections: Option<usize>,
    connections_per_uid: Option<usize>,
    pub(super) nodes: Vec<Planned>,
}

/// A node to be made.
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) from: String,
    pub(super) heap: Heap,
    /// What it keeps idle.
    pub(super) cache: Option<Cache>,
    pub(super) access: Access,
    pub(super) quotas: Quotas,
    /// Whether it was made for us.
    pub(super) is_inherited: bool,
}

impl Plan {
    /// Opens the heaps that a file names.
    pub(super) fn new(file: &Path, serving: Serving) -> Result<Self, Failure> {
        let nodes = serving.heaps.iter();
        let nodes = nodes.map(|served| Planned::new(file, &serving.directory, served));
        Ok(Self {
            connections: serving.connections,
            connections_per_uid: serving.connections_per_uid,
            nodes: nodes.collect::<Result<_, _>>()?,
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        aligned(&self.nodes.iter().map(Planned::row).collect::<Vec<_>>())
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let nodes = self.nodes.iter().map(Planned::json);
        json!({
            "connections": self.connections,
            "connections_per_uid": self.connections_per_uid,
            "heaps": nodes.collect::<Vec<_>>(),
        })
    }
}

impl Planned {
    fn new(file: &Path, directory: &Path, served: &ServedHeap) -> Result<Self, Failure> {
        let wrong = |key: &str, name: &str| {
            let (file, heap) = (file.display(), &served.name);
            Failure::Usage(format!(
                "{file}: [heap.{heap}]: there is no {key} `{name}` on this machine"
            ))
        };
        let number = |key: &str, name: &Option<String>, find: &dyn Fn(&str) -> Option<u32>| {
            let Some(name) = name else { return Ok(None) };
            let number = name.parse().ok().or_else(|| find(name));
            number.map(Some).ok_or_else(|| wrong(key, name))
        };
        let user = |name: &str| Some(User::from_name(name).ok()??.uid.as_raw());
        let group = |name: &str| Some(Group::from_name(name).ok()??.gid.as_raw());
        let access = Access {
            mode: served.mode,
            owner: number("user", &served.owner, &user)?,
            group: number("group", &served.group, &group)?,
        };
        let (heap, cache) = compose::heap(served)?;
        Ok(Self {
            path: directory.join(&served.name),
            name: served.name.clone(),
            from: match &served.from {
                Origin::Heap(name) => name.clone(),
                Origin::CarveOut(config) => format!("a carve-out of {}", bytes(config.size)),
            },
            heap,
            cache,
            access,
            quotas: quotas(served.quota),
            is_inherited: false,
        })
    }

    fn row(&self) -> Row {
        let budget = self.heap.budget().bytes;
        let limit = |bytes_allowed: Option<u64>, whose: &str| {
            bytes_allowed.map(|allowed| format!("{} {whose}", bytes(allowed)))
        };
        let user = self.quotas.user;
        let limits = [
            limit(budget, "in all"),
            limit(user.bytes, "a user"),
            limit(self.quotas.client.bytes, "a client"),
            user.buffers
                .map(|buffers| format!("{buffers} buffers a user")),
        ];
        let limits: Vec<_> = limits.into_iter().flatten().collect();
        let limits = if limits.is_empty() {
            "no limits".to_owned()
        } else {
            limits.join(", ")
        };
        Row::Cells(vec![
            self.path.display().to_string(),
            format!("from {}", self.from),
            self.heap.info().contiguity.to_string(),
            if self.is_inherited {
                "socket passed".to_owned()
            } else {
                format!("{:04o}", self.access.mode)
            },
            limits,
        ])
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "node": self.path,
            "from": self.from,
            "contiguity": self.heap.info().contiguity.to_string(),
            "importable": self.heap.info().importable,
            "mode": format!("{:04o}", self.access.mode),
            "owner": self.access.owner,
            "group": self.access.group,
            "inherited": self.is_inherited,
            "budget": self.heap.budget().bytes,
            "quota": {
                "per_uid": self.quotas.user.bytes,
                "per_client": self.quotas.client.bytes,
                "buffers": self.quotas.user.buffers,
            },
        })
    }
}

fn quotas(quota: Quota) -> Quotas {
    Quotas {
        user: Budget {
            bytes: quota.per_uid,
            buffers: quota.buffers,
        },
        client: Budget {
            bytes: quota.per_client,
            buffers: None,
        },
    }
}
