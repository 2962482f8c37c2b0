//! The comparison as people and programs read it.

use serde::Serialize;

use super::contender::{Contender, LONG, RATE, Run, SHORT};
use crate::measure::Window;
use crate::report::milliseconds;

/// One contender at one size; costs are for one frame.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(serialize_with = "as_text")]
    pub(super) contender: Contender,
    pub(super) size: (u32, u32),
    pub(super) user_us: f64,
    pub(super) system_us: f64,
    pub(super) system_calls: f64,
    pub(super) voluntary_switches: f64,
    pub(super) peak_mib: f64,
    /// Since the program was executed.
    first_flip_us: Option<u64>,
    capture_to_flip_p50_us: Option<u64>,
    capture_to_flip_p99_us: Option<u64>,
}

fn as_text<S: serde::Serializer>(contender: &Contender, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(contender)
}

impl Row {
    pub(super) fn new(contender: Contender, size: (u32, u32), short: &Run, long: &Run) -> Self {
        let a_frame = |of: fn(&Run) -> i64| ratio(of(long) - of(short), LONG - SHORT);
        let in_window = |of: fn(&Window) -> i64| {
            long.cost.window.as_ref().map_or(f64::NAN, |window| {
                ratio(of(window) * 1_000_000, window.elapsed_us * RATE)
            })
        };
        let report = long.report.as_ref();
        let latency = report.and_then(|report| report.latency_us.get("capture_to_flip"));
        Self {
            contender,
            size,
            user_us: in_window(|window| window.user_us),
            system_us: in_window(|window| window.system_us),
            system_calls: a_frame(|run| run.system_calls),
            voluntary_switches: a_frame(|run| run.cost.voluntary_switches),
            peak_mib: ratio(long.cost.peak_kib, 1024),
            first_flip_us: report
                .and_then(|report| report.first_flip_monotonic_us)
                .and_then(|flip| flip.checked_sub(long.cost.started_us)),
            capture_to_flip_p50_us: latency.map(|latency| latency.p50),
            capture_to_flip_p99_us: latency.map(|latency| latency.p99),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn ratio(of: i64, to: i64) -> f64 {
    of as f64 / to as f64
}

/// The table and what it says of the targets, in Markdown.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut text = "| size | contender | user µs/frame | sys µs/frame | syscalls/frame \
                    | vol. switches/frame | peak MiB | first flip ms \
                    | capture→flip p50 ms | p99 ms |\n\
                    |--|--|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for row in rows {
        text += &format!(
            "| {}×{} | {} | {:.1} | {:.1} | {:.2} | {:.2} | {:.1} | {} | {} | {} |\n",
            row.size.0,
            row.size.1,
            row.contender,
            row.user_us,
            row.system_us,
            row.system_calls,
            row.voluntary_switches,
            row.peak_mib,
            milliseconds(row.first_flip_us),
            milliseconds(row.capture_to_flip_p50_us),
            milliseconds(row.capture_to_flip_p99_us),
        );
    }
    text.push('\n');
    for pair in rows.chunks(Contender::ALL.len()) {
        text += &verdict(pair);
    }
    text
}

/// How dmaflow stands beside the bare loop, and whether the targets hold.
fn verdict(rows: &[Row]) -> String {
    let of = |contender| rows.iter().find(|row| row.contender == contender);
    let (Some(bare), Some(ours)) = (of(Contender::Bare), of(Contender::Dmaflow)) else {
        return String::new();
    };
    let line = |what: &str, value: f64, limit: f64, unit: &str| {
        let verdict = if value <= limit { "holds" } else { "MISSED" };
        format!(
            "- {}×{}: {what} {value:.2}{unit}, target {limit}{unit}: {verdict}\n",
            ours.size.0, ours.size.1
        )
    };
    line(
        "user time, dmaflow / bare loop",
        ours.user_us / bare.user_us,
        1.2,
        "",
    ) + &line(
        "system calls, dmaflow / bare loop",
        ours.system_calls / bare.system_calls,
        1.2,
        "",
    ) + &line("peak memory", ours.peak_mib, 12.0, " MiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Cost;

    fn run(scale: i64) -> Run {
        Run {
            cost: Cost {
                started_us: 1000,
                user_us: 100 * scale,
                system_us: 200 * scale,
                voluntary_switches: 2 * scale,
                involuntary_switches: 0,
                peak_kib: 2048,
                window: Some(Window {
                    elapsed_us: 1_000_000,
                    user_us: RATE * 100 * scale,
                    system_us: RATE * 200 * scale,
                }),
            },
            system_calls: 6 * scale,
            report: None,
        }
    }

    #[test]
    fn figures_are_for_frames_alone() {
        // 1000 of everything in set-up, at any length.
        let (short, long) = (run(SHORT + 10), run(LONG + 10));
        let row = Row::new(Contender::Gstreamer, (640, 480), &short, &long);
        let scale = ratio(LONG + 10, 1);
        assert!((row.user_us - 100.0 * scale).abs() < 1e-6);
        assert!((row.system_calls - 6.0).abs() < 1e-9);
        assert!((row.peak_mib - 2.0).abs() < 1e-9);
        assert_eq!(row.first_flip_us, None);
    }

    #[test]
    fn targets_are_judged() {
        let row = |contender, scale| {
            Row::new(contender, (640, 480), &run(0), &run(scale * (LONG - SHORT)))
        };
        let good = [row(Contender::Bare, 10), row(Contender::Dmaflow, 11)];
        assert!(!verdict(&good).contains("MISSED"), "{}", verdict(&good));
        let bad = [row(Contender::Bare, 10), row(Contender::Dmaflow, 13)];
        assert_eq!(verdict(&bad).matches("MISSED").count(), 2);
    }
}
