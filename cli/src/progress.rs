//! How far along a file is: a bar where people look, otherwise a line a second.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dmaflow_files::{FileSinkConfig, Position};
use dmaflow_pipelines::{Progress, Situation};
use indicatif::{ProgressBar, ProgressStyle};

use crate::numbers::{bytes, grouped};
use crate::output;
use crate::run::Watch;
use crate::status::{Status, waiting};

/// A file that is read: how far, and how long it will take.
const READING: &str = "{wide_bar} {percent:>3} % of {total_bytes}   {msg}   {eta} left";
/// One whose length is not known, or that is written.
const OPEN: &str = "{msg}";

/// How a file that is read or written is told of.
pub(crate) enum FileProgress {
    Bar(ProgressBar, Measure),
    Lines(Status),
}

/// What is measured of a file.
pub(crate) enum Measure {
    /// How far it has been read.
    Read(Position),
    /// How large it has become, where it is one file.
    Written { path: PathBuf, is_one: bool },
}

impl FileProgress {
    /// Of a file with so many bytes that is read; 0 where that is not known.
    pub(crate) fn reading(total: u64, position: Position) -> Self {
        let template = if total > 0 { READING } else { OPEN };
        Self::new(total, template, Measure::Read(position))
    }

    /// Of a file that is written, or several.
    pub(crate) fn writing(file: &FileSinkConfig) -> Self {
        let written = Measure::Written {
            path: file.path.clone(),
            is_one: file.rotate.is_none() && file.before.is_none(),
        };
        Self::new(0, OPEN, written)
    }

    fn new(total: u64, template: &str, measure: Measure) -> Self {
        if !output::is_terminal() {
            return Self::Lines(Status::new());
        }
        let bar = ProgressBar::new(total);
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.set_style(style),
            Err(error) => tracing::error!(%error, "the progress bar's template is wrong"),
        }
        Self::Bar(bar, measure)
    }
}

impl Watch for FileProgress {
    fn show(&mut self, stages: &str, situation: &Situation<'_>) {
        match (&mut *self, situation) {
            (Self::Lines(status), _) => status.show(stages, situation),
            (Self::Bar(bar, _), Situation::Waiting { reason, left, .. }) => {
                bar.set_message(waiting(reason, *left));
            }
            (Self::Bar(bar, Measure::Read(position)), Situation::Running(progress)) => {
                bar.set_position(position.bytes());
                bar.set_message(frames(progress));
            }
            (Self::Bar(bar, Measure::Written { path, is_one }), Situation::Running(progress)) => {
                // It may not be there yet.
                let found = is_one.then(|| std::fs::metadata(&*path).ok()).flatten();
                let length = found
                    .filter(std::fs::Metadata::is_file)
                    .map(|found| found.len());
                bar.set_message(written(path, length, progress));
            }
        }
    }

    fn end(&mut self) {
        match self {
            Self::Bar(bar, _) => bar.finish_and_clear(),
            Self::Lines(status) => Status::end(status),
        }
    }
}

fn frames(progress: &Progress<'_>) -> String {
    format!(
        "{} frames  {:.1} fps",
        grouped(progress.shown),
        progress.frames_per_second
    )
}

fn written(path: &Path, length: Option<u64>, progress: &Progress<'_>) -> String {
    let mut text = format!("{}   {}", path.display(), time(progress.elapsed));
    if let Some(length) = length {
        text.push_str(&format!("  {}", bytes(length)));
    }
    text.push_str(&format!("  {}", frames(progress)));
    if progress.dropped > 0 {
        text.push_str(&format!("  dropped {}", grouped(progress.dropped)));
    }
    text
}

fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_told_with_its_size_and_time() {
        let mut progress = Progress::default();
        progress.elapsed = Duration::from_secs(67);
        progress.shown = 2009;
        progress.frames_per_second = 29.97;
        let told = |progress: &Progress<'_>| written(Path::new("out.mp4"), Some(3 << 20), progress);
        let short = "out.mp4   01:07  3 MiB  2,009 frames  30.0 fps";
        assert_eq!(told(&progress), short);
        progress.dropped = 3;
        assert_eq!(told(&progress), format!("{short}  dropped 3"));
        let unknown = written(Path::new("a.mp4"), None, &progress);
        assert!(
            unknown.starts_with("a.mp4   01:07  2,009 frames"),
            "{unknown}"
        );
    }

    #[test]
    fn the_templates_are_sound() {
        for template in [READING, OPEN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
