//! vimc, from `drivers/media/test-drivers/vimc/`: entities and links from `vimc-core.c`, codes
//! and pixel formats from `vimc-common.c`; the debayer's source pad follows its sink
//! (`vimc-debayer.c`), the scaler's has its code and any size (`vimc-scaler.c`).

use super::fixture::{Fixture, Pads, code, codes, format, up_to};
use crate::media::topology::EntityFunction;
use crate::media::wanted::configured;
use crate::media::{MbusCode, MediaConfig, PadFormat, PadId, PadWish, Setting, Wish, chains};

const MAX: (u32, u32) = (4096, 4096);
const BAYER: [&str; 4] = ["SBGGR8_1X8", "SGBRG8_1X8", "SGRBG8_1X8", "SRGGB8_1X8"];
const VIDEO: &[(&str, &[&str])] = &[
    ("BGR888_1X24", &["BGR3"]),
    ("RGB888_1X24", &["RGB3"]),
    ("SBGGR8_1X8", &["BA81"]),
    ("SGBRG8_1X8", &["GBRG"]),
    ("SGRBG8_1X8", &["GRBG"]),
    ("SRGGB8_1X8", &["RGGB"]),
];

fn even(size: (u32, u32)) -> (u32, u32) {
    let clamp = |value: u32| value.clamp(16, 4096) & !1;
    (clamp(size.0), clamp(size.1))
}

pub(super) fn debayer(fixture: &mut Fixture, name: &str) -> crate::media::EntityId {
    fixture.subdevice(
        (name, EntityFunction::PIXEL_ENCODING_CONVERTER, "<>"),
        format("SRGGB8_1X8", (640, 480)),
        up_to(MAX),
        |_pads, pad| {
            if pad == 0 {
                codes(&BAYER)
            } else {
                codes(&["BGR888_1X24", "RGB888_1X24"])
            }
        },
        |pads, pad, asked| {
            if pad == 0 {
                let known = codes(&BAYER).contains(&asked.code);
                let code = if known {
                    asked.code
                } else {
                    code("SRGGB8_1X8")
                };
                let size = even(asked.size);
                pads[0] = Some(PadFormat { code, size });
                pads[1] = Some(format("RGB888_1X24", size));
            }
        },
    )
}

fn scaler_codes(_pads: &Pads, _pad: u16) -> Vec<MbusCode> {
    codes(&["BGR888_1X24", "RGB888_1X24"])
}

pub(super) fn vimc() -> Fixture {
    let mut vimc = Fixture::default();
    let all: Vec<_> = VIDEO.iter().map(|(bus, _pixels)| *bus).collect();
    let [sensor_a, sensor_b] =
        ["Sensor A", "Sensor B"].map(|name| vimc.sensor(name, &all, up_to(MAX)));
    let [debayer_a, debayer_b] = ["Debayer A", "Debayer B"].map(|name| debayer(&mut vimc, name));
    let [raw_0, raw_1] =
        ["Raw Capture 0", "Raw Capture 1"].map(|name| vimc.video(name, Some(VIDEO), MAX));
    let input = vimc.sensor("RGB/YUV Input", &all, up_to(MAX));
    let scaler = vimc.subdevice(
        ("Scaler", EntityFunction::SCALER, "<>"),
        format("RGB888_1X24", (640, 480)),
        up_to(MAX),
        scaler_codes,
        |pads, pad, asked| {
            let size = even(asked.size);
            if pad == 0 {
                let known = scaler_codes(pads, 0).contains(&asked.code);
                let code = if known {
                    asked.code
                } else {
                    code("RGB888_1X24")
                };
                *pads = vec![Some(PadFormat { code, size }); 2];
            } else {
                pads[1] = pads[0].map(|PadFormat { code, .. }| PadFormat { code, size });
            }
        },
    );
    let capture = vimc.video("RGB/YUV Capture", Some(VIDEO), MAX);
    vimc.link((sensor_a, 0), (debayer_a, 0), true, true);
    vimc.link((sensor_a, 0), (raw_0, 0), true, true);
    vimc.link((sensor_b, 0), (debayer_b, 0), true, true);
    vimc.link((sensor_b, 0), (raw_1, 0), true, true);
    vimc.link((debayer_a, 1), (scaler, 0), true, false);
    vimc.link((debayer_b, 1), (scaler, 0), false, false);
    vimc.link((input, 0), (scaler, 0), false, false);
    vimc.link((scaler, 1), (capture, 0), true, true);
    vimc
}

