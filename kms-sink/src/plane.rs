//! Planes: what can show a picture on a screen.

use std::fmt;
use std::str::FromStr;

use dmaflow_core::format::Format;
use dmaflow_core::fourcc::FourCc;
use dmaflow_core::layout::Modifier;
use drm::control::{Device, plane};

use crate::card::Card;
use crate::error::KmsSinkError;
use crate::props::{Properties, Target};

/// Which plane is to show the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaneRequest {
    /// The one at the bottom.
    Primary,
    /// One above it.
    Overlay,
    /// The one that the kernel numbers so.
    Id(u32),
}

impl fmt::Display for PlaneRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary => f.pad("primary"),
            Self::Overlay => f.pad("overlay"),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

/// The text is no plane.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no plane: write `primary`, `overlay` or the kernel's number of a plane")]
pub struct NotAPlane(pub String);

impl FromStr for PlaneRequest {
    type Err = NotAPlane;

    fn from_str(text: &str) -> Result<Self, NotAPlane> {
        match text {
            "primary" => Ok(Self::Primary),
            "overlay" => Ok(Self::Overlay),
            _ => text
                .parse()
                .map(Self::Id)
                .map_err(|_no_number| NotAPlane(text.to_owned())),
        }
    }
}

/// What a plane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaneKind {
    /// The one at the bottom.
    Primary,
    /// One above it.
    Overlay,
    /// The mouse pointer's.
    Cursor,
}

impl PlaneKind {
    /// `enum drm_plane_type`, which is also the value of the property `type`.
    fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Primary,
            2 => Self::Cursor,
            _ => Self::Overlay,
        }
    }
}

impl fmt::Display for PlaneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Primary => "primary",
            Self::Overlay => "overlay",
            Self::Cursor => "cursor",
        })
    }
}

/// A plane and what it takes.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub(crate) id: u32,
    pub(crate) kind: PlaneKind,
    pub(crate) info: plane::Info,
    pub(crate) properties: Properties,
    /// Codes and modifiers, as the kernel pairs them.
    takes: Vec<(FourCc, Modifier)>,
}

impl Plane {
    fn read(card: &Card, handle: plane::Handle) -> Result<Self, KmsSinkError> {
        let info = card.asked("a plane", card.get_plane(handle))?;
        let properties = Properties::read(card, handle)?;
        let linear = |&code: &u32| (FourCc::from_u32(code), Modifier::LINEAR);
        let takes = properties
            .blob(card, "IN_FORMATS")
            .and_then(|bytes| in_formats(&bytes))
            .unwrap_or_else(|| info.formats().iter().map(linear).collect());
        Ok(Self {
            id: handle.into(),
            kind: PlaneKind::from_number(properties.value("type").unwrap_or(0)),
            info,
            properties,
            takes,
        })
    }

    /// Where its framebuffer is set.
    pub(crate) fn framebuffer(&self, card: &Card) -> Result<Target, KmsSinkError> {
        self.properties.target(card, "FB_ID")
    }

    /// Whether it takes such frames, by its own word.
    pub(crate) fn takes(&self, format: Format, modifier: Modifier) -> bool {
        format
            .drm()
            .is_some_and(|code| self.takes.contains(&(code, modifier)))
    }

    /// The formats it takes with rows from top to bottom, RGB first.
    pub(crate) fn formats(&self) -> Vec<Format> {
        Format::all()
            .filter(|&format| self.takes(format, Modifier::LINEAR))
            .collect()
    }

    /// Whether a user who asked for a plane can mean this one; the pointer's plane must be
    /// asked for by its number.
    pub(crate) fn answers_to(&self, request: Option<PlaneRequest>) -> bool {
        match request {
            None => self.kind != PlaneKind::Cursor,
            Some(PlaneRequest::Primary) => self.kind == PlaneKind::Primary,
            Some(PlaneRequest::Overlay) => self.kind == PlaneKind::Overlay,
            Some(PlaneRequest::Id(id)) => self.id == id,
        }
    }
}

impl fmt::Display for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.kind, self.id)
    }
}

/// All planes of a card, primary ones first.
pub(crate) fn planes(card: &Card) -> Result<Vec<Plane>, KmsSinkError> {
    let mut planes = card
        .asked("the planes", card.plane_handles())?
        .into_iter()
        .map(|handle| Plane::read(card, handle))
        .collect::<Result<Vec<_>, _>>()?;
    planes.sort_by_key(|plane| plane.kind);
    Ok(planes)
}

/// Reads the property `IN_FORMATS`, a `struct drm_format_modifier_blob` of `drm_mode.h`.
fn in_formats(bytes: &[u8]) -> Option<Vec<(FourCc, Modifier)>> {
    let u32_at = |at: usize| Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    let u64_at = |at: usize| Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    let index = |at: usize| Some(u32_at(at)? as usize);
    let (version, count, formats) = (u32_at(0)?, index(8)?, index(12)?);
    let (modifier_count, modifiers) = (index(16)?, index(20)?);
    if version != 1 {
        return None;
    }
    let mut pairs = Vec::new();
    for entry in 0..modifier_count {
        // A mask of 64 formats, the first one's index, padding, the modifier.
        let at = modifiers.checked_add(entry.checked_mul(24)?)?;
        let (mask, first, modifier) = (u64_at(at)?, index(at + 8)?, u64_at(at + 16)?);
        for bit in (0..64).filter(|bit| mask & (1 << bit) != 0) {
            if first + bit < count {
                let code = u32_at(formats + 4 * (first + bit))?;
                pairs.push((FourCc::from_u32(code), Modifier(modifier)));
            }
        }
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(formats: &[u32], modifiers: &[(u64, u32, u64)]) -> Vec<u8> {
        let formats_end = 24 + 4 * u32::try_from(formats.len()).unwrap();
        let start = formats_end.next_multiple_of(8);
        let counts = [formats.len(), modifiers.len()].map(|len| u32::try_from(len).unwrap());
        let mut bytes = Vec::new();
        for number in [1, 0, counts[0], 24, counts[1], start] {
            bytes.extend(u32::to_ne_bytes(number));
        }
        bytes.extend(formats.iter().flat_map(|code| code.to_ne_bytes()));
        bytes.resize(start as usize, 0);
        for (mask, first, modifier) in modifiers {
            bytes.extend(mask.to_ne_bytes());
            bytes.extend(first.to_ne_bytes());
            bytes.extend([0; 4]);
            bytes.extend(modifier.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn in_formats_pairs_codes_with_modifiers() {
        let (xr24, nv12) = (FourCc::new(*b"XR24"), FourCc::new(*b"NV12"));
        let codes = [xr24.to_u32(), nv12.to_u32(), 7];
        let bytes = blob(&codes, &[(0b011, 0, 0), (0b1, 1, 99)]);
        assert_eq!(
            in_formats(&bytes),
            Some(vec![
                (xr24, Modifier(0)),
                (nv12, Modifier(0)),
                (nv12, Modifier(99))
            ])
        );
        assert_eq!(in_formats(&bytes[..bytes.len() - 1]), None);
        assert_eq!(in_formats(&[]), None);
    }

    #[test]
    fn text_and_request_are_the_same() {
        for text in ["primary", "overlay", "35"] {
            assert_eq!(text.parse::<PlaneRequest>().unwrap().to_string(), text);
        }
        assert!("cursor".parse::<PlaneRequest>().is_err());
    }
}
