//! What a driver should be told of pictures and slices, worked out from a trace.

use std::collections::HashMap;

use dmaflow_stateless::uapi::hevc as uapi;
use dmaflow_stateless::{Chroma, Sequence};
use uapi::{HevcDecodeParams, HevcPps, HevcPredWeightTable, HevcSliceParams, HevcSps, slice_flag};

use super::sets::{self, Set};
use super::traced::Unit;

/// A picture that is kept for reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) poc: i64,
    pub(crate) stamp: u64,
    long: bool,
    pic_struct: u8,
}

/// What was traced so far.
#[derive(Debug, Default)]
pub(crate) struct Model {
    sps: HashMap<i64, Unit>,
    pps: HashMap<i64, Unit>,
    active: Unit,
    pub(crate) kept: Vec<Kept>,
    prev_tid0: i64,
    pic_struct: u8,
    skips_rasl: bool,
    began: bool,
    eos: bool,
}

/// A picture, as it should be told.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) sps: HevcSps,
    pub(crate) pps: HevcPps,
    pub(crate) params: HevcDecodeParams,
    pub(crate) slices: Vec<HevcSliceParams>,
    pub(crate) entry_points: Vec<u32>,
    pub(crate) units: (Unit, Unit),
    curr: Curr,
    before: Option<Unit>,
    sizes: (u16, u16),
}

/// Order counts of pictures that the current one may use.
#[derive(Clone, Debug, Default)]
struct Curr {
    before: Vec<i64>,
    after: Vec<i64>,
    long: Vec<i64>,
}

fn is_slice(unit: &Unit) -> bool {
    unit.name == "Slice Segment Header"
}

impl Model {
    /// Takes a packet, whose picture gets a stamp; none for one that is not decoded.
    pub(crate) fn packet(&mut self, packet: &[Unit], stamp: u64) -> Option<Picture> {
        let mut picture: Option<Picture> = None;
        self.pic_struct = 0;
        let mut eos = false;
        for unit in packet {
            match unit.name.as_str() {
                "Sequence Parameter Set" => {
                    self.sps
                        .insert(unit.value("sps_seq_parameter_set_id"), unit.clone());
                }
                "Picture Parameter Set" => {
                    self.pps
                        .insert(unit.value("pps_pic_parameter_set_id"), unit.clone());
                }
                "End Of Sequence" | "End of Sequence" => eos = true,
                _ if is_slice(unit) => match &mut picture {
                    None if unit.is("first_slice_segment_in_pic_flag") => {
                        picture = Some(self.begin(unit, stamp)?);
                    }
                    None => return None,
                    Some(picture) => picture.slice(unit, self),
                },
                _ => {
                    if let Some(told) = unit.coded("pic_struct") {
                        self.pic_struct = told as u8;
                    }
                }
            }
        }
        if let Some(picture) = &picture {
            self.kept.push(Kept {
                poc: picture.params.pic_order_cnt_val.into(),
                stamp,
                long: false,
                pic_struct: self.pic_struct(),
            });
        }
        self.eos = eos;
        picture
    }

    fn pic_struct(&self) -> u8 {
        if self.active.is("frame_field_info_present_flag") {
            self.pic_struct
        } else {
            0
        }
    }

