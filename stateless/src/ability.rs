//! What a driver wants to be told, and how.

/// What a driver wants to be told, and how: what it has of the controls of a codec, and how it
/// takes the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ability {
    /// Each request decodes one slice; otherwise a whole picture (or field).
    pub slices: bool,
    /// NAL units come with their start codes, `00 00 01`; otherwise without.
    pub start_codes: bool,
    /// The ids of the controls that it has.
    pub controls: Vec<u32>,
}

impl Ability {
    /// Whether the driver has a control.
    #[must_use]
    pub fn has(&self, control: u32) -> bool {
        self.controls.contains(&control)
    }
}
