//! What a frame's header says.

mod read;

use super::entropy::Entropy;

/// `update_segmentation()`. Values, how they are meant, and probabilities are the last that were
/// coded since the key frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Segmentation {
    pub enabled: bool,
    pub update_map: bool,
    pub update_feature_data: bool,
    /// Values are meant as they are (`segment_feature_mode`), and not as differences.
    pub absolute: bool,
    pub quantizer: [i8; 4],
    pub loop_filter: [i8; 4],
    pub tree_probs: [u8; 3],
}

/// The loop filter, and `mb_lf_adjustments()`. Deltas are the last that were coded since the key
/// frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct LoopFilter {
    /// `filter_type`.
    pub simple: bool,
    pub level: u8,
    pub sharpness: u8,
    pub adj_enable: bool,
    pub delta_update: bool,
    pub ref_frame_delta: [i8; 4],
    pub mb_mode_delta: [i8; 4],
}

/// `quant_indices()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct QuantIndices {
    pub y_ac_qi: u8,
    pub y_dc_delta: i8,
    pub y2_dc_delta: i8,
    pub y2_ac_delta: i8,
    pub uv_dc_delta: i8,
    pub uv_ac_delta: i8,
}

/// What goes into the place of a golden or an altref frame that the frame itself does not refresh
/// (`copy_buffer_to_golden`, `copy_buffer_to_alternate`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyFrom {
    /// Nothing: it stays. So with the value 3, which has no meaning.
    #[default]
    Nothing,
    /// The last frame.
    Last,
    /// Of golden and altref the other one.
    Other,
}

/// What a frame's header says, and what is true without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct FrameHeader {
    pub key_frame: bool,
    pub version: u8,
    pub show_frame: bool,
    pub first_part_size: u32,
    /// The last that a key frame coded.
    pub width: u16,
    /// The last that a key frame coded.
    pub height: u16,
    /// Zero but in a key frame, which codes it.
    pub horizontal_scale: u8,
    /// Zero but in a key frame, which codes it.
    pub vertical_scale: u8,
    pub segmentation: Segmentation,
    pub loop_filter: LoopFilter,
    pub quant: QuantIndices,
    pub refresh_entropy_probs: bool,
    pub refresh_golden_frame: bool,
    pub refresh_alternate_frame: bool,
    pub copy_to_golden: CopyFrom,
    pub copy_to_alternate: CopyFrom,
    pub sign_bias_golden: bool,
    pub sign_bias_alternate: bool,
    pub refresh_last: bool,
    pub mb_no_skip_coeff: bool,
    pub prob_skip_false: u8,
    pub prob_intra: u8,
    pub prob_last: u8,
    pub prob_gf: u8,
    /// What this frame is coded with.
    pub entropy: Entropy,
    /// How many of them there are: 1, 2, 4 or 8.
    pub dct_partitions: u8,
    /// Bytes of each.
    pub dct_partition_sizes: [u32; 8],
    /// Bits of the first partition that are the header.
    pub header_bits: u32,
    /// How wide the interval is after the header.
    pub coder_range: u8,
    /// Where in it the value lies.
    pub coder_value: u8,
    /// Bits of the value's byte that are not used up.
    pub coder_bits: u8,
}

/// What a frame leaves behind for those after it, as far as headers need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Width and height; none before a key frame.
    size: Option<(u16, u16)>,
    segmentation: Segmentation,
    loop_filter: LoopFilter,
    entropy: Entropy,
}

impl Memory {
    /// Before the first frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frame was decoded with this header.
    pub fn keep(&mut self, header: &FrameHeader) {
        self.size = Some((header.width, header.height));
        self.segmentation = header.segmentation;
        self.loop_filter = header.loop_filter;
        if header.key_frame {
            self.entropy = Entropy::default();
        }
        if header.refresh_entropy_probs {
            self.entropy.coeff_probs = header.entropy.coeff_probs;
            self.entropy.mv_probs = header.entropy.mv_probs;
            if !header.key_frame {
                self.entropy.y_mode_probs = header.entropy.y_mode_probs;
                self.entropy.uv_mode_probs = header.entropy.uv_mode_probs;
            }
        }
    }

    /// Only a key frame can be decoded next.
    pub fn forget_references(&mut self) {
        self.size = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame that changes one probability of each kind.
    fn changed(memory: &Memory, key_frame: bool, refresh_entropy_probs: bool) -> FrameHeader {
        let mut header = FrameHeader {
            key_frame,
            refresh_entropy_probs,
            width: 16,
            height: 16,
            entropy: if key_frame {
                Entropy::of_key_frame()
            } else {
                memory.entropy.clone()
            },
            ..FrameHeader::default()
        };
        header.entropy.coeff_probs[0][0][0][0] += 1;
        if !key_frame {
            header.entropy.y_mode_probs[0] += 1;
            header.entropy.mv_probs[1][0] += 1;
        }
        header
    }

    #[test]
    fn probabilities_are_kept_where_a_frame_says_so() {
        let mut memory = Memory::new();
        let default = Entropy::default();
        memory.keep(&changed(&memory, true, true));
        // Modes of a key frame are its own.
        assert_eq!(memory.entropy.y_mode_probs, default.y_mode_probs);
        assert_eq!(memory.entropy.coeff_probs[0][0][0][0], 129);

        memory.keep(&changed(&memory, false, false));
        assert_eq!(memory.entropy.coeff_probs[0][0][0][0], 129);
        memory.keep(&changed(&memory, false, true));
        assert_eq!(memory.entropy.coeff_probs[0][0][0][0], 130);
        assert_eq!(memory.entropy.y_mode_probs[0], default.y_mode_probs[0] + 1);
        assert_eq!(memory.entropy.mv_probs[1][0], default.mv_probs[1][0] + 1);

        memory.keep(&changed(&memory, true, false));
        assert_eq!(memory.entropy, default);
    }

    #[test]
    fn tables_are_whole() {
        let Entropy {
            coeff_probs,
            mv_probs,
            ..
        } = Entropy::default();
        // Sums of what RFC 6386 prints, so that no row was lost.
        let sum = |values: &[u8]| values.iter().map(|value| u32::from(*value)).sum::<u32>();
        let coefficients = coeff_probs.as_flattened().as_flattened().as_flattened();
        assert_eq!(coefficients.len(), 1056);
        assert_eq!(sum(coefficients), 174_918);
        assert_eq!(sum(mv_probs.as_flattened()), 6484);
    }
}
