//! Why a picture has no layout.

use crate::format::Format;

/// Why no layout can be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// A picture without width or height.
    #[error("a picture of {width}×{height} has no pixels")]
    Empty {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Compressed formats have no layout.
    #[error("{0} is compressed: its pixels have no place in memory")]
    Compressed(Format),
    /// Only compressed formats have buffers without planes.
    #[error("{0} is not compressed: its frames have planes")]
    NotCompressed(Format),
    /// A stride too small for a row.
    #[error(
        "a row of {width} pixels in {format} takes {needed} bytes, more than the stride of {stride}"
    )]
    ShortStride {
        /// The format.
        format: Format,
        /// Pixels a row.
        width: u32,
        /// The stride asked for, in bytes.
        stride: u32,
        /// What a row needs, in bytes.
        needed: u32,
    },
    /// The strides of the other planes do not follow from that of the first.
    #[error("a stride of {stride} bytes leaves a plane of {format} with a fraction of a byte")]
    UnevenStride {
        /// The format.
        format: Format,
        /// The stride asked for, in bytes.
        stride: u32,
    },
    /// Not as many strides as the format has planes.
    #[error("{format} has {planes} planes, and {strides} were described")]
    Planes {
        /// The format.
        format: Format,
        /// How many planes it has.
        planes: usize,
        /// How many were described by their strides.
        strides: usize,
    },
    /// A plane in a buffer that is not there.
    #[error("plane {plane} is said to lie in buffer {buffer}, and there are {buffers}")]
    NoBuffer {
        /// Which plane.
        plane: usize,
        /// Which buffer, counted from 0.
        buffer: usize,
        /// How many buffers there are.
        buffers: usize,
    },
    /// The picture is larger than the kernel's 32-bit sizes can say.
    #[error("a picture of {width}×{height} in {format} is larger than 4 GiB")]
    TooLarge {
        /// The format.
        format: Format,
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A driver's buffer is too small for the picture it is to hold.
    #[error(
        "buffer {buffer} of {len} bytes is too small for its planes, which end at byte {needed}"
    )]
    ShortBuffer {
        /// Which buffer.
        buffer: usize,
        /// Its length in bytes.
        len: u32,
        /// Where its last plane ends.
        needed: u32,
    },
}
