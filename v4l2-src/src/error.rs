//! Why a camera cannot be used as asked.

use dmaflow_core::stage::StageError;
use dmaflow_core::time::Rate;
use dmaflow_v4l2::media::MediaError;
use dmaflow_v4l2::{FrameRates, V4l2Error, list, nearest_sizes};

/// Why a camera cannot be used as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum V4l2SrcError {
    /// What the device layer says.
    #[error(transparent)]
    Device(#[from] V4l2Error),
    /// What is between the sensor and the camera's node cannot be set up.
    #[error(transparent)]
    Media(#[from] MediaError),
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
    /// The thread that notices changes of the signal cannot be started.
    #[error("{device}: cannot start the thread that watches its signal")]
    Watch {
        /// Card, driver and node.
        device: String,
        /// EAGAIN at the limit of threads.
        source: std::io::Error,
    },
}

impl From<V4l2SrcError> for StageError {
    fn from(error: V4l2SrcError) -> Self {
        match error {
            V4l2SrcError::Device(error) | V4l2SrcError::Media(MediaError::Device(error))
                if error.is_gone() =>
            {
                error.into()
            }
            error => Self::failed(error),
        }
    }
}
