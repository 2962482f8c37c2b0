//! Kernels a board can boot.

mod build;
mod stock;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::profile::version;
use crate::workspace;

/// Since its vblanks are the DRM core's, vkms no longer waits for its timer under the lock that
/// the timer takes.
const VKMS_WAITS_SAFELY: [u32; 2] = [7, 0];

/// A directory with `bzImage` and `lib/modules/RELEASE`.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) directory: PathBuf,
    /// What `uname -r` says there.
    pub(crate) release: String,
}

impl Kernel {
    /// The kernel in `directory`.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("no kernel at {}", directory.display()))?;
        let modules = directory.join("lib/modules");
        let mut releases: Vec<String> = fs::read_dir(&modules)
            .with_context(|| format!("cannot list {}", modules.display()))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        let Some(release) = releases.pop() else {
            bail!("{} is empty", modules.display());
        };
        if !releases.is_empty() {
            bail!("{} holds more than one release", modules.display());
        }
        if !directory.join("bzImage").is_file() {
            bail!("{} has no bzImage", directory.display());
        }
        Ok(Self { directory, release })
    }

    /// How many processors its board has. Where two processors are needed for vkms to bring the
    /// kernel to a stand, once in some hundred modes, it is one.
    pub(crate) fn processors(&self) -> u32 {
        match version(&self.release) >= VKMS_WAITS_SAFELY.to_vec() {
            true => 2,
            false => 1,
        }
    }

    /// The image that QEMU loads.
    pub(crate) fn image(&self) -> PathBuf {
        self.directory.join("bzImage")
    }
}

/// Which kernel to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Debian's own packages, newest version: nothing to compile.
    Stock,
    /// Built from Debian's newest source package.
    Built,
    /// Built from Debian's source package of this version, such as `6.12`.
    Version(String),
    /// Made elsewhere.
    Directory(PathBuf),
}

impl Choice {
    /// The chosen kernel, fetched or compiled now if the cache lacks it.
    pub(crate) fn kernel(&self, root: &Path) -> Result<Kernel> {
        let cache = workspace::cache()?;
        Kernel::open(&match self {
            Self::Directory(directory) => directory.clone(),
            Self::Stock => stock::stock(&cache)?,
            Self::Built => build::built(root, &cache, None)?,
            Self::Version(series) => build::built(root, &cache, Some(series))?,
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stock => f.write_str("stock"),
            Self::Built => f.write_str("newest"),
            Self::Version(series) => f.write_str(series),
            Self::Directory(directory) => directory.display().fmt(f),
        }
    }
}

impl FromStr for Choice {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "stock" => Self::Stock,
            "built" | "newest" => Self::Built,
            _ if is_version(text) => Self::Version(text.to_owned()),
            _ if Path::new(text).is_dir() => Self::Directory(PathBuf::from(text)),
            _ => bail!("expected stock, built, a version such as 6.12, or a directory"),
        })
    }
}

fn is_version(text: &str) -> bool {
    text.split('.').count() >= 2
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_have_one_processor() {
        let processors = |release: &str| {
            let (directory, release) = (PathBuf::new(), release.to_owned());
            Kernel { directory, release }.processors()
        };
        assert_eq!(processors("6.12.117"), 1);
        assert_eq!(processors("7.0.0"), 2);
        assert_eq!(processors("7.3.4+deb13-amd64"), 2);
    }

    #[test]
    fn choices_are_told_apart() {
        let choice = |text: &str| text.parse::<Choice>().ok();
        assert_eq!(choice("stock"), Some(Choice::Stock));
        assert_eq!(choice("newest"), Some(Choice::Built));
        assert_eq!(choice("6.12"), Some(Choice::Version("6.12".into())));
        assert_eq!(choice("/"), Some(Choice::Directory("/".into())));
        assert_eq!(choice("6."), None);
        assert_eq!(choice("no-such-thing"), None);
    }
}
