//! Media bus codes: how pixels travel between entities.

use std::fmt;
use std::str::FromStr;

use dmaflow_core::fourcc::FourCc;

/// A media bus code, `MEDIA_BUS_FMT_…`: what a pad's pictures look like on their way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MbusCode(pub u32);

impl MbusCode {
    /// Its name without `MEDIA_BUS_FMT_`, where the kernel's header of Linux 7.3 has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let known = NAMES.binary_search_by_key(&self.0, |(code, _name)| *code);
        known.ok().map(|index| NAMES[index].1)
    }

    /// The pixel formats that drivers write such pictures as without changing them, by V4L2's
    /// codes. For video nodes that cannot be asked themselves; empty where that is not known.
    #[must_use]
    pub fn usual_pixel_formats(self) -> Vec<FourCc> {
        let usual = USUAL.iter().filter(|(code, _formats)| *code == self.0);
        usual
            .flat_map(|(_code, formats)| formats.iter())
            .map(|format| FourCc::new(**format))
            .collect()
    }
}

impl fmt::Display for MbusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for MbusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MbusCode({self})")
    }
}

/// The text is no media bus code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no media bus code: write its name in linux/media-bus-format.h, such as \
     `SBGGR8_1X8`, or its number, such as `0x3001`"
)]
pub struct NotAMbusCode(String);

impl FromStr for MbusCode {
    type Err = NotAMbusCode;

    fn from_str(text: &str) -> Result<Self, NotAMbusCode> {
        let bare = text.strip_prefix("MEDIA_BUS_FMT_").unwrap_or(text);
        if let Some((code, _name)) = NAMES.iter().find(|(_code, name)| *name == bare) {
            return Ok(Self(*code));
        }
        let number = bare.strip_prefix("0x").unwrap_or("");
        u32::from_str_radix(number, 16)
            .map(Self)
            .map_err(|_no_number| NotAMbusCode(text.to_owned()))
    }
}

