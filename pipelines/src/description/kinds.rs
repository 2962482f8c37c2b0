//! The kinds of stages, and the keys that each reads.

use std::num::NonZeroUsize;
use std::ops::Range;

use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;
use dmaflow_kms_sink::{KmsSinkConfig, PictureSinkConfig};
use dmaflow_v4l2_src::{TestSrcConfig, V4l2SrcConfig};
use toml::de::DeTable;

use super::diagnostic::Finding;
use super::reader::Reader;
use super::stage::{FIRST_RESTART, LONGEST_RESTART};
use super::value::Order;
use super::{
    FilterKind, Place, RestartPolicy, SinkKind, SourceKind, StageKind, TransformKind,
    V4l2ConvertRequest,
};
use crate::{PoolRequest, QueuePolicy};

/// What a stage does with frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Source,
    /// Passes on what comes over one link.
    Filter,
    /// Passes on what comes over several links.
    Router,
    Sink,
    /// A sink of several links.
    Mixer,
}

impl Role {
    pub(super) const fn takes(self) -> bool {
        !matches!(self, Self::Source)
    }

    pub(super) const fn gives(self) -> bool {
        !matches!(self, Self::Sink | Self::Mixer)
    }

    pub(super) const fn takes_several(self) -> bool {
        matches!(self, Self::Router | Self::Mixer)
    }
}

/// A stage's set-up as it was read; what names its inputs waits until links are known.
pub(super) enum Setup {
    Done(StageKind),
    /// The input that is selected, by its name.
    Selector(Option<Named<()>>),
    /// A display, and where its inputs are shown, by their names.
    Display {
        config: KmsSinkConfig,
        /// Where `plane` is set.
        plane: Range<usize>,
        places: Vec<Named<Place>>,
    },
}

/// Something that the description says of an input.
pub(super) struct Named<T> {
    pub(super) what: T,
    pub(super) name: String,
    /// Where the input is named.
    pub(super) at: Range<usize>,
}

/// What was read of a stage.
pub(super) struct Read {
    /// `None` where something that is needed was missing.
    pub(super) setup: Option<Setup>,
    pub(super) queue: Option<QueuePolicy>,
    pub(super) restart: RestartPolicy,
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
pub(super) static KINDS: [Kind; 9] = [
    kind("v4l2-src", Role::Source, v4l2_src),
    kind("test-src", Role::Source, test_src),
    kind("decimate", Role::Filter, decimate),
    kind("rate-limit", Role::Filter, rate_limit),
    kind("selector", Role::Router, selector),
    kind("v4l2-convert", Role::Filter, v4l2_convert),
    Kind {
        min_buffers: Some((3, "one in view, one waiting for its flip, one being filled")),
        ..kind("kms-sink", Role::Mixer, kms_sink)
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
    pub(super) fn read(&self, mut reader: Reader<'_, '_>) -> Read {
        reader.rename(format!("a {}", self.name));
        let read = self.keys(&mut reader);
        reader.finish(|key| {
            if super::document::key_names().contains(&key) {
                return Some(format!("`{key}` stands above the first stage"));
            }
            if !self.role.takes() && ["queue", "depth"].contains(&key) {
                return Some("a source takes no frames from links".to_owned());
            }
            let others = KINDS.iter().filter(|kind| kind.has(key));
            let names: Vec<&str> = others.map(|kind| kind.name).collect();
            (!names.is_empty()).then(|| format!("this is a key of {}", names.join(" and ")))
        });
        read
    }

    /// Its own keys, and those that every stage has.
    fn keys(&self, reader: &mut Reader<'_, '_>) -> Read {
        let setup = (self.read)(reader);
        let queue = self.role.takes().then(|| queue(reader)).flatten();
        let restart = restart(reader);
        Read {
            setup,
            queue,
            restart,
        }
    }

    fn has(&self, key: &str) -> bool {
        self.key_names().contains(&key)
    }

    /// Its keys but for `kind`.
    pub(super) fn key_names(&self) -> Vec<&'static str> {
        let (empty, mut ignored) = (DeTable::new(), Vec::new());
        let mut reader = Reader::new(&empty, "", 0..0, &mut ignored);
        self.keys(&mut reader);
        reader.asked().to_vec()
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
        media: None,
    };
    Some(source(SourceKind::V4l2(config), read))
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
    Some(source(SourceKind::Test(config), read))
}

fn source(kind: SourceKind, read: &mut Reader<'_, '_>) -> Setup {
    Setup::Done(StageKind::Source(kind, pool(read)))
}

fn decimate(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let every = read.required("every", "add `every = 2` to let one of two frames pass")?;
    Some(filter(FilterKind::Decimate { every }))
}

fn rate_limit(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let rate = read.required("rate", "add `rate = 10` to let ten frames a second pass")?;
    Some(filter(FilterKind::RateLimit { rate }))
}

const fn filter(kind: FilterKind) -> Setup {
    Setup::Done(StageKind::Filter(kind))
}

fn selector(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let name: Option<String> = read.optional("select");
    let at = read.place("select");
    Some(Setup::Selector(name.map(|name| Named {
        what: (),
        name,
        at,
    })))
}

fn v4l2_convert(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let (device, format) = (read.optional("device"), read.optional("format"));
    let request = V4l2ConvertRequest {
        device,
        format,
        size: size(read, format),
        controls: read.entries("controls"),
    };
    let kind = TransformKind::V4l2Convert(request);
    Some(Setup::Done(StageKind::Transform(kind, pool(read))))
}

fn kms_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let config = KmsSinkConfig {
        card: read.optional("card"),
        connector: read.optional("connector"),
        mode: read.optional("mode").unwrap_or_default(),
        plane: read.optional("plane"),
        verify: read.optional("verify"),
    };
    let places = read.tables("place", "`[stage.screen.place.camera]`", |name, read| {
        Named {
            what: Place {
                at: read.pair(["x", "y"], 0..=MAX_SIDE),
                size: read.pair(["width", "height"], 1..=MAX_SIDE),
                plane: read.optional("plane"),
            },
            name: name.to_owned(),
            at: read.named(),
        }
    });
    Some(Setup::Display {
        config,
        plane: read.place("plane"),
        places,
    })
}

