//! Controls as they follow from a trace of syntax elements, by the specification's own words.

mod references;
mod values;

use dmaflow_stateless::PictureId;
use dmaflow_stateless::uapi::av1::{Av1FilmGrain, Av1Frame, Av1Sequence};
use zerocopy::FromZeros;

use super::trace::Section;

/// What a frame left in a slot.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) picture: PictureId,
    pub(crate) key: bool,
    upscaled_width: i64,
    frame_height: i64,
    render: (i64, i64),
    order_hint: i64,
    gm_params: [[i32; 6]; 8],
    ref_deltas: [i8; 8],
    mode_deltas: [i8; 2],
    feature_enabled: [u8; 8],
    feature_data: [[i16; 8]; 8],
    film_grain: Av1FilmGrain,
}

/// What was told so far.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) slots: [Option<Slot>; 8],
    sequence: Sequence,
}

/// What later headers are read by.
#[derive(Default)]
struct Sequence {
    reduced: bool,
    sb128: bool,
    mono: bool,
    width: i64,
    height: i64,
    order_hint_bits: i64,
    force_screen_content: Option<bool>,
    force_integer_mv: Option<bool>,
    film_grain: bool,
}

impl Told {
    /// The control of a sequence header.
    pub(crate) fn sequence(&mut self, traced: &Section) -> Av1Sequence {
        let reduced = traced.is("reduced_still_picture_header");
        let profile = traced.value("seq_profile");
        let mono = traced.is("mono_chrome");
        let rgb = traced.value("color_primaries") == 1
            && traced.value("transfer_characteristics") == 13
            && traced.coded("matrix_coefficients") == Some(0);
        let bit_depth = match (traced.is("high_bitdepth"), traced.is("twelve_bit")) {
            (_, true) => 12,
            (true, false) => 10,
            _ => 8,
        };
        let subsampling = if mono {
            (true, true)
        } else if rgb {
            (false, false)
        } else {
            match (profile, bit_depth) {
                (0, _) => (true, true),
                (1, _) => (false, false),
                (_, 12) => (traced.is("subsampling_x"), traced.is("subsampling_y")),
                _ => (true, false),
            }
        };
        let forced = |choose: &str, forced: &str| {
            (!reduced && !traced.is(choose)).then(|| traced.coded(forced).map(|value| value == 1))
        };
        let order_hint_bits = traced
            .coded("order_hint_bits_minus_1")
            .map_or(0, |minus_1| minus_1 + 1);
        self.sequence = Sequence {
            reduced,
            sb128: traced.is("use_128x128_superblock"),
            mono,
            width: traced.value("max_frame_width_minus_1") + 1,
            height: traced.value("max_frame_height_minus_1") + 1,
            order_hint_bits,
            force_screen_content: forced(
                "seq_choose_screen_content_tools",
                "seq_force_screen_content_tools",
            )
            .flatten(),
            force_integer_mv: forced("seq_choose_integer_mv", "seq_force_integer_mv").flatten(),
            film_grain: traced.is("film_grain_params_present"),
        };
        let named = [
            "still_picture",
            "use_128x128_superblock",
            "enable_filter_intra",
            "enable_intra_edge_filter",
            "enable_interintra_compound",
            "enable_masked_compound",
            "enable_warped_motion",
            "enable_dual_filter",
            "enable_order_hint",
            "enable_jnt_comp",
            "enable_ref_frame_mvs",
            "enable_superres",
            "enable_cdef",
            "enable_restoration",
            "mono_chrome",
        ];
        let mut flags = 0;
        for (bit, name) in named.iter().enumerate() {
            flags |= u32::from(traced.is(name)) << bit;
        }
        let rest = [
            (0x8000, rgb || traced.is("color_range")),
            (0x10000, subsampling.0),
            (0x20000, subsampling.1),
            (0x40000, traced.is("film_grain_params_present")),
            (0x80000, traced.is("separate_uv_delta_q")),
        ];
        for (flag, set) in rest {
            flags |= if set { flag } else { 0 };
        }
        Av1Sequence {
            flags,
            seq_profile: profile as u8,
            order_hint_bits: order_hint_bits as u8,
            bit_depth,
            reserved: 0,
            max_frame_width_minus_1: traced.value("max_frame_width_minus_1") as u16,
            max_frame_height_minus_1: traced.value("max_frame_height_minus_1") as u16,
        }
    }

