//! The figures, for people and for programs.

use serde_json::{Map, Value, json};

use super::figures::{Series, Spread};
use super::{Bench, Outcome};
use crate::numbers::{bytes, grouped};
use crate::table::{Row, aligned};

const HEADS: [&str; 6] = ["", "min", "median", "p90", "× raw", ""];

pub(super) fn text(bench: &Bench, outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "heap {}: µs for a buffer to be allocated and closed, {} of each size\n",
        bench.node.info.name,
        grouped(bench.count()),
    );
    let mut rows = Vec::new();
    for outcome in outcomes {
        let mut head = HEADS.map(str::to_owned);
        head[0] = bytes(outcome.len.get() as u64);
        head[5] = format!("{} rounds of {}", bench.rounds, bench.block);
        rows.push(Row::Cells(head.to_vec()));
        rows.extend(outcome.results.iter().map(|(contender, result)| {
            let name = format!("  {}", contender.name);
            match result {
                Ok(series) => Row::Cells(cells(name, series, outcome.raw(), contender.about)),
                Err(why) => Row::Remark(name, why.clone()),
            }
        }));
    }
    text.push_str(&aligned(&rows));
    text
}

fn cells(name: String, series: &Series, raw: Option<&Series>, about: &str) -> Vec<String> {
    let mut cells = vec![name];
    if let Some(Spread {
        min, median, p90, ..
    }) = series.spread()
    {
        cells.extend([min, median, p90].map(|nanos| format!("{:>9.2}", nanos / 1000.0)));
    }
    let ratio = raw.and_then(|raw| series.ratio(raw));
    cells.push(ratio.map_or_else(String::new, |ratio| format!("{:.3}", ratio.median)));
    cells.push(about.to_owned());
    cells
}

pub(super) fn json(bench: &Bench, outcomes: &[Outcome]) -> Value {
    let sizes = outcomes.iter().map(|outcome| {
        let contenders: Map<String, Value> = outcome
            .results
            .iter()
            .map(|(contender, result)| {
                let value = match result {
                    Ok(series) => figures(series, outcome.raw()),
                    Err(why) => json!({ "refused": why }),
                };
                (contender.name.to_owned(), value)
            })
            .collect();
        json!({
            "bytes": outcome.len.get(),
            "rounds": bench.rounds,
            "buffers_a_round": bench.block,
            "contenders": contenders,
        })
    });
    json!({
        "heap": bench.node.info.name,
        "buffers": bench.count(),
        "sizes": sizes.collect::<Vec<_>>(),
    })
}

fn figures(series: &Series, raw: Option<&Series>) -> Value {
    let spread = series.spread().map(|spread| {
        json!({
            "min": spread.min / 1000.0,
            "median": spread.median / 1000.0,
            "p90": spread.p90 / 1000.0,
        })
    });
    let ratio = raw
        .and_then(|raw| series.ratio(raw))
        .map(|ratio| json!({ "p25": ratio.p25, "median": ratio.median, "p75": ratio.p75 }));
    json!({ "us": spread, "ratio_to_raw": ratio })
}

impl Outcome {
    /// What the others are compared with.
    fn raw(&self) -> Option<&Series> {
        self.results.first()?.1.as_ref().ok()
    }
}
