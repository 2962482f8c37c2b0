//! Fields of a message, one behind the other.

use super::{Kind, MAGIC, Malformed, VERSION};

/// What every message begins with: [`MAGIC`], version, kind, serial number and, in replies, an
/// error number.
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) serial: u32,
    pub(super) errno: u32,
}

/// Takes fields from the bytes of a message.
pub(super) struct Fields<'m>(&'m [u8]);

impl<'m> Fields<'m> {
    /// Begins with a message of so many bytes.
    pub(super) fn of(bytes: &'m [u8], wanted: usize) -> Result<(Header, Self), Malformed> {
        let got = bytes.len();
        if got != wanted {
            return Err(Malformed::Length { got, wanted });
        }
        let mut fields = Self(bytes);
        if fields.array()? != MAGIC {
            return Err(Malformed::Magic);
        }
        let theirs = fields.u16()?;
        if theirs != VERSION {
            return Err(Malformed::Version { theirs });
        }
        let header = Header {
            kind: Kind::find(fields.u16()?)?,
            serial: fields.u32()?,
            errno: fields.u32()?,
        };
        Ok((header, fields))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Malformed::Length {
            got: self.0.len(),
            wanted: N,
        })?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number that may be left out, which [`u64::MAX`] says.
    pub(super) fn optional(&mut self) -> Result<Option<u64>, Malformed> {
        self.u64()
            .map(|number| Some(number).filter(|&n| n < u64::MAX))
    }

    /// A text in a field of `N` bytes behind its length; what follows the text is zero.
    pub(super) fn text<const N: usize>(&mut self) -> Result<&'m str, Malformed> {
        let len = usize::from(self.u16()?);
        let (field, rest) = self.0.split_at_checked(N).ok_or(Malformed::Text)?;
        self.0 = rest;
        let (text, unused) = field.split_at_checked(len).ok_or(Malformed::Text)?;
        all_zero(unused)?;
        let text = str::from_utf8(text).map_err(|_no_text| Malformed::Text)?;
        if text.chars().any(char::is_control) {
            return Err(Malformed::Text);
        }
        Ok(text)
    }

    /// Ends the message.
    pub(super) fn finish(self) -> Result<(), Malformed> {
        all_zero(self.0)
    }
}

fn all_zero(bytes: &[u8]) -> Result<(), Malformed> {
    if bytes.iter().any(|&byte| byte != 0) {
        return Err(Malformed::Unused);
    }
    Ok(())
}

/// Puts fields into a message of `N` bytes, zero where nothing is put.
pub(super) struct Message<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Message<N> {
    pub(super) fn new(header: &Header) -> Self {
        let mut message = Self {
            bytes: [0; N],
            at: 0,
        };
        message.put(&MAGIC);
        message.put(&VERSION.to_le_bytes());
        message.put(&header.kind.number().to_le_bytes());
        message.u32(header.serial);
        message.u32(header.errno);
        message
    }

    /// The messages are made to hold all their fields, which a test sees to; what had no room
    /// would be left out.
    fn put(&mut self, field: &[u8]) {
        let end = self.at + field.len();
        if let Some(place) = self.bytes.get_mut(self.at..end) {
            place.copy_from_slice(field);
        }
        self.at = end;
    }

    pub(super) fn u8(&mut self, number: u8) {
        self.put(&[number]);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }

    pub(super) fn optional(&mut self, number: Option<u64>) {
        self.u64(number.unwrap_or(u64::MAX));
    }

    /// A text in a field of `M` bytes, cut where it is longer.
    pub(super) fn text<const M: usize>(&mut self, text: &str) {
        let text = cut(text, M);
        let len = u16::try_from(text.len()).unwrap_or_default();
        self.put(&len.to_le_bytes());
        self.put(text.as_bytes());
        self.at += M - text.len();
    }

    pub(super) fn finish(self) -> [u8; N] {
        self.bytes
    }
}

/// As much of a text as fits, in whole characters.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
