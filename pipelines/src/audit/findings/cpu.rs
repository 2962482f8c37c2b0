//! Judging what the CPU had of frames.

use dmaflow_core::dma_buf::{CpuCounts, CpuUse};

use super::super::{AuditReport, Finding, StageAudit, Verdict};

/// New pages that a stage's thread may meet before that tells of pixels: its stack, what it sets
/// up, the program's own.
const PAGES_OF_A_THREAD: u64 = 256;

/// One of the counts, what is counted, and who may do that by its nature.
struct Counted {
    what: &'static str,
    of: fn(&CpuCounts) -> u64,
    may: fn(&StageAudit) -> bool,
}

/// What was promised of the CPU: that it does not see frames, but where they are made or used up
/// by it, and copies none on their way.
pub(super) fn findings(audit: &AuditReport) -> [Finding; 4] {
    let opened = Counted {
        what: "accesses by the CPU",
        of: |counts| counts.opened,
        may: |stage| stage.by_cpu.is_some(),
    };
    let mapped = Counted {
        what: "mappings",
        of: |counts| counts.mapped,
        may: |stage| stage.by_cpu.is_some(),
    };
    let copied = Counted {
        what: "bytes copied",
        of: |counts| counts.copied,
        // What is drawn did not exist before, and is no copy.
        may: |stage| stage.by_cpu == Some(CpuUse::Copy),
    };
    [
        by_cpu(audit, &opened, Some(0)),
        by_cpu(
            audit,
            &mapped,
            audit.mapped_unseen.map(|times| times as u64),
        ),
        by_cpu(audit, &copied, Some(0)),
        faults(audit),
    ]
}

/// What the CPU had of frames, but for stages that are known to need it, and `unseen` of which
/// nobody knows whose they are; `None` where those could not be looked for.
///
/// The pools' counters know all that their own guards did, and not who did it. The threads'
/// know who, and of other guards on the same memory too, but not of other threads. So either
/// may tell of what the other does not.
///
/// Who reads a stream by its nature may do that with compressed frames and buffers of its own:
/// frames of pixels that were opened are still held against somebody.
fn by_cpu(audit: &AuditReport, counted: &Counted, unseen: Option<u64>) -> Finding {
    let (of, may) = (counted.of, counted.may);
    let reads = |stage: &StageAudit| stage.by_cpu == Some(CpuUse::Stream);
    let is_seen = audit.stages.iter().any(reads);
    let pools = audit.pools.iter();
    let pools = pools.filter(|pool| !(is_seen && pool.compressed));
    let all: u64 = pools.map(|pool| of(&pool.cpu)).sum();
    let sum = |which: &dyn Fn(&StageAudit) -> bool| -> u64 {
        let stages = audit.stages.iter().filter(|stage| which(stage));
        stages.map(|stage| of(&stage.cpu)).sum()
    };
    let allowed = sum(&|stage| !stage.added && may(stage) && !reads(stage));
    let streams = sum(&|stage| !stage.added && may(stage) && reads(stage));
    let others = sum(&|stage| !stage.added && !may(stage));
    let added = sum(&|stage| stage.added);
    let counted_unseen = unseen.unwrap_or_default();
    let wrong = all.saturating_sub(allowed + added).max(others) + counted_unseen;

    let found = (all + streams + counted_unseen).max(allowed + streams + others + added);
    let mut found = found.to_string();
    let told = |stage: &StageAudit| {
        let came = if stage.added { ", which was added" } else { "" };
        format!("{} by `{}`{came}", of(&stage.cpu), stage.stage)
    };
    let stages = audit.stages.iter().filter(|stage| of(&stage.cpu) > 0);
    let stages: Vec<_> = stages.map(told).collect();
    if !stages.is_empty() {
        found.push_str(&format!(": {}", stages.join(", ")));
    }
    match unseen {
        None => found.push_str(", as far as counters tell: /proc/self/maps cannot be read"),
        Some(0) => {}
        Some(unseen) => found.push_str(&format!(", {unseen} by other means than their guards")),
    }
    Finding {
        what: counted.what.to_owned(),
        promised: promised(audit, may),
        found,
        verdict: if wrong > 0 {
            Verdict::Broken
        } else if added > 0 || unseen.is_none() {
            Verdict::Unknown
        } else {
            Verdict::Kept
        },
    }
}

