//! What an uncompressed header says.

mod read;

use super::segmentation::Segmentation;

/// What a frame of a chunk is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a frame and taken apart at once; a box would be an allocation a frame"
)]
pub enum Frame {
    /// Nothing to decode: a reference frame is to be shown (`show_existing_frame`).
    Existing {
        /// Which slot it is in (`frame_to_show_map_idx`).
        slot: usize,
    },
    /// A frame to decode.
    Coded(FrameHeader),
}

/// `color_config()`, or what is true without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColorConfig {
    /// Bits a sample.
    pub bit_depth: u8,
    /// What the samples mean: `color_space`.
    pub color_space: u8,
    /// Whether samples use their whole range.
    pub color_range: bool,
    /// Whether there are half as many samples of colour across.
    pub subsampling_x: bool,
    /// Whether there are half as many samples of colour down.
    pub subsampling_y: bool,
}

impl Default for ColorConfig {
    /// What profile 0 has where nothing is said: 4:2:0 of 8 bits.
    fn default() -> Self {
        Self {
            bit_depth: 8,
            color_space: 1,
            color_range: false,
            subsampling_x: true,
            subsampling_y: true,
        }
    }
}

/// One of the three reference frames of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// Which slot it is in: `ref_frame_idx`.
    pub slot: usize,
    /// `ref_frame_sign_bias`.
    pub sign_bias: bool,
}

/// `interpolation_filter`, numbered as 7.2.7 does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InterpolationFilter {
    /// `EIGHTTAP_SMOOTH`, and where a frame has none.
    #[default]
    EightTapSmooth,
    /// `EIGHTTAP`.
    EightTap,
    /// `EIGHTTAP_SHARP`.
    EightTapSharp,
    /// `BILINEAR`.
    Bilinear,
    /// `SWITCHABLE`: each block says which.
    Switchable,
}

/// `loop_filter_params()`. Deltas are the last that were coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct LoopFilter {
    pub level: u8,
    pub sharpness: u8,
    pub delta_enabled: bool,
    pub delta_update: bool,
    pub ref_deltas: [i8; 4],
    pub mode_deltas: [i8; 2],
}

/// `quantization_params()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Quantization {
    pub base_q_idx: u8,
    pub delta_q_y_dc: i8,
    pub delta_q_uv_dc: i8,
    pub delta_q_uv_ac: i8,
}

impl Quantization {
    /// Whether nothing is lost: `Lossless`.
    #[must_use]
    pub fn is_lossless(&self) -> bool {
        *self == Self::default()
    }
}

/// What the uncompressed header of a frame says (6.2), and what is true without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct FrameHeader {
    pub profile: u8,
    pub key_frame: bool,
    pub show_frame: bool,
    pub error_resilient_mode: bool,
    pub intra_only: bool,
    /// As it is coded: 0 and 1 reset nothing, 2 one context, 3 all.
    pub reset_frame_context: u8,
    pub color: ColorConfig,
    pub refresh_frame_flags: u8,
    /// `LAST_FRAME`, `GOLDEN_FRAME`, `ALTREF_FRAME`; of a frame without any, zeros.
    pub references: [Reference; 3],
    pub width: u32,
    pub height: u32,
    pub render_width: u32,
    pub render_height: u32,
    pub allow_high_precision_mv: bool,
    pub interpolation_filter: InterpolationFilter,
    pub refresh_frame_context: bool,
    pub frame_parallel_decoding_mode: bool,
    /// As it is coded: also where decoding then takes context 0.
    pub frame_context_idx: u8,
    pub loop_filter: LoopFilter,
    pub quantization: Quantization,
    pub segmentation: Segmentation,
    pub tile_cols_log2: u8,
    pub tile_rows_log2: u8,
    /// Bytes of this header.
    pub uncompressed_header_size: u16,
    /// Bytes of the header that follows: `header_size_in_bytes`.
    pub compressed_header_size: u16,
}

impl FrameHeader {
    /// Whether no other frame is needed: `FrameIsIntra`.
    #[must_use]
    pub const fn is_intra(&self) -> bool {
        self.key_frame || self.intra_only
    }

    /// Whether the frame goes into a slot.
    #[must_use]
    pub fn refreshes(&self, slot: usize) -> bool {
        slot < 8 && self.refresh_frame_flags >> slot & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Trouble;
    use crate::vp9::Memory;

    /// A key frame of 4:2:0 and 8 bits, one pixel; its tile is one byte.
    const KEY: [u8; 17] = [
        0x82, 0x49, 0x83, 0x42, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x80, 0x00, 0x02, 0x00,
        0x00, 0x00,
    ];

    fn read(data: &[u8]) -> Result<FrameHeader, (u64, &'static str, Trouble)> {
        match Frame::read(data, &Memory::new()) {
            Ok(Frame::Coded(header)) => Ok(header),
            Ok(Frame::Existing { .. }) => Err((0, "a frame that is there", Trouble::Ends)),
            Err(error) => Err((error.bit, error.what, error.trouble)),
        }
    }

    #[test]
    fn a_key_frame_refreshes_all_and_begins_with_defaults() {
        let header = read(&KEY).unwrap();
        assert!(header.key_frame && header.show_frame && header.is_intra());
        assert_eq!((header.width, header.height), (1, 1));
        assert!((0..8).all(|slot| header.refreshes(slot)) && !header.refreshes(8));
        assert_eq!(header.loop_filter.ref_deltas, [1, 0, -1, -1]);
        assert_eq!(
            header.color,
            ColorConfig {
                color_space: 1,
                ..ColorConfig::default()
            }
        );
        let sizes = (
            header.uncompressed_header_size,
            header.compressed_header_size,
        );
        assert_eq!((sizes, header.quantization.base_q_idx), ((14, 2), 60));
    }

    #[test]
    fn headers_and_tiles_have_to_be_there() {
        assert_eq!(read(&KEY[..16]), Err((128, "decode_tiles", Trouble::Ends)));
        assert_eq!(
            read(&KEY[..9]),
            Err((71, "frame_context_idx", Trouble::Ends))
        );
        let mut sync = KEY;
        sync[2] = 0x84;
        let found = Trouble::NotAllowed { found: 0x84 };
        assert_eq!(read(&sync), Err((16, "frame_sync_byte_1", found)));
        let mut reserved = KEY;
        reserved[0] = 0b1011_1000;
        let found = Trouble::NotAllowed { found: 1 };
        assert_eq!(read(&reserved), Err((4, "reserved_zero", found)));
    }
}
