//! What follows from the syntax elements of one frame.

use dmaflow_stateless::uapi::av1::{Av1FilmGrain, Av1Frame};
use zerocopy::FromZeros;

use super::{Section, Slot};

pub(super) fn quantization(traced: &Section, frame: &mut Av1Frame) {
    let of = &mut frame.quantization;
    of.flags = u8::from(traced.is("diff_uv_delta"))
        | u8::from(traced.is("using_qmatrix")) << 1
        | u8::from(traced.is("delta_q_present")) << 2;
    of.base_q_idx = traced.value("base_q_idx") as u8;
    let delta = |name: &str| traced.value(&format!("delta_q_{name}.delta_q")) as i8;
    of.delta_q_y_dc = delta("y_dc");
    of.delta_q_u_dc = delta("u_dc");
    of.delta_q_u_ac = delta("u_ac");
    if traced.is("diff_uv_delta") {
        (of.delta_q_v_dc, of.delta_q_v_ac) = (delta("v_dc"), delta("v_ac"));
    } else {
        (of.delta_q_v_dc, of.delta_q_v_ac) = (of.delta_q_u_dc, of.delta_q_u_ac);
    }
    of.qm_y = traced.value("qm_y") as u8;
    of.qm_u = traced.value("qm_u") as u8;
    of.qm_v = traced.coded("qm_v").unwrap_or(traced.value("qm_u")) as u8;
    of.delta_q_res = traced.value("delta_q_res") as u8;
}

pub(super) fn segmentation(traced: &Section, frame: &mut Av1Frame, primary: Option<&Slot>) {
    let of = &mut frame.segmentation;
    if !traced.is("segmentation_enabled") {
        return;
    }
    of.flags = 1;
    if let Some(primary) = primary {
        of.flags |= u8::from(traced.is("segmentation_update_map")) << 1
            | u8::from(traced.is("segmentation_temporal_update")) << 2
            | u8::from(traced.is("segmentation_update_data")) << 3;
        of.feature_enabled = primary.feature_enabled;
        of.feature_data = primary.feature_data;
    } else {
        of.flags |= 2 | 8;
    }
    for i in 0..8 {
        for j in 0..8 {
            if of.flags & 8 != 0 {
                let enabled = traced.is(&format!("feature_enabled[{i}][{j}]"));
                let value = traced.value(&format!("feature_value[{i}][{j}]")) as i16;
                let most = [255, 63, 63, 63, 63, 7, 0, 0][j];
                of.feature_enabled[i] &= !(1 << j);
                of.feature_enabled[i] |= u8::from(enabled) << j;
                of.feature_data[i][j] = value.clamp(-most, most);
            }
            if of.feature_enabled[i] >> j & 1 == 1 {
                of.last_active_seg_id = i as u8;
                if j >= 5 {
                    of.flags |= 16;
                }
            }
        }
    }
}

pub(super) fn coded_lossless(frame: &Av1Frame) -> bool {
    let q = &frame.quantization;
    let deltas = [
        q.delta_q_y_dc,
        q.delta_q_u_dc,
        q.delta_q_u_ac,
        q.delta_q_v_dc,
        q.delta_q_v_ac,
    ];
    let of = &frame.segmentation;
    (0..8).all(|segment| {
        let mut index = i16::from(q.base_q_idx);
        if of.flags & 1 == 1 && of.feature_enabled[segment] & 1 == 1 {
            index = (index + of.feature_data[segment][0]).clamp(0, 255);
        }
        index == 0 && deltas == [0; 5]
    })
}

pub(super) fn loop_filter(
    traced: &Section,
    frame: &mut Av1Frame,
    primary: Option<&Slot>,
    skipped: bool,
) {
    let of = &mut frame.loop_filter;
    of.ref_deltas = [1, 0, 0, 0, -1, 0, -1, -1];
    if let Some(primary) = primary.filter(|_primary| !skipped) {
        (of.ref_deltas, of.mode_deltas) = (primary.ref_deltas, primary.mode_deltas);
    }
    for at in 0..4 {
        of.level[at] = traced.value(&format!("loop_filter_level[{at}]")) as u8;
    }
    of.sharpness = traced.value("loop_filter_sharpness") as u8;
    for at in 0..8 {
        if let Some(coded) = traced.coded(&format!("loop_filter_ref_deltas[{at}]")) {
            of.ref_deltas[at] = coded as i8;
        }
    }
    for at in 0..2 {
        if let Some(coded) = traced.coded(&format!("loop_filter_mode_deltas[{at}]")) {
            of.mode_deltas[at] = coded as i8;
        }
    }
    let enabled = traced.is("loop_filter_delta_enabled") || skipped && primary.is_none();
    of.flags = u8::from(enabled)
        | u8::from(traced.is("loop_filter_delta_update")) << 1
        | u8::from(traced.is("delta_lf_present")) << 2
        | u8::from(traced.is("delta_lf_multi")) << 3;
    of.delta_lf_res = traced.value("delta_lf_res") as u8;
}

pub(super) fn cdef(traced: &Section, frame: &mut Av1Frame, mono: bool) {
    let of = &mut frame.cdef;
    let Some(damping) = traced.coded("cdef_damping_minus_3") else {
        return;
    };
    of.damping_minus_3 = damping as u8;
    of.bits = traced.value("cdef_bits") as u8;
    for at in 0..1 << of.bits {
        let secondary = |name: &str| match traced.value(&format!("cdef_{name}_sec_strength[{at}]"))
        {
            3 => 4,
            strength => strength as u8,
        };
        of.y_pri_strength[at] = traced.value(&format!("cdef_y_pri_strength[{at}]")) as u8;
        of.y_sec_strength[at] = secondary("y");
        if !mono {
            of.uv_pri_strength[at] = traced.value(&format!("cdef_uv_pri_strength[{at}]")) as u8;
            of.uv_sec_strength[at] = secondary("uv");
        }
    }
}

