//! What an audit of a run found, for people and for programs.

use dmaflow_core::dma_buf::CpuCounts;
use dmaflow_pipelines::AuditReport;
use dmaflow_pipelines::audit::{BounceUse, EndAudit, LinkAudit, PoolAudit, StageAudit, Verdict};
use serde_json::{Value, json};

use crate::numbers::grouped;
use crate::table::{Row, aligned, some};

/// How many inodes people are told one by one.
const INODES: usize = 8;

/// The audit for people: a line a promise, then what stands behind them.
pub(crate) fn text(audit: &AuditReport) -> String {
    let mut tables = outcome(audit) + "\n" + &findings(audit);
    let row = |name: String, found: String| Row::Cells(vec![name, found]);
    let links = audit.links.iter().map(|link| {
        let name = format!("{} ──▶ {}", link.from, link.to);
        row(name, some(&link.taken, INODES, "buffer"))
    });
    let stages = audit.stages.iter().filter_map(|stage| {
        let faults = grouped(stage.minor_faults?);
        Some(row(stage.stage.clone(), faults))
    });
    for (heading, rows) in [
        (
            "Buffers over each link, by inode:",
            links.collect::<Vec<_>>(),
        ),
        ("Minor faults of each stage:", stages.collect()),
    ] {
        if !rows.is_empty() {
            tables.push_str(&format!("{heading}\n{}", aligned(&rows)));
        }
    }
    tables
}

/// A line that names what is not as promised.
fn outcome(audit: &AuditReport) -> String {
    let of = |verdict| {
        let findings = audit.findings.iter();
        let such = findings.filter(move |finding| finding.verdict == verdict);
        such.map(|finding| finding.what.as_str())
            .collect::<Vec<_>>()
    };
    let broken = of(Verdict::Broken);
    if !broken.is_empty() {
        return format!("Audit: not as promised: {}.", broken.join(", "));
    }
    let unknown = of(Verdict::Unknown);
    if unknown.is_empty() {
        "Audit: everything is as promised.".to_owned()
    } else {
        format!(
            "Audit: everything that can be told is as promised; not to be told: {}.",
            unknown.join(", ")
        )
    }
}

fn findings(audit: &AuditReport) -> String {
    let heads = ["", "", "found", "promised"].map(str::to_owned).to_vec();
    let findings = audit.findings.iter().map(|finding| {
        Row::Cells(vec![
            finding.verdict.word().to_owned(),
            finding.what.clone(),
            finding.found.clone(),
            finding.promised.clone(),
        ])
    });
    let rows: Vec<_> = [Row::Cells(heads)].into_iter().chain(findings).collect();
    aligned(&rows)
}

/// The audit for programs.
pub(crate) fn json(audit: &AuditReport) -> Value {
    let findings = audit.findings.iter().map(|finding| {
        json!({
            "what": finding.what,
            "promised": finding.promised,
            "found": finding.found,
            "verdict": finding.verdict.word(),
        })
    });
    json!({
        "kept": audit.is_kept(),
        "findings": findings.collect::<Vec<_>>(),
        "links": audit.links.iter().map(link).collect::<Vec<_>>(),
        "pools": audit.pools.iter().map(pool).collect::<Vec<_>>(),
        "ends": audit.ends.iter().map(end).collect::<Vec<_>>(),
        "stages": audit.stages.iter().map(stage).collect::<Vec<_>>(),
        "swiotlb": { "before": bounce(audit.bounce_before), "after": bounce(audit.bounce_after) },
        "frame_pages": audit.frame_pages,
        "mapped_unseen": audit.mapped_unseen,
    })
}

fn link(link: &LinkAudit) -> Value {
    json!({
        "from": link.from,
        "to": link.to,
        "input": link.input,
        "sent": link.sent,
        "taken": link.taken,
        "strange": link.strange,
    })
}

