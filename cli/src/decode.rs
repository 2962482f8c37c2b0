//! `dmaflow decode`: a file, decoded and shown.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use dmaflow_core::format::Format;
use dmaflow_core::time::Timestamp;
use dmaflow_files::FileSinkConfig;
use dmaflow_kms_sink::{CardInfo, KmsSinkConfig};
use dmaflow_pipelines::description::{
    Description, SinkKind, Stage, StageKind, TransformKind, V4l2DecodeRequest,
};
use dmaflow_pipelines::{Limits, PoolRequest, QueuePolicy};

use crate::failure::Failure;
use crate::files::{self, Input, InputArgs};
use crate::output;
use crate::progress::FileProgress;
use crate::run::{Manner, Watch, drive};
use crate::signals::Signals;

pub(crate) const EXAMPLES: &str = "\
The file is MP4, Matroska, IVF, Annex B (.h264, .h265), AV1 OBU, MPEG-2, FWHT or MJPEG, and a V4L2
decoder of this machine decodes it; a file of pictures (.y4m, .raw) needs none. It goes where a
screen is, or else nowhere.

Examples:
  dmaflow decode clip.mp4                               on the screen, each picture at its time
  dmaflow decode clip.mp4 --to null                     how fast can it be decoded?
  dmaflow decode clip.h264 --device hantro --format NV12
  dmaflow decode clip.mkv --to pictures.y4m             all pictures in a file
  dmaflow decode clip.ivf --to first.png --frames 1
  dmaflow decode clip.mp4 --to null --json > report.json

It is a pipeline like any other, and this is the same with all keys there are:
  dmaflow run 'file-src path=clip.mp4 ! v4l2-decode ! kms-sink'

`dmaflow devices codecs` lists the decoders.";

/// Pictures that wait for the screen: decoders give several at once, and screens have their pace.
const WAITING: NonZeroUsize = NonZeroUsize::new(2).unwrap();

#[derive(Args)]
pub(crate) struct DecodeArgs {
    /// The file
    file: PathBuf,
    /// Which decoder, by its node, card name, driver or bus address; the first that takes the
    /// stream without it
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The pixel format that it makes, as NV12; what the other end likes best without it
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Where pictures go: `null`, `display`, a .png file (`{n}` in its name becomes a picture's
    /// number), or a .y4m or .raw file for all of them
    #[arg(long, value_name = "null|display|FILE", value_parser = target)]
    to: Option<Target>,
    /// Each picture at its time, as they come to a display without this
    #[arg(long, conflicts_with = "fast")]
    paced: bool,
    /// As fast as they can be decoded, as they come everywhere else without this
    #[arg(long)]
    fast: bool,
    /// Stop after so many frames of the file
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    frames: Option<u64>,
    #[command(flatten)]
    said: InputArgs,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
    /// Tell nothing while it goes on
    #[arg(short, long)]
    quiet: bool,
}

/// Where pictures go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Null,
    Display,
    Png(PathBuf),
    File(PathBuf),
}

fn target(text: &str) -> Result<Target, String> {
    let path = Path::new(text);
    match text {
        "null" => Ok(Target::Null),
        "display" => Ok(Target::Display),
        _ if path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("png")) =>
        {
            Ok(Target::Png(path.to_owned()))
        }
        _ => match files::format_of(path) {
            Some(format) if files::has_pictures(format) => Ok(Target::File(path.to_owned())),
            Some(format) => Err(format!(
                "{} holds streams, not pictures: `dmaflow encode` makes one",
                format.name()
            )),
            None => {
                Err("write `null`, `display`, or a file that ends in .png, .y4m or .raw".to_owned())
            }
        },
    }
}

pub(crate) fn decode(args: &DecodeArgs, began: Timestamp) -> Result<(), Failure> {
    let manner = Manner {
        began,
        signals: Signals::take()?,
        audit: false,
        json: args.json,
        control: true,
    };
    let input = output::failing(args.json, Input::look(&args.file, &args.said))?;
    let target = args.to.clone().unwrap_or_else(default_target);
    let description = output::failing(args.json, description(args, &input, target))?;
    let limits = Limits {
        frames: args.frames,
        ..Limits::default()
    };
    let mut progress = (!args.quiet && !args.json)
        .then(|| FileProgress::reading(input.bytes, input.position.clone()));
    let watch = progress.as_mut().map(|progress| progress as &mut dyn Watch);
    drive(description, limits, &manner, watch)
}

fn default_target() -> Target {
    match has_screen(&dmaflow_kms_sink::displays()) {
        true => Target::Display,
        false => Target::Null,
    }
}

/// Whether something can be shown.
fn has_screen(cards: &[CardInfo]) -> bool {
    let details = cards.iter().filter_map(|info| info.card.as_ref().ok());
    let usable = details.filter(|card| card.refusal.is_none());
    usable
        .flat_map(|card| &card.connectors)
        .any(|connector| connector.connected)
}

/// The pipeline that does it.
fn description(args: &DecodeArgs, input: &Input, target: Target) -> Result<Description, Failure> {
    let to_display = target == Target::Display;
    let paced = args.paced || (to_display && !args.fast);
    // A screen that cannot keep up leaves pictures out; everything else gets all of them.
    let queue = match to_display && paced {
        true => QueuePolicy::Fifo {
            depth: Some(WAITING),
        },
        false => QueuePolicy::Block { depth: WAITING },
    };
    let mut description = Description::chain(vec![input.stage(paced)]);
    let mut next: Vec<(Stage, QueuePolicy)> = Vec::new();
    if input.is_stream {
        let kind = TransformKind::V4l2Decode(V4l2DecodeRequest {
            device: args.device.clone(),
            format: args.format,
            controls: Vec::new(),
        });
        let kind = StageKind::Transform(kind, PoolRequest::default());
        let depth = NonZeroUsize::MIN;
        next.push((files::stage("decoder", kind), QueuePolicy::Block { depth }));
    } else if args.device.is_some() || args.format.is_some() {
        return Err(Failure::Usage(format!(
            "{} holds pictures, which no decoder makes: leave --device and --format out",
            args.file.display()
        )));
    }
    if let Target::File(path) | Target::Png(path) = &target {
        files::writable(path, &description)?;
    }
    next.push((sink(target), queue));
    description.append(0, next);
    Ok(description)
}

fn sink(target: Target) -> Stage {
    match target {
        Target::Null => files::stage("nothing", StageKind::Sink(SinkKind::Null)),
        Target::Display => {
            let kind = SinkKind::Kms(KmsSinkConfig::default());
            files::stage("screen", StageKind::Sink(kind))
        }
        Target::Png(path) => files::picture_sink("pictures", path),
        Target::File(path) => files::sink("pictures", FileSinkConfig::new(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_go_where_they_can() {
        assert_eq!(target("null"), Ok(Target::Null));
        assert_eq!(target("display"), Ok(Target::Display));
        assert_eq!(target("a-{n}.PNG"), Ok(Target::Png("a-{n}.PNG".into())));
        assert_eq!(target("a.y4m"), Ok(Target::File("a.y4m".into())));
        let stream = target("a.mp4").expect_err("no pictures");
        assert!(stream.contains("dmaflow encode"), "{stream}");
        assert!(target("nul").is_err());
    }
}