    fn begin(&mut self, slice: &Unit, stamp: u64) -> Option<Picture> {
        let kind = slice.value("nal_unit_type");
        let (irap, idr) = ((16..=23).contains(&kind), kind == 19 || kind == 20);
        let first = !self.began || self.eos;
        if first && !irap || (kind == 8 || kind == 9) && self.skips_rasl {
            return None;
        }
        let pps = self.pps[&slice.value("slice_pic_parameter_set_id")].clone();
        if irap {
            self.active = self.sps[&pps.value("pps_seq_parameter_set_id")].clone();
            self.skips_rasl = kind != 21 || first;
        }
        self.began = true;
        self.eos = false;
        let anew = irap && self.skips_rasl;
        if anew {
            self.kept.clear();
        }
        let lsb = slice.value("slice_pic_order_cnt_lsb");
        let max = 16 << self.active.value("log2_max_pic_order_cnt_lsb_minus4");
        // The nearest order count to the last that ends so (8.3.1).
        let near = self.prev_tid0 - self.prev_tid0.rem_euclid(max) + lsb;
        let candidates = [near - max, near, near + max];
        let apart = |poc: &i64| (poc - self.prev_tid0).abs();
        let poc = if anew {
            lsb
        } else {
            // Half a round away, upwards.
            candidates.into_iter().rev().min_by_key(apart).unwrap()
        };
        if slice.value("nuh_temporal_id_plus1") == 1 && (kind > 9 || kind < 6 && kind % 2 == 1) {
            self.prev_tid0 = poc;
        }
        let mut params = HevcDecodeParams {
            pic_order_cnt_val: poc as i32,
            ..HevcDecodeParams::default()
        };
        let flags = [irap, idr, slice.is("no_output_of_prior_pics_flag")];
        params.flags = flags
            .iter()
            .zip(0..)
            .map(|(set, bit)| u64::from(*set) << bit)
            .sum();
        let (curr, sizes, from) = if idr {
            Default::default()
        } else {
            self.references(slice, poc, max)
        };
        (
            params.short_term_ref_pic_set_size,
            params.long_term_ref_pic_set_size,
        ) = sizes;
        params.num_delta_pocs_of_ref_rps_idx = from;
        for (kept, entry) in self.kept.iter().zip(&mut params.dpb) {
            entry.timestamp = kept.stamp;
            entry.flags = kept.long.into();
            entry.field_pic = kept.pic_struct;
            entry.pic_order_cnt_val = kept.poc as i32;
        }
        params.num_active_dpb_entries = self.kept.len() as u8;
        params.num_poc_st_curr_before = self.places(&curr.before, &mut params.poc_st_curr_before);
        params.num_poc_st_curr_after = self.places(&curr.after, &mut params.poc_st_curr_after);
        params.num_poc_lt_curr = self.places(&curr.long, &mut params.poc_lt_curr);
        let _ = stamp;
        let mut picture = Picture {
            sps: sets::sps(&self.active),
            pps: sets::pps(&pps, &self.active),
            params,
            slices: Vec::new(),
            entry_points: Vec::new(),
            units: (self.active.clone(), pps),
            curr,
            before: None,
            sizes,
        };
        picture.slice(slice, self);
        Some(picture)
    }

    fn place(&self, poc: i64) -> u8 {
        self.kept.iter().position(|kept| kept.poc == poc).unwrap() as u8
    }

    fn places(&self, pocs: &[i64], to: &mut [u8; 16]) -> u8 {
        for (poc, place) in pocs.iter().zip(to) {
            *place = self.place(*poc);
        }
        pocs.len() as u8
    }

