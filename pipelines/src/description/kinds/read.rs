//! Reading the keys of each kind.

use std::num::NonZeroUsize;

use dmaflow_core::format::Format;
use dmaflow_core::layout::Layout;
use dmaflow_kms_sink::{KmsSinkConfig, PictureSinkConfig};
use dmaflow_v4l2_src::{MediaConfig, TestSrcConfig, V4l2SrcConfig};

use super::{Named, Setup};
use crate::description::diagnostic::Finding;
use crate::description::reader::Reader;
use crate::description::stage::{FIRST_RESTART, LONGEST_RESTART};
use crate::description::value::{InputName, Order};
use crate::description::{
    FilterKind, Place, RestartPolicy, SinkKind, SourceKind, StageKind, TransformKind,
    V4l2ConvertRequest,
};
use crate::{PoolRequest, QueuePolicy};

/// Display modes count pixels in 16 bits (`struct drm_mode_modeinfo`).
const MAX_SIDE: u32 = 65_535;
/// One is filled while another is used.
const MIN_BUFFERS: usize = 2;
/// `VIDEO_MAX_FRAME` of V4L2.
const MAX_BUFFERS: usize = 32;

pub(super) fn v4l2_src(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let device = read
        .doc("the device: its node, card name, driver or bus address; the first camera without it")
        .optional("device");
    let format = read
        .doc("pixel format; chosen without it")
        .optional("format");
    let config = V4l2SrcConfig {
        device,
        input: read
            .doc("which of its inputs, by name or number; the one it is set to without it")
            .optional("input")
            .map(|InputName(name)| name),
        format,
        size: size(
            read,
            format,
            "pixels a row, goes with `height`; what the device is set to without them",
        ),
        rate: read
            .doc("frames a second; what the device is set to without it")
            .optional("rate"),
        controls: read
            .doc("controls to set, by their names; `dmaflow devices` lists them")
            .entries("controls"),
        media: media(read),
    };
    Some(source(SourceKind::V4l2(config), read))
}

/// What is set by hand of a camera that is made of several devices.
fn media(read: &mut Reader<'_, '_>) -> Option<MediaConfig> {
    read.doc("of a camera behind the media controller: what is not to be found by itself");
    let media = read.within("media", |read| MediaConfig {
        sensor: read
            .doc("the sensor's entity, as `dmaflow media` shows it")
            .optional("sensor"),
        pads: read
            .doc("formats that pads must have")
            .optional("pads")
            .unwrap_or_default(),
        links: read
            .doc("links that must be on, or off")
            .optional("links")
            .unwrap_or_default(),
    });
    if media.is_none() {
        // Something else is there, or nothing.
        read.table("media", "a table, as in `[stage.camera.media]`");
    }
    media
}

pub(super) fn test_src(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let default = TestSrcConfig::default();
    let format = read
        .doc("pixel format; XRGB8888 without it")
        .optional("format");
    let format = format.unwrap_or(default.format);
    let size = size(
        read,
        Some(format),
        "pixels a row, goes with `height`; 640×480 without them",
    );
    let (width, height) = size.unwrap_or((default.width, default.height));
    let config = TestSrcConfig {
        format,
        width,
        height,
        rate: read
            .doc("frames a second; 30 without it")
            .optional("rate")
            .or(default.rate),
        frames: read
            .doc("the stream ends after so many")
            .number("frames", 1_u64..),
    };
    Some(source(SourceKind::Test(config), read))
}

pub(super) fn source(kind: SourceKind, read: &mut Reader<'_, '_>) -> Setup {
    Setup::Done(StageKind::Source(kind, pool(read)))
}

pub(super) fn decimate(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let every = read
        .doc("one of so many passes")
        .required("every", "add `every = 2` to let one of two frames pass")?;
    Some(filter(FilterKind::Decimate { every }))
}

pub(super) fn rate_limit(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let rate = read
        .doc("frames a second at most")
        .required("rate", "add `rate = 10` to let ten frames a second pass")?;
    Some(filter(FilterKind::RateLimit { rate }))
}

const fn filter(kind: FilterKind) -> Setup {
    Setup::Done(StageKind::Filter(kind))
}

pub(super) fn selector(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let name: Option<String> = read
        .doc("the input it begins with, by the stage that leads there; the first link's without it")
        .optional("select");
    let at = read.place("select");
    Some(Setup::Selector(name.map(|name| Named {
        what: (),
        name,
        at,
    })))
}

