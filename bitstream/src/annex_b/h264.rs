//! As much of H.264 as tells one picture from the next (7.4.1.2.4).

use crate::bits::BitReader;
use crate::error::{StreamError, Trouble};

/// The most macroblocks that a picture of any level has (table A-1).
const MOST_MAP_UNITS: u32 = 139_264;

/// Parameter sets, as far as they tell how slices are read, and the picture at work.
#[derive(Clone, Debug, Default)]
pub(super) struct Pictures {
    sequences: [Option<Sequence>; 32],
    parameters: Vec<Option<Parameters>>,
    current: Option<Current>,
}

/// What a slice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// Of the picture at work, or not to be read.
    Same,
    /// The first of the second field of the frame at work.
    SecondField,
    /// The first of another picture.
    First,
}

/// Of a sequence parameter set (7.3.2.1.1).
#[derive(Clone, Copy, Debug)]
struct Sequence {
    separate_colour_planes: bool,
    frame_num_bits: u32,
    order_count: OrderCount,
    frames_only: bool,
}

#[derive(Clone, Copy, Debug)]
enum OrderCount {
    Lsb { bits: u32 },
    Deltas,
    None,
}

/// Of a picture parameter set (7.3.2.2).
#[derive(Clone, Copy, Debug)]
struct Parameters {
    sequence: u32,
    order_in_frames: bool,
    redundant: bool,
}

/// The picture at work, by the first slice of it.
#[derive(Clone, Copy, Debug)]
struct Current {
    header: Option<Header>,
    /// Its first field is whole, or it is a frame: no second field follows.
    paired: bool,
}

/// What 7.4.1.2.4 compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    is_reference: bool,
    idr_pic_id: Option<u32>,
    pic_parameter_set_id: u32,
    frame_num: u32,
    bottom_field: Option<bool>,
    order_count: [i32; 2],
}

impl Header {
    fn is_second_field_of(&self, first: &Self) -> bool {
        self.bottom_field.is_some()
            && first.bottom_field == self.bottom_field.map(|bottom| !bottom)
            && first.frame_num == self.frame_num
            && first.is_reference == self.is_reference
            && self.idr_pic_id.is_none()
    }
}

impl Pictures {
    pub(super) fn restart(&mut self) {
        self.current = None;
    }

    pub(super) fn may_have_second_field(&self) -> bool {
        self.current.is_some_and(|current| !current.paired)
    }

    /// Keeps a parameter set; one that cannot be read is dropped, and its pictures are told apart
    /// by the first macroblock of their slices.
    pub(super) fn parameter_set(&mut self, nal: &[u8]) {
        let payload = nal.get(1..).unwrap_or_default();
        let mut bits = BitReader::of_nal_unit(payload);
        if nal.first().is_some_and(|first| first & 0x1f == 7) {
            if let Ok((id, sequence)) = sequence(&mut bits)
                && let Some(place) = self.sequences.get_mut(id as usize)
            {
                *place = Some(sequence);
            }
        } else if let Ok((id, parameters)) = parameters(&mut bits) {
            let id = id as usize;
            if self.parameters.len() <= id {
                self.parameters.resize(id + 1, None);
            }
            if let Some(place) = self.parameters.get_mut(id) {
                *place = Some(parameters);
            }
        }
    }

    pub(super) fn slice(&mut self, nal: &[u8]) -> Slice {
        let mut bits = BitReader::of_nal_unit(nal.get(1..).unwrap_or_default());
        let Ok(first_mb_in_slice) = bits.ue("first_mb_in_slice") else {
            return Slice::Same;
        };
        let header = self.header(nal, &mut bits);
        let last = self.current;
        let new = match (header, last.and_then(|last| last.header)) {
            (Ok(None), _) => return Slice::Same,
            (Ok(Some(header)), Some(last)) => header != last,
            _ => first_mb_in_slice == 0 || last.is_none(),
        };
        if !new {
            return Slice::Same;
        }
        let header = header.ok().flatten();
        let second_field = match (header, last) {
            (Some(header), Some(last)) if !last.paired => last
                .header
                .is_some_and(|first| header.is_second_field_of(&first)),
            _ => false,
        };
        let is_field = header.is_some_and(|header| header.bottom_field.is_some());
        self.current = Some(Current {
            header,
            paired: second_field || !is_field,
        });
        if second_field {
            Slice::SecondField
        } else {
            Slice::First
        }
    }

