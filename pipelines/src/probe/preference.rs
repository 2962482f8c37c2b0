//! Which of several heaps that would do is to be taken.

use dmaflow_core::heap::{Contiguity, Heap, HeapInfo};

use super::Importer;

/// What the importers need of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// A device is among them.
    pub(crate) devices: bool,
    /// A stage is among them that touches pixels with the CPU, if any.
    pub(crate) cpu: bool,
}

impl Needs {
    pub(crate) fn of(importers: &[&mut dyn Importer]) -> Self {
        let mut devices = importers.iter().map(|importer| importer.imports());
        Self {
            cpu: devices.clone().any(|device| !device),
            devices: devices.any(|device| device),
        }
    }
}

/// How scarce memory is that lies so. What does not say how it lies is taken for a device's or
/// a vendor's own.
const fn scarcity(contiguity: Contiguity) -> u8 {
    match contiguity {
        Contiguity::Scattered => 0,
        Contiguity::Pieces(_) => 1,
        Contiguity::Contiguous => 2,
        Contiguity::Unknown => 3,
    }
}

fn preference(info: &HeapInfo, needs: Needs) -> impl Ord + use<> {
    (
        info.importable != needs.devices,
        info.protected,
        scarcity(info.contiguity),
        needs.cpu && info.cached == Some(false),
    )
}

/// Sorts heaps, best first; those that are equally good stay as they are.
pub(crate) fn in_order(heaps: &mut [Heap], needs: Needs) {
    heaps.sort_by_key(|heap| preference(heap.info(), needs));
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::dma_buf::DmaBuf;
    use dmaflow_core::heap::{ExportError, Exporter, Request};
    use std::num::NonZeroU64;

    struct Nothing;

    impl Exporter for Nothing {
        fn allocate(&self, _request: &Request) -> Result<DmaBuf, ExportError> {
            Err(ExportError::Refused {
                errno: dmaflow_core::Errno::ENOMEM,
                reason: "a test".to_owned(),
            })
        }
    }

    fn heap(name: &str, contiguity: Contiguity) -> HeapInfo {
        HeapInfo {
            contiguity,
            cached: Some(true),
            ..HeapInfo::new(name)
        }
    }

    fn order(infos: Vec<HeapInfo>, needs: Needs) -> Vec<String> {
        let mut heaps: Vec<_> = infos
            .into_iter()
            .map(|info| Heap::new(info, Nothing))
            .collect();
        in_order(&mut heaps, needs);
        heaps.iter().map(|heap| heap.name().to_owned()).collect()
    }

    fn all() -> Vec<HeapInfo> {
        let pieces = NonZeroU64::new(2 << 20).unwrap();
        vec![
            HeapInfo {
                importable: false,
                ..heap("memfd", Contiguity::Scattered)
            },
            heap("dumb", Contiguity::Unknown),
            heap("cma", Contiguity::Contiguous),
            HeapInfo {
                protected: true,
                ..heap("protected", Contiguity::Scattered)
            },
            heap("huge", Contiguity::Pieces(pieces)),
            HeapInfo {
                cached: Some(false),
                ..heap("uncached", Contiguity::Scattered)
            },
            heap("system", Contiguity::Scattered),
        ]
    }

    #[test]
    fn scarce_memory_is_spared() {
        let needs = Needs {
            devices: true,
            cpu: false,
        };
        let expected = [
            "uncached",
            "system",
            "huge",
            "cma",
            "dumb",
            "protected",
            "memfd",
        ];
        assert_eq!(order(all(), needs), expected);
    }

    #[test]
    fn the_cpu_wants_its_caches() {
        let needs = Needs {
            devices: true,
            cpu: true,
        };
        assert_eq!(order(all(), needs)[..2], ["system", "uncached"]);
    }

    #[test]
    fn without_devices_ordinary_memory_will_do() {
        let needs = Needs {
            devices: false,
            cpu: true,
        };
        assert_eq!(order(all(), needs)[0], "memfd");
    }
}
