//! What controls have to be, by a trace of headers.

use std::collections::BTreeMap;

use dmaflow_stateless::uapi::h264 as uapi;

use crate::trace::Section;

/// Parameter sets, as they were traced last.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    sequences: BTreeMap<i64, Set>,
    pictures: BTreeMap<i64, Set>,
}

/// Names, in order, and values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set(Vec<(String, i64)>);

impl Set {
    fn coded(&self, name: &str) -> Option<i64> {
        self.0
            .iter()
            .find(|field| field.0 == name)
            .map(|field| field.1)
    }

    fn value(&self, name: &str) -> i64 {
        self.coded(name).unwrap_or(0)
    }

    fn is(&self, name: &str) -> bool {
        self.value(name) != 0
    }
}

impl Sets {
    pub(crate) fn take(&mut self, section: &Section) {
        let fields = section.fields.iter();
        let set = Set(fields
            .map(|field| (field.name.clone(), field.value))
            .collect());
        match section.name.as_str() {
            "Sequence Parameter Set" => {
                self.sequences
                    .insert(set.value("seq_parameter_set_id"), set);
            }
            "Picture Parameter Set" => {
                self.pictures.insert(set.value("pic_parameter_set_id"), set);
            }
            _ => {}
        }
    }

    /// Of a slice.
    pub(crate) fn of(&self, slice: &Section) -> (&Set, &Set) {
        let picture = &self.pictures[&slice.value("pic_parameter_set_id")];
        let sequence = &self.sequences[&picture.value("seq_parameter_set_id")];
        (sequence, picture)
    }
}

fn to<T: TryFrom<i64>>(value: i64) -> T {
    T::try_from(value).ok().unwrap()
}

fn flags(of: &Set, names: &[(&str, u32)]) -> u32 {
    let set = names.iter().filter(|(name, _flag)| of.is(name));
    set.fold(0, |flags, (_name, flag)| flags | flag)
}

pub(crate) fn sps(of: &Set) -> uapi::Sps {
    let mut offset_for_ref_frame = [0; 255];
    for (at, offset) in offset_for_ref_frame.iter_mut().enumerate() {
        *offset = to(of.value(&format!("offset_for_ref_frame[{at}]")));
    }
    let constraints = [
        ("constraint_set0_flag", 0x01),
        ("constraint_set1_flag", 0x02),
        ("constraint_set2_flag", 0x04),
        ("constraint_set3_flag", 0x08),
        ("constraint_set4_flag", 0x10),
        ("constraint_set5_flag", 0x20),
    ];
    let names = [
        ("separate_colour_plane_flag", 0x01),
        ("qpprime_y_zero_transform_bypass_flag", 0x02),
        ("delta_pic_order_always_zero_flag", 0x04),
        ("gaps_in_frame_num_allowed_flag", 0x08),
        ("frame_mbs_only_flag", 0x10),
        ("mb_adaptive_frame_field_flag", 0x20),
        ("direct_8x8_inference_flag", 0x40),
    ];
    uapi::Sps {
        profile_idc: to(of.value("profile_idc")),
        constraint_set_flags: to(flags(of, &constraints).into()),
        level_idc: to(of.value("level_idc")),
        seq_parameter_set_id: to(of.value("seq_parameter_set_id")),
        chroma_format_idc: to(of.coded("chroma_format_idc").unwrap_or(1)),
        bit_depth_luma_minus8: to(of.value("bit_depth_luma_minus8")),
        bit_depth_chroma_minus8: to(of.value("bit_depth_chroma_minus8")),
        log2_max_frame_num_minus4: to(of.value("log2_max_frame_num_minus4")),
        pic_order_cnt_type: to(of.value("pic_order_cnt_type")),
        log2_max_pic_order_cnt_lsb_minus4: to(of.value("log2_max_pic_order_cnt_lsb_minus4")),
        max_num_ref_frames: to(of.value("max_num_ref_frames")),
        num_ref_frames_in_pic_order_cnt_cycle: to(of.value("num_ref_frames_in_pic_order_cnt_cycle")),
        offset_for_ref_frame,
        offset_for_non_ref_pic: to(of.value("offset_for_non_ref_pic")),
        offset_for_top_to_bottom_field: to(of.value("offset_for_top_to_bottom_field")),
        pic_width_in_mbs_minus1: to(of.value("pic_width_in_mbs_minus1")),
        pic_height_in_map_units_minus1: to(of.value("pic_height_in_map_units_minus1")),
        flags: flags(of, &names),
    }
}

