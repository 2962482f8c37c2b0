//! Segments and what differs between them (5.9.14).

use crate::av1::code::{f16, su};
use crate::bits::BitReader;
use crate::error::StreamError;

/// Segments of a frame.
pub const MAX_SEGMENTS: usize = 8;
/// What can differ between segments.
pub const SEG_LVL_MAX: usize = 8;
/// From this on, features matter before a block's skip flag is read.
const SEG_LVL_REF_FRAME: u8 = 5;

/// Bits of a feature's value, whether a sign stands before them, and the most it may be.
const FEATURES: [(u32, bool, i16); SEG_LVL_MAX] = [
    (8, true, 255),
    (6, true, 63),
    (6, true, 63),
    (6, true, 63),
    (6, true, 63),
    (3, false, 7),
    (0, false, 0),
    (0, false, 0),
];

/// What differs between segments; frames may take it over from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `FeatureEnabled` of each segment, one a bit.
    pub enabled: [u8; MAX_SEGMENTS],
    /// `FeatureData` of each segment.
    pub data: [[i16; SEG_LVL_MAX]; MAX_SEGMENTS],
}

/// `segmentation_params()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Segmentation {
    pub enabled: bool,
    pub update_map: bool,
    pub temporal_update: bool,
    pub update_data: bool,
    pub features: Features,
    pub seg_id_pre_skip: bool,
    pub last_active_seg_id: u8,
}

impl Segmentation {
    /// Reads it. `previous` are the features of the primary reference, where there is one.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        previous: Option<&Features>,
    ) -> Result<Self, StreamError> {
        let mut read = Self {
            enabled: bits.flag("segmentation_enabled")?,
            ..Self::default()
        };
        if !read.enabled {
            return Ok(read);
        }
        if let Some(&previous) = previous {
            read.update_map = bits.flag("segmentation_update_map")?;
            read.temporal_update = read.update_map && bits.flag("segmentation_temporal_update")?;
            read.update_data = bits.flag("segmentation_update_data")?;
            read.features = previous;
        } else {
            (read.update_map, read.update_data) = (true, true);
        }
        if read.update_data {
            read.features = Features::read(bits)?;
        }
        for (segment, &enabled) in (0_u8..).zip(&read.features.enabled) {
            if enabled != 0 {
                read.last_active_seg_id = segment;
            }
            read.seg_id_pre_skip |= enabled >> SEG_LVL_REF_FRAME != 0;
        }
        Ok(read)
    }

    /// `get_qindex( 1, segmentId )` of each segment (7.12.2).
    pub(super) fn qindices(&self, base_q_idx: u8) -> [u8; MAX_SEGMENTS] {
        let mut indices = [base_q_idx; MAX_SEGMENTS];
        let features = self.features.enabled.iter().zip(&self.features.data);
        for (index, (enabled, data)) in indices.iter_mut().zip(features) {
            if self.enabled && enabled & 1 == 1 {
                let sum = (i16::from(base_q_idx) + data[0]).clamp(0, 255);
                *index = u8::try_from(sum).unwrap_or_default();
            }
        }
        indices
    }
}

impl Features {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let mut read = Self::default();
        for (enabled, data) in read.enabled.iter_mut().zip(&mut read.data) {
            for (at, ((count, signed, most), value)) in FEATURES.iter().zip(data).enumerate() {
                if !bits.flag("feature_enabled")? {
                    continue;
                }
                *enabled |= 1 << at;
                let read = if *signed {
                    su(bits, count + 1, "feature_value")?
                } else {
                    f16(bits, *count, "feature_value")?.cast_signed()
                };
                *value = read.clamp(-most, *most);
            }
        }
        Ok(read)
    }
}
