//! Why a camera cannot be used as asked.

use dmaflow_core::Errno;
use dmaflow_core::layout::Layout;
use dmaflow_core::time::Rate;
use dmaflow_v4l2::{FrameRates, V4l2Error};

/// Why a camera cannot be used as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum V4l2SrcError {
    /// What the device layer says.
    #[error(transparent)]
    Device(#[from] V4l2Error),
    /// The camera does not have the format.
    #[error("{device} has no {asked}; it has: {}", list(.has))]
    NoFormat {
        /// Card, driver and node.
        device: String,
        /// The format asked for.
        asked: &'static str,
        /// The formats that it has and dmaflow can use.
        has: Vec<String>,
    },
    /// The camera has only formats that are compressed or unknown.
    #[error("{device} has no uncompressed format that dmaflow knows; it has: {}", list(.has))]
    NoPixels {
        /// Card, driver and node.
        device: String,
        /// The formats it has, by V4L2's code and the driver's words.
        has: Vec<String>,
    },
    /// The camera does not have the size.
    #[error(
        "{device} has no {}×{}{}; {}",
        asked.0,
        asked.1,
        format.map(|format| format!(" in {format}")).unwrap_or_default(),
        nearest_sizes(.nearest)
    )]
    NoSize {
        /// Card, driver and node.
        device: String,
        /// The format it was asked in; `None` when no format has the size.
        format: Option<&'static str>,
        /// Width and height asked for.
        asked: (u32, u32),
        /// The most similar sizes that it has, or the one that the driver proposed.
        nearest: Vec<(u32, u32)>,
    },
    /// The camera does not have the rate.
    #[error(
        "{device} gives no {asked} frames a second at {}×{}: it chose {given}, and has: {has}",
        size.0,
        size.1
    )]
    NoRate {
        /// Card, driver and node.
        device: String,
        /// The rate asked for.
        asked: Rate,
        /// The rate that the driver chose.
        given: Rate,
        /// The size.
        size: (u32, u32),
        /// The rates it has at this size.
        has: FrameRates,
    },
    /// The pool's frames do not look as the camera fills them.
    #[error("{device} writes {expected}, and the pool's frames are {found}")]
    OtherLayout {
        /// Card, driver and node.
        device: String,
        /// What the camera writes.
        expected: Box<Layout>,
        /// What the pool has.
        found: Box<Layout>,
    },
    /// A pool with too few frames for the camera to run.
    #[error("{device} needs {least} buffers queued to run, and the pool has {found}")]
    TooFewFrames {
        /// Card, driver and node.
        device: String,
        /// How many it needs.
        least: usize,
        /// How many there are.
        found: usize,
    },
    /// A phase was left out.
    #[error("{device}: {missing} first")]
    Phase {
        /// Card, driver and node.
        device: String,
        /// What is missing.
        missing: &'static str,
    },
    /// No more frames can be had without a restart.
    #[error("{device}: VIDIOC_DQBUF failed: {meaning}")]
    Dequeue {
        /// Card, driver and node.
        device: String,
        /// What that means.
        meaning: &'static str,
        /// What the kernel answered.
        source: Errno,
    },
}

impl V4l2SrcError {
    /// Whether it is that the camera went away.
    pub(crate) const fn is_gone(&self) -> bool {
        let errno = match self {
            Self::Device(error) => error.errno(),
            Self::Dequeue { source, .. } => Some(*source),
            _ => None,
        };
        matches!(errno, Some(Errno::ENODEV | Errno::ENXIO))
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

fn nearest_sizes(sizes: &[(u32, u32)]) -> String {
    if sizes.is_empty() {
        return "it does not list its sizes".to_owned();
    }
    let sizes: Vec<_> = sizes
        .iter()
        .map(|(width, height)| format!("{width}×{height}"))
        .collect();
    format!("the nearest it has: {}", sizes.join(", "))
}
