//! What comes after the beginning of a slice segment header.

use super::{MAX_ACTIVE, PredWeights, SliceReader, SliceSegment, SliceType};
use crate::bits::BitReader;
use crate::error::StreamError;

use super::super::check;
use super::super::pps::Pps;
use super::super::reference_set::{LongTermSet, ShortTermSet};
use super::super::sps::Sps;

impl SliceReader<'_> {
    /// Reads the rest. `before` is the last slice segment of the same picture that does not depend
    /// on another. Entry points are added to `entry_points`, in bytes of the NAL unit.
    ///
    /// # Errors
    /// What is wrong with it, at a bit of the NAL unit; nothing is added to `entry_points` then.
    pub fn read(
        mut self,
        sps: &Sps,
        pps: &Pps,
        before: Option<&SliceSegment>,
        entry_points: &mut Vec<u32>,
    ) -> Result<SliceSegment, StreamError> {
        let had = entry_points.len();
        let read = self.read_all(sps, pps, before, entry_points);
        if read.is_err() {
            entry_points.truncate(had);
        }
        read
    }

    fn read_all(
        &mut self,
        sps: &Sps,
        pps: &Pps,
        before: Option<&SliceSegment>,
        entry_points: &mut Vec<u32>,
    ) -> Result<SliceSegment, StreamError> {
        let bits = &mut self.bits;
        let mut dependent = false;
        let mut segment_address = 0;
        let dependent_at = bits.position();
        if !self.begin.first_slice_segment_in_pic {
            dependent = pps.dependent_slice_segments_enabled
                && bits.flag("dependent_slice_segment_flag")?;
            let begin = bits.position();
            let ctbs = sps.width_in_ctbs() * sps.height_in_ctbs();
            segment_address = bits.bits(check::ceil_log2(ctbs), "slice_segment_address")?;
            if segment_address == 0 || segment_address >= ctbs {
                let what = "slice_segment_address";
                return Err(check::refuse(begin, what, segment_address));
            }
        }
        let mut slice = SliceSegment::default();
        if dependent {
            let without = || check::refuse(dependent_at, "dependent_slice_segment_flag", 1);
            slice = *before.ok_or_else(without)?;
        } else {
            self.read_independent(&mut slice, sps, pps)?;
        }
        slice.dependent = dependent;
        slice.segment_address = segment_address;
        let bits = &mut self.bits;
        slice.num_entry_points = read_entry_points(bits, sps, pps, entry_points)?;
        if pps.slice_segment_header_extension_present {
            let most = 256;
            let bytes = check::ue(bits, most, "slice_segment_header_extension_length")?;
            bits.skip(8 * bytes, "slice_segment_header_extension_data_byte")?;
        }
        let begin = bits.position();
        if !bits.flag("alignment_bit_equal_to_one")? {
            return Err(check::refuse(begin, "alignment_bit_equal_to_one", 0));
        }
        while !bits.is_aligned() {
            let begin = bits.position();
            if bits.flag("alignment_bit_equal_to_zero")? {
                return Err(check::refuse(begin, "alignment_bit_equal_to_zero", 1));
            }
        }
        let large = |_large| check::unsupported(begin, "bits of a slice segment header", i64::MAX);
        slice.data_byte_offset = u32::try_from(bits.position() / 8).map_err(large)?;
        let prevented = bits.emulation_prevention_bytes();
        slice.emulation_prevention_bytes = u32::try_from(prevented).map_err(large)?;
        Ok(slice)
    }

    fn read_independent(
        &mut self,
        slice: &mut SliceSegment,
        sps: &Sps,
        pps: &Pps,
    ) -> Result<(), StreamError> {
        let unit_type = self.begin.nal.unit_type;
        let bits = &mut self.bits;
        bits.skip(
            pps.num_extra_slice_header_bits.into(),
            "slice_reserved_flag",
        )?;
        let begin = bits.position();
        slice.slice_type = match bits.ue("slice_type")? {
            0 => SliceType::B,
            1 => SliceType::P,
            2 => SliceType::I,
            found => return Err(check::refuse(begin, "slice_type", found)),
        };
        if unit_type.is_irap() && slice.slice_type != SliceType::I {
            // Only a picture that refers to itself could have others, and that is not decoded.
            return Err(check::refuse(begin, "slice_type", slice.slice_type as u8));
        }
        slice.pic_output = !pps.output_flag_present || bits.flag("pic_output_flag")?;
        if sps.separate_colour_plane {
            slice.colour_plane_id = check::u8(bits, 2, "colour_plane_id")?;
        }
        if !unit_type.is_idr() {
            read_references(bits, slice, sps)?;
        }
        if sps.sample_adaptive_offset_enabled {
            slice.sao_luma = bits.flag("slice_sao_luma_flag")?;
            slice.sao_chroma =
                sps.chroma_array_type() != 0 && bits.flag("slice_sao_chroma_flag")?;
        }
        slice.collocated_from_l0 = true;
        if slice.slice_type != SliceType::I {
            read_inter(bits, slice, sps, pps)?;
        }
        read_quantisation(bits, slice, sps, pps)?;
        read_filters(bits, slice, pps)
    }
}