    /// Keeps what a slice says (8.3.2), and tells what it may use, the bits of both sets, and
    /// `NumDeltaPocs[RefRpsIdx]`.
    fn references(&mut self, slice: &Unit, poc: i64, max: i64) -> (Curr, (u16, u16), u8) {
        let sps_sets = sets::short_term(&self.active);
        let flag = slice
            .position(&["short_term_ref_pic_set_sps_flag"])
            .unwrap();
        let mut rest = &slice.fields[flag + 1..];
        let mut sizes = (0, 0);
        let mut from = 0;
        let set = if slice.is("short_term_ref_pic_set_sps_flag") {
            let index = slice.value("short_term_ref_pic_set_idx") as usize;
            if slice.coded("short_term_ref_pic_set_idx").is_some() {
                rest = &rest[1..];
            }
            sps_sets[index].clone()
        } else {
            let begin = rest[0].bit;
            let (set, after) = Set::read(rest, &sps_sets, sps_sets.len());
            rest = after;
            sizes.0 = (after[0].bit - begin) as u16;
            from = set.from.unwrap_or(0) as u8;
            set
        };
        let mut long = Vec::new();
        if self.active.is("long_term_ref_pics_present_flag") {
            let names = [
                "num_long_term",
                "lt_idx_sps",
                "poc_lsb_lt",
                "used_by_curr_pic_lt_flag",
                "delta_poc_msb",
            ];
            let is_long = |name: &str| names.iter().any(|begin| name.starts_with(begin));
            let after = rest.iter().find(|field| !is_long(&field.name)).unwrap();
            sizes.1 = (after.bit - rest[0].bit) as u16;
            long = self.long_term(slice, poc, max);
        }
        let mut kept: Vec<Kept> = Vec::new();
        let mut curr = Curr::default();
        for (wanted, whole, used) in long {
            let fits = |kept: &&Kept| {
                kept.poc == wanted || !whole && (kept.poc - wanted).rem_euclid(max) == 0
            };
            if let Some(found) = self.kept.iter().find(fits) {
                kept.push(Kept {
                    long: true,
                    ..*found
                });
                if used {
                    curr.long.push(found.poc);
                }
            }
        }
        let short = set.negative.iter().map(|entry| (entry, true));
        let short = short.chain(set.positive.iter().map(|entry| (entry, false)));
        for ((delta, used), before) in short {
            let wanted = poc + delta;
            let found = self
                .kept
                .iter()
                .find(|kept| !kept.long && kept.poc == wanted);
            if let Some(found) = found {
                kept.push(*found);
                let list = if before {
                    &mut curr.before
                } else {
                    &mut curr.after
                };
                if *used {
                    list.push(wanted);
                }
            } else {
                assert!(!used, "{wanted} is missing");
            }
        }
        kept.sort_by_key(|kept| kept.stamp);
        self.kept = kept;
        (curr, sizes, from)
    }

    /// Each long-term picture: its order count, whether all of it is told, whether it is used.
    fn long_term(&self, slice: &Unit, poc: i64, max: i64) -> Vec<(i64, bool, bool)> {
        let from_sps = slice.value("num_long_term_sps") as usize;
        let count = from_sps + slice.value("num_long_term_pics") as usize;
        let mut found = Vec::new();
        let mut cycle = 0;
        for at in 0..count {
            let (lsb, used) = if at < from_sps {
                let index = slice.at("lt_idx_sps", at) as usize;
                let lsb = self.active.at("lt_ref_pic_poc_lsb_sps", index);
                (lsb, self.active.at("used_by_curr_pic_lt_sps_flag", index))
            } else {
                let lsb = slice.at("poc_lsb_lt", at);
                (lsb, slice.at("used_by_curr_pic_lt_flag", at))
            };
            if at == 0 || at == from_sps {
                cycle = 0;
            }
            cycle += slice.at("delta_poc_msb_cycle_lt", at);
            let whole = slice.at("delta_poc_msb_present_flag", at) == 1;
            let base = poc - poc.rem_euclid(max) + lsb;
            found.push((
                if whole { base - cycle * max } else { base },
                whole,
                used == 1,
            ));
        }
        found
    }
}

impl Picture {
    fn slice(&mut self, slice: &Unit, model: &Model) {
        let dependent = slice.is("dependent_slice_segment_flag");
        if !dependent {
            self.before = Some(slice.clone());
        }
        let whole = self.before.clone().unwrap();
        let mut params = self.independent(&whole, model);
        params.nal_unit_type = slice.value("nal_unit_type") as u8;
        params.nuh_temporal_id_plus1 = slice.value("nuh_temporal_id_plus1") as u8;
        params.slice_segment_addr = slice.value("slice_segment_address") as u32;
        params.num_entry_point_offsets = slice.value("num_entry_point_offsets") as u32;
        params.data_byte_offset = (slice.fields.last().unwrap().bit + 1).div_ceil(8) as u32;
        params.flags |= if dependent {
            slice_flag::DEPENDENT_SLICE_SEGMENT
        } else {
            0
        };
        for at in 0..params.num_entry_point_offsets as usize {
            self.entry_points
                .push(slice.at("entry_point_offset_minus1", at) as u32 + 1);
        }
        self.slices.push(params);
    }

