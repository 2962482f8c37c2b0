//! Cards: finding, opening and controlling them.

mod holders;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use dmaflow_core::Errno;
use drm::{ClientCapability, Device, DriverCapability};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::error::KmsSinkError;
use crate::props::Definitions;

/// Where the kernel's device file system has display nodes.
const NODES: &str = "/dev/dri";

/// A display card that takes atomic commits.
///
/// # Invariants
/// The descriptor is a primary DRM node with the client capabilities for atomic commits,
/// universal planes and writeback connectors; reading it does not block.
#[derive(Debug)]
pub(crate) struct Card {
    fd: OwnedFd,
    node: PathBuf,
    driver: String,
    /// What its properties are.
    pub(crate) definitions: Definitions,
}

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Device for Card {}
impl drm::control::Device for Card {}

/// A node whose driver is known and nothing else.
#[derive(Debug)]
pub(crate) struct Opened {
    fd: OwnedFd,
    pub(crate) node: PathBuf,
    pub(crate) driver: String,
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Device for Opened {}
impl drm::control::Device for Opened {}

impl Opened {
    /// Opens a node and asks for its driver's name.
    pub(crate) fn new(node: &Path) -> Result<Self, KmsSinkError> {
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let fd = open(node, flags, Mode::empty()).map_err(|source| KmsSinkError::Open {
            node: node.to_owned(),
            source,
        })?;
        let mut opened = Self {
            fd,
            node: node.to_owned(),
            driver: String::new(),
        };
        let driver = opened.get_driver().map_err(|error| KmsSinkError::Query {
            what: "the driver's name",
            card: node.display().to_string(),
            source: errno(&error),
        })?;
        opened.driver = driver.name().to_string_lossy().into_owned();
        Ok(opened)
    }

    /// Driver and node, for people.
    pub(crate) fn label(&self) -> String {
        label(&self.driver, &self.node)
    }

    /// Where it sits: a PCI address, a platform device's name.
    pub(crate) fn bus(&self) -> Option<String> {
        bus(&self.node)
    }

    /// Whether a user who writes `selector` can mean this card.
    pub(crate) fn answers_to(&self, selector: &str) -> bool {
        is_node(selector, &self.node)
            || is_driver(selector, &self.driver)
            || self.bus().as_deref() == Some(selector)
    }

    /// Switches to atomic commits.
    pub(crate) fn into_atomic(self) -> Result<Card, KmsSinkError> {
        let capabilities = [
            (ClientCapability::UniversalPlanes, true),
            (ClientCapability::Atomic, true),
            // Drivers may lack writeback altogether; the core then still knows it since 5.0.
            (ClientCapability::WritebackConnectors, false),
        ];
        for (capability, needed) in capabilities {
            if let Err(error) = self.set_client_capability(capability, true)
                && needed
            {
                return Err(KmsSinkError::NotAtomic {
                    card: self.label(),
                    source: errno(&error),
                });
            }
        }
        Ok(Card {
            fd: self.fd,
            node: self.node,
            driver: self.driver,
            definitions: Definitions::default(),
        })
    }
}

impl Card {
    /// Driver and node, for people.
    pub(crate) fn label(&self) -> String {
        label(&self.driver, &self.node)
    }

    /// The driver's name.
    pub(crate) fn driver(&self) -> &str {
        &self.driver
    }

    /// Where it sits: a PCI address, a platform device's name.
    pub(crate) fn bus(&self) -> Option<String> {
        bus(&self.node)
    }

    /// Makes sure that it is us who control the card.
    ///
    /// The first to open a card controls it without asking; root may ask later.
    pub(crate) fn master(&self) -> Result<(), KmsSinkError> {
        if is_master(self) {
            return Ok(());
        }
        self.acquire_master_lock()
            .map_err(|error| self.not_master(errno(&error)))
    }

    fn not_master(&self, source: Errno) -> KmsSinkError {
        KmsSinkError::NotMaster {
            card: self.label(),
            holders: holders::of(&self.node),
            source,
        }
    }

    /// What the driver says of itself; 0 where it does not know the question.
    pub(crate) fn capability(&self, capability: DriverCapability) -> u64 {
        self.get_driver_capability(capability).unwrap_or(0)
    }

    /// Gives an answer of the kernel its context.
    pub(crate) fn asked<T>(
        &self,
        what: &'static str,
        answer: io::Result<T>,
    ) -> Result<T, KmsSinkError> {
        answer.map_err(|error| match errno(&error) {
            Errno::ENODEV => KmsSinkError::Gone { card: self.label() },
            source => KmsSinkError::Query {
                what,
                card: self.label(),
                source,
            },
        })
    }

    /// The error of a commit.
    pub(crate) fn refused(&self, what: &'static str, source: Errno) -> KmsSinkError {
        match source {
            Errno::ENODEV => KmsSinkError::Gone { card: self.label() },
            Errno::EACCES if !is_master(self) => self.not_master(source),
            source => KmsSinkError::Commit {
                card: self.label(),
                what,
                source,
            },
        }
    }
}

/// Whether a card is under the control of whoever opened it so.
pub(crate) fn is_master(card: &impl Device) -> bool {
    // Only the master may authenticate others; nobody has the number 0, so that the answer to
    // the master is EINVAL.
    let answer = drm_ffi::auth::auth_magic_token(card.as_fd(), 0);
    !matches!(answer, Err(error) if errno(&error) == Errno::EACCES)
}

fn bus(node: &Path) -> Option<String> {
    let device = Path::new("/sys/class/drm")
        .join(node.file_name()?)
        .join("device");
    let target = std::fs::read_link(device).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}

/// All display nodes, in the order of their numbers.
pub(crate) fn nodes() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(NODES) else {
        return Vec::new();
    };
    let mut nodes: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number: u32 = name.to_str()?.strip_prefix("card")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    nodes.sort_unstable();
    nodes.into_iter().map(|(_number, node)| node).collect()
}

/// Whether `selector` is a path to this node, symbolic links followed.
pub(crate) fn is_node(selector: &str, node: &Path) -> bool {
    let selected = Path::new(selector);
    selected == node
        || selector.contains('/')
            && selected
                .canonicalize()
                .is_ok_and(|selected| node.canonicalize().is_ok_and(|node| node == selected))
}

/// Whether `selector` names a driver, be it without a suffix: `bochs` is `bochs-drm`.
fn is_driver(selector: &str, driver: &str) -> bool {
    let extends = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
    };
    !selector.is_empty() && (extends(driver, selector) || extends(selector, driver))
}

fn label(driver: &str, node: &Path) -> String {
    format!("{driver} ({})", node.display())
}

/// The number in an error of the `drm` crates, which make nothing but system calls.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

/// Makes a call until no signal gets in its way, as the kernel asks of DRM's calls.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, Errno> {
    loop {
        match call().map_err(|error| errno(&error)) {
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_known_with_and_without_their_suffix() {
        assert!(is_driver("vkms", "vkms"));
        assert!(is_driver("bochs", "bochs-drm"));
        assert!(is_driver("bochs-drm", "bochs"));
        assert!(!is_driver("vk", "vkms"));
        assert!(!is_driver("", "vkms"));
        assert!(!is_driver("vkms", "bochs-drm"));
    }

    #[test]
    fn a_node_is_a_path() {
        assert!(is_node("/dev/null", Path::new("/dev/null")));
        assert!(is_node("/dev/../dev/null", Path::new("/dev/null")));
        assert!(!is_node("null", Path::new("/dev/null")));
    }
}
