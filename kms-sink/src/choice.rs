//! In what order the ways to show a picture are tried.

use std::fmt;

use dmaflow_core::layout::Layout;

use crate::mode::{ModeInfo, ModeRequest, asked_for, preferred};

/// A picture's or a mode's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A part of a screen or of a picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Pixels from the left edge.
    pub x: u32,
    /// Rows from the upper edge.
    pub y: u32,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Which part of a picture is shown where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: Rect,
    pub(crate) at: Rect,
}

impl Place {
    /// All of a picture.
    pub(crate) const fn of_whole(picture: Size, at: Rect) -> Self {
        Self {
            source: Rect::whole(picture),
            at,
        }
    }

    /// What a screen shows of a picture of this size, for people.
    pub(crate) fn describe(&self, picture: Size) -> String {
        if self.source.size() == picture {
            self.at.describe(picture)
        } else {
            format!(
                "{} of {picture}, {}",
                self.source,
                self.at.describe(self.source.size())
            )
        }
    }
}

/// A mode, by its index, and where in it the picture goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) mode: usize,
    pub(crate) at: Rect,
}

/// One way to show a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) placement: Placement,
    /// A plane, by its index.
    pub(crate) plane: usize,
}

impl Size {
    /// The size of a layout's pictures.
    pub(crate) fn of(layout: &Layout) -> Self {
        Self {
            width: layout.width(),
            height: layout.height(),
        }
    }

    pub(crate) fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl Candidate {
    /// All of a picture of this size, where it goes.
    pub(crate) const fn place(&self, picture: Size) -> Place {
        Place::of_whole(picture, self.placement.at)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl fmt::Display for Rect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {},{}", self.size(), self.x, self.y)
    }
}

impl Rect {
    /// All of something of this size.
    pub(crate) const fn whole(size: Size) -> Self {
        Self {
            x: 0,
            y: 0,
            width: size.width,
            height: size.height,
        }
    }

    pub(crate) const fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    pub(crate) fn contains(&self, x: u32, y: u32) -> bool {
        x.wrapping_sub(self.x) < self.width && y.wrapping_sub(self.y) < self.height
    }

    /// The picture in its own size in the middle of some room; `None` where it does not fit.
    ///
    /// The corner is even, since formats with subsampled chroma can start on even pixels only.
    pub(crate) fn centred(picture: Size, room: Size) -> Option<Self> {
        let middle = |all: u32, part: u32| Some((all.checked_sub(part)? / 2) & !1);
        Some(Self {
            x: middle(room.width, picture.width)?,
            y: middle(room.height, picture.height)?,
            ..Self::whole(picture)
        })
    }

    /// The picture as large as the room allows with its sides in proportion.
    pub(crate) fn fitted(picture: Size, room: Size) -> Option<Self> {
        let scale = |side: u32, other: u32, by: u32| {
            let scaled = u64::from(side) * u64::from(other) / u64::from(by);
            match u32::try_from(scaled) {
                Ok(scaled) if scaled == side => side,
                Ok(scaled) => scaled & !1,
                Err(_too_large) => u32::MAX,
            }
        };
        let width = scale(picture.width, room.height, picture.height);
        let size = if width <= room.width {
            Size {
                width,
                height: room.height,
            }
        } else {
            Size {
                width: room.width,
                height: scale(picture.height, room.width, picture.width),
            }
        };
        Self::centred(size, room)
    }

