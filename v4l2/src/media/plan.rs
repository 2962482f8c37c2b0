//! Plans: which links and formats make a chain stream.

use std::fmt;

use dmaflow_core::fourcc::FourCc;

use super::ask::{Ask, PadFormat};
use super::chain::Chain;
use super::error::MediaError;
use super::mbus_code::MbusCode;
use super::search::Search;
use super::topology::{EntityId, PadId, Topology};

/// What a chain is to deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The pixel formats that will do; any, where there are none.
    pub pixel_formats: Vec<FourCc>,
    /// Width and height at the video node; what the sensor is set to, where there is none.
    pub size: Option<(u32, u32)>,
    /// What pads must have.
    pub pads: Vec<PadWish>,
}

/// What a pad must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PadWish {
    /// Which.
    pub pad: PadId,
    /// Its media bus code, where that matters.
    pub code: Option<MbusCode>,
    /// Its width and height, where they matter.
    pub size: Option<(u32, u32)>,
}

impl Wish {
    pub(super) fn of(&self, pad: PadId) -> (Option<MbusCode>, Option<(u32, u32)>) {
        let wishes = self.pads.iter().filter(|wish| wish.pad == pad);
        wishes.fold((None, None), |(code, size), wish| {
            (code.or(wish.code), size.or(wish.size))
        })
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            Some((width, height)) => write!(f, "{width}×{height}")?,
            None => f.write_str("any size")?,
        }
        for (index, format) in self.pixel_formats.iter().enumerate() {
            write!(f, "{}{format}", if index == 0 { " in " } else { " or " })?;
        }
        Ok(())
    }
}

/// A link to be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkChange {
    /// Which, by its place in [`Topology::links`].
    pub link: usize,
    /// On, or off.
    pub enable: bool,
}

/// A format to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// On a pad of a sub-device.
    Pad(PadId, PadFormat),
    /// On a video node that gets the same pictures and is not ours.
    Node(EntityId, FourCc, (u32, u32)),
}

/// Which links to switch and which formats to set for a chain to deliver what was wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The way.
    pub chain: Chain,
    /// Links to switch, in this order.
    pub links: Vec<LinkChange>,
    /// Formats to set, in this order.
    pub settings: Vec<Setting>,
    /// The pixel format that the video node is to have.
    pub pixel_format: FourCc,
    /// The size that the video node is to have.
    pub size: (u32, u32),
}

impl Plan {
    /// The plan in one line: "Sensor A:0 640×480 `SBGGR8_1X8` → Debayer A:1 `RGB888_1X24` →
    /// Scaler:1 → RGB/YUV Capture RGB3".
    #[must_use]
    pub fn describe(&self, topology: &Topology) -> String {
        let mut text = String::new();
        let mut last: Option<PadFormat> = None;
        for link in self
            .chain
            .links
            .iter()
            .filter_map(|index| topology.links.get(*index))
        {
            let pad = link.source;
            text.push_str(&topology.pad_name(pad));
            let set = self.settings.iter().find_map(|setting| match setting {
                Setting::Pad(of, format) if *of == pad => Some(*format),
                _ => None,
            });
            if let Some(format) = set {
                match last {
                    Some(last) if last == format => {}
                    Some(last) if last.size == format.size => {
                        text.push_str(&format!(" {}", format.code));
                    }
                    _ => text.push_str(&format!(" {format}")),
                }
                last = Some(format);
            }
            text.push_str(" → ");
        }
        text.push_str(&format!(
            "{} {}",
            topology.name(self.chain.node(topology)),
            self.pixel_format
        ));
        for change in &self.links {
            if let Some(link) = topology.links.get(change.link) {
                let done = if change.enable { "enabled" } else { "disabled" };
                text.push_str(&format!("; {done} {}", topology.link_name(link)));
            }
        }
        text
    }
}

/// The first plan that delivers what is wished.
///
/// Devices are asked from the sensor on, each for what the one before would give, and one that
/// refuses is a reason to go back and try the next. Few codes exist at few pads, and what was
/// refused once is not tried again.
///
/// # Errors
/// [`MediaError::Refused`] with what was asked and what there is; what [`Ask`] says.
pub fn plan(
    topology: &Topology,
    chain: &Chain,
    wish: &Wish,
    ask: &mut dyn Ask,
) -> Result<Plan, MediaError> {
    let (mut found, refused) = Search::new(topology, chain, wish, ask).first()?;
    match found.pop() {
        Some(plan) => Ok(plan),
        None => Err(MediaError::Refused {
            chain: ends(topology, chain),
            wish: wish.to_string(),
            refused,
        }),
    }
}

/// A plan for each pixel format that the chain can deliver and the wish allows.
///
/// # Errors
/// As [`plan()`].
pub fn plans(
    topology: &Topology,
    chain: &Chain,
    wish: &Wish,
    ask: &mut dyn Ask,
) -> Result<Vec<Plan>, MediaError> {
    let (found, refused) = Search::new(topology, chain, wish, ask).all()?;
    if found.is_empty() {
        return Err(MediaError::Refused {
            chain: ends(topology, chain),
            wish: wish.to_string(),
            refused,
        });
    }
    Ok(found)
}

fn ends(topology: &Topology, chain: &Chain) -> String {
    let names = [chain.sensor(topology), chain.node(topology)].map(|id| topology.name(id));
    names.join(" → … → ")
}