    /// The controls of a frame, which is a picture of this number.
    pub(crate) fn frame(
        &mut self,
        traced: &Section,
        picture: PictureId,
    ) -> (Av1Frame, Av1FilmGrain) {
        let mut frame = Av1Frame::new_zeroed();
        for (stamp, slot) in frame.reference_frame_ts.iter_mut().zip(&self.slots) {
            *stamp = slot.as_ref().map_or(0, |slot| slot.picture.reference_ts());
        }
        frame.frame_type = traced.value("frame_type") as u32;
        let intra = matches!(frame.frame_type, 0 | 2);
        let show = self.sequence.reduced || traced.is("show_frame");
        let resilient = traced.is("error_resilient_mode")
            || frame.frame_type == 3
            || frame.frame_type == 0 && show;
        frame.current_frame_id = traced.value("current_frame_id") as u32;
        frame.order_hint = traced.value("order_hint") as u32;
        frame.primary_ref_frame = traced.coded("primary_ref_frame").unwrap_or(7) as u8;
        for (at, time) in frame.buffer_removal_time.iter_mut().enumerate() {
            *time = traced.value(&format!("buffer_removal_time[{at}]")) as u32;
        }
        frame.refresh_frame_flags = traced.coded("refresh_frame_flags").unwrap_or(0xff) as u8;
        if !intra {
            self.reference_indices(traced, &mut frame);
            for (at, &slot) in frame.ref_frame_idx.iter().enumerate() {
                frame.order_hints[at + 1] = self.hint(slot) as u32;
            }
        }
        self.size(traced, &mut frame);
        if traced.is("is_filter_switchable") {
            frame.interpolation_filter = 4;
        } else {
            frame.interpolation_filter = traced.value("interpolation_filter") as u32;
        }
        self.tiles(traced, &mut frame);
        values::quantization(traced, &mut frame);
        let primary = (frame.primary_ref_frame < 7).then(|| {
            let index = frame.ref_frame_idx[usize::from(frame.primary_ref_frame)];
            self.slots[index as usize].clone().unwrap()
        });
        let primary = primary.as_ref();
        values::segmentation(traced, &mut frame, primary);
        let lossless = values::coded_lossless(&frame);
        let skipped = lossless || traced.is("allow_intrabc");
        values::loop_filter(traced, &mut frame, primary, skipped);
        values::cdef(traced, &mut frame, self.sequence.mono);
        self.restoration(traced, &mut frame);
        frame.tx_mode = traced.value("tx_mode") as u32;
        values::global_motion(traced, &mut frame, primary, intra);
        let skip_mode = traced.is("reference_select") && self.skip_mode(&mut frame);
        self.flags(traced, &mut frame, (intra, show, resilient, skip_mode));
        let film_grain = self.film_grain(traced);
        let slot = Slot {
            picture,
            key: frame.frame_type == 0,
            upscaled_width: frame.upscaled_width.into(),
            frame_height: i64::from(frame.frame_height_minus_1) + 1,
            render: (
                i64::from(frame.render_width_minus_1) + 1,
                i64::from(frame.render_height_minus_1) + 1,
            ),
            order_hint: frame.order_hint.into(),
            gm_params: frame.global_motion.params,
            ref_deltas: frame.loop_filter.ref_deltas,
            mode_deltas: frame.loop_filter.mode_deltas,
            feature_enabled: frame.segmentation.feature_enabled,
            feature_data: frame.segmentation.feature_data,
            film_grain,
        };
        for at in 0..8 {
            if frame.refresh_frame_flags >> at & 1 == 1 {
                self.slots[at] = Some(slot.clone());
            }
        }
        (frame, film_grain)
    }

    fn flags(
        &self,
        traced: &Section,
        frame: &mut Av1Frame,
        (intra, show, resilient, skip_mode): (bool, bool, bool, bool),
    ) {
        let of = &self.sequence;
        let screen_content = of
            .force_screen_content
            .unwrap_or(traced.is("allow_screen_content_tools"));
        let integer =
            screen_content && of.force_integer_mv.unwrap_or(traced.is("force_integer_mv"));
        let showable = if show {
            frame.frame_type != 0
        } else {
            traced.is("showable_frame")
        };
        let no_end_update = of.reduced
            || traced.is("disable_cdf_update")
            || traced.is("disable_frame_end_update_cdf");
        let overridden = frame.frame_type == 3 || traced.is("frame_size_override_flag");
        let flags = [
            show,
            showable,
            resilient,
            traced.is("disable_cdf_update"),
            screen_content,
            integer || intra,
            traced.is("allow_intrabc"),
            traced.is("use_superres"),
            traced.is("allow_high_precision_mv"),
            traced.is("is_motion_mode_switchable"),
            traced.is("use_ref_frame_mvs"),
            no_end_update,
            traced.is("allow_warped_motion"),
            traced.is("reference_select"),
            traced.is("reduced_tx_set"),
            skip_mode,
            traced.is("skip_mode_present"),
            overridden,
            traced.is("buffer_removal_time_present_flag"),
            traced.is("frame_refs_short_signaling"),
        ];
        for (bit, set) in flags.into_iter().enumerate() {
            frame.flags |= u32::from(set) << bit;
        }
    }