    /// What a screen shows of a picture of this size, for people.
    pub(crate) fn describe(&self, picture: Size) -> String {
        if self.size() == picture {
            format!("unscaled {self}")
        } else {
            format!("scaled from {picture} to {self}")
        }
    }
}

/// The modes a request allows, best first: where any will do, the preferred one, then the
/// smaller before the larger.
pub(crate) fn modes_in_order(modes: &[ModeInfo], request: ModeRequest) -> Vec<usize> {
    let mut asked = asked_for(modes, request);
    if request == ModeRequest::Auto {
        let best = preferred(modes);
        asked.sort_by_key(|&mode| (Some(mode) != best, modes[mode].size().area()));
    }
    asked
}

/// The modes a request allows with the places for a picture in them, best first.
///
/// Scaling is left out where `scaling` is false.
pub(crate) fn placements(
    modes: &[ModeInfo],
    request: ModeRequest,
    picture: Size,
    scaling: bool,
) -> Vec<Placement> {
    let fitted = |mode: usize| (mode, Rect::fitted(picture, modes[mode].size()));
    let centred = |mode: usize| (mode, Rect::centred(picture, modes[mode].size()));
    let asked = asked_for(modes, request);
    let both = |mode: usize| [fitted(mode), centred(mode)];
    let ways: Vec<_> = match request {
        ModeRequest::Auto => {
            let same = |&mode: &usize| modes[mode].size() == picture;
            let mut by_area = asked.clone();
            by_area.sort_by_key(|&mode| modes[mode].size().area());
            let best = preferred(modes).into_iter().flat_map(both);
            let exact = asked.into_iter().filter(same).map(centred);
            best.chain(exact)
                .chain(by_area.into_iter().map(centred))
                .collect()
        }
        _ => asked.into_iter().flat_map(both).collect(),
    };
    let mut placements = Vec::new();
    for (mode, at) in ways {
        let Some(at) = at else { continue };
        let placement = Placement { mode, at };
        if (scaling || at.size() == picture) && !placements.contains(&placement) {
            placements.push(placement);
        }
    }
    placements
}

/// The first way that a test accepts with what it made, or all of them with its reasons.
pub(crate) fn first_accepted<T, E>(
    placements: &[Placement],
    planes: &[usize],
    mut test: impl FnMut(&Candidate) -> Result<T, E>,
) -> Result<(Candidate, T), Vec<(Candidate, E)>> {
    let mut refused = Vec::new();
    for &placement in placements {
        for &plane in planes {
            let candidate = Candidate { placement, plane };
            match test(&candidate) {
                Ok(made) => return Ok((candidate, made)),
                Err(error) => refused.push((candidate, error)),
            }
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::Errno;

    fn mode(width: u32, height: u32, preferred: bool) -> ModeInfo {
        ModeInfo {
            width,
            height,
            refresh_millihertz: 60_000,
            preferred,
        }
    }

    fn size(width: u32, height: u32) -> Size {
        Size { width, height }
    }

    const PICTURE: Size = Size {
        width: 1280,
        height: 720,
    };

    /// vkms's modes in short: the preferred one is too small for the picture.
    fn modes() -> Vec<ModeInfo> {
        vec![
            mode(4096, 2160, false),
            mode(1920, 1080, false),
            mode(1280, 720, false),
            mode(1024, 768, true),
            mode(640, 480, false),
        ]
    }

    fn unscaled_only(candidate: &Candidate) -> Result<(), Errno> {
        match candidate.placement.at.size() == PICTURE {
            true => Ok(()),
            false => Err(Errno::ERANGE),
        }
    }

    #[test]
    fn auto_goes_from_the_preferred_mode_to_what_fits() {
        let found = placements(&modes(), ModeRequest::Auto, PICTURE, true);
        let order: Vec<_> = found.iter().map(|way| way.mode).collect();
        assert_eq!(order, [3, 2, 1, 0]);
        assert_eq!(found[0].at.size(), size(1024, 576));
        assert_eq!((found[0].at.x, found[0].at.y), (0, 96));
        assert_eq!((found[2].at.x, found[2].at.y), (320, 180));
    }

    #[test]
    fn the_first_accepted_way_wins_and_primary_comes_first() {
        let ways = placements(&modes(), ModeRequest::Auto, PICTURE, true);
        let (chosen, ()) = first_accepted(&ways, &[7, 8], unscaled_only).unwrap();
        assert_eq!((chosen.placement.mode, chosen.plane), (2, 7));
        let overlay = first_accepted(&ways, &[7, 8], |candidate| {
            if candidate.plane == 8 {
                Ok(())
            } else {
                Err(Errno::EINVAL)
            }
        });
        // A mode further up the list is worth more than a plane further up.
        assert_eq!(overlay.unwrap().0.placement.mode, 3);
    }

    #[test]
    fn every_refusal_is_kept() {
        let ways = placements(&modes(), ModeRequest::Preferred, PICTURE, true);
        let refused = first_accepted(&ways, &[7, 8], unscaled_only).unwrap_err();
        assert_eq!(refused.len(), 2);
        assert!(refused.iter().all(|(_way, errno)| *errno == Errno::ERANGE));
    }

    #[test]
    fn without_scaling_only_places_of_the_pictures_size_are_left() {
        let found = placements(&modes(), ModeRequest::Auto, PICTURE, false);
        assert!(found.iter().all(|way| way.at.size() == PICTURE));
        assert_eq!(found.len(), 3);
        let sized = "640x480".parse().unwrap();
        assert!(placements(&modes(), sized, PICTURE, false).is_empty());
    }

    #[test]
    fn a_picture_of_the_modes_size_is_tried_once() {
        let sized = "1280x720".parse().unwrap();
        let found = placements(&modes(), sized, PICTURE, true);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].at.describe(PICTURE), "unscaled 1280x720 at 0,0");
    }

    #[test]
    fn tall_pictures_get_bars_at_the_sides() {
        let at = Rect::fitted(size(480, 640), size(1920, 1080)).unwrap();
        assert_eq!(at.size(), size(810, 1080));
        assert_eq!(at.x, 554);
        assert_eq!(
            at.describe(size(480, 640)),
            "scaled from 480x640 to 810x1080 at 554,0"
        );
    }
}
