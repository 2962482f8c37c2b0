//! What stands between frames and the file that is to hold them.

use std::num::NonZeroUsize;

use clap::Args;
use dmaflow_core::format::Format;
use dmaflow_core::stage::ControlValue;
use dmaflow_files::FileSinkConfig;
use dmaflow_pipelines::description::{
    Description, SourceKind, Stage, StageKind, TransformKind, V4l2DecodeRequest, V4l2EncodeRequest,
};
use dmaflow_pipelines::{PoolRequest, QueuePolicy};

use crate::failure::Failure;
use crate::files::{self, format_of, has_pictures, holds_stream, is_stream};

/// Frames of a camera that wait for the encoder or the file: a disk has its moments.
const WAITING: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// How it is encoded.
#[derive(Args)]
pub(super) struct EncoderArgs {
    /// How the stream is compressed, as H264; what the file can hold and the encoder likes best
    /// without it
    #[arg(long, value_name = "CODEC", value_parser = codec)]
    codec: Option<Format>,
    /// Which encoder, by its node, card name, driver or bus address; the first one without it
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Set a control of the encoder, as video_bitrate=4000000; may be repeated
    #[arg(long = "control", value_name = "NAME=VALUE", value_parser = control)]
    controls: Vec<(String, ControlValue)>,
}

impl EncoderArgs {
    /// Whether anything is asked of an encoder.
    const fn asks(&self) -> bool {
        self.codec.is_some() || self.device.is_some() || !self.controls.is_empty()
    }
}

fn codec(text: &str) -> Result<Format, String> {
    let format: Format = text
        .parse()
        .map_err(|error: <Format as std::str::FromStr>::Err| error.to_string())?;
    match is_stream(format) {
        true => Ok(format),
        false => Err(format!(
            "{format} is not compressed; write H264, HEVC or the like"
        )),
    }
}

fn control(text: &str) -> Result<(String, ControlValue), String> {
    const WANTED: &str = "a control is written NAME=VALUE, as in video_bitrate=4000000";
    let (name, value) = text.split_once('=').ok_or(WANTED)?;
    if name.is_empty() {
        return Err(WANTED.to_owned());
    }
    let number = value.parse().ok().map(ControlValue::Integer);
    let on = value.parse().ok().map(ControlValue::Boolean);
    let text = || ControlValue::Text(value.to_owned());
    Ok((name.to_owned(), number.or(on).unwrap_or_else(text)))
}

/// Leads a stage's frames into a file, through an encoder where it takes one.
pub(super) fn lead_into(
    description: &mut Description,
    end: usize,
    file: FileSinkConfig,
    asked: &EncoderArgs,
) -> Result<(), Failure> {
    let path = &file.path;
    let format = format_of(path).ok_or_else(|| {
        Failure::Usage(format!(
            "{} does not say by its name what it is to be: end it in .mp4, .mkv, .ivf, .h264 or \
             the like, for pictures in .y4m or .raw",
            path.display()
        ))
    })?;
    files::writable(path, description)?;
    let name = &description.stages[end].name;
    let encoded = makes_stream(description, end)?;
    let wrong = |message: String| Err(Failure::Usage(message));
    match (encoded, has_pictures(format)) {
        (true, true) => {
            return wrong(format!(
                "{} holds pictures, and `{name}` makes a stream: put a `v4l2-decode` behind it",
                path.display()
            ));
        }
        (true, false) if asked.asks() => {
            return wrong(format!(
                "`{name}` makes a stream already: leave --codec, --device and --control out"
            ));
        }
        (false, true) if asked.asks() => {
            return wrong(format!(
                "{} holds pictures, which are not encoded: leave --codec, --device and --control \
                 out",
                path.display()
            ));
        }
        _ => {}
    }
    let queue = queue(description, end);
    let mut stages = Vec::new();
    if !encoded && !has_pictures(format) {
        stages.push((encoder(asked), queue));
    }
    // What an encoder makes is never left out.
    let last = match stages.is_empty() {
        true => queue,
        false => QueuePolicy::Block { depth: WAITING },
    };
    stages.push((files::sink("recording", file), last));
    description.append(end, stages);
    Ok(())
}

fn encoder(asked: &EncoderArgs) -> Stage {
    let request = V4l2EncodeRequest {
        device: asked.device.clone(),
        codec: asked.codec,
        controls: asked.controls.clone(),
    };
    let kind = TransformKind::V4l2Encode(request);
    files::stage(
        "encoder",
        StageKind::Transform(kind, PoolRequest::default()),
    )
}

