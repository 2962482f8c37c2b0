//! How a frame header is read (5.9.2).

use crate::av1::code::{f8, f16, not_allowed};
use crate::av1::film_grain::{self, FilmGrain};
use crate::av1::filter::{Cdef, LoopRestoration};
use crate::av1::frame::{FrameHeader, FrameType, ShowExistingFrame, TxMode};
use crate::av1::quantization::Quantization;
use crate::av1::references::{References, Slot};
use crate::av1::segmentation::Segmentation;
use crate::av1::sequence::SequenceHeader;
use crate::av1::size::FrameSize;
use crate::av1::{PRIMARY_REF_NONE, global_motion};
use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// What a header is read with.
pub(super) struct With<'b, 'd, 'r> {
    pub(super) bits: &'b mut BitReader<'d>,
    pub(super) sequence: &'r SequenceHeader,
    pub(super) references: &'r References,
    /// `temporal_id` and `spatial_id`.
    layer: (u8, u8),
}

impl FrameHeader {
    /// Reads a header from the beginning of an OBU's payload, which it takes up to
    /// what follows the header. Where it asks for an earlier frame, that is the answer, and nothing
    /// else of it counts. `layer` is `temporal_id` and `spatial_id` of the OBU.
    ///
    /// # Errors
    /// What it says that it must not; references to slots that hold nothing.
    pub fn read(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
        references: &References,
        layer: (u8, u8),
    ) -> Result<Option<ShowExistingFrame>, StreamError> {
        *self = Self::default();
        let mut with = With {
            bits,
            sequence,
            references,
            layer,
        };
        if sequence.reduced_still_picture_header {
            // As of every key frame that is shown.
            (self.show_frame, self.error_resilient_mode) = (true, true);
        } else {
            let at = with.bits.position();
            if with.bits.flag("show_existing_frame")? {
                return with.show_existing_frame(at).map(Some);
            }
            self.read_kind(&mut with)?;
        }
        self.read_general(&mut with)?;
        if self.frame_type.is_intra() {
            self.size = FrameSize::read(with.bits, sequence, self.frame_size_override_flag)?;
            self.allow_intrabc = self.allow_screen_content_tools
                && self.size.upscaled_width == self.size.frame_width
                && with.bits.flag("allow_intrabc")?;
        } else {
            self.read_references(&mut with)?;
            self.read_inter(&mut with)?;
        }
        self.disable_frame_end_update_cdf = sequence.reduced_still_picture_header
            || self.disable_cdf_update
            || with.bits.flag("disable_frame_end_update_cdf")?;
        self.tile_info.read(with.bits, sequence, &self.size)?;
        let primary = self.primary(references);
        self.read_coding(&mut with, primary)?;
        self.read_modes(&mut with, primary)?;
        Ok(None)
    }

