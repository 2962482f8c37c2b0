//! Slice segment headers (7.3.6, 7.4.7).

mod header;
mod weights;

use super::check;
use super::nal::NalHeader;
use super::reference_set::{LongTermSet, ShortTermSet};
use crate::bits::BitReader;
use crate::error::StreamError;

pub use weights::{ListWeights, PredWeights};

/// The most pictures that a list of references holds: `num_ref_idx_active_minus1` is at most 14.
pub const MAX_ACTIVE: usize = 15;

/// `slice_type` (table 7-7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SliceType {
    /// Predicted from two pictures at most.
    B = 0,
    /// Predicted from one picture at most.
    P = 1,
    /// Predicted within the picture only.
    #[default]
    I = 2,
}

/// How a slice segment header begins: what has to be known to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.6.1")]
pub struct SliceBegin {
    pub nal: NalHeader,
    pub first_slice_segment_in_pic: bool,
    pub no_output_of_prior_pics: bool,
    pub pic_parameter_set_id: u8,
}

/// Reads a slice segment header in two steps, since which parameter sets it needs is said in it.
#[derive(Clone, Debug)]
pub struct SliceReader<'d> {
    bits: BitReader<'d>,
    begin: SliceBegin,
    pps_at: u64,
}

/// What a slice segment header says. That of a dependent segment says most by what came before
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.6.1")]
pub struct SliceSegment {
    pub dependent: bool,
    pub segment_address: u32,
    pub slice_type: SliceType,
    pub pic_output: bool,
    pub colour_plane_id: u8,
    pub pic_order_cnt_lsb: u16,
    /// `short_term_ref_pic_set_idx`, of a set of the sequence parameter set.
    pub short_term_set_index: Option<u8>,
    /// The pictures before and after it that are kept.
    pub short_term: ShortTermSet,
    /// Bits of `st_ref_pic_set()` in the header, without those that keep start codes out.
    pub short_term_set_bits: u16,
    pub long_term: LongTermSet,
    /// Bits of what is under `long_term_ref_pics_present_flag`, without those that keep start
    /// codes out.
    pub long_term_set_bits: u16,
    pub temporal_mvp_enabled: bool,
    pub sao_luma: bool,
    pub sao_chroma: bool,
    /// Of both lists; zero where there is none.
    pub num_ref_idx_active_minus1: [u8; 2],
    /// `list_entry_lX`, where lists are not in their usual order.
    pub list_entries: [Option<[u8; MAX_ACTIVE]>; 2],
    pub mvd_l1_zero: bool,
    pub cabac_init: bool,
    pub collocated_from_l0: bool,
    pub collocated_ref_idx: u8,
    pub pred_weights: Option<PredWeights>,
    pub five_minus_max_num_merge_cand: u8,
    pub use_integer_mv: bool,
    pub qp_delta: i8,
    pub cb_qp_offset: i8,
    pub cr_qp_offset: i8,
    pub act_y_qp_offset: i8,
    pub act_cb_qp_offset: i8,
    pub act_cr_qp_offset: i8,
    pub deblocking_filter_disabled: bool,
    pub beta_offset_div2: i8,
    pub tc_offset_div2: i8,
    pub loop_filter_across_slices_enabled: bool,
    /// How many entry points there are.
    pub num_entry_points: u32,
    /// Bytes of the NAL unit before `slice_segment_data()`.
    pub data_byte_offset: u32,
    /// How many of them only keep start codes out of the data.
    pub emulation_prevention_bytes: u32,
}

impl SliceSegment {
    /// `NumPicTotalCurr` (7-55): pictures that it may use.
    #[must_use]
    pub fn num_pic_total_curr(&self) -> u32 {
        self.short_term.num_used() + self.long_term.num_used()
    }

    /// Whether it says of its picture and those that are kept what another says.
    #[must_use]
    pub fn is_of_same_picture(&self, other: &Self) -> bool {
        let of = |slice: &Self| (slice.pic_order_cnt_lsb, slice.short_term, slice.long_term);
        of(self) == of(other)
    }

    /// Pictures in its lists.
    #[must_use]
    pub fn num_active(&self, list: usize) -> usize {
        let lists = match self.slice_type {
            SliceType::I => 0,
            SliceType::P => 1,
            SliceType::B => 2,
        };
        let told = self.num_ref_idx_active_minus1.get(list);
        told.filter(|_told| list < lists)
            .map_or(0, |minus1| usize::from(*minus1) + 1)
    }
}

impl<'d> SliceReader<'d> {
    /// Begins with a NAL unit, without its start code.
    ///
    /// # Errors
    /// What is wrong with it, at a bit of the NAL unit.
    pub fn new(nal: &'d [u8]) -> Result<Self, StreamError> {
        let mut bits = BitReader::of_nal_unit(nal);
        let nal = NalHeader::read(&mut bits)?;
        let first_slice_segment_in_pic = bits.flag("first_slice_segment_in_pic_flag")?;
        let no_output_of_prior_pics =
            nal.unit_type.is_irap() && bits.flag("no_output_of_prior_pics_flag")?;
        let pps_at = bits.position();
        let pic_parameter_set_id = check::ue8(&mut bits, 63, "slice_pic_parameter_set_id")?;
        let begin = SliceBegin {
            nal,
            first_slice_segment_in_pic,
            no_output_of_prior_pics,
            pic_parameter_set_id,
        };
        Ok(Self {
            bits,
            begin,
            pps_at,
        })
    }

    /// What was read first.
    #[must_use]
    pub const fn begin(&self) -> SliceBegin {
        self.begin
    }

    /// Bits before what names the picture parameter set.
    #[must_use]
    pub const fn parameter_set_at(&self) -> u64 {
        self.pps_at
    }
}
