//! The formats of files.

use std::fmt;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// H.264 in NAL units behind start codes (ITU-T H.264 Annex B).
    H264,
    /// HEVC in NAL units behind start codes (ITU-T H.265 Annex B).
    Hevc,
    /// An MPEG-2 video elementary stream (ITU-T H.262).
    Mpeg2,
    /// AV1 in the low-overhead format (AV1 specification, section 5).
    Obu,
    /// AV1 with lengths before temporal units, frame units and OBUs (its Annex B).
    ObuAnnexB,
    /// The kernel's FWHT, frames behind their headers.
    Fwht,
    /// JPEG pictures one behind the other.
    Mjpeg,
    /// IVF: VP8, VP9, AV1, FWHT.
    Ivf,
    /// MP4 (ISO/IEC 14496-12).
    Mp4,
    /// Matroska and WebM (RFC 9559).
    Matroska,
    /// YUV4MPEG2.
    Y4m,
    /// Pictures that are not coded, described in a file beside.
    Raw,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::H264,
        Self::Hevc,
        Self::Mpeg2,
        Self::Obu,
        Self::ObuAnnexB,
        Self::Fwht,
        Self::Mjpeg,
        Self::Ivf,
        Self::Mp4,
        Self::Matroska,
        Self::Y4m,
        Self::Raw,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::Hevc => "HEVC",
            Self::Mpeg2 => "MPEG-2",
            Self::Obu => "AV1 OBU",
            Self::ObuAnnexB => "AV1 Annex B",
            Self::Fwht => "FWHT",
            Self::Mjpeg => "MJPEG",
            Self::Ivf => "IVF",
            Self::Mp4 => "MP4",
            Self::Matroska => "Matroska",
            Self::Y4m => "Y4M",
            Self::Raw => "raw",
        }
    }

    /// How names of such files end, the usual one first.
    #[must_use]
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::H264 => &["h264", "264", "avc", "jsv", "jvt"],
            Self::Hevc => &["h265", "265", "hevc"],
            Self::Mpeg2 => &["m2v", "mpv", "m1v"],
            Self::Obu => &["obu", "av1"],
            Self::ObuAnnexB => &["annexb"],
            Self::Fwht => &["fwht"],
            Self::Mjpeg => &["mjpeg", "mjpg", "jpg", "jpeg"],
            Self::Ivf => &["ivf"],
            Self::Mp4 => &["mp4", "m4v", "mov"],
            Self::Matroska => &["mkv", "webm"],
            Self::Y4m => &["y4m"],
            Self::Raw => &["raw"],
        }
    }

    /// The format whose files' names end so, without the dot.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        let has = |format: &Self| {
            let mut all = format.extensions().iter();
            all.any(|known| known.eq_ignore_ascii_case(extension))
        };
        Self::ALL.into_iter().find(has)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
