//! The camera of RK3399, from `Documentation/admin-guide/media/rkisp1.rst` and `rkisp1.dot`
//! (entities and links), and `drivers/media/platform/rockchip/rkisp1/`: links and their flags
//! from `rkisp1-dev.c`, codes and directions from `rkisp1-common.c`, the processor's Bayer in,
//! YUV out from `rkisp1-isp.c`, scaling and 4:2:0 from `rkisp1-resizer.c`, pixel formats from
//! `rkisp1-capture.c`, limits from `rkisp1-common.h`. Crops are wide open.

use super::fixture::{Fixture, code, codes, format, up_to};
use crate::media::topology::{EntityFunction, NodeKind};
use crate::media::{EntityId, MbusCode, PadFormat};
use crate::modes::FrameSizes;

const ISP_MAX: (u32, u32) = (4416, 3312);
const BAYER: [&str; 4] = ["SRGGB10_1X10", "SBGGR10_1X10", "SRGGB8_1X8", "SBGGR8_1X8"];
const MAIN: &[(&str, &[&str])] = &[
    ("YUYV8_2X8", &["YUYV", "422P", "NV16"]),
    ("YUYV8_1_5X8", &["NV12", "NV21", "YU12"]),
    ("SRGGB10_1X10", &["RG10"]),
    ("SBGGR10_1X10", &["BG10"]),
    ("SRGGB8_1X8", &["RGGB"]),
    ("SBGGR8_1X8", &["BA81"]),
];
/// It makes RGB of YUV 4:2:2 by itself.
const SELF: &[(&str, &[&str])] = &[
    ("YUYV8_2X8", &["YUYV", "422P", "NV16", "XR24", "RGBP"]),
    ("YUYV8_1_5X8", &["NV12", "NV21", "YU12"]),
];

fn is_yuv(code: MbusCode) -> bool {
    code.0 & 0xf000 == 0x2000
}

fn clamp(size: (u32, u32), max: (u32, u32)) -> (u32, u32) {
    (size.0.clamp(32, max.0), size.1.clamp(32, max.1))
}

fn isp(board: &mut Fixture) -> EntityId {
    let into: Vec<_> = BAYER.iter().copied().chain(["YUYV8_1X16"]).collect();
    let out: Vec<_> = BAYER.iter().copied().chain(["YUYV8_2X8"]).collect();
    let (into, out) = (codes(&into), codes(&out));
    let (takes, gives) = (into.clone(), out.clone());
    board.subdevice(
        ("rkisp1_isp", EntityFunction::ISP, "<<>>"),
        format("SRGGB10_1X10", (800, 600)),
        up_to(ISP_MAX),
        move |_pads, pad| match pad {
            0 => into.clone(),
            2 => out.clone(),
            _ => codes(&["METADATA_FIXED"]),
        },
        move |pads, pad, asked| match pad {
            0 => {
                let known = takes.contains(&asked.code);
                let code = if known { asked.code } else { takes[0] };
                let size = clamp(asked.size, ISP_MAX);
                pads[0] = Some(PadFormat { code, size });
                pads[2] = pads[2].map(|PadFormat { code, .. }| PadFormat { code, size });
            }
            2 => {
                let sink = pads[0].unwrap();
                let known = gives.contains(&asked.code);
                let mut code = if known { asked.code } else { gives[4] };
                if is_yuv(sink.code) && !is_yuv(code) {
                    code = sink.code;
                }
                let size = sink.size;
                pads[2] = Some(PadFormat { code, size });
            }
            _ => {}
        },
    )
}

fn resizer(board: &mut Fixture, name: &str, bayer: bool, max: (u32, u32)) -> EntityId {
    let mut list = codes(&["YUYV8_2X8"]);
    if bayer {
        list.extend(codes(&BAYER));
    }
    let takes = list.clone();
    board.subdevice(
        (name, EntityFunction::SCALER, "<>"),
        format("YUYV8_2X8", (800, 600)),
        up_to(max),
        move |_pads, pad| {
            let mut list = list.clone();
            if pad == 1 {
                list.push(code("YUYV8_1_5X8"));
            }
            list
        },
        move |pads, pad, asked| {
            if pad == 0 {
                let known = takes.contains(&asked.code);
                let code = if known { asked.code } else { takes[0] };
                let size = clamp(asked.size, ISP_MAX);
                pads[0] = Some(PadFormat { code, size });
                pads[1] = pads[1].map(|PadFormat { size, .. }| PadFormat { code, size });
                return;
            }
            let sink = pads[0].unwrap();
            let known = [code("YUYV8_2X8"), code("YUYV8_1_5X8")].contains(&asked.code);
            let yuv = known && is_yuv(sink.code);
            let size = clamp(asked.size, max);
            let code = if yuv {
                asked.code
            } else {
                pads[1].unwrap().code
            };
            pads[1] = Some(PadFormat { code, size });
        },
    )
}