    /// The beginning of a slice header (7.3.3); none of a redundant picture.
    fn header(&self, nal: &[u8], bits: &mut BitReader<'_>) -> Result<Option<Header>, StreamError> {
        let first = nal.first().copied().unwrap_or_default();
        bits.ue("slice_type")?;
        let at = bits.position();
        let id = bits.ue("pic_parameter_set_id")?;
        let unknown = |what, id: u32| {
            let found = id.into();
            BitReader::wrong(at, what, Trouble::Unknown { found })
        };
        let parameters = self.parameters.get(id as usize).copied().flatten();
        let parameters = parameters.ok_or_else(|| unknown("pic_parameter_set_id", id))?;
        let sequence = self.sequences.get(parameters.sequence as usize);
        let sequence = sequence.copied().flatten();
        let sequence =
            sequence.ok_or_else(|| unknown("seq_parameter_set_id", parameters.sequence))?;
        if sequence.separate_colour_planes {
            bits.skip(2, "colour_plane_id")?;
        }
        let frame_num = bits.bits(sequence.frame_num_bits, "frame_num")?;
        let mut bottom_field = None;
        if !sequence.frames_only && bits.flag("field_pic_flag")? {
            bottom_field = Some(bits.flag("bottom_field_flag")?);
        }
        let mut idr_pic_id = None;
        if first & 0x1f == 5 {
            idr_pic_id = Some(bits.ue("idr_pic_id")?);
        }
        let both = parameters.order_in_frames && bottom_field.is_none();
        let mut order_count = [0; 2];
        match sequence.order_count {
            OrderCount::Lsb { bits: count } => {
                let lsb = bits.bits(count, "pic_order_cnt_lsb")?;
                let bottom = if both {
                    bits.se("delta_pic_order_cnt_bottom")?
                } else {
                    0
                };
                order_count = [lsb.cast_signed(), bottom];
            }
            OrderCount::Deltas => {
                let top = bits.se("delta_pic_order_cnt[0]")?;
                let bottom = if both {
                    bits.se("delta_pic_order_cnt[1]")?
                } else {
                    0
                };
                order_count = [top, bottom];
            }
            OrderCount::None => {}
        }
        if parameters.redundant && bits.ue("redundant_pic_cnt")? > 0 {
            return Ok(None);
        }
        Ok(Some(Header {
            is_reference: first & 0x60 != 0,
            idr_pic_id,
            pic_parameter_set_id: id,
            frame_num,
            bottom_field,
            order_count,
        }))
    }
}

