//! Finding a video device among the machine's nodes.
//!
//! Node numbers change from boot to boot, so a device is best chosen by its driver, card or
//! bus.

use std::path::{Path, PathBuf};

use super::{Capabilities, VideoDevice};
use crate::error::V4l2Error;

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
    /// Something goes in and comes out changed.
    Converter,
}

impl Function {
    const fn name(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Converter => "codec or converter",
        }
    }

    /// Whether a device with these capabilities does it.
    #[must_use]
    pub const fn is_of(self, capabilities: &Capabilities) -> bool {
        match self {
            Self::Camera => capabilities.captures(),
            Self::Converter => capabilities.converts(),
        }
    }
}

/// Every video node of this machine, by number.
#[must_use]
pub fn video_nodes() -> Vec<VideoNode> {
    paths_in(Path::new("/dev"))
        .into_iter()
        .map(|path| VideoNode {
            capabilities: VideoDevice::open(&path).map(|device| device.capabilities),
            path,
        })
        .collect()
}

fn paths_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut numbered: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix("video")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    numbered.sort();
    numbered.into_iter().map(|(_number, path)| path).collect()
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
            if wanted.is_of(&device.capabilities) {
                return Ok(device);
            }
        }
        for path in paths_in(Path::new("/dev")) {
            match Self::open(&path) {
                Ok(device) if wanted.is_of(&device.capabilities) => {
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

    #[test]
    fn nodes_are_told_apart_by_what_they_do() {
        assert!(Function::Camera.is_of(&camera()));
        let codec = Capabilities {
            flags: raw::V4L2_CAP_VIDEO_M2M_MPLANE | raw::V4L2_CAP_STREAMING,
            ..camera()
        };
        assert!(!Function::Camera.is_of(&codec));
        assert!(Function::Converter.is_of(&codec));
        assert!(codec.is_multiplanar());
        let metadata = Capabilities {
            flags: raw::V4L2_CAP_META_CAPTURE | raw::V4L2_CAP_STREAMING,
            ..camera()
        };
        assert!(!Function::Camera.is_of(&metadata));
    }

    #[test]
    fn nodes_are_listed_by_number() {
        let directory = std::env::temp_dir().join(format!("dmaflow-nodes-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for name in ["video10", "video2", "videodev", "vbi0", "video"] {
            std::fs::write(directory.join(name), "").unwrap();
        }
        let names: Vec<_> = paths_in(&directory)
            .iter()
            .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
            .collect();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(names, ["video2", "video10"]);
    }

    #[test]
    fn what_is_not_there_or_no_video_node_says_so() {
        let missing = VideoDevice::open(Path::new("/dev/video-none")).unwrap_err();
        assert!(matches!(missing, V4l2Error::Open { .. }), "{missing}");
        let null = VideoDevice::open(Path::new("/dev/null")).unwrap_err();
        assert!(matches!(null, V4l2Error::NotVideo { .. }), "{null}");
    }
}