fn promised(audit: &AuditReport, may: fn(&StageAudit) -> bool) -> String {
    let known = audit.stages.iter().filter(|stage| may(stage));
    let names: Vec<_> = known.map(|stage| format!("`{}`", stage.stage)).collect();
    if names.is_empty() {
        "0".to_owned()
    } else {
        format!("0 but by {}", names.join(", "))
    }
}

/// Whoever copies into memory of its own, or looks into a mapping, meets the pages of at least
/// one frame; a thread that does neither meets those of its stack and of what it sets up. Where
/// a frame has fewer pages than those, what was met may be either.
fn faults(audit: &AuditReport) -> Finding {
    let most = audit.frame_pages.max(PAGES_OF_A_THREAD);
    let stages = audit.stages.iter();
    let on_the_way = stages.filter(|stage| stage.by_cpu.is_none() && !stage.added);
    let on_the_way: Vec<_> = on_the_way.collect();
    let untold = on_the_way.iter().find(|stage| stage.minor_faults.is_none());
    let told = on_the_way.iter();
    let told = told.filter_map(|stage| Some((stage, stage.minor_faults?)));
    let worst = told.max_by_key(|(_, faults)| *faults);
    let (found, verdict) = match (worst, untold) {
        (None, None) => ("no stage to look at".to_owned(), Verdict::Unknown),
        (None, Some(untold)) => (not_told(untold), Verdict::Unknown),
        (Some((worst, faults)), untold) => {
            let mut found = format!("at most {faults}, by `{}`", worst.stage);
            let verdict = if faults >= most {
                Verdict::Broken
            } else if let Some(untold) = untold {
                found.push_str(&format!("; {}", not_told(untold)));
                Verdict::Unknown
            } else if faults >= audit.frame_pages {
                found.push_str(&format!("; a frame has {}", audit.frame_pages));
                Verdict::Unknown
            } else {
                Verdict::Kept
            };
            (found, verdict)
        }
    };
    Finding {
        what: "minor faults".to_owned(),
        promised: format!("fewer than {most} in each stage on the way"),
        found,
        verdict,
    }
}