fn picture_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let mend = "add `path = \"frame-{n}.png\"`; `{n}` becomes the frame's number";
    let path = read.required("path", mend);
    let every = read.optional("every").unwrap_or(std::num::NonZeroU64::MIN);
    let config = PictureSinkConfig { path: path?, every };
    Some(sink(SinkKind::Picture(config)))
}

fn null_sink(_read: &mut Reader<'_, '_>) -> Option<Setup> {
    Some(sink(SinkKind::Null))
}

const fn sink(kind: SinkKind) -> Setup {
    Setup::Done(StageKind::Sink(kind))
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

fn restart(read: &mut Reader<'_, '_>) -> RestartPolicy {
    let written_out = read.within("restart", |read| RestartPolicy::OnFailure {
        first: read.optional("first").unwrap_or(FIRST_RESTART),
        most: read.optional("most").unwrap_or(LONGEST_RESTART),
        attempts: read.number("attempts", 1..),
    });
    written_out.unwrap_or_else(|| read.optional("restart").unwrap_or_default())
}

/// Which frame a stage takes from links that do not say so themselves, or a link.
pub(super) fn queue(read: &mut Reader<'_, '_>) -> Option<QueuePolicy> {
    let order: Option<Order> = read.optional("queue");
    let depth: Option<NonZeroUsize> = read.optional("depth");
    let one_waits = order == Some(Order::Latest) || !read.has("queue");
    if depth.is_some() && one_waits {
        let place = read.place("depth");
        let label = match order {
            None => "and nothing says which frames wait",
            _ => "of `latest` one frame waits, the newest",
        };
        read.report(
            Finding::at(place, "`depth` without a queue of several frames")
                .label(label)
                .help("add `queue = \"fifo\"` or `queue = \"block\"`, or leave `depth` out"),
        );
    }
    order.map(|order| match order {
        Order::Latest => QueuePolicy::Latest,
        Order::Fifo => QueuePolicy::Fifo { depth },
        Order::Block => QueuePolicy::Block {
            depth: depth.unwrap_or(NonZeroUsize::MIN),
        },
    })
}
