//! The codecs of this machine, as their drivers tell.

mod menus;

use std::path::{Path, PathBuf};

use dmaflow_v4l2::{
    Capabilities, Control, Direction, FormatInfo, FormatRequest, FrameRates, FrameSizes, Function,
    V4l2Error, VideoDevice, video_nodes,
};

use menus::{Menu, entries};

/// A codec, and what its driver tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecInfo {
    /// The node, which [`V4l2CodecConfig::device`](crate::V4l2CodecConfig::device) takes.
    pub node: PathBuf,
    /// Who the driver is.
    pub capabilities: Capabilities,
    /// Encoder, decoder or stateless decoder.
    pub function: Function,
    /// Whether it imports dma-bufs on both sides; `None` when it cannot be asked.
    pub imports: Option<bool>,
    /// The compressed formats, in the driver's order.
    pub coded: Vec<CodedFormat>,
    /// What may be set of it.
    pub controls: Vec<Control>,
}

/// A compressed format of a codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodedFormat {
    /// The format.
    pub info: FormatInfo,
    /// The sizes that it has.
    pub sizes: FrameSizes,
    /// The rates that it has at the largest of them.
    pub rates: FrameRates,
    /// The profiles that the driver lists: "Main", "High".
    pub profiles: Vec<String>,
    /// The levels that the driver lists: "4.1".
    pub levels: Vec<String>,
    /// How much of a picture a stateless decoder takes at once: "Slice-Based", "Frame-Based".
    pub decode_modes: Vec<String>,
    /// What a stateless decoder wants slices to begin with: "No Start Code", "Annex B Start Code".
    pub start_codes: Vec<String>,
    /// The pictures that go in or come out, in the driver's order. Before a decoder has seen its
    /// stream these may be more than come of it.
    pub pictures: Vec<PictureFormat>,
}

/// A format of pictures of a codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFormat {
    /// The format.
    pub info: FormatInfo,
    /// The sizes that it has.
    pub sizes: FrameSizes,
    /// The rates that it has at the largest of them.
    pub rates: FrameRates,
}

/// A video node that is a codec, or that cannot be asked and may be one.
#[derive(Debug)]
pub struct CodecNode {
    /// Where it is.
    pub path: PathBuf,
    /// What it can do, or why it cannot be asked.
    pub info: Result<CodecInfo, V4l2Error>,
}

/// Lists this machine's codecs, and the nodes that cannot be asked.
///
/// *Needs:* read and write permission for their nodes, which the group `video` has.
#[must_use]
pub fn codecs() -> Vec<CodecNode> {
    let nodes = video_nodes().into_iter();
    let codecs = nodes.filter_map(|node| {
        let info = node.capabilities.and_then(|found| match found.converts() {
            true => codec_at(&node.path),
            false => Ok(None),
        });
        let path = node.path;
        info.transpose().map(|info| CodecNode { path, info })
    });
    codecs.collect()
}

/// What a node that makes frames of frames is, where it is a codec.
fn codec_at(path: &Path) -> Result<Option<CodecInfo>, V4l2Error> {
    let device = VideoDevice::open(path)?;
    let Some(function) = device.function()?.filter(|function| function.is_codec()) else {
        return Ok(None);
    };
    let (coded_in, pictures_in) = match function {
        Function::Encoder => (Direction::Capture, Direction::Output),
        _ => (Direction::Output, Direction::Capture),
    };
    let controls = device.controls()?;
    let listed = device.formats(coded_in)?.into_iter();
    let coded = listed
        .filter(|info| info.compressed)
        .map(|info| coded(&device, info, (coded_in, pictures_in), &controls))
        .collect::<Result<Vec<_>, _>>()?;
    let imports = device.imports(coded_in).zip(device.imports(pictures_in));
    Ok(Some(CodecInfo {
        node: path.to_owned(),
        capabilities: device.capabilities().clone(),
        function,
        imports: imports.map(|(coded, pictures)| coded && pictures),
        coded,
        controls,
    }))
}

fn coded(
    device: &VideoDevice,
    info: FormatInfo,
    (coded_in, pictures_in): (Direction, Direction),
    controls: &[Control],
) -> Result<CodedFormat, V4l2Error> {
    settle(device, coded_in, &info);
    let pictures = device.formats(pictures_in)?.into_iter();
    let pictures = pictures
        .filter(|picture| !picture.compressed)
        .map(|info| {
            let (sizes, rates) = sizes_and_rates(device, &info)?;
            Ok(PictureFormat { info, sizes, rates })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (sizes, rates) = sizes_and_rates(device, &info)?;
    let of = |menu| entries(controls, &info, menu);
    Ok(CodedFormat {
        sizes,
        rates,
        profiles: of(Menu::Profile),
        levels: of(Menu::Level),
        decode_modes: of(Menu::DecodeMode),
        start_codes: of(Menu::StartCode),
        pictures,
        info,
    })
}

/// Has a device be asked of one compressed format: which pictures go with it may depend on that.
/// Where it cannot be set, as while another user streams, what is listed is of the one before.
fn settle(device: &VideoDevice, coded_in: Direction, info: &FormatInfo) {
    let Some(format) = info.format else {
        return;
    };
    let set = device.size(coded_in).and_then(|size| {
        let request = FormatRequest::aligned(format, info.code, size);
        device.set_format(coded_in, &request)
    });
    if let Err(error) = set {
        tracing::debug!(%error, "a codec whose format cannot be set");
    }
}

fn sizes_and_rates(
    device: &VideoDevice,
    info: &FormatInfo,
) -> Result<(FrameSizes, FrameRates), V4l2Error> {
    let sizes = device.frame_sizes(info.code)?;
    let rates = match sizes.largest() {
        Some(largest) => device.frame_rates(info.code, largest)?,
        None => FrameRates::Unknown,
    };
    Ok((sizes, rates))
}
