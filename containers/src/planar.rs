//! Pictures that are not coded, as files lay them out: planes one behind the other, rows without
//! padding.

use crate::packet::Plane;

/// A format of `drm_fourcc.h`, as far as it says how many bytes its planes have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planar {
    pub(crate) fourcc: u32,
    /// Bytes of a sample.
    pub(crate) bytes: u32,
    /// Columns and rows that share a sample of colour, where there are planes of colour.
    pub(crate) chroma: Option<(u32, u32)>,
}

/// The four characters of a format, as a number.
pub(crate) const fn fourcc(name: [u8; 4]) -> u32 {
    u32::from_le_bytes(name)
}

impl Planar {
    /// Where the planes of a picture lie, and how many bytes it has; none of one that is too large
    /// or has no pixels.
    pub(crate) fn planes(self, (width, height): (u32, u32)) -> Option<(Vec<Plane>, u64)> {
        if width == 0 || height == 0 {
            return None;
        }
        let mut planes = Vec::with_capacity(3);
        let mut end = 0_u64;
        let chroma = self.chroma.iter().flat_map(|chroma| [*chroma; 2]);
        for (across, down) in [(1, 1)].into_iter().chain(chroma) {
            let offset = u32::try_from(end).ok()?;
            let stride = width.div_ceil(across).checked_mul(self.bytes)?;
            planes.push(Plane { offset, stride });
            let rows = height.div_ceil(down);
            end += u64::from(stride) * u64::from(rows);
        }
        Some((planes, end))
    }
}
