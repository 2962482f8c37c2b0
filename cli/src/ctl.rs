//! `dmaflow ctl`: looks at pipelines that run and changes them.

mod client;
pub(crate) mod sockets;
mod text;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use dmaflow_pipelines::QueuePolicy;
use dmaflow_pipelines::control::protocol::{NewStage, Request, Value};
use dmaflow_pipelines::control::{LinkName, Picture, State, Statistics};
use dmaflow_pipelines::drawing::Drawing;
use serde_json::{Value as Json, json};

use crate::failure::Failure;
use crate::graph::{self, FormatArgs};
use crate::output;
use client::{Client, Lost};

pub(crate) const EXAMPLES: &str = "\
`dmaflow run` makes a socket for each pipeline, $XDG_RUNTIME_DIR/dmaflow/PID.sock, or where the
description's key `control` or --control says. With one pipeline running it need not be named.

Examples:
  dmaflow ctl list                               what runs
  dmaflow ctl state                              stages, links, pools
  dmaflow ctl 4711 stats --watch                 rates and drops of process 4711, once a second
  dmaflow ctl set camera.brightness=140
  dmaflow ctl queue 'camera->screen' fifo:3      or latest, fifo, block:N
  dmaflow ctl select switch camera-2             which input a selector passes on
  dmaflow ctl add 'picture-sink path=/tmp/{n}.png every=30' --from camera
  dmaflow ctl drop 'camera->picture-sink'
  dmaflow ctl snapshot camera now.png            the next frame, as a picture
  dmaflow ctl graph -o now.svg                   a drawing with rates and drops
  dmaflow ctl /run/wall.sock stop                as Ctrl-C does

What is changed holds until the run ends. To add a sink the pools need frames to spare: the key
`control` in the description, or --control, gives each two.

Exit status: 0 it was done; 1 the pipeline refused, or is none; 2 the command line is wrong, or
several run and none was named.";

#[derive(Args)]
pub(crate) struct CtlArgs {
    /// Which pipeline: the path of its socket, or the number of its process
    #[arg(value_name = "SOCKET|PID")]
    target: Option<String>,
    #[command(subcommand)]
    command: CtlCommand,
    /// Write JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum CtlCommand {
    /// List the pipelines that run
    List,
    /// Show stages, links and pools
    State,
    /// Show what passes the links: rates and drops
    Stats {
        /// Go on, once a second, until the pipeline ends
        #[arg(short, long)]
        watch: bool,
    },
    /// Set a control of a camera or converter, while it streams
    Set {
        /// The stage, the control's name and its value, as in camera.brightness=140
        #[arg(value_name = "STAGE.CONTROL=VALUE", value_parser = assignment)]
        assignment: Assignment,
    },
    /// Have a link keep frames by another rule
    Queue {
        /// The link, by the stages where it begins and ends
        #[arg(value_name = "FROM->TO")]
        link: LinkName,
        /// latest, fifo, fifo:N or block:N
        queue: QueuePolicy,
    },
    /// Have a selector pass on another input
    Select {
        /// The selector
        stage: String,
        /// The input: the stage that leads there, or its number from 0
        input: String,
    },
    /// Lead a stage's frames to one more sink
    Add {
        /// The sink, as in a pipeline in a line: its kind and key=value; relative paths in it
        /// begin where the pipeline was started
        #[arg(required = true, value_name = "SINK")]
        sink: Vec<String>,
        /// The stage whose frames it gets
        #[arg(long, value_name = "STAGE")]
        from: String,
    },
    /// End a link, and the stages to which no other leads
    Drop {
        /// The link, by the stages where it begins and ends
        #[arg(value_name = "FROM->TO")]
        link: LinkName,
    },
    /// Write the next frame of a stage as a PNG file
    Snapshot {
        /// The stage that makes, passes on or shows the frame
        stage: String,
        /// The file; `{n}` in its name becomes the frame's number
        file: PathBuf,
    },
    /// Draw it as it runs: SVG, DOT or Mermaid
    Graph {
        #[command(flatten)]
        format: FormatArgs,
        /// Write to this file instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// End the run in order
    Stop,
}

/// A control, and what it is to be.
#[derive(Clone)]
struct Assignment {
    stage: String,
    control: String,
    value: Value,
}

fn assignment(text: &str) -> Result<Assignment, String> {
    const WANTED: &str = "a control is written STAGE.CONTROL=VALUE, as in camera.brightness=140";
    let (name, value) = text.split_once('=').ok_or(WANTED)?;
    let (stage, control) = name.split_once('.').ok_or(WANTED)?;
    if stage.is_empty() || control.is_empty() {
        return Err(WANTED.to_owned());
    }
    let number = value.parse().ok().map(Value::Integer);
    let on = value.parse().ok().map(Value::Boolean);
    Ok(Assignment {
        stage: stage.to_owned(),
        control: control.to_owned(),
        value: number
            .or(on)
            .unwrap_or_else(|| Value::Text(value.to_owned())),
    })
}

/// How far two looks are apart.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) fn ctl(args: CtlArgs) -> Result<(), Failure> {
    if let CtlCommand::List = args.command {
        return list(args.json);
    }
    let path = sockets::find(args.target.as_deref())?;
    let mut client = Client::connect(&path)?;
    let json = args.json;
    let request = match args.command {
        CtlCommand::List => return Ok(()),
        CtlCommand::State => {
            let state: Json = client.ask(&Request::State {})?;
            return if json {
                output::json(&state)
            } else {
                output::result(text::state(&client::read::<State>(state)?).as_bytes())
            };
        }
        CtlCommand::Stats { watch } => return stats(&mut client, watch, json),
        CtlCommand::Graph { format, output } => {
            return draw(&mut client, &path, &format, output.as_deref());
        }
        CtlCommand::Add { sink, from } => {
            let sink = sink.join(" ");
            let added: NewStage = client.ask(&Request::Add { from, sink })?;
            return done(json, &json!(added), &format!("added {}", added.stage));
        }
        CtlCommand::Snapshot { stage, file } => {
            let path = std::path::absolute(&file).map_err(|error| {
                Failure::Usage(format!("where is {} to be? {error}", file.display()))
            })?;
            let picture: Picture = client.ask(&Request::Snapshot { stage, path })?;
            let told = format!(
                "frame {} is in {}, {}×{}",
                picture.sequence,
                picture.path.display(),
                picture.width,
                picture.height
            );
            return done(json, &json!(picture), &told);
        }
        CtlCommand::Set { assignment } => Request::Set {
            stage: assignment.stage,
            control: assignment.control,
            value: assignment.value,
        },
        CtlCommand::Queue { link, queue } => Request::Queue { link, queue },
        CtlCommand::Select { stage, input } => Request::Select { stage, input },
        CtlCommand::Drop { link } => Request::Drop { link },
        CtlCommand::Stop => Request::Stop {},
    };
    let told: Json = client.ask(&request)?;
    done(json, &told, "")
}

