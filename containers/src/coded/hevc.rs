//! HEVC: what its sequence parameter set says, and the record `hvcC` (ISO/IEC 14496-15, 8.3.3.1).

use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::h264::{at_most, byte};

/// `nal_unit_type` of what describes a stream.
pub(crate) const VIDEO_PARAMETER_SET: u8 = 32;
pub(crate) const SEQUENCE_PARAMETER_SET: u8 = 33;
pub(crate) const PICTURE_PARAMETER_SET: u8 = 34;

/// Bytes of a general profile, tier and level in a parameter set and in the record.
const GENERAL: usize = 12;

/// What a sequence parameter set says, as far as it is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    general: [u8; GENERAL],
    max_sub_layers_minus1: u8,
    temporal_id_nesting: bool,
    chroma_format_idc: u8,
    bit_depth_luma_minus8: u8,
    bit_depth_chroma_minus8: u8,
    pub(crate) size: (u32, u32),
}

/// Which kind of NAL unit begins with this byte.
pub(crate) const fn nal_unit_type(first: u8) -> u8 {
    first >> 1 & 0x3f
}

/// Of a NAL unit without its start code.
///
/// # Errors
/// Where it is cut or not allowed.
pub(crate) fn sequence(nal: &[u8]) -> Result<Sequence, StreamError> {
    let mut bits = BitReader::of_nal_unit(nal);
    bits.skip(16 + 4, "sps_video_parameter_set_id")?;
    let begin = bits.position();
    let max_sub_layers_minus1 = byte(bits.bits(3, "sps_max_sub_layers_minus1")?);
    if max_sub_layers_minus1 > 6 {
        let found = max_sub_layers_minus1.into();
        let trouble = Trouble::NotAllowed { found };
        return Err(BitReader::wrong(
            begin,
            "sps_max_sub_layers_minus1",
            trouble,
        ));
    }
    let temporal_id_nesting = bits.flag("sps_temporal_id_nesting_flag")?;
    let mut general = [0; GENERAL];
    for part in &mut general {
        *part = byte(bits.bits(8, "profile_tier_level")?);
    }
    sub_layers(&mut bits, max_sub_layers_minus1)?;
    bits.ue("sps_seq_parameter_set_id")?;
    let chroma_format_idc = at_most(&mut bits, 3, "chroma_format_idc")?;
    let separate = chroma_format_idc == 3 && bits.flag("separate_colour_plane_flag")?;
    let chroma = if separate { 0 } else { chroma_format_idc };
    let size = size(&mut bits, chroma)?;
    Ok(Sequence {
        general,
        max_sub_layers_minus1,
        temporal_id_nesting,
        chroma_format_idc,
        bit_depth_luma_minus8: at_most(&mut bits, 8, "bit_depth_luma_minus8")?,
        bit_depth_chroma_minus8: at_most(&mut bits, 8, "bit_depth_chroma_minus8")?,
        size,
    })
}

/// Passes over the profiles and levels of sub-layers (7.3.3).
fn sub_layers(bits: &mut BitReader<'_>, count: u8) -> Result<(), StreamError> {
    let mut wide = 0;
    for _layer in 0..count {
        if bits.flag("sub_layer_profile_present_flag")? {
            wide += 88;
        }
        if bits.flag("sub_layer_level_present_flag")? {
            wide += 8;
        }
    }
    if count > 0 {
        wide += u32::from(8 - count) * 2;
    }
    bits.skip(wide, "sub_layer_level_idc")
}

/// Width and height as they are to be shown.
fn size(bits: &mut BitReader<'_>, chroma_array_type: u8) -> Result<(u32, u32), StreamError> {
    let begin = bits.position();
    let width = bits.ue("pic_width_in_luma_samples")?;
    let height = bits.ue("pic_height_in_luma_samples")?;
    let mut window = [0_u64; 4];
    if bits.flag("conformance_window_flag")? {
        for side in &mut window {
            *side = u64::from(bits.ue("conf_win_offset")?);
        }
    }
    let (across, down) = match chroma_array_type {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let [left, right, top, bottom] = window;
    let shown = |whole: u32, cut: u64| u32::try_from(u64::from(whole).checked_sub(cut)?).ok();
    shown(width, (left + right) * across)
        .zip(shown(height, (top + bottom) * down))
        .filter(|&(width, height)| width > 0 && height > 0)
        .ok_or(BitReader::wrong(
            begin,
            "conf_win_offset",
            Trouble::NotAllowed { found: 0 },
        ))
}

/// The record `hvcC` of parameter sets, each without its start code: of the video, of sequences,
/// of pictures; none without a sequence parameter set.
///
/// # Errors
/// Where the sequence parameter set is cut or not allowed.
pub(crate) fn record(
    videos: &[&[u8]],
    sequences: &[&[u8]],
    pictures: &[&[u8]],
) -> Result<Option<Vec<u8>>, StreamError> {
    let Some(first) = sequences.first() else {
        return Ok(None);
    };
    let first = sequence(first)?;
    let mut record = vec![1];
    record.extend(first.general);
    // No minimum of spatial segments, no parallelism told.
    record.extend([0xf0, 0, 0xfc]);
    record.push(0xfc | first.chroma_format_idc);
    record.push(0xf8 | first.bit_depth_luma_minus8);
    record.push(0xf8 | first.bit_depth_chroma_minus8);
    // No average frame rate; lengths of four bytes.
    record.extend([0, 0]);
    let layers = (first.max_sub_layers_minus1 + 1) << 3;
    record.push(layers | u8::from(first.temporal_id_nesting) << 2 | 3);
    let arrays = [
        (VIDEO_PARAMETER_SET, videos),
        (SEQUENCE_PARAMETER_SET, sequences),
        (PICTURE_PARAMETER_SET, pictures),
    ];
    let count = arrays.iter().filter(|(_, nals)| !nals.is_empty()).count();
    record.push(u8::try_from(count).unwrap_or_default());
    for (kind, nals) in arrays {
        if nals.is_empty() {
            continue;
        }
        let fitting = |nal: &&&[u8]| nal.len() <= usize::from(u16::MAX);
        let count = nals
            .iter()
            .filter(fitting)
            .count()
            .min(usize::from(u16::MAX));
        // All of the kind are here.
        record.push(0x80 | kind);
        record.extend(u16::try_from(count).unwrap_or_default().to_be_bytes());
        for nal in nals.iter().filter(fitting).take(count) {
            record.extend(u16::try_from(nal.len()).unwrap_or_default().to_be_bytes());
            record.extend_from_slice(nal);
        }
    }
    Ok(Some(record))
}
