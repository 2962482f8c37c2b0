//! Audits of the parts of a run whose pipeline was made anew between, judged as one.

use std::collections::BTreeSet;

use super::{AuditReport, BounceUse, EndAudit, LinkAudit, Listed, PoolAudit, StageAudit, findings};
use crate::report::join_each;

impl AuditReport {
    /// Adds what was found of a later part, and judges all of it anew. Each part has pools of
    /// its own, and so other inodes.
    pub(crate) fn join(&mut self, part: Self) {
        join_each(&mut self.links, part.links, is_same_link, LinkAudit::join);
        join_each(&mut self.pools, part.pools, is_same_pool, PoolAudit::join);
        join_each(&mut self.ends, part.ends, is_same_end, EndAudit::join);
        join_each(
            &mut self.stages,
            part.stages,
            is_same_stage,
            StageAudit::join,
        );
        self.bounce_after = self.bounce_after.most_of(part.bounce_after);
        self.frame_pages = self.frame_pages.min(part.frame_pages);
        self.mapped_unseen += part.mapped_unseen;
        self.findings = findings(self);
    }
}

fn is_same_link(one: &LinkAudit, other: &LinkAudit) -> bool {
    (&one.from, &one.to) == (&other.from, &other.to)
}

fn is_same_pool(one: &PoolAudit, other: &PoolAudit) -> bool {
    (&one.stage, &one.heap) == (&other.stage, &other.heap)
}

fn is_same_end(one: &EndAudit, other: &EndAudit) -> bool {
    one.stage == other.stage
}

fn is_same_stage(one: &StageAudit, other: &StageAudit) -> bool {
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
        self.imports |= part.imports;
        let both = self.imported.take().zip(part.imported);
        self.imported = both.map(|(mut known, part)| {
            unite(&mut known, part);
            known
        });
    }
}

impl StageAudit {
    /// Also of a stage that ran twice in one part: a branch that was dropped and added again.
    pub(crate) fn join(&mut self, part: Self) {
        self.by_cpu = self.by_cpu.or(part.by_cpu);
        self.threads += part.threads;
        self.cpu = [self.cpu, part.cpu].into_iter().sum();
        let both = self.minor_faults.zip(part.minor_faults);
        self.minor_faults = both.map(|(known, part)| known + part);
    }
}

impl BounceUse {
    /// The larger of two, or that there is no number.
    fn most_of(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Slots { now, most },
                Self::Slots {
                    now: two,
                    most: also,
                },
            ) => Self::Slots {
                now: now.max(two),
                most: most.max(also),
            },
            (known, Self::Slots { .. }) => known,
            (_, unknown) => unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// A camera on a display whose pool has three buffers from `first` on.
    fn part(first: u64) -> AuditReport {
        let inodes: Vec<u64> = (first..first + 3).collect();
        let mut audit = AuditReport {
            links: vec![LinkAudit {
                from: "camera".to_owned(),
                to: "screen".to_owned(),
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
                imports: true,
                imported: Some(inodes),
            }],
            bounce_before: BounceUse::Absent,
            bounce_after: BounceUse::Absent,
            ..AuditReport::default()
        };
        audit.findings = findings(&audit);
        audit
    }

    #[test]
    fn parts_that_keep_their_promises_keep_them_together() {
        let mut whole = part(10);
        whole.join(part(20));
        assert!(whole.is_kept(), "{:#?}", whole.findings);
        let all = [10, 11, 12, 20, 21, 22];
        assert_eq!((whole.links.len(), whole.pools.len()), (1, 1));
        assert_eq!(whole.links[0].taken, all);
        assert_eq!(whole.ends[0].imported.as_deref(), Some(&all[..]));
        let listed = whole.pools[0].listed.as_ref().unwrap();
        assert_eq!(
            (listed.buffers, &listed.devices[..]),
            (6, &["vkms".to_owned()][..])
        );
    }

    #[test]
    fn what_one_part_broke_is_broken() {
        let mut strange = part(20);
        strange.ends[0].seen.push(99);
        for (first, second) in [(part(10), strange.clone()), (strange, part(10))] {
            let mut whole = first;
            whole.join(second);
            let broken = |what: &str| {
                let mut findings = whole.findings.iter();
                findings.any(|found| found.what == what && found.verdict == Verdict::Broken)
            };
            assert!(broken("buffers at `screen`"), "{:#?}", whole.findings);
        }
    }

    #[test]
    fn a_part_that_could_not_be_looked_at_leaves_it_unknown() {
        let mut whole = part(10);
        let mut gone = part(20);
        gone.ends[0].imported = None;
        gone.pools[0].listed = None;
        whole.join(gone);
        let mut findings = whole.findings.iter();
        assert!(whole.is_kept(), "{:#?}", whole.findings);
        assert!(findings.any(|found| found.verdict == Verdict::Unknown));
        assert_eq!(
            (&whole.ends[0].imported, &whole.pools[0].listed),
            (&None, &None)
        );
    }

    #[test]
    fn the_most_of_bounce_buffers_is_kept() {
        let slots = |now, most| BounceUse::Slots {
            now,
            most: Some(most),
        };
        assert_eq!(slots(1, 9).most_of(slots(3, 4)), slots(3, 9));
        let unknown = BounceUse::Unreadable;
        assert_eq!(slots(1, 9).most_of(unknown), unknown);
        assert_eq!(unknown.most_of(slots(1, 9)), unknown);
    }
}
