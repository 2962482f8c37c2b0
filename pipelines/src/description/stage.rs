//! Stages and links as a description asks for them.

use std::num::NonZeroU64;
use std::time::Duration;

use dmaflow_core::format::Format;
use dmaflow_core::time::Rate;
use dmaflow_files::{FileSinkConfig, FileSrcConfig};
use dmaflow_kms_sink::{KmsSinkConfig, PictureSinkConfig, PlaneRequest};
use dmaflow_v4l2_src::{ControlValue, TestSrcConfig, V4l2SrcConfig};

use super::Description;
use crate::{PoolRequest, QueuePolicy};

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name in the description.
    pub name: String,
    /// What it is, and how it is set up.
    pub kind: StageKind,
    /// What happens when it fails.
    pub restart: RestartPolicy,
}

/// What a stage does with frames.
#[derive(Clone, Debug, PartialEq)]
pub enum StageKind {
    /// Makes frames, which lie in a pool.
    Source(SourceKind, PoolRequest),
    /// Passes frames of one link on.
    Filter(FilterKind),
    /// Passes frames of several links on.
    Router(RouterKind),
    /// Makes frames of frames; the new ones lie in a pool.
    Transform(TransformKind, PoolRequest),
    /// Uses frames of one link up.
    Sink(SinkKind),
    /// Uses frames of several links up.
    Mixer(MixerKind),
}

/// The kinds of sources.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceKind {
    /// A V4L2 camera.
    V4l2(V4l2SrcConfig),
    /// The built-in camera.
    Test(TestSrcConfig),
    /// A stream or pictures in a file.
    File(FileSrcConfig),
}

/// The kinds of filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FilterKind {
    /// Passes one of so many frames.
    Decimate {
        /// So many.
        every: NonZeroU64,
    },
    /// Passes so many frames a second at most.
    RateLimit {
        /// So many.
        rate: Rate,
    },
}

/// The kinds of routers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouterKind {
    /// Passes the frames of one input on.
    Selector {
        /// What its inputs are called, in their order: by the stages that lead there.
        inputs: Vec<String>,
        /// The input that it begins with.
        selected: usize,
    },
}

/// The kinds of transforms.
#[derive(Clone, Debug, PartialEq)]
pub enum TransformKind {
    /// A V4L2 memory-to-memory converter or scaler.
    V4l2Convert(V4l2ConvertRequest),
    /// A V4L2 memory-to-memory decoder.
    V4l2Decode(V4l2DecodeRequest),
    /// A V4L2 memory-to-memory encoder.
    V4l2Encode(V4l2EncodeRequest),
}

/// A V4L2 converter as its user wants it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct V4l2ConvertRequest {
    /// The device, by its node, card name, driver or bus address; the first that does it when
    /// `None`.
    pub device: Option<String>,
    /// What it makes; what the next stage likes best when `None`.
    pub format: Option<Format>,
    /// Width and height of what it makes; those of what it takes when `None`.
    pub size: Option<(u32, u32)>,
    /// Controls to set, by their names.
    pub controls: Vec<(String, ControlValue)>,
}

/// A V4L2 decoder as its user wants it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct V4l2DecodeRequest {
    /// The device, by its node, card name, driver or bus address; the first decoder when
    /// `None`.
    pub device: Option<String>,
    /// What it makes; what the next stage likes best when `None`.
    pub format: Option<Format>,
    /// Controls to set, by their names.
    pub controls: Vec<(String, ControlValue)>,
}

/// A V4L2 encoder as its user wants it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct V4l2EncodeRequest {
    /// The device, by its node, card name, driver or bus address; the first encoder when
    /// `None`.
    pub device: Option<String>,
    /// How the stream is compressed; as the next stage likes best when `None`.
    pub codec: Option<Format>,
    /// Controls to set, by their names.
    pub controls: Vec<(String, ControlValue)>,
}

/// The kinds of sinks.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkKind {
    /// A KMS display.
    Kms(KmsSinkConfig),
    /// Pictures in files.
    Picture(PictureSinkConfig),
    /// A stream or pictures in a file.
    File(FileSinkConfig),
    /// Nothing: every frame is let go.
    Null,
}

/// The kinds of sinks with several inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum MixerKind {
    /// A KMS display, which shows each input on a plane of its own.
    Kms {
        /// The display; its `plane` is `None`.
        config: KmsSinkConfig,
        /// What is shown, in the order of the inputs.
        inputs: Vec<MixerInput>,
    },
}

/// An input of a display that shows several.
#[derive(Clone, Debug, PartialEq)]
pub struct MixerInput {
    /// What it is called: by the stage that leads there.
    pub name: String,
    /// Where it is shown.
    pub place: Place,
}

/// Where on a screen a picture is to be shown; what is `None` is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The left upper corner: from the left, and from above, in pixels of the screen.
    pub at: Option<(u32, u32)>,
    /// Width and height on the screen.
    pub size: Option<(u32, u32)>,
    /// The plane.
    pub plane: Option<PlaneRequest>,
}

/// What happens when a stage fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// The run ends.
    #[default]
    Never,
    /// It is opened and started anew, after a while that doubles from time to time.
    OnFailure {
        /// The first while.
        first: Duration,
        /// The longest while.
        most: Duration,
        /// How often it is tried in a row; `None` for without end.
        attempts: Option<u32>,
    },
}

pub(super) const FIRST_RESTART: Duration = Duration::from_millis(200);
pub(super) const LONGEST_RESTART: Duration = Duration::from_secs(10);

impl RestartPolicy {
    /// Starts anew after 200 ms, later up to 10 s, without end.
    pub const ON_FAILURE: Self = Self::OnFailure {
        first: FIRST_RESTART,
        most: LONGEST_RESTART,
        attempts: None,
    };
}

/// An input or output of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    /// The stage, by its place in [`Description::stages`].
    pub stage: usize,
    /// Which of the stage's inputs or outputs.
    pub port: usize,
}

/// A way from a stage's output to another's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkDescription {
    /// Where it begins; any number may begin there.
    pub from: Port,
    /// Where it ends; no other ends there.
    pub to: Port,
    /// Which frame is taken from it.
    pub queue: QueuePolicy,
}

impl Description {
    /// The stages that make frames, and what these are to lie in.
    pub fn sources(&self) -> impl Iterator<Item = (&Stage, &SourceKind, &PoolRequest)> {
        self.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Source(kind, pool) => Some((stage, kind, pool)),
            _ => None,
        })
    }

    /// What frames are to lie in, of all stages that make some.
    pub fn pools(&self) -> impl Iterator<Item = &PoolRequest> {
        self.stages.iter().filter_map(|stage| match &stage.kind {
            StageKind::Source(_, pool) | StageKind::Transform(_, pool) => Some(pool),
            _ => None,
        })
    }

    /// Whether it has a display.
    #[must_use]
    pub fn has_display(&self) -> bool {
        self.stages.iter().any(|stage| {
            matches!(
                stage.kind,
                StageKind::Sink(SinkKind::Kms(_)) | StageKind::Mixer(MixerKind::Kms { .. })
            )
        })
    }

    /// A pipeline of stages one behind the other.
    #[must_use]
    pub fn chain(stages: Vec<Stage>) -> Self {
        let link = |from| LinkDescription {
            from: Port {
                stage: from,
                port: 0,
            },
            to: Port {
                stage: from + 1,
                port: 0,
            },
            queue: QueuePolicy::default(),
        };
        let links = (0..stages.len().saturating_sub(1)).map(link).collect();
        Self {
            stages,
            links,
            ..Self::default()
        }
    }
}