/// By code, so that they can be searched. Source: `include/uapi/linux/media-bus-format.h`.
const NAMES: &[(u32, &str)] = &[
    (0x0001, "FIXED"),
    (0x1001, "RGB444_2X8_PADHI_BE"),
    (0x1002, "RGB444_2X8_PADHI_LE"),
    (0x1003, "RGB555_2X8_PADHI_BE"),
    (0x1004, "RGB555_2X8_PADHI_LE"),
    (0x1005, "BGR565_2X8_BE"),
    (0x1006, "BGR565_2X8_LE"),
    (0x1007, "RGB565_2X8_BE"),
    (0x1008, "RGB565_2X8_LE"),
    (0x1009, "RGB666_1X18"),
    (0x100a, "RGB888_1X24"),
    (0x100b, "RGB888_2X12_BE"),
    (0x100c, "RGB888_2X12_LE"),
    (0x100d, "ARGB8888_1X32"),
    (0x100e, "RBG888_1X24"),
    (0x100f, "RGB888_1X32_PADHI"),
    (0x1010, "RGB666_1X7X3_SPWG"),
    (0x1011, "RGB888_1X7X4_SPWG"),
    (0x1012, "RGB888_1X7X4_JEIDA"),
    (0x1013, "BGR888_1X24"),
    (0x1014, "GBR888_1X24"),
    (0x1015, "RGB666_1X24_CPADHI"),
    (0x1016, "RGB444_1X12"),
    (0x1017, "RGB565_1X16"),
    (0x1018, "RGB101010_1X30"),
    (0x1019, "RGB121212_1X36"),
    (0x101a, "RGB161616_1X48"),
    (0x101b, "BGR888_3X8"),
    (0x101c, "RGB888_3X8"),
    (0x101d, "RGB888_3X8_DELTA"),
    (0x101e, "RGB666_1X30_CPADLO"),
    (0x101f, "RGB888_1X30_CPADLO"),
    (0x1020, "RGB666_1X36_CPADLO"),
    (0x1021, "RGB888_1X36_CPADLO"),
    (0x1022, "RGB565_1X24_CPADHI"),
    (0x1023, "BGR666_1X18"),
    (0x1024, "BGR666_1X24_CPADHI"),
    (0x1025, "RGB666_2X9_BE"),
    (0x1026, "RGB101010_1X7X5_SPWG"),
    (0x1027, "RGB101010_1X7X5_JEIDA"),
    (0x1028, "RGB202020_1X60"),
    (0x2001, "Y8_1X8"),
    (0x2002, "UYVY8_1_5X8"),
    (0x2003, "VYUY8_1_5X8"),
    (0x2004, "YUYV8_1_5X8"),
    (0x2005, "YVYU8_1_5X8"),
    (0x2006, "UYVY8_2X8"),
    (0x2007, "VYUY8_2X8"),
    (0x2008, "YUYV8_2X8"),
    (0x2009, "YVYU8_2X8"),
    (0x200a, "Y10_1X10"),
    (0x200b, "YUYV10_2X10"),
    (0x200c, "YVYU10_2X10"),
    (0x200d, "YUYV10_1X20"),
    (0x200e, "YVYU10_1X20"),
    (0x200f, "UYVY8_1X16"),
    (0x2010, "VYUY8_1X16"),
    (0x2011, "YUYV8_1X16"),
    (0x2012, "YVYU8_1X16"),
    (0x2013, "Y12_1X12"),
    (0x2014, "YDYUYDYV8_1X16"),
    (0x2015, "UV8_1X8"),
    (0x2016, "YUV10_1X30"),
    (0x2017, "AYUV8_1X32"),
    (0x2018, "UYVY10_2X10"),
    (0x2019, "VYUY10_2X10"),
    (0x201a, "UYVY10_1X20"),
    (0x201b, "VYUY10_1X20"),
    (0x201c, "UYVY12_2X12"),
    (0x201d, "VYUY12_2X12"),
    (0x201e, "YUYV12_2X12"),
    (0x201f, "YVYU12_2X12"),
    (0x2020, "UYVY12_1X24"),
    (0x2021, "VYUY12_1X24"),
    (0x2022, "YUYV12_1X24"),
    (0x2023, "YVYU12_1X24"),
    (0x2024, "VUY8_1X24"),
    (0x2025, "YUV8_1X24"),
    (0x2026, "UYYVYY8_0_5X24"),
    (0x2027, "UYYVYY10_0_5X30"),
    (0x2028, "UYYVYY12_0_5X36"),
    (0x2029, "YUV12_1X36"),
    (0x202a, "YUV16_1X48"),
    (0x202b, "UYYVYY16_0_5X48"),
    (0x202c, "Y10_2X8_PADHI_LE"),
    (0x202d, "Y14_1X14"),
    (0x202e, "Y16_1X16"),
    (0x3001, "SBGGR8_1X8"),
    (0x3002, "SGRBG8_1X8"),
    (0x3003, "SBGGR10_2X8_PADHI_BE"),
    (0x3004, "SBGGR10_2X8_PADHI_LE"),
    (0x3005, "SBGGR10_2X8_PADLO_BE"),
    (0x3006, "SBGGR10_2X8_PADLO_LE"),
    (0x3007, "SBGGR10_1X10"),
    (0x3008, "SBGGR12_1X12"),
    (0x3009, "SGRBG10_DPCM8_1X8"),
    (0x300a, "SGRBG10_1X10"),
    (0x300b, "SBGGR10_DPCM8_1X8"),
    (0x300c, "SGBRG10_DPCM8_1X8"),
    (0x300d, "SRGGB10_DPCM8_1X8"),
    (0x300e, "SGBRG10_1X10"),
    (0x300f, "SRGGB10_1X10"),
    (0x3010, "SGBRG12_1X12"),
    (0x3011, "SGRBG12_1X12"),
    (0x3012, "SRGGB12_1X12"),
    (0x3013, "SGBRG8_1X8"),
    (0x3014, "SRGGB8_1X8"),
    (0x3015, "SBGGR10_ALAW8_1X8"),
    (0x3016, "SGBRG10_ALAW8_1X8"),
    (0x3017, "SGRBG10_ALAW8_1X8"),
    (0x3018, "SRGGB10_ALAW8_1X8"),
    (0x3019, "SBGGR14_1X14"),
    (0x301a, "SGBRG14_1X14"),
    (0x301b, "SGRBG14_1X14"),
    (0x301c, "SRGGB14_1X14"),
    (0x301d, "SBGGR16_1X16"),
    (0x301e, "SGBRG16_1X16"),
    (0x301f, "SGRBG16_1X16"),
    (0x3020, "SRGGB16_1X16"),
    (0x3021, "SBGGR20_1X20"),
    (0x3022, "SGBRG20_1X20"),
    (0x3023, "SGRBG20_1X20"),
    (0x3024, "SRGGB20_1X20"),
    (0x4001, "JPEG_1X8"),
    (0x5001, "S5C_UYVY_JPEG_1X8"),
    (0x6001, "AHSV8888_1X32"),
    (0x7001, "METADATA_FIXED"),
    (0x8001, "META_8"),
    (0x8002, "META_10"),
    (0x8003, "META_12"),
    (0x8004, "META_14"),
    (0x8005, "META_16"),
    (0x8006, "META_20"),
    (0x8007, "META_24"),
];