/// The stage that makes pictures of a stream, and how its frames wait.
pub(super) fn decoder() -> (Stage, QueuePolicy) {
    let kind = TransformKind::V4l2Decode(V4l2DecodeRequest::default());
    let kind = StageKind::Transform(kind, PoolRequest::default());
    let depth = NonZeroUsize::MIN;
    (files::stage("decoder", kind), QueuePolicy::Block { depth })
}

/// A camera goes on whatever happens, and frames wait for a while; everything else waits itself.
/// What goes to a display as well must not wait for a disk.
fn queue(description: &Description, end: usize) -> QueuePolicy {
    let is_live = |stage: &Stage| matches!(stage.kind, StageKind::Source(SourceKind::V4l2(_), _));
    let leads_elsewhere = description.links.iter().any(|link| link.from.stage == end);
    if leads_elsewhere || description.stages.iter().any(is_live) {
        QueuePolicy::Fifo {
            depth: Some(WAITING),
        }
    } else {
        QueuePolicy::Block { depth: WAITING }
    }
}

/// Whether a stage's frames are compressed. A filter's and a selector's are as they come.
fn makes_stream(description: &Description, place: usize) -> Result<bool, Failure> {
    match &description.stages[place].kind {
        StageKind::Source(SourceKind::File(config), _) => holds_stream(config),
        StageKind::Source(SourceKind::V4l2(config), _) => Ok(config.format.is_some_and(is_stream)),
        StageKind::Transform(TransformKind::V4l2Encode(_), _) => Ok(true),
        StageKind::Source(SourceKind::Test(_), _)
        | StageKind::Transform(..)
        | StageKind::Sink(_)
        | StageKind::Mixer(_) => Ok(false),
        StageKind::Filter(_) | StageKind::Router(_) => {
            let mut links = description.links.iter();
            match links.find(|link| link.to.stage == place) {
                // Links lead to later stages: this comes to an end.
                Some(link) => makes_stream(description, link.from.stage),
                None => Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> EncoderArgs {
        EncoderArgs {
            codec: None,
            device: None,
            controls: Vec::new(),
        }
    }

    fn recorded(line: &str, path: &str, asked: &EncoderArgs) -> Result<String, String> {
        let mut description = Description::unfinished(line, &[]).expect("a description");
        let end = super::super::ends::of(&description, None);
        let end = end.unwrap_or_else(|_unclear| unreachable!("one end"));
        let file = FileSinkConfig::new(path.into());
        let led = lead_into(&mut description, end, file, asked);
        led.map_err(|failure| failure.render(false))?;
        let stages: Vec<_> = description.stages.into_iter().map(|it| it.name).collect();
        Ok(stages.join(" "))
    }

    #[test]
    fn an_encoder_stands_where_pictures_become_a_stream() {
        let stages = |line, path| recorded(line, path, &plain()).expect("a pipeline");
        assert_eq!(stages("test-src", "a.mp4"), "test-src encoder recording");
        assert_eq!(stages("test-src", "a.raw"), "test-src recording");
        assert_eq!(
            stages("test-src ! v4l2-encode name=encoder", "a.mp4"),
            "test-src encoder recording"
        );
        assert_eq!(
            stages("test-src name=encoder ! null-sink", "a.mkv"),
            "encoder null-sink encoder-2 recording"
        );
    }

    #[test]
    fn what_cannot_be_is_told() {
        let told = |line: &str, path: &str, asked: &EncoderArgs| {
            recorded(line, path, asked).expect_err("nothing")
        };
        let encoded = "test-src ! v4l2-encode";
        assert!(told(encoded, "a.y4m", &plain()).contains("put a `v4l2-decode` behind it"));
        assert!(told("test-src", "a", &plain()).contains("by its name"));
        let asked = EncoderArgs {
            device: Some("hantro".to_owned()),
            ..plain()
        };
        assert!(told(encoded, "a.mp4", &asked).contains("makes a stream already"));
        assert!(told("test-src", "a.y4m", &asked).contains("are not encoded"));
    }

    #[test]
    fn controls_are_numbers_switches_or_words() {
        let value = |text| control(text).map(|(_name, value)| value);
        assert_eq!(value("video_bitrate=400"), Ok(ControlValue::Integer(400)));
        assert_eq!(value("repeat=true"), Ok(ControlValue::Boolean(true)));
        assert_eq!(
            value("h264_profile=High"),
            Ok(ControlValue::Text("High".to_owned()))
        );
        assert!(control("video_bitrate").is_err() && control("=4").is_err());
        assert!(codec("H264").is_ok() && codec("NV12").is_err());
    }
}
