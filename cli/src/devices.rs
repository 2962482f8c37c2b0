//! `dmaflow devices`: what this machine has, and why something cannot be used.

mod codecs;
mod conversions;
mod displays;
mod video;

use clap::{Args, ValueEnum};
use dmaflow_v4l2::Function;
use serde_json::json;

use crate::failure::Failure;
use crate::heaps::listing;
use crate::output;
use crate::table::{self, Row};

const CAMERAS: [Function; 1] = [Function::Camera];
const CONVERTERS: [Function; 1] = [Function::Converter];
const CODECS: [Function; 3] = [
    Function::Encoder,
    Function::Decoder,
    Function::StatelessDecoder,
];

pub(crate) const EXAMPLES: &str = "\
Examples:
  dmaflow devices                        heaps, cameras, converters, codecs, displays: a line each
  dmaflow devices codecs                 each codec with its formats, profiles, levels, sizes, rates
                                         and controls, as far as its driver lists them
  dmaflow devices codecs --json

A codec's device is asked for in descriptions (`device=`) and by --device of `dmaflow decode`,
`encode` and `record`: by its node, card name, driver or bus address.";

#[derive(Args)]
pub(crate) struct DevicesArgs {
    /// Tell more of these alone
    #[arg(value_enum)]
    what: Option<What>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// What is told of alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Each codec with all that its driver lists
    Codecs,
}

/// What to say where there is nothing to list.
struct Section {
    title: &'static str,
    empty: &'static str,
    rows: Vec<Row>,
}

pub(crate) fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    let json = args.json;
    if args.what == Some(What::Codecs) {
        let found = dmaflow_codecs::codecs();
        return match json {
            true => output::json(&codecs::json(&found)),
            false => output::result(codecs::text(&found).as_bytes()),
        };
    }
    let registry = dmaflow_heaps::registry();
    let videos = video::look();
    let cards = dmaflow_kms_sink::displays();
    if json {
        let mut converters = video::json(&videos, &CONVERTERS);
        conversions::add(&mut converters, &dmaflow_codecs::converters());
        return output::json(&json!({
            "heaps": listing::json(&registry),
            "cameras": video::json(&videos, &CAMERAS),
            "converters": converters,
            "codecs": video::json(&videos, &CODECS),
            "displays": displays::json(&cards),
        }));
    }
    let sections = [
        Section {
            title: "heaps",
            empty: "none",
            rows: listing::rows(&registry),
        },
        Section {
            title: "cameras",
            empty: "none: no /dev/video* captures (is a driver loaded?); `test-src` is built in",
            rows: video::rows(&videos, &CAMERAS),
        },
        Section {
            title: "converters",
            empty: "none",
            rows: video::rows(&videos, &CONVERTERS),
        },
        Section {
            title: "codecs",
            empty: "none",
            rows: video::rows(&videos, &CODECS),
        },
        Section {
            title: "displays",
            empty: "none: no /dev/dri/card* (is a driver loaded?); `picture-sink` is built in",
            rows: displays::rows(&cards),
        },
    ];
    let mut text = String::new();
    for Section { title, empty, rows } in sections {
        text.push_str(title);
        text.push('\n');
        if rows.is_empty() {
            text.push_str(&format!("  {empty}\n"));
        }
        text.push_str(&table::aligned(&rows));
    }
    output::result(text.as_bytes())
}