pub(crate) fn pps(of: &Set, sequence: &Set) -> uapi::Pps {
    let names = [
        ("entropy_coding_mode_flag", 0x01),
        ("bottom_field_pic_order_in_frame_present_flag", 0x02),
        ("weighted_pred_flag", 0x04),
        ("deblocking_filter_control_present_flag", 0x08),
        ("constrained_intra_pred_flag", 0x10),
        ("redundant_pic_cnt_present_flag", 0x20),
        ("transform_8x8_mode_flag", 0x40),
        ("pic_scaling_matrix_present_flag", 0x80),
    ];
    let scaling_of_sequence = flags(sequence, &[("seq_scaling_matrix_present_flag", 0x80)]);
    let chroma_qp_index_offset = of.value("chroma_qp_index_offset");
    let second = of.coded("second_chroma_qp_index_offset");
    uapi::Pps {
        pic_parameter_set_id: to(of.value("pic_parameter_set_id")),
        seq_parameter_set_id: to(of.value("seq_parameter_set_id")),
        num_slice_groups_minus1: to(of.value("num_slice_groups_minus1")),
        num_ref_idx_l0_default_active_minus1: to(of.value("num_ref_idx_l0_default_active_minus1")),
        num_ref_idx_l1_default_active_minus1: to(of.value("num_ref_idx_l1_default_active_minus1")),
        weighted_bipred_idc: to(of.value("weighted_bipred_idc")),
        pic_init_qp_minus26: to(of.value("pic_init_qp_minus26")),
        pic_init_qs_minus26: to(of.value("pic_init_qs_minus26")),
        chroma_qp_index_offset: to(chroma_qp_index_offset),
        second_chroma_qp_index_offset: to(second.unwrap_or(chroma_qp_index_offset)),
        flags: to(i64::from(flags(of, &names) | scaling_of_sequence)),
    }
}

const INTRA_4X4: [[u8; 4]; 4] = [
    [6, 13, 20, 28],
    [13, 20, 28, 32],
    [20, 28, 32, 37],
    [28, 32, 37, 42],
];
const INTER_4X4: [[u8; 4]; 4] = [
    [10, 14, 20, 24],
    [14, 20, 24, 27],
    [20, 24, 27, 30],
    [24, 27, 30, 34],
];
const INTRA_8X8: [[u8; 8]; 8] = [
    [6, 10, 13, 16, 18, 23, 25, 27],
    [10, 11, 16, 18, 23, 25, 27, 29],
    [13, 16, 18, 23, 25, 27, 29, 31],
    [16, 18, 23, 25, 27, 29, 31, 33],
    [18, 23, 25, 27, 29, 31, 33, 36],
    [23, 25, 27, 29, 31, 33, 36, 38],
    [25, 27, 29, 31, 33, 36, 38, 40],
    [27, 29, 31, 33, 36, 38, 40, 42],
];
const INTER_8X8: [[u8; 8]; 8] = [
    [9, 13, 15, 17, 19, 21, 22, 24],
    [13, 13, 17, 19, 21, 22, 24, 25],
    [15, 17, 19, 21, 22, 24, 25, 27],
    [17, 19, 21, 22, 24, 25, 27, 28],
    [19, 21, 22, 24, 25, 27, 28, 30],
    [21, 22, 24, 25, 27, 28, 30, 32],
    [22, 24, 25, 27, 28, 30, 32, 33],
    [24, 25, 27, 28, 30, 32, 33, 35],
];

/// Lists in rows: six of 4x4, six of 8x8.
type Lists = Vec<Vec<u8>>;

fn defaults() -> Lists {
    let of_4x4 = |list: &[[u8; 4]; 4]| list.concat();
    let of_8x8 = |list: &[[u8; 8]; 8]| list.concat();
    let mut lists = vec![of_4x4(&INTRA_4X4); 3];
    lists.extend(vec![of_4x4(&INTER_4X4); 3]);
    for _colour in 0..3 {
        lists.extend([of_8x8(&INTRA_8X8), of_8x8(&INTER_8X8)]);
    }
    lists
}

