//! Why nothing can be watched.

use std::io;
use std::path::PathBuf;

use dmaflow_core::Errno;

use super::Stall;

/// Why a shrinker could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShrinkerError {
    /// The kernel does not tell of stalls there.
    #[error(
        "cannot watch {} for stalls of {} ms in {} ms{}",
        .stall.file.display(), .stall.stall.as_millis(), .stall.window.as_millis(),
        remedy(.source)
    )]
    Stall {
        /// What was to be watched.
        stall: Stall,
        /// ENOENT and EOPNOTSUPP without PSI, EACCES and EPERM without permission, EINVAL for
        /// a window that the kernel does not take.
        source: io::Error,
    },
    /// The control group's events cannot be read.
    #[error("cannot watch the limits of the control group {}", .path.display())]
    Events {
        /// The file in question.
        path: PathBuf,
        /// ENOENT where the group does not exist, EACCES without permission.
        source: io::Error,
    },
    /// There is no control group with a limit on its memory.
    #[error("no limits can be watched: {reason}")]
    NoCgroup {
        /// What was found and what to do.
        reason: String,
    },
    /// The configuration names nothing to watch.
    #[error(
        "nothing to watch: name a file of stalls (PSI), a control group, or a low-water mark of \
         the CMA; this kernel may lack CONFIG_PSI and CONFIG_MEMCG"
    )]
    Nothing,
    /// No eventfd could be made.
    #[error("cannot make an eventfd")]
    Bell(#[source] Errno),
    /// No thread could be started.
    #[error("cannot start the shrinker's thread")]
    Thread(#[source] io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) => {
            ": it is not there; this kernel lacks CONFIG_PSI, or the control group is gone"
        }
        Some(Errno::EOPNOTSUPP) => ": PSI is turned off; boot with `psi=1`",
        Some(Errno::EACCES | Errno::EPERM) => {
            ": permission denied; a control group's file must be writable for this user, and \
             before Linux 6.4 CAP_SYS_RESOURCE is needed"
        }
        Some(Errno::EINVAL) => {
            ": the stall must be shorter than the window, the window 10 s at most and, without \
             CAP_SYS_RESOURCE, a multiple of 2 s"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_asked_and_what_to_do() {
        let error = ShrinkerError::Stall {
            stall: Stall::of(Stall::SYSTEM),
            source: io::Error::from_raw_os_error(Errno::EPERM as i32),
        };
        let text = error.to_string();
        for part in [
            "/proc/pressure/memory",
            "100 ms in 2000 ms",
            "CAP_SYS_RESOURCE",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