    fn independent(&self, slice: &Unit, model: &Model) -> HevcSliceParams {
        let (sps, pps) = &self.units;
        let value = |name: &str| slice.value(name) as u8;
        let signed = |name: &str| slice.value(name) as i8;
        let kind = slice.value("slice_type");
        let overridden = slice.is("num_ref_idx_active_override_flag");
        let active = |list: u8| {
            let source = if overridden { slice } else { pps };
            let middle = if overridden { "" } else { "default_" };
            let name = format!("num_ref_idx_l{list}_{middle}active_minus1");
            if kind == 2 || list == 1 && kind != 0 {
                0
            } else {
                source.value(&name) as u8
            }
        };
        let list = |list: u8| {
            let mut places = [0; 16];
            if kind == 2 || list == 1 && kind != 0 {
                return places;
            }
            let curr = &self.curr;
            let (one, two) = if list == 0 {
                (&curr.before, &curr.after)
            } else {
                (&curr.after, &curr.before)
            };
            let all: Vec<i64> = [one, two, &curr.long]
                .into_iter()
                .flatten()
                .copied()
                .collect();
            let modified = slice.is(&format!("ref_pic_list_modification_flag_l{list}"));
            for (at, place) in (0..=usize::from(active(list))).zip(&mut places) {
                let entry = slice.at(&format!("list_entry_l{list}"), at) as usize;
                let at = if modified { entry } else { at % all.len() };
                *place = model.place(all[at]);
            }
            places
        };
        let overrides = slice.is("deblocking_filter_override_flag");
        let inherited = |name: &str, slice_name: &str| {
            slice.coded(slice_name).unwrap_or_else(|| pps.value(name))
        };
        let disabled = inherited(
            "pps_deblocking_filter_disabled_flag",
            "slice_deblocking_filter_disabled_flag",
        );
        assert!(overrides || slice.coded("slice_beta_offset_div2").is_none());
        let across = inherited(
            "pps_loop_filter_across_slices_enabled_flag",
            "slice_loop_filter_across_slices_enabled_flag",
        );
        let flags = [
            slice.value("slice_sao_luma_flag"),
            slice.value("slice_sao_chroma_flag"),
            slice.value("slice_temporal_mvp_enabled_flag"),
            slice.value("mvd_l1_zero_flag"),
            slice.value("cabac_init_flag"),
            slice.coded("collocated_from_l0_flag").unwrap_or(1),
            slice.value("use_integer_mv_flag"),
            disabled,
            across,
        ];
        HevcSliceParams {
            slice_type: kind as u8,
            colour_plane_id: value("colour_plane_id"),
            slice_pic_order_cnt: self.params.pic_order_cnt_val,
            num_ref_idx_l0_active_minus1: active(0),
            num_ref_idx_l1_active_minus1: active(1),
            collocated_ref_idx: value("collocated_ref_idx"),
            five_minus_max_num_merge_cand: value("five_minus_max_num_merge_cand"),
            slice_qp_delta: signed("slice_qp_delta"),
            slice_cb_qp_offset: signed("slice_cb_qp_offset"),
            slice_cr_qp_offset: signed("slice_cr_qp_offset"),
            slice_beta_offset_div2: inherited("pps_beta_offset_div2", "slice_beta_offset_div2")
                as i8,
            slice_tc_offset_div2: inherited("pps_tc_offset_div2", "slice_tc_offset_div2") as i8,
            pic_struct: model.pic_struct(),
            ref_idx_l0: list(0),
            ref_idx_l1: list(1),
            short_term_ref_pic_set_size: self.sizes.0,
            long_term_ref_pic_set_size: self.sizes.1,
            pred_weight_table: weights(slice, sps, [active(0), active(1)]),
            flags: flags
                .iter()
                .zip(0..)
                .map(|(set, bit)| (*set as u64) << bit)
                .sum(),
            ..HevcSliceParams::default()
        }
    }
}

