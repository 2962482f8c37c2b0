//! What can go wrong between a frame and a display, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::stage::StageError;

use crate::choice::Rect;
use crate::compare::Difference;

/// Why a display cannot be used, or no longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KmsSinkError {
    /// The machine has no display device, or its driver is not loaded.
    #[error("there is no display: no /dev/dri/card* (is the display's driver loaded?)")]
    NoCards,
    /// No card is called so.
    #[error(
        "no card is `{asked}`; there are {}: name a node, a driver or a bus address",
        found.join(", ")
    )]
    UnknownCard {
        /// What was asked for.
        asked: String,
        /// The cards there are.
        found: Vec<String>,
    },
    /// Every card has its own reason.
    #[error("none of {} cards can be used: {}", .0.len(), list(.0, "; "))]
    NoUsableCard(Vec<KmsSinkError>),
    /// The node cannot be opened.
    #[error("cannot open {}{}", node.display(), open_remedy(*source))]
    Open {
        /// The node.
        node: PathBuf,
        /// EACCES without permission, ENOENT where it is gone.
        source: Errno,
    },
    /// The driver does not take atomic commits.
    #[error("{card} has no atomic mode setting, which dmaflow needs; use another card")]
    NotAtomic {
        /// Driver and node.
        card: String,
        /// EOPNOTSUPP or EINVAL.
        source: Errno,
    },
    /// Somebody else shows something there.
    #[error(
        "another program is DRM master of {card}{}: stop it, switch to a free virtual terminal, \
         or name another card",
        if holders.is_empty() { String::new() } else { format!(" ({} has it open)", holders.join(", ")) }
    )]
    NotMaster {
        /// Driver and node.
        card: String,
        /// The processes that have the card open, each as name and id.
        holders: Vec<String>,
        /// EACCES, or EBUSY for root.
        source: Errno,
    },
    /// The kernel did not answer a question about the card.
    #[error("cannot read {what} of {card}")]
    Query {
        /// What was asked about.
        what: &'static str,
        /// Driver and node.
        card: String,
        /// What the kernel answered.
        source: Errno,
    },
    /// The driver lacks what every atomic driver has.
    #[error("{card} has no property `{property}`")]
    NoProperty {
        /// Driver and node.
        card: String,
        /// The property's name.
        property: &'static str,
    },
    /// Nothing is plugged in.
    #[error(
        "no screen is connected to {card}{}: plug one in, or name another card",
        if connectors.is_empty() { " (it has no connector)".to_owned() } else { format!(" ({})", connectors.join(", ")) }
    )]
    NoScreen {
        /// Driver and node.
        card: String,
        /// Its connectors, all unplugged.
        connectors: Vec<String>,
    },
    /// No connector is called so.
    #[error("{card} has no connector `{asked}`; it has {}", connectors.join(", "))]
    UnknownConnector {
        /// Driver and node.
        card: String,
        /// What was asked for.
        asked: String,
        /// The connectors it has.
        connectors: Vec<String>,
    },
    /// The connector is there, the screen is not.
    #[error(
        "no screen is connected to {connector} of {card}: plug one in, or name another connector"
    )]
    Disconnected {
        /// The connector.
        connector: String,
        /// Driver and node.
        card: String,
    },
    /// All that could feed the connector feeds others.
    #[error("no CRTC of {card} is free for {connector}: switch another screen off")]
    NoCrtc {
        /// The connector.
        connector: String,
        /// Driver and node.
        card: String,
    },
    /// The screen has no such mode.
    #[error("{connector} has no mode {asked}; the nearest are {}", nearest.join(", "))]
    NoMode {
        /// The connector.
        connector: String,
        /// What was asked for.
        asked: String,
        /// The most similar modes.
        nearest: Vec<String>,
    },
    /// The plane asked for is not there.
    #[error("{connector} has no plane `{asked}`; it has {}", planes.join(", "))]
    UnknownPlane {
        /// The connector.
        connector: String,
        /// What was asked for.
        asked: String,
        /// The planes it has.
        planes: Vec<String>,
    },
    /// No plane can show such pixels.
    #[error("no plane of {card} takes {format} {modifier}: convert it, or choose one of {}", taken.join(", "))]
    NoPlane {
        /// Driver and node.
        card: String,
        /// The frames' format.
        format: Format,
        /// The frames' modifier.
        modifier: String,
        /// What its planes take.
        taken: Vec<String>,
    },
    /// Verification rules scaling out.
    #[error(
        "frames of {picture} do not fit into mode {mode}, and verification shows them unscaled: \
         choose a larger mode, or leave `verify` out"
    )]
    NoRoom {
        /// The picture's size.
        picture: String,
        /// The mode asked for.
        mode: String,
    },
    /// The driver refused every way there is to show the frames.
    #[error(
        "{card} refused all {attempts} ways to show {picture} ({}): choose another size, format \
         or mode",
        refusals.join("; ")
    )]
    NoWay {
        /// Driver and node.
        card: String,
        /// The picture, as size and format.
        picture: String,
        /// How many ways were tried.
        attempts: usize,
        /// The first refusals.
        refusals: Vec<String>,
    },
    /// DRM has no name for the format.
    #[error("no display shows {0}: DRM has no code for it")]
    NotShowable(Format),
    /// Displays accept such strides and skew the picture without a word.
    #[error(
        "plane {plane} has a stride of {stride} bytes, and displays need a multiple of {step}: \
         choose a width or a source whose rows are padded so"
    )]
    Stride {
        /// Which plane of the frame.
        plane: usize,
        /// Bytes a row.
        stride: u32,
        /// What it must be a multiple of.
        step: u32,
    },
    /// Displays accept such sizes and show wrong colours at the edge.
    #[error("{width}×{height} does not suit {format}, which needs multiples of {columns}×{rows}")]
    Size {
        /// The format.
        format: Format,
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
        /// What the width must be a multiple of.
        columns: u32,
        /// What the height must be a multiple of.
        rows: u32,
    },
    /// The driver has no modifiers but linear.
    #[error("{card} takes linear frames only, and these have {modifier}")]
    NotLinear {
        /// Driver and node.
        card: String,
        /// The frames' modifier.
        modifier: String,
    },
    /// There is nothing to show in the pool.
    #[error("a pool without frames cannot be shown")]
    NoFrames,
    /// A further pool's frames would be seen in another way than those of the first.
    #[error(
        "frames of {asked} cannot be shown by {device} in the place of frames of {shown}: give all \
         sources that lead there the same size, format and colours"
    )]
    Unlike {
        /// Connector, driver and node.
        device: String,
        /// What the further pool's frames are.
        asked: String,
        /// What the first pool's frames are.
        shown: String,
    },
    /// Something about one of several inputs.
    #[error("input `{input}`")]
    Input {
        /// The input's name.
        input: String,
        /// What it is.
        source: Box<KmsSinkError>,
    },
    /// There is no such input.
    #[error("there is no input {asked} among {inputs}")]
    NoInput {
        /// Which one was meant, counted from 0.
        asked: usize,
        /// How many there are.
        inputs: usize,
    },
    /// A screen shared by nobody.
    #[error("there are no inputs to share the screen: name one at least")]
    NoInputs,
    /// An input without a pool has no picture to find a place for.
    #[error("no pool was attached before the screen was arranged")]
    NoPool,
    /// Frames came before it was known where to show them.
    #[error("frames came before the screen was arranged")]
    NotArranged,
    /// Each input needs a plane of its own.
    #[error(
        "{device} has no plane for each of {} inputs: {}; its planes are {}: show fewer inputs, \
         give them other formats, or use a display with more planes",
        inputs.len(), inputs.join("; "), planes.join(", ")
    )]
    TooFewPlanes {
        /// Connector, driver and node.
        device: String,
        /// Each input with the planes it may have.
        inputs: Vec<String>,
        /// All planes of the display.
        planes: Vec<String>,
    },
    /// Where inputs lie by hand each must say so.
    #[error(
        "it is not said where on the screen it lies: set `at`, the corner, or choose another arrangement"
    )]
    NoPlace,
    /// The place is not on the screen, or is none.
    #[error("its place, {at}, lies in no mode of {mode}: choose another place or a larger mode")]
    Outside {
        /// The place.
        at: Rect,
        /// The mode asked for.
        mode: String,
    },
    /// A plane that should lie above another cannot.
    #[error("these planes cannot lie one above the other in this order")]
    PlaneOrder,
    /// A frame came before its pool.
    #[error("a frame came before its pool was attached")]
    NotAttached,
    /// The kernel did not take a commit that it had taken as a test, or a later one.
    #[error("{card} refused {what}")]
    Commit {
        /// Driver and node.
        card: String,
        /// What was to be done.
        what: &'static str,
        /// The driver's reason.
        source: Errno,
    },
    /// The display stands still.
    #[error("{card} did not show a frame within {} ms: the display stands still", waited.as_millis())]
    NoFlip {
        /// Driver and node.
        card: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The card went away.
    #[error("{card} is gone: it was unplugged or its driver was unloaded")]
    Gone {
        /// Driver and node.
        card: String,
    },
    /// The driver has no memory for others.
    #[error("{card} cannot serve as a heap: its driver has no {lacks}; use another heap")]
    NoMemory {
        /// Driver and node.
        card: String,
        /// What is missing.
        lacks: &'static str,
    },
    /// There is nothing to verify with.
    #[error(
        "{connector} of {card} has no writeback connector that could see what is shown: \
         leave `verify` out, or load vkms with enable_writeback=1"
    )]
    NoWriteback {
        /// The connector.
        connector: String,
        /// Driver and node.
        card: String,
    },
    /// The writeback connector writes other formats only.
    #[error("the writeback connector of {card} does not write XRGB8888: leave `verify` out")]
    WritebackFormat {
        /// Driver and node.
        card: String,
    },
    /// What a display makes of such pixels differs from driver to driver.
    #[error(
        "verification needs an RGB format with 8 bits a channel, not {0}: choose XRGB8888, or \
         leave `verify` out"
    )]
    NotVerifiable(Format),
    /// The writeback buffer cannot be had or read.
    #[error("cannot {what} the writeback buffer of {card}")]
    WritebackBuffer {
        /// What was to be done.
        what: &'static str,
        /// Driver and node.
        card: String,
        /// ENOMEM without memory.
        source: Errno,
    },
    /// The writeback connector wrote nothing.
    #[error("the writeback of frame {sequence} on {card} was not done within {} ms", waited.as_millis())]
    NoWritebackDone {
        /// The frame's number.
        sequence: u64,
        /// Driver and node.
        card: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The frame cannot be looked at.
    #[error("cannot read frame {sequence} for verification")]
    Look {
        /// The frame's number.
        sequence: u64,
        /// What the buffer says.
        source: dmaflow_core::dma_buf::DmaBufError,
    },
    /// The display showed something else than the frame.
    #[error(
        "frame {sequence} is not what was shown: {count} of {pixels} pixels differ, first {first}"
    )]
    Different {
        /// The frame's number.
        sequence: u64,
        /// Pixels that differ.
        count: u64,
        /// Pixels compared.
        pixels: u64,
        /// The first of them.
        first: Difference,
    },
}

impl KmsSinkError {
    /// The same, said of one of several inputs; that the card is gone is so for all.
    pub(crate) fn of_input(self, input: &str) -> Self {
        match self {
            gone @ Self::Gone { .. } => gone,
            error => Self::Input {
                input: input.to_owned(),
                source: Box::new(error),
            },
        }
    }
}

impl From<KmsSinkError> for StageError {
    fn from(error: KmsSinkError) -> Self {
        match error {
            KmsSinkError::Gone { card } => Self::Gone { device: card },
            other => Self::failed(other),
        }
    }
}

fn list(errors: &[KmsSinkError], separator: &str) -> String {
    let chain = |error: &KmsSinkError| {
        let source = std::error::Error::source(error);
        source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
    };
    errors.iter().map(chain).collect::<Vec<_>>().join(separator)
}

fn open_remedy(errno: Errno) -> &'static str {
    match errno {
        Errno::EACCES | Errno::EPERM => " (join the group `video`, or run as root)",
        _ => "",
    }
}
