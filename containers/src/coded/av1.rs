//! AV1: OBUs, what a sequence header says (AV1 specification, 5.3 and 5.5), and the record `av1C`
//! (AV1 Codec ISO Media File Format Binding, 2.3).

use dmaflow_bitstream::obu::{ObuExtent, ObuType, Obus};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::h264::byte;

/// What a sequence header says, as far as it is needed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    profile: u8,
    level: u8,
    tier: bool,
    high_bit_depth: bool,
    twelve_bit: bool,
    monochrome: bool,
    subsampling: (bool, bool),
    chroma_sample_position: u8,
    pub(crate) size: (u32, u32),
}

/// The first sequence header of a temporal unit, as OBU and as payload.
pub(crate) fn sequence_header(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut obus = Obus::new(data).map_while(Result::ok);
    let obu = obus.find(|obu| obu.header.obu_type == ObuType::SequenceHeader)?;
    let end = obu.payload_offset + obu.payload.len();
    Some((data.get(obu.offset..end)?, obu.payload))
}

/// Bytes of the temporal delimiter that begins a temporal unit, which files leave out.
pub(crate) fn temporal_delimiter(data: &[u8]) -> usize {
    match ObuExtent::parse(data) {
        Ok(obu)
            if obu.header.obu_type == ObuType::TemporalDelimiter
                && obu.header.has_size
                && obu.len == obu.payload =>
        {
            obu.len
        }
        _ => 0,
    }
}

/// Of a sequence header's payload.
///
/// # Errors
/// Where it is cut.
pub(crate) fn sequence(payload: &[u8]) -> Result<Sequence, StreamError> {
    let mut bits = BitReader::new(payload);
    let mut sequence = Sequence {
        profile: byte(bits.bits(3, "seq_profile")?),
        ..Sequence::default()
    };
    bits.skip(1, "still_picture")?;
    let reduced = bits.flag("reduced_still_picture_header")?;
    if reduced {
        sequence.level = byte(bits.bits(5, "seq_level_idx")?);
    } else {
        operating_points(&mut bits, &mut sequence)?;
    }
    let width_bits = bits.bits(4, "frame_width_bits_minus_1")? + 1;
    let height_bits = bits.bits(4, "frame_height_bits_minus_1")? + 1;
    let width = bits.bits(width_bits, "max_frame_width_minus_1")? + 1;
    let height = bits.bits(height_bits, "max_frame_height_minus_1")? + 1;
    sequence.size = (width, height);
    tools(&mut bits, reduced)?;
    colours(&mut bits, &mut sequence)?;
    Ok(sequence)
}

