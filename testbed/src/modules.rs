//! Drivers that a test needs and the profile may not have.

use std::fs;

use crate::program::modprobe;

/// Drivers that are loaded until this is dropped; what was there before stays.
#[derive(Debug)]
pub struct Modules(Vec<&'static str>);

impl Modules {
    /// Loads the drivers that are not there yet.
    ///
    /// # Panics
    /// When one cannot be loaded.
    #[must_use]
    pub fn load(drivers: &[&'static str]) -> Self {
        let loaded = fs::read_to_string("/proc/modules").expect("procfs");
        let is_loaded = |driver: &str| {
            let mut names = loaded.lines().filter_map(|line| line.split(' ').next());
            names.any(|name| name == driver)
        };
        let missing: Vec<_> = drivers
            .iter()
            .copied()
            .filter(|driver| !is_loaded(driver))
            .collect();
        for driver in &missing {
            modprobe(&[driver]);
        }
        Self(missing)
    }
}

impl Drop for Modules {
    fn drop(&mut self) {
        // A test that fails holds the driver still, and is to be told of its own failure.
        if !std::thread::panicking() {
            for driver in &self.0 {
                modprobe(&["-r", driver]);
            }
        }
    }
}
