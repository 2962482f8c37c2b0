//! Audits of the parts of a run whose pipeline was made anew between, judged as one.

use std::collections::BTreeSet;
use std::mem;

use super::findings::{at, bounced};
use super::{AuditReport, EndAudit, Finding, LinkAudit, Listed, PoolAudit, StageAudit, findings};
use crate::report::join_each;

impl AuditReport {
    /// Adds what was found of a later part. Each part has pools of its own, and so other inodes;
    /// it was judged by itself, and of its verdicts and those of the parts before the worst
    /// stays.
    pub(crate) fn join(&mut self, mut part: Self) {
        let judged = [self.take_judged(), part.take_judged()].concat();
        if bounced(self).verdict < bounced(&part).verdict {
            (self.bounce_before, self.bounce_after) = (part.bounce_before, part.bounce_after);
        }
        join_each(&mut self.links, part.links, is_same_link, LinkAudit::join);
        join_each(&mut self.pools, part.pools, is_same_pool, PoolAudit::join);
        join_each(&mut self.ends, part.ends, is_same_end, EndAudit::join);
        join_each(
            &mut self.stages,
            part.stages,
            StageAudit::is_same,
            StageAudit::join,
        );
        self.frame_pages = self.frame_pages.min(part.frame_pages);
        let unseen = self.mapped_unseen.zip(part.mapped_unseen);
        self.mapped_unseen = unseen.map(|(known, part)| known.max(part));
        self.findings = findings(self);
        // Of all parts together is told what they have in common, otherwise of the worst.
        for joined in &mut self.findings {
            let of_parts = judged.iter().filter(|finding| finding.what == joined.what);
            if let Some(worst) = of_parts.max_by_key(|finding| finding.verdict)
                && worst.verdict != joined.verdict
            {
                joined.clone_from(worst);
            }
        }
    }

    /// What was found, but for ends that no frame came to: what others tell of them counts.
    fn take_judged(&mut self) -> Vec<Finding> {
        let mut judged = mem::take(&mut self.findings);
        let without = self.ends.iter().filter(|end| end.seen.is_empty());
        let without: Vec<_> = without.map(|end| at(&end.stage)).collect();
        judged.retain(|finding| !without.contains(&finding.what));
        judged
    }
}

fn is_same_link(one: &LinkAudit, other: &LinkAudit) -> bool {
    (&one.from, &one.to, one.input) == (&other.from, &other.to, other.input)
}

fn is_same_pool(one: &PoolAudit, other: &PoolAudit) -> bool {
    (&one.stage, &one.heap) == (&other.stage, &other.heap)
}

fn is_same_end(one: &EndAudit, other: &EndAudit) -> bool {
    one.stage == other.stage
}

fn unite<T: Ord>(known: &mut Vec<T>, part: Vec<T>) {
    let all: BTreeSet<T> = known.drain(..).chain(part).collect();
    known.extend(all);
}

impl LinkAudit {
    fn join(&mut self, part: Self) {
        unite(&mut self.sent, part.sent);
        unite(&mut self.taken, part.taken);
        self.strange += part.strange;
    }
}

impl PoolAudit {
    fn join(&mut self, part: Self) {
        unite(&mut self.buffers, part.buffers);
        unite(&mut self.filled, part.filled);
        self.cpu = [self.cpu, part.cpu].into_iter().sum();
        self.importable |= part.importable;
        self.listed = self
            .listed
            .take()
            .zip(part.listed)
            .map(|(mut known, part)| {
                known.join(part);
                known
            });
    }
}

impl Listed {
    /// What was attached to all of a part's buffers is not held against the others.
    fn join(&mut self, part: Self) {
        self.buffers += part.buffers;
        unite(&mut self.devices, part.devices);
        unite(&mut self.some, part.some);
    }
}

impl EndAudit {
    fn join(&mut self, part: Self) {
        unite(&mut self.seen, part.seen);
        unite(&mut self.filled, part.filled);
        unite(&mut self.buffers, part.buffers);
        self.whole &= part.whole;
        self.imported = match (self.imported.take(), part.imported) {
            (Some(known), Some(part)) => Some(known.and_then(|mut known| {
                unite(&mut known, part?);
                Ok(known)
            })),
            (known, part) => known.or(part),
        };
    }
}

impl StageAudit {
    /// One that was added may be called like one of the description.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.stage, self.added) == (&other.stage, other.added)
    }

    /// Also of a stage that ran twice in one part: a branch that was dropped and added again.
    pub(crate) fn join(&mut self, part: Self) {
        self.by_cpu = self.by_cpu.or(part.by_cpu);
        self.threads += part.threads;
        self.cpu = [self.cpu, part.cpu].into_iter().sum();
        // Each thread has its stack anew.
        self.minor_faults = self.minor_faults.max(part.minor_faults);
    }
}

#[cfg(test)]
mod tests {
    use dmaflow_core::stage::Untold;

    use super::super::{BounceUse, Verdict};
    use super::*;

    /// A camera on a display whose pool has three buffers from `first` on.
    fn part(first: u64) -> AuditReport {
        let inodes: Vec<u64> = (first..first + 3).collect();
        let mut audit = AuditReport {
            links: vec![LinkAudit {
                from: "camera".to_owned(),
                to: "screen".to_owned(),
                input: 0,
                sent: inodes.clone(),
                taken: inodes.clone(),
                strange: 0,
            }],
            pools: vec![PoolAudit {
                stage: "camera".to_owned(),
                heap: "system".to_owned(),
                buffers: inodes.clone(),
                filled: inodes.clone(),
                importable: true,
                listed: Some(Listed {
                    buffers: 3,
                    devices: vec!["vkms".to_owned()],
                    some: Vec::new(),
                }),
                ..PoolAudit::default()
            }],
            ends: vec![EndAudit {
                stage: "screen".to_owned(),
                seen: inodes.clone(),
                filled: inodes.clone(),
                buffers: inodes.clone(),
                whole: true,
                imported: Some(Ok(inodes)),
            }],
            stages: vec![StageAudit {
                stage: "screen".to_owned(),
                threads: 1,
                minor_faults: Some(3),
                ..StageAudit::default()
            }],
            bounce_before: BounceUse::Absent,
            bounce_after: BounceUse::Absent,
            frame_pages: 300,
            mapped_unseen: Some(0),
            ..AuditReport::default()
        };
        audit.findings = findings(&audit);
        audit
    }

