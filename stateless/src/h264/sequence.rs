//! What a sequence parameter set makes of pictures and of their buffer.

use dmaflow_bitstream::h264::{PictureOrder, SequenceParameters};

use crate::uapi::h264::{self as uapi, NUM_DPB_ENTRIES};
use crate::{Chroma, Sequence, Visible};

/// The parameters of the sequence at hand.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) parameters: SequenceParameters,
    /// The same, as the driver is told.
    pub(super) control: uapi::Sps,
}

impl Active {
    pub(super) fn new(parameters: &SequenceParameters) -> Self {
        Self {
            parameters: parameters.clone(),
            control: control(parameters),
        }
    }

    /// Whether pictures of other parameters need other frames, or another device.
    pub(super) fn is_like(&self, other: &SequenceParameters) -> bool {
        describe(&self.parameters) == describe(other)
            && self.parameters.profile_idc == other.profile_idc
            && self.parameters.frame_mbs_only == other.frame_mbs_only
    }
}

/// What pictures are like; no control is named yet.
pub(super) fn describe(parameters: &SequenceParameters) -> Sequence {
    let crop = parameters.crop;
    let (width, height) = (parameters.width(), parameters.height());
    let (chroma, chroma_depth) = match parameters.chroma_format_idc {
        0 => (Chroma::Monochrome, 0),
        1 => (Chroma::Yuv420, parameters.bit_depth_chroma_minus8),
        2 => (Chroma::Yuv422, parameters.bit_depth_chroma_minus8),
        _ => (Chroma::Yuv444, parameters.bit_depth_chroma_minus8),
    };
    Sequence {
        coded: (width, height),
        visible: Visible {
            left: crop.left,
            top: crop.top,
            width: width - crop.left - crop.right,
            height: height - crop.top - crop.bottom,
        },
        depth: 8 + parameters.bit_depth_luma_minus8.max(chroma_depth),
        chroma,
        kept: buffer_size(parameters),
        controls: 0..0,
    }
}

/// How many frames the decoded picture buffer holds: 1 to 16.
pub(super) fn buffer_size(parameters: &SequenceParameters) -> usize {
    let restriction = parameters
        .usability
        .and_then(|usability| usability.restriction);
    let frames = match restriction {
        Some(restriction) => usize::try_from(restriction.max_dec_frame_buffering).ok(),
        None if is_intra_only(parameters) => Some(0),
        None => Some(max_dpb_frames(parameters)),
    };
    // Streams are known that have more references than their level allows.
    frames
        .unwrap_or(NUM_DPB_ENTRIES)
        .max(parameters.max_num_ref_frames.into())
        .clamp(1, NUM_DPB_ENTRIES)
}

/// How many frames can wait for one that is decoded later: `max_num_reorder_frames`, or what E.2.1
/// infers.
pub(super) fn reorder(parameters: &SequenceParameters) -> usize {
    let restriction = parameters
        .usability
        .and_then(|usability| usability.restriction);
    if parameters.picture_order == PictureOrder::Decoding {
        return 0;
    }
    match restriction {
        Some(restriction) => usize::try_from(restriction.max_num_reorder_frames)
            .unwrap_or(NUM_DPB_ENTRIES)
            .min(buffer_size(parameters)),
        None if is_intra_only(parameters) => 0,
        // A baseline stream has no picture that is predicted from a later one, so none has a
        // reason to be decoded before one that it goes out after.
        None if parameters.profile_idc == 66 => 0,
        None => buffer_size(parameters),
    }
}

/// Profiles of intra pictures alone, of which E.2.1 infers that none is kept.
const fn is_intra_only(parameters: &SequenceParameters) -> bool {
    const CONSTRAINT_SET3: u8 = 1 << 3;
    matches!(parameters.profile_idc, 44 | 86 | 100 | 110 | 122 | 244)
        && parameters.constraint_set_flags & CONSTRAINT_SET3 != 0
}

