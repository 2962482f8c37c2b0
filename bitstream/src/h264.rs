//! Headers of H.264 (ITU-T H.264): parameter sets, slice headers, the point where decoding can
//! begin. Numbers of sections are those of the edition of 08/2021.

mod few;
mod parse;
mod picture_parameters;
mod recovery_point;
mod scaling;
mod sequence_parameters;
mod slice_header;
mod usability;

pub use few::Few;
pub use picture_parameters::{ParameterSets, PictureParameters, SliceGroups};
pub use recovery_point::recovery_frame_cnt;
pub use scaling::{ScalingLists, ZIGZAG_4X4, ZIGZAG_8X8};
pub use sequence_parameters::{Crop, PictureOrder, SequenceParameters};
pub use slice_header::{
    Marking, MemoryControl, Modification, PredictionWeights, SliceHeader, SliceType, Structure,
    Weight,
};
pub use usability::{Restriction, Usability, VideoColour};

/// The first byte of a NAL unit (7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NalHeader {
    /// Whether others refer to it.
    pub nal_ref_idc: u8,
    /// What it holds.
    pub nal_unit_type: u8,
}

impl NalHeader {
    /// A slice of a picture that is not IDR.
    pub const SLICE: u8 = 1;
    /// The first of the three parts of a slice that is sent in parts.
    pub const PARTITION_A: u8 = 2;
    /// A slice of an IDR picture.
    pub const IDR: u8 = 5;
    /// Supplemental enhancement information.
    pub const SEI: u8 = 6;
    /// A sequence parameter set.
    pub const SEQUENCE_PARAMETERS: u8 = 7;
    /// A picture parameter set.
    pub const PICTURE_PARAMETERS: u8 = 8;
    /// The end of a sequence: the next picture is an IDR picture.
    pub const END_OF_SEQUENCE: u8 = 10;
    /// The end of the stream.
    pub const END_OF_STREAM: u8 = 11;

    /// Reads it from a NAL unit, if that has any bytes.
    #[must_use]
    pub fn of(unit: &[u8]) -> Option<Self> {
        let first = unit.first()?;
        Some(Self {
            nal_ref_idc: first >> 5 & 3,
            nal_unit_type: first & 0x1f,
        })
    }
}
