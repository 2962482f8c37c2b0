//! Judging what was found.

mod cpu;

use std::collections::BTreeSet;

use super::{AuditReport, BounceUse, EndAudit, Finding, PoolAudit, Verdict};

/// Every promise, with what an audit found of it.
pub(crate) fn findings(audit: &AuditReport) -> Vec<Finding> {
    let mut findings = vec![strangers(audit)];
    for end in &audit.ends {
        findings.push(seen(end));
        findings.extend(imported(end));
    }
    findings.extend(cpu::findings(audit));
    findings.extend(audit.pools.iter().filter_map(listed));
    findings.push(bounced(audit.bounce_before, audit.bounce_after));
    findings
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
    let what = format!("buffers at `{}`", end.stage);
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
        // Of what nobody saw nothing is proven.
        return finding(&what, promised, "none at all".to_owned(), false);
    }
    let mut found = format!("inodes {}", list(&end.seen));
    if !others.is_empty() {
        found.push_str(&format!(", {} of them filled by nobody", others.len()));
    }
    let kept = others.is_empty() && (missing == 0 || !end.whole);
    finding(&what, promised, found, kept)
}

fn imported(end: &EndAudit) -> Option<Finding> {
    if !end.imports {
        return None;
    }
    let what = format!("imported by `{}`", end.stage);
    let promised = "the pools' buffers, by the display's word".to_owned();
    let Some(imported) = &end.imported else {
        return Some(Finding {
            what,
            promised,
            found: "its driver does not tell".to_owned(),
            verdict: Verdict::Unknown,
        });
    };
    let found = format!("inodes {}", list(imported));
    Some(finding(&what, promised, found, *imported == end.buffers))
}

fn listed(pool: &PoolAudit) -> Option<Finding> {
    if !pool.importable {
        return None;
    }
    let what = format!("kernel's list, `{}`", pool.stage);
    let promised = format!(
        "{} buffers, all attached to the same devices",
        pool.buffers.len()
    );
    let Some(listed) = &pool.listed else {
        return Some(Finding {
            what,
            promised,
            found: "not readable: debugfs is root's".to_owned(),
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
    Some(finding(&what, promised, found, kept))
}

fn bounced(before: BounceUse, after: BounceUse) -> Finding {
    let found = match (before, after) {
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
            if now_after <= now && most_after <= most {
                Verdict::Kept
            } else {
                Verdict::Broken
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
    use super::*;

    fn end(seen: &[u64], whole: bool) -> EndAudit {
        EndAudit {
            stage: "screen".to_owned(),
            seen: seen.to_vec(),
            filled: vec![1, 2, 3],
            buffers: vec![1, 2, 3, 4],
            whole,
            imports: true,
            imported: Some(vec![1, 2, 3, 4]),
        }
    }

    #[test]
    fn a_display_sees_what_was_filled_and_nothing_else() {
        let verdict = |seen: &[u64], whole| super::seen(&end(seen, whole)).verdict;
        assert_eq!(verdict(&[1, 2, 3], true), Verdict::Kept);
        assert_eq!(verdict(&[1, 3], false), Verdict::Kept);
        assert_eq!(verdict(&[1, 3], true), Verdict::Broken);
        assert_eq!(verdict(&[1, 2, 3, 4], false), Verdict::Broken);
        assert_eq!(verdict(&[], false), Verdict::Broken);
    }

    #[test]
    fn a_display_has_imported_the_pools_buffers_and_no_others() {
        let verdict = |imported: Option<Vec<u64>>| {
            let end = EndAudit {
                imported,
                ..end(&[1], false)
            };
            super::imported(&end).unwrap().verdict
        };
        assert_eq!(verdict(Some(vec![1, 2, 3, 4])), Verdict::Kept);
        assert_eq!(verdict(Some(vec![1, 2, 3, 9])), Verdict::Broken);
        assert_eq!(verdict(Some(vec![1, 2])), Verdict::Broken);
        assert_eq!(verdict(None), Verdict::Unknown);
    }

    #[test]
    fn bounce_buffers_may_not_be_used_more_than_before() {
        let slots = |now, most| BounceUse::Slots { now, most };
        let verdict = |before, after| bounced(before, after).verdict;
        assert_eq!(verdict(slots(0, Some(3)), slots(0, Some(3))), Verdict::Kept);
        assert_eq!(
            verdict(slots(0, Some(3)), slots(0, Some(9))),
            Verdict::Broken
        );
        assert_eq!(verdict(slots(0, None), slots(2, None)), Verdict::Broken);
        assert_eq!(
            verdict(BounceUse::Unreadable, BounceUse::Unreadable),
            Verdict::Unknown
        );
    }

    #[test]
    fn a_pool_in_part_attached_is_found() {
        let pool = |buffers, some: &[&str]| PoolAudit {
            buffers: vec![1, 2],
            importable: true,
            listed: Some(Listed {
                buffers,
                devices: vec!["vkms".to_owned()],
                some: some.iter().map(ToString::to_string).collect(),
            }),
            ..PoolAudit::default()
        };
        let verdict = |pool| listed(&pool).unwrap().verdict;
        assert_eq!(verdict(pool(2, &[])), Verdict::Kept);
        assert_eq!(verdict(pool(1, &[])), Verdict::Broken);
        assert_eq!(verdict(pool(2, &["isp"])), Verdict::Broken);
    }

    use super::super::Listed;
}
