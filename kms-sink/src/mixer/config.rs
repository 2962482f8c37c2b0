//! What a display of several inputs is asked for.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use crate::mode::ModeRequest;
use crate::plane::PlaneRequest;

/// Which display shows the frames of several inputs, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KmsMixerConfig {
    /// The card, by its node, its driver's name or its bus address; the first usable one when
    /// `None`.
    pub card: Option<String>,
    /// The connector, by the kernel's name; the first with a screen when `None`.
    pub connector: Option<String>,
    /// The screen's mode.
    pub mode: ModeRequest,
    /// How the screen is divided.
    pub arrangement: Arrangement,
    /// Lays a black picture of the card's own on the primary plane even where the driver takes
    /// the inputs without, for drivers that want that plane to cover the screen and do not say so
    /// beforehand. Where they say so it is done without being asked for.
    pub backdrop: bool,
    /// The inputs, in the order of their cells.
    pub inputs: Vec<KmsInputConfig>,
    /// Compares the frames of every Nth commit with what a writeback connector saw; rules
    /// scaling out.
    pub verify: Option<NonZeroU32>,
}

/// One of the inputs of a display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KmsInputConfig {
    /// What messages call it.
    pub name: String,
    /// Its left upper corner on the screen, in pixels; the picture lies in the middle of the
    /// input's cell when `None`.
    pub at: Option<(u32, u32)>,
    /// Width and height of its place on the screen, in which the picture keeps its proportions.
    /// When `None`, the picture's own size where there is a corner, and otherwise its cell's.
    pub size: Option<(u32, u32)>,
    /// The plane; any that can show the frames when `None`.
    pub plane: Option<PlaneRequest>,
    /// What lies above where places overlap: the input with the higher number, and of equal ones
    /// the later.
    pub zpos: u32,
}

impl KmsInputConfig {
    /// What compares as inputs lie one above the other; `input` is this one's number.
    pub(super) const fn rank(&self, input: usize) -> (u32, usize) {
        (self.zpos, input)
    }
}

/// How a screen is divided among inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrangement {
    /// In cells of one size, in rows: as many columns as rows, or one more.
    #[default]
    Grid,
    /// In one row.
    SideBySide,
    /// As each input says.
    Custom,
}

impl fmt::Display for Arrangement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Grid => "grid",
            Self::SideBySide => "side-by-side",
            Self::Custom => "custom",
        })
    }
}

/// The text is no arrangement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no arrangement: write `grid`, `side-by-side` or `custom`")]
pub struct NotAnArrangement(pub String);

impl FromStr for Arrangement {
    type Err = NotAnArrangement;

    fn from_str(text: &str) -> Result<Self, NotAnArrangement> {
        [Self::Grid, Self::SideBySide, Self::Custom]
            .into_iter()
            .find(|known| known.to_string() == text)
            .ok_or_else(|| NotAnArrangement(text.to_owned()))
    }
}
