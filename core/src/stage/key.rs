//! Who a device is, whatever its node is called today.

use std::fmt;

/// A device as it is known from boot to boot: node numbers change, these do not.
///
/// What one device answered holds for another of the same key, as far as the kernel and the
/// question are the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceKey {
    /// The driver's name.
    pub driver: String,
    /// Where the device sits: a bus address, a platform device's name.
    pub bus: String,
    /// What it is called there: a card, a connector.
    pub name: String,
}

impl DeviceKey {
    /// The key of a stage that is part of a program: its name and the program's version, since
    /// with another version it may answer otherwise.
    #[must_use]
    pub fn built_in(name: &str, version: &str) -> Self {
        Self {
            driver: "built in".to_owned(),
            bus: version.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.driver, self.bus)
    }
}
