//! `dmaflow heaps probe`: which heaps devices take, by having them import.

mod show;

use std::ffi::OsString;
use std::path::Path;

use clap::Args;
use dmaflow_core::format::Format;
use dmaflow_core::heap::{Heap, HeapRegistry, RegistryError};
use dmaflow_core::stage::{Sink, StageError};
use dmaflow_kms_sink::{KmsSink, KmsSinkConfig};
use dmaflow_pipelines::description::{
    Description, RestartPolicy, SinkKind, SourceKind, Stage, StageKind,
};
use dmaflow_pipelines::probe::{Answers, Probe, SinkImporter, Wanted, probe as ask};
use dmaflow_pipelines::{PipelineError, PoolRequest};
use dmaflow_v4l2_src::{V4l2SrcConfig, layout_aligned_to};

use crate::described::OverrideArgs;
use crate::failure::Failure;
use crate::files::size;
use crate::output;
use crate::registry;

pub(crate) const EXAMPLES: &str = "\
Buffers are allocated from every heap and really imported by every device: the camera queues them,
the display makes framebuffers of them and tests a picture without showing it. Nothing is held
afterwards. What devices answer is kept, below ~/.cache/dmaflow, for as long as kernel, device,
layout and heap are the same.

Examples:
  dmaflow heaps probe camera-to-display.toml
  dmaflow heaps probe --camera vivid --display vkms --format NV12 --size 1280x720
  dmaflow heaps probe --camera /dev/video0 --json --fresh

Exit status 1 means that no heap fits.";

/// Frames where only a display is asked: one in view, one waiting for its flip, one being made.
const DISPLAY_FRAMES: usize = 3;
/// What displays are asked about unless a size is given.
const DISPLAY_SIZE: (u32, u32) = (640, 480);
/// What strides are made a multiple of: what every display's driver is known to take.
const STRIDE_STEP: u32 = 256;

