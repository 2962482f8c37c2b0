//! The dma-bufs, for people and for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::snapshot::{Buffer, Snapshot, Source};
use crate::memory::Pressure;
use crate::numbers::{bytes, counted};
use crate::table::{Row, aligned};

/// Buffers that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    buffers: u64,
    bytes: u64,
}

type Groups = BTreeMap<String, Group>;

/// Sums buffers up; a buffer may belong to several groups.
fn grouped(snapshot: &Snapshot, keys: impl Fn(&Buffer) -> Vec<String>) -> Groups {
    let mut groups = Groups::new();
    for buffer in snapshot.buffers.values() {
        for key in keys(buffer) {
            let group = groups.entry(key).or_default();
            group.buffers += 1;
            group.bytes += buffer.len();
        }
    }
    groups
}

fn by_exporter(snapshot: &Snapshot) -> Groups {
    grouped(snapshot, |buffer| {
        let unknown = || "not told".to_owned();
        vec![buffer.told.exporter.clone().unwrap_or_else(unknown)]
    })
}

fn by_name(snapshot: &Snapshot) -> Groups {
    grouped(snapshot, |buffer| {
        let unnamed = || "without a name".to_owned();
        vec![buffer.told.name.clone().unwrap_or_else(unnamed)]
    })
}

fn by_process(snapshot: &Snapshot) -> Groups {
    grouped(snapshot, |buffer| {
        let holders = buffer.holders.iter();
        let named = holders.map(|(id, holder)| format!("{} {id}", holder.process));
        let mut named: Vec<_> = named.collect();
        if named.is_empty() {
            named.push("none that can be seen".to_owned());
        }
        named
    })
}

fn by_device(snapshot: &Snapshot) -> Groups {
    grouped(snapshot, |buffer| {
        let mut devices = buffer.told.devices.clone().unwrap_or_default();
        devices.sort();
        devices.dedup();
        devices
    })
}

pub(super) fn text(snapshot: &Snapshot) -> String {
    let mut text = format!(
        "{}, {}\n",
        counted(snapshot.buffers.len() as u64, "dma-buf"),
        bytes(snapshot.bytes())
    );
    let mut rows = Vec::new();
    for (title, groups) in [
        ("exporter", by_exporter(snapshot)),
        ("name", by_name(snapshot)),
        ("process", by_process(snapshot)),
        ("device", by_device(snapshot)),
    ] {
        let mut title = title;
        for (key, group) in groups {
            rows.push(Row::Cells(vec![
                title.to_owned(),
                key,
                counted(group.buffers, "buffer"),
                bytes(group.bytes),
            ]));
            title = "";
        }
    }
    text.push_str(&aligned(&rows));
    text.push_str(&snapshot.memory.cma());
    if let Some(Pressure { some, full }) = snapshot.memory.pressure {
        text.push_str(&format!(
            "; waited for memory in the last 10 s: some tasks {some:.1} %, all {full:.1} %"
        ));
    }
    text.push('\n');
    if snapshot.source == Source::Processes {
        text.push_str(&format!(
            "Processes that could not be looked into: {}. Root sees all buffers.\n",
            snapshot.closed
        ));
    }
    text
}

/// One line, for logs.
pub(super) fn line(snapshot: &Snapshot) -> String {
    let mut line = format!(
        "{}  {}",
        counted(snapshot.buffers.len() as u64, "dma-buf"),
        bytes(snapshot.bytes())
    );
    for (exporter, group) in by_exporter(snapshot) {
        line.push_str(&format!("  {exporter} {}", bytes(group.bytes)));
    }
    if let Some(free) = snapshot.memory.cma_free {
        line.push_str(&format!("  CmaFree {}", bytes(free)));
    }
    if let Some(pressure) = snapshot.memory.pressure {
        line.push_str(&format!("  pressure {:.1} %", pressure.some));
    }
    line + "\n"
}

