//! What a run came to, for people and for programs.

use std::time::Duration;

use dmaflow_core::heap::HeapStats;
use dmaflow_core::time::{Quantiles, Timestamp};
use dmaflow_pipelines::{
    Agreement, Interruption, Interruptions, LinkReport, Report, StageReport, Step,
};
use serde_json::{Map, Value, json};

use crate::numbers::{bytes, counted, grouped, hundredths, micros};

/// How many interruptions people are told one by one.
const REASONS: usize = 5;

/// The report for people.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    let parts = [
        summary(report),
        interruptions(&report.interruptions),
        failures(report),
        links(report),
        cpu(report),
        counters(report),
        latencies(report),
    ];
    for part in parts.iter().filter(|part| !part.is_empty()) {
        text.push_str(part);
        text.push('\n');
    }
    text
}

fn summary(report: &Report) -> String {
    let dropped = &report.dropped;
    let mut text = format!(
        "{} captured in {:.1} s, {} shown",
        counted(report.captured, "frame"),
        report.elapsed.as_secs_f64(),
        grouped(report.shown)
    );
    for (count, fate) in [
        (dropped.superseded, "let go for a newer one"),
        (dropped.filtered, "filtered out"),
        (dropped.at_stop, "let go at stop"),
        (
            report.unaccounted(),
            "unaccounted for, which is a defect of dmaflow",
        ),
    ] {
        if count > 0 {
            text.push_str(&format!(", {} {fate}", grouped(count)));
        }
    }
    text + "."
}

/// What interrupted the run, and the last reasons.
fn interruptions(interruptions: &Interruptions) -> String {
    if interruptions.last.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "Interrupted for {:.1} s in all: begun anew {}, signal changed {}.",
        interruptions.away.as_secs_f64(),
        counted(interruptions.restarts, "time"),
        counted(interruptions.changes, "time"),
    );
    let skipped = interruptions.last.len().saturating_sub(REASONS);
    for interruption in interruptions.last.iter().skip(skipped) {
        let Interruption {
            at, reason, away, ..
        } = interruption;
        text.push_str(&format!(
            "\n  after {:.1} s, for {:.1} s: {reason}",
            at.as_secs_f64(),
            away.as_secs_f64(),
        ));
    }
    text
}

/// A line a stage that ended before the others.
fn failures(report: &Report) -> String {
    let stages = report.stages.iter();
    let lines =
        stages.filter_map(|stage| Some(format!("Ended before: {}.", stage.failure.as_ref()?)));
    lines.collect::<Vec<_>>().join("\n")
}

