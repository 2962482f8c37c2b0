//! What visl is told of AV1 beside what follows from ffmpeg's trace of headers.
//!
//! A request is a frame. Of its tiles visl prints the first; it prints neither
//! `segmentation.feature_data`, nor `global_motion`, `frame_type`, `interpolation_filter` and
//! `tx_mode`, nor reserved fields.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking; traced values are small"
)]

#[path = "../../../stateless/tests/av1/mod.rs"]
mod model;
#[path = "av1/tiles.rs"]
mod tiles;
#[path = "../../../stateless/tests/trace/mod.rs"]
#[expect(
    dead_code,
    clippy::print_stdout,
    reason = "the host's tests need more of it"
)]
mod trace;

use std::collections::BTreeSet;
use std::path::Path;

use dmaflow_stateless::PictureId;
use dmaflow_stateless::uapi::av1::{Av1FilmGrain, Av1Frame, Av1Sequence, Av1TileGroupEntry};
use dmaflow_testbed::TracedControl;

use crate::reference::{Compared, Comparison, Fields, fields, same};
use model::Told;

/// Slots for references.
const SLOTS: usize = 8;

/// Compares all that visl was told of a stream with what ffmpeg's trace of it says.
///
/// The frame that is decoded as the n-th is called by n microseconds.
///
/// # Panics
/// With what differs.
pub(crate) fn compare(stream: &Path, trace: &Path, told: &[TracedControl]) -> Compared {
    let name = stream.display().to_string();
    same(&name, differences(stream, trace, told))
}

/// What was compared, and what differs.
pub(crate) fn differences(
    stream: &Path,
    trace: &Path,
    told: &[TracedControl],
) -> (Compared, Vec<String>) {
    let mut tiles = tiles::first(stream, trace).into_iter();
    let mut model = Told::default();
    let mut sequence = None;
    let mut comparison = Comparison::new(told);
    let mut picture = PictureId(0);
    let packets = trace::packets(trace);
    for traced in packets.iter().flat_map(|packet| &packet.sections) {
        if traced.name == "Sequence Header" {
            let before = sequence.replace(model.sequence(traced));
            if before != sequence {
                model.slots = Default::default();
            }
        }
        if traced.name != "Frame Header" {
            continue;
        }
        if traced.is("show_existing_frame") {
            let slot = traced.value("frame_to_show_map_idx") as usize;
            let shown = model.slots[slot].clone().unwrap();
            if shown.key {
                model.slots.fill(Some(shown));
            }
            continue;
        }
        picture.0 += 1;
        comparison.picture();
        let (frame, film_grain) = model.frame(traced, picture);
        comparison.control(
            "v4l2_ctrl_av1_sequence",
            &self::sequence(&sequence.unwrap()),
        );
        comparison.control("v4l2_ctrl_av1_frame", &self::frame(&frame));
        comparison.control("v4l2_ctrl_av1_film_grain", &self::film_grain(&film_grain));
        let tile = tile_group_entry(&tiles.next().unwrap());
        comparison.control("v4l2_ctrl_av1_tile_group_entry", &tile);
        let stamps = frame.reference_frame_ts.iter();
        let stamps: BTreeSet<_> = stamps.filter(|&&stamp| stamp != 0).collect();
        comparison.references(stamps.len(), SLOTS);
    }
    assert!(tiles.next().is_none(), "tiles of no frame");
    comparison.end()
}

fn sequence(sequence: &Av1Sequence) -> Fields {
    fields!("", sequence;
        flags: &[
            "STILL_PICTURE",
            "USE_128X128_SUPERBLOCK",
            "ENABLE_FILTER_INTRA",
            "ENABLE_INTRA_EDGE_FILTER",
            "ENABLE_INTERINTRA_COMPOUND",
            "ENABLE_MASKED_COMPOUND",
            "ENABLE_WARPED_MOTION",
            "ENABLE_DUAL_FILTER",
            "ENABLE_ORDER_HINT",
            "ENABLE_JNT_COMP",
            "ENABLE_REF_FRAME_MVS",
            "ENABLE_SUPERRES",
            "ENABLE_CDEF",
            "ENABLE_RESTORATION",
            "MONO_CHROME",
            "COLOR_RANGE",
            "SUBSAMPLING_X",
            "SUBSAMPLING_Y",
            "FILM_GRAIN_PARAMS_PRESENT",
            "SEPARATE_UV_DELTA_Q",
        ],
        seq_profile,
        order_hint_bits,
        bit_depth,
        max_frame_width_minus_1,
        max_frame_height_minus_1,
    )
    .into()
}

