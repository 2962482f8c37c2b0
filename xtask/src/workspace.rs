//! Where things are: the checkout, what cargo builds, what is kept between runs.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The checkout that xtask was started for.
///
/// Asked at run time, so that a moved or copied checkout finds itself.
pub(crate) fn root() -> Result<PathBuf> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(manifest) => PathBuf::from(manifest),
        None => env::current_dir().context("cannot tell the current directory")?,
    };
    for directory in start.ancestors() {
        if directory.join("testbed/profiles").is_dir() {
            return directory
                .canonicalize()
                .with_context(|| format!("cannot resolve {}", directory.display()));
        }
    }
    bail!("{} is not inside a dmaflow checkout", start.display())
}

/// Cargo's target directory.
pub(crate) fn target(root: &Path) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

/// What outlives a checkout: kernels and the packages they came from.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match env::var_os("XDG_CACHE_HOME") {
        Some(directory) => PathBuf::from(directory),
        None => {
            PathBuf::from(env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?)
                .join(".cache")
        }
    };
    let cache = base.join("dmaflow");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    Ok(cache)
}

/// Holds `path`, a file, for this process until dropped; `None` when another
/// process has it.
fn try_lock(path: &Path) -> Result<Option<Flock<File>>> {
    match Flock::lock(create(path)?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EAGAIN)) => Ok(None),
        Err((_, errno)) => Err(errno).with_context(|| format!("cannot lock {}", path.display())),
    }
}

/// Creates `directory` and holds it until dropped; `None` when another process
/// does. Boots of two xtasks must not write to one folder.
pub(crate) fn try_claim(directory: &Path) -> Result<Option<Flock<File>>> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    try_lock(&directory.join(".lock"))
}

/// Creates `directory` and holds it until dropped.
pub(crate) fn claim(directory: &Path) -> Result<Flock<File>> {
    try_claim(directory)?.with_context(|| format!("another xtask is using {}", directory.display()))
}

/// Holds `path`, a file, until dropped; waits while another process has it.
pub(crate) fn lock(path: &Path) -> Result<Flock<File>> {
    if let Some(lock) = try_lock(path)? {
        return Ok(lock);
    }
    eprintln!("waiting for another xtask, which holds {}", path.display());
    Flock::lock(create(path)?, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("cannot lock {}", path.display()))
}

/// Removes whatever is at `path`, if anything is.
pub(crate) fn clear(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}
