//! The converters of this machine, and what each makes of what.

use std::fmt;
use std::path::PathBuf;

use dmaflow_core::format::Format;
use dmaflow_core::fourcc::FourCc;
use dmaflow_v4l2::{
    Candidate, Capabilities, Direction, FormatInfo, FormatRequest, FrameSizes, Function, V4l2Error,
    VideoDevice, candidates, video_nodes,
};

use crate::error::V4l2ConverterError;

/// A format that goes into a converter, or comes out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortFormat {
    /// The format.
    pub format: Format,
    /// V4L2's codes of it that the device has: all planes in one buffer, a buffer a plane.
    pub codes: Vec<FourCc>,
    /// The sizes it has, as far as the driver lists them.
    pub sizes: FrameSizes,
}

/// What can be made of one format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// What goes in.
    pub input: PortFormat,
    /// What comes out, best first.
    pub outputs: Vec<PortFormat>,
}

/// A converter, and what it can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConverterInfo {
    /// The node, which [`V4l2ConverterConfig::device`](crate::V4l2ConverterConfig::device) takes.
    pub node: PathBuf,
    /// Who the driver is.
    pub capabilities: Capabilities,
    /// What it makes of what, the best of what goes in first.
    pub conversions: Vec<Conversion>,
}

/// Which of a queue's formats can be used, best first.
pub(crate) type Choose = fn(&[FormatInfo]) -> Vec<Candidate>;

impl ConverterInfo {
    /// What can be made of frames in this format; `None` when it does not take them.
    #[must_use]
    pub fn of(&self, input: Format) -> Option<&Conversion> {
        let mut conversions = self.conversions.iter();
        conversions.find(|conversion| conversion.input.format == input)
    }

    /// Whether it makes frames of one format of those of another.
    #[must_use]
    pub fn converts(&self, input: Format, output: Format) -> bool {
        self.of(input)
            .is_some_and(|conversion| conversion.output(output).is_some())
    }

    /// Asks a device, whose queues have no buffers. Its formats change by that, which each of
    /// a device's users has of their own. `from` and `to` choose among the formats that go in and
    /// come out.
    pub(crate) fn ask(
        device: &VideoDevice,
        from: Choose,
        to: Choose,
    ) -> Result<Self, V4l2ConverterError> {
        let takes = device.formats(Direction::Output)?;
        let mut conversions = Vec::new();
        for input in from(&takes) {
            let gives = gives(device, input)?;
            let sizes = |code| device.frame_sizes(code);
            let outputs = to(&gives)
                .into_iter()
                .map(|output| port(output, &gives, sizes))
                .collect::<Result<Vec<_>, _>>()?;
            if !outputs.is_empty() {
                let input = port(input, &takes, sizes)?;
                conversions.push(Conversion { input, outputs });
            }
        }
        if conversions.is_empty() {
            let name = |info: &FormatInfo| format!("{} ({})", info.code, info.description);
            return Err(V4l2ConverterError::NothingKnown {
                device: device.to_string(),
                takes: takes.iter().map(name).collect(),
            });
        }
        Ok(Self {
            node: device.path().to_owned(),
            capabilities: device.capabilities().clone(),
            conversions,
        })
    }
}

impl Conversion {
    /// What comes out in this format; `None` when nothing does.
    #[must_use]
    pub fn output(&self, format: Format) -> Option<&PortFormat> {
        self.outputs.iter().find(|output| output.format == format)
    }
}

impl fmt::Display for ConverterInfo {
    /// Writes card, driver and node: "vim2m (vim2m, /dev/video1)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Capabilities { card, driver, .. } = &self.capabilities;
        write!(f, "{card} ({driver}, {})", self.node.display())
    }
}

/// What comes out while this goes in: with some drivers the one depends on the other.
fn gives(device: &VideoDevice, input: Candidate) -> Result<Vec<FormatInfo>, V4l2Error> {
    let size = device.size(Direction::Output)?;
    let request = FormatRequest::aligned(input.format, input.code, size);
    device.set_format(Direction::Output, &request)?;
    device.formats(Direction::Capture)
}

fn port(
    best: Candidate,
    of: &[FormatInfo],
    sizes: impl Fn(FourCc) -> Result<FrameSizes, V4l2Error>,
) -> Result<PortFormat, V4l2Error> {
    Ok(PortFormat {
        format: best.format,
        codes: codes(best, of),
        sizes: sizes(best.code)?,
    })
}

/// The codes that a queue has for a format, the best first.
fn codes(best: Candidate, of: &[FormatInfo]) -> Vec<FourCc> {
    let others = of
        .iter()
        .filter(|info| info.format == Some(best.format) && info.code != best.code)
        .map(|info| info.code);
    std::iter::once(best.code).chain(others).collect()
}

/// Lists this machine's converters: memory-to-memory devices that take pixels and make pixels.
///
/// *Needs:* read and write permission for their nodes, which the group `video` has. Nodes that
/// cannot be asked, and those of drivers that convert nothing dmaflow knows, are left out.
#[must_use]
pub fn converters() -> Vec<ConverterInfo> {
    video_nodes()
        .iter()
        .filter(|node| {
            let capabilities = node.capabilities.as_ref();
            capabilities.is_ok_and(Capabilities::converts)
        })
        .filter_map(|node| match converter_at(&node.path) {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(%error, "a converter that cannot be asked");
                None
            }
        })
        .collect()
}

fn converter_at(path: &std::path::Path) -> Result<Option<ConverterInfo>, V4l2ConverterError> {
    let device = VideoDevice::open(path)?;
    match device.function()? {
        Some(Function::Converter) => ConverterInfo::ask(&device, candidates, candidates).map(Some),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infos(codes: &[&str]) -> Vec<FormatInfo> {
        let info = |code: &&str| {
            let code = code.parse().unwrap();
            FormatInfo {
                code,
                format: Format::from_v4l2(code),
                description: String::new(),
                compressed: false,
            }
        };
        codes.iter().map(info).collect()
    }

    #[test]
    fn a_format_has_all_the_codes_that_the_queue_lists() {
        let infos = infos(&["NM12", "YUYV", "NV12", "HSV3"]);
        let found: Vec<_> = candidates(&infos)
            .into_iter()
            .map(|best| {
                let codes = codes(best, &infos);
                let names: Vec<_> = codes.iter().map(ToString::to_string).collect();
                format!("{}: {}", best.format, names.join(" "))
            })
            .collect();
        assert_eq!(found, ["NV12: NV12 NM12", "YUYV: YUYV"]);
    }

    #[test]
    fn what_is_made_of_what() {
        let port = |name: &str| PortFormat {
            format: name.parse().unwrap(),
            codes: Vec::new(),
            sizes: FrameSizes::Unknown,
        };
        let conversion = |input: &str, outputs: &[&str]| Conversion {
            input: port(input),
            outputs: outputs.iter().map(|name| port(name)).collect(),
        };
        let info = ConverterInfo {
            node: "/dev/video1".into(),
            capabilities: Capabilities::default(),
            conversions: vec![
                conversion("YUYV", &["NV12", "XRGB8888"]),
                conversion("NV12", &["YUYV"]),
            ],
        };
        let converts = |from: &str, to: &str| {
            let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
            info.converts(from, to)
        };
        assert!(converts("YUYV", "XRGB8888"));
        assert!(!converts("NV12", "XRGB8888"));
        assert!(!converts("GREY", "YUYV"));
    }
}
