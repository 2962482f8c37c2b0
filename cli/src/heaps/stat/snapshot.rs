//! What can be seen of the dma-bufs now, put together from all that tells of them.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use dmaflow_core::dma_buf::listings::{self, Told, fdinfo};
use procfs::process::{MMapPath, Process, all_processes};

use crate::memory::Memory;

/// With `CONFIG_DMABUF_SYSFS_STATS`: a directory a buffer.
const STATS: &str = "/sys/kernel/dmabuf/buffers";
/// What the kernel calls every dma-buf's file, before its name (`dmabuffs_dname`).
const FILE: &str = "/dmabuf:";

/// Where a list of buffers comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// All buffers, with their devices.
    Debugfs,
    /// All buffers.
    Sysfs,
    /// Those of the processes that this user may look into.
    Processes,
}

/// A buffer, and who has it.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pub(super) told: Told,
    /// By process id.
    pub(super) holders: BTreeMap<i32, Holder>,
}

/// A process that has a buffer.
#[derive(Debug, Default)]
pub(super) struct Holder {
    pub(super) process: String,
    pub(super) descriptors: u64,
    /// Bytes that it has mapped.
    pub(super) mapped: u64,
}

/// The dma-bufs at a moment.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) source: Source,
    /// By inode.
    pub(super) buffers: BTreeMap<u64, Buffer>,
    /// Processes that could not be looked into.
    pub(super) closed: u64,
    pub(super) memory: Memory,
}

impl Snapshot {
    /// Asks the kernel: first for a list of all buffers, then for who has them.
    pub(super) fn take() -> Self {
        let (source, listed) = listed();
        let mut snapshot = Self {
            source,
            buffers: BTreeMap::new(),
            closed: 0,
            memory: Memory::now(),
        };
        for told in listed {
            snapshot.buffer(told);
        }
        for process in all_processes().into_iter().flatten().flatten() {
            // Whoever has ended meanwhile has nothing.
            if snapshot.look_into(&process).is_none() && process.is_alive() {
                snapshot.closed += 1;
            }
        }
        snapshot
    }

    /// The bytes of all buffers.
    pub(super) fn bytes(&self) -> u64 {
        self.buffers.values().map(Buffer::len).sum()
    }

    /// Enters what is known of a buffer, in addition to what was.
    fn buffer(&mut self, told: Told) -> &mut Buffer {
        let buffer = self.buffers.entry(told.inode).or_default();
        let known = &mut buffer.told;
        known.inode = told.inode;
        known.len = known.len.or(told.len);
        known.references = known.references.or(told.references);
        known.exporter = known.exporter.take().or(told.exporter);
        known.name = known.name.take().or(told.name);
        known.devices = known.devices.take().or(told.devices);
        buffer
    }

    /// Finds the buffers of a process; `None` where we may not look.
    fn look_into(&mut self, process: &Process) -> Option<()> {
        let entries = fs::read_dir(format!("/proc/{}/fd", process.pid)).ok()?;
        // Read once, and of few processes: most have no buffer.
        let name = LazyCell::new(|| {
            let stat = process.stat();
            stat.map_or_else(|_gone| String::new(), |stat| stat.comm)
        });
        for entry in entries.flatten() {
            if let Some(told) = of_descriptor(process.pid, &entry.path()) {
                let holders = &mut self.buffer(told).holders;
                let holder = holders.entry(process.pid).or_default();
                holder.process.clone_from(&name);
                holder.descriptors += 1;
            }
        }
        for map in process.maps().into_iter().flatten() {
            let MMapPath::Path(path) = &map.pathname else {
                continue;
            };
            let Some(buffer_name) = path.to_str().and_then(|path| path.strip_prefix(FILE)) else {
                continue;
            };
            let told = Told {
                inode: map.inode,
                name: Some(buffer_name.to_owned()).filter(|name| !name.is_empty()),
                ..Told::default()
            };
            let holders = &mut self.buffer(told).holders;
            let holder = holders.entry(process.pid).or_default();
            holder.process.clone_from(&name);
            holder.mapped += map.address.1 - map.address.0;
        }
        Some(())
    }
}

impl Buffer {
    /// Its length, or as much of it as can be seen mapped.
    pub(super) fn len(&self) -> u64 {
        let mapped = self.holders.values().map(|holder| holder.mapped).max();
        self.told.len.or(mapped).unwrap_or(0)
    }
}

fn of_descriptor(process: i32, descriptor: &Path) -> Option<Told> {
    let target = fs::read_link(descriptor).ok()?;
    target.to_str()?.strip_prefix(FILE)?;
    let number = descriptor.file_name()?.to_str()?;
    let info = fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")).ok()?;
    let mut told = fdinfo(&info)?;
    if told.inode == 0 {
        told.inode = fs::metadata(descriptor).ok()?.ino();
    }
    Some(told)
}

/// Every buffer there is, where the kernel lists them for this user.
fn listed() -> (Source, Vec<Told>) {
    if let Ok(told) = listings::listed() {
        return (Source::Debugfs, told);
    }
    let Ok(entries) = fs::read_dir(STATS) else {
        return (Source::Processes, Vec::new());
    };
    let told = entries.flatten().filter_map(|entry| {
        let read = |file| {
            let text = fs::read_to_string(entry.path().join(file)).ok()?;
            Some(text.trim().to_owned())
        };
        Some(Told {
            inode: entry.file_name().to_str()?.parse().ok()?,
            len: read("size")?.parse().ok(),
            exporter: read("exporter_name"),
            ..Told::default()
        })
    });
    (Source::Sysfs, told.collect())
}
