//! Builds, boots, tests and benchmarks dmaflow: `cargo xtask`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people to read"
)]

mod bench;
mod capi;
mod cargo;
mod debian;
mod demo;
mod initramfs;
mod job;
mod kernel;
mod measure;
mod monitor;
mod output;
mod packages;
mod profile;
mod qemu;
mod report;
mod streams;
mod suite;
mod vm;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use kernel::Choice;
use packages::{Purpose, ensure_installed};
use profile::Profile;
use vm::{Boot, Ending, Screenshot};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Builds, boots, tests and benchmarks dmaflow"
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs a command on the virtual board, as root, with this machine's programs
    Vm(VmArgs),
    /// Camera to display, on this machine's devices or on the virtual board
    Demo,
    /// Everything: layout, lints, documentation, tests here and on the board
    Test(TestArgs),
    /// Compares dmaflow with the least there can be and with its alternatives
    Bench {
        /// Only this part; may be repeated
        #[arg(long)]
        only: Vec<bench::Part>,
    },
    /// Compiles the board's kernels, or fetches Debian's, into the cache
    Kernel(KernelArgs),
    /// Makes the streams that decoders are tested with, and says where they are
    Streams,
    /// Installs every Debian package that any task needs
    Setup,
    /// Writes the C header from the source of the C interface
    Header,
    /// Installs the library for C, its header and its pkg-config file
    InstallCapi(capi::InstallArgs),
    /// Runs a command and writes what it cost, as JSON
    #[command(hide = true)]
    Measure {
        /// Where to write it
        #[arg(long)]
        report: PathBuf,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

#[derive(Args)]
struct TestArgs {
    /// One board only: the first kernel with profile pc
    #[arg(long)]
    quick: bool,
    /// A kernel to test on; may be repeated
    #[arg(long, default_values = ["newest", "6.12"])]
    kernel: Vec<Choice>,
}

#[derive(Args)]
struct KernelArgs {
    /// newest, a version such as 6.12, or stock; may be repeated
    #[arg(long, default_values = ["newest", "6.12"])]
    version: Vec<Choice>,
}

#[derive(Args)]
struct VmArgs {
    /// stock, built (newest), a version such as 6.12, or a directory
    #[arg(long, default_value = "built")]
    kernel: Choice,
    /// A file in testbed/profiles, without its ending
    #[arg(long, default_value = "pc")]
    profile: String,
    /// Write what the monitor shows to this PNG
    #[arg(long, value_name = "FILE")]
    screenshot: Option<PathBuf>,
    /// When to take it, from the command's start; at its end if not given
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "screenshot")]
    screenshot_after: Option<Duration>,
    /// Stop the board after this time, such as 90s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    timeout: Duration,
    /// The board's memory in MiB; the profile's own if not given
    #[arg(long, value_name = "MIB")]
    memory: Option<u32>,
    /// Have the board's clock count instructions: times do not tell how busy this machine is
    #[arg(long)]
    counted: bool,
    /// The guest's /results, also for the logs; target/vm/PROFILE if not given
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// A variable for the command, K=V; may be repeated
    #[arg(long, value_name = "K=V", value_parser = variable)]
    env: Vec<(String, String)>,
    /// What to run
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let task = Cli::parse().command;
    // A command's status is passed on; ours must not look like one.
    let failure = if matches!(task, Task::Vm(_)) { 125 } else { 1 };
    let result = match task {
        Task::Vm(args) => vm(&args),
        Task::Demo => demo::demo().map(|()| 0),
        Task::Test(args) => suite::test(args.quick, &args.kernel).map(|passed| u8::from(!passed)),
        Task::Bench { only } => bench::bench(&only).map(|()| 0),
        Task::Measure { report, command } => measure::measure(&report, &command),
        Task::Kernel(args) => kernels(&args).map(|()| 0),
        Task::Header => workspace::root()
            .and_then(|root| capi::header(&root))
            .map(|()| 0),
        Task::InstallCapi(args) => workspace::root()
            .and_then(|root| capi::install(&root, &args))
            .map(|()| 0),
        Task::Streams => workspace::root()
            .and_then(|root| streams::made(&root))
            .map(|directory| {
                println!("{}", directory.display());
                0
            }),
        Task::Setup => ensure_installed(&Purpose::ALL).map(|()| 0),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(failure)
        }
    }
}

fn kernels(args: &KernelArgs) -> Result<()> {
    let root = workspace::root()?;
    for choice in &args.version {
        let kernel = choice.kernel(&root)?;
        println!("{} in {}", kernel.release, kernel.directory.display());
    }
    Ok(())
}

fn vm(args: &VmArgs) -> Result<u8> {
    let root = workspace::root()?;
    let profile = Profile::load(&root, &args.profile)?;
    vm::ensure_possible()?;
    let kernel = args.kernel.kernel(&root)?;
    let (results, _held) = results_folder(&root, args.results.as_deref(), &profile.name)?;
    let ending = Boot {
        root: &root,
        kernel: &kernel,
        profile: &profile,
        memory: args.memory,
        counted: args.counted,
        results: &results,
        environment: &args.env,
        time_limit: args.timeout,
        screenshot: args.screenshot.clone().map(|file| Screenshot {
            file,
            after: args.screenshot_after,
        }),
        command: &args.command,
    }
    .run(Box::new(std::io::stdout()))?;
    if !matches!(ending, Ending::Exited(_)) {
        let advice = match ending {
            Ending::TimeLimit(_) => "; --timeout sets another",
            _ => "",
        };
        eprintln!(
            "error: {ending}{advice}\n  the kernel's log: {}",
            results.join(vm::KERNEL_LOG).display()
        );
    }
    Ok(ending.code())
}

/// The results folder and a hold on it.
fn results_folder(
    root: &Path,
    asked: Option<&Path>,
    profile: &str,
) -> Result<(PathBuf, impl Drop + use<>)> {
    if let Some(directory) = asked {
        let directory = std::path::absolute(directory)?;
        let held = workspace::claim(&directory)?;
        return Ok((directory, held));
    }
    let base = workspace::target(root).join("vm");
    for number in 1.. {
        let directory = match number {
            1 => base.join(profile),
            _ => base.join(format!("{profile}-{number}")),
        };
        if let Some(held) = workspace::try_claim(&directory)? {
            return Ok((directory, held));
        }
    }
    bail!("no results folder is free under {}", base.display())
}

fn variable(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => bail!("expected K=V"),
    }
}

/// Reads `90s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits
        .parse()
        .context("expected a number and a unit, such as 90s")?;
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => bail!("the units are s, m and h"),
    };
    Ok(Duration::from_secs(number * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(duration("5m").unwrap(), Duration::from_secs(300));
        assert!(duration("5d").is_err());
        assert!(duration("m").is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
