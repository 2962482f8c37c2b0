//! When memory that is used again is cleared.

/// When memory that is used again is cleared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clearing {
    /// Before each use.
    #[default]
    Always,
    /// Only before another client uses it.
    BetweenClients,
}
