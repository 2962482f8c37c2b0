//! A frame of the decoded picture buffer.

use dmaflow_bitstream::h264::Structure;

use crate::PictureId;
use crate::uapi::h264::{BOTTOM_FIELD_REF, FRAME_REF, TOP_FIELD_REF};

/// None, one or both fields of a frame; numbered as V4L2 does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(u8);

impl Fields {
    pub(super) const NONE: Self = Self(0);
    pub(super) const TOP: Self = Self(TOP_FIELD_REF);
    pub(super) const BOTTOM: Self = Self(BOTTOM_FIELD_REF);
    pub(super) const BOTH: Self = Self(FRAME_REF);

    /// Those of a picture.
    pub(super) const fn of(structure: Structure) -> Self {
        match structure {
            Structure::Frame => Self::BOTH,
            Structure::TopField => Self::TOP,
            Structure::BottomField => Self::BOTTOM,
        }
    }

    pub(super) const fn number(self) -> u8 {
        self.0
    }

    /// Whether all of others are among them.
    pub(super) const fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// A frame, a field, or two fields, in the decoded picture buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Where it is decoded to. What stands in for a lost frame has another's.
    pub(super) picture: PictureId,
    /// It was decoded: it is not "non-existing" (8.2.5.2).
    pub(super) exists: bool,
    /// `nal_ref_idc` is not 0.
    pub(super) is_coded_reference: bool,
    /// What of it was decoded.
    pub(super) fields: Fields,
    /// It was coded as fields.
    pub(super) as_fields: bool,
    /// Of those, the bottom one came first.
    pub(super) bottom_first: bool,
    /// What of it is used for short-term reference.
    pub(super) short_term: Fields,
    /// What of it is used for long-term reference.
    pub(super) long_term: Fields,
    pub(super) frame_num: u32,
    /// `FrameNumWrap`, for the picture at hand.
    pub(super) frame_num_wrap: i32,
    pub(super) long_term_frame_idx: u32,
    /// `TopFieldOrderCnt` and `BottomFieldOrderCnt`, of the fields that there are.
    pub(super) order: [i32; 2],
    /// It is still to go out.
    pub(super) waits: bool,
    /// Its second field may follow. It is the last of the buffer then.
    pub(super) open: bool,
}

impl Default for Frame {
    fn default() -> Self {
        Self {
            picture: PictureId(0),
            exists: false,
            is_coded_reference: false,
            fields: Fields::NONE,
            as_fields: false,
            bottom_first: false,
            short_term: Fields::NONE,
            long_term: Fields::NONE,
            frame_num: 0,
            frame_num_wrap: 0,
            long_term_frame_idx: 0,
            order: [0; 2],
            waits: false,
            open: false,
        }
    }
}

impl Frame {
    pub(super) const fn is_reference(&self) -> bool {
        !self.referenced().is_none()
    }

    /// What of it is used for reference.
    pub(super) const fn referenced(&self) -> Fields {
        self.short_term.with(self.long_term)
    }

    /// `PicOrderCnt()` of what was decoded of it (8.2.1).
    pub(super) fn order_count(&self) -> i32 {
        order_count(self.fields, self.order)
    }

    /// The last number that it takes in output order.
    pub(super) fn last_order_count(&self) -> i32 {
        let [top, bottom] = self.order;
        match self.fields {
            Fields::TOP => top,
            Fields::BOTTOM => bottom,
            _ => top.max(bottom),
        }
    }
}

/// `PicOrderCnt()` of fields (8.2.1).
pub(super) fn order_count(fields: Fields, [top, bottom]: [i32; 2]) -> i32 {
    match fields {
        Fields::TOP => top,
        Fields::BOTTOM => bottom,
        _ => top.min(bottom),
    }
}
