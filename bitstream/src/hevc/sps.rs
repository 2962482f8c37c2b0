//! Sequence parameter sets (7.3.2.2, 7.4.3.2).

mod extension;
mod profile;
mod vui;

use super::check;
use super::reference_set::ShortTermSet;
use super::scaling::ScalingLists;
use crate::bits::BitReader;
use crate::error::StreamError;

pub use extension::{SpsRange, SpsScc};
pub use vui::Vui;

/// The most short-term sets, and the most long-term candidates, that one has.
const MAX_SHORT_TERM_SETS: u8 = 64;
const MAX_LONG_TERM: u8 = 32;

/// What a sequence of pictures has in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.2")]
pub struct Sps {
    pub video_parameter_set_id: u8,
    pub max_sub_layers_minus1: u8,
    pub id: u8,
    pub chroma_format_idc: u8,
    pub separate_colour_plane: bool,
    pub pic_width_in_luma_samples: u16,
    pub pic_height_in_luma_samples: u16,
    pub conformance_window: Window,
    pub bit_depth_luma: u8,
    pub bit_depth_chroma: u8,
    pub log2_max_pic_order_cnt_lsb: u8,
    /// Of the highest sub-layer.
    pub order: Order,
    pub log2_min_luma_coding_block_size: u8,
    pub log2_diff_max_min_luma_coding_block_size: u8,
    pub log2_min_luma_transform_block_size: u8,
    pub log2_diff_max_min_luma_transform_block_size: u8,
    pub max_transform_hierarchy_depth_inter: u8,
    pub max_transform_hierarchy_depth_intra: u8,
    pub scaling_list_enabled: bool,
    /// Those that it brings.
    pub scaling_lists: Option<ScalingLists>,
    pub amp_enabled: bool,
    pub sample_adaptive_offset_enabled: bool,
    pub pcm: Option<Pcm>,
    short_term: [ShortTermSet; MAX_SHORT_TERM_SETS as usize],
    short_term_count: u8,
    pub long_term_ref_pics_present: bool,
    long_term: [(u16, bool); MAX_LONG_TERM as usize],
    long_term_count: u8,
    pub temporal_mvp_enabled: bool,
    pub strong_intra_smoothing_enabled: bool,
    pub vui: Vui,
    pub range: SpsRange,
    pub scc: SpsScc,
}

/// Luma samples at the edges of a picture that are not to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Window {
    pub left: u32,
    pub right: u32,
    pub top: u32,
    pub bottom: u32,
}

/// How many pictures are kept, and how far they go out in another order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.2")]
pub struct Order {
    pub max_dec_pic_buffering_minus1: u8,
    pub max_num_reorder_pics: u8,
    pub max_latency_increase_plus1: u32,
}

impl Order {
    /// `SpsMaxLatencyPictures`, where it is limited (7-9).
    #[must_use]
    pub fn max_latency_pictures(&self) -> Option<u32> {
        let increase = self.max_latency_increase_plus1.checked_sub(1)?;
        increase.checked_add(self.max_num_reorder_pics.into())
    }
}

/// Of blocks whose samples are not compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of 7.3.2.2")]
pub struct Pcm {
    pub sample_bit_depth_luma_minus1: u8,
    pub sample_bit_depth_chroma_minus1: u8,
    pub log2_min_luma_coding_block_size_minus3: u8,
    pub log2_diff_max_min_luma_coding_block_size: u8,
    pub loop_filter_disabled: bool,
}

impl Sps {
    /// Reads one, of a NAL unit without its start code.
    ///
    /// # Errors
    /// What is wrong with it, at a bit of the NAL unit.
    pub fn parse(nal: &[u8]) -> Result<Self, StreamError> {
        let mut bits = BitReader::of_nal_unit(nal);
        bits.skip(16, "nal_unit_header")?;
        Self::read(&mut bits)
    }

