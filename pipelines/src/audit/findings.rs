//! Judging what was found.

mod cpu;

use std::collections::BTreeSet;

use dmaflow_core::heap::page_size;

use super::{AuditReport, BounceUse, EndAudit, Finding, PoolAudit, StageAudit, Verdict};

/// Bytes of a slot of bounce buffers (`IO_TLB_SHIFT` in the kernel).
const SLOT: u64 = 2048;

/// Every promise, with what an audit found of it.
pub(crate) fn findings(audit: &AuditReport) -> Vec<Finding> {
    let mut findings = vec![strangers(audit)];
    for end in &audit.ends {
        findings.push(seen(end));
        findings.extend(imported(end));
    }
    findings.extend(audit.stages.iter().filter_map(added));
    findings.extend(cpu::findings(audit));
    findings.extend(audit.pools.iter().filter_map(listed));
    findings.push(bounced(audit));
    findings
}

/// What the buffers at an end are called.
pub(super) fn at(stage: &str) -> String {
    format!("buffers at `{stage}`")
}

fn finding(what: &str, promised: String, found: String, kept: bool) -> Finding {
    Finding {
        what: what.to_owned(),
        promised,
        found,
        verdict: if kept { Verdict::Kept } else { Verdict::Broken },
    }
}

/// Frames that lie in other memory than what was agreed on.
fn strangers(audit: &AuditReport) -> Finding {
    let links = audit.links.iter().filter(|link| link.strange > 0);
    let named: Vec<_> = links
        .map(|link| format!("{} from `{}`", link.strange, link.from))
        .collect();
    let found = if named.is_empty() {
        "none".to_owned()
    } else {
        named.join(", ")
    };
    finding(
        "frames of other pools",
        "none".to_owned(),
        found,
        named.is_empty(),
    )
}

fn seen(end: &EndAudit) -> Finding {
    let what = at(&end.stage);
    let promised = if end.whole {
        format!("the {} that were filled", end.filled.len())
    } else {
        format!("of the {} that were filled", end.filled.len())
    };
    let filled: BTreeSet<_> = end.filled.iter().collect();
    let others: Vec<_> = end
        .seen
        .iter()
        .filter(|inode| !filled.contains(inode))
        .collect();
    let missing = filled.len() - (end.seen.len() - others.len());
    if end.seen.is_empty() {
        // Of what nobody saw nothing is proven. A stage before may let all frames go, but a run
        // without any has shown nothing.
        return Finding {
            what,
            promised,
            found: "none at all".to_owned(),
            verdict: if filled.is_empty() {
                Verdict::Broken
            } else {
                Verdict::Unknown
            },
        };
    }
    let mut found = format!("inodes {}", list(&end.seen));
    if !others.is_empty() {
        found.push_str(&format!(", {} of them filled by nobody", others.len()));
    }
    let kept = others.is_empty() && (missing == 0 || !end.whole);
    finding(&what, promised, found, kept)
}

fn imported(end: &EndAudit) -> Option<Finding> {
    let what = format!("imported by `{}`", end.stage);
    let promised = "the pools' buffers, by the display's word".to_owned();
    Some(match end.imported.as_ref()? {
        Ok(imported) => {
            let found = format!("inodes {}", list(imported));
            finding(&what, promised, found, *imported == end.buffers)
        }
        Err(untold) => Finding {
            what,
            promised,
            found: untold.to_string(),
            verdict: Verdict::Unknown,
        },
    })
}

/// Stages that came while the run went on.
fn added(stage: &StageAudit) -> Option<Finding> {
    stage.added.then(|| Finding {
        what: at(&stage.stage),
        promised: "nothing: it came while the run went on".to_owned(),
        found: "not looked at".to_owned(),
        verdict: Verdict::Unknown,
    })
}

fn listed(pool: &PoolAudit) -> Option<Finding> {
    if !pool.importable {
        return None;
    }
    let what = format!("kernel's list, `{}` from `{}`", pool.stage, pool.heap);
    let promised = format!(
        "{} buffers, all attached to the same devices",
        pool.buffers.len()
    );
    let Some(listed) = &pool.listed else {
        return Some(Finding {
            what,
            promised,
            found: "not readable: debugfs must be mounted, and is root's".to_owned(),
            verdict: Verdict::Unknown,
        });
    };
    let devices = match &listed.devices[..] {
        [] => "no device".to_owned(),
        devices => devices.join(", "),
    };
    let mut found = format!("{} buffers, attached to {devices}", listed.buffers);
    if !listed.some.is_empty() {
        found.push_str(&format!("; some also to {}", listed.some.join(", ")));
    }
    let kept = listed.buffers == pool.buffers.len() && listed.some.is_empty();
    let mut finding = finding(&what, promised, found, kept);
    if kept && listed.devices.is_empty() {
        // Drivers that take pages or a mapping attach nothing: nobody's word is there.
        finding.verdict = Verdict::Unknown;
    }
    Some(finding)
}