/// `MaxDpbFrames` (A.3.1), by `MaxDpbMbs` of table A-1.
fn max_dpb_frames(parameters: &SequenceParameters) -> usize {
    const CONSTRAINT_SET3: u8 = 1 << 3;
    let is_1b = parameters.level_idc == 11
        && matches!(parameters.profile_idc, 66 | 77 | 88)
        && parameters.constraint_set_flags & CONSTRAINT_SET3 != 0;
    let max_dpb_mbs = match parameters.level_idc {
        11 if is_1b => 396,
        0..=10 => 396,
        11 => 900,
        12..=20 => 2_376,
        21 => 4_752,
        22..=30 => 8_100,
        31 => 18_000,
        32 => 20_480,
        40..=41 => 32_768,
        42 => 34_816,
        50 => 110_400,
        51..=52 => 184_320,
        60..=62 => 696_320,
        _ => u32::MAX,
    };
    let mbs = parameters.pic_width_in_mbs * parameters.frame_height_in_mbs();
    usize::try_from(max_dpb_mbs / mbs.max(1)).unwrap_or(NUM_DPB_ENTRIES)
}

fn control(parameters: &SequenceParameters) -> uapi::Sps {
    let less = |value: u32, by: u32| u16::try_from(value - by).unwrap_or(u16::MAX);
    let byte = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
    let mut this = uapi::Sps {
        profile_idc: parameters.profile_idc,
        constraint_set_flags: parameters.constraint_set_flags,
        level_idc: parameters.level_idc,
        seq_parameter_set_id: parameters.seq_parameter_set_id,
        chroma_format_idc: parameters.chroma_format_idc,
        bit_depth_luma_minus8: parameters.bit_depth_luma_minus8,
        bit_depth_chroma_minus8: parameters.bit_depth_chroma_minus8,
        log2_max_frame_num_minus4: byte(parameters.log2_max_frame_num as usize - 4),
        pic_order_cnt_type: 0,
        log2_max_pic_order_cnt_lsb_minus4: 0,
        max_num_ref_frames: parameters.max_num_ref_frames,
        num_ref_frames_in_pic_order_cnt_cycle: byte(parameters.cycle.len()),
        offset_for_ref_frame: [0; 255],
        offset_for_non_ref_pic: 0,
        offset_for_top_to_bottom_field: 0,
        pic_width_in_mbs_minus1: less(parameters.pic_width_in_mbs, 1),
        pic_height_in_map_units_minus1: less(parameters.pic_height_in_map_units, 1),
        flags: flags(parameters),
    };
    for (offset, of_stream) in this.offset_for_ref_frame.iter_mut().zip(&*parameters.cycle) {
        *offset = *of_stream;
    }
    match parameters.picture_order {
        PictureOrder::Lsb { bits } => {
            this.log2_max_pic_order_cnt_lsb_minus4 = byte(bits as usize - 4);
        }
        PictureOrder::Cycle {
            offset_for_non_ref_pic,
            offset_for_top_to_bottom_field,
            ..
        } => {
            this.pic_order_cnt_type = 1;
            this.offset_for_non_ref_pic = offset_for_non_ref_pic;
            this.offset_for_top_to_bottom_field = offset_for_top_to_bottom_field;
        }
        PictureOrder::Decoding => this.pic_order_cnt_type = 2,
    }
    this
}

fn flags(parameters: &SequenceParameters) -> u32 {
    let delta_always_zero = matches!(
        parameters.picture_order,
        PictureOrder::Cycle {
            delta_always_zero: true,
            ..
        }
    );
    [
        (
            parameters.separate_colour_plane,
            uapi::SPS_SEPARATE_COLOUR_PLANE,
        ),
        (
            parameters.qpprime_y_zero_transform_bypass,
            uapi::SPS_QPPRIME_Y_ZERO_TRANSFORM_BYPASS,
        ),
        (delta_always_zero, uapi::SPS_DELTA_PIC_ORDER_ALWAYS_ZERO),
        (
            parameters.gaps_in_frame_num_value_allowed,
            uapi::SPS_GAPS_IN_FRAME_NUM_VALUE_ALLOWED,
        ),
        (parameters.frame_mbs_only, uapi::SPS_FRAME_MBS_ONLY),
        (
            parameters.mb_adaptive_frame_field,
            uapi::SPS_MB_ADAPTIVE_FRAME_FIELD,
        ),
        (
            parameters.direct_8x8_inference,
            uapi::SPS_DIRECT_8X8_INFERENCE,
        ),
    ]
    .into_iter()
    .filter(|(set, _flag)| *set)
    .fold(0, |flags, (_set, flag)| flags | flag)
}
