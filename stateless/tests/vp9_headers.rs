//! Every field of the VP9 frame control against what ffmpeg's trace of headers says.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and says what it skipped; traced values are small"
)]

mod trace;

use std::fs;
use std::path::Path;

use dmaflow_bitstream::{StreamError, Trouble};
use dmaflow_stateless::uapi::vp9::{self as uapi, Vp9Frame};
use dmaflow_stateless::{Ability, Decode, PictureId, Sequencer, Step, Steps, Vp9};
use trace::Section;
use zerocopy::IntoBytes;

/// The frames of an IVF file.
fn ivf(path: &Path) -> Vec<Vec<u8>> {
    let data = fs::read(path).unwrap();
    let mut rest = data.get(32..).unwrap();
    let mut frames = Vec::new();
    while let Some((header, more)) = rest.split_at_checked(12) {
        let size = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        let (frame, more) = more.split_at(size);
        frames.push(frame.to_vec());
        rest = more;
    }
    frames
}

/// What a trace tells that a header does not say again.
#[derive(Default)]
struct Told {
    lf: uapi::Vp9LoopFilter,
    seg: uapi::Vp9Segmentation,
    color: u32,
    bit_depth: u8,
    slots: [Option<(PictureId, u16, u16)>; 8],
}

impl Told {
    /// The control that a traced frame should have.
    fn frame(&mut self, traced: &Section, picture: PictureId) -> Vp9Frame {
        let profile = traced.value("profile_low_bit") + 2 * traced.value("profile_high_bit");
        let key = !traced.is("frame_type");
        let intra_only = traced.is("intra_only");
        let resilient = traced.is("error_resilient_mode");
        if key || (intra_only && profile > 0) {
            self.color(traced, profile);
        } else if intra_only {
            self.color = uapi::FRAME_X_SUBSAMPLING | uapi::FRAME_Y_SUBSAMPLING;
            self.bit_depth = 8;
        }
        let (width, height) = self.size(traced);
        let mut flags = self.color;
        for (set, flag) in [
            (key, uapi::FRAME_KEY_FRAME),
            (traced.is("show_frame"), uapi::FRAME_SHOW_FRAME),
            (resilient, uapi::FRAME_ERROR_RESILIENT),
            (intra_only, uapi::FRAME_INTRA_ONLY),
            (
                traced.is("allow_high_precision_mv"),
                uapi::FRAME_ALLOW_HIGH_PREC_MV,
            ),
            (
                traced.is("refresh_frame_context"),
                uapi::FRAME_REFRESH_FRAME_CTX,
            ),
            (
                resilient || traced.is("frame_parallel_decoding_mode"),
                uapi::FRAME_PARALLEL_DEC_MODE,
            ),
        ] {
            if set {
                flags |= flag;
            }
        }
        let reference = |at: usize| {
            let slot = traced.coded(&format!("ref_frame_idx[{at}]"))?;
            let (picture, ..) = self.slots[slot as usize]?;
            Some(picture.reference_ts())
        };
        let references = [reference(0), reference(1), reference(2)].map(Option::unwrap_or_default);
        if key || intra_only || resilient {
            self.lf.ref_deltas = [1, 0, -1, -1];
            self.lf.mode_deltas = [0; 2];
            self.seg.feature_data = [[0; 4]; 8];
            self.seg.feature_enabled = [0; 8];
            self.seg.flags = 0;
        }
        self.loop_filter(traced);
        self.segmentation(traced);
        let refresh = traced.coded("refresh_frame_flags").unwrap_or(0xff);
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if key || refresh >> at & 1 == 1 {
                *slot = Some((picture, width, height));
            }
        }
        let filters = [1, 0, 2, 3];
        Vp9Frame {
            lf: self.lf,
            quant: uapi::Vp9Quantization {
                base_q_idx: traced.value("base_q_idx") as u8,
                delta_q_y_dc: traced.value("delta_q_y_dc.delta_q") as i8,
                delta_q_uv_dc: traced.value("delta_q_uv_dc.delta_q") as i8,
                delta_q_uv_ac: traced.value("delta_q_uv_ac.delta_q") as i8,
                reserved: [0; 4],
            },
            seg: self.seg,
            flags,
            compressed_header_size: traced.value("header_size_in_bytes") as u16,
            uncompressed_header_size: 0,
            frame_width_minus_1: width - 1,
            frame_height_minus_1: height - 1,
            render_width_minus_1: traced
                .coded("render_width_minus_1")
                .map_or(width - 1, |coded| coded as u16),
            render_height_minus_1: traced
                .coded("render_height_minus_1")
                .map_or(height - 1, |coded| coded as u16),
            last_frame_ts: references[0],
            golden_frame_ts: references[1],
            alt_frame_ts: references[2],
            ref_frame_sign_bias: (0..3).fold(0, |bits, at| {
                let bias = traced.value(&format!("ref_frame_sign_bias[{}]", at + 1));
                bits | (bias as u8) << at
            }),
            reset_frame_context: (traced.value("reset_frame_context") - 1).max(0) as u8,
            frame_context_idx: traced.value("frame_context_idx") as u8,
            profile: profile as u8,
            bit_depth: self.bit_depth,
            interpolation_filter: if key || intra_only {
                0
            } else if traced.is("is_filter_switchable") {
                4
            } else {
                filters[traced.value("raw_interpolation_filter_type") as usize]
            },
            tile_cols_log2: traced.value("tile_cols_log2") as u8,
            tile_rows_log2: traced.value("tile_rows_log2") as u8,
            reference_mode: 0,
            reserved: [0; 7],
        }
    }

    fn color(&mut self, traced: &Section, profile: i64) {
        self.bit_depth = match (profile >= 2, traced.is("ten_or_twelve_bit")) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        };
        let rgb = traced.value("color_space") == 7;
        let halved = |field| !rgb && (profile % 2 == 0 || traced.is(field));
        self.color = 0;
        for (set, flag) in [
            (halved("subsampling_x"), uapi::FRAME_X_SUBSAMPLING),
            (halved("subsampling_y"), uapi::FRAME_Y_SUBSAMPLING),
            (
                rgb || traced.is("color_range"),
                uapi::FRAME_COLOR_RANGE_FULL_SWING,
            ),
        ] {
            if set {
                self.color |= flag;
            }
        }
    }

    fn size(&self, traced: &Section) -> (u16, u16) {
        for at in 0..3 {
            if traced.is(&format!("found_ref[{at}]")) {
                let slot = traced.value(&format!("ref_frame_idx[{at}]")) as usize;
                let (_, width, height) = self.slots[slot].unwrap();
                return (width, height);
            }
        }
        let coded = |field| traced.coded(field).unwrap() as u16 + 1;
        (coded("frame_width_minus_1"), coded("frame_height_minus_1"))
    }

    fn loop_filter(&mut self, traced: &Section) {
        self.lf.level = traced.value("loop_filter_level") as u8;
        self.lf.sharpness = traced.value("loop_filter_sharpness") as u8;
        self.lf.flags = u8::from(traced.is("loop_filter_delta_enabled"))
            | u8::from(traced.is("loop_filter_delta_update")) << 1;
        for (at, delta) in self.lf.ref_deltas.iter_mut().enumerate() {
            if let Some(coded) = traced.coded(&format!("loop_filter_ref_deltas[{at}]")) {
                *delta = coded as i8;
            }
        }
        for (at, delta) in self.lf.mode_deltas.iter_mut().enumerate() {
            if let Some(coded) = traced.coded(&format!("loop_filter_mode_deltas[{at}]")) {
                *delta = coded as i8;
            }
        }
    }

    fn segmentation(&mut self, traced: &Section) {
        let absolute = uapi::SEGMENTATION_ABS_OR_DELTA_UPDATE;
        let mut flags = self.seg.flags & absolute;
        if let Some(coded) = traced.coded("segmentation_abs_or_delta_update") {
            flags = if coded == 1 { absolute } else { 0 };
        }
        for (field, flag) in [
            ("segmentation_enabled", uapi::SEGMENTATION_ENABLED),
            ("segmentation_update_map", uapi::SEGMENTATION_UPDATE_MAP),
            (
                "segmentation_temporal_update",
                uapi::SEGMENTATION_TEMPORAL_UPDATE,
            ),
            ("segmentation_update_data", uapi::SEGMENTATION_UPDATE_DATA),
        ] {
            if traced.is(field) {
                flags |= flag;
            }
        }
        self.seg.flags = flags;
        let probability = |name: &str, at: usize| {
            let coded = traced.coded(&format!("{name}[{at}].prob"));
            coded.map_or(255, |coded| coded as u8)
        };
        if traced.is("segmentation_update_map") {
            for (at, kept) in self.seg.tree_probs.iter_mut().enumerate() {
                *kept = probability("segmentation_tree_probs", at);
            }
            for (at, kept) in self.seg.pred_probs.iter_mut().enumerate() {
                *kept = probability("segmentation_pred_prob", at);
            }
        }
        if traced.is("segmentation_update_data") {
            for segment in 0..8 {
                self.seg.feature_enabled[segment] = 0;
                for feature in 0..4 {
                    let name = |what| format!("{what}[{segment}][{feature}]");
                    let enabled = traced.is(&name("feature_enabled"));
                    self.seg.feature_enabled[segment] |= u8::from(enabled) << feature;
                    let size = traced.value(&name("feature_value")) as i16;
                    let negative = traced.is(&name("feature_sign"));
                    self.seg.feature_data[segment][feature] = if negative { -size } else { size };
                }
            }
        }
    }
}

