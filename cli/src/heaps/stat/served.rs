//! What the heaps have lent that servers here offer.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use dmaflow_heaps::remote::protocol::{Figures, Whose};
use dmaflow_heaps::remote::stats;
use serde_json::{Value, json};

use crate::failure::with_causes;
use crate::numbers::{bytes, counted};
use crate::table::{Row, aligned};

/// A server's node, and what it tells this user.
pub(super) struct Served {
    node: PathBuf,
    figures: Result<Vec<Figures>, String>,
}

/// Asks the server behind each socket of a directory, where there is one.
pub(super) fn below(directory: &Path) -> Vec<Served> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let mut nodes: Vec<_> = sockets.map(|entry| entry.path()).collect();
    nodes.sort();
    let asked = nodes.into_iter().map(|node| Served {
        figures: stats(&node).map_err(|error| with_causes(&error)),
        node,
    });
    asked.collect()
}

/// A row for each who has something of a served heap.
pub(super) fn text(served: &[Served]) -> String {
    let mut rows = Vec::new();
    for Served { node, figures } in served {
        let mut place = node.display().to_string();
        match figures {
            Err(reason) => rows.push(Row::Remark(place, reason.clone())),
            Ok(figures) => {
                for figure in figures {
                    rows.push(row(std::mem::take(&mut place), figure));
                }
            }
        }
    }
    aligned(&rows)
}

fn row(place: String, figures: &Figures) -> Row {
    let usage = figures.usage;
    let mut notes = vec![format!("at most {}", bytes(usage.peak_bytes))];
    if usage.failed > 0 {
        notes.push(format!("{} refused", usage.failed));
    }
    if figures.lingering > 0 {
        notes.push(format!(
            "{} released and still held",
            bytes(figures.lingering)
        ));
    }
    Row::Cells(vec![
        place,
        who(&figures.whose),
        counted(usage.live, "buffer"),
        bytes(usage.live_bytes),
        notes.join(", "),
    ])
}

fn who(whose: &Whose) -> String {
    match whose {
        Whose::Heap { .. } => "in all".to_owned(),
        Whose::User { uid } => format!("user {uid}"),
        Whose::Client { pid, program, .. } => format!("  {program} {pid}"),
        Whose::Pipeline { label, .. } => format!("    {label}"),
    }
}

pub(super) fn json(served: &[Served]) -> Value {
    let nodes = served.iter().map(|Served { node, figures }| match figures {
        Err(reason) => json!({ "node": node, "refused": reason }),
        Ok(figures) => {
            let figures: Vec<_> = figures.iter().map(figure).collect();
            json!({ "node": node, "figures": figures })
        }
    });
    nodes.collect()
}

fn figure(figures: &Figures) -> Value {
    let (sort, uid, pid, name) = match &figures.whose {
        Whose::Heap { name } => ("heap", None, None, Some(name.to_string())),
        Whose::User { uid } => ("user", Some(uid), None, None),
        Whose::Client { uid, pid, program } => {
            ("client", Some(uid), Some(pid), Some(program.to_string()))
        }
        Whose::Pipeline { uid, pid, label } => {
            ("pipeline", Some(uid), Some(pid), Some(label.to_string()))
        }
    };
    let usage = figures.usage;
    json!({
        "sort": sort, "uid": uid, "pid": pid, "name": name,
        "live": usage.live, "peak": usage.peak, "total": usage.total, "failed": usage.failed,
        "live_bytes": usage.live_bytes, "peak_bytes": usage.peak_bytes,
        "budget_bytes": figures.budget.bytes, "budget_buffers": figures.budget.buffers,
        "lingering_bytes": figures.lingering,
    })
}