fn tile_group_entry(tile: &Av1TileGroupEntry) -> Fields {
    fields!("", tile; tile_offset, tile_size, tile_row, tile_col).into()
}

fn frame(frame: &Av1Frame) -> Fields {
    let mut all = Fields::new();
    all.extend(fields!("tile_info.", frame.tile_info;
        flags: &["UNIFORM_TILE_SPACING"],
        context_update_tile_id,
        tile_cols,
        tile_rows,
        mi_col_starts,
        mi_row_starts,
        width_in_sbs_minus_1,
        height_in_sbs_minus_1,
        tile_size_bytes,
    ));
    all.extend(fields!("quantization.", frame.quantization;
        flags: &["DIFF_UV_DELTA", "USING_QMATRIX", "DELTA_Q_PRESENT"],
        base_q_idx,
        delta_q_y_dc,
        delta_q_u_dc,
        delta_q_u_ac,
        delta_q_v_dc,
        delta_q_v_ac,
        qm_y,
        qm_u,
        qm_v,
        delta_q_res,
    ));
    all.extend(fields!("", frame; superres_denom));
    all.extend(fields!("segmentation.", frame.segmentation;
        flags: &["ENABLED", "UPDATE_MAP", "TEMPORAL_UPDATE", "UPDATE_DATA", "SEG_ID_PRE_SKIP"],
        last_active_seg_id,
        feature_enabled,
    ));
    all.extend(fields!("loop_filter.", frame.loop_filter;
        flags: &["DELTA_ENABLED", "DELTA_UPDATE", "DELTA_LF_PRESENT", "DELTA_LF_MULTI"],
        level,
        sharpness,
        ref_deltas,
        mode_deltas,
        delta_lf_res,
    ));
    all.extend(fields!("cdef.", frame.cdef;
        damping_minus_3,
        bits,
        y_pri_strength,
        y_sec_strength,
        uv_pri_strength,
        uv_sec_strength,
    ));
    all.extend(fields!("", frame; skip_mode_frame, primary_ref_frame));
    all.extend(fields!("loop_restoration.", frame.loop_restoration;
        flags: &["USES_LR", "USES_CHROMA_LR"],
        lr_unit_shift,
        lr_uv_shift,
        frame_restoration_type,
        loop_restoration_size,
    ));
    all.extend(fields!("", frame;
        flags: &[
            "SHOW_FRAME",
            "SHOWABLE_FRAME",
            "ERROR_RESILIENT_MODE",
            "DISABLE_CDF_UPDATE",
            "ALLOW_SCREEN_CONTENT_TOOLS",
            "FORCE_INTEGER_MV",
            "ALLOW_INTRABC",
            "USE_SUPERRES",
            "ALLOW_HIGH_PRECISION_MV",
            "IS_MOTION_MODE_SWITCHABLE",
            "USE_REF_FRAME_MVS",
            "DISABLE_FRAME_END_UPDATE_CDF",
            "ALLOW_WARPED_MOTION",
            "REFERENCE_SELECT",
            "REDUCED_TX_SET",
            "SKIP_MODE_ALLOWED",
            "SKIP_MODE_PRESENT",
            "FRAME_SIZE_OVERRIDE",
            "BUFFER_REMOVAL_TIME_PRESENT",
            "FRAME_REFS_SHORT_SIGNALING",
        ],
        order_hint,
        upscaled_width,
        frame_width_minus_1,
        frame_height_minus_1,
        render_width_minus_1,
        render_height_minus_1,
        current_frame_id,
        buffer_removal_time,
        order_hints,
        reference_frame_ts,
        ref_frame_idx,
        refresh_frame_flags,
    ));
    all
}

fn film_grain(grain: &Av1FilmGrain) -> Fields {
    fields!("", grain;
        flags: &[
            "APPLY_GRAIN",
            "UPDATE_GRAIN",
            "CHROMA_SCALING_FROM_LUMA",
            "OVERLAP",
            "CLIP_TO_RESTRICTED_RANGE",
        ],
        cr_mult,
        grain_seed,
        film_grain_params_ref_idx,
        num_y_points,
        point_y_value,
        point_y_scaling,
        num_cb_points,
        point_cb_value,
        point_cb_scaling,
        num_cr_points,
        point_cr_value,
        point_cr_scaling,
        grain_scaling_minus_8,
        ar_coeff_lag,
        ar_coeffs_y_plus_128,
        ar_coeffs_cb_plus_128,
        ar_coeffs_cr_plus_128,
        ar_coeff_shift_minus_6,
        grain_scale_shift,
        cb_mult,
        cb_luma_mult,
        cr_luma_mult,
        cb_offset,
        cr_offset,
    )
    .into()
}
