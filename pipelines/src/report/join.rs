//! Several runs of a pipeline that was made anew between, told as one.

use dmaflow_core::stage::Counter;
use dmaflow_core::time::Quantiles;

use super::{LinkReport, Report, StageReport};
use crate::latency::Step;

impl Report {
    /// Adds what happened after: frames are summed. Of steps the worst part's quantiles are
    /// kept, which no joined ones could exceed; counters of a maximum keep the larger.
    pub(crate) fn join(&mut self, part: Self) {
        self.elapsed += part.elapsed;
        self.captured += part.captured;
        self.shown += part.shown;
        self.dropped.superseded += part.dropped.superseded;
        self.dropped.filtered += part.dropped.filtered;
        self.dropped.at_stop += part.dropped.at_stop;
        self.cpu = [self.cpu, part.cpu].into_iter().sum();
        self.first_flip = self.first_flip.or(part.first_flip);
        join_latencies(&mut self.latencies, part.latencies);
        for (stage, counter) in part.counters {
            join_counter(&mut self.counters, stage, counter);
        }
        self.heap = part.heap;
        self.audit = match (self.audit.take(), part.audit) {
            (Some(mut known), Some(part)) => {
                known.join(*part);
                Some(known)
            }
            (known, part) => known.or(part),
        };
        join_each(&mut self.stages, part.stages, is_same_stage, join_stage);
        join_each(&mut self.links, part.links, is_same_link, join_link);
    }
}

/// Adds what is new, and joins what is known.
pub(crate) fn join_each<T>(
    known: &mut Vec<T>,
    parts: Vec<T>,
    same: fn(&T, &T) -> bool,
    join: fn(&mut T, T),
) {
    for part in parts {
        match known.iter_mut().find(|known| same(known, &part)) {
            Some(known) => join(known, part),
            None => known.push(part),
        }
    }
}

fn join_latencies(known: &mut Vec<(Step, Quantiles)>, parts: Vec<(Step, Quantiles)>) {
    let same = |one: &(Step, _), other: &(Step, _)| one.0 == other.0;
    join_each(known, parts, same, |(_, known), (_, part)| {
        known.count += part.count;
        known.p50 = known.p50.max(part.p50);
        known.p90 = known.p90.max(part.p90);
        known.p99 = known.p99.max(part.p99);
        known.max = known.max.max(part.max);
    });
}

fn join_counter(known: &mut Vec<(String, Counter)>, stage: String, part: Counter) {
    let same = |(of, counter): &&mut (String, Counter)| *of == stage && counter.name == part.name;
    match known.iter_mut().find(same) {
        Some((_, counter)) => join_count(counter, part),
        None => known.push((stage, part)),
    }
}

/// Adds what one stage counted after.
pub(crate) fn join_counters(known: &mut Vec<Counter>, parts: Vec<Counter>) {
    join_each(
        known,
        parts,
        |one, other| one.name == other.name,
        join_count,
    );
}

fn join_count(known: &mut Counter, part: Counter) {
    known.count = if part.name.ends_with("_max") {
        known.count.max(part.count)
    } else {
        known.count + part.count
    };
}

fn is_same_stage(one: &StageReport, other: &StageReport) -> bool {
    one.stage == other.stage
}

fn join_stage(known: &mut StageReport, part: StageReport) {
    known.made += part.made;
    known.taken += part.taken;
    known.passed += part.passed;
    known.shown += part.shown;
    known.filtered += part.filtered;
    known.at_stop += part.at_stop;
    known.failure = part.failure.or(known.failure.take());
    known.first_flip = known.first_flip.or(part.first_flip);
    join_latencies(&mut known.latencies, part.latencies);
}

fn is_same_link(one: &LinkReport, other: &LinkReport) -> bool {
    (&one.from, &one.to, one.input) == (&other.from, &other.to, other.input)
}

fn join_link(known: &mut LinkReport, part: LinkReport) {
    known.sent += part.sent;
    known.taken += part.taken;
    known.superseded += part.superseded;
    known.at_stop += part.at_stop;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn part(frames: u64, p99: u64) -> Report {
        let took = Quantiles {
            count: frames,
            p99: Duration::from_micros(p99),
            ..Quantiles::default()
        };
        let counted = |name, count| ("camera".to_owned(), Counter { name, count });
        Report {
            captured: frames,
            latencies: vec![(Step::CaptureToFlip, took)],
            counters: vec![counted("lost", 2), counted("stamp_lead_us_max", p99)],
            stages: vec![StageReport {
                stage: "camera".to_owned(),
                made: frames,
                ..StageReport::default()
            }],
            ..Report::default()
        }
    }

    #[test]
    fn parts_are_summed_and_the_worst_latency_is_kept() {
        let mut whole = Report::default();
        whole.join(part(5, 900));
        whole.join(part(7, 300));
        assert_eq!(whole.captured, 12);
        assert_eq!(whole.stages.len(), 1);
        assert_eq!(whole.stages[0].made, 12);
        assert_eq!(whole.counter("lost"), Some(4));
        assert_eq!(whole.counter("stamp_lead_us_max"), Some(900));
        let (_, took) = whole.latencies[0];
        assert_eq!((took.count, took.p99), (12, Duration::from_micros(900)));
    }

    #[test]
    fn links_into_two_inputs_of_one_stage_stay_two() {
        let link = |input, sent| LinkReport {
            from: "router".to_owned(),
            to: "mixer".to_owned(),
            input,
            sent,
            ..LinkReport::default()
        };
        let part = || Report {
            links: vec![link(0, 3), link(1, 5)],
            ..Report::default()
        };
        let mut whole = part();
        whole.join(part());
        let sent: Vec<_> = whole.links.iter().map(|link| link.sent).collect();
        assert_eq!(sent, [6, 10]);
    }
}