fn sequence(bits: &mut BitReader<'_>) -> Result<(u32, Sequence), StreamError> {
    let profile_idc = bits.bits(8, "profile_idc")?;
    bits.skip(16, "constraint_set_flags")?;
    let id = at_most(bits, 31, "seq_parameter_set_id")?;
    let mut separate_colour_planes = false;
    let high = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
    if high.contains(&profile_idc) {
        let chroma_format_idc = at_most(bits, 3, "chroma_format_idc")?;
        if chroma_format_idc == 3 {
            separate_colour_planes = bits.flag("separate_colour_plane_flag")?;
        }
        bits.ue("bit_depth_luma_minus8")?;
        bits.ue("bit_depth_chroma_minus8")?;
        bits.skip(1, "qpprime_y_zero_transform_bypass_flag")?;
        if bits.flag("seq_scaling_matrix_present_flag")? {
            let lists = if chroma_format_idc == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.flag("seq_scaling_list_present_flag")? {
                    scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let frame_num_bits = at_most(bits, 12, "log2_max_frame_num_minus4")? + 4;
    let order_count = match at_most(bits, 2, "pic_order_cnt_type")? {
        0 => OrderCount::Lsb {
            bits: at_most(bits, 12, "log2_max_pic_order_cnt_lsb_minus4")? + 4,
        },
        1 => {
            let none = bits.flag("delta_pic_order_always_zero_flag")?;
            bits.se("offset_for_non_ref_pic")?;
            bits.se("offset_for_top_to_bottom_field")?;
            for _frame in 0..at_most(bits, 255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                bits.se("offset_for_ref_frame")?;
            }
            if none {
                OrderCount::None
            } else {
                OrderCount::Deltas
            }
        }
        _ => OrderCount::None,
    };
    bits.ue("max_num_ref_frames")?;
    bits.skip(1, "gaps_in_frame_num_value_allowed_flag")?;
    bits.ue("pic_width_in_mbs_minus1")?;
    bits.ue("pic_height_in_map_units_minus1")?;
    let frames_only = bits.flag("frame_mbs_only_flag")?;
    let sequence = Sequence {
        separate_colour_planes,
        frame_num_bits,
        order_count,
        frames_only,
    };
    Ok((id, sequence))
}

/// `scaling_list()` (7.3.2.1.1.1), passed over.
fn scaling_list(bits: &mut BitReader<'_>, len: u32) -> Result<(), StreamError> {
    let mut last = 8_i64;
    for _at in 0..len {
        let delta = bits.se("delta_scale")?;
        last = (last + i64::from(delta) + 256).rem_euclid(256);
        if last == 0 {
            break;
        }
    }
    Ok(())
}

fn parameters(bits: &mut BitReader<'_>) -> Result<(u32, Parameters), StreamError> {
    let id = at_most(bits, 255, "pic_parameter_set_id")?;
    let sequence = at_most(bits, 31, "seq_parameter_set_id")?;
    bits.skip(1, "entropy_coding_mode_flag")?;
    let order_in_frames = bits.flag("bottom_field_pic_order_in_frame_present_flag")?;
    slice_groups(bits)?;
    bits.ue("num_ref_idx_l0_default_active_minus1")?;
    bits.ue("num_ref_idx_l1_default_active_minus1")?;
    bits.skip(3, "weighted_pred_flag")?;
    bits.se("pic_init_qp_minus26")?;
    bits.se("pic_init_qs_minus26")?;
    bits.se("chroma_qp_index_offset")?;
    bits.skip(2, "deblocking_filter_control_present_flag")?;
    let redundant = bits.flag("redundant_pic_cnt_present_flag")?;
    let parameters = Parameters {
        sequence,
        order_in_frames,
        redundant,
    };
    Ok((id, parameters))
}

/// Slice groups (7.3.2.2), passed over.
fn slice_groups(bits: &mut BitReader<'_>) -> Result<(), StreamError> {
    let groups = at_most(bits, 7, "num_slice_groups_minus1")? + 1;
    if groups == 1 {
        return Ok(());
    }
    match at_most(bits, 6, "slice_group_map_type")? {
        0 => {
            for _group in 0..groups {
                bits.ue("run_length_minus1")?;
            }
        }
        2 => {
            for _group in 1..groups {
                bits.ue("top_left")?;
                bits.ue("bottom_right")?;
            }
        }
        3..=5 => {
            bits.skip(1, "slice_group_change_direction_flag")?;
            bits.ue("slice_group_change_rate_minus1")?;
        }
        6 => {
            let count = at_most(bits, MOST_MAP_UNITS, "pic_size_in_map_units_minus1")?;
            let each = u32::BITS - (groups - 1).leading_zeros();
            for _unit in 0..=count {
                bits.skip(each, "slice_group_id")?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn at_most(bits: &mut BitReader<'_>, most: u32, what: &'static str) -> Result<u32, StreamError> {
    let at = bits.position();
    let found = bits.ue(what)?;
    if found > most {
        let found = found.into();
        return Err(BitReader::wrong(at, what, Trouble::NotAllowed { found }));
    }
    Ok(found)
}
