//! `dmaflow media`: what is between sensors and video nodes.

mod draw;
mod look;
mod text;

use std::path::PathBuf;

use clap::Args;

use crate::failure::{Failure, with_causes};
use crate::graph::{self, FormatArgs};
use crate::output;
use look::Look;

pub(crate) const EXAMPLES: &str = "\
Behind many a video node there is a graph: a sensor, a receiver, a debayer, a scaler, each an
entity with pads, where pictures enter (in) and leave (out). Each pad has a format, and a link
between two pads is enabled or not. `v4l2-src` sets them up as it needs them and puts them back;
what it does by itself can be set by hand in a description, with the names shown here.

DEVICE is a media node, a video node, or the name of a driver, model or bus; all without it.

Examples:
  dmaflow media                            all graphs
  dmaflow media /dev/video0                the one this node belongs to
  dmaflow media rkisp1 --json              for programs
  dmaflow media vimc -o vimc.svg           a drawing; or .dot, or .mmd for Mermaid

Links, as they are written:
  → Scaler:0            enabled
  → Scaler:0 (off)      not enabled, and could be
  → Scaler:0 (fixed)    enabled, and nobody can change that";

#[derive(Args)]
pub(crate) struct MediaArgs {
    /// Which media device; all without it
    device: Option<String>,
    /// Write JSON
    #[arg(long, conflicts_with_all = ["svg", "dot", "mermaid", "output"])]
    json: bool,
    #[command(flatten)]
    format: FormatArgs,
    /// Write a drawing to this file, in the format of its ending
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn media(args: &MediaArgs) -> Result<(), Failure> {
    let path = args.output.as_deref();
    let format = args.format.chosen(path)?;
    let (looks, refused) = match &args.device {
        Some(device) => {
            let look = Look::at(device);
            let look = look.map_err(|error| Failure::Pipeline(with_causes(&error)))?;
            (vec![look], Vec::new())
        }
        None => look::all(),
    };
    if let Some(format) = format {
        // A drawing has no place for them.
        for refusal in &refused {
            output::tell(&format!("not drawn: {refusal}"));
        }
        return graph::write(&format(&draw::drawing(&looks)), path);
    }
    if args.json {
        return output::json(&look::json(&looks, &refused));
    }
    output::result(text::text(&looks, &refused).as_bytes())
}
