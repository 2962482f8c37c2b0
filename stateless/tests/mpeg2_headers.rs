//! Every field of the MPEG-2 controls against what ffmpeg's trace of headers says, and the order of
//! pictures against their temporal references.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and says what it skipped; traced values are small"
)]

mod trace;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use dmaflow_stateless::uapi::mpeg2::{
    self as uapi, Mpeg2Picture, Mpeg2Quantisation, Mpeg2Sequence,
};
use dmaflow_stateless::{Ability, Decode, Mpeg2, PictureId, Sequencer, Step, Steps};
use trace::Section;
use zerocopy::IntoBytes;

/// What a trace told that later headers do not say again.
struct Told {
    sequence: Mpeg2Sequence,
    matrices: Mpeg2Quantisation,
    chroma_intra_is_known: bool,
    picture: Mpeg2Picture,
    /// Headers of a picture came last.
    headers: bool,
    /// Groups of pictures so far.
    groups: u32,
    temporal_reference: i64,
    /// The last two I or P frames.
    anchors: [Option<PictureId>; 2],
    /// The frame of which one field was there, and whether that was the upper one.
    open: Option<(PictureId, bool)>,
}

impl Told {
    fn new() -> Self {
        let mut told = Self {
            sequence: Mpeg2Sequence::default(),
            matrices: Mpeg2Quantisation {
                intra_quantiser_matrix: [0; 64],
                non_intra_quantiser_matrix: [0; 64],
                chroma_intra_quantiser_matrix: [0; 64],
                chroma_non_intra_quantiser_matrix: [0; 64],
            },
            chroma_intra_is_known: true,
            picture: Mpeg2Picture::default(),
            headers: false,
            groups: 0,
            temporal_reference: 0,
            anchors: [None; 2],
            open: None,
        };
        told.reset_matrices();
        told
    }

    fn reset_matrices(&mut self) {
        // By frequency, from H.262 6.3.11: the default, along its diagonals.
        let intra = [
            8, 16, 16, 19, 16, 19, 22, 22, 22, 22, 22, 22, 26, 24, 26, 27, 27, 27, 26, 26, 26, 26,
            27, 27, 27, 29, 29, 29, 34, 34, 34, 29, 29, 29, 27, 27, 29, 29, 32, 32, 34, 34, 37, 38,
            37, 35, 35, 34, 35, 38, 38, 40, 40, 40, 48, 48, 46, 46, 56, 56, 58, 69, 69, 83,
        ];
        self.chroma_intra_is_known = true;
        self.matrices.intra_quantiser_matrix = intra;
        self.matrices.chroma_intra_quantiser_matrix = intra;
        self.matrices.non_intra_quantiser_matrix = [16; 64];
        self.matrices.chroma_non_intra_quantiser_matrix = [16; 64];
    }

    fn load(&mut self, traced: &Section) {
        let loaded = |name: &str| {
            traced.is(&format!("load_{name}")).then(|| {
                let value = |at| traced.value(&format!("{name}[{at}]")) as u8;
                std::array::from_fn(value)
            })
        };
        let matrices = &mut self.matrices;
        if let Some(matrix) = loaded("intra_quantiser_matrix") {
            matrices.intra_quantiser_matrix = matrix;
            matrices.chroma_intra_quantiser_matrix = matrix;
            self.chroma_intra_is_known = true;
        }
        if let Some(matrix) = loaded("non_intra_quantiser_matrix") {
            matrices.non_intra_quantiser_matrix = matrix;
            matrices.chroma_non_intra_quantiser_matrix = matrix;
        }
        // Its values are traced under the name of the luma's, so that they cannot be told.
        self.chroma_intra_is_known &= !traced.is("load_chroma_intra_quantiser_matrix");
        if let Some(matrix) = loaded("chroma_non_intra_quantiser_matrix") {
            matrices.chroma_non_intra_quantiser_matrix = matrix;
        }
    }

