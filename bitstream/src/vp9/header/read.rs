//! Reads uncompressed headers (6.2).

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};
use crate::vp9::memory::{Memory, Slot};

use super::{ColorConfig, Frame, FrameHeader, InterpolationFilter, Reference};

const CS_RGB: u8 = 7;

impl Frame {
    /// Reads the header at the beginning of a frame's data, which has to hold the compressed
    /// header and the tiles as well.
    ///
    /// # Errors
    /// [`Trouble::Unknown`] for a slot that holds no frame; otherwise what is wrong with the
    /// header.
    pub fn read(data: &[u8], memory: &Memory) -> Result<Self, StreamError> {
        let bits = &mut BitReader::new(data);
        expect(bits, 2, 2, "frame_marker")?;
        let low = bits.bits(1, "profile_low_bit")?;
        let high = bits.bits(1, "profile_high_bit")?;
        let profile = narrow(high << 1 | low);
        if profile == 3 {
            expect(bits, 1, 0, "reserved_zero")?;
        }
        if bits.flag("show_existing_frame")? {
            let at = bits.position();
            let slot = bits.bits(3, "frame_to_show_map_idx")? as usize;
            slot_of(memory, slot, at, "frame_to_show_map_idx")?;
            return Ok(Self::Existing { slot });
        }
        let mut header = FrameHeader {
            profile,
            ..FrameHeader::default()
        };
        header.read(bits, memory)?;
        let headers =
            u64::from(header.uncompressed_header_size) + u64::from(header.compressed_header_size);
        if headers >= data.len() as u64 {
            let end = data.len() as u64 * 8;
            return Err(BitReader::wrong(end, "decode_tiles", Trouble::Ends));
        }
        Ok(Self::Coded(header))
    }
}

impl FrameHeader {
    fn read(&mut self, bits: &mut BitReader<'_>, memory: &Memory) -> Result<(), StreamError> {
        self.key_frame = !bits.flag("frame_type")?;
        self.show_frame = bits.flag("show_frame")?;
        self.error_resilient_mode = bits.flag("error_resilient_mode")?;
        if self.key_frame {
            frame_sync_code(bits)?;
            self.color = ColorConfig::read(bits, self.profile)?;
            self.refresh_frame_flags = 0xff;
            self.frame_size(bits)?;
            self.render_size(bits)?;
        } else {
            self.intra_only = !self.show_frame && bits.flag("intra_only")?;
            if !self.error_resilient_mode {
                self.reset_frame_context = narrow(bits.bits(2, "reset_frame_context")?);
            }
            if self.intra_only {
                self.intra_only_part(bits)?;
            } else {
                self.inter_part(bits, memory)?;
            }
        }
        if self.error_resilient_mode {
            self.frame_parallel_decoding_mode = true;
        } else {
            self.refresh_frame_context = bits.flag("refresh_frame_context")?;
            self.frame_parallel_decoding_mode = bits.flag("frame_parallel_decoding_mode")?;
        }
        self.frame_context_idx = narrow(bits.bits(2, "frame_context_idx")?);
        self.loop_filter = memory.loop_filter;
        self.segmentation = memory.segmentation;
        if self.is_intra() || self.error_resilient_mode {
            // setup_past_independence()
            self.loop_filter.ref_deltas = [1, 0, -1, -1];
            self.loop_filter.mode_deltas = [0; 2];
            self.segmentation.forget();
        }
        self.loop_filter.read(bits)?;
        self.quantization.read(bits)?;
        self.segmentation.read(bits)?;
        self.tile_info(bits)?;
        let at = bits.position();
        let size = bits.bits(16, "header_size_in_bytes")?;
        if size == 0 {
            let trouble = Trouble::NotAllowed { found: 0 };
            return Err(BitReader::wrong(at, "header_size_in_bytes", trouble));
        }
        self.compressed_header_size = u16::try_from(size).unwrap_or(u16::MAX);
        bits.align();
        self.uncompressed_header_size = u16::try_from(bits.position() / 8).unwrap_or(u16::MAX);
        Ok(())
    }

