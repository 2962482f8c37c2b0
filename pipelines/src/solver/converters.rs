//! Converters that can be put in where two ends cannot agree.

use super::Alternative;

/// A converter that can be put into a link.
#[derive(Clone, Debug)]
pub struct ConverterCaps {
    /// Its name.
    pub name: String,
    /// Whether the CPU does the work: frames are then copied.
    pub cpu: bool,
    /// What it makes of what, best first.
    pub alternatives: Vec<Alternative>,
    /// How many frames it keeps of its input and of its output.
    pub holds: (usize, usize),
}
