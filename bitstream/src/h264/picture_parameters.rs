//! Picture parameter sets (7.3.2.2), and all parameter sets of a stream.

use super::{ScalingLists, SequenceParameters, parse};
use crate::{BitReader, StreamError, Trouble};

/// How macroblocks are dealt out to groups of slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceGroups {
    /// 1 to 7.
    pub num_slice_groups_minus1: u8,
    /// Of the map types 3 to 5, whose groups change: `SliceGroupChangeRate`.
    pub change_rate: Option<u32>,
}

/// A picture parameter set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields have the names of the standard")]
pub struct PictureParameters {
    pub pic_parameter_set_id: u8,
    pub seq_parameter_set_id: u8,
    pub entropy_coding_mode: bool,
    pub bottom_field_pic_order_in_frame_present: bool,
    pub slice_groups: Option<SliceGroups>,
    /// `num_ref_idx_l0_default_active_minus1` and `…l1…`.
    pub num_ref_idx_default_active_minus1: [u8; 2],
    pub weighted_pred: bool,
    pub weighted_bipred_idc: u8,
    pub pic_init_qp_minus26: i8,
    pub pic_init_qs_minus26: i8,
    pub chroma_qp_index_offset: i8,
    pub deblocking_filter_control_present: bool,
    pub constrained_intra_pred: bool,
    pub redundant_pic_cnt_present: bool,
    pub transform_8x8_mode: bool,
    /// `pic_scaling_matrix_present_flag`, and what it is; where it falls back to what its sequence
    /// has, to that which was there when it came.
    pub scaling: Option<Box<ScalingLists>>,
    pub second_chroma_qp_index_offset: i8,
}

impl PictureParameters {
    /// Reads a NAL unit, without its start code. The sequence's parameters tell how many scaling
    /// lists there are, and what those fall back to that are not.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn read(unit: &[u8], sets: &ParameterSets) -> Result<Self, StreamError> {
        let mut bits = BitReader::of_nal_unit(unit);
        let bits = &mut bits;
        bits.skip(8, "nal_unit_header")?;
        let pic_parameter_set_id = parse::ue(bits, 255, "pic_parameter_set_id")?;
        let seq_parameter_set_id = parse::ue(bits, 31, "seq_parameter_set_id")?;
        let entropy_coding_mode = bits.flag("entropy_coding_mode_flag")?;
        let bottom_field_pic_order_in_frame_present =
            bits.flag("bottom_field_pic_order_in_frame_present_flag")?;
        let slice_groups = read_slice_groups(bits)?;
        let mut this = Self {
            pic_parameter_set_id,
            seq_parameter_set_id,
            entropy_coding_mode,
            bottom_field_pic_order_in_frame_present,
            slice_groups,
            num_ref_idx_default_active_minus1: [
                parse::ue(bits, 31, "num_ref_idx_l0_default_active_minus1")?,
                parse::ue(bits, 31, "num_ref_idx_l1_default_active_minus1")?,
            ],
            weighted_pred: bits.flag("weighted_pred_flag")?,
            weighted_bipred_idc: read_weighted_bipred_idc(bits)?,
            // 26 less for each 6 of the deepest samples, which have 14 bits.
            pic_init_qp_minus26: parse::se(bits, -62, 25, "pic_init_qp_minus26")?,
            pic_init_qs_minus26: parse::se(bits, -26, 25, "pic_init_qs_minus26")?,
            chroma_qp_index_offset: parse::se(bits, -12, 12, "chroma_qp_index_offset")?,
            deblocking_filter_control_present: bits
                .flag("deblocking_filter_control_present_flag")?,
            constrained_intra_pred: bits.flag("constrained_intra_pred_flag")?,
            redundant_pic_cnt_present: bits.flag("redundant_pic_cnt_present_flag")?,
            transform_8x8_mode: false,
            scaling: None,
            second_chroma_qp_index_offset: 0,
        };
        this.second_chroma_qp_index_offset = this.chroma_qp_index_offset;
        if bits.more_rbsp_data() {
            this.read_extension(bits, sets.sequence(seq_parameter_set_id))?;
        }
        Ok(this)
    }

    fn read_extension(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: Option<&SequenceParameters>,
    ) -> Result<(), StreamError> {
        self.transform_8x8_mode = bits.flag("transform_8x8_mode_flag")?;
        if bits.flag("pic_scaling_matrix_present_flag")? {
            let count_8x8 = match (self.transform_8x8_mode, sequence) {
                (false, _) => 0,
                (true, Some(sequence)) if sequence.chroma_format_idc == 3 => 6,
                (true, _) => 2,
            };
            let of_sequence = sequence.and_then(|sequence| sequence.scaling.as_deref());
            let fall_back = of_sequence.unwrap_or(&ScalingLists::DEFAULT);
            let lists = ScalingLists::read(bits, count_8x8, fall_back)?;
            self.scaling = Some(Box::new(lists));
        }
        let what = "second_chroma_qp_index_offset";
        self.second_chroma_qp_index_offset = parse::se(bits, -12, 12, what)?;
        Ok(())
    }
}