/// Rows of a square that is filled along its diagonals.
fn in_rows(zigzag: &[u8]) -> Vec<u8> {
    let side = if zigzag.len() == 16 { 4 } else { 8 };
    let mut rows = vec![0; zigzag.len()];
    let mut values = zigzag.iter();
    for diagonal in 0..2 * side - 1 {
        let mut places: Vec<(usize, usize)> = (0..side)
            .filter(|row| diagonal >= *row && diagonal - row < side)
            .map(|row| (row, diagonal - row))
            .collect();
        if diagonal % 2 == 0 {
            places.reverse();
        }
        for (row, column) in places {
            rows[row * side + column] = *values.next().unwrap();
        }
    }
    rows
}

/// The lists that a parameter set has, or `None`.
fn lists(of: &Set, prefix: &str, fall_back: &Lists) -> Option<Lists> {
    if !of.is(&format!("{prefix}_scaling_matrix_present_flag")) {
        return None;
    }
    let mut lists = fall_back.clone();
    let mut fields = of.0.iter().peekable();
    let present = format!("{prefix}_scaling_list_present_flag[");
    while let Some((name, value)) = fields.next() {
        let Some(number) = name.strip_prefix(&present) else {
            continue;
        };
        let number: usize = number.trim_end_matches(']').parse().unwrap();
        let len = if number < 6 { 16 } else { 64 };
        if *value == 0 {
            match number {
                0 | 3 | 6 | 7 => {}
                1..=5 => lists[number] = lists[number - 1].clone(),
                _ => lists[number] = lists[number - 2].clone(),
            }
            continue;
        }
        let mut values: Vec<u8> = Vec::new();
        let mut last: i64 = 8;
        while let Some((_name, delta)) =
            fields.next_if(|(name, _value)| name.starts_with("delta_scale"))
        {
            let next = (last + delta + 256) % 256;
            if next == 0 {
                break;
            }
            last = next;
            values.push(to(next));
        }
        if values.is_empty() {
            lists[number] = defaults()[number].clone();
        } else {
            values.resize(len, to(last));
            lists[number] = in_rows(&values);
        }
    }
    Some(lists)
}

pub(crate) fn scaling(of: &Set, sequence: &Set) -> Option<uapi::ScalingMatrix> {
    let of_sequence = lists(sequence, "seq", &defaults());
    let fall_back = of_sequence.clone().unwrap_or_else(defaults);
    let lists = lists(of, "pic", &fall_back).or(of_sequence)?;
    let mut matrix = uapi::ScalingMatrix {
        scaling_list_4x4: [[0; 16]; 6],
        scaling_list_8x8: [[0; 64]; 6],
    };
    for (to, from) in matrix.scaling_list_4x4.iter_mut().zip(&lists) {
        to.copy_from_slice(from);
    }
    let count = if sequence.value("chroma_format_idc") == 3 {
        6
    } else {
        2
    };
    let of_8x8 = matrix.scaling_list_8x8.iter_mut().zip(&lists[6..]);
    for (to, from) in of_8x8.take(count) {
        to.copy_from_slice(from);
    }
    Some(matrix)
}

/// What slice headers say of a picture; what they do not say outright is taken over.
pub(crate) fn decode_params(slices: &[&Section], told: &uapi::DecodeParams) -> uapi::DecodeParams {
    let first = slices.first().unwrap();
    let has = |kinds: [i64; 2]| {
        let mut slices = slices.iter();
        slices.any(|slice| kinds.contains(&(slice.value("slice_type") % 5)))
    };
    let mut flags = 0;
    for (set, flag) in [
        (first.value("nal_unit_type") == 5, 0x01),
        (first.value("field_pic_flag") == 1, 0x02),
        (first.value("bottom_field_flag") == 1, 0x04),
        (has([0, 3]) && !has([1, 1]), 0x08),
        (has([1, 1]), 0x10),
    ] {
        if set {
            flags |= flag;
        }
    }
    let order = ["pic_order_cnt_lsb", "delta_pic_order_cnt"];
    uapi::DecodeParams {
        dpb: told.dpb,
        nal_ref_idc: to(first.value("nal_ref_idc")),
        frame_num: to(first.value("frame_num")),
        top_field_order_cnt: told.top_field_order_cnt,
        bottom_field_order_cnt: told.bottom_field_order_cnt,
        idr_pic_id: to(first.value("idr_pic_id")),
        pic_order_cnt_lsb: to(first.value("pic_order_cnt_lsb")),
        delta_pic_order_cnt_bottom: to(first.value("delta_pic_order_cnt_bottom")),
        delta_pic_order_cnt0: to(first.value("delta_pic_order_cnt[0]")),
        delta_pic_order_cnt1: to(first.value("delta_pic_order_cnt[1]")),
        dec_ref_pic_marking_bit_size: u32::try_from(first.marking_bits()).unwrap(),
        pic_order_cnt_bit_size: u32::try_from(first.bits_of(&order)).unwrap(),
        slice_group_change_cycle: to(first.value("slice_group_change_cycle")),
        reserved: 0,
        flags,
    }
}

