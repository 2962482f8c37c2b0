//! `dmaflow fmt`: descriptions in the usual order and way of writing.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use dmaflow_pipelines::description::{self, Description};

use crate::failure::Failure;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Keys stand in the order of docs/descriptions.md, tables in the order variables, defaults, stages as
the links name them, limits. Comments stay with what they stand above or behind, and blank lines
where nothing moved. A list whose last item has a comma behind it keeps a line for each item. What
a file says is never changed.

Examples:
  dmaflow fmt camera-to-display.toml
  dmaflow fmt --check pipelines/*.toml      exit status 1 where something would change
  dmaflow fmt - < draft.toml                from standard input to standard output";

#[derive(Args)]
pub(crate) struct FmtArgs {
    /// The descriptions; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Change nothing, tell which files would be changed
    #[arg(long)]
    check: bool,
}

pub(crate) fn fmt(args: &FmtArgs) -> Result<(), Failure> {
    let mut others = String::new();
    for file in &args.files {
        let is_input = file == Path::new("-");
        let text = if is_input {
            input()?
        } else {
            Description::text(file)?
        };
        let name = if is_input {
            Path::new("standard input")
        } else {
            file
        };
        let formatted = description::format(&text, &name.display().to_string())?;
        if args.check {
            if formatted != text {
                others.push_str(&format!("{}\n", name.display()));
            }
        } else if is_input {
            output::result(formatted.as_bytes())?;
        } else if formatted != text {
            fs::write(file, formatted).map_err(|error| {
                Failure::Usage(format!("cannot write {}: {error}", file.display()))
            })?;
        }
    }
    if others.is_empty() {
        return Ok(());
    }
    output::result(others.as_bytes())?;
    Err(Failure::Found)
}

fn input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failure::Usage(format!("cannot read standard input: {error}")))?;
    Ok(text)
}
