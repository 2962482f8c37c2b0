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
    /// Whether something else that is open does in their place.
    replaced: bool,
    /// What to do where there are none.
    missing: &'static str,
}

/// A finding for each kind of node.
pub(super) fn look(needs: Needs) -> Vec<Finding> {
    let udmabuf =
        Node::of(Path::new("/dev/udmabuf"), For::ReadingAndWriting).is_ok_and(|node| node.may_open);
    let kinds = [
        Kind {
            about: "kernel heaps",
            directory: "/dev/dma_heap",
            prefix: "",
            purpose: For::Reading,
            rule: "SUBSYSTEM==\"dma_heap\"",
            needed: needs.heaps,
            replaced: udmabuf,
            missing: "use a kernel with CONFIG_DMABUF_HEAPS and CONFIG_DMABUF_HEAPS_SYSTEM",
        },
        Kind {
            about: "udmabuf",
            directory: "/dev",
            prefix: "udmabuf",
            purpose: For::ReadingAndWriting,
            rule: "KERNEL==\"udmabuf\"",
            needed: false,
            replaced: false,
            missing: "load the module `udmabuf`, or use a kernel with CONFIG_UDMABUF",
        },
        Kind {
            about: "cameras",
            directory: "/dev",
            prefix: "video",
            purpose: For::ReadingAndWriting,
            rule: "SUBSYSTEM==\"video4linux\"",
            needed: needs.camera,
            replaced: false,
            missing: "load the camera's driver; `test-src` is built in",
        },
        Kind {
            about: "displays",
            directory: "/dev/dri",
            prefix: "card",
            purpose: For::ReadingAndWriting,
            rule: "SUBSYSTEM==\"drm\", KERNEL==\"card*\"",
            needed: needs.display,
            replaced: false,
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
                "kernel heaps" => lacking(self.needed && !self.replaced),
                _ => Verdict::Warning,
            };
            return vec![Finding::bad(self.about, verdict, none, self.missing)];
        }
        let looked: Vec<_> = nodes
            .iter()
            .filter_map(|path| Node::of(path, self.purpose).ok())
            .collect();
        self.looked_at(&looked, needs)
    }

    fn looked_at(&self, looked: &[Node], needs: Needs) -> Vec<Finding> {
        let closed: Vec<_> = looked.iter().filter(|node| !node.may_open).collect();
        if closed.is_empty() {
            let names: Vec<_> = looked.iter().map(|node| node.path.display()).collect();
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            return vec![Finding::ok(self.about, names.join(", "))];
        }
        let one_does = needs.any_node && (self.replaced || closed.len() < looked.len());
        let verdict = lacking(self.needed && !one_does);
        closed
            .into_iter()
            .map(|node| {
                let found = format!(
                    "{} is not open to this user: {}",
                    node.path.display(),
                    node.permissions()
                );
                Finding::bad(self.about, verdict, found, self.remedy(node))
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

    fn verdicts(replaced: bool, may_open: [bool; 2], needs: Needs) -> Vec<Verdict> {
        let kind = Kind {
            about: "kernel heaps",
            directory: "/dev/dma_heap",
            prefix: "",
            purpose: For::Reading,
            rule: "",
            needed: needs.heaps,
            replaced,
            missing: "",
        };
        let node = |may_open| Node {
            path: "/dev/dma_heap/heap".into(),
            mode: 0o600,
            owner: "root".to_owned(),
            group: "root".to_owned(),
            may_open,
        };
        let findings = kind.looked_at(&may_open.map(node), needs);
        findings.iter().map(|finding| finding.verdict).collect()
    }

    #[test]
    fn a_closed_node_is_a_problem_where_it_may_be_the_one_that_is_needed() {
        use Verdict::{Ok, Problem, Warning};
        let anything = Needs::of(None);
        assert_eq!(verdicts(false, [true, true], anything), [Ok]);
        assert_eq!(verdicts(false, [true, false], anything), [Warning]);
        assert_eq!(verdicts(false, [false; 2], anything), [Problem; 2]);
        assert_eq!(verdicts(true, [false; 2], anything), [Warning; 2]);
        let fails = Needs {
            any_node: false,
            ..anything
        };
        assert_eq!(verdicts(true, [true, false], fails), [Problem]);
        assert_eq!(verdicts(false, [false; 2], Needs::NOTHING), [Warning; 2]);
    }

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
