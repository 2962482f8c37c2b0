//! `dmaflow graph`: a description as a drawing.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use dmaflow_pipelines::drawing::Drawing;

use crate::described::DescriptionArgs;
use crate::failure::Failure;
use crate::output;

pub(crate) const EXAMPLES: &str = "\
Stages and links are drawn as the description has them; no device is opened.

Examples:
  dmaflow graph two-screens.toml -o two-screens.svg      a picture, light or dark as its reader likes
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
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args)]
#[group(multiple = false)]
struct FormatArgs {
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

type Format = fn(&Drawing) -> String;

pub(crate) fn graph(args: &GraphArgs) -> Result<(), Failure> {
    let format = args.format()?;
    let drawing = args.description.load()?.drawing(args.description.title());
    let text = format(&drawing);
    match &args.output {
        Some(path) => fs::write(path, text)
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display()))),
        None => output::result(text.as_bytes()),
    }
}

impl GraphArgs {
    fn format(&self) -> Result<Format, Failure> {
        let FormatArgs { svg, dot, mermaid } = self.format;
        if svg {
            return Ok(Drawing::to_svg);
        }
        if dot {
            return Ok(Drawing::to_dot);
        }
        if mermaid {
            return Ok(Drawing::to_mermaid);
        }
        let Some(path) = &self.output else {
            return Ok(Drawing::to_dot);
        };
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("svg") => Ok(Drawing::to_svg),
            Some("dot" | "gv") => Ok(Drawing::to_dot),
            Some("mmd" | "mermaid") => Ok(Drawing::to_mermaid),
            _ => Err(Failure::Usage(format!(
                "which format is {} to have? Its ending is none of .svg, .dot, .gv and .mmd: \
                 choose one with --svg, --dot or --mermaid",
                path.display()
            ))),
        }
    }
}