/// The names say how components lie; which pixel formats that gives is in
/// `Documentation/userspace-api/media/v4l/pixfmt*.rst` and `subdev-formats.rst`.
const USUAL: &[(u32, &[&[u8; 4]])] = &[
    (0x100a, &[b"RGB3", b"BGR3", b"XB24"]),
    (0x1013, &[b"BGR3", b"RGB3", b"XR24"]),
    (0x1008, &[b"RGBP"]),
    (0x1007, &[b"RGBR"]),
    (0x1017, &[b"RGBP", b"RGBR"]),
    (0x100d, &[b"BA24"]),
    (0x2001, &[b"GREY"]),
    (0x200a, &[b"Y10 "]),
    (0x2006, &[b"UYVY"]),
    (0x2007, &[b"VYUY"]),
    (0x2008, &[b"YUYV"]),
    (0x2009, &[b"YVYU"]),
    (0x200f, &[b"UYVY"]),
    (0x2010, &[b"VYUY"]),
    (0x2011, &[b"YUYV"]),
    (0x2012, &[b"YVYU"]),
    (0x3001, &[b"BA81"]),
    (0x3013, &[b"GBRG"]),
    (0x3002, &[b"GRBG"]),
    (0x3014, &[b"RGGB"]),
    (0x3007, &[b"BG10", b"pBAA"]),
    (0x300e, &[b"GB10", b"pGAA"]),
    (0x300a, &[b"BA10", b"pgAA"]),
    (0x300f, &[b"RG10", b"pRAA"]),
    (0x3008, &[b"BG12", b"pBCC"]),
    (0x3010, &[b"GB12", b"pGCC"]),
    (0x3011, &[b"BA12", b"pgCC"]),
    (0x3012, &[b"RG12", b"pRCC"]),
    (0x4001, &[b"JPEG", b"MJPG"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, name) in NAMES {
            assert_eq!(name.parse(), Ok(MbusCode(*code)));
            assert_eq!(MbusCode(*code).to_string(), *name);
        }
        assert_eq!("MEDIA_BUS_FMT_SBGGR8_1X8".parse(), Ok(MbusCode(0x3001)));
        assert_eq!("0x3001".parse(), Ok(MbusCode(0x3001)));
        assert_eq!(MbusCode(0x9001).to_string(), "0x9001");
        let error = "SBGGR8".parse::<MbusCode>().unwrap_err().to_string();
        assert!(
            error.starts_with("`SBGGR8` is no media bus code"),
            "{error}"
        );
    }

    #[test]
    fn raw_pictures_have_their_own_formats() {
        let of = |name: &str| name.parse::<MbusCode>().unwrap().usual_pixel_formats();
        assert_eq!(of("SBGGR8_1X8"), [FourCc::new(*b"BA81")]);
        assert_eq!(of("SRGGB10_1X10").len(), 2);
        assert!(of("METADATA_FIXED").is_empty());
        for (code, _formats) in USUAL {
            assert!(MbusCode(*code).name().is_some(), "{code:#x}");
        }
    }
}
