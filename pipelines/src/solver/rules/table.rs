//! The table itself.
//!
//! Read in Linux 7.3, but where a source says otherwise.

use dmaflow_core::caps::Property;

use super::{Frames, Holds, Rule};

const fn rule(driver: &'static str, property: Property, holds: Holds) -> Rule {
    Rule {
        driver,
        property,
        of: Frames::All,
        holds,
        without_iommu: false,
        otherwise: "",
        source: "",
    }
}

impl Rule {
    const fn of(mut self, of: Frames) -> Self {
        self.of = of;
        self
    }

    const fn without_iommu(mut self) -> Self {
        self.without_iommu = true;
        self
    }

    const fn told(mut self, otherwise: &'static str, source: &'static str) -> Self {
        self.otherwise = otherwise;
        self.source = source;
        self
    }
}

const NOT_IN_ONE_PIECE: &str =
    "QBUF or PRIME gives EFAULT or EINVAL, and the kernel's log says that a chunk is too small";
const WRONG_PAGES: &str = "before Linux 6.16 it is refused udmabufs of huge pages, or reads and \
                           writes the wrong ones (drivers/dma-buf/udmabuf.c: vmap_udmabuf)";
const BOUNCED: &str = "the kernel copies through SWIOTLB, unseen but for its debugfs";

/// What a driver does with the CPU, by way of `dma_buf_vmap`.
const fn by_cpu(driver: &'static str, source: &'static str) -> Rule {
    rule(driver, Property::Memory, Holds::Mapped).told(WRONG_PAGES, source)
}

/// The names of the default CMA's heap: with `CONFIG_DMABUF_HEAPS_CMA_LEGACY` several at once.
const DEFAULT_CMA: &[&str] = &[
    "default_cma_region",
    "reserved",
    "linux,cma",
    "default-pool",
];

/// Names of heaps that are one memory, which is not to be counted twice
/// (`drivers/dma-buf/heaps/cma_heap.c`).
pub static HEAPS_OF_ONE_MEMORY: &[&[&str]] = &[DEFAULT_CMA];

