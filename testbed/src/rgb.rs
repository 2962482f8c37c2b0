//! Colours of pixels as memory holds them.

/// Red, green and blue.
pub type Rgb = [u8; 3];

/// That of a pixel in RGB565, the low byte first.
#[must_use]
pub fn of_rgb565(bytes: [u8; 2]) -> Rgb {
    let word = u16::from_le_bytes(bytes);
    let wide = |bits: u16, of: u32| {
        u8::try_from(u32::from(bits) * 255 / ((1 << of) - 1)).unwrap_or(u8::MAX)
    };
    [
        wide(word >> 11, 5),
        wide(word >> 5 & 0x3f, 6),
        wide(word & 0x1f, 5),
    ]
}

/// That of luma and the two differences of chroma, blue first, by BT.601 in limited range.
#[must_use]
pub fn of_yuv(luma: u8, blue: u8, red: u8) -> Rgb {
    let luma = (f32::from(luma) - 16.0) * 255.0 / 219.0;
    let [blue, red] = [blue, red].map(|byte| (f32::from(byte) - 128.0) * 255.0 / 224.0);
    let colour = [
        luma + 1.402 * red,
        luma - 0.344_136 * blue - 0.714_136 * red,
        luma + 1.772 * blue,
    ];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value was clamped to a byte"
    )]
    colour.map(|value| value.round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_the_range_are_reached() {
        assert_eq!(of_rgb565([0xff, 0xff]), [255; 3]);
        assert_eq!(of_rgb565([0x00, 0xf8]), [255, 0, 0]);
        assert_eq!(of_yuv(16, 128, 128), [0; 3]);
        assert_eq!(of_yuv(235, 128, 128), [255; 3]);
    }

    #[test]
    fn yuv_becomes_the_bar_it_was() {
        let [red, green, blue] = of_yuv(65, 100, 212);
        assert!(red > 170 && green < 20 && blue < 20);
    }
}
