//! Who reads a stream.

use crate::{Ability, Av1, Fwht, H264, Hevc, Mpeg2, Sequencer, Vp8, Vp9};

/// Who reads streams of a codec for a driver that wants to be told so; `None` of other codecs. They
/// are called as V4L2 does: `H264`, `HEVC`, `VP8`, `VP9`, `AV1`, `MPEG2`, `FWHT`.
#[must_use]
pub fn sequencer(codec: &str, ability: &Ability) -> Option<Box<dyn Sequencer>> {
    Some(match codec {
        "AV1" => Box::new(Av1::new(ability)),
        "FWHT" => Box::new(Fwht::new()),
        "H264" => Box::new(H264::new(ability.clone())),
        "HEVC" => Box::new(Hevc::new(ability.clone())),
        "MPEG2" => Box::new(Mpeg2::new(ability)),
        "VP8" => Box::new(Vp8::new(ability)),
        "VP9" => Box::new(Vp9::new(ability)),
        _ => return None,
    })
}