#[test]
fn the_linked_sensor_is_taken_before_those_that_could_be() {
    let vimc = vimc();
    let node = vimc.topology.find("RGB/YUV Capture").unwrap().id;
    let found = chains(&vimc.topology, None, Some(node));
    let names: Vec<_> = found
        .iter()
        .map(|chain| {
            let sensor = vimc.topology.name(chain.sensor(&vimc.topology));
            (sensor, chain.changes.len(), chain.links.len())
        })
        .collect();
    let expected = [
        ("Sensor A", 0, 3),
        ("RGB/YUV Input", 2, 2),
        ("Sensor B", 2, 3),
    ];
    assert_eq!(names, expected.map(|(name, a, b)| (name.to_owned(), a, b)));
    // A sensor's nearest node is the one that needs no debayer.
    let sensor = vimc.topology.find("Sensor A").unwrap().id;
    let nearest = &chains(&vimc.topology, Some(sensor), None)[0];
    let node = vimc.topology.name(nearest.node(&vimc.topology));
    assert_eq!(node, "Raw Capture 0");
}

#[test]
fn a_code_is_searched_that_the_debayer_takes() {
    let mut vimc = vimc();
    let plan = vimc
        .plan(None, "RGB/YUV Capture", "RGB3", Some((1280, 720)))
        .unwrap();
    assert_eq!(
        plan.describe(&vimc.topology),
        "Sensor A:0 1280×720 SBGGR8_1X8 → Debayer A:1 RGB888_1X24 → Scaler:1 → RGB/YUV Capture \
         RGB3"
    );
    // The other node of the sensor cannot be cut off, and gets what it must have.
    let raw = vimc.topology.find("Raw Capture 0").unwrap().id;
    let other = Setting::Node(raw, super::fixture::four("BA81"), (1280, 720));
    assert!(plan.settings.contains(&other), "{:?}", plan.settings);
    assert!(vimc.asked < 100, "{} questions", vimc.asked);
}

#[test]
fn what_the_debayer_does_not_make_is_refused_by_who_would_have_to() {
    let error = vimc()
        .plan(None, "RGB/YUV Capture", "BGR3", Some((640, 480)))
        .unwrap_err();
    assert!(error.contains("640×480 in BGR3"), "{error}");
    assert!(error.contains("RGB/YUV Capture"), "{error}");
    assert!(error.contains("RGB3 for RGB888_1X24"), "{error}");
    // Here the sensor could, and the debayer beside it could not.
    let error = vimc()
        .plan(None, "Raw Capture 0", "BGR3", None)
        .unwrap_err();
    assert!(
        error.contains("Debayer A:0") || error.contains("BA81"),
        "{error}"
    );
    let error = vimc()
        .plan(None, "RGB/YUV Capture", "RGB3", Some((5000, 300)))
        .unwrap_err();
    assert!(
        error.contains("5000×300") && error.contains("4096"),
        "{error}"
    );
}

#[test]
fn raw_pictures_need_the_way_behind_the_debayer_cut() {
    let mut vimc = vimc();
    let plan = vimc.plan(None, "Raw Capture 0", "GRBG", None).unwrap();
    assert_eq!(
        plan.describe(&vimc.topology),
        "Sensor A:0 640×480 SGRBG8_1X8 → Raw Capture 0 GRBG; disabled Debayer A:1 → Scaler:0"
    );
}

