//! Parameter sets of a trace as the kernel lays them out.

use dmaflow_stateless::uapi::hevc as uapi;
use uapi::{HevcPps, HevcScalingMatrix, HevcSps, pps_flag, sps_flag};

use super::traced::{Field, Unit};

/// One short-term set: differences of order counts, and whether the current picture uses them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) negative: Vec<(i64, bool)>,
    pub(crate) positive: Vec<(i64, bool)>,
    /// Of a set told by its difference: `NumDeltaPocs` of the other.
    pub(crate) from: Option<usize>,
}

impl Set {
    pub(crate) fn len(&self) -> usize {
        self.negative.len() + self.positive.len()
    }

    /// Reads one from fields; gives those after it.
    pub(crate) fn read<'f>(
        mut fields: &'f [Field],
        before: &[Self],
        total: usize,
    ) -> (Self, &'f [Field]) {
        let mut next = |name: &str| {
            let (field, rest) = fields.split_first().unwrap();
            assert!(field.name.starts_with(name), "{} is not {name}", field.name);
            fields = rest;
            field.value
        };
        let mut set = Self::default();
        if !before.is_empty() && next("inter_ref_pic_set_prediction_flag") == 1 {
            let mut back = 1;
            if before.len() == total {
                back += usize::try_from(next("delta_idx_minus1")).unwrap();
            }
            let from = &before[before.len() - back];
            let sign = 1 - 2 * next("delta_rps_sign");
            let delta = sign * (next("abs_delta_rps_minus1") + 1);
            // Every picture of the other, and itself, moved; ordered by how near they are.
            let others = from.negative.iter().chain(&from.positive);
            let others = others.map(|(delta, _used)| *delta).chain([0]);
            let mut kept = Vec::new();
            for other in others {
                let used = next("used_by_curr_pic_flag") == 1;
                let uses = used || next("use_delta_flag") == 1;
                if uses && other + delta != 0 {
                    kept.push((other + delta, used));
                }
            }
            kept.sort_by_key(|(delta, _used)| delta.abs());
            (set.negative, set.positive) = kept.into_iter().partition(|(delta, _)| *delta < 0);
            set.from = Some(from.len());
        } else {
            let negative = next("num_negative_pics");
            let positive = next("num_positive_pics");
            let mut delta = 0;
            for _ in 0..negative {
                delta -= next("delta_poc_s0_minus1") + 1;
                let used = next("used_by_curr_pic_s0_flag") == 1;
                set.negative.push((delta, used));
            }
            delta = 0;
            for _ in 0..positive {
                delta += next("delta_poc_s1_minus1") + 1;
                let used = next("used_by_curr_pic_s1_flag") == 1;
                set.positive.push((delta, used));
            }
        }
        (set, fields)
    }
}

/// The sets of a sequence parameter set.
pub(crate) fn short_term(sps: &Unit) -> Vec<Set> {
    let total = sps.value("num_short_term_ref_pic_sets") as usize;
    let at = sps.position(&["num_short_term_ref_pic_sets"]).unwrap();
    let mut fields = &sps.fields[at + 1..];
    let mut sets: Vec<Set> = Vec::new();
    for _ in 0..total {
        let (set, rest) = Set::read(fields, &sets, total);
        sets.push(set);
        fields = rest;
    }
    sets
}

fn flags(unit: &Unit, named: &[(&str, u64)]) -> u64 {
    let set = named.iter().filter(|(name, _bit)| unit.is(name));
    set.map(|(_name, bit)| bit).sum()
}

/// Of the highest sub-layer: the last that is told.
fn last(unit: &Unit, name: &str) -> i64 {
    (0..7)
        .rev()
        .find_map(|at| unit.coded(&format!("{name}[{at}]")))
        .unwrap()
}

