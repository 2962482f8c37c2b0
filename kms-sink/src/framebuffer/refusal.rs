//! What it means that a card does not take a heap's buffers.

use std::ops::{Bound, RangeBounds, RangeInclusive};

use dmaflow_core::Errno;
use dmaflow_core::heap::{Contiguity, HeapInfo};
use dmaflow_core::layout::Layout;
use dmaflow_core::stage::ImportRefused;
use drm::control::{Device, ResourceHandles};

use super::Importer;
use crate::card::Card;

const CONTIGUOUS: &str = "use a contiguous heap, such as `default_cma_region`";
const OWN: &str = "let the card's own buffers be the heap (dumb buffers), use another display, \
                   or a newer kernel (bochs imports since Linux 6.13)";
/// Drivers that import nothing (`DRM_GEM_VRAM_DRIVER`); of bochs, those before Linux 6.13.
const OWN_MEMORY: [&str; 2] = ["bochs-drm", "vboxvideo"];
const OTHER_LAYOUT: &str = "choose another format or size";

/// What was to be made of the buffers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Made {
    /// A handle of each: `DRM_IOCTL_PRIME_FD_TO_HANDLE`.
    Handle,
    /// A framebuffer of them: `DRM_IOCTL_MODE_ADDFB2`.
    Framebuffer,
}

/// The refusal of a frame's buffers.
pub(super) fn refusal(by: &Importer<'_>, made: Made, errno: Errno) -> ImportRefused {
    let (call, (meaning, remedy)) = match made {
        Made::Handle => (
            "PRIME_FD_TO_HANDLE",
            of_import(by.heap.info(), by.card.driver(), errno),
        ),
        Made::Framebuffer => {
            let sizes = Sizes::of(by.card);
            ("ADDFB2", of_framebuffer(by.layout, &sizes, errno))
        }
    };
    ImportRefused {
        device: by.label.clone(),
        heap: by.heap.name().to_owned(),
        call: call.into(),
        errno,
        meaning,
        remedy: remedy.to_owned(),
    }
}

type Explained = (String, &'static str);

/// Why a card imports no buffer.
///
/// EINVAL has four causes: the descriptor is no dma-buf (`dma_buf_get`); the driver has no
/// `gem_prime_import_sg_table`, as those whose pictures lie in the card's own memory
/// (`drm_gem_prime_import_dev`); it needs one contiguous piece
/// (`drm_gem_dma_prime_import_sg_table`); the memory cannot be mapped for the device
/// (`dma_map_sgtable`, which also answers ENOMEM and EIO). ENODEV is virtio-gpu's, which
/// imports from others only with blob resources (`virtgpu_gem_prime_import_sg_table`).
fn of_import(heap: &HeapInfo, driver: &str, errno: Errno) -> Explained {
    let (meaning, remedy) = match errno {
        Errno::ENOMEM => ("the kernel has no memory or address space left", ""),
        _ if !heap.importable => (
            "its buffers are ordinary memory, no dma-bufs, which devices cannot import",
            "use a kernel heap, such as `system`, or `udmabuf`",
        ),
        Errno::EINVAL if OWN_MEMORY.contains(&driver) => (
            "this driver's pictures lie in the card's own memory, and it imports no buffers of \
             others",
            OWN,
        ),
        Errno::EINVAL if heap.contiguity == Contiguity::Contiguous => (
            "the driver imports no buffers of others, or the card's DMA does not reach this memory",
            OWN,
        ),
        Errno::EINVAL => (
            "this display needs physically contiguous memory (it has no IOMMU), or its driver \
             imports no buffers of others",
            CONTIGUOUS,
        ),
        Errno::ENODEV | Errno::ENOSYS | Errno::EOPNOTSUPP => {
            ("the driver imports no buffers of others", OWN)
        }
        Errno::EIO => (
            "the card's DMA does not reach this memory",
            "try another heap",
        ),
        _ => ("", ""),
    };
    (meaning.to_owned(), remedy)
}

/// The sizes of framebuffers that a card takes, where it tells.
#[derive(Debug)]
struct Sizes(Option<(RangeInclusive<u32>, RangeInclusive<u32>)>);

impl Sizes {
    fn of(card: &Card) -> Self {
        let told = |resources: ResourceHandles| {
            let width = closed(&resources.supported_fb_width())?;
            Some((width, closed(&resources.supported_fb_height())?))
        };
        Self(card.resource_handles().ok().and_then(told))
    }
}

fn closed(range: &impl RangeBounds<u32>) -> Option<RangeInclusive<u32>> {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(&least), Bound::Included(&most)) => Some(least..=most),
        _ => None,
    }
}

