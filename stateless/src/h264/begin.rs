//! Where decoding begins, and which pictures are not to be seen since they are from before that.

use super::Slice;

/// Whether decoding has begun, and from where on pictures are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// Not yet.
    No,
    /// With an intra picture that is not IDR: those that go out before it refer to what was before.
    Intra {
        /// Its number.
        order: i32,
    },
    /// At a recovery point: right from a `frame_num` on.
    Recovering {
        /// That `frame_num`.
        until: u32,
    },
    /// All is right.
    Yes,
}

/// With what kind of picture decoding could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// IDR.
    Idr,
    /// All its slices are intra.
    Intra,
    /// It has a recovery point: so many frames later pictures are right.
    Recovery(u32),
    /// It needs others.
    None,
}

impl Entry {
    pub(super) fn of(slices: &[Slice], recovery: Option<u32>) -> Self {
        let is_intra = |slice: &Slice| slice.header.slice_type.is_intra();
        match (slices.first(), recovery) {
            (Some(first), _) if first.header.idr => Self::Idr,
            _ if slices.iter().all(is_intra) => Self::Intra,
            (_, Some(count)) => Self::Recovery(count),
            (_, None) => Self::None,
        }
    }
}

impl Begun {
    /// With a picture of a number.
    pub(super) const fn with(entry: Entry, order: i32, frame_num: u32, max_frame_num: u32) -> Self {
        match entry {
            Entry::Idr => Self::Yes,
            Entry::Intra => Self::Intra { order },
            Entry::Recovery(count) => Self::Recovering {
                until: frame_num.wrapping_add(count) & (max_frame_num - 1),
            },
            Entry::None => Self::No,
        }
    }

    /// Whether a picture is to be seen.
    pub(super) fn shows(&mut self, frame_num: u32, max_frame_num: u32, order: i32) -> bool {
        match *self {
            Self::No => false,
            Self::Intra { order: first } => order >= first,
            Self::Recovering { until } => {
                // How far it is beyond, of numbers that wrap.
                let beyond = frame_num.wrapping_sub(until) & (max_frame_num - 1);
                let reached = beyond < max_frame_num / 2;
                if reached {
                    *self = Self::Yes;
                }
                reached
            }
            Self::Yes => true,
        }
    }
}