/// Times, decoder model and operating points, of which the first says the level.
fn operating_points(bits: &mut BitReader<'_>, sequence: &mut Sequence) -> Result<(), StreamError> {
    let mut delay_bits = None;
    if bits.flag("timing_info_present_flag")? {
        bits.skip(64, "time_scale")?;
        if bits.flag("equal_picture_interval")? {
            unsigned_variable(bits)?;
        }
        if bits.flag("decoder_model_info_present_flag")? {
            delay_bits = Some(bits.bits(5, "buffer_delay_length_minus_1")? + 1);
            bits.skip(32 + 5 + 5, "frame_presentation_time_length_minus_1")?;
        }
    }
    let delay_present = bits.flag("initial_display_delay_present_flag")?;
    let count = bits.bits(5, "operating_points_cnt_minus_1")? + 1;
    for point in 0..count {
        bits.skip(12, "operating_point_idc")?;
        let level = byte(bits.bits(5, "seq_level_idx")?);
        let tier = level > 7 && bits.flag("seq_tier")?;
        if point == 0 {
            sequence.level = level;
            sequence.tier = tier;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag("decoder_model_present_for_this_op")?
        {
            bits.skip(2 * delay_bits + 1, "low_delay_mode_flag")?;
        }
        if delay_present && bits.flag("initial_display_delay_present_for_this_op")? {
            bits.skip(4, "initial_display_delay_minus_1")?;
        }
    }
    Ok(())
}

/// Passes over the flags between size and colours.
fn tools(bits: &mut BitReader<'_>, reduced: bool) -> Result<(), StreamError> {
    if !reduced && bits.flag("frame_id_numbers_present_flag")? {
        bits.skip(4 + 3, "additional_frame_id_length_minus_1")?;
    }
    // Superblocks of 128, filter_intra, intra_edge_filter.
    bits.skip(3, "enable_intra_edge_filter")?;
    if !reduced {
        // Interintra, masked compound, warped motion, dual filter.
        bits.skip(4, "enable_dual_filter")?;
        let order_hint = bits.flag("enable_order_hint")?;
        if order_hint {
            bits.skip(2, "enable_ref_frame_mvs")?;
        }
        let chosen = bits.flag("seq_choose_screen_content_tools")?;
        if (chosen || bits.flag("seq_force_screen_content_tools")?)
            && !bits.flag("seq_choose_integer_mv")?
        {
            bits.skip(1, "seq_force_integer_mv")?;
        }
        if order_hint {
            bits.skip(3, "order_hint_bits_minus_1")?;
        }
    }
    // Super resolution, CDEF, restoration.
    bits.skip(3, "enable_restoration")
}

fn colours(bits: &mut BitReader<'_>, sequence: &mut Sequence) -> Result<(), StreamError> {
    const SRGB: [u32; 3] = [1, 13, 0];
    sequence.high_bit_depth = bits.flag("high_bitdepth")?;
    sequence.twelve_bit =
        sequence.profile == 2 && sequence.high_bit_depth && bits.flag("twelve_bit")?;
    sequence.monochrome = sequence.profile != 1 && bits.flag("mono_chrome")?;
    let mut described = [2; 3];
    if bits.flag("color_description_present_flag")? {
        for part in &mut described {
            *part = bits.bits(8, "matrix_coefficients")?;
        }
    }
    if sequence.monochrome {
        sequence.subsampling = (true, true);
        return bits.skip(1, "color_range");
    }
    if described == SRGB {
        return Ok(());
    }
    bits.skip(1, "color_range")?;
    sequence.subsampling = match (sequence.profile, sequence.twelve_bit) {
        (0, _) => (true, true),
        (1, _) => (false, false),
        (_, false) => (true, false),
        (_, true) => {
            let across = bits.flag("subsampling_x")?;
            (across, across && bits.flag("subsampling_y")?)
        }
    };
    if sequence.subsampling == (true, true) {
        sequence.chroma_sample_position = byte(bits.bits(2, "chroma_sample_position")?);
    }
    Ok(())
}

/// `uvlc()` (4.10.3), passed over.
fn unsigned_variable(bits: &mut BitReader<'_>) -> Result<(), StreamError> {
    let begin = bits.position();
    let mut zeros = 0;
    while !bits.flag("num_ticks_per_picture_minus_1")? {
        zeros += 1;
        if zeros > 32 {
            let found = i64::from(zeros);
            let trouble = Trouble::NotAllowed { found };
            return Err(BitReader::wrong(
                begin,
                "num_ticks_per_picture_minus_1",
                trouble,
            ));
        }
    }
    if zeros < 32 {
        bits.skip(zeros, "num_ticks_per_picture_minus_1")?;
    }
    Ok(())
}

/// The record `av1C` of a sequence header's OBU.
pub(crate) fn record(sequence: &Sequence, obu: &[u8]) -> Vec<u8> {
    let flags = [
        sequence.tier,
        sequence.high_bit_depth,
        sequence.twelve_bit,
        sequence.monochrome,
        sequence.subsampling.0,
        sequence.subsampling.1,
    ];
    let flags = flags.iter().fold(0, |all, &flag| all << 1 | u8::from(flag));
    let mut record = vec![
        0x81,
        sequence.profile << 5 | sequence.level & 31,
        flags << 2 | sequence.chroma_sample_position & 3,
        0,
    ];
    record.extend_from_slice(obu);
    record
}
