//! How coefficients are scaled (5.9.12, 5.9.17).

use crate::av1::code::{f8, su};
use crate::av1::sequence::SequenceHeader;
use crate::bits::BitReader;
use crate::error::StreamError;

/// `quantization_params()` and `delta_q_params()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Quantization {
    pub base_q_idx: u8,
    pub diff_uv_delta: bool,
    pub delta_q_y_dc: i8,
    pub delta_q_u_dc: i8,
    pub delta_q_u_ac: i8,
    pub delta_q_v_dc: i8,
    pub delta_q_v_ac: i8,
    pub using_qmatrix: bool,
    pub qm_y: u8,
    pub qm_u: u8,
    pub qm_v: u8,
    pub delta_q_present: bool,
    pub delta_q_res: u8,
}

impl Quantization {
    /// `quantization_params()`.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
    ) -> Result<Self, StreamError> {
        let color = &sequence.color_config;
        let mut read = Self {
            base_q_idx: f8(bits, 8, "base_q_idx")?,
            delta_q_y_dc: delta_q(bits)?,
            ..Self::default()
        };
        if !color.mono_chrome {
            read.diff_uv_delta = color.separate_uv_delta_q && bits.flag("diff_uv_delta")?;
            read.delta_q_u_dc = delta_q(bits)?;
            read.delta_q_u_ac = delta_q(bits)?;
            (read.delta_q_v_dc, read.delta_q_v_ac) = if read.diff_uv_delta {
                (delta_q(bits)?, delta_q(bits)?)
            } else {
                (read.delta_q_u_dc, read.delta_q_u_ac)
            };
        }
        read.using_qmatrix = bits.flag("using_qmatrix")?;
        if read.using_qmatrix {
            read.qm_y = f8(bits, 4, "qm_y")?;
            read.qm_u = f8(bits, 4, "qm_u")?;
            read.qm_v = if color.separate_uv_delta_q {
                f8(bits, 4, "qm_v")?
            } else {
                read.qm_u
            };
        }
        Ok(read)
    }

    /// `delta_q_params()`.
    pub(super) fn read_delta_q(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        self.delta_q_present = self.base_q_idx > 0 && bits.flag("delta_q_present")?;
        if self.delta_q_present {
            self.delta_q_res = f8(bits, 2, "delta_q_res")?;
        }
        Ok(())
    }

    /// Nothing is added to the index, so that index 0 loses nothing.
    pub(super) const fn is_plain(&self) -> bool {
        self.delta_q_y_dc == 0
            && self.delta_q_u_dc == 0
            && self.delta_q_u_ac == 0
            && self.delta_q_v_dc == 0
            && self.delta_q_v_ac == 0
    }
}

/// `read_delta_q()`.
fn delta_q(bits: &mut BitReader<'_>) -> Result<i8, StreamError> {
    if !bits.flag("delta_coded")? {
        return Ok(0);
    }
    su7(bits, "delta_q")
}

/// `su(1+6)`.
pub(super) fn su7(bits: &mut BitReader<'_>, what: &'static str) -> Result<i8, StreamError> {
    Ok(i8::try_from(su(bits, 7, what)?).unwrap_or_default())
}
