//! The CPU as a converter, which copies: for pipelines that allow it.

use crate::AnyStage;
use crate::solver::ConverterCaps;

/// A conversion by the CPU.
pub(crate) struct CpuConversion {
    /// What the solver has to know of it.
    pub(crate) caps: ConverterCaps,
    /// Makes a stage that does it.
    pub(crate) open: fn() -> AnyStage,
}

/// What the CPU can do. Without the feature `cpu-convert` that is nothing.
#[cfg(not(feature = "cpu-convert"))]
pub(crate) const fn conversion() -> Option<CpuConversion> {
    None
}

/// What the CPU can do.
#[cfg(feature = "cpu-convert")]
pub(crate) fn conversion() -> Option<CpuConversion> {
    use crate::solver::{Alternative, Scale};
    use dmaflow_codecs::CpuConverter;
    use dmaflow_core::caps::{Cap, MemoryNeeds, Set};
    use dmaflow_core::layout::Modifier;

    let cap = |formats| Cap {
        formats: Set::Of(formats),
        modifiers: Set::only(Modifier::LINEAR),
        memory: MemoryNeeds::of(false),
        ..Cap::any()
    };
    let ways = CpuConverter::inputs().map(|input| Alternative {
        input: cap(vec![input]),
        output: cap(CpuConverter::outputs(input).collect()),
        scale: Scale::NONE,
    });
    Some(CpuConversion {
        caps: ConverterCaps {
            name: "CPU converter".to_owned(),
            cpu: true,
            alternatives: ways.collect(),
            holds: (1, 1),
        },
        open: || AnyStage::transform(CpuConverter::new()),
    })
}
