//! Finding a video device among the machine's nodes.
//!
//! Node numbers change from boot to boot, so a device is best chosen by its driver, card or
//! bus.

use std::fmt;
use std::path::{Path, PathBuf};

use dmaflow_core::format::Format;

use super::{Capabilities, Direction, VideoDevice};
use crate::error::V4l2Error;
use crate::modes::FormatInfo;

/// A video node of this machine.
#[derive(Debug)]
pub struct VideoNode {
    /// Where it is.
    pub path: PathBuf,
    /// What it can do, or why it cannot be asked.
    pub capabilities: Result<Capabilities, V4l2Error>,
}

/// What a device is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Pictures come out of it.
    Camera,
    /// Pictures go in and come out changed: another format, another size.
    Converter,
    /// Pictures go in, a compressed stream comes out.
    Encoder,
    /// A compressed stream goes in, pictures come out.
    Decoder,
    /// The same, where what the stream says beside its pictures goes in as controls.
    StatelessDecoder,
}

impl Function {
    /// What a person calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Converter => "converter",
            Self::Encoder => "encoder",
            Self::Decoder => "decoder",
            Self::StatelessDecoder => "stateless decoder",
        }
    }

    /// What a device with these capabilities is for, which takes and gives these formats; `None`
    /// where it is for something else.
    #[must_use]
    pub fn of(
        capabilities: &Capabilities,
        takes: &[FormatInfo],
        gives: &[FormatInfo],
    ) -> Option<Self> {
        if !capabilities.converts() {
            return capabilities.captures().then_some(Self::Camera);
        }
        let compressed = |formats: &[FormatInfo]| formats.iter().any(|format| format.compressed);
        let is_stateless = |info: &FormatInfo| info.format.is_some_and(Format::is_stateless);
        if compressed(takes) {
            Some(match takes.iter().any(is_stateless) {
                true => Self::StatelessDecoder,
                false => Self::Decoder,
            })
        } else if compressed(gives) {
            Some(Self::Encoder)
        } else {
            (!takes.is_empty() && !gives.is_empty()).then_some(Self::Converter)
        }
    }

    /// Whether it is any kind of codec.
    #[must_use]
    pub const fn is_codec(self) -> bool {
        matches!(self, Self::Encoder | Self::Decoder | Self::StatelessDecoder)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl VideoDevice {
    /// What it is for.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    pub fn function(&self) -> Result<Option<Function>, V4l2Error> {
        let list = |direction| match self.capabilities.converts() {
            true => self.formats(direction),
            false => Ok(Vec::new()),
        };
        let (takes, gives) = (list(Direction::Output)?, list(Direction::Capture)?);
        Ok(Function::of(&self.capabilities, &takes, &gives))
    }
}

/// Every video node of this machine, by number.
#[must_use]
pub fn video_nodes() -> Vec<VideoNode> {
    paths()
        .into_iter()
        .map(|path| VideoNode {
            capabilities: VideoDevice::open(&path).map(|device| device.capabilities),
            path,
        })
        .collect()
}

fn paths() -> Vec<PathBuf> {
    numbered(Path::new("/sys/class/video4linux"), "video")
}

/// The nodes called `prefix` and a number, by number.
///
/// `/dev` has hundreds of others; what the kernel lists in `class` is a handful, and may be more
/// than a container has. Where it lists nothing, as without sysfs, `/dev` tells.
pub(crate) fn numbered(class: &Path, prefix: &str) -> Vec<PathBuf> {
    let dev = Path::new("/dev");
    let mut nodes = numbers_in(class, prefix);
    if nodes.is_empty() {
        nodes = numbers_in(dev, prefix);
    }
    let nodes = nodes
        .iter()
        .map(|number| dev.join(format!("{prefix}{number}")));
    nodes.filter(|path| path.exists()).collect()
}

/// The numbers of entries called `prefix` and a number, in order.
fn numbers_in(directory: &Path, prefix: &str) -> Vec<u32> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let number = |name: &str| name.strip_prefix(prefix)?.parse().ok();
    let mut numbers: Vec<u32> = entries
        .filter_map(|entry| number(entry.file_name().to_str()?))
        .collect();
    numbers.sort_unstable();
    numbers
}

impl Capabilities {
    /// Whether driver, card or bus is called so, in any case.
    fn is_called(&self, asked: &str) -> bool {
        let names = [&self.driver, &self.card, &self.bus];
        names.iter().any(|name| name.eq_ignore_ascii_case(asked))
    }
}

