//! What somebody asks of a media pipeline by name.

use std::fmt;
use std::str::FromStr;

use super::mbus_code::MbusCode;

/// What of a media pipeline is set by hand; the rest is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaConfig {
    /// The sensor's entity: "imx219 4-0010"; otherwise the one that is linked to the video
    /// node, or the only one that can be.
    pub sensor: Option<String>,
    /// Formats that pads must have.
    pub pads: Vec<PadConfig>,
    /// Links that must be on or off. Those that are on stay so, also where the chain does not
    /// take them.
    pub links: Vec<LinkConfig>,
}

/// A format that a pad must have: "Sensor A:0 `SBGGR8_1X8` 640x480", either part alone as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PadConfig {
    /// The entity.
    pub entity: String,
    /// The pad's number.
    pub pad: u16,
    /// Its media bus code.
    pub code: Option<MbusCode>,
    /// Its width and height.
    pub size: Option<(u32, u32)>,
}

/// A link that must be on or off: "Debayer B:1 -> Scaler:0", "Debayer A:1 -> Scaler:0 off".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Entity and pad where pictures come from.
    pub source: (String, u16),
    /// Entity and pad where they go.
    pub sink: (String, u16),
    /// On, or off.
    pub enable: bool,
}

impl fmt::Display for PadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entity, self.pad)?;
        if let Some(code) = self.code {
            write!(f, " {code}")?;
        }
        if let Some((width, height)) = self.size {
            write!(f, " {width}x{height}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((source, from), (sink, to)) = (&self.source, &self.sink);
        write!(f, "{source}:{from} -> {sink}:{to}")?;
        f.write_str(if self.enable { "" } else { " off" })
    }
}

/// The text is no pad with a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no pad with a format: write it as `Sensor A:0 SBGGR8_1X8 640x480`, with the names \
     that `dmaflow media` shows"
)]
pub struct NotAPadFormat(String);

impl FromStr for PadConfig {
    type Err = NotAPadFormat;

    fn from_str(text: &str) -> Result<Self, NotAPadFormat> {
        let wrong = || NotAPadFormat(text.to_owned());
        let (mut code, mut size) = (None, None);
        let mut rest = text.trim();
        // Names have spaces and colons in them, so what follows is read from the end.
        while let Some((before, word)) = rest.rsplit_once(' ') {
            if let (None, Some(parsed)) = (size, size_of(word)) {
                size = Some(parsed);
            } else if let (None, Ok(parsed)) = (code, word.parse()) {
                code = Some(parsed);
            } else {
                break;
            }
            rest = before.trim_end();
        }
        let (entity, pad) = end_of(rest).ok_or_else(wrong)?;
        if code.is_none() && size.is_none() {
            return Err(wrong());
        }
        Ok(Self {
            entity,
            pad,
            code,
            size,
        })
    }
}

/// The text is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no link: write it as `Debayer A:1 -> Scaler:0`, and `off` behind it to disable it, \
     with the names that `dmaflow media` shows"
)]
pub struct NotALink(String);

impl FromStr for LinkConfig {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let bare = text.trim();
        let (ends, enable) = match bare.strip_suffix(" off") {
            Some(ends) => (ends, false),
            None => (bare.strip_suffix(" on").unwrap_or(bare), true),
        };
        let parsed = ends
            .split_once("->")
            .and_then(|(source, sink)| Some((end_of(source.trim())?, end_of(sink.trim())?)));
        let (source, sink) = parsed.ok_or_else(|| NotALink(text.to_owned()))?;
        Ok(Self {
            source,
            sink,
            enable,
        })
    }
}

fn end_of(text: &str) -> Option<(String, u16)> {
    let (entity, pad) = text.rsplit_once(':')?;
    let entity = entity.trim().trim_matches('"');
    (!entity.is_empty()).then_some((entity.to_owned(), pad.trim().parse().ok()?))
}

fn size_of(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once(['x', '×'])?;
    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
    (width > 0 && height > 0).then_some((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_and_links_are_read_as_they_are_written() {
        for text in [
            "Sensor A:0 SBGGR8_1X8 640x480",
            "imx219 4-0010:0 1640x1232",
            "m00_b_ov5640 1-003c:0 UYVY8_1X16",
        ] {
            assert_eq!(text.parse::<PadConfig>().unwrap().to_string(), text);
        }
        for text in ["Debayer B:1 -> Scaler:0", "a:b:1 -> \"c d\":0 off"] {
            let link: LinkConfig = text.parse().unwrap();
            assert_eq!(link.to_string(), text.replace('"', ""));
        }
        let size: PadConfig = "Sensor A:0 640×480 SBGGR8_1X8".parse().unwrap();
        assert_eq!(size.size, Some((640, 480)));
    }

    #[test]
    fn what_is_neither_says_how_to_write_it() {
        for text in [
            "",
            "Sensor A",
            "Sensor A:0",
            "Sensor A:0 SBGGR8",
            ":0 640x480",
        ] {
            let error = text.parse::<PadConfig>().unwrap_err().to_string();
            assert!(error.contains("640x480"), "{error}");
        }
        for text in ["", "a:1", "a -> b", "a:1 -> b:x", "a:1 - b:0"] {
            let error = text.parse::<LinkConfig>().unwrap_err().to_string();
            assert!(error.contains("->"), "{error}");
        }
    }
}
