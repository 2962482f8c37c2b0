//! How numbers become colours.

use std::fmt;

/// The matrix between RGB and luma with chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// ITU-R BT.601: standard definition and most webcams.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
}

/// Which numbers stand for black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// 0 to the largest number.
    Full,
    /// 16 to 235 of 255, and in proportion with more bits.
    Limited,
}

/// How a frame's numbers become colours, as far as its source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Colour {
    /// The matrix; of no meaning for RGB.
    pub encoding: Option<Encoding>,
    /// The range.
    pub range: Option<Range>,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bt601 => "BT.601",
            Self::Bt709 => "BT.709",
            Self::Bt2020 => "BT.2020",
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "full range",
            Self::Limited => "limited range",
        })
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.encoding, self.range) {
            (None, None) => f.pad("colours of no known encoding"),
            (Some(encoding), None) => encoding.fmt(f),
            (None, Some(range)) => range.fmt(f),
            (Some(encoding), Some(range)) => write!(f, "{encoding} {range}"),
        }
    }
}
