//! `dmaflow record` and `dmaflow encode`: a file behind whatever makes frames.

mod encoder;
mod ends;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, value_parser};
use dmaflow_core::time::Timestamp;
use dmaflow_files::{FileSinkConfig, KeptBefore, Rotation};
use dmaflow_pipelines::Limits;
use dmaflow_pipelines::description::serving::parse_size;
use dmaflow_pipelines::description::{Description, Override, duration};

use crate::described::DescriptionArgs;
use crate::failure::Failure;
use crate::files::{Input, InputArgs};
use crate::output;
use crate::progress::FileProgress;
use crate::run::{Manner, Watch, drive};
use crate::signals::Signals;
use encoder::{EncoderArgs, decoder, lead_into};

pub(crate) const RECORD_EXAMPLES: &str = "\
A description that ends in a stage that makes frames, or in displays: a V4L2 encoder and the file
are put behind that stage, and displays show on. Where the stage makes a stream already, or the
file is to hold pictures (.y4m, .raw), there is no encoder.

Examples:
  dmaflow record camera.toml -o out.mp4                 until Ctrl-C
  dmaflow record camera.toml -o out.mkv --for 1m --codec H264 --control video_bitrate=4000000
  dmaflow record 'v4l2-src device=/dev/video0 width=1280 height=720' -o out.mp4
  dmaflow record wall.toml --from left -o left.mp4      of several cameras that one
  dmaflow record camera.toml -o out.mp4 --rotate-time 10m           out-00001.mp4 and so on
  dmaflow record camera.toml -o '{time}.mkv' --rotate-size 1GiB     20261124T004500Z.mkv and so on
  dmaflow record camera.toml -o door.mp4 --before 10s   the ten seconds before as well, from
                                                        `dmaflow ctl set recording.record=true` on
  dmaflow record 'test-src frames=100' -o pictures.raw
  dmaflow record 'file-src path=in.mp4 paced=false' -o out.mkv       from one file into another

What the file is, its name says: .mp4, .mkv, .ivf, .h264, .h265, .obu, .m2v, .fwht, .mjpeg for
streams, .y4m and .raw for pictures. One that is there is written anew, but of several none: the
next number is taken. Ctrl-C ends the file as it is meant to end; what was written before a crash
plays as well, of MP4 up to the last whole fragment. A disk that is full ends the recording with an
error, and what is shown goes on.

`dmaflow devices codecs` lists the encoders and their controls.";

pub(crate) const ENCODE_EXAMPLES: &str = "\
The input is a file of pictures (.y4m, .raw), a stream, which is decoded first, or a pipeline in a
line that makes frames. Every picture is encoded, as fast as the encoder can.

Examples:
  dmaflow encode pictures.y4m -o out.mp4
  dmaflow encode pictures.raw -o out.h264 --device hantro --control video_gop_size=30
  dmaflow encode in.mp4 -o out.mkv --codec HEVC
  dmaflow encode 'test-src width=1280 height=720 frames=300' -o out.fwht

`dmaflow devices codecs` lists the encoders and their controls.";

/// What is written, and how it goes on.
#[derive(Args)]
struct OutputArgs {
    /// The file to write; its name says what it is to be
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Begin the next file once one is so large, as 1GiB or 500MiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    rotate_size: Option<u64>,
    /// Begin the next file after this time, as 10m or 1h
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    rotate_time: Option<Duration>,
    /// How long a fragment of an MP4 file is, which is what a crash costs; a second without it
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    fragment: Option<Duration>,
    /// Stop after so many frames
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
    /// Tell nothing while it goes on
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Args)]
pub(crate) struct RecordArgs {
    #[command(flatten)]
    description: DescriptionArgs,
    /// The stage whose frames are recorded; the one at the end without it
    #[arg(long, value_name = "STAGE")]
    from: Option<String>,
    /// Stop after this time, as 500ms, 10s, 1.5m or 2h
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    time: Option<Duration>,
    /// Keep so much of the time before, and record from when `dmaflow ctl set
    /// recording.record=true` comes
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    before: Option<Duration>,
    /// How much memory that takes at most, as 256MiB; 64MiB without it
    #[arg(long, value_name = "SIZE", requires = "before", value_parser = parse_size)]
    before_size: Option<u64>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Args)]
