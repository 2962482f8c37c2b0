//! What is wrong with a JPEG picture, and where.

use thiserror::Error;

/// A JPEG picture that cannot be decoded, and where: counted from its first byte.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("byte {at}: {fault}")]
pub struct JpegError {
    /// Bytes before what is wrong.
    pub at: usize,
    /// What is wrong.
    pub fault: JpegFault,
}

/// What is wrong with a JPEG picture.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JpegFault {
    /// It does not begin as JPEG pictures do.
    #[error("a JPEG picture begins with ff d8, and this does not")]
    NoStart,
    /// The data ends before the picture does.
    #[error("the data ends before the picture does")]
    Ends,
    /// There is no marker where one has to be.
    #[error("a marker has to be here, and {0:02x} is")]
    NoMarker(u8),
    /// A marker that does not belong there.
    #[error("the marker ff {0:02x} does not belong here")]
    Marker(u8),
    /// A marker's parameters contradict themselves or the standard.
    #[error("the parameters of ff {marker:02x} are wrong: {why}")]
    Parameters {
        /// The marker's second byte.
        marker: u8,
        /// What is wrong.
        why: &'static str,
    },
    /// A kind of JPEG that no camera sends, and that is not decoded here.
    #[error("{0} JPEG is not decoded")]
    Unsupported(&'static str),
    /// The picture is of another size than its frames are to be.
    #[error(
        "the picture has {}×{} pixels, and {}×{} were agreed on",
        found.0, found.1, agreed.0, agreed.1
    )]
    Size {
        /// Width and height of the picture.
        found: (u32, u32),
        /// Width and height that were agreed on.
        agreed: (u32, u32),
    },
    /// Bits that are no code of their table.
    #[error("the bits are no Huffman code")]
    Code,
    /// A coefficient with a number or a value that there is none of.
    #[error("a block has a coefficient that is out of its range")]
    Coefficient,
    /// The next interval does not begin where it has to.
    #[error("the restart marker ff {0:02x} has to be here")]
    Restart(u8),
}

impl JpegFault {
    pub(super) const fn at(self, at: usize) -> JpegError {
        JpegError { at, fault: self }
    }
}