pub(crate) fn slice_params(
    slice: &Section,
    picture: &Set,
    told: &uapi::SliceParams,
) -> uapi::SliceParams {
    let slice_type = slice.value("slice_type") % 5;
    let active = |list: usize| {
        let used = match slice_type {
            0 | 3 => list == 0,
            1 => true,
            _ => false,
        };
        let coded = slice.coded(&format!("num_ref_idx_l{list}_active_minus1"));
        let default = format!("num_ref_idx_l{list}_default_active_minus1");
        let count = coded.unwrap_or_else(|| picture.value(&default));
        to(if used { count } else { 0 })
    };
    uapi::SliceParams {
        header_bit_size: u32::try_from(slice.header_bits()).unwrap(),
        first_mb_in_slice: to(slice.value("first_mb_in_slice")),
        slice_type: to(slice_type),
        colour_plane_id: to(slice.value("colour_plane_id")),
        redundant_pic_cnt: to(slice.value("redundant_pic_cnt")),
        cabac_init_idc: to(slice.value("cabac_init_idc")),
        slice_qp_delta: to(slice.value("slice_qp_delta")),
        slice_qs_delta: to(slice.value("slice_qs_delta")),
        disable_deblocking_filter_idc: to(slice.value("disable_deblocking_filter_idc")),
        slice_alpha_c0_offset_div2: to(slice.value("slice_alpha_c0_offset_div2")),
        slice_beta_offset_div2: to(slice.value("slice_beta_offset_div2")),
        num_ref_idx_l0_active_minus1: active(0),
        num_ref_idx_l1_active_minus1: active(1),
        reserved: 0,
        ref_pic_list0: told.ref_pic_list0,
        ref_pic_list1: told.ref_pic_list1,
        flags: u32::from(slice.value("direct_spatial_mv_pred_flag") == 1)
            | u32::from(slice.value("sp_for_switch_flag") == 1) << 1,
    }
}

pub(crate) fn pred_weights(
    slice: &Section,
    params: &uapi::SliceParams,
    picture: &Set,
    sequence: &Set,
) -> Option<uapi::PredWeights> {
    let lists = match slice.value("slice_type") % 5 {
        0 | 3 if picture.is("weighted_pred_flag") => 1,
        1 if picture.value("weighted_bipred_idc") == 1 => 2,
        _ => return None,
    };
    let is_colour = sequence.coded("chroma_format_idc").unwrap_or(1) != 0
        && !sequence.is("separate_colour_plane_flag");
    let luma = slice.value("luma_log2_weight_denom");
    let chroma = slice.value("chroma_log2_weight_denom");
    let mut weights = uapi::PredWeights {
        luma_log2_weight_denom: to(luma),
        chroma_log2_weight_denom: to(chroma),
        ..uapi::PredWeights::default()
    };
    let last = [
        params.num_ref_idx_l0_active_minus1,
        params.num_ref_idx_l1_active_minus1,
    ];
    let factors = weights.weight_factors.iter_mut().zip(last).enumerate();
    for (list, (factors, last)) in factors.take(lists) {
        for at in 0..=usize::from(last) {
            let coded = |name: String| slice.coded(&name);
            let weight = coded(format!("luma_weight_l{list}[{at}]"));
            factors.luma_weight[at] = to(weight.unwrap_or(1 << luma));
            let offset = coded(format!("luma_offset_l{list}[{at}]"));
            factors.luma_offset[at] = to(offset.unwrap_or(0));
            for colour in 0..2 {
                let place = format!("l{list}[{at}][{colour}]");
                let weight = coded(format!("chroma_weight_{place}"));
                let inferred = if is_colour { 1 << chroma } else { 0 };
                factors.chroma_weight[at][colour] = to(weight.unwrap_or(inferred));
                let offset = coded(format!("chroma_offset_{place}"));
                factors.chroma_offset[at][colour] = to(offset.unwrap_or(0));
            }
        }
    }
    Some(weights)
}
