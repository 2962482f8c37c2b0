//! The V4L2 devices of this machine.

use dmaflow_v4l2::{
    Capabilities, Direction, FormatInfo, FrameSizes, Function, V4l2Error, VideoDevice, VideoNode,
    video_nodes,
};
use serde_json::{Value, json};

use crate::failure::with_causes;
use crate::table::{Row, some};

/// A node, and what it offers or why it cannot be asked.
pub(super) struct Video {
    path: String,
    details: Result<Details, V4l2Error>,
}

pub(super) struct Details {
    capabilities: Capabilities,
    /// What comes out of it.
    formats: Vec<FormatInfo>,
    /// What goes into it.
    takes: Vec<FormatInfo>,
    sizes: FrameSizes,
    /// Whether it imports dma-bufs, on both sides of a converter.
    imports: Option<bool>,
}

pub(super) fn look() -> Vec<Video> {
    let look = |node: VideoNode| Video {
        path: node.path.display().to_string(),
        details: node
            .capabilities
            .and_then(|found| details(&node.path, found)),
    };
    video_nodes().into_iter().map(look).collect()
}

fn details(path: &std::path::Path, capabilities: Capabilities) -> Result<Details, V4l2Error> {
    let device = VideoDevice::open(path)?;
    let list = |direction, wanted: bool| {
        if wanted {
            device.formats(direction)
        } else {
            Ok(Vec::new())
        }
    };
    let (captures, converts) = (capabilities.captures(), capabilities.converts());
    let formats = list(Direction::Capture, captures || converts)?;
    let takes = list(Direction::Output, converts)?;
    let sizes = match formats.first() {
        Some(first) => device.frame_sizes(first.code)?,
        None => FrameSizes::Unknown,
    };
    Ok(Details {
        capabilities,
        formats,
        takes,
        sizes,
        imports: imports(&device, converts),
    })
}

/// Whether it imports dma-bufs in each of its queues; `None` when one cannot be asked.
fn imports(device: &VideoDevice, converts: bool) -> Option<bool> {
    let out = device.imports(Direction::Capture)?;
    match converts {
        true => Some(out && device.imports(Direction::Output)?),
        false => Some(out),
    }
}

impl Video {
    /// What it is for; a node that cannot be asked is listed as a camera, which most are.
    fn function(&self) -> Option<Function> {
        match &self.details {
            Ok(details) => {
                let Details {
                    capabilities,
                    formats,
                    takes,
                    ..
                } = details;
                Function::of(capabilities, takes, formats)
            }
            Err(_) => Some(Function::Camera),
        }
    }

    fn is_for(&self, wanted: &[Function]) -> bool {
        self.function()
            .is_some_and(|function| wanted.contains(&function))
    }
}

pub(super) fn rows(videos: &[Video], wanted: &[Function]) -> Vec<Row> {
    let listed = videos.iter().filter(|video| video.is_for(wanted));
    listed.map(row).collect()
}

fn row(video: &Video) -> Row {
    let details = match &video.details {
        Ok(details) => details,
        Err(error) => return Row::Remark(video.path.clone(), with_causes(error)),
    };
    let capabilities = &details.capabilities;
    let name = format!(
        "{} ({}, {})",
        capabilities.card, capabilities.driver, video.path
    );
    let mut notes = Vec::new();
    let function = video.function();
    if let Some(codec) = function.filter(|function| function.is_codec()) {
        notes.push(codec.to_string());
    }
    if let Some((width, height)) = details.sizes.largest() {
        notes.push(format!("up to {width}×{height}"));
    }
    match details.imports {
        Some(true) => notes.push("imports dma-bufs".to_owned()),
        Some(false) => notes.push("cannot import dma-bufs".to_owned()),
        None => notes.push("in use by another program".to_owned()),
    }
    if capabilities.is_multiplanar() {
        notes.push("multi-planar".to_owned());
    }
    if capabilities.needs_media_controller() {
        notes.push("several devices, set up as needed (`dmaflow media`)".to_owned());
    }
    let gives = some(details.formats.iter().map(name_of), 3, "format");
    let formats = match function {
        None | Some(Function::Camera) => gives,
        Some(_takes_too) => {
            let takes = some(details.takes.iter().map(name_of), 3, "format");
            format!("{takes} → {gives}")
        }
    };
    Row::Cells(vec![name, formats, notes.join("; ")])
}

/// dmaflow's name of a format, or the driver's code where dmaflow does not know it.
pub(super) fn name_of(info: &FormatInfo) -> String {
    info.format
        .map_or_else(|| info.code.to_string(), |format| format.to_string())
}

pub(super) fn json(videos: &[Video], wanted: &[Function]) -> Value {
    let listed = videos.iter().filter(|video| video.is_for(wanted));
    listed.map(video_json).collect()
}

fn video_json(video: &Video) -> Value {
    let details = match &video.details {
        Ok(details) => details,
        Err(error) => return json!({ "node": video.path, "refused": with_causes(error) }),
    };
    let capabilities = &details.capabilities;
    let formats = |formats: &[FormatInfo]| formats.iter().map(format_json).collect::<Vec<_>>();
    json!({
        "node": video.path,
        "card": capabilities.card,
        "driver": capabilities.driver,
        "bus": capabilities.bus,
        "function": video.function().map(|function| function.to_string()),
        "imports": details.imports,
        "multiplanar": capabilities.is_multiplanar(),
        "needs_media_controller": capabilities.needs_media_controller(),
        "formats": formats(&details.formats),
        "takes": formats(&details.takes),
        "largest": details.sizes.largest().map(|(width, height)| [width, height]),
        "refused": null,
    })
}

pub(super) fn format_json(info: &FormatInfo) -> Value {
    json!({
        "code": info.code.to_string(),
        "name": info.format.map(|format| format.name()),
        "description": info.description,
    })
}