impl VideoDevice {
    /// Opens the device with this path, driver, card or bus; without one, the first that does
    /// what is wanted.
    ///
    /// Of a driver with several nodes, the first that does what is wanted is taken.
    ///
    /// # Errors
    /// [`V4l2Error::NoMatch`] and [`V4l2Error::NoDevice`], which list what there is;
    /// [`V4l2Error::Open`] for a path.
    pub fn open_matching(asked: Option<&str>, wanted: Function) -> Result<Self, V4l2Error> {
        let mut known = Vec::new();
        let mut refused = Vec::new();
        if let Some(path) = asked.filter(|asked| asked.contains('/')) {
            let device = Self::open(Path::new(path))?;
            if device.function()? == Some(wanted) {
                return Ok(device);
            }
        }
        for path in paths() {
            let opened = Self::open(&path).and_then(|device| Ok((device.function()?, device)));
            match opened {
                Ok((function, device)) if function == Some(wanted) => {
                    if asked.is_none_or(|asked| device.capabilities.is_called(asked)) {
                        return Ok(device);
                    }
                    known.push(device.to_string());
                }
                Ok(_other_function) => {}
                Err(error) => refused.push(error.to_string()),
            }
        }
        let wanted = wanted.name();
        Err(match asked {
            Some(asked) => {
                known.append(&mut refused);
                V4l2Error::NoMatch {
                    wanted,
                    asked: asked.to_owned(),
                    known,
                }
            }
            None => V4l2Error::NoDevice { wanted, refused },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::raw;

    fn camera() -> Capabilities {
        Capabilities {
            driver: "vivid".to_owned(),
            card: "vivid".to_owned(),
            bus: "platform:vivid-000".to_owned(),
            flags: raw::V4L2_CAP_VIDEO_CAPTURE | raw::V4L2_CAP_STREAMING,
        }
    }

    #[test]
    fn a_device_has_three_names() {
        assert!(camera().is_called("vivid"));
        assert!(camera().is_called("platform:VIVID-000"));
        assert!(!camera().is_called("viv"));
    }

    fn formats(codes: &[(&str, bool)]) -> Vec<FormatInfo> {
        let info = |(code, compressed): &(&str, bool)| FormatInfo {
            code: code.parse().unwrap(),
            format: Format::from_v4l2(code.parse().unwrap()),
            description: String::new(),
            compressed: *compressed,
        };
        codes.iter().map(info).collect()
    }

    #[test]
    fn nodes_are_told_apart_by_what_they_do() {
        let of = |flags, takes: &[(&str, bool)], gives: &[(&str, bool)]| {
            let capabilities = Capabilities {
                flags: flags | raw::V4L2_CAP_STREAMING,
                ..camera()
            };
            Function::of(&capabilities, &formats(takes), &formats(gives))
        };
        let (pixels, stream, slices) = (("NV12", false), ("H264", true), ("S264", true));
        assert_eq!(
            Function::of(&camera(), &[], &[]),
            Some(Function::Camera),
            "whatever it delivers"
        );
        assert_eq!(of(raw::V4L2_CAP_META_CAPTURE, &[], &[]), None);
        for m2m in [raw::V4L2_CAP_VIDEO_M2M, raw::V4L2_CAP_VIDEO_M2M_MPLANE] {
            let of = |takes: &[_], gives: &[_]| of(m2m, takes, gives);
            let converter = of(&[pixels], &[pixels, pixels]);
            assert_eq!(converter, Some(Function::Converter));
            assert_eq!(of(&[pixels], &[stream]), Some(Function::Encoder));
            assert_eq!(of(&[stream, pixels], &[pixels]), Some(Function::Decoder));
            assert_eq!(of(&[slices], &[pixels]), Some(Function::StatelessDecoder));
            // A decoder that has not seen its stream.
            assert_eq!(of(&[stream], &[]), Some(Function::Decoder));
            assert_eq!(of(&[pixels], &[]), None);
        }
        let codec = Capabilities {
            flags: raw::V4L2_CAP_VIDEO_M2M_MPLANE | raw::V4L2_CAP_STREAMING,
            ..camera()
        };
        assert!(codec.is_multiplanar());
    }

    #[test]
    fn nodes_are_listed_by_number() {
        let directory = std::env::temp_dir().join(format!("dmaflow-nodes-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for name in ["video10", "video2", "videodev", "vbi0", "video"] {
            std::fs::write(directory.join(name), "").unwrap();
        }
        let numbers = numbers_in(&directory, "video");
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(numbers, [2, 10]);
        assert!(numbers_in(&directory, "video").is_empty());
    }

    #[test]
    fn what_is_not_there_or_no_video_node_says_so() {
        let missing = VideoDevice::open(Path::new("/dev/video-none")).unwrap_err();
        assert!(matches!(missing, V4l2Error::Open { .. }), "{missing}");
        let null = VideoDevice::open(Path::new("/dev/null")).unwrap_err();
        assert!(matches!(null, V4l2Error::NotVideo { .. }), "{null}");
    }
}
