//! What a search for formats asks the devices of a chain.

use std::fmt;

use dmaflow_core::fourcc::FourCc;

use super::error::MediaError;
use super::mbus_code::MbusCode;
use super::topology::{EntityId, PadId};
use crate::modes::FrameSizes;

/// What pictures look like at a pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PadFormat {
    /// How their pixels travel.
    pub code: MbusCode,
    /// Width and height in pixels.
    pub size: (u32, u32),
}

impl fmt::Display for PadFormat {
    /// Writes "640×480 `SBGGR8_1X8`".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{} {}", self.size.0, self.size.1, self.code)
    }
}

/// Answers for the devices of a media graph: drivers do, and so does a fixture.
///
/// Formats are tried, not set: what is tried on an entity's sink pad may change what is tried
/// on its source pads, and nothing else. Nothing that streams notices.
pub trait Ask {
    /// Whether there is somebody to ask about this entity's pads. Pictures pass one without as
    /// they came.
    fn speaks(&self, entity: EntityId) -> bool;

    /// The codes that a pad has, given what is tried on the entity's other pads; empty where it
    /// does not list them.
    ///
    /// # Errors
    /// When the device cannot be opened or is gone.
    fn codes(&mut self, pad: PadId) -> Result<Vec<MbusCode>, MediaError>;

    /// The sizes that a pad has for a code.
    ///
    /// # Errors
    /// When the device cannot be opened or is gone.
    fn sizes(&mut self, pad: PadId, code: MbusCode) -> Result<FrameSizes, MediaError>;

    /// The format that is set on a pad.
    ///
    /// # Errors
    /// When the device cannot be opened or is gone.
    fn active(&mut self, pad: PadId) -> Result<PadFormat, MediaError>;

    /// The format that is being tried on a pad; `None` where no pictures pass it.
    ///
    /// # Errors
    /// When the device cannot be opened or is gone.
    fn tried(&mut self, pad: PadId) -> Result<Option<PadFormat>, MediaError>;

    /// Tries a format on a pad, with nothing cropped away; returns the one that the driver would
    /// choose, and `None` where no pictures pass the pad.
    ///
    /// # Errors
    /// When the device cannot be opened or is gone.
    fn try_format(
        &mut self,
        pad: PadId,
        format: PadFormat,
    ) -> Result<Option<PadFormat>, MediaError>;

    /// The pixel formats that a video node makes of a code; `None` where no pictures come out
    /// of the node.
    ///
    /// # Errors
    /// When the node cannot be opened or is gone.
    fn pixel_formats(
        &mut self,
        node: EntityId,
        code: MbusCode,
    ) -> Result<Option<Vec<FourCc>>, MediaError>;

    /// The size that a video node would choose for a pixel format; `None` where it would choose
    /// another pixel format.
    ///
    /// # Errors
    /// When the node cannot be opened or is gone.
    fn try_pixel_format(
        &mut self,
        node: EntityId,
        format: FourCc,
        size: (u32, u32),
    ) -> Result<Option<(u32, u32)>, MediaError>;
}
