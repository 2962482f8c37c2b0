//! Picture order count: which picture goes out before which (8.2.1).

use dmaflow_bitstream::h264::{PictureOrder, SequenceParameters, SliceHeader, Structure};

/// What the next picture's number depends on. Numbers of damaged streams wrap.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    /// `prevPicOrderCntMsb`.
    msb: i32,
    /// `prevPicOrderCntLsb`.
    lsb: i32,
    /// `prevFrameNumOffset`.
    frame_num_offset: i32,
    /// `prevFrameNum`.
    frame_num: i32,
}

/// What the number of a picture is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coded {
    is_reference: bool,
    idr: bool,
    structure: Structure,
    frame_num: i32,
    lsb: i32,
    delta_bottom: i32,
    delta: [i32; 2],
}

impl Coded {
    pub(super) fn of(header: &SliceHeader) -> Self {
        Self {
            is_reference: header.nal_ref_idc != 0,
            idr: header.idr,
            structure: header.structure,
            frame_num: header.frame_num.cast_signed(),
            lsb: header.pic_order_cnt_lsb.cast_signed(),
            delta_bottom: header.delta_pic_order_cnt_bottom,
            delta: header.delta_pic_order_cnt,
        }
    }

    /// Of a frame that is not in the stream (8.2.5.2).
    pub(super) const fn missing(frame_num: u32) -> Self {
        Self {
            is_reference: true,
            idr: false,
            structure: Structure::Frame,
            frame_num: frame_num.cast_signed(),
            lsb: 0,
            delta_bottom: 0,
            delta: [0; 2],
        }
    }
}

impl Order {
    /// Begins with a picture as if all before it had been there.
    pub(super) const fn begin(picture: Coded) -> Self {
        Self {
            msb: 0,
            lsb: picture.lsb,
            frame_num_offset: 0,
            frame_num: picture.frame_num,
        }
    }

    /// `TopFieldOrderCnt` and `BottomFieldOrderCnt` of a picture, which comes next; 0 of a field
    /// that it has not.
    pub(super) fn count(&mut self, sequence: &SequenceParameters, picture: Coded) -> [i32; 2] {
        let [top, bottom] = match sequence.picture_order {
            PictureOrder::Lsb { bits } => self.by_lsb(1 << bits, picture),
            PictureOrder::Cycle {
                offset_for_non_ref_pic,
                offset_for_top_to_bottom_field,
                ..
            } => {
                let offset = if picture.is_reference {
                    0
                } else {
                    offset_for_non_ref_pic
                };
                let expected = self.in_cycle(sequence, picture).wrapping_add(offset);
                by_cycle(expected, offset_for_top_to_bottom_field, picture)
            }
            PictureOrder::Decoding => {
                self.advance(sequence, picture);
                let frames = self.frame_num_offset.wrapping_add(picture.frame_num);
                let fields = frames.wrapping_mul(2);
                let count = match (picture.idr, picture.is_reference) {
                    (true, _) => 0,
                    (false, true) => fields,
                    (false, false) => fields.wrapping_sub(1),
                };
                [count; 2]
            }
        };
        match picture.structure {
            Structure::Frame => [top, bottom],
            Structure::TopField => [top, 0],
            Structure::BottomField => [0, bottom],
        }
    }

    /// A picture after which numbers begin anew was decoded; what its fields' numbers are then.
    pub(super) fn begin_anew(&mut self, structure: Structure, order: [i32; 2]) -> [i32; 2] {
        let [top, bottom] = order;
        let order = match structure {
            Structure::Frame => {
                let first = top.min(bottom);
                [top.wrapping_sub(first), bottom.wrapping_sub(first)]
            }
            Structure::TopField | Structure::BottomField => [0; 2],
        };
        *self = Self {
            lsb: match structure {
                Structure::BottomField => 0,
                _ => order[0],
            },
            ..Self::default()
        };
        order
    }

    /// 8.2.1.1.
    fn by_lsb(&mut self, max_lsb: i32, picture: Coded) -> [i32; 2] {
        if picture.idr {
            *self = Self::default();
        }
        let half = max_lsb / 2;
        let lsb = picture.lsb;
        let msb = if lsb < self.lsb && self.lsb.wrapping_sub(lsb) >= half {
            self.msb.wrapping_add(max_lsb)
        } else if lsb > self.lsb && lsb.wrapping_sub(self.lsb) > half {
            self.msb.wrapping_sub(max_lsb)
        } else {
            self.msb
        };
        if picture.is_reference {
            self.msb = msb;
            self.lsb = lsb;
        }
        let count = msb.wrapping_add(lsb);
        [count, count.wrapping_add(picture.delta_bottom)]
    }

    /// `FrameNumOffset`, of 8.2.1.2 and 8.2.1.3.
    fn advance(&mut self, sequence: &SequenceParameters, picture: Coded) {
        if picture.idr {
            self.frame_num_offset = 0;
        } else if self.frame_num > picture.frame_num {
            let max_frame_num = sequence.max_frame_num().cast_signed();
            self.frame_num_offset = self.frame_num_offset.wrapping_add(max_frame_num);
        }
        self.frame_num = picture.frame_num;
    }

    /// `expectedPicOrderCnt` of a reference (8.2.1.2).
    fn in_cycle(&mut self, sequence: &SequenceParameters, picture: Coded) -> i32 {
        self.advance(sequence, picture);
        let cycle = &sequence.cycle;
        let Some(len) = i32::try_from(cycle.len()).ok().filter(|len| *len > 0) else {
            return 0;
        };
        let mut number = self.frame_num_offset.wrapping_add(picture.frame_num);
        if !picture.is_reference && number > 0 {
            number -= 1;
        }
        if number <= 0 {
            return 0;
        }
        let (cycles, last) = ((number - 1) / len, (number - 1) % len);
        let sum = |offsets: &[i32]| {
            offsets
                .iter()
                .fold(0, |sum: i32, one| sum.wrapping_add(*one))
        };
        let begun = usize::try_from(last).map_or(0, |last| last + 1);
        let begun = cycle.get(..begun).unwrap_or_default();
        cycles.wrapping_mul(sum(cycle)).wrapping_add(sum(begun))
    }
}

/// The end of 8.2.1.2.
fn by_cycle(expected: i32, top_to_bottom: i32, picture: Coded) -> [i32; 2] {
    let [first, second] = picture.delta;
    let top = expected.wrapping_add(first);
    let bottom = match picture.structure {
        Structure::Frame => top.wrapping_add(top_to_bottom).wrapping_add(second),
        _ => expected.wrapping_add(top_to_bottom).wrapping_add(first),
    };
    [top, bottom]
}
