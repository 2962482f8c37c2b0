//! `dmaflow check`: everything short of streaming, and what was chosen.

mod offline;

use dmaflow_core::format::Format;
use dmaflow_core::stage::Choice;
use dmaflow_pipelines::description::Description;
use dmaflow_pipelines::probe::Answers;
use dmaflow_pipelines::solver::Explanation;
use dmaflow_pipelines::{Agreement, Pipeline, PoolAgreement};
use serde_json::{Value, json};

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output;
use crate::registry;
use crate::table::{Row, aligned};

pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    if let Some(board) = &args.fixture {
        return offline::check(args, board);
    }
    let mut explanation = if args.explain {
        Explanation::wanted()
    } else {
        Explanation::default()
    };
    let description = output::failing(args.json, args.description.load())?;
    let prepared = prepare(&description, &mut explanation);
    if args.explain && !args.json {
        output::result(explanation.to_string().as_bytes())?;
    }
    if !args.json {
        return output::result(text(&prepared?).as_bytes());
    }
    let mut value = match &prepared {
        Ok(pipeline) => json(pipeline.agreement()),
        Err(failure) => failure.json(),
    };
    if args.explain {
        value["tried"] = tried(&explanation);
    }
    let written = output::json(&value);
    // Whether or not anybody reads it, a failure is what counts.
    prepared.and(written)
}

/// All that was tried, for programs.
fn tried(explanation: &Explanation) -> Value {
    let entries = explanation.entries().iter();
    let entries = entries.map(
        |entry| json!({ "tried": entry.tried, "outcome": entry.outcome, "times": entry.times }),
    );
    entries.collect()
}

/// Everything short of streaming.
pub(crate) fn prepare(
    description: &Description,
    explanation: &mut Explanation,
) -> Result<Pipeline, Failure> {
    // Nothing is passed over, so that every reason is today's.
    let answers = Answers::of_user().fresh();
    let registry = registry::of_description(description);
    let builder = description.build()?.answers(answers);
    Ok(builder.prepare_explained(&registry, explanation)?)
}

fn text(pipeline: &Pipeline) -> String {
    let stages: Vec<_> = pipeline.stages().collect();
    summary(&stages, pipeline.agreement())
}

fn summary(stages: &[&str], agreement: &Agreement) -> String {
    let mut heads = String::new();
    for pool in &agreement.pools {
        let way = way(stages, agreement, &pool.stage);
        heads.push_str(&format!(
            "{way}   {}, {} buffers",
            pool.plan.layout, pool.buffers
        ));
        if let Some(rate) = pool.plan.rate {
            heads.push_str(&format!(", {rate} frames a second"));
        }
        heads.push('\n');
    }
    let row = |first: &str, second: String| Row::Cells(vec![first.to_owned(), second]);
    let devices = agreement.devices.iter();
    let mut rows: Vec<_> = devices
        .map(|(stage, device)| row(stage, device.clone()))
        .collect();
    rows.extend(heaps(agreement).into_iter().map(|heap| row("heap", heap)));
    rows.extend(
        agreement
            .refusals
            .iter()
            .map(|refusal| row("", format!("not {}: {}", refusal.tried(), refusal.reason))),
    );
    rows.extend(
        agreement
            .choices
            .iter()
            .map(|(stage, Choice { what, chosen })| row(stage, format!("{what}: {chosen}"))),
    );
    if agreement.copies.is_empty() {
        let zero_copy = if agreement.zero_copy {
            "yes: all devices import the frames"
        } else {
            "no: a built-in stage draws or reads the pixels"
        };
        rows.push(row("zero-copy", zero_copy.to_owned()));
    }
    for (stage, how) in &agreement.copies {
        rows.push(row("zero-copy", format!("no: `{stage}` copies: {how}")));
    }
    format!("{heads}{}", aligned(&rows))
}

/// Where a stage's frames go: all stages of a chain, otherwise those that it leads to.
fn way(stages: &[&str], agreement: &Agreement, stage: &str) -> String {
    let is_chain = agreement.pools.len() == 1 && agreement.links.len() + 1 == stages.len();
    let branches = stages.iter().any(|stage| {
        let leading = agreement.links.iter().filter(|link| link.from == *stage);
        leading.count() > 1
    });
    if is_chain && !branches {
        return stages.join(" ──▶ ");
    }
    let links = agreement.links.iter().filter(|link| link.from == stage);
    let ends: Vec<_> = links.map(|link| link.to.as_str()).collect();
    format!("{stage} ──▶ {}", ends.join(", "))
}

