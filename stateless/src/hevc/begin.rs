//! How a picture begins and ends.

use std::ops::Range;

use dmaflow_bitstream::hevc::{NalType, Pps, SliceBegin, SliceReader, SliceSegment, Sps};
use dmaflow_bitstream::{BitReader, StreamError, Trouble};

use super::controls;
use super::dpb::Picture;
use super::picture::AtWork;
use super::references::References;
use super::{Current, Hevc};
use crate::steps::{PictureId, Step, Steps};

impl Hevc {
    /// Begins the picture that a slice segment is the first of. Afterwards slices belong to it;
    /// or they are left, where it is not decoded.
    pub(super) fn begin_picture(
        &mut self,
        reader: SliceReader<'_>,
        piece: Range<usize>,
        steps: &mut Steps,
    ) -> Result<(), StreamError> {
        let at = reader.parameter_set_at();
        let begin = reader.begin();
        let unit_type = begin.nal.unit_type;
        let wrong = |(what, trouble)| BitReader::wrong(at, what, trouble);
        if self.begins && !unit_type.is_irap() {
            let found = unit_type.0.into();
            let what = "nal_unit_type of the first picture";
            return Err(wrong((what, Trouble::NotAllowed { found })));
        }
        if unit_type.is_rasl() && self.skips_rasl {
            return Ok(());
        }
        let (pps, stored) = self.sets.of_slice(&begin, at)?;
        // All pictures of a sequence have the same parameters: else, another stream was appended.
        let anew = match unit_type {
            NalType::CRA => self.begins || self.active.as_deref() != Some(stored),
            _ => unit_type.is_irap(),
        };
        let active = self.active.as_deref().filter(|_active| !anew);
        let sps = active.unwrap_or(stored);
        check(sps, pps).map_err(wrong)?;
        self.slices.clear();
        let slice = reader.read(sps, pps, None, &mut self.slices.entry_points)?;
        self.constant.fill(&self.ability, sps, pps);
        if anew {
            self.begin_sequence(&begin, steps)?;
        }
        let poc = self.order_count(&begin, &slice, anew);
        let references = if anew {
            References::default()
        } else {
            self.dpb.mark(&slice, poc, self.lsb_bits()).map_err(wrong)?
        };
        self.dpb.make_room(steps);
        let fields = self
            .active
            .as_deref()
            .is_some_and(|sps| sps.vui.frame_field_info_present);
        let pic_struct = if fields { self.pic_struct } else { 0 };
        let id = PictureId(self.next_id);
        self.next_id += 1;
        let known = (references, &self.dpb);
        *self.picture = AtWork::new(id, &begin, slice, (poc, pic_struct), known);
        self.current = Current::AtWork;
        self.add_slice(&begin, &slice, piece);
        Ok(())
    }

    /// Begins a sequence with the set that a slice names: what was before goes out, or not
    /// (C.5.2.2).
    fn begin_sequence(&mut self, begin: &SliceBegin, steps: &mut Steps) -> Result<(), StreamError> {
        let (_pps, sps) = self.sets.of_slice(begin, 0)?;
        let as_first = begin.nal.unit_type == NalType::CRA && self.begins;
        self.dpb
            .clear(!as_first && !begin.no_output_of_prior_pics, steps);
        let kept = controls::kept(sps);
        self.dpb.begin(sps.order, kept);
        match &mut self.active {
            Some(active) => **active = sps.clone(),
            none => *none = Some(Box::new(sps.clone())),
        }
        self.begins = false;
        let mark = steps.controls_mark();
        self.constant.add_sps(steps);
        let sequence = controls::sequence(sps, kept, steps.controls_since(mark));
        if self
            .sequence
            .as_ref()
            .is_none_or(|last| !controls::is_alike(last, &sequence))
        {
            self.sequence = Some(sequence.clone());
            steps.push(Step::Sequence(sequence));
        }
        Ok(())
    }

    /// Adds a slice segment to the picture at work.
    pub(super) fn add_slice(
        &mut self,
        begin: &SliceBegin,
        slice: &SliceSegment,
        piece: Range<usize>,
    ) {
        let start_code = self.start_code();
        let params = self.picture.slice_params(begin, slice, &piece, start_code);
        self.slices.add(params, piece);
    }

    /// Bits of `slice_pic_order_cnt_lsb`.
    fn lsb_bits(&self) -> u8 {
        let sps = self.active.as_deref();
        sps.map_or(4, |sps| sps.log2_max_pic_order_cnt_lsb)
    }

    /// `PicOrderCntVal` (8.3.1), which is remembered for those that follow.
    fn order_count(&mut self, begin: &SliceBegin, slice: &SliceSegment, anew: bool) -> i32 {
        let lsb = i32::from(slice.pic_order_cnt_lsb);
        let mut poc = lsb;
        if !anew {
            let max_lsb = 1_i32 << self.lsb_bits();
            let before = self.prev_tid0_poc & (max_lsb - 1);
            let msb = self.prev_tid0_poc.wrapping_sub(before);
            let step = if before - lsb >= max_lsb / 2 {
                max_lsb
            } else if lsb - before > max_lsb / 2 {
                -max_lsb
            } else {
                0
            };
            poc = msb.wrapping_add(step).wrapping_add(lsb);
        }
        let unit_type = begin.nal.unit_type;
        let leading = unit_type.is_rasl() || unit_type.is_radl();
        let lasts = !leading && !unit_type.is_sub_layer_non_reference();
        if begin.nal.temporal_id_plus1 == 1 && lasts {
            self.prev_tid0_poc = poc;
        }
        if unit_type.is_irap() {
            self.irap_poc = poc;
            self.skips_rasl = anew;
        }
        poc
    }

    /// Hands over the picture at work, if there is one, and what follows from its being decoded.
    pub(super) fn end_picture(&mut self, steps: &mut Steps) {
        let current = std::mem::replace(&mut self.current, Current::None);
        if current != Current::AtWork {
            return;
        }
        let picture = &self.picture;
        self.slices
            .emit(&self.ability, &self.constant, picture, steps);
        // Leading pictures come before all others that follow an IRAP picture (7.4.2.2).
        let sure = match picture.unit_type {
            NalType::IDR_N_LP | NalType::BLA_N_LP => Some(picture.poc()),
            unit_type if unit_type < NalType::RADL_N => Some(self.irap_poc),
            _ => None,
        };
        let done = Picture::new(
            picture.id,
            picture.poc(),
            picture.pic_struct,
            picture.output,
        );
        self.dpb.add(done, sure, steps);
    }
}

/// Whether a driver can be told what the parameter sets say.
fn check(sps: &Sps, pps: &Pps) -> Result<(), (&'static str, Trouble)> {
    if sps.id != pps.seq_parameter_set_id {
        let found = pps.seq_parameter_set_id.into();
        let what = "pps_seq_parameter_set_id within a sequence";
        return Err((what, Trouble::NotAllowed { found }));
    }
    let depth = pps.diff_cu_qp_delta_depth;
    if depth > sps.log2_diff_max_min_luma_coding_block_size {
        let found = depth.into();
        return Err(("diff_cu_qp_delta_depth", Trouble::NotAllowed { found }));
    }
    let no_words = controls::without_words(sps, pps);
    no_words.map_or(Ok(()), |(what, found)| {
        Err((what, Trouble::Unsupported { found }))
    })
}