fn pool(pool: &PoolAudit) -> Value {
    json!({
        "stage": pool.stage,
        "heap": pool.heap,
        "buffers": pool.buffers,
        "filled": pool.filled,
        "cpu": cpu(pool.cpu),
        "listed": pool.listed.as_ref().map(|listed| json!({
            "buffers": listed.buffers,
            "devices": listed.devices,
            "some": listed.some,
        })),
    })
}

fn end(end: &EndAudit) -> Value {
    json!({
        "stage": end.stage,
        "seen": end.seen,
        "filled": end.filled,
        "whole": end.whole,
        "imported": end.imported.as_ref().and_then(|told| told.as_ref().ok()),
        "untold": end.imported.as_ref().and_then(|told| told.as_ref().err()).map(ToString::to_string),
    })
}

fn stage(stage: &StageAudit) -> Value {
    json!({
        "stage": stage.stage,
        "by_cpu": stage.by_cpu.is_some(),
        "added": stage.added,
        "threads": stage.threads,
        "cpu": cpu(stage.cpu),
        "minor_faults": stage.minor_faults,
    })
}

fn cpu(counts: CpuCounts) -> Value {
    json!({
        "opened": counts.opened,
        "mapped": counts.mapped,
        "drawn": counts.drawn,
        "inspected": counts.inspected,
        "copied": counts.copied,
        "streamed": counts.streamed,
    })
}

/// In slots of 2 KiB, or why there is no number.
fn bounce(found: BounceUse) -> Value {
    match found {
        BounceUse::Unreadable => json!({ "why": "debugfs cannot be read" }),
        BounceUse::Absent => json!({ "why": "the kernel keeps none" }),
        BounceUse::Slots { now, most } => json!({ "slots": now, "slots_at_most": most }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_pipelines::audit::Finding;

    fn audit(verdicts: [Verdict; 2]) -> AuditReport {
        let [mappings, copied] = verdicts;
        let finding = |what: &str, found: &str, verdict| Finding {
            what: what.to_owned(),
            promised: "0".to_owned(),
            found: found.to_owned(),
            verdict,
        };
        AuditReport {
            links: vec![LinkAudit {
                from: "camera".to_owned(),
                to: "screen".to_owned(),
                input: 0,
                sent: vec![71, 72],
                taken: vec![71, 72],
                strange: 0,
            }],
            stages: vec![StageAudit {
                stage: "camera".to_owned(),
                minor_faults: Some(1234),
                ..StageAudit::default()
            }],
            findings: vec![
                finding("mappings", "0", mappings),
                finding("bytes copied", "614400: 614400 by `between`", copied),
            ],
            ..AuditReport::default()
        }
    }

    #[test]
    fn people_are_told_what_was_not_as_promised_first() {
        let text = text(&audit([Verdict::Kept, Verdict::Broken]));
        let expected = "\
Audit: not as promised: bytes copied.
                        found                        promised
  kept    mappings      0                            0
  broken  bytes copied  614400: 614400 by `between`  0
Buffers over each link, by inode:
  camera ──▶ screen  71 72
Minor faults of each stage:
  camera  1,234
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_cannot_be_told_is_no_failure_and_is_said() {
        let kept = [Verdict::Kept; 2];
        assert_eq!(outcome(&audit(kept)), "Audit: everything is as promised.");
        let unknown = audit([Verdict::Unknown, Verdict::Kept]);
        assert!(unknown.is_kept());
        assert!(outcome(&unknown).ends_with("not to be told: mappings."));
    }

    #[test]
    fn programs_are_told_inodes_and_verdicts() {
        let told = json(&audit([Verdict::Kept, Verdict::Broken]));
        assert_eq!(told["kept"], false);
        assert_eq!(told["links"][0]["taken"], json!([71, 72]));
        assert_eq!(told["findings"][1]["verdict"], "broken");
        assert_eq!(told["stages"][0]["minor_faults"], 1234);
    }
}