/// Why a card makes no framebuffer of imported buffers.
///
/// The core checks sizes first (`drm_internal_framebuffer_create`), then format and modifier
/// are compared with the planes' (`drm_gem_fb_init_with_funcs`). What strides must be multiples
/// of differs: 64 bytes with i915, xe and nouveau (`intel_fb_stride_alignment`,
/// `nouveau_framebuffer_new`), 256 with amdgpu (`amdgpu_display_verify_sizes`). i915 and xe
/// want all planes of a frame in one buffer. EREMOTE is theirs for cards that show only their
/// own memory; amdgpu says EINVAL then.
fn of_framebuffer(layout: &Layout, sizes: &Sizes, errno: Errno) -> Explained {
    let not_taken = |why: &str| format!("the driver does not take {layout}: {why}");
    match (errno, &sizes.0) {
        (Errno::ENOMEM, _) => ("the kernel has no memory left".to_owned(), ""),
        (Errno::EREMOTE, _) => (
            "this card shows only what lies in its own memory".to_owned(),
            OWN,
        ),
        (Errno::EINVAL | Errno::ERANGE, Some((width, height)))
            if !(width.contains(&layout.width()) && height.contains(&layout.height())) =>
        {
            let meaning = format!(
                "this card shows framebuffers of {}×{} to {}×{}, and this is {layout}",
                width.start(),
                height.start(),
                width.end(),
                height.end()
            );
            (meaning, "choose another size")
        }
        (Errno::EINVAL, _) if uneven(layout, 64) => (
            not_taken("its strides are no multiples of 64 bytes, as most displays of PCs need"),
            "choose a width or a source whose rows are padded so",
        ),
        (Errno::EINVAL, _) if layout.buffer_lens().len() > 1 => (
            not_taken("its planes lie in several buffers, which some displays do not join"),
            "choose a format whose planes lie in one buffer",
        ),
        (Errno::EINVAL, _) if uneven(layout, 256) => (
            not_taken("its strides are no multiples of 256 bytes, as amdgpu needs"),
            "choose a width whose rows are so long, or another format",
        ),
        (Errno::EINVAL | Errno::ERANGE, _) => {
            (not_taken("its format, size or stride"), OTHER_LAYOUT)
        }
        _ => (String::new(), ""),
    }
}

fn uneven(layout: &Layout, step: u32) -> bool {
    let mut planes = layout.planes().iter();
    planes.any(|plane| !plane.stride.is_multiple_of(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dmaflow_core::format::Format;

    fn import(errno: Errno, importable: bool, contiguity: Contiguity) -> Explained {
        import_to("tidss", errno, importable, contiguity)
    }

    fn import_to(
        driver: &str,
        errno: Errno,
        importable: bool,
        contiguity: Contiguity,
    ) -> Explained {
        let heap = HeapInfo {
            importable,
            contiguity,
            ..HeapInfo::new("heap")
        };
        of_import(&heap, driver, errno)
    }

    #[test]
    fn an_import_that_is_refused_names_what_helps() {
        let (meaning, remedy) = import(Errno::EINVAL, false, Contiguity::Scattered);
        assert!(meaning.contains("ordinary memory"));
        assert!(remedy.contains("`system`"));
        let (meaning, remedy) = import(Errno::EINVAL, true, Contiguity::Scattered);
        assert!(meaning.contains("contiguous"));
        assert!(remedy.contains("default_cma_region"));
        let (meaning, remedy) = import(Errno::EINVAL, true, Contiguity::Contiguous);
        assert!(!meaning.contains("contiguous") && !remedy.contains("contiguous"));
        let (meaning, remedy) = import_to("bochs-drm", Errno::EINVAL, true, Contiguity::Scattered);
        assert!(meaning.contains("own memory"));
        assert!(remedy.contains("6.13") && !remedy.contains("contiguous"));
        let (meaning, remedy) = import(Errno::ENODEV, true, Contiguity::Contiguous);
        assert!(meaning.contains("imports no buffers"));
        assert!(remedy.contains("dumb"));
    }

    fn framebuffer(layout: &Layout, errno: Errno) -> String {
        let sizes = Sizes(Some((1..=4096, 1..=2160)));
        let (meaning, remedy) = of_framebuffer(layout, &sizes, errno);
        format!("{meaning}; {remedy}")
    }

    #[test]
    fn a_framebuffer_that_is_refused_names_the_likeliest_cause() {
        let with = |width, stride| Layout::with_stride(Format::XRGB8888, width, 720, stride);
        let cases = [
            (with(8000, 32_000).unwrap(), "1×1 to 4096×2160"),
            (with(1000, 4004).unwrap(), "multiples of 64"),
            (with(1000, 4032).unwrap(), "256 bytes"),
            (with(1024, 4096).unwrap(), "format, size or stride"),
            (
                Layout::with_buffers(Format::NV12, 640, 480, &[640, 640]).unwrap(),
                "several buffers",
            ),
        ];
        for (layout, cause) in cases {
            let text = framebuffer(&layout, Errno::EINVAL);
            assert!(text.contains(cause), "no {cause} in: {text}");
            assert!(text.contains(&layout.to_string()), "{text}");
        }
        let text = framebuffer(&with(1024, 4096).unwrap(), Errno::EREMOTE);
        assert!(text.contains("own memory"), "{text}");
    }
}