pub(crate) fn sps(sps: &Unit) -> HevcSps {
    let value = |name: &str| u8::try_from(sps.value(name)).unwrap();
    HevcSps {
        video_parameter_set_id: value("sps_video_parameter_set_id"),
        seq_parameter_set_id: value("sps_seq_parameter_set_id"),
        pic_width_in_luma_samples: sps.value("pic_width_in_luma_samples") as u16,
        pic_height_in_luma_samples: sps.value("pic_height_in_luma_samples") as u16,
        bit_depth_luma_minus8: value("bit_depth_luma_minus8"),
        bit_depth_chroma_minus8: value("bit_depth_chroma_minus8"),
        log2_max_pic_order_cnt_lsb_minus4: value("log2_max_pic_order_cnt_lsb_minus4"),
        sps_max_dec_pic_buffering_minus1: last(sps, "sps_max_dec_pic_buffering_minus1") as u8,
        sps_max_num_reorder_pics: last(sps, "sps_max_num_reorder_pics") as u8,
        sps_max_latency_increase_plus1: last(sps, "sps_max_latency_increase_plus1") as u8,
        log2_min_luma_coding_block_size_minus3: value("log2_min_luma_coding_block_size_minus3"),
        log2_diff_max_min_luma_coding_block_size: value("log2_diff_max_min_luma_coding_block_size"),
        log2_min_luma_transform_block_size_minus2: value(
            "log2_min_luma_transform_block_size_minus2",
        ),
        log2_diff_max_min_luma_transform_block_size: value(
            "log2_diff_max_min_luma_transform_block_size",
        ),
        max_transform_hierarchy_depth_inter: value("max_transform_hierarchy_depth_inter"),
        max_transform_hierarchy_depth_intra: value("max_transform_hierarchy_depth_intra"),
        pcm_sample_bit_depth_luma_minus1: value("pcm_sample_bit_depth_luma_minus1"),
        pcm_sample_bit_depth_chroma_minus1: value("pcm_sample_bit_depth_chroma_minus1"),
        log2_min_pcm_luma_coding_block_size_minus3: value(
            "log2_min_pcm_luma_coding_block_size_minus3",
        ),
        log2_diff_max_min_pcm_luma_coding_block_size: value(
            "log2_diff_max_min_pcm_luma_coding_block_size",
        ),
        num_short_term_ref_pic_sets: value("num_short_term_ref_pic_sets"),
        num_long_term_ref_pics_sps: value("num_long_term_ref_pics_sps"),
        chroma_format_idc: value("chroma_format_idc"),
        sps_max_sub_layers_minus1: value("sps_max_sub_layers_minus1"),
        reserved: [0; 6],
        flags: flags(
            sps,
            &[
                (
                    "separate_colour_plane_flag",
                    sps_flag::SEPARATE_COLOUR_PLANE,
                ),
                ("scaling_list_enabled_flag", sps_flag::SCALING_LIST_ENABLED),
                ("amp_enabled_flag", sps_flag::AMP_ENABLED),
                (
                    "sample_adaptive_offset_enabled_flag",
                    sps_flag::SAMPLE_ADAPTIVE_OFFSET,
                ),
                ("pcm_enabled_flag", sps_flag::PCM_ENABLED),
                (
                    "pcm_loop_filter_disabled_flag",
                    sps_flag::PCM_LOOP_FILTER_DISABLED,
                ),
                (
                    "long_term_ref_pics_present_flag",
                    sps_flag::LONG_TERM_REF_PICS_PRESENT,
                ),
                (
                    "sps_temporal_mvp_enabled_flag",
                    sps_flag::SPS_TEMPORAL_MVP_ENABLED,
                ),
                (
                    "strong_intra_smoothing_enabled_flag",
                    sps_flag::STRONG_INTRA_SMOOTHING_ENABLED,
                ),
            ],
        ),
    }
}

/// Width and height in coding tree blocks.
pub(crate) fn ctbs(sps: &Unit) -> (i64, i64) {
    let log2 = 3
        + sps.value("log2_min_luma_coding_block_size_minus3")
        + sps.value("log2_diff_max_min_luma_coding_block_size");
    let of = |side: &str| (sps.value(side) + (1 << log2) - 1) >> log2;
    (
        of("pic_width_in_luma_samples"),
        of("pic_height_in_luma_samples"),
    )
}

