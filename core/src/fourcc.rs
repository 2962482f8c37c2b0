//! Four-character codes, as V4L2 and DRM both write them.

use std::fmt;
use std::str::FromStr;

/// Four bytes that name a pixel format; what they mean depends on who says them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc([u8; 4]);

impl FourCc {
    /// The code of four characters.
    #[must_use]
    pub const fn new(code: [u8; 4]) -> Self {
        Self(code)
    }

    /// The code in the 32 bits that kernel structures carry.
    #[must_use]
    pub const fn from_u32(code: u32) -> Self {
        Self(code.to_le_bytes())
    }

    /// The 32 bits that kernel structures carry.
    #[must_use]
    pub const fn to_u32(self) -> u32 {
        u32::from_le_bytes(self.0)
    }
}

impl fmt::Display for FourCc {
    /// Writes the characters without padding, and hexadecimal where they are not printable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text)
                if text
                    .bytes()
                    .all(|byte| byte == b' ' || byte.is_ascii_graphic()) =>
            {
                f.pad(text.trim_end())
            }
            _ => write!(f, "{:#010x}", self.to_u32()),
        }
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

/// The text is not one to four printable characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a four-character code has one to four printable characters")]
pub struct NotAFourCc;

impl FromStr for FourCc {
    type Err = NotAFourCc;

    fn from_str(text: &str) -> Result<Self, NotAFourCc> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > 4 || !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(NotAFourCc);
        }
        let mut code = [b' '; 4];
        code[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_number_agree() {
        let code: FourCc = "NV12".parse().unwrap();
        assert_eq!(code.to_u32(), 0x3231_564e);
        assert_eq!(FourCc::from_u32(0x2020_3852).to_string(), "R8");
        assert_eq!("R8".parse(), Ok(FourCc::new(*b"R8  ")));
        assert_eq!(FourCc::from_u32(1).to_string(), "0x00000001");
        assert_eq!("".parse::<FourCc>(), Err(NotAFourCc));
        assert_eq!("toolong".parse::<FourCc>(), Err(NotAFourCc));
    }
}
