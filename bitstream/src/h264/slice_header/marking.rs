//! What slice headers say of which pictures stay references (7.3.3.3).

use crate::h264::{Few, parse};
use crate::{BitReader, StreamError};

/// One step of marking pictures (table 7-9). Differences are 1 more than in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryControl {
    /// 1: a short-term picture is no reference any more.
    ForgetShortTerm {
        /// How much smaller its number is than that of the picture at hand.
        difference_of_pic_nums: u32,
    },
    /// 2: a long-term picture is no reference any more.
    ForgetLongTerm {
        /// Its number.
        long_term_pic_num: u32,
    },
    /// 3: a short-term picture becomes a long-term one.
    ToLongTerm {
        /// How much smaller its number is than that of the picture at hand.
        difference_of_pic_nums: u32,
        /// What it becomes.
        long_term_frame_idx: u32,
    },
    /// 4: how many long-term frames there can be from here on.
    LongTermFrames {
        /// How many.
        count: u32,
    },
    /// 5: no picture before is a reference any more, and numbers begin anew.
    #[default]
    ForgetAll,
    /// 6: the picture at hand becomes a long-term one.
    CurrentToLongTerm {
        /// What it becomes.
        long_term_frame_idx: u32,
    },
}

/// `dec_ref_pic_marking()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marking {
    /// Of an IDR picture: pictures before it that are not out yet never are.
    pub no_output_of_prior_pics: bool,
    /// Of an IDR picture: it becomes a long-term reference.
    pub long_term_reference: bool,
    /// `adaptive_ref_pic_marking_mode_flag`: the steps are taken, and not those of the sliding
    /// window.
    pub adaptive: bool,
    /// The steps.
    pub steps: Few<MemoryControl, 66>,
}

impl Marking {
    pub(super) fn read(bits: &mut BitReader<'_>, idr: bool) -> Result<Self, StreamError> {
        let mut this = Self::default();
        if idr {
            this.no_output_of_prior_pics = bits.flag("no_output_of_prior_pics_flag")?;
            this.long_term_reference = bits.flag("long_term_reference_flag")?;
            return Ok(this);
        }
        this.adaptive = bits.flag("adaptive_ref_pic_marking_mode_flag")?;
        while this.adaptive {
            let at = bits.position();
            let what = "memory_management_control_operation";
            let kind: u8 = parse::ue(bits, 6, what)?;
            let step = match kind {
                0 => break,
                1 => MemoryControl::ForgetShortTerm {
                    difference_of_pic_nums: read_difference(bits)?,
                },
                2 => MemoryControl::ForgetLongTerm {
                    long_term_pic_num: bits.ue("long_term_pic_num")?,
                },
                3 => MemoryControl::ToLongTerm {
                    difference_of_pic_nums: read_difference(bits)?,
                    long_term_frame_idx: read_frame_idx(bits)?,
                },
                4 => MemoryControl::LongTermFrames {
                    count: parse::ue(bits, 16, "max_long_term_frame_idx_plus1")?,
                },
                5 => MemoryControl::ForgetAll,
                _ => MemoryControl::CurrentToLongTerm {
                    long_term_frame_idx: read_frame_idx(bits)?,
                },
            };
            if !this.steps.push(step) {
                // More than there can be of pictures to be marked.
                return parse::not_allowed(at, what, kind);
            }
        }
        Ok(this)
    }

    /// Whether numbers begin anew behind the picture.
    #[must_use]
    pub fn forgets_all(&self) -> bool {
        self.steps.contains(&MemoryControl::ForgetAll)
    }
}

fn read_difference(bits: &mut BitReader<'_>) -> Result<u32, StreamError> {
    // MaxPicNum - 1 at most.
    let less: u32 = parse::ue(bits, 0x1_ffff, "difference_of_pic_nums_minus1")?;
    Ok(1 + less)
}

fn read_frame_idx(bits: &mut BitReader<'_>) -> Result<u32, StreamError> {
    parse::ue(bits, 15, "long_term_frame_idx")
}
