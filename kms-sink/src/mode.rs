//! Modes: how many pixels a screen shows, and how often.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use dmaflow_core::stage::Choice;
use dmaflow_core::time::Rate;
use drm::control::{Mode, ModeFlags, ModeTypeFlags};

use crate::choice::Size;

/// Which mode a screen is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModeRequest {
    /// The screen's preferred mode where the picture can be shown in it, otherwise one that
    /// suits the picture.
    #[default]
    Auto,
    /// The screen's preferred mode and no other.
    Preferred,
    /// A mode of this size and no other.
    Sized {
        /// Pixels a row.
        width: u32,
        /// Rows.
        height: u32,
        /// How often the screen is refreshed, within half a hertz; any when `None`.
        refresh: Option<Rate>,
    },
}

impl fmt::Display for ModeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Preferred => f.pad("preferred"),
            Self::Sized {
                width,
                height,
                refresh,
            } => {
                write!(f, "{width}x{height}")?;
                refresh.map_or(Ok(()), |refresh| write!(f, "@{refresh}"))
            }
        }
    }
}

/// The text is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no mode: write `auto`, `preferred`, `1280x720` or `1280x720@60`")]
pub struct NotAMode(pub String);

impl FromStr for ModeRequest {
    type Err = NotAMode;

    fn from_str(text: &str) -> Result<Self, NotAMode> {
        let sized = || {
            let (size, refresh) = match text.split_once('@') {
                Some((size, refresh)) => (size, Some(refresh.parse().ok()?)),
                None => (text, None),
            };
            let (width, height) = size.split_once('x')?;
            let number = |digits: &str| digits.parse().ok().filter(|&number: &u32| number > 0);
            Some(Self::Sized {
                width: number(width)?,
                height: number(height)?,
                refresh,
            })
        };
        match text {
            "auto" => Ok(Self::Auto),
            "preferred" => Ok(Self::Preferred),
            _ => sized().ok_or_else(|| NotAMode(text.to_owned())),
        }
    }
}

/// A mode of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModeInfo {
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Thousandths of a hertz.
    pub refresh_millihertz: u32,
    /// Whether the screen prefers it.
    pub preferred: bool,
}

impl ModeInfo {
    /// What the kernel says of a mode; `None` where rows are not sent once each, in order,
    /// which planes and flips do not account for.
    pub(crate) fn of(mode: &Mode) -> Option<Self> {
        if mode
            .flags()
            .intersects(ModeFlags::INTERLACE | ModeFlags::DBLSCAN)
        {
            return None;
        }
        let (width, height) = mode.size();
        Some(Self {
            width: width.into(),
            height: height.into(),
            refresh_millihertz: refresh(mode),
            preferred: mode.mode_type().contains(ModeTypeFlags::PREFERRED),
        })
    }

    pub(crate) const fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    /// For people: that it was chosen.
    pub(crate) fn choice(&self) -> Choice {
        let preferred = if self.preferred { " (preferred)" } else { "" };
        Choice {
            what: "mode",
            chosen: format!("{self}{preferred}"),
        }
    }

    /// From one refresh of the screen to the next.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_nanos(1_000_000_000_000 / u64::from(self.refresh_millihertz.max(1)))
    }
}

impl fmt::Display for ModeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = (self.width, self.height);
        let hertz = self.refresh_millihertz / 1000;
        match self.refresh_millihertz % 1000 / 10 {
            0 => write!(f, "{width}x{height}@{hertz}"),
            hundredths => write!(f, "{width}x{height}@{hertz}.{hundredths:02}"),
        }
    }
}

/// The refresh rate in millihertz, from the pixel clock in kilohertz, as the kernel's own
/// `drm_mode_vrefresh` computes it in hertz.
fn refresh(mode: &Mode) -> u32 {
    let total = |(_, _, total): (u16, u16, u16)| u64::from(total);
    let pixels = total(mode.hsync()) * total(mode.vsync()) * u64::from(mode.vscan().max(1));
    let millihertz = (u64::from(mode.clock()) * 1_000_000 + pixels / 2).checked_div(pixels);
    millihertz
        .and_then(|millihertz| u32::try_from(millihertz).ok())
        .unwrap_or(0)
}

