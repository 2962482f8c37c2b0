//! What files hold: packets of one track of pictures.

/// How the pictures of a track are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264, as ITU-T H.264 Annex B has it: NAL units behind start codes.
    H264,
    /// HEVC, as ITU-T H.265 Annex B has it.
    Hevc,
    /// VP8 frames (RFC 6386).
    Vp8,
    /// VP9 frames or superframes.
    Vp9,
    /// AV1 temporal units in the low-overhead format (AV1 specification, 5.2).
    Av1,
    /// MPEG-2 video (ITU-T H.262).
    Mpeg2,
    /// The kernel's FWHT, each frame behind its header.
    Fwht,
    /// JPEG pictures.
    Mjpeg,
    /// Pictures that are not coded: a format of `drm_fourcc.h`.
    Raw(u32),
}

/// What is known of a track before its first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// How its pictures are coded.
    pub codec: Codec,
    /// Width and height in pixels as they are to be shown; none where only the stream says it.
    pub size: Option<(u32, u32)>,
    /// Units of time a second, in which packets are stamped.
    pub timescale: u32,
    /// Pictures a second as a fraction, where the file states it.
    pub rate: Option<(u32, u32)>,
    /// Width and height of a pixel, where the file states that they differ or that they do not.
    pub pixel_aspect: Option<(u32, u32)>,
    /// How colours are to be understood, where the file states it.
    pub colour: Option<Colour>,
    /// Of pictures that are not coded: where their planes lie in a packet. Otherwise empty.
    pub planes: Vec<Plane>,
    /// What a decoder has to have before the first packet, in the form in which packets are:
    /// parameter sets behind start codes, a sequence header. Empty where packets bring it.
    pub header: Vec<u8>,
}

impl Track {
    /// A track of which nothing more is known.
    #[must_use]
    pub const fn new(codec: Codec, timescale: u32) -> Self {
        Self {
            codec,
            size: None,
            timescale,
            rate: None,
            pixel_aspect: None,
            colour: None,
            planes: Vec::new(),
            header: Vec::new(),
        }
    }
}

/// How colours are to be understood, in the numbers of ITU-T H.273; 2 where nothing says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `ColourPrimaries`.
    pub primaries: u8,
    /// `TransferCharacteristics`.
    pub transfer: u8,
    /// `MatrixCoefficients`.
    pub matrix: u8,
    /// `VideoFullRangeFlag`, where something says it.
    pub full_range: Option<bool>,
}

impl Default for Colour {
    fn default() -> Self {
        Self {
            primaries: 2,
            transfer: 2,
            matrix: 2,
            full_range: None,
        }
    }
}

/// Where a plane lies in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Bytes before its first row.
    pub offset: u32,
    /// Bytes from a row to the next.
    pub stride: u32,
}

/// One picture's data in a file, or what belongs together: an access unit, a frame, a temporal
/// unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Bytes of data.
    pub len: usize,
    /// When it is shown, in the track's units.
    pub presented: i64,
    /// When it is decoded, in the track's units: packets are in this order.
    pub decoded: i64,
    /// How long it is shown, in the track's units; 0 where nothing says it.
    pub duration: u32,
    /// Whether decoding can begin with it.
    pub key: bool,
    /// Where its data begins in the file, in bytes.
    pub offset: u64,
}
