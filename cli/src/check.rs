//! `dmaflow check`: everything short of streaming, and what was chosen.

use dmaflow_core::format::Format;
use dmaflow_core::stage::Choice;
use dmaflow_pipelines::probe::Answers;
use dmaflow_pipelines::{Agreement, Pipeline};
use serde_json::{Value, json};

use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::output;
use crate::registry;
use crate::table::{Row, aligned};

pub(crate) fn check(args: &CheckArgs) -> Result<(), Failure> {
    let pipeline = output::failing(args.json, prepare(args))?;
    if args.json {
        output::json(&json(pipeline.agreement()))
    } else {
        output::result(text(&pipeline).as_bytes())
    }
}

fn prepare(args: &CheckArgs) -> Result<Pipeline, Failure> {
    let description = args.description.load()?;
    // Nothing is passed over, so that every reason is today's.
    let answers = Answers::of_user().fresh();
    let registry = registry::of_description(&description);
    let builder = description.build()?.answers(answers);
    Ok(builder.prepare(&registry)?)
}

fn text(pipeline: &Pipeline) -> String {
    let stages: Vec<_> = pipeline.stages().collect();
    summary(&stages, pipeline.agreement())
}

fn summary(stages: &[&str], agreement: &Agreement) -> String {
    let mut head = format!(
        "{}   {}, {} buffers",
        stages.join(" ──▶ "),
        agreement.plan.layout,
        agreement.buffers
    );
    if let Some(rate) = agreement.plan.rate {
        head.push_str(&format!(", {rate} frames a second"));
    }
    let row = |first: &str, second: String| Row::Cells(vec![first.to_owned(), second]);
    let devices = agreement.devices.iter();
    let mut rows: Vec<_> = devices
        .map(|(stage, device)| row(stage, device.clone()))
        .collect();
    rows.push(row("heap", agreement.heap.clone()));
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
    let zero_copy = if agreement.zero_copy {
        "yes: both devices import the frames"
    } else {
        "no: a built-in stage draws or reads the pixels"
    };
    rows.push(row("zero-copy", zero_copy.to_owned()));
    format!("{head}\n{}", aligned(&rows))
}

/// What was agreed on, for programs.
pub(crate) fn json(agreement: &Agreement) -> Value {
    let layout = &agreement.plan.layout;
    let choices = agreement.choices.iter().map(
        |(stage, choice)| json!({ "stage": stage, "what": choice.what, "chosen": choice.chosen }),
    );
    let refusals = agreement.refusals.iter().map(|refusal| {
        json!({
            "format": refusal.format.map(Format::name),
            "heap": refusal.heap,
            "reason": refusal.reason.to_string(),
        })
    });
    let strides = layout.planes().iter().map(|plane| plane.stride);
    let devices = agreement
        .devices
        .iter()
        .map(|(stage, device)| (stage.clone(), Value::from(device.as_str())));
    json!({
        "devices": devices.collect::<serde_json::Map<_, _>>(),
        "zero_copy": agreement.zero_copy,
        "format": layout.format().name(),
        "modifier": layout.modifier().to_string(),
        "width": layout.width(),
        "height": layout.height(),
        "strides": strides.collect::<Vec<_>>(),
        "buffer_bytes": layout.buffer_lens(),
        "rate": agreement.plan.rate.map(|rate| rate.per_second()),
        "heap": agreement.heap,
        "buffers": agreement.buffers,
        "choices": choices.collect::<Vec<_>>(),
        "refusals": refusals.collect::<Vec<_>>(),
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
        let agreement = Agreement {
            devices: vec![("camera".to_owned(), "vivid (/dev/video0)".to_owned())],
            zero_copy: true,
            plan: SourcePlan {
                layout: Layout::packed(Format::NV12, 1280, 720).unwrap(),
                rate: Rate::new(30_000, 1001),
                min_buffers: 2,
                choices: Vec::new(),
            },
            heap: "default_cma_region".to_owned(),
            buffers: 5,
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
  zero-copy  yes: both devices import the frames
";
        assert_eq!(summary(&["camera", "screen"], &agreement), expected);
        let json = json(&agreement);
        assert_eq!(json["refusals"][0]["heap"], "system");
        assert_eq!(json["modifier"], "linear");
    }
}