fn not_told(stage: &StageAudit) -> String {
    format!(
        "`{}`'s are not told: /proc/thread-self/stat cannot be read",
        stage.stage
    )
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
                ..StageAudit::default()
            });
        AuditReport {
            stages: stages.collect(),
            pools: vec![PoolAudit {
                cpu: of.into_iter().map(|(_, counts)| counts).sum(),
                ..PoolAudit::default()
            }],
            frame_pages: 300,
            mapped_unseen: Some(0),
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
        streamed: 0,
        opened: 0,
        mapped: 0,
    };
    const STREAMED: CpuCounts = CpuCounts {
        streamed: 4096,
        opened: 1,
        mapped: 1,
        ..NONE
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
    fn who_reads_a_stream_may_not_see_pixels() {
        let reads = (Some(CpuUse::Stream), STREAMED);
        let mut audit = audit([(None, NONE), reads, (None, NONE)]);
        // The pool of what it reads, and of what it makes.
        audit.pools[0].compressed = true;
        audit.pools.push(PoolAudit::default());
        assert_eq!(verdicts(&audit), KEPT);
        assert_eq!(findings(&audit)[0].found, "1: 1 by `between`");
        audit.pools[1].cpu = STREAMED;
        let broken = Verdict::Broken;
        assert_eq!(
            verdicts(&audit),
            [broken, broken, Verdict::Kept, Verdict::Kept]
        );
        audit.pools[1].cpu = NONE;
        audit.stages[1].cpu = COPIED;
        assert_eq!(verdicts(&audit)[2], broken);
        // Nor may others read streams.
        audit.stages[1].cpu = NONE;
        audit.stages[2].cpu = STREAMED;
        assert_eq!(verdicts(&audit)[0], broken);
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
    fn a_copy_that_only_the_thread_counted_is_found() {
        // Through guards on other descriptors of the same memory.
        let draws = (Some(CpuUse::Draw), DRAWN);
        let mut audit = audit([draws, (None, COPIED), (None, NONE)]);
        audit.pools[0].cpu = DRAWN;
        assert_eq!(verdicts(&audit), COPY);
        assert_eq!(findings(&audit)[2].found, "4096: 4096 by `between`");
        audit.pools[0].cpu = NONE;
        assert_eq!(verdicts(&audit), COPY);
    }

    #[test]
    fn what_one_opens_besides_frames_hides_nobody_elses_copy() {
        let writes = (Some(CpuUse::Copy), COPIED);
        let mut audit = audit([(None, NONE), (None, COPIED), writes]);
        // The sink's were buffers of its own.
        audit.pools[0].cpu = COPIED;
        assert_eq!(verdicts(&audit), COPY);
    }

    #[test]
    fn a_mapping_that_no_guard_made_is_found() {
        let mut audit = audit([(None, NONE); 3]);
        audit.mapped_unseen = Some(1);
        let mappings = &findings(&audit)[1];
        assert_eq!(mappings.verdict, Verdict::Broken);
        assert_eq!(mappings.found, "1, 1 by other means than their guards");
    }

    #[test]
    fn mappings_that_nobody_could_look_for_are_unknown() {
        let mut audit = audit([(None, NONE); 3]);
        audit.mapped_unseen = None;
        assert_eq!(findings(&audit)[1].verdict, Verdict::Unknown);
        audit.stages[1].cpu = COPIED;
        assert_eq!(findings(&audit)[1].verdict, Verdict::Broken);
    }

    #[test]
    fn what_came_while_the_run_went_on_is_told_and_not_judged() {
        let mut snapshot = audit([(None, NONE), (None, NONE), (None, COPIED)]);
        snapshot.stages[2].added = true;
        snapshot.stages[2].minor_faults = Some(9000);
        let unknown = Verdict::Unknown;
        let expected = [unknown, unknown, unknown, Verdict::Kept];
        assert_eq!(verdicts(&snapshot), expected);
        let found = &findings(&snapshot)[2].found;
        assert_eq!(found, "4096: 4096 by `sink`, which was added");
        // It hides nobody.
        snapshot.stages[1].cpu = COPIED;
        snapshot.pools[0].cpu = [COPIED, COPIED].into_iter().sum();
        assert_eq!(verdicts(&snapshot), COPY);
    }

    #[test]
    fn a_thread_that_meets_the_pages_of_a_frame_is_found() {
        let faults = |faults, pages, by_cpu| {
            let mut audit = audit([(None, NONE), (by_cpu, NONE), (None, NONE)]);
            audit.stages[1].minor_faults = faults;
            audit.frame_pages = pages;
            let [.., faults] = findings(&audit);
            (faults.verdict, faults.found)
        };
        let found = |count| format!("at most {count}, by `between`");
        assert_eq!(faults(Some(299), 300, None), (Verdict::Kept, found(299)));
        assert_eq!(faults(Some(300), 300, None), (Verdict::Broken, found(300)));
        assert_eq!(faults(Some(900), 300, Some(CpuUse::Copy)).0, Verdict::Kept);
        // A thread may meet as many by itself.
        assert_eq!(faults(Some(149), 150, None), (Verdict::Kept, found(149)));
        let either = found(150) + "; a frame has 150";
        assert_eq!(faults(Some(150), 150, None), (Verdict::Unknown, either));
        assert_eq!(faults(Some(256), 150, None), (Verdict::Broken, found(256)));
        assert_eq!(faults(None, 300, None).0, Verdict::Unknown);
        let mut none = audit([(None, NONE); 3]);
        none.stages.clear();
        assert_eq!(verdicts(&none)[3], Verdict::Unknown);
    }
}
