//! `dmaflow heaps serve`: nodes for heaps, until a signal comes.

mod compose;
mod plan;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use dmaflow_heaps::server::{Limits, Listener, Said, ServeError, Server, inherited, notify};
use dmaflow_heaps::{Shrinker, ShrinkerConfig};
use dmaflow_pipelines::description::serving::Serving;

use crate::failure::{Failure, with_causes};
use crate::output;
use crate::signals::Signals;
use plan::Plan;

pub(super) const EXAMPLES: &str = "\
FILE names heaps and who may have how much of them:

  [heap.camera]                  # the node /run/dmaflow/heaps/camera
  from = \"default_cma_region\"
  group = \"video\"
  budget = \"96MiB\"

  [heap.camera.quota]
  per-uid = \"64MiB\"

  [heap.camera.pool]             # keep freed buffers for reuse, until memory is short
  keep = \"64MiB\"

  [heap.scratch]
  from = \"carve-out\"           # a region set aside when the server starts
  size = \"64MiB\"

Whoever may write to a node opens it like one of the kernel's: `heap = \"/run/dmaflow/heaps/camera\"`
in a description, or `Heap::open` in a program. A client that dies gives back what it had.

Sockets that systemd made (dmaflow-heaps.socket) are taken over by the names of their nodes; nodes
that are missing are made. SIGINT, SIGTERM and SIGHUP end the server and remove the nodes it made.

Examples:
  dmaflow heaps serve heaps.toml
  dmaflow heaps serve heaps.toml --check      what would be served?";

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// What to lend, a TOML file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only read the file and open the heaps, and tell what would be served
    #[arg(long)]
    check: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::Pipeline(with_causes(&error))
    }
}

pub(super) fn serve(args: &ServeArgs) -> Result<(), Failure> {
    if args.check {
        let (plan, _server) = output::failing(args.json, plan(args))?;
        return if args.json {
            output::json(&plan.json())
        } else {
            output::result(plan.text().as_bytes())
        };
    }
    // Before anything else is opened, as they ask for.
    let sockets = output::failing(args.json, inherited().map_err(Failure::from))?;
    let signals = Signals::take()?;
    let (mut plan, server) = output::failing(args.json, start(args, sockets))?;
    let _shrinker = shrinker(&mut plan)?;
    let stop = server.stopper();
    signals.stop(move || stop.stop());
    // The nodes are there, so that whoever waits for the result may open them.
    if args.json {
        output::json(&plan.json())?;
    } else {
        output::tell(plan.text().trim_end());
    }
    tell_manager(Said::Ready);
    let outcome = server.run();
    tell_manager(Said::Stopping);
    Ok(outcome?)
}

/// Opens the heaps. The server is there before them: it has this process open as many files as
/// it may, and a pool that is to be warm needs some.
fn plan(args: &ServeArgs) -> Result<(Plan, Server), Failure> {
    let serving = Serving::load(&args.file)?;
    let default = Limits::default();
    let server = Server::new(Limits {
        connections: serving.connections.unwrap_or(default.connections),
        per_user: serving.connections_per_uid.unwrap_or(default.per_user),
    })?;
    Ok((Plan::new(&args.file, serving)?, server))
}

/// Makes the nodes. Nobody is answered yet; who connects waits.
fn start(
    args: &ServeArgs,
    mut sockets: Vec<(String, Listener)>,
) -> Result<(Plan, Server), Failure> {
    let (mut plan, mut server) = plan(args)?;
    let names: BTreeSet<_> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    if let Some((unknown, _)) = sockets
        .iter()
        .find(|(name, _)| !names.contains(name.as_str()))
    {
        return Err(Failure::Usage(format!(
            "a socket called `{unknown}` was passed, and {} has no `[heap.{unknown}]`; name \
             the descriptor after its heap (FileDescriptorName=)",
            args.file.display()
        )));
    }
    for node in &mut plan.nodes {
        let passed = sockets.iter().position(|(name, _)| *name == node.name);
        let listener = match passed {
            Some(at) => sockets.swap_remove(at).1,
            None => Listener::bind(&node.path, &node.access)?,
        };
        node.is_inherited = passed.is_some();
        node.path = listener.path().unwrap_or_default();
        server.add(node.heap.clone(), node.quotas, listener);
    }
    if let Some((name, _)) = sockets.first() {
        return Err(Failure::Usage(format!(
            "more than one socket called `{name}` was passed; pass one for each heap"
        )));
    }
    Ok((plan, server))
}

/// Has the pools, where there are any, give back what is idle when memory is short.
fn shrinker(plan: &mut Plan) -> Result<Option<Shrinker>, Failure> {
    let caches = plan.nodes.iter_mut().filter_map(|node| node.cache.take());
    let caches: Vec<_> = caches.collect();
    if caches.is_empty() {
        return Ok(None);
    }
    let shrinker = Shrinker::start(ShrinkerConfig::of_this_process())
        .map_err(|error| Failure::Pipeline(with_causes(&error)))?;
    for (cost, cache) in caches {
        shrinker.add(cost, cache);
    }
    Ok(Some(shrinker))
}

fn tell_manager(said: Said) {
    if let Err(error) = notify(said) {
        tracing::warn!(%error, "the service manager does not hear how far the server is");
    }
}