    #[expect(
        clippy::too_many_lines,
        reason = "it is one table of the specification"
    )]
    fn read(bits: &mut BitReader<'_>) -> Result<Self, StreamError> {
        let video_parameter_set_id = check::u8(bits, 4, "sps_video_parameter_set_id")?;
        let begin = bits.position();
        let max_sub_layers_minus1 = check::u8(bits, 3, "sps_max_sub_layers_minus1")?;
        if max_sub_layers_minus1 == 7 {
            return Err(check::refuse(begin, "sps_max_sub_layers_minus1", 7));
        }
        bits.flag("sps_temporal_id_nesting_flag")?;
        profile::skip_profile_tier_level(bits, max_sub_layers_minus1)?;
        let id = check::ue8(bits, 15, "sps_seq_parameter_set_id")?;
        let chroma_format_idc = check::ue8(bits, 3, "chroma_format_idc")?;
        let separate_colour_plane =
            chroma_format_idc == 3 && bits.flag("separate_colour_plane_flag")?;
        let size_at = bits.position();
        let pic_width_in_luma_samples = size(bits, "pic_width_in_luma_samples")?;
        let pic_height_in_luma_samples = size(bits, "pic_height_in_luma_samples")?;
        let conformance_window = if bits.flag("conformance_window_flag")? {
            let visible = (pic_width_in_luma_samples, pic_height_in_luma_samples);
            Window::read(bits, chroma_format_idc, visible)?
        } else {
            Window::default()
        };
        let bit_depth_luma = 8 + check::ue8(bits, 8, "bit_depth_luma_minus8")?;
        let bit_depth_chroma = 8 + check::ue8(bits, 8, "bit_depth_chroma_minus8")?;
        let log2_max_pic_order_cnt_lsb =
            4 + check::ue8(bits, 12, "log2_max_pic_order_cnt_lsb_minus4")?;
        let order = Order::read(bits, max_sub_layers_minus1)?;
        let blocks_at = bits.position();
        let log2_min_luma_coding_block_size =
            3 + check::ue8(bits, 3, "log2_min_luma_coding_block_size_minus3")?;
        let log2_diff_max_min_luma_coding_block_size =
            check::ue8(bits, 3, "log2_diff_max_min_luma_coding_block_size")?;
        let log2_ctb = log2_min_luma_coding_block_size + log2_diff_max_min_luma_coding_block_size;
        if !(4..=6).contains(&log2_ctb) {
            return Err(check::refuse(blocks_at, "CtbLog2SizeY", log2_ctb));
        }
        for side in [pic_width_in_luma_samples, pic_height_in_luma_samples] {
            if side.trailing_zeros() < log2_min_luma_coding_block_size.into() {
                let what = "a side that is no multiple of MinCbSizeY";
                return Err(check::refuse(size_at, what, side));
            }
        }
        let blocks_at = bits.position();
        let log2_min_luma_transform_block_size =
            2 + check::ue8(bits, 3, "log2_min_luma_transform_block_size_minus2")?;
        let log2_diff_max_min_luma_transform_block_size =
            check::ue8(bits, 3, "log2_diff_max_min_luma_transform_block_size")?;
        let log2_max_transform =
            log2_min_luma_transform_block_size + log2_diff_max_min_luma_transform_block_size;
        if log2_min_luma_transform_block_size >= log2_min_luma_coding_block_size {
            let found = log2_min_luma_transform_block_size;
            return Err(check::refuse(blocks_at, "MinTbLog2SizeY", found));
        }
        if log2_max_transform > log2_ctb.min(5) {
            return Err(check::refuse(
                blocks_at,
                "MaxTbLog2SizeY",
                log2_max_transform,
            ));
        }
        let deepest = log2_ctb - log2_min_luma_transform_block_size;
        let max_transform_hierarchy_depth_inter =
            check::ue8(bits, deepest, "max_transform_hierarchy_depth_inter")?;
        let max_transform_hierarchy_depth_intra =
            check::ue8(bits, deepest, "max_transform_hierarchy_depth_intra")?;
        let scaling_list_enabled = bits.flag("scaling_list_enabled_flag")?;
        let scaling_lists =
            if scaling_list_enabled && bits.flag("sps_scaling_list_data_present_flag")? {
                Some(ScalingLists::read(bits)?)
            } else {
                None
            };
        let amp_enabled = bits.flag("amp_enabled_flag")?;
        let sample_adaptive_offset_enabled = bits.flag("sample_adaptive_offset_enabled_flag")?;
        let pcm = if bits.flag("pcm_enabled_flag")? {
            Some(Pcm::read(
                bits,
                (bit_depth_luma, bit_depth_chroma),
                log2_ctb,
            )?)
        } else {
            None
        };
        let mut sps = Self {
            video_parameter_set_id,
            max_sub_layers_minus1,
            id,
            chroma_format_idc,
            separate_colour_plane,
            pic_width_in_luma_samples,
            pic_height_in_luma_samples,
            conformance_window,
            bit_depth_luma,
            bit_depth_chroma,
            log2_max_pic_order_cnt_lsb,
            order,
            log2_min_luma_coding_block_size,
            log2_diff_max_min_luma_coding_block_size,
            log2_min_luma_transform_block_size,
            log2_diff_max_min_luma_transform_block_size,
            max_transform_hierarchy_depth_inter,
            max_transform_hierarchy_depth_intra,
            scaling_list_enabled,
            scaling_lists,
            amp_enabled,
            sample_adaptive_offset_enabled,
            pcm,
            short_term: [ShortTermSet::default(); MAX_SHORT_TERM_SETS as usize],
            short_term_count: 0,
            long_term_ref_pics_present: false,
            long_term: [(0, false); MAX_LONG_TERM as usize],
            long_term_count: 0,
            temporal_mvp_enabled: false,
            strong_intra_smoothing_enabled: false,
            vui: Vui::default(),
            range: SpsRange::default(),
            scc: SpsScc::default(),
        };
        sps.read_references(bits)?;
        sps.temporal_mvp_enabled = bits.flag("sps_temporal_mvp_enabled_flag")?;
        sps.strong_intra_smoothing_enabled = bits.flag("strong_intra_smoothing_enabled_flag")?;
        if bits.flag("vui_parameters_present_flag")? {
            sps.vui = Vui::read(bits, max_sub_layers_minus1)?;
        }
        if bits.flag("sps_extension_present_flag")? {
            sps.read_extensions(bits)?;
        }
        Ok(sps)
    }

    fn read_references(&mut self, bits: &mut BitReader<'_>) -> Result<(), StreamError> {
        let most = MAX_SHORT_TERM_SETS;
        self.short_term_count = check::ue8(bits, most, "num_short_term_ref_pic_sets")?;
        let count = usize::from(self.short_term_count);
        for at in 0..count {
            let (before, rest) = self.short_term.split_at_mut(at);
            if let Some(next) = rest.first_mut() {
                *next = ShortTermSet::read(bits, before, count)?;
            }
        }
        self.long_term_ref_pics_present = bits.flag("long_term_ref_pics_present_flag")?;
        if self.long_term_ref_pics_present {
            let most = MAX_LONG_TERM;
            self.long_term_count = check::ue8(bits, most, "num_long_term_ref_pics_sps")?;
            let lsb_bits = u32::from(self.log2_max_pic_order_cnt_lsb);
            for place in self.long_term.iter_mut().take(self.long_term_count.into()) {
                place.0 = check::u16(bits, lsb_bits, "lt_ref_pic_poc_lsb_sps")?;
                place.1 = bits.flag("used_by_curr_pic_lt_sps_flag")?;
            }
        }
        Ok(())
    }

    /// Its short-term sets.
    #[must_use]
    pub fn short_term_sets(&self) -> &[ShortTermSet] {
        let sets = self.short_term.get(..usize::from(self.short_term_count));
        sets.unwrap_or_default()
    }

    /// Its candidates for long-term pictures: `lt_ref_pic_poc_lsb_sps`, and whether pictures that
    /// name it use it.
    #[must_use]
    pub fn long_term_candidates(&self) -> &[(u16, bool)] {
        let candidates = self.long_term.get(..usize::from(self.long_term_count));
        candidates.unwrap_or_default()
    }

    /// `ChromaArrayType`.
    #[must_use]
    pub const fn chroma_array_type(&self) -> u8 {
        if self.separate_colour_plane {
            0
        } else {
            self.chroma_format_idc
        }
    }

    /// `CtbLog2SizeY`.
    #[must_use]
    pub const fn ctb_log2_size(&self) -> u8 {
        self.log2_min_luma_coding_block_size + self.log2_diff_max_min_luma_coding_block_size
    }

    /// `PicWidthInCtbsY`.
    #[must_use]
    pub fn width_in_ctbs(&self) -> u32 {
        u32::from(self.pic_width_in_luma_samples).div_ceil(1 << self.ctb_log2_size())
    }

    /// `PicHeightInCtbsY`.
    #[must_use]
    pub fn height_in_ctbs(&self) -> u32 {
        u32::from(self.pic_height_in_luma_samples).div_ceil(1 << self.ctb_log2_size())
    }
}

