//! Where the channels of packed RGB pixels are.

use crate::format::Format;

/// A packed RGB format with 8 bits a channel, by the bytes of its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RgbBytes {
    /// Bytes a pixel.
    pub bytes: usize,
    /// Which bytes are red, green and blue; the others say nothing of the colour.
    pub channels: [usize; 3],
}

impl RgbBytes {
    /// How a format orders its channels, where it is such a format.
    ///
    /// DRM names the channels of a little-endian word from its highest bits down.
    #[must_use]
    pub fn of(format: Format) -> Option<Self> {
        let (bytes, channels) = match format.name() {
            "XRGB8888" | "ARGB8888" => (4, [2, 1, 0]),
            "XBGR8888" | "ABGR8888" => (4, [0, 1, 2]),
            "BGRX8888" | "BGRA8888" => (4, [1, 2, 3]),
            "RGBX8888" | "RGBA8888" => (4, [3, 2, 1]),
            "RGB888" => (3, [2, 1, 0]),
            "BGR888" => (3, [0, 1, 2]),
            _ => return None,
        };
        Some(Self { bytes, channels })
    }

    /// The colour of a pixel's bytes; black where there are too few.
    #[must_use]
    pub fn colour(&self, pixel: &[u8]) -> [u8; 3] {
        let channel = |at: usize| pixel.get(at).copied().unwrap_or_default();
        self.channels.map(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_follow_the_word_and_not_the_name() {
        // 0x00112233 in each format, as drm_fourcc.h defines them.
        for (format, memory) in [
            ("XRGB8888", [0x33, 0x22, 0x11, 0x00]),
            ("XBGR8888", [0x11, 0x22, 0x33, 0x00]),
            ("BGRX8888", [0x00, 0x11, 0x22, 0x33]),
            ("RGBX8888", [0x00, 0x33, 0x22, 0x11]),
            ("RGB888", [0x33, 0x22, 0x11, 0x00]),
            ("BGR888", [0x11, 0x22, 0x33, 0x00]),
        ] {
            let rgb = RgbBytes::of(format.parse().unwrap()).unwrap();
            assert_eq!(rgb.colour(&memory), [0x11, 0x22, 0x33], "{format}");
        }
        assert_eq!(RgbBytes::of(Format::NV12), None);
    }
}
