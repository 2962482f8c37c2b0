//! MPEG-2 video: what headers say, up to where slices begin.
//!
//! Names are those of ITU-T H.262.

mod matrices;
mod picture;
mod sequence;
mod start_codes;

pub use matrices::{Matrices, Matrix};
pub use picture::{CodingType, PictureHeader, Structure};
pub use sequence::{ChromaFormat, GroupOfPictures, SequenceHeader};
pub use start_codes::{Code, StartCodes, Unit};
