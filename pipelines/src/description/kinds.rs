//! The kinds of stages, and the keys that each reads.

use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;
use dmaflow_kms_sink::{KmsSinkConfig, PictureSinkConfig};
use dmaflow_v4l2_src::{TestSrcConfig, V4l2SrcConfig};
use toml::de::DeTable;

use super::diagnostic::Finding;
use super::reader::Reader;
use super::{FilterKind, SinkKind, SourceKind};
use crate::{PoolRequest, QueuePolicy};

/// What a stage does with frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Source,
    Filter,
    Sink,
}

/// A stage's set-up as it was read.
pub(super) enum Setup {
    Source(SourceKind, PoolRequest),
    Filter(FilterKind, QueuePolicy),
    Sink(SinkKind, QueuePolicy),
}

/// A kind of stage.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) role: Role,
    /// The fewest buffers that a pipeline with such a stage runs with, and why.
    pub(super) min_buffers: Option<(usize, &'static str)>,
    read: fn(&mut Reader<'_, '_>) -> Option<Setup>,
}

const fn kind(
    name: &'static str,
    role: Role,
    read: fn(&mut Reader<'_, '_>) -> Option<Setup>,
) -> Kind {
    Kind {
        name,
        role,
        min_buffers: None,
        read,
    }
}

/// Every kind there is.
pub(super) static KINDS: [Kind; 6] = [
    kind("v4l2-src", Role::Source, v4l2_src),
    kind("test-src", Role::Source, test_src),
    kind("decimate", Role::Filter, decimate),
    Kind {
        min_buffers: Some((3, "one in view, one waiting for its flip, one being filled")),
        ..kind("kms-sink", Role::Sink, kms_sink)
    },
    kind("picture-sink", Role::Sink, picture_sink),
    kind("null-sink", Role::Sink, null_sink),
];

/// Display modes count pixels in 16 bits (`struct drm_mode_modeinfo`).
const MAX_SIDE: u32 = 65_535;
/// One is filled while another is used.
const MIN_BUFFERS: usize = 2;
/// `VIDEO_MAX_FRAME` of V4L2.
const MAX_BUFFERS: usize = 32;

impl Kind {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// Reads the keys of this kind, and reports those it does not have.
    pub(super) fn read(&self, mut reader: Reader<'_, '_>) -> Option<Setup> {
        reader.rename(format!("a {}", self.name));
        let stage = (self.read)(&mut reader);
        reader.finish(|key| {
            let others = KINDS.iter().filter(|kind| kind.has(key));
            let names: Vec<&str> = others.map(|kind| kind.name).collect();
            (!names.is_empty()).then(|| format!("this is a key of {}", names.join(" and ")))
        });
        stage
    }

    fn has(&self, key: &str) -> bool {
        let (empty, mut ignored) = (DeTable::new(), Vec::new());
        let mut reader = Reader::new(&empty, "", 0..0, &mut ignored);
        (self.read)(&mut reader);
        reader.asked().contains(&key)
    }
}

fn v4l2_src(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let (device, format) = (read.optional("device"), read.optional("format"));
    let config = V4l2SrcConfig {
        device,
        format,
        size: size(read, format),
        rate: read.optional("rate"),
        controls: read.entries("controls"),
    };
    Some(Setup::Source(SourceKind::V4l2(config), pool(read)))
}

fn test_src(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let default = TestSrcConfig::default();
    let format = read.optional("format").unwrap_or(default.format);
    let size = size(read, Some(format));
    let (width, height) = size.unwrap_or((default.width, default.height));
    let config = TestSrcConfig {
        format,
        width,
        height,
        rate: read.optional("rate").or(default.rate),
        frames: read.number("frames", 1..),
    };
    Some(Setup::Source(SourceKind::Test(config), pool(read)))
}

fn decimate(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let every = read.required("every", "add `every = 2` to let one of two frames pass");
    let queue = queue(read);
    Some(Setup::Filter(FilterKind::Decimate { every: every? }, queue))
}

fn kms_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let config = KmsSinkConfig {
        card: read.optional("card"),
        connector: read.optional("connector"),
        mode: read.optional("mode").unwrap_or_default(),
        plane: read.optional("plane"),
        verify: read.optional("verify"),
    };
    Some(Setup::Sink(SinkKind::Kms(config), queue(read)))
}

fn picture_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let mend = "add `path = \"frame-{n}.png\"`; `{n}` becomes the frame's number";
    let path = read.required("path", mend);
    let every = read.optional("every").unwrap_or(std::num::NonZeroU64::MIN);
    let queue = queue(read);
    let config = PictureSinkConfig { path: path?, every };
    Some(Setup::Sink(SinkKind::Picture(config), queue))
}

fn null_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    Some(Setup::Sink(SinkKind::Null, queue(read)))
}

fn size(read: &mut Reader<'_, '_>, format: Option<Format>) -> Option<(u32, u32)> {
    let size = read.pair(["width", "height"], 1..=MAX_SIDE);
    if let (Some((width, height)), Some(format)) = (size, format)
        && let Err(error) = Layout::packed(format, width, height)
    {
        let place = read.place("width");
        read.report(Finding::at(place, error.to_string()).label("this size is too large"));
    }
    size
}

fn pool(read: &mut Reader<'_, '_>) -> PoolRequest {
    PoolRequest {
        heaps: read.optional("heap").unwrap_or_default(),
        buffers: read.number("buffers", MIN_BUFFERS..=MAX_BUFFERS),
    }
}

fn queue(read: &mut Reader<'_, '_>) -> QueuePolicy {
    read.optional("queue").unwrap_or_default()
}