/// The heaps, with whose frames they hold where these differ.
fn heaps(agreement: &Agreement) -> Vec<String> {
    let first = &agreement.pool().heap;
    if agreement.pools.iter().all(|pool| pool.heap == *first) {
        return vec![first.clone()];
    }
    let pools = agreement.pools.iter();
    pools
        .map(|pool| format!("{} for `{}`", pool.heap, pool.stage))
        .collect()
}

/// What was agreed on, for programs. What is told of the first pool stands at the top as well.
pub(crate) fn json(agreement: &Agreement) -> Value {
    let choices = agreement.choices.iter().map(
        |(stage, choice)| json!({ "stage": stage, "what": choice.what, "chosen": choice.chosen }),
    );
    let copies = agreement.copies.iter();
    let copies = copies.map(|(stage, how)| json!({ "stage": stage, "how": how }));
    let refusals = agreement.refusals.iter().map(|refusal| {
        json!({
            "format": refusal.format.map(Format::name),
            "heap": refusal.heap,
            "reason": refusal.reason.to_string(),
        })
    });
    let devices = agreement
        .devices
        .iter()
        .map(|(stage, device)| (stage.clone(), Value::from(device.as_str())));
    let mut value = pool(agreement.pool());
    let whole = json!({
        "devices": devices.collect::<serde_json::Map<_, _>>(),
        "zero_copy": agreement.zero_copy,
        "copies": copies.collect::<Vec<_>>(),
        "pools": agreement.pools.iter().map(pool).collect::<Vec<_>>(),
        "choices": choices.collect::<Vec<_>>(),
        "refusals": refusals.collect::<Vec<_>>(),
    });
    if let (Value::Object(value), Value::Object(whole)) = (&mut value, whole) {
        value.extend(whole);
    }
    value
}

fn pool(pool: &PoolAgreement) -> Value {
    let layout = &pool.plan.layout;
    let strides = layout.planes().iter().map(|plane| plane.stride);
    json!({
        "stage": pool.stage,
        "format": layout.format().name(),
        "modifier": layout.modifier().to_string(),
        "width": layout.width(),
        "height": layout.height(),
        "strides": strides.collect::<Vec<_>>(),
        "buffer_bytes": layout.buffer_lens(),
        "rate": pool.plan.rate.map(|rate| rate.per_second()),
        "heap": pool.heap,
        "buffers": pool.buffers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::Errno;
    use dmaflow_core::layout::Layout;
    use dmaflow_core::stage::{ImportRefused, SourcePlan, StageError};
    use dmaflow_core::time::Rate;
    use dmaflow_pipelines::error::Refusal;
    use dmaflow_pipelines::{LinkAgreement, QueuePolicy};

    #[test]
    fn a_summary_tells_what_was_chosen_and_what_was_not() {
        let refused = ImportRefused {
            device: "vivid".to_owned(),
            heap: "system".to_owned(),
            call: "VIDIOC_QBUF".into(),
            errno: Errno::EFAULT,
            meaning: "scattered memory".to_owned(),
            remedy: "use a contiguous heap".to_owned(),
        };
        let layout = Layout::packed(Format::NV12, 1280, 720).unwrap();
        let agreement = Agreement {
            devices: vec![("camera".to_owned(), "vivid (/dev/video0)".to_owned())],
            zero_copy: true,
            copies: Vec::new(),
            pools: vec![PoolAgreement {
                stage: "camera".to_owned(),
                plan: SourcePlan {
                    layout: layout.clone(),
                    rate: Rate::new(30_000, 1001),
                    min_buffers: 2,
                    choices: Vec::new(),
                },
                heap: "default_cma_region".to_owned(),
                buffers: 5,
            }],
            links: vec![LinkAgreement {
                from: "camera".to_owned(),
                to: "screen".to_owned(),
                queue: QueuePolicy::Latest,
                layouts: vec![layout],
            }],
            choices: vec![(
                "screen".to_owned(),
                Choice {
                    what: "mode",
                    chosen: "1280x720@60".to_owned(),
                },
            )],
            refusals: vec![Refusal {
                format: Some(Format::NV12),
                heap: Some("system".to_owned()),
                reason: StageError::from(refused).into(),
            }],
        };
        let expected = "\
camera ──▶ screen   1280×720 NV12 linear, stride 1280 + 1280, 1382400 bytes, 5 buffers, \
29.97 frames a second
  camera     vivid (/dev/video0)
  heap       default_cma_region
             not heap `system` with NV12: vivid refused buffers of heap `system`: VIDIOC_QBUF \
gave EFAULT: Bad address; scattered memory: use a contiguous heap
  screen     mode: 1280x720@60
  zero-copy  yes: all devices import the frames
";
        assert_eq!(summary(&["camera", "screen"], &agreement), expected);
        let json = json(&agreement);
        assert_eq!(json["refusals"][0]["heap"], "system");
        assert_eq!(json["modifier"], "linear");
    }
}
