//! Limits of the process, and memory that is set aside.

use dmaflow_pipelines::description::Description;
use nix::sys::resource::{Resource, getrlimit};

use super::{Finding, Verdict};
use crate::memory::Memory;
use crate::numbers::{bytes, counted};

/// Descriptors besides those of buffers: devices, sync files, sockets, the library's own.
const OTHERS: u64 = 64;
/// A frame's planes may lie in three buffers, and V4L2 takes 32 frames.
const MOST_A_POOL: u64 = 3 * 32;

pub(super) fn look(description: Option<&Description>, memory: &Memory) -> Vec<Finding> {
    let of_pool = |buffers: Option<usize>| buffers.map_or(MOST_A_POOL, |all| 3 * all as u64);
    let of_pools = description.map_or(MOST_A_POOL, |description| {
        description.pools().map(|pool| of_pool(pool.buffers)).sum()
    });
    let needed = OTHERS + of_pools;
    let mut findings = Vec::new();
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        findings.push(files(soft, hard, needed));
    }
    if let Some((all, free, len)) = memory.huge_pages {
        findings.push(huge_pages(all, free, len));
    }
    findings
}

fn files(soft: u64, hard: u64, needed: u64) -> Finding {
    if soft >= needed {
        return Finding::ok("open files", format!("{soft} are allowed"));
    }
    let remedy = if hard >= needed {
        format!("`ulimit -n {needed}` in the shell that runs it")
    } else {
        format!("LimitNOFILE={needed} in the service, or a line in /etc/security/limits.conf")
    };
    let found = format!("{soft} are allowed, and a pipeline may take {needed}");
    Finding::bad("open files", Verdict::Problem, found, remedy)
}

/// They are for carve-outs and contiguous udmabufs, which nobody has to use.
fn huge_pages(all: u64, free: u64, len: u64) -> Finding {
    let found = if all == 0 {
        format!(
            "none of {} are reserved; heaps on huge pages want some: \
             `sysctl vm.nr_hugepages=64`",
            bytes(len)
        )
    } else {
        format!("{} of {}, {free} free", counted(all, "page"), bytes(len))
    };
    Finding::ok("huge pages", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_files_are_a_problem() {
        assert_eq!(files(1024, 1024, 160).verdict, Verdict::Ok);
        let low = files(64, 1024, 160);
        assert_eq!(low.verdict, Verdict::Problem);
        assert!(low.remedy.unwrap().contains("ulimit -n 160"));
        assert!(
            files(64, 64, 160)
                .remedy
                .unwrap()
                .contains("LimitNOFILE=160")
        );
    }
}
