//! Why a media pipeline is not set up as asked.

use std::fmt;

use super::config::{LinkConfig, PadConfig};
use crate::error::V4l2Error;

/// Why a media pipeline is not set up as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// What the device layer says.
    #[error(transparent)]
    Device(#[from] V4l2Error),
    /// No media device is called so.
    #[error(
        "no media device is called `{asked}`; there {}",
        if known.is_empty() { "is none".to_owned() } else { format!("are: {}", known.join(", ")) }
    )]
    NoMatch {
        /// What was asked for.
        asked: String,
        /// The media devices, and the nodes that could not be asked.
        known: Vec<String>,
    },
    /// There is no media device, or none has the video node.
    #[error("{node} belongs to no media device, so there are no links and formats to set up{}", .refused.iter().map(|why| format!("; {why}")).collect::<String>())]
    NoMedia {
        /// The video node.
        node: String,
        /// Media devices that could not be asked.
        refused: Vec<String>,
    },
    /// The graph has no entity of this name.
    #[error("{device} has no entity called `{asked}`; it has: {}", .known.join(", "))]
    NoEntity {
        /// The media device.
        device: String,
        /// What was asked for.
        asked: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The graph has no such link.
    #[error("{device} has no link {asked}; {}", if .known.is_empty() { "no link begins or ends there".to_owned() } else { format!("there are: {}", .known.join(", ")) })]
    NoLink {
        /// The media device.
        device: String,
        /// What was asked for.
        asked: LinkConfig,
        /// Links of the same entities.
        known: Vec<String>,
    },
    /// The link is as it is.
    #[error("{device}: the link {link} cannot be {}: it is immutable", if *.enable { "enabled" } else { "disabled" })]
    Immutable {
        /// The media device.
        device: String,
        /// The link.
        link: String,
        /// What was asked.
        enable: bool,
    },
    /// A link was asked to be on, and another one into its pad must be on too.
    #[error(
        "{device}: the links {link} and {rival} lead to one pad, which takes one of them: leave one out, or ask for it with ` off`"
    )]
    Rivals {
        /// The media device.
        device: String,
        /// The link.
        link: String,
        /// The other one.
        rival: String,
    },
    /// The entity has no such pad.
    #[error(
        "{device}: {asked} names a pad that is not there; the entity has {pads} pads, counted from 0"
    )]
    NoPad {
        /// The media device.
        device: String,
        /// What was asked for.
        asked: PadConfig,
        /// How many pads the entity has.
        pads: usize,
    },
    /// No way leads to the video node.
    #[error(
        "{device}: no link that is enabled or could be leads from {} to {node}{}",
        .sensor.as_deref().unwrap_or("a sensor"),
        if .sensors.is_empty() { String::new() } else { format!("; its sensors: {}", .sensors.join(", ")) }
    )]
    NoWay {
        /// The media device.
        device: String,
        /// The sensor, where one was asked for.
        sensor: Option<String>,
        /// The video node.
        node: String,
        /// The sensors there are.
        sensors: Vec<String>,
    },
    /// Several sensors could be linked to the video node, and none is.
    #[error("{device}: {node} can be linked to several sensors, and is to none: name one of {}", .sensors.join(", "))]
    SeveralSensors {
        /// The media device.
        device: String,
        /// The video node.
        node: String,
        /// The sensors.
        sensors: Vec<String>,
    },
    /// The devices of the chain do not agree on formats.
    #[error("{chain} cannot deliver {wish}: {}", sentence(.refused))]
    Refused {
        /// The chain's ends.
        chain: String,
        /// What was wished.
        wish: String,
        /// Who refused what.
        refused: Vec<Refused>,
    },
    /// A driver chose another format than it did when it was tried.
    #[error("{pad} was asked for {asked} and chose {got}, though it took that as a try")]
    Changed {
        /// The pad or the video node.
        pad: String,
        /// What was asked.
        asked: String,
        /// What it chose.
        got: String,
    },
    /// No device along the way has the control.
    #[error("no device along the way has a control called `{asked}`: {}", .known.join("; "))]
    UnknownControl {
        /// What was asked for.
        asked: String,
        /// The devices and their controls.
        known: Vec<String>,
    },
}

/// What a pad or a video node did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The pad's name, or the video node's.
    pub pad: String,
    /// What it was asked for.
    pub asked: Vec<String>,
    /// What it offers.
    pub offers: String,
}

/// How many values an error names of what was asked.
const NAMED: usize = 4;

impl fmt::Display for Refused {
    /// Writes "Debayer A:0 takes no 640×480 `RGB888_1X24`; it has `SBGGR8_1X8`".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.asked.len().min(NAMED);
        write!(
            f,
            "{} takes no {}",
            self.pad,
            self.asked[..named].join(" or ")
        )?;
        if self.asked.len() > named {
            write!(f, " (and {} more)", self.asked.len() - named)?;
        }
        write!(f, "; it has {}", self.offers)
    }
}

fn sentence(refused: &[Refused]) -> String {
    if refused.is_empty() {
        return "nobody was asked".to_owned();
    }
    let texts: Vec<_> = refused.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl MediaError {
    /// Whether the device is gone.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Device(error) if error.is_gone())
    }
}