#[derive(Args)]
pub(crate) struct ProbeArgs {
    /// A description, or a pipeline in a line, whose stages are asked
    #[arg(value_name = "FILE|PIPELINE", required_unless_present_any = ["camera", "display"])]
    words: Vec<OsString>,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Ask this camera: a path, or the name of a driver, card or bus
    #[arg(long, value_name = "DEVICE", conflicts_with = "words")]
    camera: Option<String>,
    /// Ask this display: a node, a driver's name or a bus address
    #[arg(long, value_name = "CARD", conflicts_with = "words")]
    display: Option<String>,
    /// The pixel format; otherwise the best that the devices have in common
    #[arg(long, conflicts_with = "words")]
    format: Option<Format>,
    /// Width and height; otherwise what the camera is set to, or 640x480
    #[arg(long, value_name = "WxH", value_parser = size, conflicts_with = "words")]
    size: Option<(u32, u32)>,
    /// Ask about this heap only, by its name; may be repeated
    #[arg(long = "heap", value_name = "NAME")]
    heaps: Vec<String>,
    /// Ask everything anew, whatever was answered before
    #[arg(long)]
    fresh: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn probe(args: &ProbeArgs) -> Result<(), Failure> {
    let description = args.overrides.load_any(&args.words);
    let description = output::failing(args.json, description)?;
    let described = description.as_ref().map_or_else(Vec::new, registry::named);
    let names = if args.heaps.is_empty() {
        &described
    } else {
        &args.heaps
    };
    let registry = registry::of_names(names);
    let heaps = candidates(args, &described, &registry);
    let probes = heaps.and_then(|heaps| ask_devices(args, description, &heaps));
    let probes = output::failing(args.json, probes)?;
    let unopened = match args.heaps.is_empty() {
        true => registry.refused(),
        // Nobody asked about the others.
        false => &[],
    };
    if args.json {
        output::json(&show::json(&probes, unopened))?;
    } else {
        output::result(show::text(&probes, unopened).as_bytes())?;
    }
    let fits = probes.last().is_some_and(|probe| probe.best().is_some());
    if fits {
        Ok(())
    } else {
        Err(Failure::Pipeline(
            "no heap fits: each refusal above says what would help".to_owned(),
        ))
    }
}

fn ask_devices(
    args: &ProbeArgs,
    description: Option<Description>,
    heaps: &[Heap],
) -> Result<Vec<Probe>, Failure> {
    let answers = match args.fresh {
        true => Answers::of_user().fresh(),
        false => Answers::of_user(),
    };
    let description = match (description, &args.camera, &args.display) {
        (Some(description), _, _) => description,
        (None, None, Some(card)) => return Ok(vec![ask_display(args, card, heaps, answers)?]),
        (None, camera, display) => describe(args, camera.clone(), display.clone()),
    };
    Ok(description.build()?.answers(answers).probe(heaps)?)
}

/// Every heap, also those that a description would not try, to tell why; and those that it names
/// by their nodes.
fn candidates(
    args: &ProbeArgs,
    described: &[String],
    registry: &HeapRegistry,
) -> Result<Vec<Heap>, Failure> {
    if !args.heaps.is_empty() {
        let opened = args.heaps.iter().map(|name| registry.open(name));
        let opened = opened.collect::<Result<_, _>>();
        return opened.map_err(|error| Failure::Pipeline(error.to_string()));
    }
    let mut heaps: Vec<_> = registry.heaps().cloned().collect();
    let is_refused = |name: &str| {
        let mut refused = registry.refused().iter();
        refused.any(|heap| heap.info.answers_to(name))
    };
    for name in described {
        let is_listed = |heap: &Heap| {
            let info = heap.info();
            info.answers_to(name) || info.node.as_deref() == Some(Path::new(name))
        };
        if heaps.iter().any(is_listed) {
            continue;
        }
        match registry.open(name) {
            Ok(heap) => heaps.push(heap),
            // One that is there and may not be opened is told of below.
            Err(RegistryError::Refused { .. }) if is_refused(name) => {}
            Err(error) => tracing::warn!(%error, "a heap of the description is left out"),
        }
    }
    Ok(heaps)
}

fn describe(args: &ProbeArgs, camera: Option<String>, display: Option<String>) -> Description {
    let config = V4l2SrcConfig {
        device: camera,
        format: args.format,
        size: args.size,
        ..V4l2SrcConfig::default()
    };
    let sink = display.map_or(SinkKind::Null, |card| SinkKind::Kms(on_card(&card)));
    let stage = |name: &str, kind| Stage {
        name: name.to_owned(),
        kind,
        restart: RestartPolicy::Never,
    };
    let source = StageKind::Source(SourceKind::V4l2(config), PoolRequest::default());
    Description::chain(vec![
        stage("camera", source),
        stage("display", StageKind::Sink(sink)),
    ])
}

fn on_card(card: &str) -> KmsSinkConfig {
    KmsSinkConfig {
        card: Some(card.to_owned()),
        ..KmsSinkConfig::default()
    }
}

fn ask_display(
    args: &ProbeArgs,
    card: &str,
    heaps: &[Heap],
    mut answers: Answers,
) -> Result<Probe, Failure> {
    let failed = |source: StageError| PipelineError::Stage {
        stage: "display".to_owned(),
        source,
    };
    let mut display =
        KmsSink::open(on_card(card)).map_err(|error| failed(StageError::failed(error)))?;
    let formats = display.formats().map_err(failed)?.unwrap_or_default();
    let format = args.format.or_else(|| formats.first().copied());
    let format = format.ok_or_else(|| {
        Failure::Pipeline(format!(
            "{} shows no format that dmaflow knows",
            display.device()
        ))
    })?;
    let (width, height) = args.size.unwrap_or(DISPLAY_SIZE);
    let layout = layout_aligned_to(STRIDE_STEP, format, width, height)
        .map_err(|error| Failure::Pipeline(error.to_string()))?;
    let wanted = Wanted {
        layout,
        buffers: DISPLAY_FRAMES,
    };
    let mut display = SinkImporter(&mut display);
    Ok(ask(heaps, &mut [&mut display], &wanted, &mut answers))
}
