//! What the kernel was built with, and how old it is.

use std::collections::HashMap;
use std::path::Path;

use nix::sys::utsname::uname;
use procfs::{ConfigSetting, Current, KernelConfig};

use super::{Finding, Needs, Verdict, lacking};
use crate::memory::Memory;

/// An option of the kernel's configuration.
struct KernelOption {
    name: &'static str,
    /// What it is for.
    gives: &'static str,
    /// Whether its work is there to be seen, where that tells.
    seen: fn() -> Option<bool>,
}

const ABOUT: &str = "kernel options";

const fn option(
    name: &'static str,
    gives: &'static str,
    seen: fn() -> Option<bool>,
) -> KernelOption {
    KernelOption { name, gives, seen }
}

fn there(path: &str) -> Option<bool> {
    Some(Path::new(path).exists())
}

/// What a pipeline may want, besides the drivers.
const OPTIONS: &[KernelOption] = &[
    option("DMABUF_HEAPS", "heaps below /dev/dma_heap", || {
        there("/dev/dma_heap")
    }),
    option("DMABUF_HEAPS_SYSTEM", "the heap `system`", || {
        there("/dev/dma_heap/system")
    }),
    option(
        "DMABUF_HEAPS_CMA",
        "contiguous memory for devices without an IOMMU",
        || None,
    ),
    option("DMA_CMA", "memory for the contiguous heap", || {
        Some(Memory::now().cma_total.is_some_and(|total| total > 0))
    }),
    option("UDMABUF", "dma-bufs of a process's own memory", || {
        there("/dev/udmabuf")
    }),
    option("SYNC_FILE", "fences between devices", || None),
    option("PSI", "caches that shrink before memory is short", || {
        there("/proc/pressure/memory")
    }),
];

pub(super) fn look(needs: Needs) -> Vec<Finding> {
    let config = KernelConfig::current().ok().map(|config| config.0);
    let mut findings = vec![version(needs)];
    let missing: Vec<_> = OPTIONS
        .iter()
        .filter(|option| option.is_set(config.as_ref()) == Some(false))
        .collect();
    findings.extend(
        missing
            .iter()
            .map(|option| option.lacking(config.is_some())),
    );
    if missing.is_empty() {
        let source = match config {
            Some(_) => "all are set that pipelines may want",
            None => "no configuration is readable, and nothing is seen missing",
        };
        findings.push(Finding::ok(ABOUT, source));
    }
    findings
}

impl KernelOption {
    fn lacking(&self, is_told: bool) -> Finding {
        let Self { name, gives, .. } = self;
        let (found, remedy) = if is_told {
            (
                format!("CONFIG_{name} is not set; it gives {gives}"),
                format!("use a kernel with CONFIG_{name}=y"),
            )
        } else {
            (
                format!("nothing is seen of CONFIG_{name}; it gives {gives}"),
                format!("load its module or set it up, or use a kernel with CONFIG_{name}"),
            )
        };
        Finding::bad(ABOUT, Verdict::Warning, found, remedy)
    }

    /// What the configuration says, or else what can be seen.
    fn is_set(&self, config: Option<&HashMap<String, ConfigSetting>>) -> Option<bool> {
        let Some(config) = config else {
            return (self.seen)();
        };
        let setting = config.get(&format!("CONFIG_{}", self.name));
        Some(matches!(
            setting,
            Some(ConfigSetting::Yes | ConfigSetting::Module)
        ))
    }
}

/// What came with which version of the kernel: the newest first.
const SINCE: [((u32, u32), &str); 2] = [
    ((6, 0), "sync files of dma-bufs"),
    ((5, 6), "dma-buf heaps"),
];

fn version(needs: Needs) -> Finding {
    let release = uname().map_or_else(
        |_none| String::new(),
        |name| name.release().to_string_lossy().into_owned(),
    );
    let Some(version) = numbers(&release) else {
        let found = format!("its release is `{release}`");
        return Finding::bad("kernel", Verdict::Unknown, found, "use Linux 6.0 or newer");
    };
    let lacks: Vec<_> = SINCE
        .iter()
        .filter(|(since, _)| version < *since)
        .map(|((major, minor), what)| format!("{what} (Linux {major}.{minor})"))
        .collect();
    if lacks.is_empty() {
        return Finding::ok("kernel", format!("Linux {release}"));
    }
    let heaps = needs.heaps && version < SINCE[1].0;
    Finding::bad(
        "kernel",
        lacking(heaps),
        format!("Linux {release} has no {}", lacks.join(" and no ")),
        "use Linux 6.0 or newer",
    )
}

/// Major and minor of a release such as `6.12.117-amd64`.
fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut words = release.split(['.', '-', '+']);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_counts_before_what_is_seen() {
        let option = option("PSI", "", || Some(true));
        let config = |setting: &str| {
            let value = match setting {
                "y" => ConfigSetting::Yes,
                "m" => ConfigSetting::Module,
                other => ConfigSetting::Value(other.to_owned()),
            };
            HashMap::from([("CONFIG_PSI".to_owned(), value)])
        };
        assert_eq!(option.is_set(Some(&config("y"))), Some(true));
        assert_eq!(option.is_set(Some(&config("m"))), Some(true));
        assert_eq!(option.is_set(Some(&HashMap::new())), Some(false));
        assert_eq!(option.is_set(None), Some(true));
    }

    #[test]
    fn what_is_not_seen_is_not_said_to_be_unset() {
        let option = option("UDMABUF", "dma-bufs", || Some(false));
        assert!(
            option
                .lacking(true)
                .found
                .contains("CONFIG_UDMABUF is not set")
        );
        let unseen = option.lacking(false);
        assert!(!unseen.found.contains("not set"), "{unseen:?}");
        assert!(
            unseen
                .remedy
                .is_some_and(|remedy| remedy.contains("load its module"))
        );
    }

    #[test]
    fn releases_begin_with_two_numbers() {
        assert_eq!(numbers("6.12.117-amd64"), Some((6, 12)));
        assert_eq!(numbers("7.3-rc1"), Some((7, 3)));
        assert_eq!(numbers("5.10+"), Some((5, 10)));
        assert_eq!(numbers("six"), None);
    }
}
