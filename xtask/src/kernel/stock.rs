//! Debian's own kernel packages, unpacked: nothing to compile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::debian::Archive;
use crate::workspace;

/// Everything else in the names of Debian's kernels is another flavour.
const FLAVOUR: &str = "-amd64";

/// The directory of Debian's newest kernel, fetched now if the cache does not
/// have it.
pub(crate) fn stock(cache: &Path) -> Result<PathBuf> {
    let archive = Archive::open(cache)?;
    let image = archive.newest("linux-binary-", FLAVOUR)?;
    let release = image.name.trim_start_matches("linux-binary-").to_owned();
    let directory = cache
        .join("kernels")
        .join(format!("stock-{}", image.version));
    if directory.exists() {
        return Ok(directory);
    }
    let _held = workspace::lock(&cache.join("lock"))?;
    if directory.exists() {
        return Ok(directory); // another xtask was faster
    }
    let work = cache.join("work");
    workspace::clear(&work)?;
    archive.unpack(&image, &work)?;
    for part in ["modules", "base"] {
        let package = archive.package(&format!("linux-{part}-{release}"))?;
        archive.unpack(&package, &work)?;
    }

    let made = work.join("made");
    let modules = made.join("lib/modules").join(&release);
    fs::create_dir_all(made.join("lib/modules"))?;
    fs::rename(work.join("usr/lib/modules").join(&release), &modules)
        .with_context(|| format!("linux-modules-{release} has no modules"))?;
    fs::rename(modules.join("vmlinuz"), made.join("bzImage"))
        .with_context(|| format!("{} has no image", image.name))?;
    let status = Command::new("depmod")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .arg("-b")
        .arg(&made)
        .arg(&release)
        .status()
        .context("cannot run depmod")?;
    ensure!(status.success(), "depmod failed");
    fs::create_dir_all(cache.join("kernels"))?;
    fs::rename(&made, &directory)?;
    workspace::clear(&work)?;
    Ok(directory)
}
