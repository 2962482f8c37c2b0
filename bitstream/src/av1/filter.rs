//! Filters over the decoded picture (5.9.11, 5.9.18 to 5.9.20).

use crate::av1::code::f8;
use crate::av1::quantization::su7;
use crate::av1::references::TOTAL_REFS_PER_FRAME;
use crate::av1::sequence::SequenceHeader;
use crate::bits::BitReader;
use crate::error::StreamError;

/// By how much references and modes change the filter; frames may take it over from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopFilterDeltas {
    /// `loop_filter_ref_deltas`.
    pub references: [i8; TOTAL_REFS_PER_FRAME],
    /// `loop_filter_mode_deltas`.
    pub modes: [i8; 2],
}

impl Default for LoopFilterDeltas {
    /// As `setup_past_independence()` has them.
    fn default() -> Self {
        Self {
            references: [1, 0, 0, 0, -1, 0, -1, -1],
            modes: [0; 2],
        }
    }
}

/// `loop_filter_params()` and `delta_lf_params()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct LoopFilter {
    pub level: [u8; 4],
    pub sharpness: u8,
    pub delta_enabled: bool,
    pub delta_update: bool,
    pub deltas: LoopFilterDeltas,
    pub delta_lf_present: bool,
    pub delta_lf_res: u8,
    pub delta_lf_multi: bool,
}

impl LoopFilter {
    /// `delta_lf_params()`.
    pub(super) fn read_delta_lf(
        &mut self,
        bits: &mut BitReader<'_>,
        delta_q_present: bool,
        allow_intrabc: bool,
    ) -> Result<(), StreamError> {
        self.delta_lf_present =
            delta_q_present && !allow_intrabc && bits.flag("delta_lf_present")?;
        if self.delta_lf_present {
            self.delta_lf_res = f8(bits, 2, "delta_lf_res")?;
            self.delta_lf_multi = bits.flag("delta_lf_multi")?;
        }
        Ok(())
    }

    /// `loop_filter_params()` of a frame that is filtered. `previous` are the deltas of the
    /// primary reference, where there is one.
    pub(super) fn read(
        &mut self,
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
        previous: Option<&LoopFilterDeltas>,
    ) -> Result<(), StreamError> {
        self.deltas = previous.copied().unwrap_or_default();
        let [y_vertical, y_horizontal, u, v] = &mut self.level;
        *y_vertical = f8(bits, 6, "loop_filter_level[0]")?;
        *y_horizontal = f8(bits, 6, "loop_filter_level[1]")?;
        if !sequence.color_config.mono_chrome && (*y_vertical | *y_horizontal) != 0 {
            *u = f8(bits, 6, "loop_filter_level[2]")?;
            *v = f8(bits, 6, "loop_filter_level[3]")?;
        }
        self.sharpness = f8(bits, 3, "loop_filter_sharpness")?;
        self.delta_enabled = bits.flag("loop_filter_delta_enabled")?;
        self.delta_update = self.delta_enabled && bits.flag("loop_filter_delta_update")?;
        if self.delta_update {
            for delta in &mut self.deltas.references {
                if bits.flag("update_ref_delta")? {
                    *delta = su7(bits, "loop_filter_ref_deltas")?;
                }
            }
            for delta in &mut self.deltas.modes {
                if bits.flag("update_mode_delta")? {
                    *delta = su7(bits, "loop_filter_mode_deltas")?;
                }
            }
        }
        Ok(())
    }
}

/// `cdef_params()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct Cdef {
    pub damping_minus_3: u8,
    pub bits: u8,
    pub y_pri_strength: [u8; 8],
    pub y_sec_strength: [u8; 8],
    pub uv_pri_strength: [u8; 8],
    pub uv_sec_strength: [u8; 8],
}

impl Cdef {
    /// Of a frame that has it.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
    ) -> Result<Self, StreamError> {
        let mut read = Self {
            damping_minus_3: f8(bits, 2, "cdef_damping_minus_3")?,
            bits: f8(bits, 2, "cdef_bits")?,
            ..Self::default()
        };
        for at in 0..1_usize << read.bits {
            read.y_pri_strength[at] = f8(bits, 4, "cdef_y_pri_strength")?;
            read.y_sec_strength[at] = secondary(f8(bits, 2, "cdef_y_sec_strength")?);
            if !sequence.color_config.mono_chrome {
                read.uv_pri_strength[at] = f8(bits, 4, "cdef_uv_pri_strength")?;
                read.uv_sec_strength[at] = secondary(f8(bits, 2, "cdef_uv_sec_strength")?);
            }
        }
        Ok(read)
    }
}

const fn secondary(coded: u8) -> u8 {
    if coded == 3 { 4 } else { coded }
}

/// `FrameRestorationType` (6.10.15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub enum RestorationType {
    #[default]
    None = 0,
    Wiener = 1,
    SgrProj = 2,
    Switchable = 3,
}

/// `lr_params()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the specification's")]
pub struct LoopRestoration {
    pub uses_lr: bool,
    pub uses_chroma_lr: bool,
    pub lr_unit_shift: u8,
    pub lr_uv_shift: u8,
    pub frame_restoration_type: [RestorationType; 3],
    /// In samples of each plane; 0 where the frame has none of it.
    pub loop_restoration_size: [u32; 3],
}

impl LoopRestoration {
    /// Of a frame that may have it.
    pub(super) fn read(
        bits: &mut BitReader<'_>,
        sequence: &SequenceHeader,
    ) -> Result<Self, StreamError> {
        const RESTORATION_TILESIZE_MAX: u32 = 256;
        let color = &sequence.color_config;
        let mut read = Self::default();
        let planes = read.frame_restoration_type.iter_mut();
        for (plane, restoration) in planes.take(color.num_planes()).enumerate() {
            *restoration = match bits.bits(2, "lr_type")? {
                0 => RestorationType::None,
                1 => RestorationType::Switchable,
                2 => RestorationType::Wiener,
                _ => RestorationType::SgrProj,
            };
            let used = *restoration != RestorationType::None;
            read.uses_lr |= used;
            read.uses_chroma_lr |= used && plane > 0;
        }
        if !read.uses_lr {
            return Ok(read);
        }
        read.lr_unit_shift = f8(bits, 1, "lr_unit_shift")?;
        if sequence.use_128x128_superblock {
            read.lr_unit_shift += 1;
        } else if read.lr_unit_shift == 1 {
            read.lr_unit_shift += f8(bits, 1, "lr_unit_extra_shift")?;
        }
        if color.subsampling_x && color.subsampling_y && read.uses_chroma_lr {
            read.lr_uv_shift = f8(bits, 1, "lr_uv_shift")?;
        }
        let luma = RESTORATION_TILESIZE_MAX >> (2 - read.lr_unit_shift);
        let chroma = luma >> read.lr_uv_shift;
        read.loop_restoration_size = [luma, chroma, chroma];
        Ok(read)
    }
}
