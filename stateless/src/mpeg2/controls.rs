//! What a driver is told of a picture.

use dmaflow_bitstream::mpeg2::{
    ChromaFormat, CodingType, Matrices, PictureHeader, SequenceHeader, Structure,
};

use super::order::Begun;
use crate::flags::flags_of;
use crate::steps::PictureId;
use crate::uapi::mpeg2::{self as uapi, Mpeg2Picture, Mpeg2Quantisation, Mpeg2Sequence};

pub(super) fn sequence(header: &SequenceHeader) -> Mpeg2Sequence {
    Mpeg2Sequence {
        horizontal_size: header.horizontal_size,
        vertical_size: header.vertical_size,
        vbv_buffer_size: header.vbv_buffer_size,
        profile_and_level_indication: u16::from(header.profile_and_level_indication),
        chroma_format: match header.chroma_format {
            ChromaFormat::Yuv420 => 1,
            ChromaFormat::Yuv422 => 2,
            ChromaFormat::Yuv444 => 3,
        },
        flags: flags_of([(header.progressive_sequence, uapi::SEQUENCE_PROGRESSIVE)]),
    }
}

pub(super) fn picture(header: &PictureHeader, begun: &Begun) -> Mpeg2Picture {
    let reference_ts = |picture: Option<PictureId>| picture.map_or(0, PictureId::reference_ts);
    Mpeg2Picture {
        backward_ref_ts: reference_ts(begun.backward),
        forward_ref_ts: reference_ts(begun.forward),
        flags: flags_of([
            (begun.top_field_first, uapi::PICTURE_TOP_FIELD_FIRST),
            (header.frame_pred_frame_dct, uapi::PICTURE_FRAME_PRED_DCT),
            (
                header.concealment_motion_vectors,
                uapi::PICTURE_CONCEALMENT_MV,
            ),
            (header.q_scale_type, uapi::PICTURE_Q_SCALE_TYPE),
            (header.intra_vlc_format, uapi::PICTURE_INTRA_VLC),
            (header.alternate_scan, uapi::PICTURE_ALT_SCAN),
            (header.repeat_first_field, uapi::PICTURE_REPEAT_FIRST),
            (header.progressive_frame, uapi::PICTURE_PROGRESSIVE),
        ]),
        f_code: header.f_code,
        picture_coding_type: match header.coding_type {
            CodingType::I => uapi::PICTURE_CODING_TYPE_I,
            CodingType::P => uapi::PICTURE_CODING_TYPE_P,
            CodingType::B => uapi::PICTURE_CODING_TYPE_B,
        },
        picture_structure: match header.structure {
            Structure::TopField => uapi::PICTURE_TOP_FIELD,
            Structure::BottomField => uapi::PICTURE_BOTTOM_FIELD,
            Structure::Frame => uapi::PICTURE_FRAME,
        },
        intra_dc_precision: header.intra_dc_precision,
        reserved: [0; 5],
    }
}

/// With 4:2:0, chroma has no matrices of its own: zeros.
pub(super) fn quantisation(matrices: &Matrices, chroma: ChromaFormat) -> Mpeg2Quantisation {
    let own = chroma != ChromaFormat::Yuv420;
    let of_chroma = |matrix| if own { matrix } else { [0; 64] };
    Mpeg2Quantisation {
        intra_quantiser_matrix: matrices.intra,
        non_intra_quantiser_matrix: matrices.non_intra,
        chroma_intra_quantiser_matrix: of_chroma(matrices.chroma_intra),
        chroma_non_intra_quantiser_matrix: of_chroma(matrices.chroma_non_intra),
    }
}