    fn intra_only_part(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        frame_sync_code(bits)?;
        self.color = if self.profile > 0 {
            ColorConfig::read(bits, self.profile)?
        } else {
            ColorConfig::default()
        };
        self.refresh_frame_flags = narrow(bits.bits(8, "refresh_frame_flags")?);
        self.frame_size(bits)?;
        self.render_size(bits)
    }

    fn inter_part(&mut self, bits: &mut BitReader<'_>, memory: &Memory) -> Result<(), StreamError> {
        self.color = memory.color;
        self.refresh_frame_flags = narrow(bits.bits(8, "refresh_frame_flags")?);
        let mut slots = [None; 3];
        for (reference, slot) in self.references.iter_mut().zip(&mut slots) {
            let at = bits.position();
            *reference = Reference {
                slot: bits.bits(3, "ref_frame_idx")? as usize,
                sign_bias: bits.flag("ref_frame_sign_bias")?,
            };
            *slot = Some(slot_of(memory, reference.slot, at, "ref_frame_idx")?);
        }
        let at = bits.position();
        self.frame_size_with_refs(bits, slots)?;
        self.references_fit(at, slots)?;
        self.allow_high_precision_mv = bits.flag("allow_high_precision_mv")?;
        self.interpolation_filter = InterpolationFilter::read(bits)?;
        Ok(())
    }

    fn frame_size(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.width = bits.bits(16, "frame_width_minus_1")? + 1;
        self.height = bits.bits(16, "frame_height_minus_1")? + 1;
        Ok(())
    }

    fn render_size(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        (self.render_width, self.render_height) = (self.width, self.height);
        if bits.flag("render_and_frame_size_different")? {
            self.render_width = bits.bits(16, "render_width_minus_1")? + 1;
            self.render_height = bits.bits(16, "render_height_minus_1")? + 1;
        }
        Ok(())
    }

    fn frame_size_with_refs(
        &mut self,
        bits: &mut BitReader<'_>,
        slots: [Option<Slot>; 3],
    ) -> Result<(), StreamError> {
        for slot in slots.into_iter().flatten() {
            if bits.flag("found_ref")? {
                (self.width, self.height) = (slot.width, slot.height);
                return self.render_size(bits);
            }
        }
        self.frame_size(bits)?;
        self.render_size(bits)
    }

    /// What frames that are predicted from have to be like (7.2.5): samples as here, and a size
    /// that can be scaled. One of another size may be listed where blocks keep off it, as encoders
    /// of spatial layers do; so it is enough that one fits.
    fn references_fit(&self, at: u64, slots: [Option<Slot>; 3]) -> Result<(), StreamError> {
        let mut scales = false;
        for slot in slots.into_iter().flatten() {
            let same =
                |color: ColorConfig| (color.bit_depth, color.subsampling_x, color.subsampling_y);
            if same(slot.color) != same(self.color) {
                let found = i64::from(slot.color.bit_depth);
                let trouble = Trouble::NotAllowed { found };
                return Err(BitReader::wrong(at, "ref_frame_idx", trouble));
            }
            scales |= 2 * self.width >= slot.width
                && 2 * self.height >= slot.height
                && self.width <= 16 * slot.width
                && self.height <= 16 * slot.height;
        }
        if scales {
            return Ok(());
        }
        let found = i64::from(self.width);
        let trouble = Trouble::NotAllowed { found };
        Err(BitReader::wrong(at, "frame_size_with_refs", trouble))
    }

    fn tile_info(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let superblocks = self.width.div_ceil(64);
        let mut columns = 0;
        while 64 << columns < superblocks {
            columns += 1;
        }
        let mut most: u8 = 1;
        while superblocks >> most >= 4 {
            most += 1;
        }
        most -= 1;
        while columns < most && bits.flag("increment_tile_cols_log2")? {
            columns += 1;
        }
        self.tile_cols_log2 = columns;
        if bits.flag("tile_rows_log2")? {
            self.tile_rows_log2 = 1 + u8::from(bits.flag("increment_tile_rows_log2")?);
        }
        Ok(())
    }
}

