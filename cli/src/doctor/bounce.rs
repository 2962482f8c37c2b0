//! Copies inside the kernel that nothing of ours counts.
//!
//! Where a device cannot reach memory, the kernel lets it use a buffer of its own and copies
//! (`kernel/dma/swiotlb.c`).

use std::fs;

use dmaflow_pipelines::audit::BounceUse;

use super::{Finding, Verdict};

const ABOUT: &str = "hidden copies";

/// What the kernel's command line can hold that has transfers copied: an option, one of its
/// words, and what that does.
const FORCED: [(&str, &str, &str); 3] = [
    ("swiotlb", "force", "copies every transfer"),
    ("iommu", "soft", "copies where an IOMMU could translate"),
    ("mem_encrypt", "on", "copies out of encrypted memory"),
];

pub(super) fn look() -> Finding {
    let command_line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if let Some((word, what)) = forced(&command_line) {
        return Finding::bad(
            ABOUT,
            Verdict::Warning,
            format!("`{word}` on the kernel's command line {what}"),
            format!("boot without `{word}`"),
        );
    }
    used(BounceUse::now())
}

fn forced(command_line: &str) -> Option<(&str, &'static str)> {
    let mut words = command_line.split_whitespace();
    words.find_map(|word| {
        let (option, value) = word.split_once('=')?;
        let known = |(name, forced, _): &&(&str, &str, &str)| {
            *name == option
                && match option {
                    // `swiotlb=[slots][,areas][,force]` (`setup_io_tlb_npages`).
                    "swiotlb" => value.rsplit(',').next() == Some(forced),
                    _ => value.split(',').any(|word| word == *forced),
                }
        };
        let (_, _, what) = FORCED.iter().find(known)?;
        Some((word, *what))
    })
}

/// By how many slots (of 2 KiB) are in use, and were at most.
fn used(found: BounceUse) -> Finding {
    const SLOT_KIB: u64 = 2;
    let (now, most) = match found {
        BounceUse::Slots { now, most } => (now, most),
        BounceUse::Absent => {
            return Finding::ok(ABOUT, "the kernel keeps no bounce buffers (SWIOTLB)");
        }
        BounceUse::Unreadable => {
            return Finding::bad(
                ABOUT,
                Verdict::Unknown,
                "whether SWIOTLB is in use cannot be read: debugfs must be mounted, and is root's",
                "run `sudo dmaflow doctor`, after `sudo mount -t debugfs none /sys/kernel/debug` where \
                 that is not mounted",
            );
        }
    };
    if now == 0 {
        let most = most.filter(|&most| most > 0);
        let was = most.map_or_else(String::new, |most| {
            format!("; at most {} KiB were since the start", most * SLOT_KIB)
        });
        return Finding::ok(ABOUT, format!("no bounce buffer (SWIOTLB) is in use{was}"));
    }
    Finding::bad(
        ABOUT,
        Verdict::Warning,
        format!(
            "{} KiB of bounce buffers (SWIOTLB) are in use: the kernel copies what a device \
             cannot reach, unseen by any counter of ours",
            now * SLOT_KIB
        ),
        "switch the IOMMU on, or take memory that the device reaches: the CMA's heap, or \
         `cma=…@0-4G` for devices of 32 bits; the trace event `swiotlb_bounced` names the device",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_command_line_are_whole() {
        let forced = |line: &str| forced(line).map(|(word, _)| word.to_owned());
        assert_eq!(
            forced("quiet swiotlb=force").as_deref(),
            Some("swiotlb=force")
        );
        for last in [
            "swiotlb=65536,force",
            "swiotlb=65536,4,force",
            "swiotlb=,force",
        ] {
            assert_eq!(forced(&format!("{last}\n")).as_deref(), Some(last));
        }
        assert_eq!(forced("swiotlb=force,65536 swiotlb=noforce"), None);
        assert_eq!(forced("iommu=soft").as_deref(), Some("iommu=soft"));
        assert_eq!(forced("intel_iommu=off swiotlb=65536 iommu=softer"), None);
    }

    #[test]
    fn slots_in_use_are_copies() {
        let slots = |now| BounceUse::Slots { now, most: Some(9) };
        let finding = used(slots(3));
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(finding.found.starts_with("6 KiB"), "{finding:?}");
        let finding = used(slots(0));
        assert_eq!(finding.verdict, Verdict::Ok);
        assert!(finding.found.contains("18 KiB"), "{finding:?}");
    }
}