    /// Takes a structure. Answers whether it is the first slice of a picture.
    fn take(&mut self, traced: &Section) -> bool {
        match traced.name.as_str() {
            "Sequence Header" => {
                self.sequence = Mpeg2Sequence {
                    horizontal_size: traced.value("horizontal_size_value") as u16,
                    vertical_size: traced.value("vertical_size_value") as u16,
                    vbv_buffer_size: traced.value("vbv_buffer_size_value") as u32,
                    ..Mpeg2Sequence::default()
                };
                self.reset_matrices();
                self.load(traced);
            }
            "Sequence Extension" => {
                let sequence = &mut self.sequence;
                sequence.horizontal_size |=
                    (traced.value("horizontal_size_extension") as u16) << 12;
                sequence.vertical_size |= (traced.value("vertical_size_extension") as u16) << 12;
                sequence.vbv_buffer_size |=
                    (traced.value("vbv_buffer_size_extension") as u32) << 10;
                sequence.profile_and_level_indication =
                    traced.value("profile_and_level_indication") as u16;
                sequence.chroma_format = traced.value("chroma_format") as u8;
                sequence.flags = traced.value("progressive_sequence") as u8;
            }
            "Quant Matrix Extension" => self.load(traced),
            "Group of Pictures Header" => self.groups += 1,
            "Picture Header" => {
                self.temporal_reference = traced.value("temporal_reference");
                self.picture = Mpeg2Picture {
                    picture_coding_type: traced.value("picture_coding_type") as u8,
                    ..Mpeg2Picture::default()
                };
            }
            "Picture Coding Extension" => {
                self.picture_coding(traced);
                self.headers = true;
            }
            "Slice Header" => return std::mem::take(&mut self.headers),
            _ => {}
        }
        false
    }

    fn picture_coding(&mut self, traced: &Section) {
        let picture = &mut self.picture;
        for (at, code) in picture.f_code.as_flattened_mut().iter_mut().enumerate() {
            *code = traced.value(&format!("f_code[{}][{}]", at / 2, at % 2)) as u8;
        }
        picture.intra_dc_precision = traced.value("intra_dc_precision") as u8;
        picture.picture_structure = traced.value("picture_structure") as u8;
        for (bit, name) in [
            "top_field_first",
            "frame_pred_frame_dct",
            "concealment_motion_vectors",
            "q_scale_type",
            "intra_vlc_format",
            "alternate_scan",
            "repeat_first_field",
            "progressive_frame",
        ]
        .into_iter()
        .enumerate()
        {
            picture.flags |= (traced.value(name) as u32) << bit;
        }
    }

    /// What the picture that was just read, which goes into a frame, should be told with.
    fn expected(&mut self, into: PictureId) -> Mpeg2Picture {
        let mut picture = self.picture;
        let is_field = picture.picture_structure != uapi::PICTURE_FRAME;
        let is_top = picture.picture_structure == uapi::PICTURE_TOP_FIELD;
        let second = self.open.take().filter(|(open, _)| *open == into);
        if second.is_none() && picture.picture_coding_type != uapi::PICTURE_CODING_TYPE_B {
            self.anchors = [self.anchors[1], Some(into)];
        }
        if is_field {
            let top_first = second.map_or(is_top, |(_, was_top)| was_top);
            picture.flags |= u32::from(top_first);
            if second.is_none() {
                self.open = Some((into, is_top));
            }
        }
        let [older, newer] = self
            .anchors
            .map(|anchor| anchor.map(PictureId::reference_ts));
        match picture.picture_coding_type {
            uapi::PICTURE_CODING_TYPE_P => picture.forward_ref_ts = older.unwrap_or_default(),
            uapi::PICTURE_CODING_TYPE_B => {
                picture.forward_ref_ts = older.unwrap_or_default();
                picture.backward_ref_ts = newer.unwrap_or_default();
            }
            _ => {}
        }
        picture
    }