    /// The slot of the primary reference, where there is one.
    fn primary<'r>(&self, references: &'r References) -> Option<&'r Slot> {
        let number = self.ref_frame_idx.get(usize::from(self.primary_ref_frame));
        number.map(|&number| references.slot(number))
    }

    /// From `frame_type` to `error_resilient_mode`.
    fn read_kind(&mut self, with: &mut With<'_, '_, '_>) -> Result<(), StreamError> {
        let With { bits, .. } = with;
        self.frame_type = match bits.bits(2, "frame_type")? {
            0 => FrameType::Key,
            1 => FrameType::Inter,
            2 => FrameType::IntraOnly,
            _ => FrameType::Switch,
        };
        self.show_frame = bits.flag("show_frame")?;
        if self.show_frame {
            with.temporal_point_info()?;
            self.showable_frame = self.frame_type != FrameType::Key;
        } else {
            self.showable_frame = with.bits.flag("showable_frame")?;
        }
        self.error_resilient_mode = self.frame_type == FrameType::Switch
            || self.is_shown_key()
            || with.bits.flag("error_resilient_mode")?;
        Ok(())
    }

    /// From `disable_cdf_update` to `ref_order_hint`.
    fn read_general(&mut self, with: &mut With<'_, '_, '_>) -> Result<(), StreamError> {
        let With { bits, sequence, .. } = with;
        let intra = self.frame_type.is_intra();
        self.disable_cdf_update = bits.flag("disable_cdf_update")?;
        self.allow_screen_content_tools = match sequence.seq_force_screen_content_tools {
            Some(forced) => forced,
            None => bits.flag("allow_screen_content_tools")?,
        };
        self.force_integer_mv = self.allow_screen_content_tools
            && match sequence.seq_force_integer_mv {
                Some(forced) => forced,
                None => bits.flag("force_integer_mv")?,
            };
        self.force_integer_mv |= intra;
        if let Some(ids) = sequence.frame_ids {
            self.current_frame_id = f16(bits, ids.length, "current_frame_id")?;
        }
        self.valid_references = with.references.marked(sequence, self.current_frame_id);
        self.frame_size_override_flag = self.frame_type == FrameType::Switch
            || !sequence.reduced_still_picture_header && bits.flag("frame_size_override_flag")?;
        self.order_hint = f8(bits, sequence.order_hint_bits, "order_hint")?;
        self.primary_ref_frame = if intra || self.error_resilient_mode {
            PRIMARY_REF_NONE
        } else {
            f8(bits, 3, "primary_ref_frame")?
        };
        self.read_buffer_removal_times(with)?;
        let With { bits, sequence, .. } = with;
        let refresh_at = bits.position();
        // reduced_still_picture_header is a shown key frame, too.
        self.refresh_frame_flags = if self.frame_type == FrameType::Switch || self.is_shown_key() {
            u8::MAX
        } else {
            f8(bits, 8, "refresh_frame_flags")?
        };
        if self.frame_type == FrameType::IntraOnly && self.refresh_frame_flags == u8::MAX {
            return Err(not_allowed(refresh_at, "refresh_frame_flags", u8::MAX));
        }
        if (!intra || self.refresh_frame_flags != u8::MAX)
            && self.error_resilient_mode
            && sequence.order_hint_bits > 0
        {
            for slot in 0..8 {
                let hint = f8(bits, sequence.order_hint_bits, "ref_order_hint")?;
                if hint != with.references.slot(slot).order_hint {
                    self.valid_references &= !(1 << slot);
                }
            }
        }
        Ok(())
    }

    fn read_buffer_removal_times(
        &mut self,
        with: &mut With<'_, '_, '_>,
    ) -> Result<(), StreamError> {
        let Some(model) = with.sequence.decoder_model else {
            return Ok(());
        };
        self.buffer_removal_time_present_flag =
            with.bits.flag("buffer_removal_time_present_flag")?;
        if !self.buffer_removal_time_present_flag {
            return Ok(());
        }
        let (temporal_id, spatial_id) = with.layer;
        let points = with.sequence.operating_points();
        for (time, point) in self.buffer_removal_time.iter_mut().zip(points) {
            if point.decoder_model_present && point.contains(temporal_id, spatial_id) {
                let length = model.buffer_removal_time_length;
                *time = with.bits.bits(length, "buffer_removal_time")?;
            }
        }
        Ok(())
    }

    /// From `quantization_params()` to `read_tx_mode()`.
    fn read_coding(
        &mut self,
        with: &mut With<'_, '_, '_>,
        primary: Option<&Slot>,
    ) -> Result<(), StreamError> {
        let With { bits, sequence, .. } = with;
        self.quantization = Quantization::read(bits, sequence)?;
        let features = primary.map(|slot| &slot.features);
        self.segmentation = Segmentation::read(bits, features)?;
        self.quantization.read_delta_q(bits)?;
        let present = self.quantization.delta_q_present;
        let loop_filter = &mut self.loop_filter;
        loop_filter.read_delta_lf(bits, present, self.allow_intrabc)?;
        let indices = self.segmentation.qindices(self.quantization.base_q_idx);
        self.coded_lossless =
            self.quantization.is_plain() && indices.iter().all(|&index| index == 0);
        let scaled = self.size.frame_width != self.size.upscaled_width;
        let all_lossless = self.coded_lossless && !scaled;
        if self.coded_lossless || self.allow_intrabc {
            // Not read; setup_past_independence() has it.
            loop_filter.delta_enabled = primary.is_none();
        } else {
            let deltas = primary.map(|slot| &slot.loop_filter_deltas);
            loop_filter.read(bits, sequence, deltas)?;
        }
        if !self.coded_lossless && !self.allow_intrabc && sequence.enable_cdef {
            self.cdef = Cdef::read(bits, sequence)?;
        }
        if !all_lossless && !self.allow_intrabc && sequence.enable_restoration {
            self.loop_restoration = LoopRestoration::read(bits, sequence)?;
        }
        self.tx_mode = if self.coded_lossless {
            TxMode::Only4x4
        } else if bits.flag("tx_mode_select")? {
            TxMode::Select
        } else {
            TxMode::Largest
        };
        Ok(())
    }

    /// From `frame_reference_mode()` to `film_grain_params()`.
    fn read_modes(
        &mut self,
        with: &mut With<'_, '_, '_>,
        primary: Option<&Slot>,
    ) -> Result<(), StreamError> {
        let With {
            bits,
            sequence,
            references,
            ..
        } = with;
        let intra = self.frame_type.is_intra();
        self.reference_select = !intra && bits.flag("reference_select")?;
        if self.reference_select && sequence.order_hint_bits > 0 {
            let indices = &self.ref_frame_idx;
            self.skip_mode_frame = references.skip_mode_frames(sequence, self.order_hint, indices);
        }
        self.skip_mode_present =
            self.skip_mode_frame.is_some() && bits.flag("skip_mode_present")?;
        self.allow_warped_motion = !intra
            && !self.error_resilient_mode
            && sequence.enable_warped_motion
            && bits.flag("allow_warped_motion")?;
        self.reduced_tx_set = bits.flag("reduced_tx_set")?;
        self.global_motion = if intra {
            global_motion::initial()
        } else {
            let previous = primary.map(|slot| &slot.gm_params);
            global_motion::read(bits, self.allow_high_precision_mv, previous)?
        };
        if sequence.film_grain_params_present && (self.show_frame || self.showable_frame) {
            let of = film_grain::Of {
                frame_type: self.frame_type,
                ref_frame_idx: &self.ref_frame_idx,
                references,
            };
            self.film_grain = FilmGrain::read(bits, sequence, &of)?;
        }
        Ok(())
    }
}

