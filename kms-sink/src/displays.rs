//! What displays there are, for listings and messages.

use std::path::{Path, PathBuf};

use dmaflow_core::format::Format;
use drm::DriverCapability;
use drm::control::Device;
use drm::control::connector::{Info, State};

use crate::card::{Opened, nodes};
use crate::error::KmsSinkError;
use crate::mode::ModeInfo;
use crate::output::{connectors, is_screen};
use crate::plane::{PlaneKind, planes};

/// A display node.
#[derive(Debug)]
pub struct CardInfo {
    /// The node below `/dev/dri`.
    pub node: PathBuf,
    /// What the card has, or why it cannot be opened.
    pub card: Result<CardDetails, KmsSinkError>,
}

/// What a card has.
#[derive(Debug)]
pub struct CardDetails {
    /// The driver's name.
    pub driver: String,
    /// Where it sits: a PCI address, a platform device's name.
    pub bus: Option<String>,
    /// Whether the driver claims to import dma-bufs; which ones, only an import tells.
    pub imports: bool,
    /// Whether what is shown can be verified.
    pub writeback: bool,
    /// Why we cannot control it now.
    pub refusal: Option<KmsSinkError>,
    /// Where screens are plugged in.
    pub connectors: Vec<ConnectorInfo>,
    /// What can show a picture.
    pub planes: Vec<PlaneInfo>,
}

/// Where a screen is plugged in.
#[derive(Clone, Debug)]
pub struct ConnectorInfo {
    /// The kernel's name.
    pub name: String,
    /// Whether there is a screen.
    pub connected: bool,
    /// The screen's modes, best first.
    pub modes: Vec<ModeInfo>,
}

/// What can show a picture.
#[derive(Clone, Debug)]
pub struct PlaneInfo {
    /// The kernel's number.
    pub id: u32,
    /// What it is for.
    pub kind: PlaneKind,
    /// The linear formats it takes, RGB first.
    pub formats: Vec<Format>,
}

/// Looks at every display of the machine.
///
/// A card that nobody controls is controlled by us while it is looked at.
#[must_use]
pub fn displays() -> Vec<CardInfo> {
    let look = |node: PathBuf| CardInfo {
        card: details(&node),
        node,
    };
    nodes().into_iter().map(look).collect()
}

fn details(node: &Path) -> Result<CardDetails, KmsSinkError> {
    let opened = Opened::new(node)?;
    let (driver, bus) = (opened.driver.clone(), opened.bus());
    let card = opened.into_atomic()?;
    let refusal = card.master().err();
    let resources = card.asked("the connectors", card.resource_handles())?;
    let connectors = connectors(&card, &resources)?;
    let planes = planes(&card)?;
    Ok(CardDetails {
        driver,
        bus,
        imports: card.capability(DriverCapability::Prime)
            & u64::from(drm_ffi::DRM_PRIME_CAP_IMPORT)
            != 0,
        writeback: !connectors.iter().all(is_screen),
        refusal,
        connectors: connectors
            .iter()
            .filter(|connector| is_screen(connector))
            .map(screen)
            .collect(),
        planes: planes
            .iter()
            .map(|plane| PlaneInfo {
                id: plane.id,
                kind: plane.kind,
                formats: plane.formats(),
            })
            .collect(),
    })
}

fn screen(connector: &Info) -> ConnectorInfo {
    ConnectorInfo {
        name: connector.to_string(),
        connected: connector.state() == State::Connected,
        modes: connector.modes().iter().filter_map(ModeInfo::of).collect(),
    }
}