pub(super) fn json(snapshot: &Snapshot) -> Value {
    let groups = |groups: Groups| -> Value {
        let entries = groups.into_iter().map(|(key, group)| {
            (
                key,
                json!({ "buffers": group.buffers, "bytes": group.bytes }),
            )
        });
        Value::Object(entries.collect())
    };
    let buffers = snapshot.buffers.values().map(|buffer| {
        let holders = buffer.holders.iter().map(|(id, holder)| {
            json!({
                "pid": id,
                "process": holder.process,
                "descriptors": holder.descriptors,
                "mapped_bytes": holder.mapped,
            })
        });
        json!({
            "inode": buffer.told.inode,
            "bytes": buffer.len(),
            "exporter": buffer.told.exporter,
            "name": buffer.told.name,
            "references": buffer.told.references,
            "devices": buffer.told.devices,
            "holders": holders.collect::<Vec<_>>(),
        })
    });
    json!({
        "source": match snapshot.source {
            Source::Debugfs => "debugfs",
            Source::Sysfs => "sysfs",
            Source::Processes => "proc",
        },
        "bytes": snapshot.bytes(),
        "by_exporter": groups(by_exporter(snapshot)),
        "by_name": groups(by_name(snapshot)),
        "by_process": groups(by_process(snapshot)),
        "by_device": groups(by_device(snapshot)),
        "buffers": buffers.collect::<Vec<_>>(),
        "processes_not_seen": snapshot.closed,
        "memory": snapshot.memory.json(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::Holder;
    use super::*;
    use crate::memory::Memory;
    use dmaflow_core::dma_buf::listings::Told;

    fn snapshot() -> Snapshot {
        let buffer = |inode, exporter: &str, name: Option<&str>, holders: &[i32]| Buffer {
            told: Told {
                inode,
                len: Some(1 << 20),
                exporter: Some(exporter.to_owned()),
                name: name.map(str::to_owned),
                references: Some(2),
                devices: Some(vec!["vkms".to_owned(), "vkms".to_owned()]),
            },
            holders: holders
                .iter()
                .map(|&id| {
                    let holder = Holder {
                        process: "dmaflow".to_owned(),
                        descriptors: 1,
                        mapped: 0,
                    };
                    (id, holder)
                })
                .collect(),
        };
        let buffers = [
            buffer(1, "system", Some("dmaflow camera -> screen"), &[7, 8]),
            buffer(2, "system", None, &[7]),
            buffer(3, "udmabuf", None, &[]),
        ];
        Snapshot {
            source: Source::Processes,
            buffers: buffers.map(|buffer| (buffer.told.inode, buffer)).into(),
            closed: 2,
            memory: Memory {
                cma_total: Some(128 << 20),
                cma_free: Some(100 << 20),
                pressure: Some(Pressure {
                    some: 1.25,
                    full: 0.0,
                }),
                ..Memory::default()
            },
        }
    }

    #[test]
    fn buffers_are_summed_up_four_ways() {
        let expected = "\
3 dma-bufs, 3 MiB
  exporter  system                    2 buffers  2 MiB
            udmabuf                   1 buffer   1 MiB
  name      dmaflow camera -> screen  1 buffer   1 MiB
            without a name            2 buffers  2 MiB
  process   dmaflow 7                 2 buffers  2 MiB
            dmaflow 8                 1 buffer   1 MiB
            none that can be seen     1 buffer   1 MiB
  device    vkms                      3 buffers  3 MiB
CMA: 100 MiB free of 128 MiB; waited for memory in the last 10 s: some tasks 1.2 %, all 0.0 %
Processes that could not be looked into: 2. Root sees all buffers.
";
        assert_eq!(text(&snapshot()), expected);
    }

    #[test]
    fn a_log_gets_a_line() {
        let expected = "3 dma-bufs  3 MiB  system 2 MiB  udmabuf 1 MiB  CmaFree 100 MiB  \
                        pressure 1.2 %\n";
        assert_eq!(line(&snapshot()), expected);
    }

    #[test]
    fn programs_get_every_buffer() {
        let value = json(&snapshot());
        assert_eq!(value["bytes"], 3 << 20);
        assert_eq!(value["by_process"]["dmaflow 7"]["buffers"], 2);
        assert_eq!(value["buffers"][0]["holders"][1]["pid"], 8);
    }
}