#[test]
fn controls_are_what_the_trace_says() {
    let ability = Ability {
        controls: vec![
            uapi::STATELESS_VP9_FRAME,
            uapi::STATELESS_VP9_COMPRESSED_HDR,
        ],
        ..Ability::default()
    };
    for (path, packets) in trace::streams("vp9_") {
        let units = ivf(&path);
        assert_eq!(units.len(), packets.len(), "{}", path.display());
        let mut sequencer = Vp9::new(&ability);
        let mut steps = Steps::new();
        let mut told = Told::default();
        let (mut compared, mut shown) = (0, 0);
        for (nth, (unit, packet)) in units.iter().zip(&packets).enumerate() {
            let place = format!("{}, packet {nth}", path.display());
            steps.clear();
            let read = sequencer.read(unit, &mut steps);
            if let Err(StreamError {
                trouble: Trouble::Unsupported { .. },
                ..
            }) = read
            {
                println!("{place}: {}", read.unwrap_err());
                break;
            }
            read.unwrap();
            let mut todo = steps
                .steps()
                .iter()
                .filter(|step| matches!(step, Step::Decode(_) | Step::Output { .. }));
            for traced in packet.sections.iter().filter(|one| one.name == "Frame") {
                if traced.is("show_existing_frame") {
                    let slot = traced.value("frame_to_show_map_idx") as usize;
                    let (picture, ..) = told.slots[slot].unwrap();
                    let shown_again = true;
                    let output = Step::Output {
                        picture,
                        shown_again,
                    };
                    assert_eq!(todo.next(), Some(&output), "{place}");
                    shown += 1;
                    continue;
                }
                let Some(Step::Decode(decode)) = todo.next() else {
                    panic!("{place}: no frame for {traced:?}");
                };
                compare(
                    &steps,
                    unit,
                    decode,
                    told.frame(traced, decode.picture),
                    &place,
                );
                compared += 1;
                if traced.is("show_frame") {
                    let output = Step::Output {
                        picture: decode.picture,
                        shown_again: false,
                    };
                    assert_eq!(todo.next(), Some(&output), "{place}");
                }
            }
            assert_eq!(todo.next(), None, "{place}");
        }
        println!("{}: {compared} frames, {shown} shown again", path.display());
    }
}

fn compare(steps: &Steps, unit: &[u8], decode: &Decode, mut expected: Vp9Frame, place: &str) {
    let controls = steps.controls(&decode.controls);
    let [frame, compressed] = controls.first_chunk().unwrap();
    assert_eq!(controls.len(), 2, "{place}");
    assert_eq!(frame.id, uapi::STATELESS_VP9_FRAME);
    assert_eq!(compressed.id, uapi::STATELESS_VP9_COMPRESSED_HDR);
    let found = steps.bytes_of(frame);
    // The trace says neither where the header ends nor what the compressed one does.
    expected.uncompressed_header_size = u16::from_ne_bytes([found[118], found[119]]);
    expected.reference_mode = found[160];
    assert_eq!(found, expected.as_bytes(), "{place}: {expected:?}");
    let pieces = steps.pieces(&decode.pieces);
    assert!(pieces.len() == 1 && pieces[0].end <= unit.len(), "{place}");
}
