//! SIGINT, SIGTERM and SIGHUP, taken by a thread of their own.
//!
//! They are blocked before any other thread is made, so that none of the stages' system calls
//! is interrupted.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use crate::failure::Failure;
use crate::output;

/// Stops something, as a signal asks for.
type Stop = Box<dyn FnOnce() + Send>;

/// What a signal stops.
#[derive(Clone, Default)]
pub(crate) struct Signals(Arc<Mutex<Option<Stop>>>);

impl Signals {
    /// Takes the signals from now on. To be called while there is one thread.
    pub(crate) fn take() -> Result<Self, Failure> {
        let mut ours = SigSet::empty();
        let ignored = ignored();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // Who started us may want us to outlive the terminal, as nohup does.
            if ignored & (1 << (signal as i32 - 1)) == 0 {
                ours.add(signal);
            }
        }
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Failure::Pipeline(format!("cannot {what}: {error}"))
        };
        ours.thread_block()
            .map_err(|errno| failed("block signals", &errno))?;
        let signals = Self::default();
        let waiting = signals.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || waiting.wait(ours))
            .map_err(|error| failed("start the thread that waits for signals", &error))?;
        Ok(signals)
    }

    /// Has the next signal stop a pipeline or a server instead of this program.
    pub(crate) fn stop(&self, stop: impl FnOnce() + Send + 'static) {
        *self.handle() = Some(Box::new(stop));
    }

    fn handle(&self) -> std::sync::MutexGuard<'_, Option<Stop>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, ours: SigSet) {
        while let Ok(signal) = ours.wait() {
            let Some(stop) = self.handle().take() else {
                output::tell(&format!("{signal}: ended at once"));
                std::process::exit(128 + signal as i32);
            };
            tracing::info!(%signal, "stopping");
            stop();
        }
    }
}

/// The signals that were ignored when this process began, a bit each from signal 1 on.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