/// Other devices of the system use the same bounce buffers. What stays in use and would hold a
/// frame is held against the run; of less, and of what was in use for a moment only, nobody can
/// tell whose it was.
pub(super) fn bounced(audit: &AuditReport) -> Finding {
    let (before, after) = (audit.bounce_before, audit.bounce_after);
    let mut found = match (before, after) {
        (before, after) if before == after => before.to_string(),
        (before, after) => format!("{before}; afterwards {after}"),
    };
    let verdict = match (before, after) {
        (BounceUse::Absent, BounceUse::Absent) => Verdict::Kept,
        (
            BounceUse::Slots { now, most },
            BounceUse::Slots {
                now: now_after,
                most: most_after,
            },
        ) => {
            let frame = audit.frame_pages * page_size() as u64 / SLOT;
            let more = now_after.saturating_sub(now);
            if more >= frame.max(1) {
                Verdict::Broken
            } else if most_after.is_none() {
                found.push_str("; use for a moment is not told by this kernel");
                Verdict::Unknown
            } else if more == 0 && most_after <= most {
                Verdict::Kept
            } else {
                found.push_str(", of whatever device");
                Verdict::Unknown
            }
        }
        _ => Verdict::Unknown,
    };
    Finding {
        what: "bounce buffers of the system".to_owned(),
        promised: "no more than before".to_owned(),
        found,
        verdict,
    }
}

/// Inodes, shortened where there are many.
fn list(inodes: &[u64]) -> String {
    const MOST: usize = 8;
    let mut text: Vec<_> = inodes.iter().take(MOST).map(u64::to_string).collect();
    if inodes.len() > MOST {
        text.push(format!("… ({} in all)", inodes.len()));
    }
    text.join(" ")
}

#[cfg(test)]
mod tests {
    use dmaflow_core::stage::Untold;

    use super::super::Listed;
    use super::*;

    fn end(seen: &[u64], whole: bool) -> EndAudit {
        EndAudit {
            stage: "screen".to_owned(),
            seen: seen.to_vec(),
            filled: vec![1, 2, 3],
            buffers: vec![1, 2, 3, 4],
            whole,
            imported: Some(Ok(vec![1, 2, 3, 4])),
        }
    }

    #[test]
    fn a_display_sees_what_was_filled_and_nothing_else() {
        let verdict = |seen: &[u64], whole| super::seen(&end(seen, whole)).verdict;
        assert_eq!(verdict(&[1, 2, 3], true), Verdict::Kept);
        assert_eq!(verdict(&[1, 3], false), Verdict::Kept);
        assert_eq!(verdict(&[1, 3], true), Verdict::Broken);
        assert_eq!(verdict(&[1, 2, 3, 4], false), Verdict::Broken);
    }

    #[test]
    fn of_an_end_that_took_no_frame_nothing_is_told() {
        // A stage before it let all of them go.
        assert_eq!(seen(&end(&[], false)).verdict, Verdict::Unknown);
        // There were none to begin with.
        let none = EndAudit {
            filled: Vec::new(),
            ..end(&[], true)
        };
        assert_eq!(seen(&none).verdict, Verdict::Broken);
    }

    #[test]
    fn a_display_has_imported_the_pools_buffers_and_no_others() {
        let verdict = |imported| {
            let end = EndAudit {
                imported: Some(imported),
                ..end(&[1], false)
            };
            super::imported(&end).unwrap().verdict
        };
        assert_eq!(verdict(Ok(vec![1, 2, 3, 4])), Verdict::Kept);
        assert_eq!(verdict(Ok(vec![1, 2, 3, 9])), Verdict::Broken);
        assert_eq!(verdict(Ok(vec![1, 2])), Verdict::Broken);
        assert_eq!(verdict(Err(Untold("no".into()))), Verdict::Unknown);
        let untold = EndAudit {
            imported: Some(Err(Untold("the card is gone".into()))),
            ..end(&[1], false)
        };
        assert_eq!(imported(&untold).unwrap().found, "the card is gone");
        let no_display = EndAudit {
            imported: None,
            ..end(&[1], false)
        };
        assert_eq!(imported(&no_display), None);
    }

    #[test]
    fn bounce_buffers_that_would_hold_a_frame_are_held_against_the_run() {
        let slots = |now, most| BounceUse::Slots { now, most };
        let verdict = |before, after| {
            let audit = AuditReport {
                bounce_before: before,
                bounce_after: after,
                frame_pages: 3,
                ..AuditReport::default()
            };
            bounced(&audit).verdict
        };
        let frame = 3 * page_size() as u64 / SLOT;
        let few = slots(2, Some(9));
        assert_eq!(verdict(few, few), Verdict::Kept);
        assert_eq!(verdict(few, slots(1, Some(9))), Verdict::Kept);
        let of_a_frame = slots(2 + frame, Some(99));
        assert_eq!(verdict(few, of_a_frame), Verdict::Broken);
        // Anybody's.
        let less = slots(1 + frame, Some(99));
        assert_eq!(verdict(few, less), Verdict::Unknown);
        assert_eq!(verdict(few, slots(2, Some(99))), Verdict::Unknown);
        assert_eq!(verdict(slots(2, None), slots(2, None)), Verdict::Unknown);
        let unknown = BounceUse::Unreadable;
        assert_eq!(verdict(unknown, unknown), Verdict::Unknown);
        assert_eq!(verdict(few, unknown), Verdict::Unknown);
    }

    #[test]
    fn a_pool_in_part_attached_is_found() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let pool = |buffers, some| PoolAudit {
            buffers: vec![1, 2],
            importable: true,
            listed: Some(Listed {
                buffers,
                devices: names(&["vkms"]),
                some: names(some),
            }),
            ..PoolAudit::default()
        };
        let verdict = |pool| listed(&pool).unwrap().verdict;
        assert_eq!(verdict(pool(2, &[])), Verdict::Kept);
        assert_eq!(verdict(pool(1, &[])), Verdict::Broken);
        assert_eq!(verdict(pool(2, &["isp"])), Verdict::Broken);
        let nobody = PoolAudit {
            listed: Some(Listed {
                buffers: 2,
                ..Listed::default()
            }),
            ..pool(2, &[])
        };
        assert_eq!(verdict(nobody), Verdict::Unknown);
    }
}
