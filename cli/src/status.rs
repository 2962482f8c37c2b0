//! The line that tells how a run goes, about once a second.

use std::io::Write;
use std::time::Duration;

use dmaflow_core::time::Quantiles;
use dmaflow_pipelines::{Progress, Situation, Step};

use crate::numbers::{grouped, millis};
use crate::output;
use crate::run::Watch;

/// Back to the start of the line, and nothing on it.
pub(crate) const CLEAR: &str = "\r\x1b[2K";

/// How a run is shown while it goes on.
pub(crate) enum Status {
    /// One line, written anew each time.
    Line,
    /// A line each time, for files and pipes.
    Lines,
}

impl Status {
    pub(crate) fn new() -> Self {
        if output::is_terminal() {
            Self::Line
        } else {
            Self::Lines
        }
    }

    pub(crate) fn tell(&self, line: String) {
        let text = match self {
            // Without wrapping, so that a narrow terminal shows less instead of more lines.
            Self::Line => format!("{CLEAR}\x1b[?7l{line}\x1b[?7h"),
            Self::Lines => line + "\n",
        };
        write(&text);
    }

    pub(crate) fn end(&self) {
        if let Self::Line = self {
            write(CLEAR);
        }
    }
}

impl Watch for Status {
    fn show(&mut self, stages: &str, situation: &Situation<'_>) {
        self.tell(match situation {
            Situation::Running(progress) => line(stages, progress, progress.latency()),
            Situation::Waiting { reason, left, .. } => waiting(reason, *left),
        });
    }

    fn end(&mut self) {
        Status::end(self);
    }
}

fn write(text: &str) {
    if let Err(error) = std::io::stderr().lock().write_all(text.as_bytes()) {
        tracing::debug!(%error, "nobody reads the status");
    }
}

pub(crate) fn waiting(reason: &str, left: Duration) -> String {
    format!("{reason}; trying again in {:.1} s", left.as_secs_f64())
}

fn line(stages: &str, progress: &Progress<'_>, (step, latency): (Step, Quantiles)) -> String {
    let seconds = progress.elapsed.as_secs();
    let mut line = format!(
        "{stages}   {:02}:{:02}  {:.1} fps  shown {}  dropped {}",
        seconds / 60,
        seconds % 60,
        progress.frames_per_second,
        grouped(progress.shown),
        grouped(progress.dropped),
    );
    if latency.count > 0 {
        let (p50, p99) = (millis(latency.p50), millis(latency.p99));
        line.push_str(&format!("   {} p50 {p50}  p99 {p99} ms", step.label()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_says_for_what_and_how_long() {
        let told = waiting("stage `camera`: vivid is gone", Duration::from_millis(412));
        assert_eq!(told, "stage `camera`: vivid is gone; trying again in 0.4 s");
    }

    #[test]
    fn latency_is_told_where_it_is_known() {
        let mut progress = Progress::default();
        progress.elapsed = Duration::from_secs(67);
        progress.shown = 2009;
        progress.frames_per_second = 29.97;
        let short = "camera ▶ screen   01:07  30.0 fps  shown 2,009  dropped 0";
        let unknown = (Step::CaptureToFlip, Quantiles::default());
        assert_eq!(line("camera ▶ screen", &progress, unknown), short);
        let took = Quantiles {
            count: 2009,
            p50: Duration::from_micros(24_100),
            p99: Duration::from_micros(31_800),
            ..Quantiles::default()
        };
        let known = (Step::CaptureToFlip, took);
        let whole = format!("{short}   capture→flip p50 24.1  p99 31.8 ms");
        assert_eq!(line("camera ▶ screen", &progress, known), whole);
    }
}