fn read_references(
    bits: &mut BitReader<'_>,
    slice: &mut SliceSegment,
    sps: &Sps,
) -> Result<(), StreamError> {
    let lsb_bits = u32::from(sps.log2_max_pic_order_cnt_lsb);
    slice.pic_order_cnt_lsb = check::u16(bits, lsb_bits, "slice_pic_order_cnt_lsb")?;
    let sets = sps.short_term_sets();
    let begin = bits.position();
    if bits.flag("short_term_ref_pic_set_sps_flag")? {
        let count = u32::try_from(sets.len()).unwrap_or(u32::MAX);
        let what = "short_term_ref_pic_set_idx";
        let index = check::u8(bits, check::ceil_log2(count), what)?;
        let set = sets.get(usize::from(index));
        slice.short_term = *set.ok_or_else(|| check::refuse(begin, what, index))?;
        slice.short_term_set_index = Some(index);
    } else {
        let before = check::payload_bits(bits);
        slice.short_term = ShortTermSet::read(bits, sets, sets.len())?;
        slice.short_term_set_bits = since(bits, before);
    }
    if sps.long_term_ref_pics_present {
        let before = check::payload_bits(bits);
        slice.long_term = LongTermSet::read(bits, sps.long_term_candidates(), lsb_bits)?;
        slice.long_term_set_bits = since(bits, before);
    }
    slice.temporal_mvp_enabled =
        sps.temporal_mvp_enabled && bits.flag("slice_temporal_mvp_enabled_flag")?;
    Ok(())
}

/// Bits of the payload since a place. Sets take far less than 16 bits can count.
fn since(bits: &BitReader<'_>, before: u64) -> u16 {
    u16::try_from(check::payload_bits(bits) - before).unwrap_or(u16::MAX)
}

/// Of slices that refer to other pictures.
fn read_inter(
    bits: &mut BitReader<'_>,
    slice: &mut SliceSegment,
    sps: &Sps,
    pps: &Pps,
) -> Result<(), StreamError> {
    let begin = bits.position();
    let total = slice.num_pic_total_curr();
    if total == 0 {
        return Err(check::refuse(begin, "NumPicTotalCurr", 0));
    }
    let two = slice.slice_type == SliceType::B;
    let defaults = pps.num_ref_idx_default_active_minus1;
    slice.num_ref_idx_active_minus1 = [defaults[0], if two { defaults[1] } else { 0 }];
    if bits.flag("num_ref_idx_active_override_flag")? {
        slice.num_ref_idx_active_minus1[0] = check::ue8(bits, 14, "num_ref_idx_l0_active_minus1")?;
        if two {
            let what = "num_ref_idx_l1_active_minus1";
            slice.num_ref_idx_active_minus1[1] = check::ue8(bits, 14, what)?;
        }
    }
    let active = [slice.num_active(0), slice.num_active(1)];
    if pps.lists_modification_present && total > 1 {
        for (entries, active) in slice.list_entries.iter_mut().zip(active) {
            if active > 0 && bits.flag("ref_pic_list_modification_flag")? {
                *entries = Some(read_list_entries(bits, total, active)?);
            }
        }
    }
    if two {
        slice.mvd_l1_zero = bits.flag("mvd_l1_zero_flag")?;
    }
    if pps.cabac_init_present {
        slice.cabac_init = bits.flag("cabac_init_flag")?;
    }
    if slice.temporal_mvp_enabled {
        if two {
            slice.collocated_from_l0 = bits.flag("collocated_from_l0_flag")?;
        }
        let list = usize::from(!slice.collocated_from_l0);
        let most = slice.num_ref_idx_active_minus1[list];
        if most > 0 {
            slice.collocated_ref_idx = check::ue8(bits, most, "collocated_ref_idx")?;
        }
    }
    if if two {
        pps.weighted_bipred
    } else {
        pps.weighted_pred
    } {
        slice.pred_weights = Some(PredWeights::read(bits, sps, active)?);
    }
    slice.five_minus_max_num_merge_cand = check::ue8(bits, 4, "five_minus_max_num_merge_cand")?;
    slice.use_integer_mv = match sps.scc.motion_vector_resolution_control_idc {
        2 => bits.flag("use_integer_mv_flag")?,
        // Inferred to be the same (7.4.7.1).
        told => told == 1,
    };
    Ok(())
}

