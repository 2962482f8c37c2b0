//! What a display sink is asked for.

use std::num::NonZeroU32;

use crate::mode::ModeRequest;
use crate::plane::PlaneRequest;

/// Which display shows the frames, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KmsSinkConfig {
    /// The card, by its node, its driver's name or its bus address; the first usable one when
    /// `None`.
    pub card: Option<String>,
    /// The connector, by the kernel's name; the first with a screen when `None`.
    pub connector: Option<String>,
    /// The screen's mode.
    pub mode: ModeRequest,
    /// The plane; any that can show the frames when `None`.
    pub plane: Option<PlaneRequest>,
    /// Compares every Nth frame with what a writeback connector saw; rules scaling out.
    pub verify: Option<NonZeroU32>,
}