fn tiles<const MAX: usize>(pps: &Unit, count: &str, told: &str, whole: i64) -> [u8; MAX] {
    let mut sizes = [0; MAX];
    if !pps.is("tiles_enabled_flag") {
        return sizes;
    }
    let count = pps.value(count) + 1;
    let mut left = whole;
    for at in 0..count {
        let size = if pps.is("uniform_spacing_flag") {
            (at + 1) * whole / count - at * whole / count
        } else if at + 1 < count {
            pps.at(told, at as usize) + 1
        } else {
            left
        };
        left -= size;
        sizes[at as usize] = u8::try_from(size - 1).unwrap();
    }
    sizes
}

pub(crate) fn pps(pps: &Unit, sps: &Unit) -> HevcPps {
    let value = |name: &str| u8::try_from(pps.value(name)).unwrap();
    let signed = |name: &str| i8::try_from(pps.value(name)).unwrap();
    let (wide, high) = ctbs(sps);
    let mut flags = flags(
        pps,
        &[
            (
                "dependent_slice_segments_enabled_flag",
                pps_flag::DEPENDENT_SLICE_SEGMENT_ENABLED,
            ),
            ("output_flag_present_flag", pps_flag::OUTPUT_FLAG_PRESENT),
            (
                "sign_data_hiding_enabled_flag",
                pps_flag::SIGN_DATA_HIDING_ENABLED,
            ),
            ("cabac_init_present_flag", pps_flag::CABAC_INIT_PRESENT),
            (
                "constrained_intra_pred_flag",
                pps_flag::CONSTRAINED_INTRA_PRED,
            ),
            (
                "transform_skip_enabled_flag",
                pps_flag::TRANSFORM_SKIP_ENABLED,
            ),
            ("cu_qp_delta_enabled_flag", pps_flag::CU_QP_DELTA_ENABLED),
            (
                "pps_slice_chroma_qp_offsets_present_flag",
                pps_flag::PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT,
            ),
            ("weighted_pred_flag", pps_flag::WEIGHTED_PRED),
            ("weighted_bipred_flag", pps_flag::WEIGHTED_BIPRED),
            (
                "transquant_bypass_enabled_flag",
                pps_flag::TRANSQUANT_BYPASS_ENABLED,
            ),
            ("tiles_enabled_flag", pps_flag::TILES_ENABLED),
            (
                "entropy_coding_sync_enabled_flag",
                pps_flag::ENTROPY_CODING_SYNC_ENABLED,
            ),
            (
                "loop_filter_across_tiles_enabled_flag",
                pps_flag::LOOP_FILTER_ACROSS_TILES_ENABLED,
            ),
            (
                "pps_loop_filter_across_slices_enabled_flag",
                pps_flag::PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED,
            ),
            (
                "deblocking_filter_override_enabled_flag",
                pps_flag::DEBLOCKING_FILTER_OVERRIDE_ENABLED,
            ),
            (
                "pps_deblocking_filter_disabled_flag",
                pps_flag::PPS_DISABLE_DEBLOCKING_FILTER,
            ),
            (
                "lists_modification_present_flag",
                pps_flag::LISTS_MODIFICATION_PRESENT,
            ),
            (
                "slice_segment_header_extension_present_flag",
                pps_flag::SLICE_SEGMENT_HEADER_EXTENSION_PRESENT,
            ),
            (
                "deblocking_filter_control_present_flag",
                pps_flag::DEBLOCKING_FILTER_CONTROL_PRESENT,
            ),
            ("uniform_spacing_flag", pps_flag::UNIFORM_SPACING),
        ],
    );
    if !pps.is("tiles_enabled_flag") {
        // Inferred.
        flags |= pps_flag::UNIFORM_SPACING | pps_flag::LOOP_FILTER_ACROSS_TILES_ENABLED;
    }
    HevcPps {
        pic_parameter_set_id: value("pps_pic_parameter_set_id"),
        num_extra_slice_header_bits: value("num_extra_slice_header_bits"),
        num_ref_idx_l0_default_active_minus1: value("num_ref_idx_l0_default_active_minus1"),
        num_ref_idx_l1_default_active_minus1: value("num_ref_idx_l1_default_active_minus1"),
        init_qp_minus26: signed("init_qp_minus26"),
        diff_cu_qp_delta_depth: value("diff_cu_qp_delta_depth"),
        pps_cb_qp_offset: signed("pps_cb_qp_offset"),
        pps_cr_qp_offset: signed("pps_cr_qp_offset"),
        num_tile_columns_minus1: value("num_tile_columns_minus1"),
        num_tile_rows_minus1: value("num_tile_rows_minus1"),
        column_width_minus1: tiles(pps, "num_tile_columns_minus1", "column_width_minus1", wide),
        row_height_minus1: tiles(pps, "num_tile_rows_minus1", "row_height_minus1", high),
        pps_beta_offset_div2: signed("pps_beta_offset_div2"),
        pps_tc_offset_div2: signed("pps_tc_offset_div2"),
        log2_parallel_merge_level_minus2: value("log2_parallel_merge_level_minus2"),
        reserved: 0,
        flags,
    }
}