pub(super) fn global_motion(
    traced: &Section,
    frame: &mut Av1Frame,
    primary: Option<&Slot>,
    intra: bool,
) {
    const IDENTITY: [i32; 6] = [0, 0, 0x10000, 0, 0, 0x10000];
    let of = &mut frame.global_motion;
    for reference in 1..8 {
        of.params[reference] = IDENTITY;
        if intra || !traced.is(&format!("is_global[{reference}]")) {
            continue;
        }
        let rot_zoom = traced.is(&format!("is_rot_zoom[{reference}]"));
        let translation = traced.is(&format!("is_translation[{reference}]"));
        of.flags[reference] = 1 | u8::from(rot_zoom) << 1 | u8::from(translation) << 2;
        of.kind[reference] = if rot_zoom {
            2
        } else if translation {
            1
        } else {
            3
        };
        let previous = primary.map_or(IDENTITY, |slot| slot.gm_params[reference]);
        for index in [2, 3, 4, 5, 0, 1] {
            let Some(coded) = traced.coded(&format!("gm_params[{reference}][{index}]")) else {
                continue;
            };
            let high = traced.is("allow_high_precision_mv");
            let (abs_bits, prec_bits) = match (index < 2, translation, high) {
                (false, ..) => (12, 15),
                (true, false, _) => (12, 6),
                (true, true, true) => (9, 3),
                (true, true, false) => (8, 2),
            };
            let precision = 16 - prec_bits;
            let diagonal = index % 3 == 2;
            let sub = if diagonal { 1 << prec_bits } else { 0 };
            let mx = 1_i64 << abs_bits;
            let r = i64::from(previous[index] >> precision) - sub + mx;
            let all = 2 * mx + 1;
            let recenter = |r: i64, v: i64| match v {
                v if v > 2 * r => v,
                v if v & 1 == 1 => r - ((v + 1) >> 1),
                v => r + (v >> 1),
            };
            let x = if r << 1 <= all {
                recenter(r, coded)
            } else {
                all - 1 - recenter(all - 1 - r, coded)
            };
            let round = if diagonal { 1 << 16 } else { 0 };
            of.params[reference][index] = (((x - mx) << precision) + round) as i32;
        }
        if rot_zoom {
            of.params[reference][4] = -of.params[reference][3];
            of.params[reference][5] = of.params[reference][2];
        }
        of.invalid |= u8::from(!valid(&of.params[reference])) << reference;
    }
}

/// The setup shear process in floating point: right where the result is not near the bound.
fn valid(params: &[i32; 6]) -> bool {
    let one = 65536.0;
    let [a, b, c, d] = [params[2], params[3], params[4], params[5]].map(f64::from);
    let clip = |value: f64| value.clamp(-32768.0, 32767.0);
    let alpha = clip(a - one).abs();
    let beta = clip(b).abs();
    let gamma = clip(c * one / a).abs();
    let delta = clip(d - b * c / a - one).abs();
    let sums = [4.0 * alpha + 7.0 * beta, 4.0 * gamma + 4.0 * delta];
    for sum in sums {
        assert!((sum - one).abs() > 1000.0, "too near to tell: {params:?}");
    }
    sums.iter().all(|&sum| sum < one)
}

pub(super) fn film_grain(traced: &Section, seed: u16) -> Av1FilmGrain {
    let mut of = Av1FilmGrain::new_zeroed();
    let byte = |name: &str| traced.value(name) as u8;
    of.flags = 1
        | 2
        | byte("chroma_scaling_from_luma") << 2
        | byte("overlap_flag") << 3
        | byte("clip_to_restricted_range") << 4;
    of.grain_seed = seed;
    of.num_y_points = byte("num_y_points");
    of.num_cb_points = byte("num_cb_points");
    of.num_cr_points = byte("num_cr_points");
    for at in 0..16 {
        of.point_y_value[at] = byte(&format!("point_y_value[{at}]"));
        of.point_y_scaling[at] = byte(&format!("point_y_scaling[{at}]"));
        of.point_cb_value[at] = byte(&format!("point_cb_value[{at}]"));
        of.point_cb_scaling[at] = byte(&format!("point_cb_scaling[{at}]"));
        of.point_cr_value[at] = byte(&format!("point_cr_value[{at}]"));
        of.point_cr_scaling[at] = byte(&format!("point_cr_scaling[{at}]"));
    }
    of.grain_scaling_minus_8 = byte("grain_scaling_minus_8");
    of.ar_coeff_lag = byte("ar_coeff_lag");
    for at in 0..25 {
        of.ar_coeffs_y_plus_128[at] = byte(&format!("ar_coeffs_y_plus_128[{at}]"));
        of.ar_coeffs_cb_plus_128[at] = byte(&format!("ar_coeffs_cb_plus_128[{at}]"));
        of.ar_coeffs_cr_plus_128[at] = byte(&format!("ar_coeffs_cr_plus_128[{at}]"));
    }
    of.ar_coeff_shift_minus_6 = byte("ar_coeff_shift_minus_6");
    of.grain_scale_shift = byte("grain_scale_shift");
    of.cb_mult = byte("cb_mult");
    of.cb_luma_mult = byte("cb_luma_mult");
    of.cb_offset = traced.value("cb_offset") as u16;
    of.cr_mult = byte("cr_mult");
    of.cr_luma_mult = byte("cr_luma_mult");
    of.cr_offset = traced.value("cr_offset") as u16;
    of
}
