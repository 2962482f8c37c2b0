//! Slice headers (7.3.3).

mod lists;
mod marking;

pub use lists::{Modification, PredictionWeights, Weight};
pub use marking::{Marking, MemoryControl};

use super::{
    Few, NalHeader, ParameterSets, PictureOrder, PictureParameters, SequenceParameters, parse,
};
use crate::{BitReader, StreamError, Trouble};

/// How the blocks of a slice are predicted; numbered as in table 7-6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "they have the names of the standard")]
pub enum SliceType {
    P = 0,
    B = 1,
    #[default]
    I = 2,
    Sp = 3,
    Si = 4,
}

impl SliceType {
    /// Whether blocks are predicted from nothing but their own picture.
    #[must_use]
    pub const fn is_intra(self) -> bool {
        matches!(self, Self::I | Self::Si)
    }
}

/// What a slice is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Structure {
    /// A frame, both fields at once.
    #[default]
    Frame,
    /// The field with the top row.
    TopField,
    /// The other field.
    BottomField,
}

impl Structure {
    /// Whether it is one of two fields.
    #[must_use]
    pub const fn is_field(self) -> bool {
        !matches!(self, Self::Frame)
    }
}

/// A slice header. What is not in it has the value that 7.4.3 infers, or 0.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "fields have the names of the standard")]
pub struct SliceHeader {
    pub nal_ref_idc: u8,
    /// `IdrPicFlag`.
    pub idr: bool,
    pub first_mb_in_slice: u32,
    pub slice_type: SliceType,
    pub pic_parameter_set_id: u8,
    pub colour_plane_id: u8,
    pub frame_num: u32,
    pub structure: Structure,
    pub idr_pic_id: u32,
    pub pic_order_cnt_lsb: u32,
    pub delta_pic_order_cnt_bottom: i32,
    pub delta_pic_order_cnt: [i32; 2],
    pub redundant_pic_cnt: u8,
    pub direct_spatial_mv_pred: bool,
    /// `num_ref_idx_l0_active_minus1` and `…l1…`, of the lists that the slice has.
    pub num_ref_idx_active_minus1: [u8; 2],
    /// `ref_pic_list_modification`, of both lists.
    pub modifications: [Few<Modification, 32>; 2],
    /// `pred_weight_table`, where there is one.
    pub weights: Option<PredictionWeights>,
    pub marking: Marking,
    pub cabac_init_idc: u8,
    pub slice_qp_delta: i8,
    pub sp_for_switch: bool,
    pub slice_qs_delta: i8,
    pub disable_deblocking_filter_idc: u8,
    pub slice_alpha_c0_offset_div2: i8,
    pub slice_beta_offset_div2: i8,
    pub slice_group_change_cycle: u32,
    /// Bits of the NAL unit before the slice's data, its first byte counted, without bytes that
    /// only keep start codes out of it.
    pub header_bits: u32,
    /// Bits of all that has to do with the picture's order, counted so too.
    pub pic_order_cnt_bits: u32,
    /// Bits of `dec_ref_pic_marking()`, counted so too.
    pub marking_bits: u32,
}

