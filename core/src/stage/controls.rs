//! What may be changed of a stage while frames flow.

use std::fmt;

use super::StageError;

/// What a control is to be set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlValue {
    /// A number; for a menu, the number of the entry.
    Integer(i64),
    /// On or off; a button is pressed with `true`.
    Boolean(bool),
    /// The name of a menu entry, or the text of a control that takes text.
    Text(String),
}

impl fmt::Display for ControlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "`{value}`"),
        }
    }
}

/// A device's controls, which any thread may set while the stage's own waits for frames.
pub trait Controls: Send + Sync {
    /// Sets a control by its name.
    ///
    /// # Errors
    /// [`StageError::Gone`] when the device vanished, otherwise [`StageError::Failed`], which
    /// says what controls there are or what this one takes.
    fn set(&self, name: &str, value: &ControlValue) -> Result<(), StageError>;
}

/// Which input a stage passes on, which any thread may change while frames flow.
pub trait Switch: Send + Sync {
    /// The input that is passed on, counted from 0.
    fn selected(&self) -> usize;

    /// Changes over to another input, from its next frame on.
    fn select(&self, input: usize);
}