fn read_weighted_bipred_idc(bits: &mut BitReader<'_>) -> Result<u8, StreamError> {
    let at = bits.position();
    match parse::byte(bits, 2, "weighted_bipred_idc")? {
        3 => parse::not_allowed(at, "weighted_bipred_idc", 3),
        mode => Ok(mode),
    }
}

fn read_slice_groups(bits: &mut BitReader<'_>) -> Result<Option<SliceGroups>, StreamError> {
    let num_slice_groups_minus1: u8 = parse::ue(bits, 7, "num_slice_groups_minus1")?;
    if num_slice_groups_minus1 == 0 {
        return Ok(None);
    }
    let mut change_rate = None;
    match parse::ue(bits, 6, "slice_group_map_type")? {
        0_u8 => {
            for _group in 0..=num_slice_groups_minus1 {
                bits.ue("run_length_minus1")?;
            }
        }
        2 => {
            for _group in 0..num_slice_groups_minus1 {
                bits.ue("top_left")?;
                bits.ue("bottom_right")?;
            }
        }
        3..=5 => {
            bits.skip(1, "slice_group_change_direction_flag")?;
            let rate: u32 = parse::ue(bits, MOST_MAP_UNITS, "slice_group_change_rate_minus1")?;
            change_rate = Some(rate + 1);
        }
        6 => {
            let last: u32 = parse::ue(bits, MOST_MAP_UNITS, "pic_size_in_map_units_minus1")?;
            // As many bits as the largest group's number takes.
            let width = u8::BITS - num_slice_groups_minus1.leading_zeros();
            for _unit in 0..=last {
                bits.bits(width, "slice_group_id")?;
            }
        }
        _ => {}
    }
    Ok(Some(SliceGroups {
        num_slice_groups_minus1,
        change_rate,
    }))
}

/// More than the largest `MaxFS` (A.3.1).
const MOST_MAP_UNITS: u32 = 1 << 18;

/// The parameter sets that a stream has brought.
#[derive(Debug, Default)]
pub struct ParameterSets {
    sequences: Vec<Option<Box<SequenceParameters>>>,
    pictures: Vec<Option<Box<PictureParameters>>>,
}

impl ParameterSets {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a sequence parameter set from a NAL unit.
    ///
    /// # Errors
    /// [`StreamError`]; what was there stays.
    pub fn read_sequence(&mut self, unit: &[u8]) -> Result<(), StreamError> {
        let set = SequenceParameters::read(unit)?;
        let id = set.seq_parameter_set_id;
        put(&mut self.sequences, id, set);
        Ok(())
    }

    /// Takes a picture parameter set from a NAL unit.
    ///
    /// # Errors
    /// [`StreamError`]; what was there stays.
    pub fn read_picture(&mut self, unit: &[u8]) -> Result<(), StreamError> {
        let set = PictureParameters::read(unit, self)?;
        let id = set.pic_parameter_set_id;
        put(&mut self.pictures, id, set);
        Ok(())
    }

    /// The sequence parameter set of a number.
    #[must_use]
    pub fn sequence(&self, id: u8) -> Option<&SequenceParameters> {
        self.sequences.get(usize::from(id))?.as_deref()
    }

    /// The picture parameter set of a number.
    #[must_use]
    pub fn picture(&self, id: u8) -> Option<&PictureParameters> {
        self.pictures.get(usize::from(id))?.as_deref()
    }

    /// Both sets that a picture parameter set's number, before which `at` bits lie, names.
    ///
    /// # Errors
    /// [`Trouble::Unknown`].
    pub fn of_slice(
        &self,
        id: u8,
        at: u64,
    ) -> Result<(&SequenceParameters, &PictureParameters), StreamError> {
        let unknown = |what, found: u8| {
            let found = found.into();
            BitReader::wrong(at, what, Trouble::Unknown { found })
        };
        let picture = self.picture(id);
        let picture = picture.ok_or_else(|| unknown("pic_parameter_set_id", id))?;
        let id = picture.seq_parameter_set_id;
        let sequence = self.sequence(id);
        let sequence = sequence.ok_or_else(|| unknown("seq_parameter_set_id", id))?;
        Ok((sequence, picture))
    }
}

/// Puts a set in its place, in memory that is there where one was before.
fn put<T>(sets: &mut Vec<Option<Box<T>>>, id: u8, set: T) {
    let id = usize::from(id);
    if sets.len() <= id {
        sets.resize_with(id + 1, || None);
    }
    match sets.get_mut(id) {
        Some(Some(old)) => **old = set,
        Some(place) => *place = Some(Box::new(set)),
        None => {}
    }
}
