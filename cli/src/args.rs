//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, value_parser};
use clap_complete::Shell;
use dmaflow_pipelines::description::duration;

use crate::ctl::{self, CtlArgs};
use crate::decode::{self, DecodeArgs};
use crate::described::DescriptionArgs;
use crate::devices::{self, DevicesArgs};
use crate::doctor::{self, DoctorArgs};
use crate::fmt::{self, FmtArgs};
use crate::graph::{self, GraphArgs};
use crate::heaps::{self, HeapsArgs};
use crate::media::{self, MediaArgs};
use crate::record::{self, EncodeArgs, RecordArgs};

const OVERVIEW: &str = "\
Runs zero-copy video pipelines.

A description, a small TOML file, names stages (cameras, displays, …) and links them. dmaflow
finds memory that every device on the way can use, and passes frames through it that nobody
copies.";

const STATUS: &str = "\
Exit status:
  0  all went well
  1  the pipeline could not be made, its run failed or did not pass `--audit`, `doctor` found a
     problem, or `heaps probe` no heap that fits
  2  the command line or the description is wrong
  128 + N  a second signal N ended the run at once

Environment:
  NO_COLOR       no colours in errors
  DMAFLOW_LOG    what is logged to standard error: error, warn (as without it), info, debug, trace
  DMAFLOW_CACHE  where it is kept which heaps devices take (~/.cache/dmaflow without it); empty:
                 nowhere";

const RUN_EXAMPLES: &str = "\
Examples:
  dmaflow run camera-to-display.toml                    until Ctrl-C
  dmaflow run camera-to-display.toml --for 10s
  dmaflow run camera-to-display.toml --frames 300 --json > report.json
  dmaflow run camera-to-display.toml --frames 300 --audit        is it really zero-copy?
  dmaflow run camera-to-display.toml --set camera.device=vivid --set screen.mode=1280x720@60
  dmaflow run wall.toml --set var.width=640             a value of [vars], wherever it is used
  dmaflow run 'v4l2-src device=/dev/video0 width=1280 height=720 ! kms-sink'
  dmaflow run 'v4l2-src name=t ! kms-sink  t. ! decimate every=30 ! picture-sink path=now.png'

A pipeline in a line: a stage is its kind and KEY=VALUEs, `!` links it to the next one, `name=`
names it, and `NAME.` begins a branch there or ends one in its input. docs/descriptions.md has all
kinds and keys.

How it goes is told once a second on standard error unless --quiet is given, the report at the end
on standard output.

Ctrl-C (SIGINT), SIGTERM and SIGHUP end a run in order: the camera stops, what is on its way is
shown, and the display is left as it was found. A second one ends it at once.";

const CHECK_EXAMPLES: &str = "\
Devices are opened, memory is allocated and imported, and the display tests a frame without
showing it: everything is done short of streaming.

Examples:
  dmaflow check camera-to-display.toml
  dmaflow check camera-to-display.toml --set camera.heap=system     would that do?
  dmaflow check camera-to-display.toml --fixture am62x-sk           would it on that board?
  dmaflow check camera-to-display.toml --explain                    what was tried, and what came of it

A fixture is what a board's drivers answer, read from their sources. There is one for am62x-sk,
am62a-sk, j721s2, rk3399, rk3568 and rk3588.";

#[derive(Parser)]
#[command(name = "dmaflow", version, about = "Runs zero-copy video pipelines", long_about = OVERVIEW)]
#[command(after_help = STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log more: -v for info, -vv for debug
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Cli {
    /// The command line of this process; ends it with what is wrong, or the help asked for.
    ///
    /// That of a run is read by its own rules alone: to make those of all other commands takes
    /// longer than everything up to the first device, and a display is waiting.
    pub(crate) fn read() -> Self {
        let is_run = std::env::args_os().nth(1).is_some_and(|word| word == "run");
        let run = is_run.then(|| RunCli::try_parse().ok()).flatten();
        run.map_or_else(Self::parse, Self::from)
    }
}

/// The command line of `dmaflow run`.
#[derive(Parser)]
#[command(disable_help_subcommand = true)]
struct RunCli {
    #[command(subcommand)]
    command: RunCommand,
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum RunCommand {
    Run(RunArgs),
}

impl From<RunCli> for Cli {
    fn from(RunCli { command, verbose }: RunCli) -> Self {
        let RunCommand::Run(args) = command;
        Self {
            command: Command::Run(args),
            verbose,
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline and report what happened: frames, drops, latency
    #[command(after_long_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Do everything short of streaming, and show what was chosen and why
    #[command(after_long_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Decode a file, and show it or write its pictures
    #[command(after_long_help = decode::EXAMPLES)]
    Decode(DecodeArgs),
    /// Encode a file of pictures, or what a pipeline makes, into a file
    #[command(after_long_help = record::ENCODE_EXAMPLES)]
    Encode(EncodeArgs),
    /// Record what a pipeline makes into a file
    #[command(after_long_help = record::RECORD_EXAMPLES)]
    Record(RecordArgs),
    /// List heaps, cameras, codecs and displays, with why one cannot be used
    #[command(after_long_help = devices::EXAMPLES)]
    Devices(DevicesArgs),
    /// List heaps with what they can give now; its subcommands watch and measure them
    #[command(after_long_help = heaps::EXAMPLES)]
    Heaps(HeapsArgs),
    /// Draw a description: SVG, DOT or Mermaid
    #[command(after_long_help = graph::EXAMPLES)]
    Graph(GraphArgs),
    /// Look at pipelines that run, and change them: queues, branches, controls, pictures
    #[command(after_long_help = ctl::EXAMPLES)]
    Ctl(CtlArgs),
    /// Show what is between sensors and video nodes: entities, pads, formats, links
    #[command(after_long_help = media::EXAMPLES)]
    Media(MediaArgs),
    /// Look for what keeps pipelines from running, and say what to do about it
    #[command(after_long_help = doctor::EXAMPLES)]
    Doctor(DoctorArgs),
    /// Put descriptions into the usual order and way of writing
    #[command(after_long_help = fmt::EXAMPLES)]
    Fmt(FmtArgs),
    /// Print the JSON Schema of descriptions, from which editors complete keys
    Schema,
    /// Write a completion script, as in: dmaflow completions bash > /etc/bash_completion.d/dmaflow
    Completions {
        /// For which shell
        shell: Shell,
    },
}

#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) description: DescriptionArgs,
    /// Stop after this time, as 500ms, 10s, 1.5m or 2h, whatever the file says
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) time: Option<Duration>,
    /// Stop after so many captured frames, whatever the file says
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub(crate) frames: Option<u64>,
    /// Prove afterwards that nothing was copied: which buffers passed each link (by inode), that
    /// the display has those the camera filled, what the CPU had of them, bounce buffers, minor
    /// faults; exit status 1 where that is not as promised. Some of it only root is told
    #[arg(long)]
    pub(crate) audit: bool,
    /// Write the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell nothing while it runs
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Make the socket for `dmaflow ctl` here, whatever the file says; and give each pool two
    /// frames for what it adds
    #[arg(long, value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
    /// Make no socket for `dmaflow ctl`
    #[arg(long, conflicts_with = "control")]
    pub(crate) no_control: bool,
}

#[derive(Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) description: DescriptionArgs,
    /// Open nothing: believe what is known of a board, by its name or from a file of one's own
    #[arg(long, value_name = "BOARD|FILE")]
    pub(crate) fixture: Option<String>,
    /// List all that was tried, in order, and what came of it
    #[arg(long, conflicts_with = "fixture")]
    pub(crate) explain: bool,
    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
