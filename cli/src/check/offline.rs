//! `dmaflow check --fixture`: what the devices of a board that is not there would agree on.

use std::path::Path;

use dmaflow_core::format::Format;
use dmaflow_pipelines::fixture::{Fixture, FixtureError, UnknownFixture};
use dmaflow_pipelines::solver::{Plan, PoolPlan, PortId};
use serde_json::{Value, json};

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output;
use crate::table::{Row, aligned};

pub(super) fn check(args: &CheckArgs, board: &str) -> Result<(), Failure> {
    let fixture = output::failing(args.json, fixture(board))?;
    let plan = output::failing(args.json, plan(args, &fixture))?;
    if args.json {
        output::json(&json(&fixture, &plan))
    } else {
        output::result(text(&fixture, &plan).as_bytes())
    }
}

/// What looks like a file is one.
fn fixture(board: &str) -> Result<Fixture, Failure> {
    let path = Path::new(board);
    if path.extension().is_some() || path.components().count() > 1 {
        return Fixture::load(path).map_err(|error| {
            Failure::Usage(match &error {
                FixtureError::Read { source, .. } => format!("{error}: {source}"),
                _ => error.to_string(),
            })
        });
    }
    Fixture::named(board).map_err(|error: UnknownFixture| Failure::Usage(error.to_string()))
}

fn plan(args: &CheckArgs, fixture: &Fixture) -> Result<Plan, Failure> {
    let description = args.description.load()?;
    fixture
        .plan(&description)
        .map_err(|misfit| Failure::Pipeline(misfit.to_string()))
}

fn name(plan: &Plan, port: PortId) -> &str {
    &plan.problem.node(plan.problem.port(port).node).name
}

/// The stages that use a pool's frames, each once.
fn users<'p>(plan: &'p Plan, pool: &PoolPlan) -> Vec<&'p str> {
    let producer = name(plan, pool.producer);
    let mut users: Vec<&str> = Vec::new();
    for user in pool.users.iter().map(|port| name(plan, *port)) {
        if user != producer && !users.contains(&user) {
            users.push(user);
        }
    }
    users
}

fn heap<'f>(fixture: &'f Fixture, pool: &PoolPlan) -> &'f str {
    let heap = fixture.heaps().nth(pool.heap.index());
    heap.map_or("", |heap| &heap.info.name)
}

fn text(fixture: &Fixture, plan: &Plan) -> String {
    let mut heads = String::new();
    for pool in &plan.pools {
        heads.push_str(&format!(
            "{} ──▶ {}   {}, {} buffers of heap {}\n",
            name(plan, pool.producer),
            users(plan, pool).join(", "),
            pool.placement,
            pool.buffers,
            heap(fixture, pool),
        ));
    }
    let row = |first: &str, second: String| Row::Cells(vec![first.to_owned(), second]);
    let mut rows = vec![
        row("board", fixture.board.clone()),
        row(
            "opened",
            format!(
                "nothing: the sources of Linux {} tell what drivers answer",
                fixture.kernel
            ),
        ),
    ];
    rows.extend(plan.inserted.iter().map(|inserted| {
        let converter = &plan.problem.node(inserted.node).name;
        row("put in", format!("{converter}: {}", inserted.reason))
    }));
    format!("{heads}{}", aligned(&rows))
}

fn json(fixture: &Fixture, plan: &Plan) -> Value {
    let pools = plan.pools.iter().map(|pool| {
        let terms = &pool.placement.terms;
        let strides = pool.placement.planes.iter().map(|plane| plane.stride);
        json!({
            "stage": name(plan, pool.producer),
            "users": users(plan, pool),
            "format": Format::name(terms.format),
            "modifier": terms.modifier.to_string(),
            "width": terms.width,
            "height": terms.height,
            "strides": strides.collect::<Vec<_>>(),
            "rate": terms.rate.map(|rate| rate.per_second()),
            "heap": heap(fixture, pool),
            "buffers": pool.buffers,
        })
    });
    let inserted = plan.inserted.iter().map(|inserted| {
        json!({
            "converter": plan.problem.node(inserted.node).name,
            "reason": inserted.reason,
        })
    });
    json!({
        "board": fixture.board,
        "kernel": fixture.kernel,
        "pools": pools.collect::<Vec<_>>(),
        "inserted": inserted.collect::<Vec<_>>(),
    })
}
