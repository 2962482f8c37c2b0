//! Each rule does something, and nothing it should not.

use super::*;
use dmaflow_core::caps::{MemoryNeeds, Properties};
use dmaflow_core::heap::Contiguity;
use dmaflow_core::layout::Layout;

fn port(formats: &str) -> Caps {
    Caps::from(Cap {
        formats: Set::Of(
            formats
                .split(' ')
                .map(|name| name.parse().unwrap())
                .collect(),
        ),
        memory: MemoryNeeds::DEVICE,
        ..Cap::any()
    })
}

fn misfits(driver: &str, formats: &str, layout: (u32, u32, u32)) -> Properties {
    let caps = apply(driver, false, &port(formats));
    let (width, height, stride) = layout;
    let format = formats.split(' ').next_back().unwrap().parse().unwrap();
    caps.0
        .iter()
        .find(|cap| cap.formats.contains(&format))
        .unwrap()
        .misfits(&Layout::with_stride(format, width, height, stride).unwrap())
}

#[test]
fn every_rule_says_what_goes_wrong_and_where_it_is_from() {
    for rule in RULES {
        assert!(!rule.otherwise.is_empty(), "{rule}");
        assert!(rule.source.starts_with("drivers/"), "{rule}");
    }
}

#[test]
fn every_rule_that_narrows_does() {
    let caps = port("YUYV NV12 H264");
    for rule in RULES {
        let narrowed: Vec<_> = caps
            .0
            .iter()
            .map(|cap| narrow(cap, rule.holds, Some(Format::NV12)).unwrap())
            .collect();
        let says_nothing = matches!(
            rule.holds,
            Holds::MoreThanThePicture | Holds::BoottimeStamps | Holds::RowBytes(1)
        );
        assert_eq!(narrowed == caps.0, says_nothing, "{rule}");
    }
}

#[test]
fn displays_take_what_they_do_not_skew() {
    let fits = Properties::NONE;
    // What kms-sink checks by itself for all displays.
    assert_eq!(misfits("tidss", "XRGB8888", (1280, 720, 5120)), fits);
    assert_eq!(misfits("tidss", "NV12", (1280, 720, 1280)), fits);
    let strides = Properties::of(&[Property::Stride]);
    assert_eq!(misfits("tidss", "RGB888", (640, 480, 1924)), strides);
    assert_eq!(misfits("rockchip", "RGB565", (641, 480, 1282)), strides);
    assert_eq!(misfits("rockchip", "YU12", (644, 480, 644)), strides);
    let width = Properties::of(&[Property::Width]);
    assert_eq!(misfits("tidss", "YUYV", (641, 480, 1284)), width);
    let height = Properties::of(&[Property::Height]);
    assert_eq!(misfits("rockchip", "NV12", (640, 481, 640)), height);
    // A driver without rules.
    assert_eq!(misfits("vkms", "RGB888", (640, 480, 1924)), fits);
}

#[test]
fn capture_of_ti_pads_by_itself() {
    let fits = Properties::NONE;
    assert_eq!(misfits("j721e-csi2rx", "UYVY", (1280, 720, 2560)), fits);
    let width = Properties::of(&[Property::Width]);
    assert_eq!(misfits("j721e-csi2rx", "UYVY", (1284, 720, 2568)), width);
    let strides = Properties::of(&[Property::Stride]);
    assert_eq!(misfits("j721e-csi2rx", "UYVY", (1280, 720, 2688)), strides);
}

#[test]
fn drivers_without_dma_map_what_they_are_given() {
    for driver in ["vivid", "uvcvideo", "vkms", "bochs-drm", "cirrus"] {
        let caps = apply(driver, true, &port("YUYV"));
        assert!(
            mapping(driver).is_some() && caps.0[0].memory.vmap,
            "{driver}"
        );
    }
    assert!(mapping("tidss").is_none() && mapping("j721e-csi2rx").is_none());
}

#[test]
fn formats_stay_in_order_and_keep_their_own_rules() {
    let caps = apply("wave5-dec", true, &port("NV12 NV21 H264 HEVC YUYV"));
    let formats: Vec<_> = caps.0.iter().map(|cap| cap.formats.to_string()).collect();
    assert_eq!(formats, ["NV12 NV21", "H264 HEVC", "YUYV"]);
    assert_eq!(caps.0[0].rows, 32);
    assert_eq!(caps.0[1].rows, 1);
    assert_eq!(caps.0[0].memory, MemoryNeeds::DEVICE);
    let bare = apply("wave5-dec", false, &port("NV12"));
    assert!(bare.0[0].memory.contiguous);
    assert_eq!(bare.0[0].memory.address_bits, Some(32));
    assert!(stamps_boottime("rkisp1") && !stamps_boottime("vivid"));
}

#[test]
fn heaps_of_one_memory_know_each_other() {
    let heap = |name: &str| HeapFacts::new(name, Contiguity::Contiguous);
    let mut heaps = [
        heap("linux,cma"),
        heap("system"),
        heap("default_cma_region"),
    ];
    assert!(!heaps[0].is_same_memory(&heaps[2]));
    one_memory(&mut heaps);
    assert!(heaps[0].is_same_memory(&heaps[2]));
    assert!(!heaps[0].is_same_memory(&heaps[1]));
}
