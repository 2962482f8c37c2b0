//! `dmaflow graph`: a description as a drawing.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use dmaflow_pipelines::drawing::Drawing;
use dmaflow_pipelines::solver::Explanation;

use crate::check::prepare;
use crate::described::DescriptionArgs;
use crate::failure::Failure;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Stages and links are drawn as the description has them, and no device is opened; with --plan they
are negotiated first, as `dmaflow check` does, and what was agreed on is drawn as well.

Examples:
  dmaflow graph two-screens.toml -o two-screens.svg      a picture, light or dark as its reader likes
  dmaflow graph two-screens.toml --plan -o plan.svg      with heaps, formats, strides of this machine
  dmaflow graph two-screens.toml --mermaid               for a README: forges draw it
  dmaflow graph two-screens.toml | dot -Tpdf > it.pdf    laid out by Graphviz

Without --svg, --dot or --mermaid the ending of the -o file decides (.svg, .dot, .gv, .mmd); what
goes to standard output is DOT.";

#[derive(Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    description: DescriptionArgs,
    #[command(flatten)]
    format: FormatArgs,
    /// Negotiate first, and draw what the devices agreed on
    #[arg(long)]
    plan: bool,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// In which language a drawing is written.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct FormatArgs {
    /// Write SVG, laid out already
    #[arg(long)]
    svg: bool,
    /// Write DOT, Graphviz's language
    #[arg(long)]
    dot: bool,
    /// Write Mermaid, which forges and documentation tools draw
    #[arg(long)]
    mermaid: bool,
}

pub(crate) type Format = fn(&Drawing) -> String;

pub(crate) fn graph(args: &GraphArgs) -> Result<(), Failure> {
    let format = args.format.chosen(args.output.as_deref())?;
    let format = format.unwrap_or(Drawing::to_dot);
    let description = args.description.load()?;
    let title = args.description.title();
    let drawing = if args.plan {
        let pipeline = prepare(&description, &mut Explanation::default())?;
        description.planned(title, pipeline.agreement())
    } else {
        description.drawing(title)
    };
    write(&format(&drawing), args.output.as_deref())
}

/// Writes a drawing to a file or to standard output.
pub(crate) fn write(text: &str, path: Option<&Path>) -> Result<(), Failure> {
    match path {
        Some(path) => fs::write(path, text)
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display()))),
        None => output::result(text.as_bytes()),
    }
}

impl FormatArgs {
    /// What was asked for, or what the ending of the file says; `None` with neither.
    pub(crate) fn chosen(&self, path: Option<&Path>) -> Result<Option<Format>, Failure> {
        let Self { svg, dot, mermaid } = *self;
        if svg {
            return Ok(Some(Drawing::to_svg));
        }
        if dot {
            return Ok(Some(Drawing::to_dot));
        }
        if mermaid {
            return Ok(Some(Drawing::to_mermaid));
        }
        let Some(path) = path else {
            return Ok(None);
        };
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("svg") => Ok(Some(Drawing::to_svg)),
            Some("dot" | "gv") => Ok(Some(Drawing::to_dot)),
            Some("mmd" | "mermaid") => Ok(Some(Drawing::to_mermaid)),
            _ => Err(Failure::Usage(format!(
                "which format is {} to have? Its ending is none of .svg, .dot, .gv and .mmd: \
                 choose one with --svg, --dot or --mermaid",
                path.display()
            ))),
        }
    }
}