/// A side of a picture. No level allows more than 16,888 (annex A); drivers are told 16 bits.
fn size(bits: &mut BitReader<'_>, what: &'static str) -> Result<u16, StreamError> {
    let begin = bits.position();
    match bits.ue(what)? {
        0 => Err(check::refuse(begin, what, 0)),
        found => u16::try_from(found).map_err(|_too_large| check::refuse(begin, what, found)),
    }
}

impl Window {
    fn read(
        bits: &mut BitReader<'_>,
        chroma_format_idc: u8,
        (width, height): (u16, u16),
    ) -> Result<Self, StreamError> {
        // SubWidthC and SubHeightC (table 6-1).
        let across = if matches!(chroma_format_idc, 1 | 2) {
            2
        } else {
            1
        };
        let down = if chroma_format_idc == 1 { 2 } else { 1 };
        let mut offset = |unit: u32, of: u16, what| {
            let most = (u32::from(of) - 1) / unit;
            Ok(unit * check::ue(bits, most, what)?)
        };
        let left = offset(across, width, "conf_win_left_offset")?;
        let right = offset(across, width, "conf_win_right_offset")?;
        let top = offset(down, height, "conf_win_top_offset")?;
        let bottom = offset(down, height, "conf_win_bottom_offset")?;
        for (cut, of) in [(left + right, width), (top + bottom, height)] {
            if cut >= of.into() {
                let what = "conformance window: samples that are cut off";
                return Err(check::refuse(bits.position(), what, cut));
            }
        }
        Ok(Self {
            left,
            right,
            top,
            bottom,
        })
    }
}