    fn size(&self, traced: &Section, frame: &mut Av1Frame) {
        let found = (0..7).find(|at| traced.is(&format!("found_ref[{at}]")));
        let (width, height, render) = if let Some(at) = found {
            let index = frame.ref_frame_idx[at] as usize;
            let slot = self.slots[index].as_ref().unwrap();
            (slot.upscaled_width, slot.frame_height, Some(slot.render))
        } else {
            let coded = |name, most| traced.coded(name).map_or(most, |minus_1: i64| minus_1 + 1);
            let width = coded("frame_width_minus_1", self.sequence.width);
            (
                width,
                coded("frame_height_minus_1", self.sequence.height),
                None,
            )
        };
        let denominator = if traced.is("use_superres") {
            traced.value("coded_denom") + 9
        } else {
            8
        };
        let scaled = (width * 8 + denominator / 2) / denominator;
        let render = render.unwrap_or_else(|| {
            let coded = |name, size| traced.coded(name).map_or(size, |minus_1: i64| minus_1 + 1);
            (
                coded("render_width_minus_1", width),
                coded("render_height_minus_1", height),
            )
        });
        frame.superres_denom = denominator as u8;
        frame.upscaled_width = width as u32;
        frame.frame_width_minus_1 = scaled as u32 - 1;
        frame.frame_height_minus_1 = height as u32 - 1;
        frame.render_width_minus_1 = (render.0 - 1) as u16;
        frame.render_height_minus_1 = (render.1 - 1) as u16;
    }

    fn tiles(&self, traced: &Section, frame: &mut Av1Frame) {
        let shift = if self.sequence.sb128 { 5 } else { 4 };
        let (width, height) = (
            frame.frame_width_minus_1 + 1,
            frame.frame_height_minus_1 + 1,
        );
        let info = &mut frame.tile_info;
        let uniform = traced.is("uniform_tile_spacing_flag");
        info.flags = uniform.into();
        info.context_update_tile_id = traced.value("context_update_tile_id") as u8;
        let bytes = traced.coded("tile_size_bytes_minus1");
        info.tile_size_bytes = bytes.map_or(0, |minus_1| minus_1 + 1) as u8;
        let cut = |size: u32, log2: &str, coded: &str, starts: &mut [u32], sizes: &mut [u32]| {
            let blocks = 2 * ((size + 7) >> 3);
            let superblocks = (blocks + (1 << shift) - 1) >> shift;
            let log2 = traced.value(log2);
            let step = (superblocks + (1 << log2) - 1) >> log2;
            let (mut count, mut start) = (0, 0);
            while start < superblocks {
                starts[count] = start << shift;
                let size = if uniform {
                    step.min(superblocks - start)
                } else {
                    traced.value(&format!("{coded}[{count}]")) as u32 + 1
                };
                sizes[count] = size - 1;
                start += size;
                count += 1;
            }
            starts[count] = blocks;
            count as u8
        };
        info.tile_cols = cut(
            width,
            "tile_cols_log2",
            "width_in_sbs_minus_1",
            &mut info.mi_col_starts,
            &mut info.width_in_sbs_minus_1,
        );
        info.tile_rows = cut(
            height,
            "tile_rows_log2",
            "height_in_sbs_minus_1",
            &mut info.mi_row_starts,
            &mut info.height_in_sbs_minus_1,
        );
    }

    fn restoration(&self, traced: &Section, frame: &mut Av1Frame) {
        let of = &mut frame.loop_restoration;
        let planes = if self.sequence.mono { 1 } else { 3 };
        for plane in 0..planes {
            let coded = traced.value(&format!("lr_type[{plane}]"));
            of.frame_restoration_type[plane] = [0, 3, 1, 2][coded as usize];
            if coded != 0 {
                of.flags |= if plane == 0 { 1 } else { 3 };
            }
        }
        if of.flags != 0 {
            of.lr_unit_shift = traced.value("lr_unit_shift") as u8;
            of.lr_uv_shift = traced.value("lr_uv_shift") as u8;
            of.loop_restoration_size = [64 << of.lr_unit_shift; 3];
            of.loop_restoration_size[1] >>= of.lr_uv_shift;
            of.loop_restoration_size[2] >>= of.lr_uv_shift;
        }
    }

    fn film_grain(&self, traced: &Section) -> Av1FilmGrain {
        if !self.sequence.film_grain || !traced.is("apply_grain") {
            return Av1FilmGrain::new_zeroed();
        }
        let seed = traced.value("grain_seed") as u16;
        if traced.coded("update_grain") == Some(0) {
            let slot = traced.value("film_grain_params_ref_idx") as usize;
            let mut loaded = self.slots[slot].as_ref().unwrap().film_grain;
            loaded.grain_seed = seed;
            return loaded;
        }
        values::film_grain(traced, seed)
    }
}
