//! `dmaflow heaps`: what they are, what they hold, what they cost.

mod bench;
mod probe;
mod serve;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct HeapsArgs {
    #[command(subcommand)]
    command: Option<HeapsCommand>,
}

#[derive(Subcommand)]
enum HeapsCommand {
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
        None => Ok(()),
        Some(HeapsCommand::Bench(args)) => output::failing(args.json, bench::bench(&args)),
        Some(HeapsCommand::Probe(args)) => probe::probe(&args),
        Some(HeapsCommand::Serve(args)) => serve::serve(&args),
    }
}
