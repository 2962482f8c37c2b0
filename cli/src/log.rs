//! Logs on standard error.

use std::io::{self, Write};

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::failure::Failure;
use crate::output;
use crate::status;

const VARIABLE: &str = "DMAFLOW_LOG";

/// Starts logging, by the number of `-v` or by the environment.
pub(crate) fn start(verbose: u8) -> Result<(), Failure> {
    let level = match verbose {
        0 => from_environment()?,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| Lines(io::stderr()))
        .without_time()
        .with_target(level >= Level::DEBUG)
        .with_thread_names(level >= Level::DEBUG)
        .with_ansi(false)
        .init();
    Ok(())
}

fn from_environment() -> Result<LevelFilter, Failure> {
    let Ok(word) = std::env::var(VARIABLE) else {
        return Ok(LevelFilter::WARN);
    };
    word.parse().map_err(|_no_level| {
        Failure::Usage(format!(
            "{VARIABLE}={word} is no level: use error, warn, info, debug or trace"
        ))
    })
}

/// Standard error, where a status line may stand that has to make room.
struct Lines(io::Stderr);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if output::is_terminal() {
            self.0.write_all(status::CLEAR.as_bytes())?;
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
