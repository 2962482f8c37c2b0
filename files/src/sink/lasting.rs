//! What of a recording outlasts its stage.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dmaflow_core::stage::{ControlValue, Controls, StageError};

use crate::error::FileError;

/// What goes on where a stage is made anew, as after a failure of another one: that its file was
/// begun, which is not written over then, and whether it records. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Lasting(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// There is a file that is not to be written over.
    begun: AtomicBool,
    /// Whether somebody set it to record, or not to.
    told: AtomicBool,
    records: AtomicBool,
}

/// It is nothing that two configurations differ in.
impl PartialEq for Lasting {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Lasting {}

impl Lasting {
    /// Takes note that a file is begun; tells whether one was before.
    pub(super) fn begin(&self) -> bool {
        self.0.begun.swap(true, Ordering::Relaxed)
    }

    /// Whether it is to record; as at first, where nobody said.
    pub(super) fn records(&self, at_first: bool) -> bool {
        match self.0.told.load(Ordering::Acquire) {
            true => self.0.records.load(Ordering::Relaxed),
            false => at_first,
        }
    }

    fn record(&self, records: bool) {
        self.0.records.store(records, Ordering::Relaxed);
        self.0.told.store(true, Ordering::Release);
    }
}

/// `record`: whether frames are written, or kept until they are.
impl Controls for Lasting {
    fn set(&self, name: &str, value: &ControlValue) -> Result<(), StageError> {
        match (name, value) {
            ("record", ControlValue::Boolean(records)) => {
                self.record(*records);
                Ok(())
            }
            _ => Err(FileError::Control {
                asked: format!("{name}={value}"),
            }
            .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_records_as_at_first_until_somebody_says_otherwise() {
        let lasting = Lasting::default();
        assert!(lasting.records(true) && !lasting.records(false));
        let again = lasting.clone();
        lasting.set("record", &ControlValue::Boolean(true)).unwrap();
        assert!(again.records(false));
        lasting
            .set("record", &ControlValue::Boolean(false))
            .unwrap();
        assert!(!again.records(true));
        let wrong = lasting.set("record", &ControlValue::Integer(1));
        assert!(wrong.unwrap_err().to_string().contains("record=1"));
        assert!(
            lasting
                .set("brightness", &ControlValue::Boolean(true))
                .is_err()
        );
    }
}
