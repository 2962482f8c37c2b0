//! Judging what the CPU had of frames.

use dmaflow_core::dma_buf::{CpuCounts, CpuUse};

use super::super::{AuditReport, Finding, StageAudit, Verdict};
use super::finding;

/// New pages that a stage's thread may meet before that tells of pixels: its stack, what it sets
/// up, the program's own.
const PAGES_OF_A_THREAD: u64 = 256;

/// One of the counts.
type Counted = fn(&CpuCounts) -> u64;

/// What was promised of the CPU: that it does not see frames, but where they are made or used up
/// by it, and copies none on their way.
pub(super) fn findings(audit: &AuditReport) -> [Finding; 4] {
    let by_nature = |stage: &StageAudit| stage.by_cpu.is_some();
    // What is drawn did not exist before, and is no copy.
    let writes_files = |stage: &StageAudit| stage.by_cpu == Some(CpuUse::Copy);
    let unseen = audit.mapped_unseen as u64;
    let opened: Counted = |counts| counts.opened;
    [
        by_cpu(audit, "accesses by the CPU", (opened, by_nature), 0),
        by_cpu(
            audit,
            "mappings",
            (|counts| counts.mapped, by_nature),
            unseen,
        ),
        by_cpu(
            audit,
            "bytes copied",
            (|counts| counts.copied, writes_files),
            0,
        ),
        faults(audit),
    ]
}

/// What the CPU had of frames, but for stages that are known to need it, and `unseen` of which
/// nobody knows whose they are.
fn by_cpu(
    audit: &AuditReport,
    what: &str,
    (of, may): (Counted, fn(&StageAudit) -> bool),
    unseen: u64,
) -> Finding {
    let all: u64 = audit.pools.iter().map(|pool| of(&pool.cpu)).sum();
    let known = || audit.stages.iter().filter(|stage| may(stage));
    let allowed: u64 = known().map(|stage| of(&stage.cpu)).sum();
    let names: Vec<_> = known().map(|stage| format!("`{}`", stage.stage)).collect();
    let promised = if names.is_empty() {
        "0".to_owned()
    } else {
        format!("0 but by {}", names.join(", "))
    };
    let wrong = all.saturating_sub(allowed) + unseen;
    let mut found = (all + unseen).to_string();
    let told = |stage: &StageAudit| format!("{} by `{}`", of(&stage.cpu), stage.stage);
    let stages = audit.stages.iter().filter(|stage| of(&stage.cpu) > 0);
    let stages: Vec<_> = stages.map(told).collect();
    if all > 0 && !stages.is_empty() {
        found.push_str(&format!(": {}", stages.join(", ")));
    }
    if unseen > 0 {
        found.push_str(&format!(", {unseen} by other means than guards"));
    }
    finding(what, promised, found, wrong == 0)
}

/// Whoever copies into memory of its own, or looks into a mapping, meets the pages of at least
/// one frame; a thread that does neither meets those of its stack and of what it sets up.
fn faults(audit: &AuditReport) -> Finding {
    let most = audit.frame_pages.max(PAGES_OF_A_THREAD);
    let stages = audit.stages.iter().filter(|stage| stage.by_cpu.is_none());
    let told: Vec<_> = stages
        .filter_map(|stage| Some((stage, stage.minor_faults? / stage.threads.max(1))))
        .collect();
    let promised = format!("fewer than {most} in each stage on the way");
    let what = "minor faults";
    let Some((worst, faults)) = told.iter().max_by_key(|(_, faults)| *faults) else {
        return Finding {
            what: what.to_owned(),
            promised,
            found: "no stage to look at".to_owned(),
            verdict: Verdict::Unknown,
        };
    };
    let found = format!("at most {faults}, by `{}`", worst.stage);
    finding(what, promised, found, *faults < most)
}

#[cfg(test)]
mod tests {
    use super::super::super::PoolAudit;
    use super::*;