#[test]
fn a_link_in_the_way_is_disabled_first() {
    let mut vimc = vimc();
    let plan = vimc
        .plan(Some("Sensor B"), "RGB/YUV Capture", "RGB3", None)
        .unwrap();
    let described = plan.describe(&vimc.topology);
    assert!(
        described.ends_with("; disabled Debayer A:1 → Scaler:0; enabled Debayer B:1 → Scaler:0"),
        "{described}"
    );
    // Straight into the scaler comes RGB only.
    let plan = super::vimc::vimc().plan(Some("RGB/YUV Input"), "RGB/YUV Capture", "BGR3", None);
    assert_eq!(plan.unwrap().settings.len(), 3);
}

#[test]
fn a_link_that_is_asked_for_switches_its_rival_off() {
    let vimc = vimc();
    let wanted = |links: &[&str]| {
        let config = MediaConfig {
            links: links.iter().map(|link| link.parse().unwrap()).collect(),
            ..MediaConfig::default()
        };
        configured(&"vimc", &vimc.topology, &config)
    };
    let (a, b) = ("Debayer A:1 -> Scaler:0", "Debayer B:1 -> Scaler:0");
    let (topology, changes) = wanted(&[b]).unwrap();
    let changes: Vec<_> = changes
        .iter()
        .map(|change| {
            let link = topology.links[change.link];
            (topology.link_name(&link), change.enable)
        })
        .collect();
    let expected = [
        ("Debayer A:1 → Scaler:0".to_owned(), false),
        ("Debayer B:1 → Scaler:0".to_owned(), true),
    ];
    assert_eq!(changes, expected);
    let node = topology.find("RGB/YUV Capture").unwrap().id;
    let chains = chains(&topology, None, Some(node));
    let sensors = chains.iter().map(|chain| chain.sensor(&topology));
    let names: Vec<_> = sensors.map(|sensor| topology.name(sensor)).collect();
    assert_eq!(names, ["Sensor B"]);

    // Said in full it is the same, and what is on already asks for nothing.
    let off = format!("{a} off");
    assert_eq!(wanted(&[b, &off]).unwrap(), wanted(&[b]).unwrap());
    assert_eq!(wanted(&[a]).unwrap().1, []);
    let error = wanted(&[a, b]).unwrap_err().to_string();
    for name in ["Debayer A:1 → Scaler:0", "Debayer B:1 → Scaler:0"] {
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn what_is_asked_of_a_pad_is_done_or_refused() {
    let pad = |vimc: &Fixture, name: &str, index| PadId {
        entity: vimc.topology.find(name).unwrap().id,
        index,
    };
    let wish = |pads| Wish {
        pixel_formats: Vec::new(),
        size: None,
        pads,
    };
    let mut fixture = vimc();
    let sensor = pad(&fixture, "Sensor A", 0);
    let small = pad(&fixture, "Scaler", 1);
    let asked = vec![
        PadWish {
            pad: sensor,
            code: Some(code("SGBRG8_1X8")),
            size: Some((800, 600)),
        },
        PadWish {
            pad: small,
            code: None,
            size: Some((400, 300)),
        },
    ];
    let plan = fixture.plan_wish(None, "RGB/YUV Capture", &wish(asked));
    let plan = plan.unwrap();
    assert_eq!(plan.size, (400, 300));
    let expected = Setting::Pad(sensor, format("SGBRG8_1X8", (800, 600)));
    assert_eq!(plan.settings[0], expected);

    let mut fixture = vimc();
    let sink = pad(&fixture, "Debayer A", 0);
    let asked = vec![PadWish {
        pad: sink,
        code: Some(code("RGB888_1X24")),
        size: None,
    }];
    let error = fixture
        .plan_wish(None, "RGB/YUV Capture", &wish(asked))
        .unwrap_err();
    assert!(error.contains("Debayer A:0"), "{error}");
}
