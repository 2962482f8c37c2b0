//! How much memory there is, and how scarce it is.

use procfs::{Current, Meminfo, MemoryPressure};
use serde_json::{Value, json};

use crate::numbers::bytes;

/// What the kernel says of memory: `/proc/meminfo` and `/proc/pressure/memory`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) total: Option<u64>,
    /// What could be used without swapping, as the kernel estimates it.
    pub(crate) available: Option<u64>,
    pub(crate) cma_total: Option<u64>,
    pub(crate) cma_free: Option<u64>,
    /// Reserved huge pages: how many, how many are free, the length of one.
    pub(crate) huge_pages: Option<(u64, u64, u64)>,
    pub(crate) pressure: Option<Pressure>,
}

/// The share of the last ten seconds in which tasks waited for memory, in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pressure {
    /// At least one task did.
    pub(crate) some: f32,
    /// All did.
    pub(crate) full: f32,
}

impl Memory {
    pub(crate) fn now() -> Self {
        let pressure = MemoryPressure::current().ok().map(|pressure| Pressure {
            some: pressure.some.avg10,
            full: pressure.full.avg10,
        });
        let Ok(info) = Meminfo::current() else {
            return Self {
                pressure,
                ..Self::default()
            };
        };
        let huge = || {
            Some((
                info.hugepages_total?,
                info.hugepages_free?,
                info.hugepagesize?,
            ))
        };
        Self {
            total: Some(info.mem_total),
            available: info.mem_available,
            cma_total: info.cma_total,
            cma_free: info.cma_free,
            huge_pages: huge(),
            pressure,
        }
    }

    /// The CMA in a few words.
    pub(crate) fn cma(&self) -> String {
        match (self.cma_free, self.cma_total) {
            (Some(free), Some(total)) if total > 0 => {
                format!("CMA: {} free of {}", bytes(free), bytes(total))
            }
            _ => "CMA: none".to_owned(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "total": self.total,
            "available": self.available,
            "cma_total": self.cma_total,
            "cma_free": self.cma_free,
            "pressure_percent_10s": self.pressure.map(|pressure| json!({
                "some": pressure.some,
                "full": pressure.full,
            })),
        })
    }
}
