//! An error as people read it.

use std::error::Error;

/// An error with what caused it, as far as it does not say so itself.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use crate::Errno;
    use crate::heap::{AllocError, ExportError};

    #[test]
    fn a_cause_is_told_once() {
        let errno = Errno::EDQUOT;
        let reason = "the quota is used up".to_owned();
        let error = AllocError::Exporter {
            heap: "camera".to_owned(),
            asked: 4096,
            source: ExportError::Refused { errno, reason },
        };
        let text = with_causes(&error);
        assert_eq!(text.matches("quota").count(), 1, "{text}");
        let error = AllocError::Exporter {
            heap: "camera".to_owned(),
            asked: 4096,
            source: ExportError::Os {
                call: "DMA_HEAP_IOCTL_ALLOC",
                source: errno,
            },
        };
        let text = with_causes(&error);
        assert!(
            text.contains("DMA_HEAP_IOCTL_ALLOC") && text.contains("EDQUOT"),
            "{text}"
        );
    }
}
