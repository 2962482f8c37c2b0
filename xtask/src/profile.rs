//! Profiles: what a virtual board is made of, read from `testbed/profiles/NAME.toml`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// One board.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// The file's name without its ending.
    #[serde(skip)]
    pub(crate) name: String,
    /// What the board stands for, in one line.
    pub(crate) about: String,
    /// Memory in MiB.
    #[serde(default = "default_memory")]
    pub(crate) memory: u32,
    /// Words for the kernel's command line.
    #[serde(default)]
    pub(crate) cmdline: Vec<String>,
    /// Drivers, loaded in this order.
    #[serde(default, rename = "module")]
    pub(crate) modules: Vec<Module>,
    /// The emulated monitor: the first one the kernel is new enough for.
    #[serde(default, rename = "monitor")]
    monitors: Vec<Monitor>,
}

/// A driver to load.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Module {
    /// The name `modprobe` knows.
    pub(crate) name: String,
    /// Its parameters, which also hold when a test loads it again.
    #[serde(default)]
    pub(crate) options: String,
}

/// A display adapter that QEMU emulates, and its driver.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Monitor {
    /// The first kernel version whose driver is of use; any when absent.
    since: Option<String>,
    /// The name `modprobe` knows.
    pub(crate) module: String,
    /// QEMU's `-device` argument.
    pub(crate) device: String,
}

fn default_memory() -> u32 {
    2048
}

impl Profile {
    /// Reads the profile `name` of the checkout at `root`.
    pub(crate) fn load(root: &Path, name: &str) -> Result<Self> {
        let directory = root.join("testbed/profiles");
        let path = directory.join(format!("{name}.toml"));
        if !path.is_file() {
            bail!(
                "no profile `{name}`; there are {}",
                names(&directory)?.join(", ")
            );
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(name, &text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(name: &str, text: &str) -> Result<Self> {
        let mut profile: Self = toml::from_str(text)?;
        profile.name = name.to_owned();
        Ok(profile)
    }

    /// The monitor on a kernel of this release, if the board has one.
    pub(crate) fn monitor(&self, release: &str) -> Option<&Monitor> {
        self.monitors.iter().find(|monitor| {
            monitor
                .since
                .as_deref()
                .is_none_or(|since| version(release) >= version(since))
        })
    }

    /// Driver names in loading order, on a kernel of this release.
    pub(crate) fn drivers(&self, release: &str) -> Vec<&str> {
        self.modules
            .iter()
            .map(|module| module.name.as_str())
            .chain(self.monitor(release).map(|monitor| monitor.module.as_str()))
            .collect()
    }

    /// What goes into `/etc/modprobe.d`.
    pub(crate) fn modprobe_conf(&self) -> String {
        self.modules
            .iter()
            .filter(|module| !module.options.is_empty())
            .map(|module| format!("options {} {}\n", module.name, module.options))
            .collect()
    }
}

/// The leading numbers of a kernel release, comparable: `6.12.117-1` is `[6, 12, 117]`.
pub(crate) fn version(release: &str) -> Vec<u32> {
    release
        .split(['-', '+', '~'])
        .next()
        .unwrap_or_default()
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .with_context(|| format!("cannot list {}", directory.display()))?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".toml")?.to_owned())
        })
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        about = "a board"
        cmdline = ["cma=128M"]
        [[module]]
        name = "vivid"
        options = "n_devs=1"
        [[module]]
        name = "vimc"
        [[monitor]]
        since = "6.13"
        module = "bochs"
        device = "bochs-display"
        [[monitor]]
        module = "cirrus-qemu"
        device = "cirrus-vga"
    "#;

    #[test]
    fn monitor_follows_the_kernel() {
        let profile = Profile::parse("x", TEXT).unwrap();
        assert_eq!(
            profile.drivers("7.3.4+deb13-amd64"),
            ["vivid", "vimc", "bochs"]
        );
        assert_eq!(
            profile.drivers("6.12.117"),
            ["vivid", "vimc", "cirrus-qemu"]
        );
        assert_eq!(profile.modprobe_conf(), "options vivid n_devs=1\n");
        assert_eq!(profile.memory, 2048);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(Profile::parse("x", "about = \"\"\nmodul = 1").is_err());
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("6.9.1") < version("6.12"));
        assert!(version("6.13-rc1") >= version("6.13"));
        assert_eq!(version("7.3.4+deb13-amd64"), [7, 3, 4]);
    }

    #[test]
    fn every_profile_of_the_checkout_loads() {
        let root = crate::workspace::root().unwrap();
        let names = names(&root.join("testbed/profiles")).unwrap();
        assert!(names.len() >= 4, "{names:?}");
        for name in names {
            let profile = Profile::load(&root, &name).unwrap();
            assert!(!profile.drivers("7.3").is_empty(), "{name}");
        }
    }
}
