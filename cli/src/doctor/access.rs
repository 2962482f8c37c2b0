//! Whether this user may open what pipelines open.

use std::path::{Path, PathBuf};

use super::{Finding, Needs, Verdict, lacking};
use crate::node::{For, Node};

/// Nodes that belong together.
struct Kind {
    about: &'static str,
    directory: &'static str,
    /// What their names begin with.
    prefix: &'static str,
    purpose: For,
    /// What a udev rule matches them by.
    rule: &'static str,
    needed: bool,
    /// What to do where there are none.
    missing: &'static str,
}

/// A finding for each kind of node.
pub(super) fn look(needs: Needs) -> Vec<Finding> {
    let udmabuf = Path::new("/dev/udmabuf").exists();
    let kinds = [
        Kind {
            about: "kernel heaps",
            directory: "/dev/dma_heap",
            prefix: "",
            purpose: For::Reading,
            rule: "SUBSYSTEM==\"dma_heap\"",
            // Without them, memory comes from udmabuf.
            needed: needs.heaps && !udmabuf,
            missing: "use a kernel with CONFIG_DMABUF_HEAPS and CONFIG_DMABUF_HEAPS_SYSTEM",
        },
        Kind {
            about: "udmabuf",
            directory: "/dev",
            prefix: "udmabuf",
            purpose: For::ReadingAndWriting,
            rule: "KERNEL==\"udmabuf\"",
            needed: false,
            missing: "load the module `udmabuf`, or use a kernel with CONFIG_UDMABUF",
        },
        Kind {
            about: "cameras",
            directory: "/dev",
            prefix: "video",
            purpose: For::ReadingAndWriting,
            rule: "SUBSYSTEM==\"video4linux\"",
            needed: needs.camera,
            missing: "load the camera's driver; `test-src` is built in",
        },
        Kind {
            about: "displays",
            directory: "/dev/dri",
            prefix: "card",
            purpose: For::ReadingAndWriting,
            rule: "SUBSYSTEM==\"drm\", KERNEL==\"card*\"",
            needed: needs.display,
            missing: "load the display's driver; `picture-sink` is built in",
        },
    ];
    kinds.iter().flat_map(|kind| kind.findings(needs)).collect()
}

impl Kind {
    fn findings(&self, needs: Needs) -> Vec<Finding> {
        let nodes = nodes(Path::new(self.directory), self.prefix);
        if nodes.is_empty() {
            let none = format!("no {}/{}*", self.directory, self.prefix);
            // A machine that is asked about in general may do without camera or display.
            let verdict = match self.about {
                "kernel heaps" => lacking(self.needed),
                _ => Verdict::Warning,
            };
            return vec![Finding::bad(self.about, verdict, none, self.missing)];
        }
        let looked: Vec<_> = nodes
            .iter()
            .filter_map(|path| Node::of(path, self.purpose).ok())
            .collect();
        let closed: Vec<_> = looked.iter().filter(|node| !node.may_open).collect();
        if closed.is_empty() {
            let names: Vec<_> = looked.iter().map(|node| node.path.display()).collect();
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            return vec![Finding::ok(self.about, names.join(", "))];
        }
        let needed = match self.about {
            "udmabuf" => false,
            "kernel heaps" => needs.heaps,
            _ => self.needed,
        };
        closed
            .into_iter()
            .map(|node| {
                let found = format!(
                    "{} is not open to this user: {}",
                    node.path.display(),
                    node.permissions()
                );
                Finding::bad(self.about, lacking(needed), found, self.remedy(node))
            })
            .collect()
    }

    fn remedy(&self, node: &Node) -> String {
        if node.is_for_group(self.purpose) {
            return format!(
                "join group `{0}`: `sudo usermod -aG {0} $USER`, then log in anew",
                node.group
            );
        }
        format!(
            "add a udev rule, as `{}, GROUP=\"video\", MODE=\"0660\"` in \
             /etc/udev/rules.d/70-dmaflow.rules, and be in that group",
            self.rule
        )
    }
}

/// The nodes of a directory whose names are a prefix and, where there is one, a number.
fn nodes(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory);
    let mut nodes: Vec<_> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_prefix(prefix));
            number.is_some_and(|number| {
                prefix.is_empty() || number.bytes().all(|digit| digit.is_ascii_digit())
            })
        })
        .collect();
    nodes.sort();
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_a_word_and_a_number() {
        let directory = std::env::temp_dir().join(format!("dmaflow-doctor-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for name in [
            "video0",
            "video12",
            "videodev",
            "udmabuf",
            "card0",
            "card0-HDMI-A-1",
        ] {
            std::fs::write(directory.join(name), "").unwrap();
        }
        let found = ["video", "card", "udmabuf", ""].map(|prefix| nodes(&directory, prefix).len());
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(found, [2, 1, 1, 6]);
    }
}
