//! What OpenH264 takes while it encodes, and the crate has no safe call for.
#![expect(unsafe_code, reason = "options are set through pointers")]

use std::os::raw::c_int;

use openh264::encoder::Encoder;
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_IDR_INTERVAL,
    ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_TRACE_LEVEL, LAYER_NUM, SBitrateInfo,
    SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

/// Has it write nothing to standard error, which the crate sees to too late.
pub(super) fn silence(encoder: &mut Encoder) {
    let mut quiet: c_int = WELS_LOG_QUIET;
    let pointer = (&raw mut quiet).cast();
    // SAFETY: nothing but an option is set by it.
    let api = unsafe { encoder.raw_api() };
    // SAFETY: the option reads one number, and keeps no pointer to it.
    let answer = unsafe { api.set_option(ENCODER_OPTION_TRACE_LEVEL, pointer) };
    if answer != 0 {
        tracing::debug!(answer, "OpenH264 cannot be silenced");
    }
}

/// Sets the bits a second that are aimed at; whether it took them.
pub(super) fn set_bitrate(encoder: &mut Encoder, bits: c_int) -> bool {
    // It takes no aim above its limit.
    let limit = [SPATIAL_LAYER_ALL, SPATIAL_LAYER_0];
    let limited = limit.map(|layer| set_rate(encoder, ENCODER_OPTION_MAX_BITRATE, layer, bits));
    let aimed = limit.map(|layer| set_rate(encoder, ENCODER_OPTION_BITRATE, layer, bits));
    limited.into_iter().chain(aimed).all(|taken| taken)
}

fn set_rate(encoder: &mut Encoder, option: ENCODER_OPTION, layer: LAYER_NUM, bits: c_int) -> bool {
    let mut info = SBitrateInfo {
        iLayer: layer,
        iBitrate: bits,
    };
    let pointer = (&raw mut info).cast();
    // SAFETY: nothing but an option is set by it.
    let api = unsafe { encoder.raw_api() };
    // SAFETY: both options read one `SBitrateInfo`, and keep no pointer to it.
    let answer = unsafe { api.set_option(option, pointer) };
    answer == 0
}

/// Sets after how many pictures another one stands by itself, 0 for none; whether it took it.
pub(super) fn set_interval(encoder: &mut Encoder, mut pictures: c_int) -> bool {
    let pointer = (&raw mut pictures).cast();
    // SAFETY: nothing but an option is set by it.
    let api = unsafe { encoder.raw_api() };
    // SAFETY: the option reads one number, and keeps no pointer to it.
    let answer = unsafe { api.set_option(ENCODER_OPTION_IDR_INTERVAL, pointer) };
    answer == 0
}
