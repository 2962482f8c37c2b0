//! `dmaflow heaps stat`: which dma-bufs there are, as far as the kernel tells this user.

mod listings;
mod report;
mod snapshot;

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use clap::{Args, value_parser};

use crate::failure::Failure;
use crate::output;
use snapshot::Snapshot;

pub(super) const EXAMPLES: &str = "\
Without root, the dma-bufs of this user's processes are told, from /proc. With root and debugfs
all are, with the devices that use them. dmaflow names its buffers after their pipeline.

Examples:
  dmaflow heaps stat
  dmaflow heaps stat --watch                  anew each second, until Ctrl-C
  dmaflow heaps stat --watch --json | jq .bytes";

#[derive(Args)]
pub(crate) struct StatArgs {
    /// Tell it anew each second: in place on a terminal, else a line each time
    #[arg(long)]
    watch: bool,
    /// Stop after so many times
    #[arg(long, value_name = "N", requires = "watch", value_parser = value_parser!(u64).range(1..))]
    times: Option<u64>,
    /// Write JSON; with --watch an object a line
    #[arg(long)]
    json: bool,
}

/// To the upper left corner, and nothing below.
const ANEW: &str = "\x1b[H\x1b[J";

pub(super) fn stat(args: &StatArgs) -> Result<(), Failure> {
    if !args.watch {
        let now = Snapshot::take();
        return if args.json {
            output::json(&report::json(&now))
        } else {
            output::result(report::text(&now).as_bytes())
        };
    }
    let in_place = io::stdout().is_terminal();
    let mut told = 0;
    loop {
        let now = Snapshot::take();
        let text = if args.json {
            format!("{}\n", report::json(&now))
        } else if in_place {
            format!("{ANEW}{}", report::text(&now))
        } else {
            report::line(&now)
        };
        output::result(text.as_bytes())?;
        told += 1;
        if args.times.is_some_and(|times| told >= times) {
            return Ok(());
        }
        thread::sleep(Duration::from_secs(1));
    }
}
