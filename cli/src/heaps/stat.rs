//! `dmaflow heaps stat`: which dma-bufs there are, as far as the kernel tells this user.

mod report;
mod served;
mod snapshot;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::{Args, value_parser};
use dmaflow_pipelines::description::serving::DIRECTORY;
use serde_json::Value;

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
    /// Where servers' nodes are: what their heaps have lent is told to root and to their user
    #[arg(long, value_name = "DIRECTORY", default_value = DIRECTORY)]
    served: PathBuf,
    /// Write JSON; with --watch an object a line
    #[arg(long)]
    json: bool,
}

impl StatArgs {
    fn text_of(&self, now: &Snapshot) -> String {
        let served = served::below(&self.served);
        report::text(now) + &served::text(&served)
    }

    fn json_of(&self, now: &Snapshot) -> Value {
        let mut value = report::json(now);
        value["served"] = served::json(&served::below(&self.served));
        value
    }
}

/// To the upper left corner, and nothing below.
const ANEW: &str = "\x1b[H\x1b[J";

pub(super) fn stat(args: &StatArgs) -> Result<(), Failure> {
    if !args.watch {
        let now = Snapshot::take();
        return if args.json {
            output::json(&args.json_of(&now))
        } else {
            output::result(args.text_of(&now).as_bytes())
        };
    }
    let in_place = io::stdout().is_terminal();
    let mut told = 0;
    loop {
        let now = Snapshot::take();
        let text = if args.json {
            format!("{}\n", args.json_of(&now))
        } else if in_place {
            format!("{ANEW}{}", args.text_of(&now))
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