impl SliceHeader {
    /// Reads a NAL unit, without its start code.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn read(unit: &[u8], sets: &ParameterSets) -> Result<Self, StreamError> {
        let Some(nal) = NalHeader::of(unit) else {
            return Err(BitReader::wrong(0, "nal_unit_header", Trouble::Ends));
        };
        let mut bits = BitReader::of_nal_unit(unit);
        let bits = &mut bits;
        bits.skip(8, "nal_unit_header")?;
        let mut this = Self {
            nal_ref_idc: nal.nal_ref_idc,
            idr: nal.nal_unit_type == NalHeader::IDR,
            first_mb_in_slice: bits.ue("first_mb_in_slice")?,
            slice_type: read_slice_type(bits)?,
            ..Self::default()
        };
        let at = bits.position();
        this.pic_parameter_set_id = parse::ue(bits, 255, "pic_parameter_set_id")?;
        let (sequence, picture) = sets.of_slice(this.pic_parameter_set_id, at)?;
        if sequence.separate_colour_plane {
            this.colour_plane_id = read_colour_plane(bits)?;
        }
        this.frame_num = bits.bits(sequence.log2_max_frame_num, "frame_num")?;
        if !sequence.frame_mbs_only && bits.flag("field_pic_flag")? {
            this.structure = if bits.flag("bottom_field_flag")? {
                Structure::BottomField
            } else {
                Structure::TopField
            };
        }
        if this.idr {
            this.idr_pic_id = parse::ue(bits, 0xffff, "idr_pic_id")?;
        }
        let before = payload_bits(bits);
        this.read_picture_order(bits, sequence, picture)?;
        this.pic_order_cnt_bits = payload_bits(bits) - before;
        if picture.redundant_pic_cnt_present {
            this.redundant_pic_cnt = parse::ue(bits, 127, "redundant_pic_cnt")?;
        }
        this.read_references(bits, sequence, picture)?;
        let before = payload_bits(bits);
        if this.nal_ref_idc != 0 {
            this.marking = Marking::read(bits, this.idr)?;
        }
        this.marking_bits = payload_bits(bits) - before;
        this.read_coding(bits, sequence, picture)?;
        this.header_bits = payload_bits(bits);
        Ok(this)
    }

    /// Whether two slices belong to one picture (7.4.1.2.4). Their parameter sets are the same
    /// where their numbers are, since none can change within a picture.
    #[must_use]
    pub fn is_of_picture(&self, other: &Self) -> bool {
        self.frame_num == other.frame_num
            && self.pic_parameter_set_id == other.pic_parameter_set_id
            && self.structure == other.structure
            && (self.nal_ref_idc == 0) == (other.nal_ref_idc == 0)
            && self.idr == other.idr
            && self.idr_pic_id == other.idr_pic_id
            && self.pic_order_cnt_lsb == other.pic_order_cnt_lsb
            && self.delta_pic_order_cnt_bottom == other.delta_pic_order_cnt_bottom
            && self.delta_pic_order_cnt == other.delta_pic_order_cnt
    }

    fn read_picture_order(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceParameters,
        picture: &PictureParameters,
    ) -> Result<(), StreamError> {
        let of_bottom =
            picture.bottom_field_pic_order_in_frame_present && !self.structure.is_field();
        match sequence.picture_order {
            PictureOrder::Lsb { bits: width } => {
                self.pic_order_cnt_lsb = bits.bits(width, "pic_order_cnt_lsb")?;
                if of_bottom {
                    self.delta_pic_order_cnt_bottom = bits.se("delta_pic_order_cnt_bottom")?;
                }
            }
            PictureOrder::Cycle {
                delta_always_zero: false,
                ..
            } => {
                let first = bits.se("delta_pic_order_cnt[0]")?;
                let second = if of_bottom {
                    bits.se("delta_pic_order_cnt[1]")?
                } else {
                    0
                };
                self.delta_pic_order_cnt = [first, second];
            }
            PictureOrder::Cycle { .. } | PictureOrder::Decoding => {}
        }
        Ok(())
    }

    fn read_references(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceParameters,
        picture: &PictureParameters,
    ) -> Result<(), StreamError> {
        let lists = match self.slice_type {
            SliceType::I | SliceType::Si => return Ok(()),
            SliceType::P | SliceType::Sp => 1,
            SliceType::B => {
                self.direct_spatial_mv_pred = bits.flag("direct_spatial_mv_pred_flag")?;
                2
            }
        };
        let most: u8 = if self.structure.is_field() { 31 } else { 15 };
        let counts = self.num_ref_idx_active_minus1.iter_mut();
        if bits.flag("num_ref_idx_active_override_flag")? {
            for count in counts.take(lists) {
                *count = parse::ue(bits, most.into(), "num_ref_idx_active_minus1")?;
            }
        } else {
            let defaults = picture.num_ref_idx_default_active_minus1;
            for (count, default) in counts.zip(defaults).take(lists) {
                // A frame has to override more than it can have.
                *count = default.min(most);
            }
        }
        for modifications in self.modifications.iter_mut().take(lists) {
            lists::read_modifications(bits, modifications)?;
        }
        let weighted = match self.slice_type {
            SliceType::B => picture.weighted_bipred_idc == 1,
            _ => picture.weighted_pred,
        };
        if weighted {
            let counts = &self.num_ref_idx_active_minus1;
            let counts = counts.get(..lists).unwrap_or_default();
            let has_chroma = sequence.chroma_array_type() != 0;
            self.weights = Some(PredictionWeights::read(bits, counts, has_chroma)?);
        }
        Ok(())
    }

    /// What follows the marking of references.
    fn read_coding(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceParameters,
        picture: &PictureParameters,
    ) -> Result<(), StreamError> {
        if picture.entropy_coding_mode && !self.slice_type.is_intra() {
            self.cabac_init_idc = parse::ue(bits, 2, "cabac_init_idc")?;
        }
        // What makes SliceQPY lie between -QpBdOffsetY and 51, at the most.
        self.slice_qp_delta = parse::se(bits, -87, 87, "slice_qp_delta")?;
        if matches!(self.slice_type, SliceType::Sp | SliceType::Si) {
            if self.slice_type == SliceType::Sp {
                self.sp_for_switch = bits.flag("sp_for_switch_flag")?;
            }
            self.slice_qs_delta = parse::se(bits, -51, 51, "slice_qs_delta")?;
        }
        if picture.deblocking_filter_control_present {
            let what = "disable_deblocking_filter_idc";
            self.disable_deblocking_filter_idc = parse::ue(bits, 2, what)?;
            if self.disable_deblocking_filter_idc != 1 {
                let what = "slice_alpha_c0_offset_div2";
                self.slice_alpha_c0_offset_div2 = parse::se(bits, -6, 6, what)?;
                self.slice_beta_offset_div2 = parse::se(bits, -6, 6, "slice_beta_offset_div2")?;
            }
        }
        if let Some(rate) = picture.slice_groups.and_then(|groups| groups.change_rate) {
            let map_units = sequence.pic_width_in_mbs * sequence.pic_height_in_map_units;
            // Ceil(Log2(PicSizeInMapUnits / SliceGroupChangeRate + 1)), of a fraction.
            let largest = map_units.div_ceil(rate);
            let width = u32::BITS - largest.leading_zeros();
            self.slice_group_change_cycle = bits.bits(width, "slice_group_change_cycle")?;
        }
        Ok(())
    }
}

fn read_slice_type(bits: &mut BitReader<'_>) -> Result<SliceType, StreamError> {
    Ok(match parse::ue::<u32>(bits, 9, "slice_type")? % 5 {
        0 => SliceType::P,
        1 => SliceType::B,
        2 => SliceType::I,
        3 => SliceType::Sp,
        _ => SliceType::Si,
    })
}

fn read_colour_plane(bits: &mut BitReader<'_>) -> Result<u8, StreamError> {
    let at = bits.position();
    match parse::byte(bits, 2, "colour_plane_id")? {
        3 => parse::not_allowed(at, "colour_plane_id", 3),
        plane => Ok(plane),
    }
}

/// Bits read so far that are data.
fn payload_bits(bits: &BitReader<'_>) -> u32 {
    let read = bits.position() - 8 * bits.emulation_prevention_bytes();
    u32::try_from(read).unwrap_or(u32::MAX)
}