/// Which of the modes a request means, best first; all of them for [`ModeRequest::Auto`].
pub(crate) fn asked_for(modes: &[ModeInfo], request: ModeRequest) -> Vec<usize> {
    match request {
        ModeRequest::Auto => (0..modes.len()).collect(),
        ModeRequest::Preferred => preferred(modes).into_iter().collect(),
        ModeRequest::Sized {
            width,
            height,
            refresh,
        } => {
            let wanted = refresh.map(millihertz);
            let off = |mode: &ModeInfo| {
                wanted.map_or(0, |wanted| mode.refresh_millihertz.abs_diff(wanted))
            };
            let mut found: Vec<_> = (0..modes.len())
                .filter(|&index| {
                    let mode = &modes[index];
                    (mode.width, mode.height) == (width, height) && off(mode) <= 500
                })
                .collect();
            found.sort_by_key(|&index| off(&modes[index]));
            found
        }
    }
}

/// The mode that the screen prefers, or its first one.
pub(crate) fn preferred(modes: &[ModeInfo]) -> Option<usize> {
    let marked = modes.iter().position(|mode| mode.preferred);
    marked.or((!modes.is_empty()).then_some(0))
}

/// The modes most similar to a request that cannot be met.
pub(crate) fn nearest(modes: &[ModeInfo], request: ModeRequest) -> Vec<String> {
    let mut modes = modes.to_vec();
    if let ModeRequest::Sized {
        width,
        height,
        refresh,
    } = request
    {
        let wanted = refresh.map_or(60_000, millihertz);
        modes.sort_by_key(|mode| {
            let size = mode.width.abs_diff(width) + mode.height.abs_diff(height);
            (size, mode.refresh_millihertz.abs_diff(wanted))
        });
    }
    modes.iter().take(4).map(ModeInfo::to_string).collect()
}

fn millihertz(rate: Rate) -> u32 {
    let millihertz = u64::from(rate.frames()) * 1000 / u64::from(rate.seconds());
    u32::try_from(millihertz).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(width: u32, height: u32, refresh_millihertz: u32) -> ModeInfo {
        ModeInfo {
            width,
            height,
            refresh_millihertz,
            preferred: false,
        }
    }

    #[test]
    fn text_and_request_are_the_same() {
        for text in [
            "auto",
            "preferred",
            "1280x720",
            "1280x720@60",
            "720x576@59.94",
        ] {
            let request: ModeRequest = text.parse().unwrap();
            assert_eq!(request.to_string(), text);
        }
        for wrong in [
            "",
            "1280",
            "1280x",
            "0x720",
            "1280x720@",
            "1280x720@0",
            "Auto",
        ] {
            assert_eq!(
                wrong.parse::<ModeRequest>(),
                Err(NotAMode(wrong.to_owned()))
            );
        }
    }

    #[test]
    fn refresh_decides_between_modes_of_one_size() {
        let modes = [
            mode(1280, 720, 50_000),
            mode(1280, 720, 59_940),
            mode(1280, 720, 60_000),
            mode(1920, 1080, 60_000),
        ];
        let found = |text: &str| asked_for(&modes, text.parse().unwrap());
        assert_eq!(found("1280x720@60"), [2, 1]);
        assert_eq!(found("1280x720@59.94"), [1, 2]);
        assert_eq!(found("1280x720"), [0, 1, 2]);
        assert_eq!(found("1280x720@75"), [0_usize; 0]);
        assert_eq!(found("preferred"), [0]);
        let asked = "1900x1080@75".parse().unwrap();
        assert_eq!(nearest(&modes, asked)[0], "1920x1080@60");
    }

    #[test]
    fn a_mode_names_its_hundredths() {
        assert_eq!(mode(640, 480, 59_940).to_string(), "640x480@59.94");
        assert_eq!(mode(640, 480, 60_000).to_string(), "640x480@60");
    }
}