    /// A source, a stage on the way and a sink, which did this with the source's frames.
    fn audit(of: [(Option<CpuUse>, CpuCounts); 3]) -> AuditReport {
        let names = ["source", "between", "sink"];
        let stages = of
            .iter()
            .zip(names)
            .map(|(&(by_cpu, cpu), name)| StageAudit {
                stage: name.to_owned(),
                by_cpu,
                threads: 1,
                cpu,
                minor_faults: Some(3),
            });
        AuditReport {
            stages: stages.collect(),
            pools: vec![PoolAudit {
                cpu: of.into_iter().map(|(_, counts)| counts).sum(),
                ..PoolAudit::default()
            }],
            frame_pages: 300,
            ..AuditReport::default()
        }
    }

    fn verdicts(audit: &AuditReport) -> [Verdict; 4] {
        findings(audit).map(|finding| finding.verdict)
    }

    const NONE: CpuCounts = CpuCounts {
        drawn: 0,
        inspected: 0,
        copied: 0,
        opened: 0,
        mapped: 0,
    };
    const COPIED: CpuCounts = CpuCounts {
        copied: 4096,
        opened: 1,
        mapped: 1,
        ..NONE
    };
    const DRAWN: CpuCounts = CpuCounts {
        drawn: 4096,
        opened: 1,
        mapped: 1,
        ..NONE
    };
    const KEPT: [Verdict; 4] = [Verdict::Kept; 4];
    const COPY: [Verdict; 4] = [
        Verdict::Broken,
        Verdict::Broken,
        Verdict::Broken,
        Verdict::Kept,
    ];

    #[test]
    fn pixels_are_made_and_used_up_by_those_who_do_so_by_their_nature() {
        let draws = (Some(CpuUse::Draw), DRAWN);
        let writes = (Some(CpuUse::Copy), COPIED);
        let device = (None, NONE);
        assert_eq!(verdicts(&audit([device; 3])), KEPT);
        assert_eq!(verdicts(&audit([draws, device, writes])), KEPT);
        // Nobody else may, whatever these do.
        for one in 0..3 {
            let mut stages = [draws, device, writes];
            stages[one] = (None, COPIED);
            assert_eq!(verdicts(&audit(stages)), COPY, "{one}");
        }
    }

    #[test]
    fn a_source_that_copies_draws_nothing() {
        let copies = (Some(CpuUse::Draw), COPIED);
        let copied = &findings(&audit([copies, (None, NONE), (None, NONE)]))[2];
        assert_eq!(copied.verdict, Verdict::Broken);
        assert_eq!(copied.found, "4096: 4096 by `source`");
        assert_eq!(copied.promised, "0");
    }

    #[test]
    fn a_mapping_that_no_guard_made_is_found() {
        let mut audit = audit([(None, NONE); 3]);
        audit.mapped_unseen = 1;
        let mappings = &findings(&audit)[1];
        assert_eq!(mappings.verdict, Verdict::Broken);
        assert_eq!(mappings.found, "1, 1 by other means than guards");
    }

    #[test]
    fn a_thread_that_meets_the_pages_of_a_frame_is_found() {
        let faults = |faults, threads, by_cpu| {
            let mut audit = audit([(None, NONE), (by_cpu, NONE), (None, NONE)]);
            audit.stages[1].minor_faults = faults;
            audit.stages[1].threads = threads;
            let [.., faults] = findings(&audit);
            (faults.verdict, faults.found)
        };
        let found = |count| format!("at most {count}, by `between`");
        assert_eq!(faults(Some(299), 1, None), (Verdict::Kept, found(299)));
        assert_eq!(faults(Some(300), 1, None), (Verdict::Broken, found(300)));
        // A stage that was made anew has its stack anew.
        assert_eq!(faults(Some(600), 3, None), (Verdict::Kept, found(200)));
        assert_eq!(faults(Some(900), 1, Some(CpuUse::Copy)).0, Verdict::Kept);
        let mut none = audit([(None, NONE); 3]);
        none.stages.clear();
        assert_eq!(verdicts(&none)[3], Verdict::Unknown);
    }
}
