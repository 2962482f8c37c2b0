//! Debian packages that a task needs, installed where they are missing.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Uid;

/// What packages are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Compile the workspace.
    Workspace,
    /// Boot the virtual board.
    Board,
    /// Compile a kernel.
    Kernel,
    /// Run the other contenders of the benchmark.
    Bench,
    /// Make streams, and have others read them.
    Streams,
}

impl Purpose {
    /// Everything, for `cargo xtask setup`.
    pub(crate) const ALL: [Self; 5] = [
        Self::Workspace,
        Self::Board,
        Self::Kernel,
        Self::Bench,
        Self::Streams,
    ];

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Workspace => &["g++", "gcc", "libc6-dev", "libclang-dev", "pkg-config"],
            Self::Board => &[
                "busybox-static",
                "cpio",
                "kmod",
                "libgbm1",
                "libgl1-mesa-dri",
                "procps",
                "qemu-system-x86",
                "systemd",
                "xz-utils",
            ],
            Self::Kernel => &[
                "bc",
                "bison",
                "flex",
                "gcc",
                "kmod",
                "libc6-dev",
                "libelf-dev",
                "libssl-dev",
                "make",
                "perl",
                "python3",
                "xz-utils",
            ],
            Self::Bench => &[
                "gstreamer1.0-plugins-bad",
                "gstreamer1.0-plugins-good",
                "gstreamer1.0-tools",
                "strace",
                "v4l-utils",
            ],
            Self::Streams => &["ffmpeg", "gstreamer1.0-plugins-bad", "gstreamer1.0-tools"],
        }
    }

    fn aim(self) -> &'static str {
        match self {
            Self::Workspace => "compile dmaflow",
            Self::Board => "boot the virtual board",
            Self::Kernel => "compile its kernel",
            Self::Bench => "compare with GStreamer",
            Self::Streams => "make streams, and have others read them",
        }
    }
}

/// Installs what is missing, after saying what and why.
pub(crate) fn ensure_installed(purposes: &[Purpose]) -> Result<()> {
    let wanted: BTreeSet<&str> = purposes
        .iter()
        .flat_map(|purpose| purpose.packages())
        .copied()
        .collect();
    let missing = missing(&wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    let aims: Vec<&str> = purposes
        .iter()
        .filter(|purpose| purpose.packages().iter().any(|name| missing.contains(name)))
        .map(|purpose| purpose.aim())
        .collect();
    println!(
        "installing Debian packages, to {}: {}",
        aims.join(" and to "),
        missing.join(" ")
    );
    if install(&missing)? {
        return Ok(());
    }
    println!("apt-get could not; bringing its package lists up to date");
    ensure!(
        administer(&["update", "-q"])?.success() && install(&missing)?,
        "apt-get cannot install {}; its words are above",
        missing.join(" ")
    );
    Ok(())
}

fn missing<'a>(wanted: &BTreeSet<&'a str>) -> Result<Vec<&'a str>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status} ${Package}\\n"])
        .args(wanted)
        .output()
        .with_context(|| {
            format!(
                "this is not a Debian system; install the likes of {} by hand",
                wanted.iter().copied().collect::<Vec<_>>().join(" ")
            )
        })?;
    Ok(not_installed(
        wanted,
        &String::from_utf8_lossy(&output.stdout),
    ))
}

fn not_installed<'a>(wanted: &BTreeSet<&'a str>, states: &str) -> Vec<&'a str> {
    let installed: BTreeSet<&str> = states
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .collect();
    wanted
        .iter()
        .filter(|name| !installed.contains(*name))
        .copied()
        .collect()
}

fn install(packages: &[&str]) -> Result<bool> {
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    Ok(administer(&arguments)?.success())
}

/// Runs apt-get as root.
fn administer(arguments: &[&str]) -> Result<std::process::ExitStatus> {
    let mut command = if Uid::effective().is_root() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    };
    let status = command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments)
        // What it installs has been said, what goes wrong comes on stderr.
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) => Ok(status),
        Err(error) => bail!(
            "cannot run apt-get {} as root: {error}",
            arguments.join(" ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_missing() {
        let wanted = BTreeSet::from(["bc", "flex", "gone"]);
        let states = "installed bc\nnot-installed flex\n";
        assert_eq!(not_installed(&wanted, states), ["flex", "gone"]);
    }
}