/// Says that it was done, where there is something to say.
fn done(json: bool, told: &Json, text: &str) -> Result<(), Failure> {
    if json {
        return output::json(told);
    }
    match text {
        "" => Ok(()),
        text => output::result(format!("{text}\n").as_bytes()),
    }
}

/// Rates need two looks, a second apart; or one more each second.
fn stats(client: &mut Client, watch: bool, json: bool) -> Result<(), Failure> {
    let (mut looked, mut refused) = (false, false);
    loop {
        match client.try_ask::<Json>(&Request::Stats {}) {
            Ok(seen) => {
                refused = false;
                if std::mem::replace(&mut looked, true) {
                    tell_statistics(seen, watch, json)?;
                    if !watch {
                        return Ok(());
                    }
                }
            }
            // The run has ended.
            Err(Lost::Gone) if watch && looked => return Ok(()),
            // It waits to be made anew.
            Err(Lost::Refused(reason)) if watch => {
                if !std::mem::replace(&mut refused, true) {
                    output::tell(&reason);
                }
            }
            Err(lost) => return Err(lost.into()),
        }
        thread::sleep(LOOK);
    }
}

/// To programs that watch, a line a look.
fn tell_statistics(seen: Json, watch: bool, json: bool) -> Result<(), Failure> {
    if json && watch {
        output::result(format!("{seen}\n").as_bytes())
    } else if json {
        output::json(&seen)
    } else {
        let seen: Statistics = client::read(seen)?;
        output::result(text::statistics(&seen).as_bytes())
    }
}

fn draw(
    client: &mut Client,
    path: &Path,
    format: &FormatArgs,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let format = format.chosen(output)?.unwrap_or(Drawing::to_dot);
    let _first: Json = client.ask(&Request::Stats {})?;
    thread::sleep(LOOK);
    let seen: Statistics = client.ask(&Request::Stats {})?;
    let state: State = client.ask(&Request::State {})?;
    let title = format!("{} after {:.0} s", sockets::title(path), state.elapsed_s);
    graph::write(&format(&Drawing::of_run(title, &state, &seen)), output)
}

fn list(json: bool) -> Result<(), Failure> {
    let running: Vec<_> = sockets::running()
        .into_iter()
        .map(|(pid, path)| {
            let state =
                Client::connect(&path).map(|mut client| client.ask::<State>(&Request::State {}));
            (pid, path, state.and_then(|state| state).ok())
        })
        .collect();
    if json {
        let listed = running
            .iter()
            .map(|(pid, path, state)| json!({ "pid": pid, "socket": path, "state": state }));
        return output::json(&listed.collect());
    }
    output::result(text::list(&running).as_bytes())
}
