//! `dmaflow heaps`: what concerns heaps alone.

mod serve;

use clap::Subcommand;

use crate::failure::Failure;
use serve::ServeArgs;

#[derive(Subcommand)]
pub(crate) enum Heaps {
    /// Lend heaps to other processes, each through a node of its own
    #[command(after_long_help = serve::EXAMPLES)]
    Serve(ServeArgs),
}

pub(crate) fn heaps(command: &Heaps) -> Result<(), Failure> {
    match command {
        Heaps::Serve(args) => serve::serve(args),
    }
}
