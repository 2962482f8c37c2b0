//! Reads headers (section 19).

use crate::boolean::BoolDecoder;
use crate::error::{StreamError, Trouble};
use crate::vp8::entropy::{Entropy, byte};

use super::{CopyFrom, FrameHeader, LoopFilter, Memory, QuantIndices, Segmentation};

/// Bytes of the frame tag.
const TAG: usize = 3;
/// Bytes of the tag and what follows it in a key frame.
const KEY_FRAME_TAG: usize = 10;

impl FrameHeader {
    /// Reads the header at the beginning of a frame's data, which has to be all there.
    ///
    /// # Errors
    /// [`Trouble::Unknown`] for a frame that refers to others, before the first key frame;
    /// otherwise what is wrong with the header.
    pub fn read(data: &[u8], memory: &Memory) -> Result<Self, StreamError> {
        let mut header = Self::default();
        let begin = header.uncompressed(data, memory)?;
        let first_part_size = usize::try_from(header.first_part_size).unwrap_or(usize::MAX);
        let first_part = data
            .get(begin..)
            .and_then(|rest| rest.get(..first_part_size));
        let Some(first_part) = first_part else {
            return Err(ends(data.len(), "first_part_size"));
        };
        let decoder = &mut BoolDecoder::new(first_part);
        header.compressed(decoder, memory);
        let checked = decoder.check("frame_header");
        checked.map_err(|error| error.after(begin as u64))?;
        header.header_bits = u32::try_from(decoder.position()).unwrap_or(u32::MAX);
        header.coder_range = decoder.range();
        header.coder_value = decoder.value();
        // Of the byte that was begun, what has not been shifted out.
        header.coder_bits = u8::try_from((8 - header.header_bits % 8) % 8).unwrap_or_default();
        header.partitions(data, begin + first_part_size)?;
        Ok(header)
    }

    /// The uncompressed data chunk (19.1). Answers with its size.
    fn uncompressed(&mut self, data: &[u8], memory: &Memory) -> Result<usize, StreamError> {
        let Some(tag) = data.first_chunk::<TAG>() else {
            return Err(ends(data.len(), "frame_tag"));
        };
        let tag = u32::from_le_bytes([tag[0], tag[1], tag[2], 0]);
        self.key_frame = tag & 1 == 0;
        self.version = u8::try_from(tag >> 1 & 7).unwrap_or(u8::MAX);
        self.show_frame = tag >> 4 & 1 == 1;
        self.first_part_size = tag >> 5;
        if self.version > 3 {
            let found = i64::from(self.version);
            return Err(wrong(0, "version", Trouble::Unsupported { found }));
        }
        if !self.key_frame {
            let Some(size) = memory.size else {
                return Err(wrong(0, "key_frame", Trouble::Unknown { found: 0 }));
            };
            (self.width, self.height) = size;
            return Ok(TAG);
        }
        let Some(chunk) = data.first_chunk::<KEY_FRAME_TAG>() else {
            return Err(ends(data.len(), "start_code"));
        };
        let [.., a, b, c, width_low, width_high, height_low, height_high] = *chunk;
        let start_code = [a, b, c];
        if start_code != [0x9d, 0x01, 0x2a] {
            let found = i64::from(u32::from_be_bytes([0, a, b, c]));
            return Err(wrong(TAG, "start_code", Trouble::NotAllowed { found }));
        }
        let size = |at, code: [u8; 2], what| {
            let code = u16::from_le_bytes(code);
            match code & 0x3fff {
                0 => Err(wrong(at, what, Trouble::NotAllowed { found: 0 })),
                size => Ok((size, u8::try_from(code >> 14).unwrap_or_default())),
            }
        };
        (self.width, self.horizontal_scale) =
            size(6, [width_low, width_high], "horizontal_size_code")?;
        (self.height, self.vertical_scale) =
            size(8, [height_low, height_high], "vertical_size_code")?;
        Ok(KEY_FRAME_TAG)
    }

    /// The frame header (19.2).
    fn compressed(&mut self, decoder: &mut BoolDecoder<'_>, memory: &Memory) {
        if self.key_frame {
            // color_space and clamping_type change nothing that a header or a driver needs.
            decoder.literal(2);
            self.entropy = Entropy::of_key_frame();
        } else {
            self.segmentation = memory.segmentation;
            self.loop_filter = memory.loop_filter;
            self.entropy = memory.entropy.clone();
        }
        self.segmentation.read(decoder);
        self.loop_filter.read(decoder);
        self.dct_partitions = 1 << decoder.literal(2);
        self.quant.read(decoder);
        self.references(decoder);
        self.entropy.update_coefficients(decoder);
        self.mb_no_skip_coeff = decoder.flag();
        if self.mb_no_skip_coeff {
            self.prob_skip_false = byte(decoder);
        }
        if !self.key_frame {
            self.prob_intra = byte(decoder);
            self.prob_last = byte(decoder);
            self.prob_gf = byte(decoder);
            self.entropy.update_modes(decoder);
            self.entropy.update_motion(decoder);
        }
    }

