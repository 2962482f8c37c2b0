//! What a pipeline tells of itself, for people.

use std::path::PathBuf;

use dmaflow_pipelines::control::{StageState, State, Statistics};

use crate::numbers::{counted, grouped};
use crate::table::{Row, aligned};

pub(super) fn list(running: &[(u32, PathBuf, Option<State>)]) -> String {
    if running.is_empty() {
        return "No pipeline runs.\n".to_owned();
    }
    let rows = running.iter().map(|(pid, _, state)| {
        let told = state.as_ref().map_or_else(
            || ["does not answer".to_owned(), String::new()],
            |state| {
                let stages = state.stages.iter().map(|stage| stage.stage.as_str());
                let seconds = format!("{:.0} s", state.elapsed_s);
                [seconds, stages.collect::<Vec<_>>().join(" ")]
            },
        );
        Row::Cells([vec![pid.to_string()], told.to_vec()].concat())
    });
    aligned(&rows.collect::<Vec<_>>())
}

pub(super) fn state(state: &State) -> String {
    let stages: Vec<_> = state.stages.iter().map(stage).collect();
    let links: Vec<_> = state
        .links
        .iter()
        .map(|link| {
            Row::Cells(vec![
                format!("{}->{}", link.from, link.to),
                link.queue.to_string(),
                link.layouts.join("; "),
            ])
        })
        .collect();
    let pools: Vec<_> = state
        .pools
        .iter()
        .map(|pool| {
            Row::Cells(vec![
                pool.stage.clone(),
                format!(
                    "{} of heap {}",
                    counted(pool.frames as u64, "frame"),
                    pool.heap
                ),
                format!("{} to spare", pool.spare),
            ])
        })
        .collect();
    format!(
        "Runs for {:.0} s.\n\nStages\n{}\nLinks\n{}\nPools\n{}",
        state.elapsed_s,
        aligned(&stages),
        aligned(&links),
        aligned(&pools)
    )
}

fn stage(stage: &StageState) -> Row {
    let mut told = Vec::new();
    if let Some(selected) = stage.selected.and_then(|input| stage.inputs.get(input)) {
        told.push(format!("passes {selected} on"));
    }
    if stage.added {
        told.push("added".to_owned());
    }
    if let Some(failure) = &stage.failure {
        told.push(format!("failed: {failure}"));
    } else if !stage.running {
        told.push("has ended".to_owned());
    }
    Row::Cells(vec![
        stage.stage.clone(),
        format!("{:?}", stage.role).to_lowercase(),
        stage.device.clone().unwrap_or_default(),
        told.join(", "),
    ])
}

pub(super) fn statistics(seen: &Statistics) -> String {
    let head = ["link", "fps", "frames", "dropped", "just now"].map(str::to_owned);
    let links = seen.links.iter().map(|link| {
        Row::Cells(vec![
            format!("{}->{}", link.from, link.to),
            format!("{:.1}", link.frames_per_second),
            grouped(link.taken),
            grouped(link.superseded + link.left),
            grouped(link.dropped),
        ])
    });
    let rows: Vec<_> = std::iter::once(Row::Cells(head.to_vec()))
        .chain(links)
        .collect();
    format!("{:.0} s\n{}", seen.elapsed_s, aligned(&rows))
}
