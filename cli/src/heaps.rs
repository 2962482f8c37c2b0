//! `dmaflow heaps`: what they are, what they hold, what they cost.

mod bench;
mod largest;
mod list;
pub(crate) mod listing;
mod probe;
mod serve;
mod stat;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
The longest buffer that a contiguous heap can give now is tried: buffers are allocated and given
back at once, a few times and for a second at most. Of scattered memory it is an estimate, what
the kernel calls available; trying would take the whole machine's memory.

Examples:
  dmaflow heaps
  dmaflow heaps --no-try --json
  dmaflow heaps stat --watch
  dmaflow heaps bench --quick";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct HeapsArgs {
    #[command(subcommand)]
    command: Option<HeapsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Subcommand)]
enum HeapsCommand {
    /// List heaps: properties, permissions, the longest buffer each can give now
    #[command(after_long_help = EXAMPLES)]
    List(list::ListArgs),
    /// Tell which dma-bufs there are: whose, how long, from where
    #[command(after_long_help = stat::EXAMPLES)]
    Stat(stat::StatArgs),
    /// Measure what a buffer costs, from the bare ioctl up
    #[command(after_long_help = bench::EXAMPLES)]
    Bench(bench::BenchArgs),
    /// Ask devices which heaps they take, and why not the others
    #[command(after_long_help = probe::EXAMPLES)]
    Probe(probe::ProbeArgs),
    /// Lend heaps to other processes, each through a node of its own
    #[command(after_long_help = serve::EXAMPLES)]
    Serve(serve::ServeArgs),
}

pub(crate) fn heaps(args: HeapsArgs) -> Result<(), Failure> {
    match args.command {
        None => list::list(&args.list),
        Some(HeapsCommand::List(args)) => list::list(&args),
        Some(HeapsCommand::Stat(args)) => stat::stat(&args),
        Some(HeapsCommand::Bench(args)) => output::failing(args.json, bench::bench(&args)),
        Some(HeapsCommand::Probe(args)) => probe::probe(&args),
        Some(HeapsCommand::Serve(args)) => serve::serve(&args),
    }
}