    fn references(&mut self, decoder: &mut BoolDecoder<'_>) {
        if self.key_frame {
            self.refresh_entropy_probs = decoder.flag();
            self.refresh_golden_frame = true;
            self.refresh_alternate_frame = true;
            self.refresh_last = true;
            return;
        }
        self.refresh_golden_frame = decoder.flag();
        self.refresh_alternate_frame = decoder.flag();
        if !self.refresh_golden_frame {
            self.copy_to_golden = CopyFrom::read(decoder);
        }
        if !self.refresh_alternate_frame {
            self.copy_to_alternate = CopyFrom::read(decoder);
        }
        self.sign_bias_golden = decoder.flag();
        self.sign_bias_alternate = decoder.flag();
        self.refresh_entropy_probs = decoder.flag();
        self.refresh_last = decoder.flag();
    }

    /// The sizes behind the first partition, all but the last one's, which is the rest (9.5).
    fn partitions(&mut self, data: &[u8], sizes: usize) -> Result<(), StreamError> {
        let count = usize::from(self.dct_partitions);
        let mut begin = sizes + 3 * (count - 1);
        if begin > data.len() {
            return Err(ends(data.len(), "partition_size"));
        }
        let coded = data.get(sizes..begin).unwrap_or_default();
        let coded = coded.chunks_exact(3).map(|size| match *size {
            [low, middle, high] => {
                usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16
            }
            _ => 0,
        });
        let partitions = self.dct_partition_sizes.iter_mut().take(count);
        for ((nth, partition), coded) in partitions.enumerate().zip(coded.map(Some).chain([None])) {
            let left = data.len() - begin;
            let size = coded.unwrap_or(left);
            if size > left {
                return Err(ends(sizes + 3 * nth, "partition_size"));
            }
            begin += size;
            *partition = u32::try_from(size).unwrap_or(u32::MAX);
        }
        Ok(())
    }
}

impl CopyFrom {
    fn read(decoder: &mut BoolDecoder<'_>) -> Self {
        match decoder.literal(2) {
            1 => Self::Last,
            2 => Self::Other,
            _ => Self::Nothing,
        }
    }
}

impl Segmentation {
    fn read(&mut self, decoder: &mut BoolDecoder<'_>) {
        self.enabled = decoder.flag();
        self.update_map = self.enabled && decoder.flag();
        self.update_feature_data = self.enabled && decoder.flag();
        if self.update_feature_data {
            self.absolute = decoder.flag();
            self.quantizer = std::array::from_fn(|_segment| optional(decoder, 7));
            self.loop_filter = std::array::from_fn(|_segment| optional(decoder, 6));
        }
        if self.update_map {
            self.tree_probs =
                std::array::from_fn(|_node| if decoder.flag() { byte(decoder) } else { 255 });
        }
    }
}

impl LoopFilter {
    fn read(&mut self, decoder: &mut BoolDecoder<'_>) {
        self.simple = decoder.flag();
        self.level = u8::try_from(decoder.literal(6)).unwrap_or(u8::MAX);
        self.sharpness = u8::try_from(decoder.literal(3)).unwrap_or(u8::MAX);
        self.adj_enable = decoder.flag();
        self.delta_update = self.adj_enable && decoder.flag();
        if self.delta_update {
            let deltas = self.ref_frame_delta.iter_mut();
            for delta in deltas.chain(&mut self.mb_mode_delta) {
                if decoder.flag() {
                    *delta = decoder.signed(6);
                }
            }
        }
    }
}

impl QuantIndices {
    fn read(&mut self, decoder: &mut BoolDecoder<'_>) {
        self.y_ac_qi = u8::try_from(decoder.literal(7)).unwrap_or(u8::MAX);
        self.y_dc_delta = optional(decoder, 4);
        self.y2_dc_delta = optional(decoder, 4);
        self.y2_ac_delta = optional(decoder, 4);
        self.uv_dc_delta = optional(decoder, 4);
        self.uv_ac_delta = optional(decoder, 4);
    }
}

/// A value that is zero where it is not coded.
fn optional(decoder: &mut BoolDecoder<'_>, bits: u32) -> i8 {
    if decoder.flag() {
        decoder.signed(bits)
    } else {
        0
    }
}

const fn wrong(byte: usize, what: &'static str, trouble: Trouble) -> StreamError {
    let bit = byte as u64 * 8;
    StreamError { bit, what, trouble }
}

/// What begins at a byte needs more than there is.
const fn ends(byte: usize, what: &'static str) -> StreamError {
    wrong(byte, what, Trouble::Ends)
}