/// What drivers want and do not check, or do and do not say.
pub static RULES: &[Rule] = &[
    // TI K3's display.
    rule("tidss", Property::Stride, Holds::WholePixels).told(
        "a stride is divided by a pixel's bytes and the rest is dropped, so that rows drift; of \
         YUV, an odd width shows half a pair",
        "drivers/gpu/drm/tidss/tidss_dispc.c: dispc_plane_setup",
    ),
    rule("tidss", Property::Memory, Holds::Contiguous)
        .without_iommu()
        .told(
            NOT_IN_ONE_PIECE,
            "drivers/gpu/drm/drm_gem_dma_helper.c: drm_gem_dma_prime_import_sg_table",
        ),
    // TI K3's camera.
    rule("j721e-csi2rx", Property::Stride, Holds::OwnStrides(1))
        .of(Frames::Pixels)
        .told(
            "the caller's bytesperline is overwritten, and rows are where nobody expects them",
            "drivers/media/platform/ti/j721e-csi2rx/j721e-csi2rx.c: ti_csi2rx_fill_fmt",
        ),
    rule("j721e-csi2rx", Property::Width, Holds::RowBytes(16))
        .of(Frames::Pixels)
        .told(
            "the width is rounded to whole words of the DMA",
            "drivers/media/platform/ti/j721e-csi2rx/j721e-csi2rx.c of 6.12: ti_csi2rx_fill_fmt; \
             that of 7.3 takes any width",
        ),
    rule("j721e-csi2rx", Property::Memory, Holds::Contiguous)
        .without_iommu()
        .told(
            NOT_IN_ONE_PIECE,
            "drivers/media/platform/ti/j721e-csi2rx/j721e-csi2rx.c: vb2_dma_contig_memops",
        ),
    // TI K3's codecs.
    rule("wave5-enc", Property::Stride, Holds::Strides(32))
        .of(Frames::Pixels)
        .told(
            "the stride is rounded up",
            "drivers/media/platform/chips-media/wave5/wave5-vpuconfig.h: W5_ENC_RAW_STEP_WIDTH",
        ),
    rule("wave5-enc", Property::Rows, Holds::Rows(32))
        .of(Frames::Pixels)
        .told(
            "the codec's own pictures are of 32 rows, and chroma is looked for behind them",
            "drivers/media/platform/chips-media/wave5/wave5-vpu-enc.c: fb_height",
        ),
    rule("wave5-enc", Property::Width, Holds::WidthStep(8)).told(
        "the size is rounded",
        "drivers/media/platform/chips-media/wave5/wave5-vpuconfig.h: W5_ENC_CODEC_STEP_WIDTH",
    ),
    rule("wave5-enc", Property::Height, Holds::HeightStep(8)).told(
        "the size is rounded",
        "drivers/media/platform/chips-media/wave5/wave5-vpuconfig.h: W5_ENC_CODEC_STEP_HEIGHT",
    ),
    rule("wave5-enc", Property::Width, Holds::AtLeast(256, 128)).told(
        "the size is raised",
        "drivers/media/platform/chips-media/wave5/wave5-vpuconfig.h: W5_MIN_ENC_PIC_WIDTH",
    ),
    rule("wave5-enc", Property::Memory, Holds::Contiguous)
        .without_iommu()
        .told(
            NOT_IN_ONE_PIECE,
            "drivers/media/platform/chips-media/wave5/wave5-vpu-enc.c: \
             vb2_dma_contig_plane_dma_addr",
        ),
    rule("wave5-enc", Property::Memory, Holds::AddressBits(32))
        .without_iommu()
        .told(
            BOUNCED,
            "drivers/media/platform/chips-media/wave5/wave5-vpu.c: dma_set_mask_and_coherent",
        ),
    rule("wave5-dec", Property::Stride, Holds::Strides(32))
        .of(Frames::Pixels)
        .told(
            "the stride is rounded up",
            "drivers/media/platform/chips-media/wave5/wave5-vpuconfig.h: W5_DEC_RAW_STEP_WIDTH",
        ),
    rule("wave5-dec", Property::Rows, Holds::Rows(32))
        .of(Frames::Pixels)
        .told(
            "the codec's own pictures are of 32 rows",
            "drivers/media/platform/chips-media/wave5/wave5-vpu-dec.c: fb_height",
        ),
    rule("wave5-dec", Property::Memory, Holds::Contiguous)
        .without_iommu()
        .told(
            NOT_IN_ONE_PIECE,
            "drivers/media/platform/chips-media/wave5/wave5-vpu-dec.c: \
             vb2_dma_contig_plane_dma_addr",
        ),
    rule("wave5-dec", Property::Memory, Holds::AddressBits(32))
        .without_iommu()
        .told(
            BOUNCED,
            "drivers/media/platform/chips-media/wave5/wave5-vpu.c: dma_set_mask_and_coherent",
        ),
    // Rockchip's display, VOP and VOP2.
    rule("rockchip", Property::Stride, Holds::EachStride(4)).told(
        "a linear stride is rounded up to 4 bytes and the picture is skewed",
        "drivers/gpu/drm/rockchip/rockchip_drm_vop2.c: vop2_plane_atomic_update, VOP2_WIN_YRGB_VIR",
    ),
    rule("rockchip", Property::Stride, Holds::WholePixels).told(
        "a stride that ends within a pixel skews the picture; of YUV, an odd width shows half a \
         pair",
        "drivers/gpu/drm/rockchip/rockchip_drm_vop2.c: vop2_plane_atomic_update",
    ),
    // Rockchip's decoders.
    rule("rkvdec", Property::Width, Holds::WidthStep(64)).told(
        "the coded width is rounded up",
        "drivers/media/platform/rockchip/rkvdec/rkvdec.c: step_width",
    ),
    rule("rkvdec", Property::Height, Holds::HeightStep(16)).told(
        "the coded height is rounded up, to 64 of VP9",
        "drivers/media/platform/rockchip/rkvdec/rkvdec.c: step_height",
    ),
    rule("rkvdec", Property::Length, Holds::MoreThanThePicture)
        .of(Frames::Pixels)
        .told(
            "a buffer without room for motion vectors behind the picture gets EINVAL",
            "drivers/media/platform/rockchip/rkvdec/rkvdec.c: rkvdec_fill_decoded_pixfmt, \
             rkvdec_buf_prepare",
        ),
    rule("hantro-vpu", Property::Memory, Holds::AddressBits(32))
        .without_iommu()
        .told(
            BOUNCED,
            "drivers/media/platform/verisilicon/hantro_drv.c: dma_set_coherent_mask",
        ),
    rule("rockchip-rga", Property::Memory, Holds::AddressBits(32)).told(
        BOUNCED,
        "drivers/media/platform/rockchip/rga/rga.c: dma_set_mask_and_coherent",
    ),
    // Rockchip's camera.
    rule("rkisp1", Property::Rate, Holds::BoottimeStamps).told(
        "frames seem to be as old as the machine slept",
        "drivers/media/platform/rockchip/rkisp1/rkisp1-capture.c: ktime_get_boottime_ns, \
         V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC",
    ),
    // Cameras and converters without DMA into frames.
    by_cpu(
        "uvcvideo",
        "drivers/media/usb/uvc/uvc_queue.c: vb2_plane_vaddr",
    ),
    by_cpu(
        "vivid",
        "drivers/media/test-drivers/vivid/vivid-kthread-cap.c: vb2_plane_vaddr",
    ),
    by_cpu(
        "vim2m",
        "drivers/media/test-drivers/vim2m.c: vb2_plane_vaddr",
    ),
    by_cpu(
        "vimc",
        "drivers/media/test-drivers/vimc/vimc-capture.c: vb2_plane_vaddr",
    ),
    by_cpu(
        "vicodec",
        "drivers/media/test-drivers/vicodec/vicodec-core.c: vb2_plane_vaddr",
    ),
    // Displays that are drawn by the CPU.
    by_cpu("vkms", "drivers/gpu/drm/vkms/vkms_plane.c: drm_gem_fb_vmap"),
    by_cpu(
        "bochs-drm",
        "drivers/gpu/drm/tiny/bochs.c: DRM_GEM_SHADOW_PLANE_HELPER_FUNCS",
    ),
    by_cpu(
        "cirrus",
        "drivers/gpu/drm/tiny/cirrus.c of 6.12: DRM_GEM_SHADOW_PLANE_HELPER_FUNCS",
    ),
    by_cpu(
        "cirrus-qemu",
        "drivers/gpu/drm/tiny/cirrus-qemu.c: DRM_GEM_SHADOW_PLANE_HELPER_FUNCS",
    ),
    by_cpu(
        "simpledrm",
        "drivers/gpu/drm/sysfb/drm_sysfb_modeset.c: drm_gem_begin_shadow_fb_access",
    ),
    by_cpu(
        "gud",
        "drivers/gpu/drm/gud/gud_drv.c: DRM_GEM_SHADOW_PLANE_HELPER_FUNCS",
    ),
    by_cpu(
        "udl",
        "drivers/gpu/drm/udl/udl_modeset.c: DRM_GEM_SHADOW_PLANE_HELPER_FUNCS",
    ),
    by_cpu(
        "ast",
        "drivers/gpu/drm/ast/ast_mode.c: DRM_GEM_SHADOW_PLANE_HELPER_FUNCS",
    ),
    by_cpu(
        "mgag200",
        "drivers/gpu/drm/mgag200/mgag200_drv.h: DRM_GEM_SHADOW_PLANE_HELPER_FUNCS",
    ),
];