pub(crate) struct EncodeArgs {
    /// A file, or a pipeline in a line that makes frames, as in 'test-src frames=300'
    #[arg(value_name = "FILE|PIPELINE")]
    input: String,
    #[command(flatten)]
    said: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn record(args: &RecordArgs, began: Timestamp) -> Result<(), Failure> {
    let (manner, json) = (args.output.manner(began)?, args.output.json);
    let description = args.description.unfinished();
    let description = description.and_then(|mut description| {
        let end = ends::of(&description, args.from.as_deref())?;
        let file = FileSinkConfig {
            before: args.before.map(|time| args.kept(time)),
            ..args.output.file()
        };
        lead_into(&mut description, end, file, &args.output.encoder)?;
        Ok(description)
    });
    let description = output::failing(json, description)?;
    let mut limits = description.limits;
    if args.time.is_some() || args.output.frames.is_some() {
        limits = Limits {
            duration: args.time,
            frames: args.output.frames,
        };
    }
    args.output.drive(description, limits, &manner)
}

pub(crate) fn encode(args: &EncodeArgs, began: Timestamp) -> Result<(), Failure> {
    let (manner, json) = (args.output.manner(began)?, args.output.json);
    let read = output::failing(json, args.description())?;
    let limits = read.description.limits;
    let limits = Limits {
        frames: args.output.frames.or(limits.frames),
        ..limits
    };
    if let (Some(input), true) = (&read.input, args.output.is_told()) {
        let mut progress = FileProgress::reading(input.bytes, input.position.clone());
        return drive(read.description, limits, &manner, Some(&mut progress));
    }
    args.output.drive(read.description, limits, &manner)
}

/// What is encoded, and the file that it comes from, if it does.
struct Encoded {
    description: Description,
    input: Option<Input>,
}

impl EncodeArgs {
    fn description(&self) -> Result<Encoded, Failure> {
        let path = Path::new(&self.input);
        let none: [Override; 0] = [];
        let is_description = path.extension().is_some_and(|ending| ending == "toml");
        if !is_description && (path.exists() || !is_line(&self.input)) {
            let input = Input::look(path, &self.said)?;
            let mut description = Description::chain(vec![input.stage(false)]);
            let mut end = 0;
            if input.is_stream {
                description.append(0, [decoder()]);
                end = 1;
            }
            let file = self.output.file();
            lead_into(&mut description, end, file, &self.output.encoder)?;
            return Ok(Encoded {
                description,
                input: Some(input),
            });
        }
        let mut description = Description::unfinished(path, &none)?;
        let end = ends::of(&description, None)?;
        let file = self.output.file();
        lead_into(&mut description, end, file, &self.output.encoder)?;
        Ok(Encoded {
            description,
            input: None,
        })
    }
}

/// Whether a text that is no file's name is meant as a pipeline.
fn is_line(text: &str) -> bool {
    text.contains([' ', '!', '=']) || text.ends_with("-src")
}

impl RecordArgs {
    fn kept(&self, time: Duration) -> KeptBefore {
        let bytes = self.before_size.map(usize::try_from);
        KeptBefore {
            time,
            bytes: bytes.map_or(KeptBefore::USUAL_BYTES, |bytes| bytes.unwrap_or(usize::MAX)),
        }
    }
}

impl OutputArgs {
    /// The file, or the files.
    fn file(&self) -> FileSinkConfig {
        let rotation = Rotation {
            bytes: self.rotate_size,
            time: self.rotate_time,
        };
        FileSinkConfig {
            rotate: (rotation != Rotation::default()).then_some(rotation),
            fragment: self.fragment,
            ..FileSinkConfig::new(self.output.clone())
        }
    }

    /// Whether somebody is told how it goes: nobody who reads JSON.
    const fn is_told(&self) -> bool {
        !self.quiet && !self.json
    }

    fn manner(&self, began: Timestamp) -> Result<Manner, Failure> {
        Ok(Manner {
            began,
            signals: Signals::take()?,
            audit: false,
            json: self.json,
            control: true,
        })
    }

    fn drive(
        &self,
        description: Description,
        limits: Limits,
        manner: &Manner,
    ) -> Result<(), Failure> {
        let file = self.file();
        let mut progress = self.is_told().then(|| FileProgress::writing(&file));
        let watch = progress.as_mut().map(|progress| progress as &mut dyn Watch);
        drive(description, limits, manner, watch)
    }
}