fn rk3399() -> Fixture {
    let mut board = Fixture::default();
    let isp = isp(&mut board);
    let main = resizer(&mut board, "rkisp1_resizer_mainpath", true, ISP_MAX);
    let own = resizer(&mut board, "rkisp1_resizer_selfpath", false, (1920, 1920));
    let mainpath = board.video("rkisp1_mainpath", Some(MAIN), ISP_MAX);
    let selfpath = board.video("rkisp1_selfpath", Some(SELF), (1920, 1920));
    let stats = board.video("rkisp1_stats", None, (0, 0));
    let params = board.entity(
        "rkisp1_params",
        EntityFunction::IO_V4L,
        ">",
        NodeKind::Video,
    );
    let modes = FrameSizes::Discrete(vec![(3280, 2464), (1920, 1080), (1640, 1232), (640, 480)]);
    let sensor = board.sensor(
        "imx219 4-0010",
        &["SRGGB10_1X10", "SRGGB8_1X8"],
        modes.clone(),
    );
    let second = board.sensor("ov5647 4-0036", &["SBGGR10_1X10"], modes);
    board.link((sensor, 0), (isp, 0), true, false);
    board.link((second, 0), (isp, 0), false, false);
    board.link((isp, 2), (main, 0), true, false);
    board.link((main, 1), (mainpath, 0), true, true);
    board.link((isp, 2), (own, 0), true, false);
    board.link((own, 1), (selfpath, 0), true, true);
    board.link((params, 0), (isp, 1), true, true);
    board.link((isp, 3), (stats, 0), true, true);
    board
}

#[test]
fn the_processor_makes_yuv_and_the_resizer_the_size() {
    let mut board = rk3399();
    let plan = board
        .plan(None, "rkisp1_mainpath", "NV12", Some((1280, 720)))
        .unwrap();
    assert_eq!(
        plan.describe(&board.topology),
        "imx219 4-0010:0 1920×1080 SRGGB10_1X10 → rkisp1_isp:2 YUYV8_2X8 → \
         rkisp1_resizer_mainpath:1 1280×720 YUYV8_1_5X8 → rkisp1_mainpath NV12; disabled \
         rkisp1_isp:2 → rkisp1_resizer_selfpath:0"
    );
    assert!(board.asked < 1000, "{} questions", board.asked);
}

#[test]
fn the_selfpath_makes_rgb_and_takes_no_raw_pictures() {
    let mut board = rk3399();
    let plan = board
        .plan(None, "rkisp1_selfpath", "XR24", Some((1920, 1080)))
        .unwrap();
    let described = plan.describe(&board.topology);
    assert!(
        described.contains("rkisp1_resizer_selfpath:1"),
        "{described}"
    );
    assert!(
        described.ends_with("disabled rkisp1_isp:2 → rkisp1_resizer_mainpath:0"),
        "{described}"
    );
    let error = rk3399()
        .plan(None, "rkisp1_selfpath", "RG10", None)
        .unwrap_err();
    assert!(error.contains("rkisp1_selfpath"), "{error}");
    assert!(error.contains("YUYV8_2X8"), "{error}");
    // Raw pictures pass the mainpath's resizer as they are.
    let raw = rk3399().plan(None, "rkisp1_mainpath", "RG10", Some((640, 480)));
    let raw = raw.unwrap();
    assert_eq!(raw.size, (640, 480));
}

#[test]
fn the_other_sensor_takes_the_first_ones_place() {
    let mut board = rk3399();
    let plan = board
        .plan(
            Some("ov5647 4-0036"),
            "rkisp1_mainpath",
            "NV12",
            Some((640, 480)),
        )
        .unwrap();
    let described = plan.describe(&board.topology);
    let first = described
        .find("disabled imx219 4-0010:0 → rkisp1_isp:0")
        .unwrap();
    let then = described
        .find("enabled ov5647 4-0036:0 → rkisp1_isp:0")
        .unwrap();
    assert!(first < then, "{described}");
    assert!(
        described.starts_with("ov5647 4-0036:0 640×480 SBGGR10_1X10"),
        "{described}"
    );
}

#[test]
fn what_puts_parameters_in_is_no_sensor() {
    let board = rk3399();
    let chain = board.chain(None, "rkisp1_mainpath").unwrap();
    let sensor = board.topology.name(chain.sensor(&board.topology));
    assert_eq!(sensor, "imx219 4-0010");
    assert!(board.chain(Some("rkisp1_params"), "rkisp1_stats").is_some());
}
