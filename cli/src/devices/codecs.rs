//! `dmaflow devices codecs`: what each codec of this machine can do, by its driver's word.

use dmaflow_codecs::{CodecInfo, CodecNode, CodedFormat, PictureFormat};
use dmaflow_core::time::Rate;
use dmaflow_v4l2::{Control, ControlKind, FormatInfo, FrameRates, FrameSizes, Function};
use serde_json::{Value, json};

use super::conversions::sizes;
use super::video::{format_json, name_of};
use crate::failure::with_causes;
use crate::table::{Row, aligned};

/// Entries of a list that a line has.
const A_LINE: usize = 8;

pub(super) fn text(nodes: &[CodecNode]) -> String {
    if nodes.is_empty() {
        return "no codecs: no /dev/video* encodes or decodes (is a driver loaded?)\n".to_owned();
    }
    let parts: Vec<_> = nodes.iter().map(node_text).collect();
    parts.join("\n")
}

fn node_text(node: &CodecNode) -> String {
    match &node.info {
        Ok(info) => codec_text(info),
        Err(error) => format!("{}: {}\n", node.path.display(), with_causes(error)),
    }
}

fn codec_text(info: &CodecInfo) -> String {
    let who = &info.capabilities;
    let mut bus = vec![who.bus.clone()];
    bus.push(match info.imports {
        Some(true) => "imports dma-bufs".to_owned(),
        Some(false) => "cannot import dma-bufs".to_owned(),
        None => "in use by another program".to_owned(),
    });
    if who.is_multiplanar() {
        bus.push("multi-planar".to_owned());
    }
    let mut rows = vec![("bus".to_owned(), bus.join("; "))];
    for coded in &info.coded {
        rows.extend(coded_rows(info.function, coded));
    }
    let settable = info.controls.iter().filter(|control| is_settable(control));
    let keys: Vec<_> = settable.map(setting).collect();
    for (line, keys) in keys.chunks(A_LINE / 2).enumerate() {
        let head = if line == 0 { "controls" } else { "" };
        rows.push((head.to_owned(), keys.join(", ")));
    }
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(head, text)| Row::Cells(vec![head, text]))
        .collect();
    let (card, driver, node) = (&who.card, &who.driver, info.node.display());
    format!(
        "{} {card} ({driver}, {node})\n{}",
        info.function,
        aligned(&rows)
    )
}

fn coded_rows(function: Function, coded: &CodedFormat) -> Vec<(String, String)> {
    let described = match coded.info.description.as_str() {
        "" => coded.info.code.to_string(),
        description => format!("{description} ({})", coded.info.code),
    };
    let mut rows = vec![(name_of(&coded.info), described)];
    let mut add = |text: String| rows.push((String::new(), text));
    add(measures(&coded.sizes, &coded.rates));
    for (what, entries) in [
        ("profiles", &coded.profiles),
        ("levels", &coded.levels),
        ("takes", &coded.decode_modes),
        ("begins with", &coded.start_codes),
    ] {
        if !entries.is_empty() {
            add(format!("{what} {}", entries.join(", ")));
        }
    }
    let way = match function {
        Function::Encoder => "from",
        _ => "to",
    };
    // Mostly they are all alike.
    let mut left: Vec<&PictureFormat> = coded.pictures.iter().collect();
    while let Some(first) = left.first() {
        let measured = (&first.sizes, &first.rates);
        let (same, others): (Vec<&PictureFormat>, Vec<_>) = left
            .into_iter()
            .partition(|picture| (&picture.sizes, &picture.rates) == measured);
        let names: Vec<_> = same.iter().map(|picture| name_of(&picture.info)).collect();
        for (line, names) in names.chunks(A_LINE).enumerate() {
            let way = if line == 0 { way } else { "    " };
            add(format!("{way} {}", names.join(" ")));
        }
        if measured != (&coded.sizes, &coded.rates) {
            add(format!("     {}", measures(measured.0, measured.1)));
        }
        left = others;
    }
    rows
}

/// Sizes, and rates where the driver lists them.
fn measures(sizes: &FrameSizes, rates: &FrameRates) -> String {
    match (sizes, rates) {
        (FrameSizes::Unknown, _) => "any size, as far as the driver tells".to_owned(),
        (sizes, FrameRates::Unknown) => sizes.to_string(),
        (sizes, rates) => format!("{sizes}; {rates} fps"),
    }
}

/// Whether people can set it; arrays and structures are for stages.
const fn is_settable(control: &Control) -> bool {
    control.locked.is_none() && !matches!(control.kind, ControlKind::Other(_))
}

/// A control's name, and how far its numbers go.
fn setting(control: &Control) -> String {
    match &control.kind {
        ControlKind::Integer { min, max, .. } => format!("{} ({min} to {max})", control.key()),
        _ => control.key(),
    }
}

pub(super) fn json(nodes: &[CodecNode]) -> Value {
    json!({ "codecs": nodes.iter().map(node_json).collect::<Vec<_>>() })
}

fn node_json(node: &CodecNode) -> Value {
    let info = match &node.info {
        Ok(info) => info,
        Err(error) => {
            let node = node.path.display().to_string();
            return json!({ "node": node, "refused": with_causes(error) });
        }
    };
    let who = &info.capabilities;
    json!({
        "node": info.node.display().to_string(),
        "card": who.card,
        "driver": who.driver,
        "bus": who.bus,
        "function": info.function.to_string(),
        "stateless": info.function == Function::StatelessDecoder,
        "imports": info.imports,
        "multiplanar": who.is_multiplanar(),
        "coded": info.coded.iter().map(coded_json).collect::<Vec<_>>(),
        "controls": info.controls.iter().map(control_json).collect::<Vec<_>>(),
        "refused": null,
    })
}