fn read_list_entries(
    bits: &mut BitReader<'_>,
    total: u32,
    active: usize,
) -> Result<[u8; MAX_ACTIVE], StreamError> {
    let mut entries = [0; MAX_ACTIVE];
    for entry in entries.iter_mut().take(active) {
        let begin = bits.position();
        *entry = check::u8(bits, check::ceil_log2(total), "list_entry")?;
        if u32::from(*entry) >= total {
            return Err(check::refuse(begin, "list_entry", *entry));
        }
    }
    Ok(entries)
}

fn read_quantisation(
    bits: &mut BitReader<'_>,
    slice: &mut SliceSegment,
    sps: &Sps,
    pps: &Pps,
) -> Result<(), StreamError> {
    // SliceQpY (7-54) is from -QpBdOffsetY to 51.
    let offset = 6 * (sps.bit_depth_luma - 8).cast_signed();
    let init = 26 + pps.init_qp_minus26;
    slice.qp_delta = check::se8(bits, (-offset - init, 51 - init), "slice_qp_delta")?;
    if pps.slice_chroma_qp_offsets_present {
        slice.cb_qp_offset = check::se8(bits, (-12, 12), "slice_cb_qp_offset")?;
        slice.cr_qp_offset = check::se8(bits, (-12, 12), "slice_cr_qp_offset")?;
    }
    if pps.scc.slice_act_qp_offsets_present {
        slice.act_y_qp_offset = check::se8(bits, (-12, 12), "slice_act_y_qp_offset")?;
        slice.act_cb_qp_offset = check::se8(bits, (-12, 12), "slice_act_cb_qp_offset")?;
        slice.act_cr_qp_offset = check::se8(bits, (-12, 12), "slice_act_cr_qp_offset")?;
    }
    if pps.range.chroma_qp_offset_list_enabled {
        bits.flag("cu_chroma_qp_offset_enabled_flag")?;
    }
    Ok(())
}

fn read_filters(
    bits: &mut BitReader<'_>,
    slice: &mut SliceSegment,
    pps: &Pps,
) -> Result<(), StreamError> {
    slice.deblocking_filter_disabled = pps.deblocking_filter_disabled;
    slice.beta_offset_div2 = pps.beta_offset_div2;
    slice.tc_offset_div2 = pps.tc_offset_div2;
    if pps.deblocking_filter_override_enabled && bits.flag("deblocking_filter_override_flag")? {
        slice.deblocking_filter_disabled = bits.flag("slice_deblocking_filter_disabled_flag")?;
        if !slice.deblocking_filter_disabled {
            slice.beta_offset_div2 = check::se8(bits, (-6, 6), "slice_beta_offset_div2")?;
            slice.tc_offset_div2 = check::se8(bits, (-6, 6), "slice_tc_offset_div2")?;
        }
    }
    slice.loop_filter_across_slices_enabled = pps.loop_filter_across_slices_enabled;
    let filtered = slice.sao_luma || slice.sao_chroma || !slice.deblocking_filter_disabled;
    if pps.loop_filter_across_slices_enabled && filtered {
        slice.loop_filter_across_slices_enabled =
            bits.flag("slice_loop_filter_across_slices_enabled_flag")?;
    }
    Ok(())
}

fn read_entry_points(
    bits: &mut BitReader<'_>,
    sps: &Sps,
    pps: &Pps,
    entry_points: &mut Vec<u32>,
) -> Result<u32, StreamError> {
    let rows = sps.height_in_ctbs();
    let most = match (&pps.tiles, pps.entropy_coding_sync_enabled) {
        (None, false) => return Ok(0),
        (None, true) => rows,
        (Some(tiles), sync) => {
            let down = u32::from(tiles.num_rows_minus1) + 1;
            (u32::from(tiles.num_columns_minus1) + 1) * if sync { rows } else { down }
        }
    };
    let count = check::ue(bits, most - 1, "num_entry_point_offsets")?;
    if count > 0 {
        let len = 1 + check::ue(bits, 31, "offset_len_minus1")?;
        for _point in 0..count {
            let begin = bits.position();
            let minus1 = bits.bits(len, "entry_point_offset_minus1")?;
            let what = "entry_point_offset_minus1";
            let offset = minus1.checked_add(1);
            entry_points.push(offset.ok_or_else(|| check::refuse(begin, what, minus1))?);
        }
    }
    Ok(count)
}
