//! A control group and the limits on its memory.
//!
//! See the kernel's "Control Group v2" (`Documentation/admin-guide/cgroup-v2.rst`).

use std::fs;
use std::path::{Path, PathBuf};

use super::ShrinkerError;

/// A control group of version 2, by its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// The group at a directory.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The group of this process, where it has limits of its own or from above.
    ///
    /// # Errors
    /// [`ShrinkerError::NoCgroup`] where there are none.
    pub fn of_this_process() -> Result<Self, ShrinkerError> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let none = |reason: &str| ShrinkerError::NoCgroup {
            reason: reason.to_owned(),
        };
        let path = own_path(&read("/proc/self/cgroup")).ok_or_else(|| {
            none("this kernel has no control groups of version 2 (`CONFIG_CGROUPS`)")
        })?;
        let mounts = read("/proc/self/mountinfo");
        let group = mounted(&mounts, &path).map(Self).ok_or_else(|| {
            none(
                "control groups of version 2 are not mounted here: `mount -t cgroup2 cgroup2 \
                 /sys/fs/cgroup`",
            )
        })?;
        if group.limited().next().is_none() {
            return Err(none(
                "the memory of this process is not limited by its control group, which is the \
                 root or lacks the memory controller (`+memory` in `cgroup.subtree_control`)",
            ));
        }
        Ok(group)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// It and the groups above it that count memory; the root does not.
    pub(super) fn limited(&self) -> impl Iterator<Item = &Path> {
        let groups = self.0.ancestors();
        let groups = groups.take_while(|group| group.join("cgroup.controllers").exists());
        groups.filter(|group| group.join("memory.events").exists())
    }

    /// How many bytes may still be charged to it before a limit is met, not counting cached
    /// files that nobody reads.
    pub(super) fn headroom(&self) -> Option<u64> {
        let of = |group: &Path| {
            let number = |name: &str| {
                fs::read_to_string(group.join(name))
                    .ok()?
                    .trim()
                    .parse()
                    .ok()
            };
            let limits: [Option<u64>; 2] = ["memory.high", "memory.max"].map(number);
            let limit = limits.into_iter().flatten().min()?;
            let used: u64 = number("memory.current")?;
            let stat = fs::read_to_string(group.join("memory.stat")).ok()?;
            let files = value(&stat, "inactive_file").unwrap_or(0);
            Some(limit.saturating_sub(used.saturating_sub(files)))
        };
        self.limited().filter_map(of).min()
    }
}

/// The path of a process in the hierarchy of version 2, from `/proc/PID/cgroup`.
fn own_path(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(PathBuf::from(path))
}

/// Where a path of the hierarchy is seen, from `/proc/PID/mountinfo`.
fn mounted(mountinfo: &str, path: &Path) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let is_cgroup = kind.split(' ').next() == Some("cgroup2");
        let mut fields = mount.split(' ').skip(3).filter(|_field| is_cgroup);
        let (root, point) = (fields.next()?, fields.next()?);
        let below = path.strip_prefix(root).ok()?;
        let inside = !below.components().any(|part| part.as_os_str() == "..");
        // `join` of nothing would end in a slash.
        inside.then(|| Path::new(point).join(below).components().collect())
    })
}

/// A number of a file of lines `KEY NUMBER`.
pub(super) fn value(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(name, _)| *name == key)?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_below_its_mount() {
        let hybrid = "12:pids:/user.slice\n1:name=systemd:/user.slice\n0::/user.slice/a\n";
        assert_eq!(own_path(hybrid), Some(PathBuf::from("/user.slice/a")));
        assert_eq!(own_path("4:memory:/x\n"), None);
        let mounts = "22 1 0:20 / /proc rw - proc proc rw\n\
            30 23 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
        let at = |path: &str| mounted(mounts, Path::new(path));
        let expected = Path::new("/sys/fs/cgroup/unified/user.slice/a");
        assert_eq!(at("/user.slice/a").as_deref(), Some(expected));
        let root = at("/").unwrap();
        assert_eq!(root.as_os_str(), "/sys/fs/cgroup/unified");
        assert_eq!(at("/../elsewhere"), None);
        let part = "30 23 0:26 /user.slice /mnt rw - cgroup2 cgroup2 rw\n";
        let below = mounted(part, Path::new("/user.slice/a"));
        assert_eq!(below, Some(PathBuf::from("/mnt/a")));
        assert_eq!(mounted(part, Path::new("/system.slice")), None);
    }

    #[test]
    fn the_nearest_limit_is_the_room_that_is_left() {
        let root = std::env::temp_dir().join(format!("dmaflow-cgroup-{}", std::process::id()));
        let inner = root.join("outer/inner");
        fs::create_dir_all(&inner).unwrap();
        let write = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
        write("cgroup.controllers", "memory");
        for (group, high, max, current) in [
            ("outer", "max", "1000", "900"),
            ("outer/inner", "500", "600", "450"),
        ] {
            write(&format!("{group}/cgroup.controllers"), "memory");
            write(&format!("{group}/memory.events"), "low 0\nhigh 3\nmax 0\n");
            write(&format!("{group}/memory.high"), high);
            write(&format!("{group}/memory.max"), max);
            write(&format!("{group}/memory.current"), current);
            write(
                &format!("{group}/memory.stat"),
                "anon 1\ninactive_file 20\nactive_file 7\n",
            );
        }
        let group = Cgroup::at(&inner);
        let rooms = [group.headroom(), Cgroup::at(root.join("outer")).headroom()];
        let limited = group.limited().count();
        let unlimited = Cgroup::at(&root).headroom();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(rooms, [Some(70), Some(120)]);
        assert_eq!((limited, unlimited), (2, None));
    }
}
