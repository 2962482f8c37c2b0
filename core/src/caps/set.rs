//! Sets of values with an order of preference.

use std::fmt;

/// Values that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set<T> {
    /// Whatever there is.
    Any,
    /// One of these, best first.
    Of(Vec<T>),
}

impl<T: Clone + PartialEq> Set<T> {
    /// This value alone.
    #[must_use]
    pub fn only(value: T) -> Self {
        Self::Of(vec![value])
    }

    /// Whether a value will do.
    #[must_use]
    pub fn contains(&self, value: &T) -> bool {
        match self {
            Self::Any => true,
            Self::Of(values) => values.contains(value),
        }
    }

    /// Whether nothing will do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Of(values) if values.is_empty())
    }

    /// What both have, in this one's order; in the other's where this one has none.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, other) => other.clone(),
            (Self::Of(_), Self::Any) => self.clone(),
            (Self::Of(values), Self::Of(others)) => {
                let common = values.iter().filter(|value| others.contains(value));
                Self::Of(common.cloned().collect())
            }
        }
    }
}

impl<T: fmt::Display> fmt::Display for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Of(values) if values.is_empty() => f.write_str("none"),
            Self::Of(values) => {
                for (index, value) in values.iter().enumerate() {
                    let space = if index == 0 { "" } else { " " };
                    write!(f, "{space}{value}")?;
                }
                Ok(())
            }
        }
    }
}
