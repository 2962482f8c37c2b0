//! What the headers of frames say that refer to others (5.9.2).

use crate::av1::code::{f8, not_allowed};
use crate::av1::frame::FrameHeader;
use crate::av1::frame::header::With;
use crate::av1::size::FrameSize;
use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

impl FrameHeader {
    /// From `frame_refs_short_signaling` to `delta_frame_id_minus_1`.
    pub(super) fn read_references(
        &mut self,
        with: &mut With<'_, '_, '_>,
    ) -> Result<(), StreamError> {
        let With {
            bits,
            sequence,
            references,
            ..
        } = with;
        self.frame_refs_short_signaling =
            sequence.order_hint_bits > 0 && bits.flag("frame_refs_short_signaling")?;
        if self.frame_refs_short_signaling {
            let at = bits.position();
            let last = f8(bits, 3, "last_frame_idx")?;
            let gold = f8(bits, 3, "gold_frame_idx")?;
            self.ref_frame_idx =
                references.set_frame_refs(sequence, self.order_hint, (last, gold), at)?;
        }
        let color = &sequence.color_config;
        for index in &mut self.ref_frame_idx {
            let at = bits.position();
            if !self.frame_refs_short_signaling {
                *index = f8(bits, 3, "ref_frame_idx")?;
            }
            let slot = references.slot(*index);
            let usable = slot.valid && self.valid_references >> *index & 1 == 1;
            if !usable {
                let found = i64::from(*index);
                let trouble = Trouble::Unknown { found };
                return Err(BitReader::wrong(at, "ref_frame_idx", trouble));
            }
            if slot.bit_depth != color.bit_depth
                || slot.subsampling != (color.subsampling_x, color.subsampling_y)
            {
                return Err(not_allowed(at, "ref_frame_idx", *index));
            }
            if let Some(ids) = sequence.frame_ids {
                let at = bits.position();
                let delta = bits.bits(ids.delta_length, "delta_frame_id_minus_1")? + 1;
                let around = 1_u32 << ids.length;
                let current = u32::from(self.current_frame_id);
                // Both are below 2^17.
                let expected = (current + around * 2 - delta) % around;
                if expected != u32::from(slot.frame_id) {
                    return Err(not_allowed(at, "delta_frame_id_minus_1", delta - 1));
                }
            }
        }
        Ok(())
    }

    /// From the size to `use_ref_frame_mvs`, and the order hints.
    pub(super) fn read_inter(&mut self, with: &mut With<'_, '_, '_>) -> Result<(), StreamError> {
        const SWITCHABLE: u8 = 4;
        let With {
            bits,
            sequence,
            references,
            ..
        } = with;
        let at = bits.position();
        let overridden = self.frame_size_override_flag;
        self.size = if overridden && !self.error_resilient_mode {
            let indices = &self.ref_frame_idx;
            FrameSize::read_with_references(bits, sequence, references, indices)?
        } else {
            FrameSize::read(bits, sequence, overridden)?
        };
        for &index in &self.ref_frame_idx {
            if !self.size.can_refer_to(references.slot(index)) {
                return Err(not_allowed(at, "frame_size", self.size.frame_width));
            }
        }
        self.allow_high_precision_mv =
            !self.force_integer_mv && bits.flag("allow_high_precision_mv")?;
        self.interpolation_filter = if bits.flag("is_filter_switchable")? {
            SWITCHABLE
        } else {
            f8(bits, 2, "interpolation_filter")?
        };
        self.is_motion_mode_switchable = bits.flag("is_motion_mode_switchable")?;
        self.use_ref_frame_mvs = !self.error_resilient_mode
            && sequence.enable_ref_frame_mvs
            && bits.flag("use_ref_frame_mvs")?;
        let hints = self.order_hints.iter_mut().skip(1);
        for (hint, &index) in hints.zip(&self.ref_frame_idx) {
            *hint = references.slot(index).order_hint;
        }
        Ok(())
    }
}