fn coded_json(coded: &CodedFormat) -> Value {
    let mut value = measured_json(&coded.info, &coded.sizes, &coded.rates);
    value["profiles"] = json!(coded.profiles);
    value["levels"] = json!(coded.levels);
    value["decode_modes"] = json!(coded.decode_modes);
    value["start_codes"] = json!(coded.start_codes);
    let pictures = coded.pictures.iter();
    value["pictures"] = pictures
        .map(|picture| measured_json(&picture.info, &picture.sizes, &picture.rates))
        .collect();
    value
}

fn measured_json(info: &FormatInfo, of_sizes: &FrameSizes, of_rates: &FrameRates) -> Value {
    let mut value = format_json(info);
    value["sizes"] = sizes(of_sizes);
    value["rates"] = rates(of_rates);
    value
}

/// Rates as fractions: what they are to the digit.
fn rates(rates: &FrameRates) -> Value {
    let fraction = |rate: &Rate| format!("{}/{}", rate.frames(), rate.seconds());
    match rates {
        FrameRates::Discrete(rates) => rates.iter().map(fraction).collect(),
        FrameRates::Between { slowest, fastest } => {
            json!({ "min": fraction(slowest), "max": fraction(fastest) })
        }
        FrameRates::Unknown => Value::Null,
    }
}

fn control_json(control: &Control) -> Value {
    let mut value = json!({
        "name": control.key(),
        "title": control.name,
        "id": control.id,
        "takes": control.kind.to_string(),
        "locked": control.locked,
    });
    match &control.kind {
        ControlKind::Integer { min, max, step, .. } => {
            value["min"] = json!(min);
            value["max"] = json!(max);
            value["step"] = json!(step);
        }
        ControlKind::Menu(entries) => {
            value["entries"] = entries.iter().map(|(_number, name)| json!(name)).collect();
        }
        _ => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(code: &str, compressed: bool) -> FormatInfo {
        let code = code.parse().expect("a code");
        FormatInfo {
            code,
            format: dmaflow_core::format::Format::from_v4l2(code),
            description: if compressed { "H.264" } else { "" }.to_owned(),
            compressed,
        }
    }

    fn encoder() -> CodecInfo {
        let sizes = FrameSizes::Stepwise {
            min: (64, 64),
            max: (1920, 1088),
            step: (2, 2),
        };
        let rates = FrameRates::Between {
            slowest: Rate::new(1, 1).expect("a rate"),
            fastest: Rate::new(30_000, 1001).expect("a rate"),
        };
        let picture = |code| PictureFormat {
            info: info(code, false),
            sizes: sizes.clone(),
            rates: rates.clone(),
        };
        let control = |name: &str, kind| Control {
            id: 1,
            name: name.to_owned(),
            kind,
            locked: None,
        };
        let bitrate = ControlKind::Integer {
            min: 1,
            max: 800,
            step: 1,
            long: false,
        };
        let mut capabilities = dmaflow_v4l2::Capabilities::default();
        capabilities.driver = "hantro-vpu".to_owned();
        capabilities.card = "encoder".to_owned();
        capabilities.bus = "platform:fee".to_owned();
        CodecInfo {
            node: "/dev/video1".into(),
            capabilities,
            function: Function::Encoder,
            imports: Some(true),
            coded: vec![CodedFormat {
                info: info("H264", true),
                sizes: sizes.clone(),
                rates: rates.clone(),
                profiles: vec!["Baseline".to_owned(), "Main".to_owned()],
                levels: vec!["4".to_owned(), "4.1".to_owned()],
                decode_modes: Vec::new(),
                start_codes: Vec::new(),
                pictures: vec![picture("NV12"), picture("YUYV")],
            }],
            controls: vec![
                control("Video Bitrate", bitrate),
                control("Repeat Sequence Header", ControlKind::Boolean),
                control("Something", ControlKind::Other(7)),
            ],
        }
    }

    #[test]
    fn people_are_told_what_a_codec_can_do() {
        let expected = "\
encoder encoder (hantro-vpu, /dev/video1)
  bus       platform:fee; imports dma-bufs
  H264      H.264 (H264)
            64×64 to 1920×1088 in steps of 2×2; 1 to 29.97 fps
            profiles Baseline, Main
            levels 4, 4.1
            from NV12 YUYV
  controls  video_bitrate (1 to 800), repeat_sequence_header
";
        assert_eq!(codec_text(&encoder()), expected);
        assert!(text(&[]).starts_with("no codecs"));
    }

    #[test]
    fn programs_are_told_the_same() {
        let path = "/dev/video1".into();
        let info = Ok(encoder());
        let told = json(&[CodecNode { path, info }]);
        let codec = &told["codecs"][0];
        let coded = &codec["coded"][0];
        assert_eq!(codec["function"], "encoder");
        assert_eq!(coded["name"], "H264");
        assert_eq!(coded["sizes"]["max"], json!([1920, 1088]));
        assert_eq!(coded["rates"]["max"], "30000/1001");
        assert_eq!(coded["pictures"][1]["name"], "YUYV");
        assert_eq!(coded["levels"], json!(["4", "4.1"]));
        assert_eq!(codec["controls"][0]["max"], 800);
    }
}
