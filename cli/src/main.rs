//! The program `dmaflow`: runs, checks and lists zero-copy video pipelines.
//!
//! Each command writes its result to standard output in one go; what is said while a pipeline
//! runs, logs and errors go to standard error.

mod args;
mod audit;
mod check;
mod ctl;
mod decode;
mod described;
mod devices;
mod doctor;
mod failure;
mod files;
mod fmt;
mod graph;
mod heaps;
mod log;
mod media;
mod memory;
mod node;
mod numbers;
mod output;
mod progress;
mod record;
mod registry;
mod report;
mod run;
mod signals;
mod status;
mod sys;
mod table;

use std::process::ExitCode;

use clap::CommandFactory;
use dmaflow_core::time::Clock;

use args::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    let began = Clock::Monotonic.now();
    let cli = Cli::read();
    let outcome = log::start(cli.verbose).and_then(|()| command(cli.command, began));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::tell(&failure.render(output::colours()));
            failure.exit_code()
        }
    }
}

fn command(command: Command, began: dmaflow_core::time::Timestamp) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(&args, began),
        Command::Check(args) => check::check(&args),
        Command::Decode(args) => decode::decode(&args, began),
        Command::Encode(args) => record::encode(&args, began),
        Command::Record(args) => record::record(&args, began),
        Command::Devices(args) => devices::devices(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Heaps(args) => heaps::heaps(args),
        Command::Ctl(args) => ctl::ctl(args),
        Command::Media(args) => media::media(&args),
        Command::Graph(args) => graph::graph(&args),
        Command::Fmt(args) => fmt::fmt(&args),
        Command::Schema => output::json(&dmaflow_pipelines::description::schema()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "dmaflow", &mut script);
            output::result(&script)
        }
    }
}
