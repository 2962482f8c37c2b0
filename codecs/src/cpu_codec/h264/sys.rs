//! What OpenH264 takes and gives, and the crate has no safe call for: changes while it encodes, and
//! pictures with the stamps of what they were made of.
#![expect(
    unsafe_code,
    reason = "it is asked through pointers, and shows pictures by pointers"
)]

use std::os::raw::c_int;
use std::ptr;

use openh264::decoder::Decoder;
use openh264::encoder::Encoder;
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_IDR_INTERVAL,
    ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_TRACE_LEVEL, LAYER_NUM, SBitrateInfo, SBufferInfo,
    SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, WELS_LOG_QUIET, dsErrorFree, dsFramePending,
    dsInvalidArgument,
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

/// A picture as it lies in the decoder, until something else is asked of it.
#[derive(Debug)]
pub(super) struct Decoded<'d> {
    pub(super) planes: [&'d [u8]; 3],
    /// Of luma, and of both others.
    pub(super) strides: [usize; 2],
    /// Width and height in pixels.
    pub(super) size: (usize, usize),
    /// What was given with the bytes that it was made of.
    pub(super) stamp: u64,
}

/// What came of bytes: OpenH264's `DECODING_STATE` where something is wrong with them.
pub(super) type Answer<'d> = Result<Option<Decoded<'d>>, c_int>;

/// Decodes an access unit, and gives the next picture in the order in which they are shown, if
/// there is one already.
pub(super) fn decode<'d>(decoder: &'d mut Decoder, bytes: &[u8], stamp: u64) -> Answer<'d> {
    let Ok(len) = c_int::try_from(bytes.len()) else {
        return Err(dsInvalidArgument);
    };
    let mut planes = [ptr::null_mut::<u8>(); 3];
    let mut info = SBufferInfo {
        uiInBsTimeStamp: stamp,
        ..SBufferInfo::default()
    };
    // SAFETY: what is called through it is safe by itself, as below.
    let api = unsafe { decoder.raw_api() };
    // SAFETY: `len` bytes are there to be read, three pointers and the information to be written,
    // and none of it is kept.
    let state = unsafe {
        api.decode_frame_no_delay(bytes.as_ptr(), len, planes.as_mut_ptr(), &raw mut info)
    };
    is_fine(state)
        .then(|| picture(decoder, planes, &info))
        .ok_or(state)
}

/// Gives one of the pictures that are left when there are no more bytes.
pub(super) fn flush(decoder: &mut Decoder) -> Answer<'_> {
    let mut planes = [ptr::null_mut::<u8>(); 3];
    let mut info = SBufferInfo::default();
    // SAFETY: what is called through it is safe by itself, as below.
    let api = unsafe { decoder.raw_api() };
    // SAFETY: three pointers and the information are there to be written, and are not kept.
    let state = unsafe { api.flush_frame(planes.as_mut_ptr(), &raw mut info) };
    is_fine(state)
        .then(|| picture(decoder, planes, &info))
        .ok_or(state)
}

/// Nothing is wrong with the bytes, though they may not be all of a picture.
const fn is_fine(state: c_int) -> bool {
    state == dsErrorFree || state == dsFramePending
}

/// The picture of which the decoder tells so, borrowed from it.
fn picture<'d>(
    _lender: &'d mut Decoder,
    planes: [*mut u8; 3],
    info: &SBufferInfo,
) -> Option<Decoded<'d>> {
    if info.iBufferStatus != 1 || planes.iter().any(|plane| plane.is_null()) {
        return None;
    }
    // SAFETY: pictures in memory are all that there are without a graphics card, and numbers all
    // that they hold.
    let memory = unsafe { info.UsrData.sSystemBuffer };
    let number = |number: c_int| usize::try_from(number).ok().filter(|number| *number > 0);
    let size = (number(memory.iWidth)?, number(memory.iHeight)?);
    let strides = [number(memory.iStride[0])?, number(memory.iStride[1])?];
    let half = (size.0.div_ceil(2), size.1.div_ceil(2));
    if strides[0] < size.0 || strides[1] < half.0 {
        return None;
    }
    let luma = strides[0] * (size.1 - 1) + size.0;
    let chroma = strides[1] * (half.1 - 1) + half.0;
    let [y, cb, cr] = planes.map(<*mut u8>::cast_const);
    // SAFETY: the decoder has so many bytes of luma there, and changes them no sooner than it is
    // borrowed again.
    let y = unsafe { std::slice::from_raw_parts(y, luma) };
    // SAFETY: the same of Cb.
    let cb = unsafe { std::slice::from_raw_parts(cb, chroma) };
    // SAFETY: the same of Cr.
    let cr = unsafe { std::slice::from_raw_parts(cr, chroma) };
    Some(Decoded {
        planes: [y, cb, cr],
        strides,
        size,
        stamp: info.uiOutYuvTimeStamp,
    })
}
