//! Huge pages: how many there are, and how to have more.
//!
//! See the kernel's "HugeTLB Pages" (`Documentation/admin-guide/mm/hugetlbpage.rst`).

use std::path::Path;

use dmaflow_core::Errno;
use dmaflow_core::heap::ExportError;

/// The bytes of a huge page, on every architecture that has huge pages of this length.
pub(crate) const HUGE_PAGE: u64 = 2 << 20;

const POOL: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB";

/// The kernel's pool of huge pages, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HugePages {
    /// All there are.
    pub(crate) total: u64,
    /// Those that nobody uses and nobody was promised.
    pub(crate) free: u64,
    /// How many more the kernel may try to make when they are asked for.
    pub(crate) overcommit: u64,
}

impl HugePages {
    /// Reads what there is; `None` without huge pages of 2 MiB.
    pub(crate) fn now() -> Option<Self> {
        let total = Self::total()?;
        let overcommit = read("nr_overcommit_hugepages")?;
        if total == 0 {
            // Pages that are free, promised or surplus are among all there are.
            return Some(Self {
                total,
                free: 0,
                overcommit,
            });
        }
        let promised = read("resv_hugepages")?;
        let surplus = read("surplus_hugepages")?;
        Some(Self {
            total,
            free: read("free_hugepages")?.saturating_sub(promised),
            overcommit: overcommit.saturating_sub(surplus),
        })
    }

    /// How many there are; `None` without huge pages of 2 MiB.
    pub(crate) fn total() -> Option<u64> {
        read("nr_hugepages")
    }

    /// Whether so many bytes of them are free or may be made.
    pub(crate) fn check(self, bytes: u64) -> Result<(), ExportError> {
        let wanted = bytes.div_ceil(HUGE_PAGE);
        if wanted <= self.free.saturating_add(self.overcommit) {
            Ok(())
        } else {
            Err(self.short(wanted))
        }
    }

    /// Why so many pages cannot be had.
    fn short(self, wanted: u64) -> ExportError {
        let Self { total, free, .. } = self;
        let more = total.saturating_add(wanted.saturating_sub(free).max(1));
        refused(
            Errno::ENOMEM,
            format!(
                "it takes {wanted} huge pages of 2 MiB, and {free} of {total} are free; reserve \
                 more with `sysctl vm.nr_hugepages={more}`, soon after boot, while memory is in \
                 one piece, or with `hugepages={more}` on the kernel's command line"
            ),
        )
    }
}

/// Whether the kernel has or may make so many bytes of huge pages.
///
/// # Errors
/// [`short`] or [`none`]: filling a file until there is no page left would take long and leave
/// others without.
pub(crate) fn check(bytes: u64) -> Result<(), ExportError> {
    HugePages::now().ok_or_else(none)?.check(bytes)
}

/// A number of the kernel's pool.
fn read(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new(POOL).join(name)).ok()?;
    text.trim().parse().ok()
}

/// Why so many bytes cannot be had now.
pub(crate) fn short(bytes: u64) -> ExportError {
    HugePages::now().map_or_else(none, |pages| pages.short(bytes.div_ceil(HUGE_PAGE)))
}

/// Whether a driver that maps a buffer for the CPU (`dma_buf_vmap`: vb2-vmalloc, shadow planes)
/// may be shown another part of a large page than the buffer's.
///
/// In Linux 6.12, `vmap_udmabuf` takes the first 4 KiB of a large page for all of it, and such a
/// driver writes there; until 6.16 it refuses instead. 7.3 maps what it should. Older kernels are
/// taken for wrong, too.
pub(crate) fn may_be_mapped_wrongly() -> bool {
    let release = nix::sys::utsname::uname().ok();
    let release = release.map(|name| name.release().to_string_lossy().into_owned());
    release.is_none_or(|release| is_before_6_16(&release))
}

fn is_before_6_16(release: &str) -> bool {
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|word| word.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version < (6, 16)
}

/// Whether tmpfs may give memfds large pages unasked.
pub(crate) fn tmpfs_gives_large_pages() -> bool {
    let policy = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    policy.is_ok_and(|policy| is_unasked(&policy))
}

fn is_unasked(policy: &str) -> bool {
    ["[always]", "[within_size]", "[force]"]
        .iter()
        .any(|word| policy.contains(word))
}

/// Why there are no huge pages at all.
pub(crate) fn none() -> ExportError {
    let reason = "this kernel has no huge pages of 2 MiB; it needs CONFIG_HUGETLBFS and a \
                  processor that has them";
    refused(Errno::EOPNOTSUPP, reason.to_owned())
}

pub(crate) const fn refused(errno: Errno, reason: String) -> ExportError {
    ExportError::Refused { errno, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_and_policies_are_told_apart() {
        assert!(is_before_6_16("6.12.107") && is_before_6_16("5.15-rc1") && is_before_6_16("?"));
        assert!(!is_before_6_16("6.16.0-rt") && !is_before_6_16("7.3.4"));
        assert!(is_unasked("[always] within_size advise never deny force"));
        assert!(!is_unasked("always within_size advise [never] deny force"));
    }

    #[test]
    fn a_shortage_names_the_number_to_set() {
        let pages = HugePages {
            total: 8,
            free: 3,
            overcommit: 0,
        };
        let error = pages.short(16);
        assert_eq!(error.errno(), Some(Errno::ENOMEM));
        let text = error.to_string();
        assert!(text.contains("it takes 16 huge pages"), "{text}");
        assert!(text.contains("3 of 8 are free"), "{text}");
        assert!(text.contains("vm.nr_hugepages=21"), "{text}");
    }
}
