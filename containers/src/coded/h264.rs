//! H.264: what its sequence parameter set says, and the record `avcC` (ISO/IEC 14496-15, 5.3.3.1).

use dmaflow_bitstream::{BitReader, StreamError, Trouble};

/// `nal_unit_type` of what describes a stream.
pub(crate) const SEQUENCE_PARAMETER_SET: u8 = 7;
pub(crate) const PICTURE_PARAMETER_SET: u8 = 8;
pub(crate) const SEQUENCE_PARAMETER_SET_EXTENSION: u8 = 13;

/// Profiles whose parameter sets state chroma format and depth (7.3.2.1.1).
const HIGH: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// What a sequence parameter set says, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) chroma_format_idc: u8,
    pub(crate) bit_depth_luma_minus8: u8,
    pub(crate) bit_depth_chroma_minus8: u8,
    pub(crate) size: (u32, u32),
    /// Whether the record `avcC` has to repeat chroma format and depth.
    high: bool,
}

/// Which kind of NAL unit begins with this byte.
pub(crate) const fn nal_unit_type(first: u8) -> u8 {
    first & 0x1f
}

/// Of a NAL unit without its start code.
///
/// # Errors
/// Where it is cut or not allowed.
pub(crate) fn sequence(nal: &[u8]) -> Result<Sequence, StreamError> {
    let mut bits = BitReader::of_nal_unit(nal);
    bits.skip(8, "nal_unit_header")?;
    let profile_idc = byte(bits.bits(8, "profile_idc")?);
    bits.skip(16, "level_idc")?;
    bits.ue("seq_parameter_set_id")?;
    let high = HIGH.contains(&profile_idc);
    let mut sequence = Sequence {
        chroma_format_idc: 1,
        bit_depth_luma_minus8: 0,
        bit_depth_chroma_minus8: 0,
        size: (0, 0),
        high: matches!(profile_idc, 100 | 110 | 122 | 144 | 244 | 44),
    };
    let mut separate = false;
    if high {
        sequence.chroma_format_idc = at_most(&mut bits, 3, "chroma_format_idc")?;
        if sequence.chroma_format_idc == 3 {
            separate = bits.flag("separate_colour_plane_flag")?;
        }
        sequence.bit_depth_luma_minus8 = at_most(&mut bits, 6, "bit_depth_luma_minus8")?;
        sequence.bit_depth_chroma_minus8 = at_most(&mut bits, 6, "bit_depth_chroma_minus8")?;
        bits.skip(1, "qpprime_y_zero_transform_bypass_flag")?;
        if bits.flag("seq_scaling_matrix_present_flag")? {
            scaling_lists(&mut bits, sequence.chroma_format_idc)?;
        }
    }
    bits.ue("log2_max_frame_num_minus4")?;
    picture_order_count(&mut bits)?;
    bits.ue("max_num_ref_frames")?;
    bits.skip(1, "gaps_in_frame_num_value_allowed_flag")?;
    let chroma = if separate {
        0
    } else {
        sequence.chroma_format_idc
    };
    sequence.size = size(&mut bits, chroma)?;
    Ok(sequence)
}

fn scaling_lists(bits: &mut BitReader<'_>, chroma_format_idc: u8) -> Result<(), StreamError> {
    for list in 0..if chroma_format_idc == 3 { 12 } else { 8 } {
        if !bits.flag("seq_scaling_list_present_flag")? {
            continue;
        }
        let mut last = 8_i32;
        for _at in 0..if list < 6 { 16 } else { 64 } {
            let delta = bits.se("delta_scale")?;
            last = last.wrapping_add(delta).rem_euclid(256);
            if last == 0 {
                break;
            }
        }
    }
    Ok(())
}

