//! Whether there is memory for the pipeline, contiguous memory above all.

use dmaflow_core::Errno;
use dmaflow_core::format::Format;
use dmaflow_core::heap::{Contiguity, HeapRegistry};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::StageError;
use dmaflow_pipelines::Agreement;
use dmaflow_pipelines::description::{Description, SourceKind};
use dmaflow_pipelines::error::{PipelineError, RefusalReason};

use super::{Finding, Verdict};
use crate::failure::with_causes;
use crate::memory::Memory;
use crate::numbers::bytes;
use crate::registry;

/// What a pipeline takes where its description leaves it open: what camera and display keep,
/// and one on its way.
const USUAL_BUFFERS: usize = 5;

pub(super) fn look(description: Option<&Description>, memory: &Memory) -> Vec<Finding> {
    let Some(description) = description else {
        return vec![general(memory)];
    };
    let heaps = registry::of_description(description);
    let prepared = description
        .build()
        .and_then(|builder| builder.prepare(&heaps));
    match prepared {
        Ok(pipeline) => vec![planned(pipeline.agreement())],
        Err(error) => {
            let asked = Asked::of(description, &heaps);
            let of_memory = is_of_memory(&error);
            let asked = asked.filter(|asked| asked.contiguous_only || of_memory);
            let short = asked.and_then(|asked| asked.short(memory));
            let refused = Finding::bad(
                "pipeline",
                Verdict::Problem,
                with_causes(&error),
                "see the findings above, and `dmaflow check` once they are mended",
            );
            short.into_iter().chain([refused]).collect()
        }
    }
}

/// Whether more memory, or contiguous memory, could have helped.
fn is_of_memory(error: &PipelineError) -> bool {
    let PipelineError::Refused(refusals) = error else {
        return false;
    };
    refusals.iter().any(|refusal| match &refusal.reason {
        RefusalReason::Pool(_) => true,
        RefusalReason::Stage(StageError::Refused(no)) => {
            matches!(no.errno, Errno::ENOMEM | Errno::EFAULT)
        }
        _ => false,
    })
}

fn general(memory: &Memory) -> Finding {
    match memory.cma_total {
        Some(total) if total > 0 => Finding::ok("contiguous memory", memory.cma()),
        _ => Finding::bad(
            "contiguous memory",
            Verdict::Warning,
            "there is no CMA: devices without an IOMMU find no memory",
            "boot with `cma=64M` or more, on a kernel with CONFIG_DMA_CMA",
        ),
    }
}

fn planned(agreement: &Agreement) -> Finding {
    let pools = agreement.pools.iter().map(|pool| {
        format!(
            "{} frames of {} each lie in heap `{}`",
            pool.buffers,
            bytes(frame_len(&pool.plan.layout)),
            pool.heap
        )
    });
    Finding::ok("pipeline", pools.collect::<Vec<_>>().join(", "))
}

/// What a description asks for, as far as it says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    bytes: u64,
    buffers: u64,
    /// Whether no heap will do that is not contiguous.
    contiguous_only: bool,
}

impl Asked {
    /// `None` where it gives no size.
    fn of(description: &Description, heaps: &HeapRegistry) -> Option<Self> {
        let (_, kind, pool) = description.sources().next()?;
        let (format, (width, height)) = match kind {
            SourceKind::V4l2(config) => (config.format, config.size?),
            SourceKind::Test(config) => (Some(config.format), (config.width, config.height)),
            SourceKind::File(_) => return None,
        };
        // Without a format, the longest that is usual.
        let layout = Layout::packed(format.unwrap_or(Format::XRGB8888), width, height).ok()?;
        let buffers = pool.buffers.unwrap_or(USUAL_BUFFERS) as u64;
        let names = registry::of_pool(pool);
        let is_contiguous = |name: &String| {
            let heap = heaps.open(name);
            heap.is_ok_and(|heap| heap.info().contiguity == Contiguity::Contiguous)
        };
        Some(Self {
            bytes: frame_len(&layout).checked_mul(buffers)?,
            buffers,
            contiguous_only: !names.is_empty() && names.iter().all(is_contiguous),
        })
    }

