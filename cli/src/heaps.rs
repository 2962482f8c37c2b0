//! `dmaflow heaps`: heaps, looked at more closely.

mod probe;

use clap::Subcommand;

use crate::failure::Failure;
use probe::ProbeArgs;

#[derive(Subcommand)]
pub(crate) enum HeapsCommand {
    /// Ask devices which heaps they take, and why not the others
    #[command(after_long_help = probe::EXAMPLES)]
    Probe(ProbeArgs),
}

pub(crate) fn heaps(command: &HeapsCommand) -> Result<(), Failure> {
    match command {
        HeapsCommand::Probe(args) => probe::probe(args),
    }
}