fn weights(slice: &Unit, sps: &Unit, active: [u8; 2]) -> HevcPredWeightTable {
    let mut table = HevcPredWeightTable::default();
    let Some(denom) = slice.coded("luma_log2_weight_denom") else {
        return table;
    };
    let delta = slice.value("delta_chroma_log2_weight_denom");
    table.luma_log2_weight_denom = denom as u8;
    table.delta_chroma_log2_weight_denom = delta as i8;
    let chroma = sps.value("chroma_format_idc") != 0;
    let lists = if slice.value("slice_type") == 0 { 2 } else { 1 };
    for (list, active) in active.into_iter().take(lists).enumerate() {
        for at in 0..=usize::from(active) {
            let of = |name: &str| slice.at(&format!("{name}_l{list}"), at);
            let weight = of("delta_luma_weight") as i8;
            let offset = slice.at(&format!("luma_offset_l{list}"), at) as i8;
            let (mut weights, mut offsets) = ([0; 2], [0; 2]);
            if chroma && slice.at(&format!("chroma_weight_l{list}_flag"), at) == 1 {
                let both = weights.iter_mut().zip(&mut offsets).enumerate();
                for (of, (weight_to, offset_to)) in both {
                    let name = format!("delta_chroma_weight_l{list}[{at}][{of}]");
                    let weight = slice.value(&name);
                    // Of the second list the trace has another name.
                    let offset = format!("chroma_offset_l{list}[{at}][{of}]");
                    let told = slice.coded(&format!("delta_{offset}"));
                    let told = told.unwrap_or_else(|| slice.value(&offset));
                    // 7-56, of offsets of eight bits.
                    let denom = 2_f64.powi((denom + delta) as i32);
                    let scaled = (128.0 * (denom + weight as f64) / denom).floor() as i64;
                    *weight_to = weight as i8;
                    *offset_to = (128 + told - scaled).clamp(-128, 127) as i8;
                }
            }
            if list == 0 {
                table.delta_luma_weight_l0[at] = weight;
                table.luma_offset_l0[at] = offset;
                table.delta_chroma_weight_l0[at] = weights;
                table.chroma_offset_l0[at] = offsets;
            } else {
                table.delta_luma_weight_l1[at] = weight;
                table.luma_offset_l1[at] = offset;
                table.delta_chroma_weight_l1[at] = weights;
                table.chroma_offset_l1[at] = offsets;
            }
        }
    }
    table
}

/// Checks what is said of pictures.
pub(crate) fn check_sequence(sequence: &Sequence, sps: &Unit) {
    let value = |name: &str| sps.value(name) as u32;
    let size = (
        value("pic_width_in_luma_samples"),
        value("pic_height_in_luma_samples"),
    );
    assert_eq!(sequence.coded, size);
    let (chroma, across, down) = match sps.value("chroma_format_idc") {
        0 => (Chroma::Monochrome, 1, 1),
        1 => (Chroma::Yuv420, 2, 2),
        2 => (Chroma::Yuv422, 2, 1),
        _ => (Chroma::Yuv444, 1, 1),
    };
    assert_eq!(sequence.chroma, chroma);
    let depth = value("bit_depth_luma_minus8").max(value("bit_depth_chroma_minus8")) + 8;
    assert_eq!(u32::from(sequence.depth), depth);
    let visible = sequence.visible;
    assert_eq!(visible.left, across * value("conf_win_left_offset"));
    assert_eq!(visible.top, down * value("conf_win_top_offset"));
    let cut = visible.left + across * value("conf_win_right_offset");
    assert_eq!(visible.width, size.0 - cut);
    let cut = visible.top + down * value("conf_win_bottom_offset");
    assert_eq!(visible.height, size.1 - cut);
}
