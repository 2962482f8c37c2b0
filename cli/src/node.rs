//! Who may open a device node.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, Gid, Group, Uid, User, faccessat};
use serde_json::{Value, json};

/// A device node and its permissions.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) path: PathBuf,
    /// The nine bits.
    pub(crate) mode: u32,
    pub(crate) owner: String,
    pub(crate) group: String,
    /// Whether this user may open it for reading and writing, or for reading where that is all
    /// that it takes.
    pub(crate) may_open: bool,
}

/// What a node is opened for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum For {
    Reading,
    ReadingAndWriting,
}

impl Node {
    /// Looks at a node without opening it.
    pub(crate) fn of(path: &Path, purpose: For) -> std::io::Result<Self> {
        let found = fs::metadata(path)?;
        let wanted = match purpose {
            For::Reading => AccessFlags::R_OK,
            For::ReadingAndWriting => AccessFlags::R_OK | AccessFlags::W_OK,
        };
        let user = User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
        let group = Group::from_gid(Gid::from_raw(found.gid())).ok().flatten();
        Ok(Self {
            path: path.to_owned(),
            mode: found.mode() & 0o777,
            owner: user.map_or_else(|| found.uid().to_string(), |user| user.name),
            group: group.map_or_else(|| found.gid().to_string(), |group| group.name),
            may_open: faccessat(AT_FDCWD, path, wanted, AtFlags::AT_EACCESS).is_ok(),
        })
    }

    /// As `ls -l` shows it: "rw-rw---- root video".
    pub(crate) fn permissions(&self) -> String {
        let bits: String = (0..9)
            .map(|place| match self.mode >> (8 - place) & 1 {
                1 => ['r', 'w', 'x'][place % 3],
                _ => '-',
            })
            .collect();
        format!("{bits} {} {}", self.owner, self.group)
    }

    /// Whether members of its group may open it, where that is a group to be a member of.
    pub(crate) fn is_for_group(&self, purpose: For) -> bool {
        let needed = match purpose {
            For::Reading => 0o040,
            For::ReadingAndWriting => 0o060,
        };
        self.group != "root" && self.mode & needed == needed
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "path": self.path,
            "mode": format!("{:04o}", self.mode),
            "owner": self.owner,
            "group": self.group,
            "may_open": self.may_open,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_read_as_in_a_listing() {
        let node = Node {
            path: "/dev/video0".into(),
            mode: 0o660,
            owner: "root".to_owned(),
            group: "video".to_owned(),
            may_open: false,
        };
        assert_eq!(node.permissions(), "rw-rw---- root video");
        assert!(node.is_for_group(For::ReadingAndWriting));
        assert!(
            !Node {
                mode: 0o640,
                ..node.clone()
            }
            .is_for_group(For::ReadingAndWriting)
        );
        assert!(
            Node {
                mode: 0o640,
                ..node
            }
            .is_for_group(For::Reading)
        );
        let null = Node::of(Path::new("/dev/null"), For::ReadingAndWriting).unwrap();
        assert!(null.may_open && null.mode == 0o666, "{null:?}");
    }
}
