//! Why a converter cannot be used as asked.

use dmaflow_core::Errno;
use dmaflow_core::fourcc::FourCc;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;
use dmaflow_v4l2::media::MediaError;
use dmaflow_v4l2::{V4l2Error, list, nearest_sizes};

/// Why a converter cannot be used as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum V4l2ConverterError {
    /// What the device layer says.
    #[error(transparent)]
    Device(#[from] V4l2Error),
    /// The device converts only formats that dmaflow does not know.
    #[error("{device} converts nothing that dmaflow knows; it takes: {}", list(.takes))]
    NothingKnown {
        /// Card, driver and node.
        device: String,
        /// What goes in, by V4L2's code and the driver's words.
        takes: Vec<String>,
    },
    /// The device does not take the format.
    #[error("{device} does not take {asked}; it takes: {}", list(.takes))]
    NoInput {
        /// Card, driver and node.
        device: String,
        /// The format that would come in.
        asked: &'static str,
        /// The formats that it takes.
        takes: Vec<String>,
    },
    /// The device does not make the format of what comes in.
    #[error("{device} makes no {asked} of {input}; it makes: {}", list(.makes))]
    NoOutput {
        /// Card, driver and node.
        device: String,
        /// The format that comes in.
        input: &'static str,
        /// The format asked for.
        asked: &'static str,
        /// The formats that it makes of what comes in.
        makes: Vec<String>,
    },
    /// The device does not have the size.
    #[error(
        "{device} {does} no {}×{} in {format}; {}",
        asked.0,
        asked.1,
        nearest_sizes(.nearest)
    )]
    NoSize {
        /// Card, driver and node.
        device: String,
        /// "takes" or "makes".
        does: &'static str,
        /// The format it was asked in.
        format: &'static str,
        /// Width and height asked for.
        asked: (u32, u32),
        /// The most similar sizes that it has, or the one that the driver proposed.
        nearest: Vec<(u32, u32)>,
    },
    /// The device makes pictures as large as they come in.
    #[error(
        "{device} does not scale: to make {}×{} it would take {}×{}, and {}×{} come in",
        asked.0, asked.1, takes.0, takes.1, input.0, input.1
    )]
    NoScaling {
        /// Card, driver and node.
        device: String,
        /// Width and height asked for.
        asked: (u32, u32),
        /// What it would take.
        takes: (u32, u32),
        /// What comes in.
        input: (u32, u32),
    },
    /// A frame of a pool that was never attached.
    #[error("{device} was given a frame of a pool that it does not know: attach the pool first")]
    ForeignFrame {
        /// Card, driver and node.
        device: String,
    },
    /// A decoder was given all there is, and did not tell what its pictures are like.
    #[error(
        "{device} found no beginning of a stream in what it was given: is it compressed as the \
         link says, and does it begin with its headers?"
    )]
    NoHeader {
        /// Card, driver and node.
        device: String,
    },
    /// What a decoder makes of the stream is not what it said it would.
    #[error(
        "{device} makes {found} of this stream, and {agreed} was agreed on: set the stage's \
         `format` to one that it makes of such a stream"
    )]
    OtherPicture {
        /// Card, driver and node.
        device: String,
        /// What was agreed on.
        agreed: Box<Layout>,
        /// What it makes.
        found: Box<Layout>,
    },
    /// A decoder does not make pictures of the stream in the format that was agreed on.
    #[error(
        "{device} makes no {agreed} of this stream, whose pictures it would give as {found}: set \
         the stage's `format` to one of the same kind"
    )]
    OtherFormat {
        /// Card, driver and node.
        device: String,
        /// What was agreed on.
        agreed: &'static str,
        /// V4L2's code of what it proposes.
        found: FourCc,
    },
    /// A decoder wants more frames to fill than it was given.
    #[error(
        "{device} needs {needs} frames to fill for this stream, and has {has}: set `buffers` of \
         the stage, or of what it is linked to, to {needs} at least"
    )]
    TooFewPictures {
        /// Card, driver and node.
        device: String,
        /// How many it needs.
        needs: usize,
        /// How many its pool has.
        has: usize,
    },
    /// A stateless decoder has no media device, or that makes no requests.
    #[error("{device} cannot be told what to decode")]
    Media {
        /// Card, driver and node.
        device: String,
        /// Why.
        source: Box<MediaError>,
    },
    /// The driver did not take a frame.
    #[error("{device}: cannot hand frame {slot} of the input over: VIDIOC_QBUF failed")]
    Queue {
        /// Card, driver and node.
        device: String,
        /// Which of the queue's frames.
        slot: usize,
        /// What the kernel answered.
        source: Errno,
    },
}

impl From<V4l2ConverterError> for StageError {
    fn from(error: V4l2ConverterError) -> Self {
        match error {
            V4l2ConverterError::Device(error) => error.into(),
            V4l2ConverterError::Queue {
                device,
                source: Errno::ENODEV | Errno::ENXIO,
                ..
            } => Self::Gone { device },
            error => Self::failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_there_is_instead() {
        let device = || "vim2m (vim2m, /dev/video1)".to_owned();
        let input = V4l2ConverterError::NoInput {
            device: device(),
            asked: "NV12",
            takes: vec!["RGB565".to_owned(), "BGR888".to_owned()],
        };
        assert_eq!(
            input.to_string(),
            "vim2m (vim2m, /dev/video1) does not take NV12; it takes: RGB565, BGR888"
        );
        let size = V4l2ConverterError::NoSize {
            device: device(),
            does: "makes",
            format: "YUYV",
            asked: (1920, 1080),
            nearest: vec![(640, 480)],
        };
        assert_eq!(
            size.to_string(),
            "vim2m (vim2m, /dev/video1) makes no 1920×1080 in YUYV; the nearest it has: 640×480"
        );
    }

    #[test]
    fn a_device_that_is_gone_is_gone_however_it_was_noticed() {
        let queue = V4l2ConverterError::Queue {
            device: "converter".to_owned(),
            slot: 3,
            source: Errno::ENODEV,
        };
        assert!(matches!(StageError::from(queue), StageError::Gone { .. }));
        let dequeue = V4l2ConverterError::Device(V4l2Error::Dequeue {
            device: "converter".to_owned(),
            meaning: "the device is gone",
            source: Errno::ENODEV,
        });
        assert!(matches!(StageError::from(dequeue), StageError::Gone { .. }));
    }
}
