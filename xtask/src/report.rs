//! What `dmaflow run --json` reports.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The part of a run's report that the tasks here look at.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) frames: Frames,
    /// Bytes of the frames' memory that a processor copied.
    pub(crate) bytes_copied: u64,
    /// On the monotonic clock.
    pub(crate) first_flip_monotonic_us: Option<u64>,
    #[serde(default)]
    pub(crate) latency_us: BTreeMap<String, Quantiles>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Frames {
    pub(crate) captured: u64,
    pub(crate) shown: u64,
    #[serde(default)]
    pub(crate) dropped: u64,
}

/// In microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Quantiles {
    /// Frames that could be measured.
    pub(crate) count: Option<u64>,
    pub(crate) p50: u64,
    pub(crate) p90: Option<u64>,
    pub(crate) p99: u64,
    pub(crate) max: Option<u64>,
}

impl Report {
    /// Reads the one JSON object a run prints.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text.trim())
            .with_context(|| format!("not the report of a run: {text:?}"))
    }

    /// Frames came into view.
    pub(crate) fn ensure_shown(&self) -> Result<()> {
        ensure!(self.frames.shown > 0, "no frame was shown");
        Ok(())
    }

    /// No byte was copied.
    pub(crate) fn ensure_zero_copy(&self) -> Result<()> {
        ensure!(
            self.bytes_copied == 0,
            "{} bytes were copied",
            self.bytes_copied
        );
        Ok(())
    }

    /// For people.
    pub(crate) fn summary(&self) -> String {
        let Frames {
            captured,
            shown,
            dropped,
        } = self.frames;
        let mut text = format!(
            "{captured} frames captured, {shown} shown, {dropped} let go. Bytes copied: {}.\n",
            self.bytes_copied
        );
        if !self.latency_us.is_empty() {
            text += &format!(
                "{:24}{:>9}{:>9}{:>9}{:>9}{:>9}\n",
                "", "frames", "p50", "p90", "p99", "max ms"
            );
        }
        for (step, quantiles) in &self.latency_us {
            text += &format!(
                "{:24}{:>9}{:>9}{:>9}{:>9}{:>9}\n",
                step.replace("_to_", " → ").replace('_', " "),
                count_or_dash(quantiles.count),
                milliseconds(Some(quantiles.p50)),
                milliseconds(quantiles.p90),
                milliseconds(Some(quantiles.p99)),
                milliseconds(quantiles.max),
            );
        }
        text
    }
}

fn count_or_dash(count: Option<u64>) -> String {
    count.map_or_else(|| "–".to_owned(), |count| count.to_string())
}

/// Microseconds as milliseconds with one decimal.
pub(crate) fn milliseconds(us: Option<u64>) -> String {
    us.map_or_else(
        || "–".to_owned(),
        |us| format!("{}.{}", us / 1000, us % 1000 / 100),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_and_judged() {
        let text = r#"{"frames":{"captured":300,"shown":299,"dropped":1,"dropped_by":{}},
            "bytes_copied":0,"latency_us":{"capture_to_flip":{"p50":24100,"p90":30000,"p99":31800,"max":40000}},
            "first_flip_monotonic_us":5,"heap":"system"}"#;
        let report = Report::parse(text).unwrap();
        report.ensure_zero_copy().unwrap();
        let summary = report.summary();
        assert!(summary.contains("299 shown"), "{summary}");
        assert!(summary.contains("capture → flip"), "{summary}");
        assert!(summary.contains("31.8"), "{summary}");

        let nothing = r#"{"frames":{"captured":3,"shown":0},"bytes_copied":0}"#;
        assert!(Report::parse(nothing).unwrap().ensure_shown().is_err());
        let copied = r#"{"frames":{"captured":3,"shown":3},"bytes_copied":9}"#;
        assert!(Report::parse(copied).unwrap().ensure_zero_copy().is_err());
        assert!(Report::parse("").is_err());
    }
}