    /// Says so where the CMA does not have it.
    fn short(self, memory: &Memory) -> Option<Finding> {
        let total = memory.cma_total.unwrap_or(0);
        let free = memory.cma_free.unwrap_or(0);
        let needs = format!(
            "{} buffers take {} of contiguous memory",
            self.buffers,
            bytes(self.bytes)
        );
        // Only memory that is contiguous has to come from there.
        let verdict = if self.contiguous_only {
            Verdict::Problem
        } else {
            Verdict::Warning
        };
        let (found, remedy) = if self.bytes > total {
            let found = format!("{needs}, and the CMA has {} in all", bytes(total));
            let cma = suggested(self.bytes);
            (
                found,
                format!("boot with `cma={cma}M`, or ask for fewer or smaller buffers"),
            )
        } else if self.bytes > free {
            let found = format!("{needs}, and of the CMA {} are free", bytes(free));
            let remedy = "see with `dmaflow heaps stat` who has the rest".to_owned();
            (found, remedy)
        } else {
            return None;
        };
        Some(Finding::bad("contiguous memory", verdict, found, remedy))
    }
}

/// The bytes of a frame, in all its buffers.
fn frame_len(layout: &Layout) -> u64 {
    let lens = layout.buffer_lens().iter();
    lens.map(|&len| u64::from(len)).sum()
}

/// A CMA for so many bytes, in MiB: half as much again for other users and for fragments, in
/// whole 32 MiB.
fn suggested(needed: u64) -> u64 {
    let mebibytes = (needed + needed / 2).div_ceil(1 << 20);
    mebibytes.next_multiple_of(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::heap::RegistryError;
    use dmaflow_core::stage::ImportRefused;
    use dmaflow_pipelines::error::Refusal;

    fn memory(total: u64, free: u64) -> Memory {
        Memory {
            cma_total: Some(total << 20),
            cma_free: Some(free << 20),
            ..Memory::default()
        }
    }

    #[test]
    fn a_small_cma_is_told_with_the_one_it_takes() {
        let asked = Asked {
            bytes: 96 << 20,
            buffers: 8,
            contiguous_only: true,
        };
        assert!(asked.short(&memory(128, 100)).is_none());
        let short = asked.short(&memory(64, 60)).unwrap();
        assert_eq!(short.verdict, Verdict::Problem);
        assert!(
            short.found.contains("96 MiB") && short.found.contains("64 MiB"),
            "{short:?}"
        );
        assert!(short.remedy.unwrap().contains("`cma=160M`"));
        let used = asked.short(&memory(128, 60)).unwrap();
        assert!(used.found.contains("60 MiB are free"), "{used:?}");
        let any = Asked {
            contiguous_only: false,
            ..asked
        };
        assert_eq!(any.short(&memory(0, 0)).unwrap().verdict, Verdict::Warning);
    }

    #[test]
    fn only_refusals_of_memory_are_explained_by_memory() {
        let refused = |reason: RefusalReason| {
            is_of_memory(&PipelineError::Refused(vec![Refusal {
                format: None,
                heap: None,
                reason,
            }]))
        };
        let import = |errno| {
            let no = ImportRefused {
                device: "cam".to_owned(),
                heap: "system".to_owned(),
                call: "VIDIOC_QBUF".into(),
                errno,
                meaning: String::new(),
                remedy: String::new(),
            };
            refused(StageError::from(no).into())
        };
        assert!(import(Errno::EFAULT) && import(Errno::ENOMEM));
        assert!(!import(Errno::EINVAL));
        let unknown = RegistryError::Unknown {
            asked: "hoard".to_owned(),
            known: Vec::new(),
        };
        assert!(!refused(unknown.into()));
        assert!(!is_of_memory(&PipelineError::NoHeap));
    }

    #[test]
    fn a_description_tells_what_it_takes() {
        let text = "links = [\"a -> b\"]\n[stage.a]\nkind = \"test-src\"\nwidth = 1920\n\
                    height = 1080\nbuffers = 4\n[stage.b]\nkind = \"null-sink\"\n";
        let description = Description::parse(text, "test", &[]).unwrap();
        let asked = Asked::of(&description, &dmaflow_heaps::registry()).unwrap();
        let expected = Asked {
            bytes: 4 * 1920 * 1080 * 4,
            buffers: 4,
            contiguous_only: false,
        };
        assert_eq!(asked, expected);
    }
}