impl ColorConfig {
    fn read(bits: &mut BitReader<'_>, profile: u8) -> Result<Self, StreamError> {
        let mut color = Self::default();
        if profile >= 2 {
            color.bit_depth = if bits.flag("ten_or_twelve_bit")? {
                12
            } else {
                10
            };
        }
        let at = bits.position();
        color.color_space = narrow(bits.bits(3, "color_space")?);
        let subsampling_coded = profile & 1 == 1;
        if color.color_space == CS_RGB {
            if !subsampling_coded {
                let found = i64::from(CS_RGB);
                let trouble = Trouble::NotAllowed { found };
                return Err(BitReader::wrong(at, "color_space", trouble));
            }
            color.color_range = true;
            (color.subsampling_x, color.subsampling_y) = (false, false);
            expect(bits, 1, 0, "reserved_zero")?;
            return Ok(color);
        }
        color.color_range = bits.flag("color_range")?;
        if subsampling_coded {
            let at = bits.position();
            color.subsampling_x = bits.flag("subsampling_x")?;
            color.subsampling_y = bits.flag("subsampling_y")?;
            if color.subsampling_x && color.subsampling_y {
                let trouble = Trouble::NotAllowed { found: 1 };
                return Err(BitReader::wrong(at, "subsampling_x", trouble));
            }
            expect(bits, 1, 0, "reserved_zero")?;
        }
        Ok(color)
    }
}

impl InterpolationFilter {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        if bits.flag("is_filter_switchable")? {
            return Ok(Self::Switchable);
        }
        Ok(match bits.bits(2, "raw_interpolation_filter")? {
            0 => Self::EightTapSmooth,
            1 => Self::EightTap,
            2 => Self::EightTapSharp,
            _ => Self::Bilinear,
        })
    }
}

impl super::LoopFilter {
    fn read(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.level = narrow(bits.bits(6, "loop_filter_level")?);
        self.sharpness = narrow(bits.bits(3, "loop_filter_sharpness")?);
        self.delta_enabled = bits.flag("loop_filter_delta_enabled")?;
        self.delta_update = self.delta_enabled && bits.flag("loop_filter_delta_update")?;
        if self.delta_update {
            for delta in &mut self.ref_deltas {
                if bits.flag("update_ref_delta")? {
                    *delta = signed(bits, 6, "loop_filter_ref_deltas")?;
                }
            }
            for delta in &mut self.mode_deltas {
                if bits.flag("update_mode_delta")? {
                    *delta = signed(bits, 6, "loop_filter_mode_deltas")?;
                }
            }
        }
        Ok(())
    }
}

impl super::Quantization {
    fn read(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.base_q_idx = narrow(bits.bits(8, "base_q_idx")?);
        for delta in [
            &mut self.delta_q_y_dc,
            &mut self.delta_q_uv_dc,
            &mut self.delta_q_uv_ac,
        ] {
            if bits.flag("delta_coded")? {
                *delta = signed(bits, 4, "delta_q")?;
            }
        }
        Ok(())
    }
}

fn frame_sync_code(bits: &mut BitReader<'_>) -> Result<(), StreamError> {
    expect(bits, 8, 0x49, "frame_sync_byte_0")?;
    expect(bits, 8, 0x83, "frame_sync_byte_1")?;
    expect(bits, 8, 0x42, "frame_sync_byte_2")
}

fn slot_of(memory: &Memory, slot: usize, at: u64, what: &'static str) -> Result<Slot, StreamError> {
    let found = i64::try_from(slot).unwrap_or(i64::MAX);
    let missing = BitReader::wrong(at, what, Trouble::Unknown { found });
    memory.slots.get(slot).copied().flatten().ok_or(missing)
}

fn expect(
    bits: &mut BitReader<'_>,
    count: u32,
    value: u32,
    what: &'static str,
) -> Result<(), StreamError> {
    let at = bits.position();
    let found = bits.bits(count, what)?;
    if found == value {
        return Ok(());
    }
    let found = i64::from(found);
    Err(BitReader::wrong(at, what, Trouble::NotAllowed { found }))
}

/// `su(n)`: a magnitude, then its sign.
fn signed(bits: &mut BitReader<'_>, count: u32, what: &'static str) -> Result<i8, StreamError> {
    let size = i8::try_from(bits.bits(count, what)?).unwrap_or(i8::MAX);
    Ok(if bits.flag(what)? { -size } else { size })
}

/// Of at most eight bits.
fn narrow(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}
