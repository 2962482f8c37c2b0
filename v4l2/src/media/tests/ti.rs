//! A camera on TI's AM62x, from `drivers/media/platform/ti/j721e-csi2rx/j721e-csi2rx.c` (entity
//! with a sink pad, a source pad and a video node for each DMA context, all links immutable,
//! source pads follow the sink, one route to the first by default), `cadence/cdns-csi2rx.c`
//! (four source pads, the first routed, codes) and `drivers/media/i2c/imx219.c` (codes, modes;
//! those of one flip).

use super::fixture::{Fixture, codes, format, up_to};
use crate::media::topology::EntityFunction;
use crate::media::{EntityId, PadFormat};
use crate::modes::FrameSizes;

const MAX: (u32, u32) = (16_384, 16_384);
const CODES: [&str; 8] = [
    "YUYV8_1X16",
    "UYVY8_1X16",
    "SBGGR8_1X8",
    "SRGGB8_1X8",
    "SBGGR10_1X10",
    "SRGGB10_1X10",
    "RGB565_1X16",
    "RGB888_1X24",
];
const VIDEO: &[(&str, &[&str])] = &[
    ("YUYV8_1X16", &["YUYV"]),
    ("UYVY8_1X16", &["UYVY"]),
    ("SBGGR8_1X8", &["BA81"]),
    ("SRGGB8_1X8", &["RGGB"]),
    ("SBGGR10_1X10", &["BG10"]),
    ("SRGGB10_1X10", &["RG10"]),
    ("RGB565_1X16", &["RGBR"]),
    ("RGB888_1X24", &["XB24"]),
];

/// A receiver that changes nothing, with its first source pad routed.
fn receiver(fixture: &mut Fixture, name: &str, pads: &str) -> EntityId {
    let id = fixture.subdevice(
        (name, EntityFunction::INTERFACE_BRIDGE, pads),
        format("UYVY8_1X16", (640, 480)),
        FrameSizes::Unknown,
        |_pads, _pad| codes(&CODES),
        |pads, pad, asked| {
            if pad == 0 {
                let all = codes(&CODES);
                let known = all.contains(&asked.code);
                let code = if known { asked.code } else { all[0] };
                let size = asked.size;
                pads[0] = Some(PadFormat { code, size });
                pads[1] = pads[0];
            }
        },
    );
    for unrouted in 2..pads.len() {
        fixture.unroute(id, unrouted);
    }
    id
}

fn am62x() -> Fixture {
    let mut board = Fixture::default();
    let modes = FrameSizes::Discrete(vec![(3280, 2464), (1920, 1080), (1640, 1232), (640, 480)]);
    let sensor = board.sensor("imx219 4-0010", &["SRGGB10_1X10", "SRGGB8_1X8"], modes);
    let bridge = receiver(&mut board, "cdns_csi2rx.30101000.csi-bridge", "<>>>>");
    let csi = receiver(&mut board, "30102000.ticsi2rx", "<>>");
    board.link((sensor, 0), (bridge, 0), true, true);
    board.link((bridge, 1), (csi, 0), true, true);
    for context in 0..2 {
        let name = format!("30102000.ticsi2rx context {context}");
        let node = board.video(&name, Some(VIDEO), MAX);
        board.link((csi, context + 1), (node, 0), true, true);
    }
    board
}

#[test]
fn a_raw_sensor_passes_both_receivers() {
    let mut board = am62x();
    let plan = board
        .plan(
            None,
            "30102000.ticsi2rx context 0",
            "RGGB",
            Some((1920, 1080)),
        )
        .unwrap();
    assert_eq!(
        plan.describe(&board.topology),
        "imx219 4-0010:0 1920×1080 SRGGB8_1X8 → cdns_csi2rx.30101000.csi-bridge:1 → \
         30102000.ticsi2rx:1 → 30102000.ticsi2rx context 0 RGGB"
    );
    assert!(plan.links.is_empty());
    let ten = am62x().plan(
        None,
        "30102000.ticsi2rx context 0",
        "RG10",
        Some((640, 480)),
    );
    assert_eq!(ten.unwrap().size, (640, 480));
}

#[test]
fn sizes_and_formats_that_nobody_makes_are_told_with_what_there_is() {
    let node = "30102000.ticsi2rx context 0";
    let error = am62x()
        .plan(None, node, "RGGB", Some((1280, 720)))
        .unwrap_err();
    assert!(error.contains("1280×720"), "{error}");
    assert!(error.contains("it has 3280×2464, 1920×1080"), "{error}");
    let error = am62x().plan(None, node, "UYVY", None).unwrap_err();
    assert!(error.contains("RGGB for SRGGB8_1X8"), "{error}");
}

#[test]
fn a_node_that_nothing_is_routed_to_says_so() {
    let error = am62x()
        .plan(None, "30102000.ticsi2rx context 1", "RGGB", None)
        .unwrap_err();
    assert!(error.contains("30102000.ticsi2rx:2"), "{error}");
    assert!(error.contains("nothing routed"), "{error}");
}

#[test]
fn a_camera_with_its_own_processor_gives_yuv() {
    // ov5640 lists a code for each of its formats (`drivers/media/i2c/ov5640.c`).
    let mut board = am62x();
    let modes = FrameSizes::Discrete(vec![(640, 480), (1280, 720), (1920, 1080)]);
    let all = ["UYVY8_1X16", "YUYV8_1X16", "RGB565_1X16", "SBGGR8_1X8"];
    let sensor = board.sensor("ov5640 1-003c", &all, modes);
    board.topology.links[0].source.entity = sensor;
    let plan = board
        .plan(
            None,
            "30102000.ticsi2rx context 0",
            "YUYV",
            Some((1280, 720)),
        )
        .unwrap();
    let described = plan.describe(&board.topology);
    assert!(
        described.starts_with("ov5640 1-003c:0 1280×720 YUYV8_1X16"),
        "{described}"
    );
    let any = board.sensor("test", &["YUYV8_1X16"], up_to((64, 64)));
    let name = board.topology.name(any);
    assert!(
        board
            .chain(Some(&name), "30102000.ticsi2rx context 0")
            .is_none()
    );
}
