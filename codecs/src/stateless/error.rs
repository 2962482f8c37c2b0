//! Why a stateless decoder cannot go on.

use dmaflow_bitstream::StreamError;
use dmaflow_core::Errno;
use dmaflow_core::dma_buf::DmaBufError;
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;

/// Why a stateless decoder cannot go on. Units of a stream are counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatelessError {
    /// Of pictures another part is to be seen, which are decoded into frames that others are in.
    #[error(
        "{device}: from unit {unit} on {}×{} of the stream's pictures are to be seen, {}×{} before, \
         and pictures that are as large as before are still referred to",
        found.0, found.1, agreed.0, agreed.1
    )]
    OtherPart {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
        /// Width and height that were agreed on.
        agreed: (u32, u32),
        /// Width and height of the stream's.
        found: (u32, u32),
    },
    /// What is to be seen of the pictures does not begin in their corner, which no layout says.
    #[error(
        "{device}: from unit {unit} on what is to be seen of the stream's pictures begins {} to the \
         right and {} down, and a frame begins in its corner",
        begins.0, begins.1
    )]
    NotInTheCorner {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
        /// Columns and rows before it.
        begins: (u32, u32),
    },
    /// What the device makes of the stream is not what it said it would.
    #[error(
        "{device} makes {found} of this stream from unit {unit} on, and {agreed} was agreed on: \
         set the stage's `format` to one that it makes of such a stream"
    )]
    OtherPicture {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
        /// What was agreed on.
        agreed: Box<Layout>,
        /// What it makes.
        found: Box<Layout>,
    },
    /// The stream keeps more pictures than there are frames.
    #[error(
        "{device} needs {needs} frames to fill from unit {unit} of the stream on, and has {has}: \
         set `buffers` of the stage, or of what it is linked to, to {needs} at least"
    )]
    TooFewPictures {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
        /// How many it needs.
        needs: usize,
        /// How many its pool has.
        has: usize,
    },
    /// The driver does not take what the stream says.
    #[error(
        "{device} does not take what unit {unit} of the stream says, in control {control}: \
         VIDIOC_S_EXT_CTRLS failed; does it make the format of the link of such a stream?"
    )]
    Refused {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
        /// The control, by name and number where the kernel says which.
        control: String,
        /// What the kernel answered.
        source: Errno,
    },
    /// A picture comes in pieces, and the driver takes none.
    #[error(
        "{device}: unit {unit} of the stream has a picture in several pieces, and the driver \
         holds no frame for more of them"
    )]
    NoHold {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
    },
    /// A request was not taken.
    #[error("{device}: cannot {doing} of unit {unit} of the stream: {call} failed")]
    Request {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
        /// What was being done.
        doing: &'static str,
        /// The call.
        call: &'static str,
        /// What the kernel answered.
        source: Errno,
    },
    /// The driver filled what it was not given.
    #[error("{device} filled frame {found}, and was given frame {expected}")]
    OtherFrame {
        /// Card, driver and node.
        device: String,
        /// What it was given.
        expected: usize,
        /// What it filled.
        found: usize,
    },
    /// A request was never finished.
    #[error("{device} did not finish with unit {unit} of the stream")]
    Silent {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
    },
    /// The CPU cannot read what goes in.
    #[error("{device}: cannot {doing} of unit {unit} of the stream")]
    Access {
        /// Card, driver and node.
        device: String,
        /// Where in the stream.
        unit: u64,
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: DmaBufError,
    },
    /// Nothing of the whole stream could be decoded.
    #[error(
        "{device} found nothing to decode in {units} units, the first of which that cannot be read \
         is unit {unit}; is the stream compressed as the link says, and does it begin with its \
         headers?"
    )]
    Nothing {
        /// Card, driver and node.
        device: String,
        /// How many there were.
        units: u64,
        /// Where in the stream.
        unit: u64,
        /// What is wrong there.
        source: StreamError,
    },
}

impl From<StatelessError> for StageError {
    fn from(error: StatelessError) -> Self {
        match error {
            StatelessError::Request {
                device,
                source: Errno::ENODEV | Errno::ENXIO,
                ..
            }
            | StatelessError::Refused {
                device,
                source: Errno::ENODEV | Errno::ENXIO,
                ..
            } => Self::Gone { device },
            error => Self::failed(error),
        }
    }
}