    /// A part that is judged after it was changed.
    fn changed(first: u64, change: impl FnOnce(&mut AuditReport)) -> AuditReport {
        let mut part = part(first);
        change(&mut part);
        part.findings = findings(&part);
        part
    }

    /// The verdict on something, of two parts in either order.
    fn verdict(one: &AuditReport, other: &AuditReport, what: &str) -> Verdict {
        let joined = [(one, other), (other, one)].map(|(first, second)| {
            let mut whole = first.clone();
            whole.join(second.clone());
            let mut findings = whole.findings.into_iter();
            findings.find(|found| found.what == what).unwrap().verdict
        });
        assert_eq!(joined[0], joined[1], "{what}");
        joined[0]
    }

    #[test]
    fn parts_that_keep_their_promises_keep_them_together() {
        let mut whole = part(10);
        whole.join(part(20));
        assert!(whole.is_kept(), "{:#?}", whole.findings);
        let all = [10, 11, 12, 20, 21, 22];
        assert_eq!((whole.links.len(), whole.pools.len()), (1, 1));
        assert_eq!(whole.links[0].taken, all);
        assert_eq!(whole.ends[0].imported, Some(Ok(all.to_vec())));
        let listed = whole.pools[0].listed.as_ref().unwrap();
        assert_eq!(
            (listed.buffers, &listed.devices[..]),
            (6, &["vkms".to_owned()][..])
        );
    }

    #[test]
    fn what_one_part_broke_is_broken() {
        let screen = "buffers at `screen`";
        let strange = changed(20, |part| part.ends[0].seen.push(99));
        assert_eq!(verdict(&strange, &part(10), screen), Verdict::Broken);
        // Whatever others could not tell, and however often there was nothing.
        let imported = "imported by `screen`";
        let other = changed(20, |part| part.ends[0].imported = Some(Ok(vec![99])));
        let untold = |part: &mut AuditReport| {
            part.ends[0].imported = Some(Err(Untold("gone".into())));
            part.pools[0].listed = None;
        };
        let untold = changed(30, untold);
        assert_eq!(verdict(&other, &untold, imported), Verdict::Broken);
        let met = |faults| changed(40, move |part| part.stages[0].minor_faults = faults);
        let faults = "minor faults";
        assert_eq!(verdict(&met(Some(400)), &part(1), faults), Verdict::Broken);
        assert_eq!(
            verdict(&met(Some(400)), &met(None), faults),
            Verdict::Broken
        );
        assert_eq!(
            verdict(&met(Some(299)), &met(Some(299)), faults),
            Verdict::Kept
        );
        // All three of them.
        let mut whole = other;
        whole.join(untold);
        whole.join(part(50));
        let mut findings = whole.findings.iter();
        let found = findings.find(|found| found.what == imported).unwrap();
        assert_eq!(
            (found.found.as_str(), found.verdict),
            ("inodes 99", Verdict::Broken)
        );
    }

    #[test]
    fn a_part_that_could_not_be_looked_at_leaves_it_unknown() {
        let mut whole = part(10);
        let gone = Some(Err(Untold("gone".into())));
        whole.join(changed(20, |part| {
            part.ends[0].imported.clone_from(&gone);
            part.pools[0].listed = None;
        }));
        assert!(whole.is_kept(), "{:#?}", whole.findings);
        let mut findings = whole.findings.iter();
        assert!(findings.any(|found| found.verdict == Verdict::Unknown));
        assert_eq!(
            (&whole.ends[0].imported, &whole.pools[0].listed),
            (&gone, &None)
        );
    }

    #[test]
    fn a_part_without_frames_takes_nothing_from_the_others() {
        let without = changed(20, |part| {
            part.links[0] = LinkAudit {
                sent: Vec::new(),
                taken: Vec::new(),
                ..part.links[0].clone()
            };
            part.pools[0].filled.clear();
            part.ends[0].seen.clear();
            part.ends[0].filled.clear();
        });
        assert!(!without.is_kept());
        let screen = "buffers at `screen`";
        assert_eq!(verdict(&without, &part(10), screen), Verdict::Kept);
        assert_eq!(verdict(&without, &without, screen), Verdict::Broken);
    }

    #[test]
    fn what_others_bounced_between_parts_is_not_held_against_them() {
        let bounce = |before: u64, after: u64| {
            let slots = |most| BounceUse::Slots {
                now: most,
                most: Some(most),
            };
            changed(before, |part| {
                (part.bounce_before, part.bounce_after) = (slots(before), slots(after));
            })
        };
        let what = "bounce buffers of the system";
        assert_eq!(
            verdict(&bounce(0, 0), &bounce(9000, 9000), what),
            Verdict::Kept
        );
        assert_eq!(
            verdict(&bounce(0, 0), &bounce(0, 9000), what),
            Verdict::Broken
        );
        let unknown = changed(1, |part| part.bounce_before = BounceUse::Unreadable);
        assert_eq!(verdict(&unknown, &bounce(0, 9000), what), Verdict::Broken);
        assert_eq!(verdict(&unknown, &bounce(0, 0), what), Verdict::Unknown);
    }
}