impl Order {
    /// The last that is told is the one of the highest sub-layer.
    fn read(bits: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Self, StreamError> {
        let of_each = bits.flag("sps_sub_layer_ordering_info_present_flag")?;
        let times = if of_each { max_sub_layers_minus1 } else { 0 };
        let mut order = Self::default();
        for _sub_layer in 0..=times {
            let most = check::ue8(bits, 15, "sps_max_dec_pic_buffering_minus1")?;
            order = Self {
                max_dec_pic_buffering_minus1: most,
                max_num_reorder_pics: check::ue8(bits, most, "sps_max_num_reorder_pics")?,
                max_latency_increase_plus1: bits.ue("sps_max_latency_increase_plus1")?,
            };
        }
        Ok(order)
    }
}

impl Pcm {
    fn read(
        bits: &mut BitReader<'_>,
        (depth_luma, depth_chroma): (u8, u8),
        log2_ctb: u8,
    ) -> Result<Self, StreamError> {
        let begin = bits.position();
        let luma = check::u8(bits, 4, "pcm_sample_bit_depth_luma_minus1")?;
        let chroma = check::u8(bits, 4, "pcm_sample_bit_depth_chroma_minus1")?;
        if luma >= depth_luma || chroma >= depth_chroma {
            let what = "pcm_sample_bit_depth_minus1";
            return Err(check::refuse(begin, what, luma.max(chroma)));
        }
        let most = log2_ctb.min(5) - 3;
        let what = "log2_min_pcm_luma_coding_block_size_minus3";
        let smallest = check::ue8(bits, most, what)?;
        let what = "log2_diff_max_min_pcm_luma_coding_block_size";
        Ok(Self {
            sample_bit_depth_luma_minus1: luma,
            sample_bit_depth_chroma_minus1: chroma,
            log2_min_luma_coding_block_size_minus3: smallest,
            log2_diff_max_min_luma_coding_block_size: check::ue8(bits, most - smallest, what)?,
            loop_filter_disabled: bits.flag("pcm_loop_filter_disabled_flag")?,
        })
    }
}