    fn compare(&mut self, steps: &Steps, decode: &Decode, place: &str) {
        let controls = steps.controls(&decode.controls);
        let [sequence, picture, matrices] = controls.first_chunk().unwrap();
        assert_eq!(controls.len(), 3, "{place}");
        assert_eq!(
            [sequence.id, picture.id, matrices.id],
            [
                uapi::STATELESS_MPEG2_SEQUENCE,
                uapi::STATELESS_MPEG2_PICTURE,
                uapi::STATELESS_MPEG2_QUANTISATION,
            ]
        );
        let expected = self.sequence;
        assert_eq!(
            steps.bytes_of(sequence),
            expected.as_bytes(),
            "{place}: {expected:?}"
        );
        let expected = self.expected(decode.picture);
        assert_eq!(
            steps.bytes_of(picture),
            expected.as_bytes(),
            "{place}: {expected:?}"
        );
        let mut expected = self.matrices;
        if self.sequence.chroma_format == 1 {
            expected.chroma_intra_quantiser_matrix = [0; 64];
            expected.chroma_non_intra_quantiser_matrix = [0; 64];
        }
        let found = steps.bytes_of(matrices);
        if !self.chroma_intra_is_known {
            expected.chroma_intra_quantiser_matrix = found[128..192].try_into().unwrap();
        }
        assert_eq!(found, expected.as_bytes(), "{place}: {expected:?}");
    }
}

#[test]
fn controls_are_what_the_trace_says() {
    for (path, packets) in trace::streams("mpeg2_") {
        let data = fs::read(&path).unwrap();
        let mut rest = &data[..];
        let mut sequencer = Mpeg2::new(&Ability::default());
        let mut steps = Steps::new();
        let mut told = Told::new();
        let mut when = HashMap::new();
        let mut out = Vec::new();
        let mut compared = 0;
        let sizes = sizes(&path);
        assert_eq!(sizes.len(), packets.len(), "{}", path.display());
        for (nth, (packet, size)) in packets.iter().zip(sizes).enumerate() {
            let place = format!("{}, packet {nth}", path.display());
            let unit;
            (unit, rest) = rest.split_at(size);
            steps.clear();
            sequencer.read(unit, &mut steps).unwrap();
            let mut decodes = steps.steps().iter().filter_map(|step| match step {
                Step::Decode(decode) => Some(decode),
                _ => None,
            });
            for traced in &packet.sections {
                if told.take(traced) {
                    let decode = decodes.next().unwrap();
                    told.compare(&steps, decode, &place);
                    when.insert(decode.picture, (told.groups, told.temporal_reference));
                    compared += 1;
                    let piece = &steps.pieces(&decode.pieces)[0];
                    assert_eq!(unit[piece.start..piece.start + 4], [0, 0, 1, 1], "{place}");
                }
            }
            assert_eq!(decodes.next(), None, "{place}");
            out.extend(shown(&steps));
        }
        steps.clear();
        sequencer.finish(&mut steps);
        out.extend(shown(&steps));
        assert!(rest.is_empty(), "{}", path.display());
        assert_eq!(out.len(), when.len(), "{}", path.display());
        assert!(out.iter().map(|picture| when[picture]).is_sorted());
        println!("{}: {compared} pictures", path.display());
    }
}

/// Bytes of each packet of a stream, as its trace tells: they follow one another.
fn sizes(stream: &Path) -> Vec<usize> {
    let name = stream.file_name().unwrap().to_string_lossy();
    let trace = fs::read(stream.with_file_name(format!("{name}.trace"))).unwrap();
    let trace = String::from_utf8_lossy(&trace);
    let packets = trace.split("] Packet: ").skip(1);
    packets
        .map(|packet| packet.split(' ').next().unwrap().parse().unwrap())
        .collect()
}

fn shown(steps: &Steps) -> impl Iterator<Item = PictureId> {
    steps.steps().iter().filter_map(|step| match step {
        Step::Output { picture, .. } => Some(*picture),
        _ => None,
    })
}