fn picture_order_count(bits: &mut BitReader<'_>) -> Result<(), StreamError> {
    match bits.ue("pic_order_cnt_type")? {
        0 => {
            bits.ue("log2_max_pic_order_cnt_lsb_minus4")?;
        }
        1 => {
            bits.skip(1, "delta_pic_order_always_zero_flag")?;
            bits.se("offset_for_non_ref_pic")?;
            bits.se("offset_for_top_to_bottom_field")?;
            let frames = at_most(bits, 255, "num_ref_frames_in_pic_order_cnt_cycle")?;
            for _frame in 0..frames {
                bits.se("offset_for_ref_frame")?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Width and height as they are to be shown.
fn size(bits: &mut BitReader<'_>, chroma_array_type: u8) -> Result<(u32, u32), StreamError> {
    let begin = bits.position();
    let width = u64::from(bits.ue("pic_width_in_mbs_minus1")?) * 16 + 16;
    let map_units = u64::from(bits.ue("pic_height_in_map_units_minus1")?) * 16 + 16;
    let frame_mbs_only = bits.flag("frame_mbs_only_flag")?;
    let fields = if frame_mbs_only { 1 } else { 2 };
    if !frame_mbs_only {
        bits.skip(1, "mb_adaptive_frame_field_flag")?;
    }
    bits.skip(1, "direct_8x8_inference_flag")?;
    let mut crop = [0_u64; 4];
    if bits.flag("frame_cropping_flag")? {
        for side in &mut crop {
            *side = u64::from(bits.ue("frame_crop_offset")?);
        }
    }
    let (across, down) = match chroma_array_type {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let [left, right, top, bottom] = crop;
    let shown = |whole: u64, cut: u64| u32::try_from(whole.checked_sub(cut)?).ok();
    shown(width, (left + right) * across)
        .zip(shown(map_units * fields, (top + bottom) * down))
        .filter(|&(width, height)| width > 0 && height > 0)
        .ok_or(BitReader::wrong(
            begin,
            "frame_crop_offset",
            Trouble::NotAllowed { found: 0 },
        ))
}

/// The record `avcC` of parameter sets, each without its start code; none without a sequence
/// parameter set.
///
/// # Errors
/// Where the sequence parameter set is cut or not allowed.
pub(crate) fn record(
    sequences: &[&[u8]],
    pictures: &[&[u8]],
    extensions: &[&[u8]],
) -> Result<Option<Vec<u8>>, StreamError> {
    let Some(&[_, profile, constraints, level, ..]) = sequences.first().copied() else {
        return Ok(None);
    };
    let first = sequence(sequences.first().copied().unwrap_or_default())?;
    // Version, and NAL units behind lengths of four bytes.
    let mut record = vec![1, profile, constraints, level, 0xff];
    list(&mut record, 0xe0, 31, sequences);
    list(&mut record, 0, 255, pictures);
    if first.high {
        record.push(0xfc | first.chroma_format_idc);
        record.push(0xf8 | first.bit_depth_luma_minus8);
        record.push(0xf8 | first.bit_depth_chroma_minus8);
        list(&mut record, 0, 255, extensions);
    }
    Ok(Some(record))
}

/// A count over reserved bits, then NAL units behind lengths of two bytes; what does not fit into
/// either is left out.
fn list(record: &mut Vec<u8>, reserved: u8, most: u8, nals: &[&[u8]]) {
    let at = record.len();
    record.push(reserved);
    let mut count = 0;
    for nal in nals {
        if let Ok(length) = u16::try_from(nal.len())
            && count < most
        {
            record.extend(length.to_be_bytes());
            record.extend_from_slice(nal);
            count += 1;
        }
    }
    if let Some(place) = record.get_mut(at) {
        *place |= count;
    }
}

pub(super) fn at_most(
    bits: &mut BitReader<'_>,
    most: u8,
    what: &'static str,
) -> Result<u8, StreamError> {
    let begin = bits.position();
    let value = bits.ue(what)?;
    u8::try_from(value)
        .ok()
        .filter(|&value| value <= most)
        .ok_or(BitReader::wrong(
            begin,
            what,
            Trouble::NotAllowed {
                found: value.into(),
            },
        ))
}

/// Of a value that was read of at most eight bits.
pub(super) fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}