pub(super) fn v4l2_convert(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let device = read
        .doc("the device: its node, card name, driver or bus address; the first fit one without it")
        .optional("device");
    let format = read
        .doc("pixel format of what it makes; what the next stage likes best without it")
        .optional("format");
    let request = V4l2ConvertRequest {
        device,
        format,
        size: size(
            read,
            format,
            "pixels a row of what it makes, goes with `height`; as what it takes without them",
        ),
        controls: read
            .doc("controls to set, by their names")
            .entries("controls"),
    };
    let kind = TransformKind::V4l2Convert(request);
    Some(Setup::Done(StageKind::Transform(kind, pool(read))))
}

pub(super) fn kms_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let config = KmsSinkConfig {
        card: read
            .doc("the card: its node, driver or bus address; the first usable one without it")
            .optional("card"),
        connector: read
            .doc("the kernel's name of the connector; the first with a screen without it")
            .optional("connector"),
        mode: read
            .doc("the screen's mode; the picture's size if there is such a one without it")
            .optional("mode")
            .unwrap_or_default(),
        plane: read
            .doc("the plane, where one link leads here; any that can show it without it")
            .optional("plane"),
        verify: read
            .doc("compares every Nth frame with what a writeback connector saw")
            .optional("verify"),
    };
    read.doc("where an input is shown, by the stage that leads there");
    let places = read.tables("place", "`[stage.screen.place.camera]`", |name, read| {
        Named {
            what: Place {
                at: read
                    .doc("pixels from the left")
                    .doc("pixels from above")
                    .pair(["x", "y"], 0..=MAX_SIDE),
                size: read
                    .doc("pixels a row on the screen")
                    .doc("rows on the screen")
                    .pair(["width", "height"], 1..=MAX_SIDE),
                plane: read.doc("the plane").optional("plane"),
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

pub(super) fn picture_sink(read: &mut Reader<'_, '_>) -> Option<Setup> {
    let mend = "add `path = \"frame-{n}.png\"`; `{n}` becomes the frame's number";
    let path = read
        .doc("the file, written anew each time; `{n}` in its name becomes the frame's number")
        .required("path", mend);
    let every = read
        .doc("writes every Nth frame; all without it")
        .optional("every")
        .unwrap_or(std::num::NonZeroU64::MIN);
    let config = PictureSinkConfig { path: path?, every };
    Some(sink(SinkKind::Picture(config)))
}

pub(super) fn null_sink(_read: &mut Reader<'_, '_>) -> Option<Setup> {
    Some(sink(SinkKind::Null))
}

const fn sink(kind: SinkKind) -> Setup {
    Setup::Done(StageKind::Sink(kind))
}

/// Width and height; `doc` tells of both.
pub(super) fn size(
    read: &mut Reader<'_, '_>,
    format: Option<Format>,
    doc: &'static str,
) -> Option<(u32, u32)> {
    let size = read
        .doc(doc)
        .doc("rows; goes with `width`")
        .pair(["width", "height"], 1..=MAX_SIDE);
    if let (Some((width, height)), Some(format)) = (size, format)
        && let Err(error) = Layout::packed(format, width, height)
    {
        let place = read.place("width");
        read.report(Finding::at(place, error.to_string()).label("this size is too large"));
    }
    size
}

pub(super) fn pool(read: &mut Reader<'_, '_>) -> PoolRequest {
    PoolRequest {
        heaps: read
            .doc("the heap that frames come from, or several, best first; found by asking without it")
            .optional("heap")
            .unwrap_or_default(),
        buffers: read.doc("how many frames there are; as many as are needed without it").number("buffers", MIN_BUFFERS..=MAX_BUFFERS),
    }
}

pub(super) fn restart(read: &mut Reader<'_, '_>) -> RestartPolicy {
    read.doc("what happens when the stage fails: the run ends (`never`), or it is started anew");
    let written_out = read.within("restart", |read| RestartPolicy::OnFailure {
        first: read
            .doc("how long it waits at first; 200ms without it")
            .optional("first")
            .unwrap_or(FIRST_RESTART),
        most: read
            .doc("how long it waits at most, doubling; 10s without it")
            .optional("most")
            .unwrap_or(LONGEST_RESTART),
        attempts: read
            .doc("how often in a row; without end without it")
            .number("attempts", 1_u32..),
    });
    written_out.unwrap_or_else(|| read.optional("restart").unwrap_or_default())
}

/// Which frame a stage takes from links that do not say so themselves, or a link.
pub(in crate::description) fn queue(read: &mut Reader<'_, '_>) -> Option<QueuePolicy> {
    let order: Option<Order> = read
        .doc("which frame is taken from a link: the newest, the oldest, or the oldest with senders that wait")
        .optional("queue");
    let depth: Option<NonZeroUsize> = read
        .doc("how many frames wait at most; with `fifo` all without it, with `block` one")
        .optional("depth");
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