impl With<'_, '_, '_> {
    /// What follows `show_existing_frame`, before which `at` bits lie.
    fn show_existing_frame(&mut self, at: u64) -> Result<ShowExistingFrame, StreamError> {
        let what = "frame_to_show_map_idx";
        let slot = f8(self.bits, 3, what)?;
        self.temporal_point_info()?;
        let shown = self.references.slot(slot);
        if !shown.valid {
            let found = i64::from(slot);
            return Err(BitReader::wrong(at + 1, what, Trouble::Unknown { found }));
        }
        if !shown.showable_frame {
            return Err(not_allowed(at + 1, what, slot));
        }
        if let Some(ids) = self.sequence.frame_ids {
            let at = self.bits.position();
            let id = f16(self.bits, ids.length, "display_frame_id")?;
            if id != shown.frame_id {
                return Err(not_allowed(at, "display_frame_id", id));
            }
        }
        Ok(ShowExistingFrame { slot })
    }

    /// `temporal_point_info()`, where there is one.
    fn temporal_point_info(&mut self) -> Result<(), StreamError> {
        match self.sequence.decoder_model {
            Some(model) if !self.sequence.equal_picture_interval => {
                let length = model.frame_presentation_time_length;
                self.bits.skip(length, "frame_presentation_time")
            }
            _ => Ok(()),
        }
    }
}