/// A line a link, of pipelines that branch or join.
fn links(report: &Report) -> String {
    let mut stages = report.stages.iter();
    let is_chain = stages.all(|stage| {
        let from = report.links.iter().filter(|link| link.from == stage.stage);
        let to = report.links.iter().filter(|link| link.to == stage.stage);
        from.count() < 2 && to.count() < 2
    });
    if is_chain {
        return String::new();
    }
    let lines = report.links.iter().map(|link| {
        let mut line = format!(
            "  {} ──▶ {}: {}",
            link.from,
            link.to,
            counted(link.taken, "frame")
        );
        if link.superseded > 0 {
            line.push_str(&format!(", {} let go", grouped(link.superseded)));
        }
        line
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn cpu(report: &Report) -> String {
    let mut text = format!("Bytes copied: {}.", grouped(report.cpu.copied));
    for (count, what) in [
        (report.cpu.drawn, "drew"),
        (report.cpu.inspected, "looked at"),
        (report.cpu.streamed, "read of streams"),
    ] {
        if count > 0 {
            text.push_str(&format!(" The CPU {what} {}.", bytes(count)));
        }
    }
    text
}

/// A line a stage that counted something besides frames.
fn counters(report: &Report) -> String {
    let lines = report
        .counters
        .chunk_by(|(one, _), (other, _)| one == other);
    let lines = lines.map(|of_stage| {
        let counts = of_stage.iter().map(|(_, counter)| {
            let name = counter.name.replace('_', " ");
            format!("{name} {}", grouped(counter.count))
        });
        format!(
            "  {}: {}",
            of_stage[0].0,
            counts.collect::<Vec<_>>().join(", ")
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn latencies(report: &Report) -> String {
    let measured = report.latencies.iter().filter(|(_, took)| took.count > 0);
    let rows: Vec<_> = measured
        .map(|(step, took)| {
            let [p50, p90, p99, max] = [took.p50, took.p90, took.p99, took.max].map(hundredths);
            format!(
                "  {:<18} {p50:>8} {p90:>8} {p99:>8} {max:>8} ms",
                step.label()
            )
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let heads = ["p50", "p90", "p99", "max"].map(|head| format!(" {head:>8}"));
    format!("  {:<18}{}\n{}", "", heads.concat(), rows.join("\n"))
}

/// The report for programs. `began` is when this program did, on the monotonic clock.
pub(crate) fn json(report: &Report, agreement: &Agreement, began: Timestamp) -> Value {
    let dropped = &report.dropped;
    let mut counters: Map<String, Value> = Map::new();
    for (stage, counter) in &report.counters {
        let of_stage = counters.entry(stage).or_insert_with(|| json!({}));
        of_stage[counter.name] = counter.count.into();
    }
    let mut value = json!({
        "elapsed_s": report.elapsed.as_secs_f64(),
        "frames": {
            "captured": report.captured,
            "shown": report.shown,
            "dropped": dropped.total(),
            "dropped_by": {
                "superseded": dropped.superseded,
                "filtered": dropped.filtered,
                "at_stop": dropped.at_stop,
            },
            "unaccounted": report.unaccounted(),
        },
        "bytes_copied": report.cpu.copied,
        "cpu": {
            "drawn": report.cpu.drawn,
            "inspected": report.cpu.inspected,
            "copied": report.cpu.copied,
            "streamed": report.cpu.streamed,
        },
        "latency_us": latency(&report.latencies),
        "counters": counters,
        "first_flip_monotonic_us": report.first_flip.map(|at| at.as_nanos() / 1000),
        "first_flip_us": report.first_flip.and_then(|at| at.since(began)).map(micros),
        "heap_stats": heap(&report.heap),
        "stages": report.stages.iter().map(stage).collect::<Vec<_>>(),
        "links": report.links.iter().map(link).collect::<Vec<_>>(),
        "restarts": report.interruptions.restarts,
        "changes": report.interruptions.changes,
        "away_s": report.interruptions.away.as_secs_f64(),
        "interruptions": report.interruptions.last.iter().map(interruption).collect::<Vec<_>>(),
    });
    if let (Value::Object(whole), Value::Object(agreed)) =
        (&mut value, crate::check::json(agreement))
    {
        whole.extend(agreed);
    }
    value
}

fn latency(steps: &[(Step, Quantiles)]) -> Map<String, Value> {
    let measured = steps.iter().filter(|(_, took)| took.count > 0);
    measured
        .map(|(step, took)| {
            let figures = json!({
                "count": took.count,
                "p50": micros(took.p50),
                "p90": micros(took.p90),
                "p99": micros(took.p99),
                "max": micros(took.max),
            });
            (step.key().to_owned(), figures)
        })
        .collect()
}

fn stage(stage: &StageReport) -> Value {
    json!({
        "stage": stage.stage,
        "made": stage.made,
        "taken": stage.taken,
        "passed": stage.passed,
        "shown": stage.shown,
        "filtered": stage.filtered,
        "at_stop": stage.at_stop,
        "failure": stage.failure,
        "latency_us": latency(&stage.latencies),
    })
}

fn interruption(interruption: &Interruption) -> Value {
    json!({
        "at_s": interruption.at.as_secs_f64(),
        "stage": interruption.stage,
        "reason": interruption.reason,
        "change": interruption.is_change,
        "away_s": interruption.away.as_secs_f64(),
        "tries": interruption.tries,
    })
}

fn link(link: &LinkReport) -> Value {
    json!({
        "from": link.from,
        "to": link.to,
        "input": link.input,
        "queue": link.queue.to_string(),
        "sent": link.sent,
        "taken": link.taken,
        "superseded": link.superseded,
        "at_stop": link.at_stop,
    })
}

fn heap(stats: &HeapStats) -> Value {
    let HeapStats { usage, idle, times } = stats;
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let buckets = times
        .buckets()
        .map(|(below, count)| json!({ "below": nanos(below), "count": count }));
    json!({
        "live": usage.live,
        "peak": usage.peak,
        "total": usage.total,
        "failed": usage.failed,
        "live_bytes": usage.live_bytes,
        "peak_bytes": usage.peak_bytes,
        "cached_bytes": idle.cached,
        "deferred_bytes": idle.deferred,
        "reclaimed_bytes": idle.reclaimed,
        "alloc_ns": {
            "count": times.count(),
            "p50": times.percentile(50).map(nanos),
            "p99": times.percentile(99).map(nanos),
            "buckets": buckets.collect::<Vec<_>>(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::stage::Counter;
    use dmaflow_pipelines::Dropped;

    fn report() -> Report {
        let took = |[p50, p90, p99, max]: [u64; 4]| Quantiles {
            count: 1208,
            p50: Duration::from_micros(p50),
            p90: Duration::from_micros(p90),
            p99: Duration::from_micros(p99),
            max: Duration::from_micros(max),
        };
        let mut report = Report {
            elapsed: Duration::from_millis(40_310),
            captured: 1210,
            shown: 1208,
            dropped: Dropped {
                superseded: 1,
                at_stop: 1,
                ..Dropped::default()
            },
            latencies: vec![
                (Step::CaptureToDequeue, Quantiles::default()),
                (Step::CommitToFlip, took([23_200, 29_900, 30_900, 32_000])),
                (Step::CaptureToFlip, took([24_100, 30_700, 31_800, 133_500])),
            ],
            counters: [("lost_frames", 0), ("damaged", 2)]
                .map(|(name, count)| ("camera".to_owned(), Counter { name, count }))
                .to_vec(),
            ..Report::default()
        };
        report.cpu.inspected = 3 << 20;
        report
    }

    #[test]
    fn people_get_a_table() {
        let expected = "\
1,210 frames captured in 40.3 s, 1,208 shown, 1 let go for a newer one, 1 let go at stop.
Bytes copied: 0. The CPU looked at 3 MiB.
  camera: lost frames 0, damaged 2
                          p50      p90      p99      max
  commit→flip           23.20    29.90    30.90    32.00 ms
  capture→flip          24.10    30.70    31.80   133.50 ms
";
        assert_eq!(text(&report()), expected);
    }

    #[test]
    fn interruptions_are_told_with_their_reasons() {
        let mut report = report();
        report.interruptions = Interruptions {
            restarts: 1,
            changes: 0,
            away: Duration::from_millis(420),
            last: [Interruption {
                at: Duration::from_millis(12_340),
                stage: "camera".to_owned(),
                reason: "stage `camera`: vivid is gone".to_owned(),
                is_change: false,
                away: Duration::from_millis(420),
                tries: 1,
            }]
            .into(),
        };
        let expected = "\
Interrupted for 0.4 s in all: begun anew 1 time, signal changed 0 times.
  after 12.3 s, for 0.4 s: stage `camera`: vivid is gone
";
        assert!(text(&report).contains(expected), "{}", text(&report));
    }

    #[test]
    fn what_is_unaccounted_for_is_told() {
        let lossy = Report {
            links: vec![LinkReport {
                sent: 1215,
                taken: 1210,
                ..LinkReport::default()
            }],
            ..report()
        };
        assert!(
            text(&lossy).contains("5 unaccounted for"),
            "{}",
            text(&lossy)
        );
    }
}
