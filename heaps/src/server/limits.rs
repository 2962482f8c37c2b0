//! How much of this process clients may use up together.

use dmaflow_core::heap::Budget;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors kept back: for listeners, logs, what exporters need for a moment.
const RESERVE: u64 = 64;

/// How many may be connected at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub connections: usize,
    /// Of one user.
    pub per_user: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_user: 64,
        }
    }
}

impl Limits {
    /// These limits, as far as there are descriptors for them, and how many buffers may then
    /// be on loan: each costs the server a descriptor.
    pub(super) fn within(self, descriptors: u64) -> (Self, Budget) {
        let usable = descriptors.saturating_sub(RESERVE);
        let most = usize::try_from(usable / 4).unwrap_or(usize::MAX);
        let limits = Self {
            connections: self.connections.min(most),
            ..self
        };
        let buffers = usable.saturating_sub(limits.connections as u64);
        let budget = Budget {
            bytes: None,
            buffers: Some(buffers),
        };
        (limits, budget)
    }
}

/// Has this process open as many files as it may, and returns how many those are.
pub(super) fn raise_descriptors() -> u64 {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(errno) => {
            tracing::warn!(%errno, "cannot ask how many files may be open");
            return 1024;
        }
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(errno) => {
            tracing::warn!(%errno, "cannot raise the number of files that may be open");
            soft
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_buffers_fit_into_the_descriptors() {
        let (limits, budget) = Limits::default().within(4096);
        assert_eq!(limits, Limits::default());
        assert_eq!(budget.buffers, Some(4096 - 64 - 512));
        let (limits, budget) = Limits::default().within(256);
        assert_eq!(limits.connections, 48);
        assert_eq!(budget.buffers, Some(144));
        let (limits, budget) = Limits::default().within(10);
        assert_eq!((limits.connections, budget.buffers), (0, Some(0)));
    }
}
