//! What a device wants of memory.

use std::fmt;

/// What a device wants of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MemoryNeeds {
    /// It reads and writes by the dma-buf's descriptor, not with the CPU.
    pub import: bool,
    /// It reads or writes with the CPU.
    pub cpu: bool,
    /// Its driver maps it for the CPU (`dma_buf_vmap`), as those do that have no DMA.
    pub vmap: bool,
    /// It has no IOMMU: a buffer must be one physical piece.
    pub contiguous: bool,
    /// How many bits an address may have that it reaches without a bounce buffer; `None` for
    /// all of memory.
    pub address_bits: Option<u32>,
}

impl MemoryNeeds {
    /// None at all, as of a stage that passes frames on and does not look at them.
    pub const NONE: Self = Self {
        import: false,
        cpu: false,
        vmap: false,
        contiguous: false,
        address_bits: None,
    };

    /// A device's behind an IOMMU: any memory that can be imported.
    pub const DEVICE: Self = Self {
        import: true,
        ..Self::NONE
    };

    /// Those of a device, which imports buffers, or of a stage that looks at them with the CPU.
    #[must_use]
    pub const fn of(imports: bool) -> Self {
        Self {
            import: imports,
            cpu: !imports,
            ..Self::NONE
        }
    }

    /// Those of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let bits = match (self.address_bits, other.address_bits) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            import: self.import || other.import,
            cpu: self.cpu || other.cpu,
            vmap: self.vmap || other.vmap,
            contiguous: self.contiguous || other.contiguous,
            address_bits: bits,
        }
    }
}

impl fmt::Display for MemoryNeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.import {
            words.push("importable".to_owned());
        }
        if self.cpu {
            words.push("open to the CPU".to_owned());
        }
        if self.vmap {
            words.push("mapped by its driver".to_owned());
        }
        if self.contiguous {
            words.push("in one physical piece".to_owned());
        }
        if let Some(bits) = self.address_bits {
            words.push(format!("with addresses of {bits} bits"));
        }
        if words.is_empty() {
            words.push("any".to_owned());
        }
        f.write_str(&words.join(", "))
    }
}