/// Lists in the order in which they are coded, or which default (whether for blocks that are not
/// predicted within the picture), and their first factors.
type Lists = Vec<(Result<Vec<u8>, bool>, u8)>;

/// Table 7-6 by rows, for blocks predicted within the picture.
const INTRA: [u8; 64] = [
    16, 16, 16, 16, 17, 18, 21, 24, //
    16, 16, 16, 16, 17, 19, 22, 25, //
    16, 16, 17, 18, 20, 22, 25, 29, //
    16, 16, 18, 21, 24, 27, 31, 36, //
    17, 17, 20, 24, 30, 35, 41, 47, //
    18, 19, 22, 27, 35, 44, 54, 65, //
    21, 22, 25, 31, 41, 54, 70, 88, //
    24, 25, 29, 36, 47, 65, 88, 115,
];

/// Table 7-6 by rows, for other blocks.
const INTER: [u8; 64] = [
    16, 16, 16, 16, 17, 18, 20, 24, //
    16, 16, 16, 17, 18, 20, 24, 25, //
    16, 16, 17, 18, 20, 24, 25, 28, //
    16, 17, 18, 20, 24, 25, 28, 33, //
    17, 18, 20, 24, 25, 28, 33, 41, //
    18, 20, 24, 25, 28, 33, 41, 54, //
    20, 24, 25, 28, 33, 41, 54, 71, //
    24, 25, 28, 33, 41, 54, 71, 91,
];

fn coded_lists(unit: &Unit, size: usize) -> Lists {
    let count = if size == 0 { 16 } else { 64 };
    let mut lists: Lists = Vec::new();
    let step = if size == 3 { 3 } else { 1 };
    for matrix in (0..6).step_by(step) {
        let name = |field: &str| format!("{field}[{size}][{matrix}]");
        let coded = unit.coded(&name("scaling_list_pred_mode_flag"));
        if coded != Some(1) {
            let delta = unit.value(&name("scaling_list_pred_matrix_id_delta")) as usize;
            let from = lists.len().checked_sub(delta).filter(|_| delta > 0);
            lists.push(from.map_or((Err(matrix >= 3), 16), |from| lists[from].clone()));
            continue;
        }
        let mut next = 8;
        let mut first = 16;
        if size > 1 {
            let name = format!("scaling_list_dc_coef_minus8[{}][{matrix}]", size - 2);
            next = unit.value(&name) + 8;
            first = next as u8;
        }
        let mut list = Vec::new();
        for at in 0..count {
            next += unit.value(&format!("scaling_list_delta_coeff[{size}][{matrix}][{at}]"));
            next = next.rem_euclid(256);
            list.push(next as u8);
        }
        lists.push((Ok(list), first));
    }
    lists
}

