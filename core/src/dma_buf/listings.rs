//! The kernel's listings of dma-bufs, and what they say.
//!
//! `dma_buf_show_fdinfo` and `dma_buf_debug_show` of `drivers/dma-buf/dma-buf.c` write them.

use std::{fs, io};

/// What the kernel says of a buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its inode; 0 where that is not told.
    pub inode: u64,
    /// Its length in bytes.
    pub len: Option<u64>,
    /// Who gave it.
    pub exporter: Option<String>,
    /// What it was named.
    pub name: Option<String>,
    /// References to it: descriptors, mappings, importers.
    pub references: Option<u64>,
    /// The devices that are attached, where that is told.
    pub devices: Option<Vec<String>>,
}

/// A descriptor's file in `/proc/PID/fdinfo`, where it is of a dma-buf. (The inode is there
/// since Linux 5.14; 0 where it is not.)
#[must_use]
pub fn fdinfo(text: &str) -> Option<Told> {
    let value = |key: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"))
    };
    let number = |key: &str| value(key)?.trim().parse().ok();
    Some(Told {
        exporter: Some(value("exp_name")?.to_owned()),
        inode: number("ino").unwrap_or(0),
        len: number("size"),
        name: value("name").map(str::to_owned),
        references: number("count"),
        devices: None,
    })
}

/// Every dma-buf of the system, by `/sys/kernel/debug/dma_buf/bufinfo`.
///
/// # Errors
/// Of the reading: `EACCES` for who is not root, `ENOENT` without debugfs.
pub fn listed() -> io::Result<Vec<Told>> {
    // Names may be of any bytes.
    let text = fs::read("/sys/kernel/debug/dma_buf/bufinfo")?;
    Ok(bufinfo(&String::from_utf8_lossy(&text)))
}

/// A line a buffer, its fences, its devices.
fn bufinfo(text: &str) -> Vec<Told> {
    let mut buffers: Vec<Told> = Vec::new();
    let mut among_devices = false;
    for line in text.lines() {
        if let Some(buffer) = buffer_line(line) {
            buffers.push(buffer);
            among_devices = false;
        } else if line == "\tAttached Devices:" {
            among_devices = true;
        } else if among_devices
            && let Some(device) = line.strip_prefix('\t')
            && let Some(devices) = buffers.last_mut().and_then(|last| last.devices.as_mut())
        {
            devices.push(device.to_owned());
        } else {
            among_devices = false;
        }
    }
    buffers
}

/// Size, flags, mode, count, exporter, inode, name.
fn buffer_line(line: &str) -> Option<Told> {
    let mut columns = line.split('\t');
    let mut number = || columns.next()?.parse::<u64>().ok();
    let len = number()?;
    let mut columns = line.splitn(7, '\t').skip(3);
    let references = columns.next()?.parse().ok()?;
    let exporter = columns.next()?.to_owned();
    let inode = columns.next()?.parse().ok()?;
    // Older kernels leave the column of a buffer without a name empty.
    let name = columns.next().filter(|name| !["", "<none>"].contains(name));
    Some(Told {
        inode,
        len: Some(len),
        exporter: Some(exporter),
        name: name.map(str::to_owned),
        references: Some(references),
        devices: Some(Vec::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_of_a_dma_buf_is_told_from_others() {
        let text = "pos:\t0\nflags:\t02000002\nmnt_id:\t14\nino:\t17\nsize:\t8192\ncount:\t3\n\
                    exp_name:\tsystem\nname:\tdmaflow camera -> screen\n";
        let expected = Told {
            inode: 17,
            len: Some(8192),
            exporter: Some("system".to_owned()),
            name: Some("dmaflow camera -> screen".to_owned()),
            references: Some(3),
            devices: None,
        };
        assert_eq!(fdinfo(text), Some(expected));
        assert_eq!(fdinfo("pos:\t0\nflags:\t02\nmnt_id:\t14\nino:\t17\n"), None);
        let unnamed = fdinfo("size:\t4096\ncount:\t1\nexp_name:\tudmabuf\n").unwrap();
        assert_eq!((unnamed.inode, unnamed.name), (0, None));
    }

    #[test]
    fn devices_belong_to_the_buffer_above() {
        let text = "\nDma-buf Objects:\n\
            size    \tflags   \tmode    \tcount   \texp_name\tino     \tname\n\
            03686400\t00000002\t00080007\t00000004\tsystem\t00000017\tdmaflow camera -> screen\n\
            \twrite fence:drm vkms seq 7 signalled\n\
            \tAttached Devices:\n\tvivid.0\n\tvkms\nTotal 2 devices attached\n\n\
            04096000\t00000002\t00080007\t00000001\tudmabuf\t00000018\t<none>\n\
            \tAttached Devices:\nTotal 0 devices attached\n\n\nTotal 2 objects, 7782400 bytes\n";
        let buffers = bufinfo(text);
        assert_eq!(buffers.len(), 2);
        assert_eq!(buffers[0].name.as_deref(), Some("dmaflow camera -> screen"));
        let devices = buffers[0].devices.clone().unwrap();
        assert_eq!(devices, ["vivid.0", "vkms"]);
        assert_eq!((buffers[0].len, buffers[0].inode), (Some(3_686_400), 17));
        assert_eq!(
            (&buffers[1].name, &buffers[1].devices),
            (&None, &Some(Vec::new()))
        );
        assert_eq!(buffers[1].references, Some(1));
        let older = bufinfo(&text.replace("<none>", ""));
        assert_eq!(older, buffers);
        assert!(bufinfo("").is_empty());
    }
}
