//! What the converters of this machine make of what.

use dmaflow_codecs::{Conversion, ConverterInfo, PortFormat};
use dmaflow_v4l2::FrameSizes;
use serde_json::{Value, json};

/// Adds to each converter of a listing what it makes of what.
pub(super) fn add(listing: &mut Value, converters: &[ConverterInfo]) {
    for video in listing.as_array_mut().into_iter().flatten() {
        let of_node = |info: &&ConverterInfo| video["node"] == info.node.display().to_string();
        let found = converters.iter().find(of_node);
        let conversions = found.map_or(&[][..], |info| &info.conversions);
        video["conversions"] = conversions.iter().map(conversion).collect();
    }
}

fn conversion(conversion: &Conversion) -> Value {
    json!({
        "from": port(&conversion.input),
        "to": conversion.outputs.iter().map(port).collect::<Vec<_>>(),
    })
}

fn port(port: &PortFormat) -> Value {
    let codes: Vec<_> = port.codes.iter().map(ToString::to_string).collect();
    json!({ "name": port.format.name(), "codes": codes, "sizes": sizes(&port.sizes) })
}

pub(super) fn sizes(sizes: &FrameSizes) -> Value {
    let pair = |(width, height): (u32, u32)| [width, height];
    match sizes {
        FrameSizes::Discrete(sizes) => sizes.iter().copied().map(pair).collect(),
        FrameSizes::Stepwise { min, max, step } => {
            json!({ "min": pair(*min), "max": pair(*max), "step": pair(*step) })
        }
        FrameSizes::Unknown => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_converter_tells_what_it_makes() {
        let port = |name: &str, sizes| PortFormat {
            format: name.parse().expect("a format"),
            codes: vec![name.parse().expect("a code")],
            sizes,
        };
        let range = FrameSizes::Stepwise {
            min: (32, 16),
            max: (640, 480),
            step: (2, 1),
        };
        let info = ConverterInfo {
            node: "/dev/video1".into(),
            capabilities: dmaflow_v4l2::Capabilities::default(),
            conversions: vec![Conversion {
                input: port("YUYV", range),
                outputs: vec![
                    port("NV12", FrameSizes::Discrete(vec![(64, 48)])),
                    port("NV16", FrameSizes::Unknown),
                ],
            }],
        };
        let mut listing = json!([{ "node": "/dev/video1" }, { "node": "/dev/video2" }]);
        add(&mut listing, &[info]);
        let expected = json!([{
            "from": {
                "name": "YUYV",
                "codes": ["YUYV"],
                "sizes": { "min": [32, 16], "max": [640, 480], "step": [2, 1] },
            },
            "to": [
                { "name": "NV12", "codes": ["NV12"], "sizes": [[64, 48]] },
                { "name": "NV16", "codes": ["NV16"], "sizes": null },
            ],
        }]);
        assert_eq!(listing[0]["conversions"], expected);
        assert_eq!(listing[1]["conversions"], json!([]));
    }
}