/// A list by rows of one in the order of the up-right diagonal scan, or of which default.
fn by_rows(coded: &Result<Vec<u8>, bool>, rows: &mut [u8]) {
    let side = if rows.len() == 16 { 4 } else { 8 };
    let coded = match (coded, side) {
        (Ok(coded), _) => coded,
        (Err(_), 4) => return rows.fill(16),
        (Err(false), _) => return rows.copy_from_slice(&INTRA),
        (Err(true), _) => return rows.copy_from_slice(&INTER),
    };
    let mut places: Vec<(usize, usize)> = (0..side)
        .flat_map(|row| (0..side).map(move |column| (row, column)))
        .collect();
    // Along each diagonal from the bottom left.
    places.sort_by_key(|(row, column)| (row + column, *column));
    for ((row, column), factor) in places.iter().zip(coded) {
        rows[row * side + column] = *factor;
    }
}

/// The matrix that the parameter sets say.
pub(crate) fn scaling(sps: &Unit, pps: &Unit) -> HevcScalingMatrix {
    let mut matrix = HevcScalingMatrix::ZERO;
    if !sps.is("scaling_list_enabled_flag") {
        return matrix;
    }
    let none = Unit::default();
    let unit = if pps.is("pps_scaling_list_data_present_flag") {
        pps
    } else if sps.is("sps_scaling_list_data_present_flag") {
        sps
    } else {
        &none
    };
    fill(unit, 0, &mut matrix.scaling_list_4x4, &mut []);
    fill(unit, 1, &mut matrix.scaling_list_8x8, &mut []);
    fill(
        unit,
        2,
        &mut matrix.scaling_list_16x16,
        &mut matrix.scaling_list_dc_coef_16x16,
    );
    fill(
        unit,
        3,
        &mut matrix.scaling_list_32x32,
        &mut matrix.scaling_list_dc_coef_32x32,
    );
    matrix
}

fn fill<const LEN: usize>(unit: &Unit, size: usize, lists: &mut [[u8; LEN]], firsts: &mut [u8]) {
    let coded = coded_lists(unit, size);
    assert_eq!(coded.len(), lists.len());
    for ((list, _first), rows) in coded.iter().zip(lists) {
        by_rows(list, rows);
    }
    for ((_list, first), to) in coded.iter().zip(firsts) {
        *to = *first;
    }
}

/// What a driver is told of a set, as fields of a trace.
pub(crate) fn fields_of(
    told: &uapi::HevcExtSpsStRps,
    may_predict: bool,
    before: Option<&Set>,
) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut push = |name: &str, value: i64| {
        fields.push(Field {
            bit: 0,
            name: name.to_owned(),
            value,
        });
    };
    let bit = |flags: u32, at: usize| i64::from(flags >> at & 1);
    if may_predict {
        push("inter_ref_pic_set_prediction_flag", told.flags.into());
    }
    if told.flags != 0 {
        assert_eq!(told.delta_idx_minus1, 0);
        push("delta_rps_sign", told.delta_rps_sign.into());
        push("abs_delta_rps_minus1", told.abs_delta_rps_minus1.into());
        for at in 0..=before.unwrap().len() {
            let used = bit(told.used_by_curr_pic, at);
            push("used_by_curr_pic_flag", used);
            if used == 0 {
                push("use_delta_flag", bit(told.use_delta_flag, at));
            } else {
                assert_eq!(bit(told.use_delta_flag, at), 1);
            }
        }
        return fields;
    }
    let (negative, positive) = (told.num_negative_pics, told.num_positive_pics);
    push("num_negative_pics", negative.into());
    push("num_positive_pics", positive.into());
    for at in 0..usize::from(negative) {
        push("delta_poc_s0_minus1", told.delta_poc_s0_minus1[at].into());
        push("used_by_curr_pic_s0_flag", bit(told.used_by_curr_pic, at));
    }
    for at in 0..usize::from(positive) {
        push("delta_poc_s1_minus1", told.delta_poc_s1_minus1[at].into());
        let at = at + usize::from(negative);
        push("used_by_curr_pic_s1_flag", bit(told.used_by_curr_pic, at));
    }
    fields
}
